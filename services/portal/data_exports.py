"""What portal holds about a client, handed out."""

from __future__ import annotations

from typing import Any

from chassis.database import Database
from chassis.sections import Section, plain, read_sections
from services.portal.models import Link


def export_client_data(db: Database, *, client_id: str, limit: int = 200, cursor: str | None = None) -> dict[str, Any]:
    """`contracts.exporting.ExportedPage`: the client's links, without what opens them. Raises Invalid."""
    theirs = Link.client_id == client_id
    sections = [Section("portal_link", Link, theirs, Link.id, lambda row: plain(row, "token_hash"))]
    with db.read() as session:
        rows, following = read_sections(session, sections, limit=limit, cursor=cursor)
    entries = [{"kind": section.kind, "data": section.show(row)} for section, row in rows]
    return {"entries": entries, "files": [], "next_cursor": following}
