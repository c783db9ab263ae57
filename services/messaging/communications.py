"""The communications log of a client: every message, and what staff wrote down about calls and meetings."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from chassis.columns import new_id, utc_now
from chassis.database import Database
from contracts.errors import NotFound, invalid_field
from contracts.messaging import COMMUNICATION_LOGGED
from services.messaging import history
from services.messaging.known_clients import demand_clients
from services.messaging.models import LogEntry

Record = dict[str, Any]

_FIELDS = ("kind", "direction", "at", "minutes", "subject", "notes", "participants", "case_id")
_LOGGED = select(LogEntry).where(LogEntry.client_id == bindparam("client_id"))
_SHOWN = ("id", "version", "created_at", "updated_at", "client_id", "staff_id", *_FIELDS)


def list_communications(
    db: Database,
    *,
    client_id: str,
    kind: Sequence[str] = (),
    limit: int = 50,
    cursor: str | None = None,
    sort: str | None = None,
) -> Record:
    """A page of messages, call notes and meetings in one list, newest first; of the named kinds if any is named.

    Raises Invalid as `page` does.
    """
    with db.read() as session:
        sources = history.messages_of_client(session, client_id) if not kind or "message" in kind else []
        written = [name for name in kind if name != "message"]
        if written or not kind:
            notes = _LOGGED.where(LogEntry.kind.in_(written)) if written else _LOGGED
            sources.append(history.Source(LogEntry, notes, LogEntry.at, {"client_id": client_id}))
        rows, meta = history.merge(session, sources, "at", limit=limit, cursor=cursor, sort=sort)
        return {"data": _lines(session, rows), "meta": meta}


def _lines(session: Session, rows: Sequence[Any]) -> list[Record]:
    messages = history.records(session, [row for row in rows if not isinstance(row, LogEntry)])
    by_id = {message["id"]: message for message in messages}
    return [
        {"id": row.id, "at": row.at, "kind": row.kind, "message": None, "entry": _record(row)}
        if isinstance(row, LogEntry)
        else {"id": row.id, "at": row.created_at, "kind": "message", "message": by_id[row.id], "entry": None}
        for row in rows
    ]


def log_communication(
    db: Database,
    calls: Any,
    *,
    client_id: str,
    actor_id: str | None,
    case_id: str | None = None,
    now: dt.datetime | None = None,
    **fields: Any,
) -> Record:
    """What a staff member writes down about a call or a meeting, which may be one to come; `at` not said: now.

    Raises NotFound `client_not_found`, Gone `client_merged`, Invalid for a case that does not exist, Unavailable.
    """
    now = now or utc_now()
    client = calls.clients.get_client_facts.start(client_ids=[client_id])
    _demand_case(calls, case_id)
    demand_clients(client.result(), [client_id])
    with db.unit_of_work() as uow:
        values = {"at": now, **fields}
        entry = LogEntry(
            id=new_id(), client_id=client_id, staff_id=actor_id, case_id=case_id, created_at=now, updated_at=now,
            **values,
        )  # fmt: skip
        uow.session.add(entry)
        uow.session.flush()
        data = {
            "log_entry_id": entry.id, "client_id": client_id, "kind": entry.kind, "staff_id": actor_id,
            "case_id": case_id,
        }  # fmt: skip
        uow.emit(COMMUNICATION_LOGGED, entry.id, data)
        return uow.answer(_record(entry))


def update_log_entry(
    db: Database,
    calls: Any,
    *,
    log_entry_id: str,
    changes: Mapping[str, Any],
    expected_version: int | None = None,
) -> Record:
    """Sets the named fields. Raises NotFound, Conflict `stale_version`, Invalid, Unavailable."""
    _demand_case(calls, changes.get("case_id"))
    with db.unit_of_work() as uow:
        statement = select(LogEntry).where(LogEntry.id == log_entry_id).with_for_update()
        entry = uow.session.scalars(statement).one_or_none()
        if entry is None:
            raise NotFound("log_entry_not_found", log_entry_id=log_entry_id)
        entry.expect_version(expected_version)
        for name in changes:
            setattr(entry, name, changes[name])
        if changes:
            entry.touch(utc_now())
        uow.session.flush()
        return uow.answer(_record(entry))


def _demand_case(calls: Any, case_id: str | None) -> None:
    if case_id is not None and not calls.cases.get_case_facts(case_ids=[case_id])["cases"]:
        raise invalid_field("case_id", "Not a case of this firm.")


def _record(entry: LogEntry) -> Record:
    return {name: getattr(entry, name) for name in _SHOWN}
