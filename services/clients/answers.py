"""Answers to tasks that are mapped to a client's first name, last name, phone or email."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.database import Database, UnitOfWork
from chassis.envelope import ReceivedEvent
from chassis.value_sets import among
from chassis.words import UnfitText, clean_text
from contracts.clients import FIELD_UPDATE_REJECTED
from contracts.tasks import GET_MAPPED_ANSWERS
from services.clients import activity, cards
from services.clients.addresses import (
    DEFAULT_COUNTRY,
    UnfitAddress,
    country_of,
    parse_email,
    parse_phone,
    with_new_primary,
    without_primary,
)
from services.clients.checking import Record
from services.clients.merges import merge_history
from services.clients.models import AppliedAnswer, FieldAnswer
from services.clients.records import Change, announce_changes

_LONGEST_NAME = 120
_MOST_OF_A_KIND = 20
"""Phones, and emails, as `contracts.clients` has them."""
_MOST_ASKED = 1000

Answer = dict[str, Any]
"""`contracts.mapping.MappedAnswer`"""


class _Written(NamedTuple):
    """`FieldAnswer`"""

    given_at: dt.datetime
    cleared: bool


class Refused(Exception):
    """A mapped answer that the client's record cannot take; the argument is the code."""


def follow_completed_tasks(db: Database, calls: Any, events: Sequence[ReceivedEvent], now: dt.datetime) -> None:
    """Applies what `task.completed.v1` announced, or answers with `field_update.rejected.v1`, and keeps in each
    client's activity what the client completed.

    The client who answered is meant, else the case's primary one. Of answers to several tasks that go into one field
    the one that was given last stays, whichever is heard of last. Consent is not touched: a new address starts with a
    state of its own.
    """
    answers = _fetch(calls, (event.data["case_task_id"] for event in events if event.data["mapped"] == "client"))
    with db.unit_of_work(once=events) as uow:
        given_at = {(event.data["case_task_id"], event.data["answer_version"]): event.time for event in uow.fresh}
        # One that is newer than the event waits for its own, which says when it was given.
        asked = [
            {**answer, "given_at": given_at[version]}
            for answer in answers
            if (version := (answer["case_task_id"], answer["answer_version"])) in given_at
        ]
        asked.sort(key=lambda answer: answer["given_at"])
        answered_by = {event.data["client_id"] for event in uow.fresh if event.data["client_id"]}
        _apply(uow, asked, answered_by, now)
        activity.add_completed_tasks(uow, uow.fresh)


def _fetch(calls: Any, case_task_ids: Iterable[str]) -> list[Answer]:
    """The answers as they are now, which may be newer than the events. Before the transaction: nothing waits in it."""
    ids = sorted(set(case_task_ids))
    get_mapped_answers = getattr(calls.tasks, GET_MAPPED_ANSWERS.name)
    answers = [
        answer
        for start in range(0, len(ids), _MOST_ASKED)
        for answer in get_mapped_answers(case_task_ids=ids[start : start + _MOST_ASKED])["answers"]
    ]
    return [answer for answer in answers if answer["target"] == "client"]


def _apply(uow: UnitOfWork, answers: list[Answer], answered_by: set[str], now: dt.datetime) -> None:
    newer = _not_yet_applied(uow, answers)
    # All clients that this transaction writes are locked at once, in one order.
    meant = {client for answer in newer if (client := _whose(answer))}
    records = cards.load(uow.session, meant | answered_by, lock=True)
    merged = merge_history.with_survivors(uow.session, meant, records)
    if merged:
        # Who was merged since the answer was given: it is the survivor's.
        records |= cards.load(uow.session, set(merged.values()) - records.keys(), lock=True)
        newer = [_of_survivor(answer, merged) for answer in newer]
    last = _last_written(uow.session, newer)
    known = dict(last)
    while newer:
        # A round takes one answer of each client: the statements are as many as the rounds, mostly one.
        first = {_whose(answer): answer for answer in reversed(newer)}
        _apply_round(uow, list(first.values()), records, last, now)
        newer = [answer for answer in newer if first[_whose(answer)] is not answer]
    rows = [
        {"client_id": client_id, "field": field, "given_at": written.given_at, "cleared": written.cleared}
        for (client_id, field), written in sorted(last.items())
        if known.get((client_id, field)) != written
    ]
    uow.upsert(FieldAnswer, rows, key=("client_id", "field"), change=("given_at", "cleared"))


def _last_written(session: Session, answers: Iterable[Answer]) -> dict[tuple[str, str], _Written]:
    """By client and field. After the clients' locks, under which they are written."""
    client_ids = {client_id for answer in answers if (client_id := _whose(answer))}
    if not client_ids:
        return {}
    columns = (FieldAnswer.client_id, FieldAnswer.field, FieldAnswer.given_at, FieldAnswer.cleared)
    statement = select(*columns).where(among(session, FieldAnswer.client_id, sorted(client_ids)))
    return {(row.client_id, row.field): _Written(row.given_at, row.cleared) for row in session.execute(statement)}


def _apply_round(
    uow: UnitOfWork,
    answers: list[Answer],
    records: dict[str, Record],
    last: dict[tuple[str, str], _Written],
    now: dt.datetime,
) -> None:
    """Applies what is not older than what was written `last`, and notes it there."""
    taken: list[tuple[Answer, Record, Record]] = []
    for answer in answers:
        before = records.get(_whose(answer) or "")
        try:
            if before is None:
                raise Refused("client_gone")
            field, value = answer["field"], answer["value"]
            newest = last.get((before["id"], field))
            if newest is not None and answer["given_at"] < newest.given_at:
                taken.append((answer, before, {**before, **_changed_late(before, field, value, newest)}))
                continue
            taken.append((answer, before, {**before, **changed_by(before, field, value)}))
            last[before["id"], field] = _Written(answer["given_at"], _is_blank(value))
        except Refused as refusal:
            _reject(uow, answer, str(refusal))
    changed = cards.save(uow, [(before, after) for _, before, after in taken], now)
    records.update({after["id"]: after for _, _, after in taken})
    changes = [
        Change(
            record=after,
            fields=changed[after["id"]],
            cause={"case_task_id": answer["case_task_id"], "case_id": answer["case_id"]},
            case_task_id=answer["case_task_id"],
        )
        for answer, _, after in taken
        if after["id"] in changed
    ]
    announce_changes(uow, changes, now)


def _whose(answer: Answer) -> str | None:
    client_id: str | None = answer["client_id"] or answer["primary_client_id"]
    return client_id


def _of_survivor(answer: Answer, merged: Mapping[str, str]) -> Answer:
    surviving_id = merged.get(_whose(answer) or "")
    return {**answer, "client_id": surviving_id} if surviving_id else answer


def _not_yet_applied(uow: UnitOfWork, answers: list[Answer]) -> list[Answer]:
    """The answers that are newer than what was applied of their case tasks, which they now are; in their order."""
    by_task = {answer["case_task_id"]: answer for answer in answers}
    unseen = [{"case_task_id": case_task_id, "answer_version": -1} for case_task_id in sorted(by_task)]
    uow.insert(AppliedAnswer, unseen, ignore_conflicts=True)
    statement = (
        select(AppliedAnswer.case_task_id, AppliedAnswer.answer_version)
        .where(AppliedAnswer.case_task_id.in_(by_task))
        .order_by(AppliedAnswer.case_task_id)
        .with_for_update()
    )
    applied = dict(uow.session.execute(statement).all())
    newer = [answer for task, answer in by_task.items() if answer["answer_version"] > applied[task]]
    uow.update_each(
        AppliedAnswer,
        [{name: answer[name] for name in ("case_task_id", "answer_version")} for answer in newer],
        key=("case_task_id",),
    )
    return newer


def changed_by(record: Record, field: str, value: Any) -> Record:
    """The fields of a record that an answer changes. A blank one clears: a name is emptied; of phones and emails the
    primary is taken away, and the next becomes primary. Raises `Refused`."""
    if value is not None and not isinstance(value, str):
        # Of a task that was assigned when its template asked for something else.
        raise Refused("wrong_type")
    text = (value or "").strip()
    try:
        if field in ("first_name", "last_name"):
            return _name(record, field, clean_text(text))
        if field == "phone":
            return {"phones": _not_too_many(record["phones"], _phones(record, text))}
        if field == "email":
            emails = record["emails"]
            new = {"address": parse_email(text)} if text else None
            kept = with_new_primary(emails, new, "address") if new else without_primary(emails)
            return {"emails": _not_too_many(emails, kept)}
    except UnfitText as error:
        raise Refused("invalid_text") from error
    except UnfitAddress as error:
        raise Refused(error.code) from error
    raise Refused("unknown_field")


def _changed_late(record: Record, field: str, value: Any, newest: _Written) -> Record:
    """What an answer still changes that was given before the `newest` of its field: as if it had come before that, its
    phone or email stays behind the primary. Nothing of it is refused: it was replaced."""
    kind, name = {"phone": ("phones", "number"), "email": ("emails", "address")}.get(field, ("", ""))
    primary = next((entry for entry in record.get(kind, ()) if entry["primary"]), None)
    if primary is None or newest.cleared or _is_blank(value):
        return {}
    try:
        return {kind: with_new_primary(changed_by(record, field, value)[kind], primary, name)}
    except Refused:
        return {}


def _is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _name(record: Record, field: str, value: str | None) -> Record:
    if value is not None and len(value) > _LONGEST_NAME:
        raise Refused("too_long")
    if not any({**record, field: value}[name] for name in ("first_name", "last_name", "company_name")):
        raise Refused("name_required")
    return {field: value}


def _not_too_many(before: list[Record], after: list[Record]) -> list[Record]:
    """No more than a record may have: else staff could not save it any more."""
    if len(after) > max(len(before), _MOST_OF_A_KIND):
        raise Refused("too_many")
    return after


def _phones(record: Record, text: str) -> list[dict[str, Any]]:
    if not text:
        return without_primary(record["phones"])
    number, kind = parse_phone(text, country_of(record["addresses"]) or DEFAULT_COUNTRY)
    return with_new_primary(record["phones"], {"number": number, "kind": kind}, "number")


def _reject(uow: UnitOfWork, answer: Answer, code: str) -> None:
    data = {
        "case_task_id": answer["case_task_id"],
        "target": "client",
        "field": answer["field"],
        "code": code,
        "answer_version": answer["answer_version"],
    }
    uow.emit(FIELD_UPDATE_REJECTED, answer["case_task_id"], data)
