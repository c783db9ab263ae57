"""Answers mapped to custom fields: applied once, in order, or refused with a reason."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from chassis.columns import new_id
from chassis.database import Database
from chassis.envelope import ReceivedEvent
from chassis.testing import deliver, outbox_events, received
from contracts.cases import CASE_CHANGED, FIELD_UPDATE_REJECTED
from contracts.clients import CLIENT_ERASED
from contracts.errors import Invalid, Unavailable
from contracts.tasks import GET_MAPPED_ANSWERS, TASK_COMPLETED
from services.cases.models import Base, FieldAnswer
from tests.service.cases_office import PROBATE, Office
from tests.service.one_database import on_one_database


class Answers:
    """What tasks holds: the newest answer of each case task whose mapping is in force."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.held: dict[str, dict[str, Any]] = {}
        office.calls.answers[GET_MAPPED_ANSWERS] = self.get

    def get(self, case_task_ids: list[str]) -> dict[str, Any]:
        return {"answers": [self.held[id_] for id_ in case_task_ids if id_ in self.held]}

    def give(
        self, case_id: str, field: str, value: Any, task: str | None = None, version: int = 1, mapped: str = "case",
        time: dt.datetime | None = None,
    ) -> ReceivedEvent:  # fmt: skip
        task = task or new_id()
        self.held[task] = {
            "case_task_id": task, "case_id": case_id, "client_id": None, "primary_client_id": None, "link_id": None,
            "target": mapped, "field": field, "value": value, "answer_version": version,
        }  # fmt: skip
        return received(
            TASK_COMPLETED,
            {"case_task_id": task, "case_id": case_id, "template_id": new_id(), "client_id": None,
             "answered_by": "staff", "mapped": mapped, "answer_version": version},
            firm_id=self.office.firm_id, time=time,
        )  # fmt: skip

    def deliver(self, *events: ReceivedEvent) -> None:
        """Every event twice: in one batch, then again."""
        deliver(self.office.service, "apply_answers", *events, *events)
        deliver(self.office.service, "apply_answers", *events)


@pytest.fixture
def office(new_database: Any) -> Office:
    return Office(new_database(Base))


@pytest.fixture
def small_office(emptied_sqlite: Callable[[Any], Database]) -> Office:
    """On SQLite only: for what is refused before SQL could differ."""
    return Office(emptied_sqlite(Base))


@pytest.fixture
def answers(office: Office) -> Answers:
    return Answers(office)


@pytest.fixture
def case(office: Office) -> dict[str, Any]:
    fields = [*PROBATE["custom_fields"], {"key": "ref", "label": "Ref", "type": "text", "required": True}]
    return office.case(office.case_type(custom_fields=fields), custom_fields={"ref": "r"})


def values(office: Office, case: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in office.service.get_case(case["id"])["custom_fields"].items() if key != "ref"}


def rejections(office: Office) -> list[tuple[str, str, int]]:
    found = [event.data for event in outbox_events(office.db, FIELD_UPDATE_REJECTED)]
    return [(data["field"], data["code"], data["answer_version"]) for data in found]


def test_answers_of_every_kind_are_applied_once(office: Office, answers: Answers, case: dict[str, Any]) -> None:
    given = {
        "court": "north", "notes": "+12125550123", "hearing": "2026-12-24", "heirs": "3", "estate": "1250.5",
        "contested": True, "topics": ["tax", "will"],
    }  # fmt: skip
    answers.deliver(*(answers.give(case["id"], field, value) for field, value in given.items()))
    assert values(office, case) == {**given, "heirs": 3, "estate": "1250.50", "topics": ["will", "tax"]}
    (event,) = outbox_events(office.db, CASE_CHANGED)
    assert sorted(event.data["changed"]) == sorted(f"custom_fields.{field}" for field in given)
    assert event.data["version"] == office.service.get_case(case["id"])["version"] == 2
    assert rejections(office) == []
    wire = {"field": "custom_fields.hearing", "op": "between", "value": ["2026-12-24", "2026-12-31"]}
    assert office.selected(case_filter=wire) == [case["id"]]


def test_an_address_in_parts_is_written_as_lines(office: Office, answers: Answers, case: dict[str, Any]) -> None:
    parts = {"line1": "1 Main St", "line2": "Floor 2", "city": "Albany", "state": "NY", "postal_code": "12207"}
    answers.deliver(answers.give(case["id"], "notes", {**parts, "country": "US"}))
    assert values(office, case) == {"notes": "1 Main St\nFloor 2\nAlbany, NY 12207\nUS"}
    found = {"field": "custom_fields.notes", "op": "contains", "value": "albany"}
    assert office.selected(case_filter=found) == [case["id"]]
    answers.deliver(answers.give(case["id"], "notes", {"line1": "2 Side St"}), answers.give(case["id"], "court", parts))
    assert (values(office, case), rejections(office)) == ({"notes": "2 Side St"}, [("court", "wrong_type", 1)])


@on_one_database
@pytest.mark.parametrize("blank", [None, ""])
def test_a_blank_answer_clears_the_field(office: Office, answers: Answers, case: dict[str, Any], blank: Any) -> None:
    answers.deliver(answers.give(case["id"], "court", "north", task="018f4e9a-0000-7000-8000-000000000001"))
    answers.deliver(answers.give(case["id"], "court", blank, task="018f4e9a-0000-7000-8000-000000000001", version=2))
    assert values(office, case) == {}
    assert office.selected(case_filter={"field": "custom_fields.court", "op": "is_empty"}) == [case["id"]]
    answers.deliver(answers.give(case["id"], "ref", blank))
    assert rejections(office) == [("ref", "required", 1)]
    assert office.service.get_case(case["id"])["custom_fields"] == {"ref": "r"}


def test_of_answers_to_two_tasks_for_one_field_the_later_one_stays(
    office: Office, answers: Answers, case: dict[str, Any]
) -> None:
    asked_first, asked_second = new_id(), new_id()
    earlier = answers.give(case["id"], "court", "north", task=asked_second)
    later = answers.give(case["id"], "court", "south", task=asked_first)
    answers.deliver(later, earlier)
    assert values(office, case) == {"court": "south"}


def at(minute: int) -> dt.datetime:
    return dt.datetime(2026, 11, 27, 9, minute, tzinfo=dt.UTC)


def test_the_later_of_two_answers_to_one_field_stays_though_the_earlier_one_comes_after_it(
    office: Office, answers: Answers, case: dict[str, Any]
) -> None:
    earlier = answers.give(case["id"], "court", "north", time=at(1))
    later = answers.give(case["id"], "court", "south", time=at(2))
    answers.deliver(later)
    answers.deliver(earlier)
    answers.deliver(earlier, answers.give(case["id"], "notes", "of another field", time=at(1)))
    assert values(office, case) == {"court": "south", "notes": "of another field"}
    assert rejections(office) == []
    answers.deliver(answers.give(case["id"], "court", None, time=at(3)))
    answers.deliver(answers.give(case["id"], "court", "north", time=at(2)))
    assert "court" not in values(office, case)


def test_what_is_kept_of_answers_goes_with_the_texts_of_an_erased_clients_case(
    office: Office, answers: Answers, case: dict[str, Any]
) -> None:
    client_id = case["clients"][0]["client_id"]
    answers.deliver(answers.give(case["id"], "court", "north", time=at(1)))
    with office.db.read() as session:
        assert [(row.field, row.given_at) for row in session.scalars(select(FieldAnswer))] == [("court", at(1))]
    told = {"client_id": client_id, "erasure_id": new_id(), "version": 9, "client_ids": [client_id]}
    deliver(office.service, "forget_clients", received(CLIENT_ERASED, told, firm_id=office.firm_id))
    with office.db.read() as session:
        assert session.scalars(select(FieldAnswer)).all() == []


def test_a_late_answer_that_was_refused_does_not_keep_an_earlier_one_out(
    office: Office, answers: Answers, case: dict[str, Any]
) -> None:
    answers.deliver(answers.give(case["id"], "court", "nowhere", time=at(2)))
    answers.deliver(answers.give(case["id"], "court", "north", time=at(1)))
    assert (values(office, case), rejections(office)) == ({"court": "north"}, [("court", "not_an_option", 1)])


def test_a_corrected_answer_counts_from_when_it_was_corrected(
    office: Office, answers: Answers, case: dict[str, Any]
) -> None:
    """The answer that is fetched is newer than the event: its own event says when it was given."""
    task = new_id()
    first = answers.give(case["id"], "court", "south", task=task, time=at(1))
    between = answers.give(case["id"], "court", "south", time=at(2))
    corrected = answers.give(case["id"], "court", "north", task=task, version=2, time=at(3))
    for event in (first, between, corrected):
        answers.deliver(event)
    assert values(office, case) == {"court": "north"}


def test_an_older_answer_that_comes_late_is_ignored(office: Office, answers: Answers, case: dict[str, Any]) -> None:
    task = new_id()
    first = answers.give(case["id"], "court", "north", task=task, version=1)
    early = dict(answers.held[task])
    second = answers.give(case["id"], "court", "south", task=task, version=2)
    answers.deliver(second)
    answers.held[task] = early
    answers.deliver(first)
    assert values(office, case) == {"court": "south"}
    assert len(outbox_events(office.db, CASE_CHANGED)) == 1


def test_what_the_field_refuses_is_answered_with_the_reason(
    office: Office, answers: Answers, case: dict[str, Any]
) -> None:
    good = answers.give(case["id"], "notes", "fine")
    answers.deliver(
        answers.give(case["id"], "court", "west"),
        answers.give(case["id"], "heirs", "many"),
        answers.give(case["id"], "colour", "red"),
        answers.give(new_id(), "court", "north"),
        good,
    )
    assert sorted(rejections(office)) == [
        ("colour", "unknown_field", 1),
        ("court", "case_not_found", 1),
        ("court", "not_an_option", 1),
        ("heirs", "wrong_type", 1),
    ]
    assert values(office, case) == {"notes": "fine"}


def test_an_archived_case_is_not_written_to(office: Office, answers: Answers, case: dict[str, Any]) -> None:
    office.service.archive_case(case["id"])
    put_away = office.service.get_case(case["id"])
    answers.deliver(answers.give(case["id"], "court", "north"))
    assert (office.service.get_case(case["id"]), rejections(office)) == (put_away, [("court", "case_archived", 1)])


def test_a_signature_is_no_address(office: Office, answers: Answers, case: dict[str, Any]) -> None:
    answers.deliver(answers.give(case["id"], "notes", {"name": "Ann Lee", "agreed": True, "file_id": None}))
    assert rejections(office) == [("notes", "wrong_type", 1)]


def test_what_is_not_for_cases_or_no_longer_mapped_is_left_alone(
    office: Office, answers: Answers, case: dict[str, Any]
) -> None:
    for_client = answers.give(case["id"], "phone", "+12125550123", mapped="client")
    unmapped = answers.give(case["id"], "court", "north")
    answers.held.pop(unmapped.data["case_task_id"])
    answers.deliver(for_client, unmapped)
    assert office.calls.asked(GET_MAPPED_ANSWERS)[0] == {"case_task_ids": [unmapped.data["case_task_id"]]}
    assert (values(office, case), rejections(office)) == ({}, [])


def test_while_tasks_cannot_be_asked_the_event_waits(office: Office, answers: Answers, case: dict[str, Any]) -> None:
    event = answers.give(case["id"], "court", "north")

    def unavailable(case_task_ids: list[str]) -> Any:
        raise Unavailable("bus_unavailable")

    office.calls.answers[GET_MAPPED_ANSWERS] = unavailable
    with pytest.raises(Unavailable):
        answers.deliver(event)
    office.calls.answers[GET_MAPPED_ANSWERS] = answers.get
    answers.deliver(event)
    assert values(office, case) == {"court": "north"}


@pytest.mark.parametrize(
    ("field", "kind", "code"),
    [
        ("court", "one_choice", None),
        ("notes", "email", None),
        ("estate", "number", None),
        ("court", "number", "kind_does_not_fit"),
        ("hearing", "short_text", "kind_does_not_fit"),
        ("colour", "short_text", "unknown_field"),
        ("gone", "short_text", "unknown_field"),
    ],
)
def test_a_mapping_must_fit_a_field_of_some_type(small_office: Office, field: str, kind: str, code: str | None) -> None:
    made = small_office.case_type(
        custom_fields=[*PROBATE["custom_fields"], {"key": "gone", "label": "G", "type": "text"}]
    )
    small_office.service.update_case_type(made["id"], {"custom_fields": PROBATE["custom_fields"]}, None)
    if code is None:
        assert small_office.service.check_mapping(field, kind) == {"sensitive": False}
        return
    with pytest.raises(Invalid) as refused:
        small_office.service.check_mapping(field, kind)
    assert (refused.value.code, refused.value.fields[0]["field"]) == (code, "mapping.field")


@pytest.mark.parametrize(
    ("field", "kind", "options", "fits"),
    [
        ("court", "one_choice", ["north", "south"], True),
        ("court", "one_choice", ["north", "west"], False),
        ("topics", "several_choices", ["tax", "will", "trust"], True),
        ("topics", "several_choices", ["tax", "deed"], False),
        ("notes", "one_choice", ["anything", "at all"], True),
    ],
)
def test_a_question_has_no_option_that_its_field_has_not(
    small_office: Office, field: str, kind: str, options: list[str], fits: bool
) -> None:
    small_office.case_type()
    if fits:
        assert small_office.service.check_mapping(field, kind, options) == {"sensitive": False}
        return
    with pytest.raises(Invalid) as refused:
        small_office.service.check_mapping(field, kind, options)
    assert (refused.value.code, refused.value.fields[0]["field"]) == ("options_do_not_fit", "mapping.field")
