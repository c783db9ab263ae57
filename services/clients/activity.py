"""What happened to each client, told by every service's events. Ids and words of ours only, no personal data."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, bindparam, select
from sqlalchemy.orm import Session

from chassis.columns import new_id
from chassis.context import current
from chassis.database import Database, UnitOfWork
from chassis.envelope import ReceivedEvent
from chassis.paging import page
from services.clients import last_cases
from services.clients.merges import merge_history
from services.clients.models import Activity, LastActivity

_CONSENT_FACTS = ("consent_id", "channel", "state", "holds", "source")
_TASK_FACTS = ("case_task_id", "case_id", "template_id", "answered_by")
_LOG_FACTS = ("log_entry_id", "kind", "staff_id", "case_id")
_CASE_FACTS = ("case_id", "status", "state", "changed")
_MESSAGE_FACTS = ("message_id", "channel", "effect")
_LINK_FACTS = ("link_id", "contact_id", "case_task_id", "channel")
_DELIVERY_FACTS = ("delivery_id", "batch_id", "case_task_id", "case_id", "channel", "state", "reason")

_OF_CLIENT = select(Activity).where(Activity.client_id == bindparam("client_id"))
_SHOWN = ("id", "at", "kind", "facts")
_ASKED_AT_ONCE = 1000

Entry = dict[str, Any]


def by_actor() -> dict[str, Any]:
    """Who does the work in hand, as facts."""
    context = current()
    return {"actor_kind": context.actor_kind, "actor_id": context.actor_id} if context else {"actor_kind": "system"}


def staff_id() -> str | None:
    """Who of the firm's staff does the work in hand, if it is one of them."""
    context = current()
    return context.actor_id if context is not None and context.actor_kind == "staff" else None


def add(uow: UnitOfWork, client_id: str, at: dt.datetime, kind: str, facts: dict[str, Any]) -> None:
    """Adds one entry to a client's activity."""
    uow.insert(Activity, [entry(client_id, at, kind, facts)])


def entry(client_id: str, at: dt.datetime, kind: str, facts: dict[str, Any]) -> Entry:
    """A row of `Activity`."""
    return {"id": new_id(), "client_id": client_id, "at": at, "kind": kind, "facts": facts}


def list_client_activity(
    db: Database,
    *,
    client_id: str,
    kind: Sequence[str] = (),
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    limit: int = 50,
    cursor: str | None = None,
    sort: str | None = None,
) -> dict[str, Any]:
    """A page of a client's activity, newest first, with that of the clients that were merged into it. `kind`: of these
    events only; within [`since`, `until`).

    Raises NotFound `client_not_found`, Gone `client_merged`, and Invalid as `page` does.
    """
    with db.read() as session:
        merge_history.demand_client(session, client_id)
        narrow: list[ColumnElement[bool]] = [Activity.kind.in_(kind)] if kind else []
        if since is not None:
            narrow.append(Activity.at >= since)
        if until is not None:
            narrow.append(Activity.at < until)
        return activity_of(session, client_id, narrow, limit=limit, cursor=cursor, sort=sort)


def activity_of(
    session: Session,
    client_id: str,
    narrow: Sequence[ColumnElement[bool]] = (),
    *,
    merged: Sequence[str] | None = None,
    **paging: Any,
) -> dict[str, Any]:
    """`list_client_activity` of a client that is there; `narrow` are conditions on `Activity`, `merged` the clients
    that were merged into this very one, if that is known."""
    earlier = merge_history.merged_into(session, client_id, merged)
    # A set of clients would be sorted, all there is of them; of one, the index has the order.
    statement = select(Activity).where(Activity.client_id.in_([client_id, *earlier])) if earlier else _OF_CLIENT
    rows, meta = page(
        session, statement.where(*narrow) if narrow else statement, model=Activity, sorts={"at": Activity.at},
        default_sort="-at", parameters={"client_id": client_id}, **paging,
    )  # fmt: skip
    return {"data": [{name: getattr(row, name) for name in _SHOWN} for row in rows], "meta": meta}


def record_consent_changes(db: Database, events: Sequence[ReceivedEvent]) -> None:
    """Of `consent.changed.v1`: whose address it is."""
    _record(db, events, _consent_entries)


def record_deliveries(db: Database, events: Sequence[ReceivedEvent]) -> None:
    """Of `delivery.*.v1`: the client it is for."""
    _record(
        db, events, lambda event: _entries_of_one(event, event.data["client_id"], event.data["at"], _DELIVERY_FACTS)
    )


def record_communications(db: Database, events: Sequence[ReceivedEvent]) -> None:
    """Of `communication.logged.v1`: the client whom a call note or a meeting is about."""
    _record(db, events, lambda event: _entries_of_one(event, event.data["client_id"], event.time, _LOG_FACTS))


def record_cases(db: Database, events: Sequence[ReceivedEvent]) -> None:
    """Of `case.created.v1` and `case.changed.v1`: every client of the case, and when it was opened with them."""
    with db.unit_of_work(once=events) as uow:
        _record_cases(uow, uow.fresh)


def record_imported_cases(db: Database, events: Sequence[ReceivedEvent]) -> None:
    """Of `cases.imported.v1`: as of each case alone."""
    with db.unit_of_work(once=events) as uow:
        _record_cases(uow, [replace(event, data=case) for event in uow.fresh for case in event.data["cases"]])


def _record_cases(uow: UnitOfWork, events: Sequence[ReceivedEvent]) -> None:
    _add(uow, events, lambda event: _entries_of_many(event, event.data["client_ids"], _CASE_FACTS))
    last_cases.note_cases(uow, events)


def record_received_messages(db: Database, events: Sequence[ReceivedEvent]) -> None:
    """Of `message.received.v1`: whose address it came from."""
    _record(db, events, lambda event: _entries_of_many(event, event.data["client_ids"], _MESSAGE_FACTS))


def record_assigned_conversations(db: Database, events: Sequence[ReceivedEvent]) -> None:
    """Of `conversation.assigned.v1`: whose it is by a person's word."""
    _record(db, events, lambda event: _entries_of_one(event, event.data["client_id"], event.time, ("conversation_id",)))


def record_links(db: Database, events: Sequence[ReceivedEvent]) -> None:
    """Of `link.used.v1`, `link.revoked.v1` and `link.requested.v1`: whose link it is."""
    _record(db, events, lambda event: _entries_of_one(event, event.data["client_id"], event.time, _LINK_FACTS))


def record_tasks(db: Database, calls: Any, events: Sequence[ReceivedEvent]) -> None:
    """Of `tasks.assigned.v1` and `task.reopened.v1`: the clients of their cases, who are asked for first.

    Raises Unavailable, DeadlineExceeded; then it is done later.
    """
    whose = _clients_of(calls, (case_id for event in events for case_id in _cases_of(event)))

    def entries_of(event: ReceivedEvent) -> list[Entry]:
        same = {name: event.data[name] for name in _TASK_FACTS if event.data.get(name) is not None}
        return [
            entry(client_id, event.time, event.name, {**same, "case_id": case_id})
            for case_id in _cases_of(event)
            for client_id in whose.get(case_id, ())
        ]

    _record(db, events, entries_of)


def _cases_of(event: ReceivedEvent) -> list[str]:
    return event.data.get("case_ids") or ([event.data["case_id"]] if event.data.get("case_id") else [])


def _clients_of(calls: Any, case_ids: Iterable[str]) -> dict[str, list[str]]:
    wanted = list(dict.fromkeys(case_ids))
    found: dict[str, list[str]] = {}
    for start in range(0, len(wanted), _ASKED_AT_ONCE):
        asked = wanted[start : start + _ASKED_AT_ONCE]
        for case in calls.cases.get_case_facts(case_ids=asked)["cases"]:
            found[case["case_id"]] = case["client_ids"]
    return found


def _entries_of_many(event: ReceivedEvent, client_ids: Iterable[str], names: Iterable[str]) -> list[Entry]:
    facts = {name: event.data[name] for name in names if event.data.get(name) is not None}
    return [entry(client_id, event.time, event.name, facts) for client_id in dict.fromkeys(client_ids)]


def _consent_entries(event: ReceivedEvent) -> list[Entry]:
    facts = {name: event.data[name] for name in _CONSENT_FACTS if name in event.data}
    return [entry(client_id, event.time, event.name, facts) for client_id in dict.fromkeys(event.data["client_ids"])]


def _entries_of_one(event: ReceivedEvent, client_id: str | None, at: dt.datetime, names: Iterable[str]) -> list[Entry]:
    if client_id is None:
        return []
    facts = {name: event.data[name] for name in names if event.data.get(name) is not None}
    return [entry(client_id, at, event.name, facts)]


def add_completed_tasks(uow: UnitOfWork, events: Sequence[ReceivedEvent]) -> None:
    """Of `task.completed.v1`: the client who answered, in the transaction that applies the answers."""
    _add(uow, events, lambda event: _entries_of_one(event, event.data["client_id"], event.time, _TASK_FACTS))


def _record(db: Database, events: Sequence[ReceivedEvent], entries_of: Callable[[ReceivedEvent], list[Entry]]) -> None:
    with db.unit_of_work(once=events) as uow:
        _add(uow, uow.fresh, entries_of)


def _add(uow: UnitOfWork, events: Sequence[ReceivedEvent], entries_of: Callable[[ReceivedEvent], list[Entry]]) -> None:
    entries = [made for event in events for made in entries_of(event)]
    uow.insert(Activity, entries)
    _touch(uow, entries)


def _touch(uow: UnitOfWork, entries: Sequence[Entry]) -> None:
    """Moves the clients' last activity forward, never back: events come in any order."""
    newest: dict[str, dt.datetime] = {}
    for made in entries:
        newest[made["client_id"]] = max(made["at"], newest.get(made["client_id"], made["at"]))
    touch(uow, newest)


def touch(uow: UnitOfWork, newest: Mapping[str, dt.datetime], *, first: bool = False) -> None:
    """Sets when something last happened to clients, by id, unless something later has; with `first` nothing has."""
    # In the order of the ids, so that two transactions with the same clients wait for each other and do not deadlock.
    rows = [{"client_id": client_id, "at": at} for client_id, at in sorted(newest.items())]
    if first:
        uow.insert(LastActivity, rows)
    else:
        uow.upsert(LastActivity, rows, key=("client_id",), change=("at",), newer="at")
