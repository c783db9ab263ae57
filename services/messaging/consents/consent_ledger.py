"""The ledger as people read it, and as it is handed out as proof: a list with filters, newest first."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import or_, select

from chassis.database import Database
from chassis.paging import page
from chassis.scoping import EVERY_KIND
from contracts.errors import Gone, NotFound
from services.messaging.address_keys import hashed
from services.messaging.merges.merged_clients import merged_clients
from services.messaging.models import ConsentEntry, Delivery
from services.messaging.senders import as_kept

Record = dict[str, Any]


def list_consents(
    db: Database,
    calls: Any,
    *,
    address: str | None = None,
    client_id: str | None = None,
    channel: str | None = None,
    state: str | None = None,
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    limit: int = 50,
    cursor: str | None = None,
    sort: str | None = None,
) -> Record:
    """One page, newest first. Of a client: what it said itself, and what was said from the addresses that it was
    written to at or has now; also of those that were merged into it.

    Raises Invalid, Unavailable.
    """
    statement = select(ConsentEntry)
    if address is not None:
        kept = as_kept(address)
        statement = statement.where(or_(ConsentEntry.address == kept, ConsentEntry.address_hash == hashed(kept)))
    if client_id is not None:
        with db.read() as session:
            same = [client_id, *merged_clients.merged_into(session, client_id)]
            written_to = select(Delivery.address).where(Delivery.client_id.in_(same), Delivery.address.is_not(None))
            addresses = [*session.scalars(written_to.distinct(), execution_options=EVERY_KIND)]
        addresses += present_addresses(calls, client_id)
        statement = statement.where(or_(ConsentEntry.client_id.in_(same), ConsentEntry.address.in_(addresses)))
    if channel is not None:
        statement = statement.where(ConsentEntry.channel == channel)
    if state is not None:
        statement = statement.where(ConsentEntry.state == state)
    if since is not None:
        statement = statement.where(ConsentEntry.at >= since)
    if until is not None:
        statement = statement.where(ConsentEntry.at < until)
    with db.read() as session:
        rows, meta = page(
            session,
            statement,
            model=ConsentEntry,
            sorts={"at": ConsentEntry.at},
            default_sort="-at",
            limit=limit,
            cursor=cursor,
            sort=sort,
        )
        return {"data": [_entry(row) for row in rows], "meta": meta}


def present_addresses(calls: Any, client_id: str) -> list[str]:
    """All numbers and email addresses in a client's record. An erased or merged one has none, and its proof
    stays."""
    try:
        client = calls.clients.get_client(client_id=client_id)
    except (NotFound, Gone):
        return []
    emails = [entry["address"].lower() for entry in client.get("emails") or ()]
    return [entry["number"] for entry in client.get("phones") or ()] + emails


def _entry(row: ConsentEntry) -> Record:
    names = ("id", "at", "channel", "address", "client_id", "state", "source", "evidence", "rule_version")
    return {name: getattr(row, name) for name in names}
