"""Answers to tasks that are mapped to a client's first name, last name, phone or email."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import select

from chassis.database import Database, UnitOfWork
from chassis.envelope import ReceivedEvent
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
from services.clients.models import AppliedAnswer
from services.clients.records import Change, announce_changes

_LONGEST_NAME = 120
_MOST_OF_A_KIND = 20
"""Phones, and emails, as `contracts.clients` has them."""
_MOST_ASKED = 1000

Answer = dict[str, Any]
"""`contracts.mapping.MappedAnswer`"""


class Refused(Exception):
    """A mapped answer that the client's record cannot take; the argument is the code."""


def follow_completed_tasks(db: Database, calls: Any, events: Sequence[ReceivedEvent], now: dt.datetime) -> None:
    """Applies what `task.completed.v1` announced, or answers with `field_update.rejected.v1`, and keeps in each
    client's activity what the client completed.

    The client who answered is meant, else the case's primary one. Of answers to several tasks that go into one field
    the last one stays. Consent is not touched: a new address starts with a state of its own.
    """
    answers = _fetch(calls, (event.data["case_task_id"] for event in events if event.data["mapped"] == "client"))
    with db.unit_of_work(once=events) as uow:
        in_order = sorted(uow.fresh, key=lambda event: event.time)
        given_at = {event.data["case_task_id"]: event.time for event in in_order}
        asked = [answer for answer in answers if answer["case_task_id"] in given_at]
        asked.sort(key=lambda answer: given_at[answer["case_task_id"]])
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
    while newer:
        # A round takes one answer of each client: the statements are as many as the rounds, mostly one.
        first = {_whose(answer): answer for answer in reversed(newer)}
        _apply_round(uow, list(first.values()), records, now)
        newer = [answer for answer in newer if first[_whose(answer)] is not answer]


def _apply_round(uow: UnitOfWork, answers: list[Answer], records: dict[str, Record], now: dt.datetime) -> None:
    taken: list[tuple[Answer, Record, Record]] = []
    for answer in answers:
        before = records.get(_whose(answer) or "")
        try:
            if before is None:
                raise Refused("client_gone")
            taken.append((answer, before, {**before, **changed_by(before, answer["field"], answer["value"])}))
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
