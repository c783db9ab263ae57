"""`casewire companies proposals`: what firms propose for the shared directory, and the operator's decisions."""

from __future__ import annotations

import json
import sys
from typing import Any

from chassis.columns import utc_now
from chassis.database import Database
from contracts.errors import CasewireError
from deploy.dead_letters import operator
from services.clients import company_proposals
from services.clients.models import Base


def act(action: str, url: str, proposal_ids: list[str]) -> int:
    """Do one of list, accept, reject and print the outcome. Returns the exit status."""
    db = Database(url, Base)
    if action == "list":
        return _list(db)
    status = 0
    for proposal_id in proposal_ids:
        try:
            print(_decide(db, action, proposal_id))
        except CasewireError as error:
            sys.stderr.write(f"casewire: {error}\n")
            status = 1
    return status


def _decide(db: Database, action: str, proposal_id: str) -> str:
    if action == "reject":
        company_proposals.reject_proposal(db, utc_now(), proposal_id=proposal_id, operator=operator())
        return f"{proposal_id} rejected"
    company = company_proposals.accept_proposal(db, utc_now(), proposal_id=proposal_id, operator=operator())
    return f"{proposal_id} accepted: company {company['id']}, version {company['version']}"


def _list(db: Database) -> int:
    after, found = None, 0
    while rows := company_proposals.list_pending(db, after=after):
        for row in rows:
            what = f"corrects {row['company_id']}" if row["company_id"] else "new"
            print(f"{row['id']}  {row['created_at']:%Y-%m-%d %H:%M:%S}  firm {row['firm_id']}  {what}")
            print(f"    {_content(row['content'])}")
        after, found = rows[-1]["id"], found + len(rows)
    print(f"{found} to be decided")
    return 0


def _content(content: dict[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False)
