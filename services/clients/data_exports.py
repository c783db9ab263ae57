"""What clients hold about a client, handed out: the record as the API shows it, then every other row of theirs. So with
those that were merged into it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.sections import Section, plain, read_sections
from chassis.wire import strict
from contracts.clients import CLIENT_DATA_EXPORTED, Client
from services.clients import activity, cards, notes, records, showing
from services.clients.erasures import erased_rows
from services.clients.imports import changes
from services.clients.merges import merge_history, merge_images
from services.clients.models import ClientMerge, ClientNote, ImportChange

Record = dict[str, Any]

NOT_HANDED_OUT = frozenset(
    {
        # In the record itself.
        "client_address", "client_email", "client_phone", "client_tag",
        # What it is sealed with.
        "client_key",
    }
)  # fmt: skip
"""Tables of clients that say nothing that is not said elsewhere in the archive."""


def export_client_data(
    db: Database, now: dt.datetime, *, client_id: str, limit: int = 200, cursor: str | None = None
) -> Record:
    """`contracts.exporting.ExportedPage`. That it was asked for is kept in the client's activity.

    Raises NotFound `client_not_found`, Gone `client_erased` or `client_merged`, Invalid.
    """
    record = records.get_client(db, client_id)
    with db.read() as session:
        merged = sorted(merge_history.merged_into(session, client_id))
        kept = cards.load(session, merged, archived=True)
        parts = showing.shown(session, (kept[id_] for id_ in merged if id_ in kept))
    entries = []
    if cursor is None:
        entries.append({"kind": "client", "data": strict(Client).dump(record)})
        entries += [{"kind": "merged_client", "data": strict(Client).dump(part)} for part in parts]
        with db.unit_of_work() as uow:
            facts = activity.by_actor()
            activity.add(uow, client_id, now, CLIENT_DATA_EXPORTED.name, facts)
            uow.emit(CLIENT_DATA_EXPORTED, client_id, {"client_id": client_id})
    with db.read() as session:
        sections = [section for id_ in (client_id, *merged) for section in _sections(id_)]
        rows, following = read_sections(session, sections, limit=limit, cursor=cursor)
        entries += [{"kind": section.kind, "data": section.show(row) | _opened(session, row)} for section, row in rows]
    files = [
        {"file_key": row.file_key, "name": f"{section.kind}/{row.file_key.rpartition('/')[2]}"}
        for section, row in rows
        if getattr(row, "file_key", None)
    ]
    return {"entries": entries, "files": files, "next_cursor": following}


def _sections(client_id: str) -> list[Section]:
    return [
        Section(model.__tablename__, model, model.client_id == client_id, _key(model), lambda row: plain(row))
        for model in sorted(erased_rows.tables_of_clients(), key=lambda model: str(model.__tablename__))
        if model.__tablename__ not in NOT_HANDED_OUT
    ] + [Section("client_merge", ClientMerge, ClientMerge.surviving_id == client_id, ClientMerge.id, plain)]


def _opened(session: Session, row: Any) -> Record:
    """What is kept sealed of a row, in clear."""
    if isinstance(row, ClientNote):
        return {"text": notes.text_of(session, row)}
    if isinstance(row, ImportChange):
        return {"values": changes.KEPT.of(session, [row])[0]}
    if isinstance(row, ClientMerge):
        images = merge_images.opened(session, row) or ()
        return {"before": None, "after": None} | dict(
            zip(("before", "after"), map(merge_images.wire, images), strict=False)
        )
    return {}


def _key(model: Any) -> Any:
    """What tells a client's rows of a table apart."""
    names = [column.key for column in model.__table__.primary_key if column.key not in ("firm_id", "client_id")]
    return getattr(model, names[-1] if names else "client_id")
