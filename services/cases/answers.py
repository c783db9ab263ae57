"""Answers that are mapped to custom fields: fetched from tasks, applied here, or refused with a reason."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.custom_fields import Refused, Values, canonical
from chassis.database import Database, UnitOfWork
from chassis.envelope import ReceivedEvent
from chassis.postal import as_lines
from chassis.value_sets import among
from contracts.cases import FIELD_UPDATE_REJECTED
from contracts.errors import invalid_field
from services.cases.activity import add_completed_tasks
from services.cases.case_events import emit_changed
from services.cases.custom_fields import FITTING_QUESTIONS
from services.cases.models import AppliedAnswer, Case, CustomField, FieldAnswer
from services.cases.sealed_values import opened
from services.cases.stored_values import keep_values
from services.cases.type_fields import fields_of, hold_fields

Answer = dict[str, Any]
_WITH_OPTIONS = ("choice", "choices")
ASKED_AT_ONCE = 1000


def check_mapping(db: Database, *, field: str, question_kind: str, options: Sequence[str] = ()) -> Answer:
    """Whether answers that are written there are sensitive: `contracts.cases.CheckedMapping`. Raises Invalid that names
    `mapping.field` unless some type of case has a custom field that takes such answers: `unknown_field`,
    `kind_does_not_fit`, `options_do_not_fit` where it has not all of a question's `options`."""
    with db.read() as session:
        named = select(CustomField.type, CustomField.options, CustomField.sensitive).where(
            CustomField.key == field, CustomField.removed_at.is_(None)
        )
        known = session.execute(named).all()
    if not known:
        raise invalid_field("mapping.field", "No type of case has such a custom field.", code="unknown_field")
    fitting = [entry for entry in known if question_kind in FITTING_QUESTIONS[entry.type]]
    if not fitting:
        types = sorted({entry.type for entry in known})
        message = f"A {' or '.join(types)} field does not take answers of this kind."
        raise invalid_field("mapping.field", message, code="kind_does_not_fit")
    if not any(entry.type not in _WITH_OPTIONS or set(options) <= set(entry.options) for entry in fitting):
        message = "The question has options that the field has not."
        raise invalid_field("mapping.field", message, code="options_do_not_fit")
    return {"sensitive": any(entry.sensitive for entry in known)}


def apply_answers(db: Database, calls: Any, events: Sequence[ReceivedEvent], *, now: dt.datetime) -> None:
    """`task.completed.v1`. A blank answer clears the field; an older answer than was applied is ignored. Of those to
    several tasks that go into one field the one that was given last stays, whichever is heard of last.

    One that the field's type refuses, a blank one of a required field (`required`), or one for a field or case that is
    not there (`unknown_field`, `case_not_found`) or for a case that was put away (`case_archived`) is answered with
    `field_update.rejected.v1`.
    """
    mapped = [event for event in events if event.data["mapped"] == "case"]
    answers: list[Answer] = []
    ids = list(dict.fromkeys(event.data["case_task_id"] for event in mapped))
    for start in range(0, len(ids), ASKED_AT_ONCE):
        answers += calls.tasks.get_mapped_answers(case_task_ids=ids[start : start + ASKED_AT_ONCE])["answers"]
    with db.unit_of_work(once=events) as uow:
        given_at = {(event.data["case_task_id"], event.data["answer_version"]): event.time for event in uow.fresh}
        # One that is newer than the event waits for its own, which says when it was given.
        wanted = [
            {**answer, "given_at": given_at[version]}
            for answer in answers
            if answer["target"] == "case"
            and (version := (answer["case_task_id"], answer["answer_version"])) in given_at
        ]
        wanted.sort(key=lambda answer: answer["given_at"])
        _apply(uow, _newer(uow, wanted), now)
        add_completed_tasks(uow, uow.fresh)


def _newer(uow: UnitOfWork, answers: Sequence[Answer]) -> list[Answer]:
    """The answers that are newer than what was applied of their tasks, which they are noted as; in their order."""
    latest: dict[str, Answer] = {}
    for answer in answers:
        known = latest.get(answer["case_task_id"])
        if known is None or answer["answer_version"] > known["answer_version"]:
            latest[answer["case_task_id"]] = answer
    rows = [{"case_task_id": id_, "answer_version": latest[id_]["answer_version"]} for id_ in sorted(latest)]
    change = ("answer_version",)
    written = uow.upsert(AppliedAnswer, rows, key=("case_task_id",), change=change, newer="answer_version")
    newer = {row.case_task_id for row in written}
    return [answer for id_, answer in latest.items() if id_ in newer]


def _apply(uow: UnitOfWork, answers: Sequence[Answer], now: dt.datetime) -> None:
    if not answers:
        return
    ids = [answer["case_id"] for answer in answers]
    locked = select(Case).where(among(uow.session, Case.id, ids)).order_by(Case.id).with_for_update()
    cases = {case.id: case for case in uow.session.scalars(locked)}
    hold_fields(uow.session, {case.case_type_id for case in cases.values()}, {answer["field"] for answer in answers})
    fields = fields_of(uow.session, {case.case_type_id for case in cases.values()})
    before = opened(uow.session, {case.id: case.custom_fields for case in cases.values()})
    values = dict(before)
    changed: dict[str, list[str]] = {}
    last = _last_written(uow.session, cases)
    written_now: dict[tuple[str, str], dt.datetime] = {}
    for answer in answers:
        place = (answer["case_id"], answer["field"])
        if place in last and answer["given_at"] < last[place]:
            continue
        case = cases.get(answer["case_id"])
        try:
            if case is None:
                raise Refused("case_not_found", "There is no such case.")
            if case.archived_at is not None:
                raise Refused("case_archived", "The case is archived.")
            after = _merged(fields[case.case_type_id], values[case.id], answer)
        except Refused as refused:
            _reject(uow, answer, refused.code)
            continue
        last[place] = written_now[place] = answer["given_at"]
        if after != values[case.id]:
            values[case.id] = after
            changed.setdefault(case.id, []).append(f"custom_fields.{answer['field']}")
    for case_id in changed:
        cases[case_id].touch(now)
    rows = [{"case_id": id_, "field": key, "given_at": at} for (id_, key), at in sorted(written_now.items())]
    uow.upsert(FieldAnswer, rows, key=("case_id", "field"), change=("given_at",))
    written = {id_: (fields[cases[id_].case_type_id], before[id_], values[id_]) for id_ in changed}
    keep_values(uow, [cases[id_] for id_ in changed], written)
    emit_changed(uow, {case_id: list(dict.fromkeys(names)) for case_id, names in changed.items()})


def _last_written(session: Session, case_ids: Collection[str]) -> dict[tuple[str, str], dt.datetime]:
    """{(case, field): when the answer that was last written there was given}. After the cases' locks."""
    columns = (FieldAnswer.case_id, FieldAnswer.field, FieldAnswer.given_at)
    statement = select(*columns).where(among(session, FieldAnswer.case_id, sorted(case_ids)))
    return {(row.case_id, row.field): row.given_at for row in session.execute(statement)}


def _merged(fields: Sequence[CustomField], stored: Values, answer: Answer) -> Values:
    """The values after an answer. Raises Refused."""
    field = next((entry for entry in fields if entry.key == answer["field"] and entry.removed_at is None), None)
    if field is None:
        raise Refused("unknown_field", "There is no such field on this type of case.")
    given = answer["value"]
    if field.type == "text" and isinstance(given, dict) and "line1" in given:  # an address in parts
        given = as_lines(given)
    value = canonical(field, given)
    if value is not None:
        return {**stored, field.key: value}
    if field.required:
        raise Refused("required", "This field is required.")
    return {key: kept for key, kept in stored.items() if key != field.key}


def _reject(uow: UnitOfWork, answer: Answer, code: str) -> None:
    data = {
        "case_task_id": answer["case_task_id"],
        "target": "case",
        "field": answer["field"],
        "code": code,
        "answer_version": answer["answer_version"],
    }
    uow.emit(FIELD_UPDATE_REJECTED, answer["case_task_id"], data)
