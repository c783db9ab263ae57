"""clients: mapped answers. Every event is delivered twice."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import select

from chassis.columns import new_id
from contracts.clients import CLIENT_CHANGED, FIELD_UPDATE_REJECTED
from contracts.tasks import TASK_COMPLETED
from services.clients.erasures import erased_rows
from services.clients.models import FieldAnswer
from tests.service.clients_desk import Desk, desk
from tests.service.one_database import on_one_database

__all__ = ["desk"]

TWO_PHONES = [{"number": "+12125550101", "kind": "home"}, {"number": "+12125550102", "primary": True}]


def numbers(desk: Desk, client_id: str) -> list[tuple[str, bool]]:
    return [(phone["number"][-2:], phone["primary"]) for phone in desk.get(client_id)["phones"]]


def test_an_answer_goes_into_the_record_of_the_client_who_answered(desk: Desk) -> None:
    ann, bob = desk.create(first_name="Ann"), desk.create(first_name="Bob")
    told = desk.answer("last_name", " Lee ", client_id=ann["id"], primary_client_id=bob["id"])
    desk.complete(told)
    assert (desk.get(ann["id"])["last_name"], desk.get(ann["id"])["version"]) == ("Lee", 2)
    assert desk.get(bob["id"])["version"] == 1
    [event] = desk.emitted(CLIENT_CHANGED)
    assert (event["client_id"], event["changed"], event["case_task_id"]) == (
        ann["id"], ["last_name"], told["case_task_id"],
    )  # fmt: skip


def test_staffs_answer_goes_into_the_primary_clients_record(desk: Desk) -> None:
    ann = desk.create()
    desk.complete(desk.answer("first_name", "Anna", primary_client_id=ann["id"]))
    assert desk.get(ann["id"])["first_name"] == "Anna"


def test_a_new_phone_becomes_the_primary_and_the_others_stay(desk: Desk) -> None:
    ann = desk.create(phones=TWO_PHONES)
    desk.complete(desk.answer("phone", "(212) 555-0199", client_id=ann["id"]))
    assert numbers(desk, ann["id"]) == [("99", True), ("01", False), ("02", False)]
    assert desk.recipient(ann["id"])["sms"] == "+12125550199"
    assert desk.emitted(CLIENT_CHANGED)[0]["changed"] == ["phones"]


def test_a_record_gets_no_more_phones_than_it_may_have(desk: Desk) -> None:
    ann = desk.create(phones=[{"number": f"+121255501{number:02}"} for number in range(10, 30)])
    known, new = (desk.answer("phone", f"+121255501{number}", client_id=ann["id"]) for number in (29, 30))
    desk.complete(known, new)
    assert [event["code"] for event in desk.emitted(FIELD_UPDATE_REJECTED)] == ["too_many"]
    assert len(desk.get(ann["id"])["phones"]) == 20
    assert desk.get(ann["id"])["phones"][0]["number"] == "+12125550129"


def test_a_known_phone_becomes_the_primary(desk: Desk) -> None:
    ann = desk.create(phones=TWO_PHONES)
    desk.complete(desk.answer("phone", "+12125550101", client_id=ann["id"]))
    assert numbers(desk, ann["id"]) == [("01", True), ("02", False)]


@pytest.mark.parametrize("blank", [None, "", "  "])
def test_a_blank_answer_takes_the_primary_away_and_the_next_becomes_primary(desk: Desk, blank: str | None) -> None:
    ann = desk.create(phones=TWO_PHONES, emails=[{"address": "ann@example.com"}])
    desk.complete(desk.answer("phone", blank, client_id=ann["id"]), desk.answer("email", blank, client_id=ann["id"]))
    assert numbers(desk, ann["id"]) == [("01", True)]
    found = desk.get(ann["id"])
    assert (found["emails"], found["version"]) == ([], 3)
    assert desk.recipient(ann["id"])["email"] is None


def test_a_blank_name_is_emptied_but_not_the_only_one(desk: Desk) -> None:
    ann = desk.create(first_name="Ann", last_name="Lee")
    desk.complete(desk.answer("last_name", None, client_id=ann["id"]))
    only = desk.answer("first_name", None, client_id=ann["id"])
    desk.complete(only)
    assert (desk.get(ann["id"])["first_name"], desk.get(ann["id"])["last_name"]) == ("Ann", None)
    assert desk.emitted(FIELD_UPDATE_REJECTED) == [
        {"case_task_id": only["case_task_id"], "target": "client", "field": "first_name", "code": "name_required",
         "answer_version": 1}
    ]  # fmt: skip


@on_one_database
@pytest.mark.parametrize(
    ("field", "value", "code"),
    [("phone", "12", "invalid_phone"), ("email", "no", "invalid_email"), ("first_name", "A\u202en", "invalid_text"),
     ("last_name", "x" * 121, "too_long"), ("shoe_size", "9", "unknown_field"),
     # of tasks that were assigned before their template asked for a text
     ("first_name", True, "wrong_type"), ("phone", {"name": "Ann Lee"}, "wrong_type")],
)  # fmt: skip
def test_an_answer_that_does_not_fit_is_rejected_alone(desk: Desk, field: str, value: Any, code: str) -> None:
    ann = desk.create()
    desk.complete(desk.answer(field, value, client_id=ann["id"]), desk.answer("last_name", "Lee", client_id=ann["id"]))
    assert [event["code"] for event in desk.emitted(FIELD_UPDATE_REJECTED)] == [code]
    assert (desk.get(ann["id"])["last_name"], desk.get(ann["id"])["version"]) == ("Lee", 2)


def test_a_client_who_is_gone_takes_no_answer(desk: Desk) -> None:
    ann = desk.create()
    told = desk.answer("phone", "+12125550101", client_id=ann["id"])
    desk.delete(ann["id"])
    desk.complete(told, desk.answer("phone", "+12125550101", client_id=new_id()), desk.answer("phone", None))
    assert [event["code"] for event in desk.emitted(FIELD_UPDATE_REJECTED)] == ["client_gone"] * 3


def test_an_older_answer_does_not_overwrite_a_newer_one(desk: Desk) -> None:
    ann = desk.create()
    newer = desk.answer("last_name", "Newer", client_id=ann["id"], answer_version=2)
    desk.complete(newer)
    desk.answers[newer["case_task_id"]].update(value="Older", answer_version=1)
    desk.complete({**newer, "answer_version": 1})
    assert desk.get(ann["id"])["last_name"] == "Newer"


def test_of_answers_to_two_tasks_for_one_field_the_later_one_stays(desk: Desk) -> None:
    ann = desk.create()
    asked_first, asked_second = (desk.answer("last_name", name, client_id=ann["id"]) for name in ("Lee", "Li"))
    desk.complete(asked_second, asked_first)
    assert desk.get(ann["id"])["last_name"] == "Lee"


def at(minute: int) -> dt.datetime:
    return dt.datetime(2026, 11, 27, 9, minute, tzinfo=dt.UTC)


def hear(desk: Desk, told: dict[str, Any], minute: int) -> None:
    desk.hear("follow_completed_tasks", TASK_COMPLETED, told, time=at(minute))


def test_the_later_of_two_answers_to_one_field_stays_though_the_earlier_one_comes_after_it(desk: Desk) -> None:
    ann, bob = desk.create(), desk.create()
    earlier, later = (desk.answer("last_name", name, client_id=ann["id"]) for name in ("Lee", "Li"))
    of_bob = desk.answer("last_name", "Bee", client_id=bob["id"])
    hear(desk, later, 2)
    for _ in range(2):
        hear(desk, earlier, 1)
        hear(desk, of_bob, 1)
    assert (desk.get(ann["id"])["last_name"], desk.get(bob["id"])["last_name"]) == ("Li", "Bee")
    assert (desk.get(ann["id"])["version"], desk.emitted(FIELD_UPDATE_REJECTED)) == (2, [])
    hear(desk, desk.answer("last_name", "Lo", client_id=ann["id"]), 3)
    assert desk.get(ann["id"])["last_name"] == "Lo"


def test_a_late_answer_that_was_refused_does_not_keep_an_earlier_one_out(desk: Desk) -> None:
    ann = desk.create()
    hear(desk, desk.answer("last_name", "x" * 121, client_id=ann["id"]), 2)
    hear(desk, desk.answer("last_name", "Lee", client_id=ann["id"]), 1)
    assert desk.get(ann["id"])["last_name"] == "Lee"


def test_an_earlier_phone_that_comes_late_stays_behind_the_later_one(desk: Desk) -> None:
    ann = desk.create(phones=TWO_PHONES)
    earlier, later = (desk.answer("phone", f"+121255501{number}", client_id=ann["id"]) for number in (98, 99))
    hear(desk, later, 2)
    hear(desk, earlier, 1)
    assert numbers(desk, ann["id"]) == [("99", True), ("98", False), ("01", False), ("02", False)]


def test_an_earlier_phone_does_not_come_back_after_it_was_cleared(desk: Desk) -> None:
    ann = desk.create(phones=TWO_PHONES)
    earlier, later = (desk.answer("phone", number, client_id=ann["id"]) for number in ("+12125550198", None))
    hear(desk, later, 2)
    hear(desk, earlier, 1)
    assert numbers(desk, ann["id"]) == [("01", True)]


def test_a_corrected_answer_counts_from_when_it_was_corrected(desk: Desk) -> None:
    """The answer that is fetched is newer than the event: its own event says when it was given."""
    ann = desk.create()
    corrected = desk.answer("last_name", "Lee", client_id=ann["id"], answer_version=2)
    hear(desk, {**corrected, "answer_version": 1}, 1)
    hear(desk, desk.answer("last_name", "Li", client_id=ann["id"]), 2)
    hear(desk, corrected, 3)
    assert desk.get(ann["id"])["last_name"] == "Lee"


def test_what_is_kept_of_answers_goes_with_the_client(desk: Desk) -> None:
    ann = desk.create()
    hear(desk, desk.answer("last_name", "Lee", client_id=ann["id"]), 1)
    with desk.db.read() as session:
        assert [(row.field, row.given_at) for row in session.scalars(select(FieldAnswer))] == [("last_name", at(1))]
    with desk.db.unit_of_work() as uow:
        assert erased_rows.scrub_clients(uow, [ann["id"]])[ann["id"]]["field_answer"] == 1


def test_an_answer_is_applied_once_though_both_its_versions_are_announced(desk: Desk) -> None:
    ann = desk.create(phones=TWO_PHONES)
    told = desk.answer("phone", None, client_id=ann["id"], answer_version=2)
    desk.complete({**told, "answer_version": 1}, told)
    desk.complete(told)
    assert numbers(desk, ann["id"]) == [("01", True)]


def test_a_mapping_that_was_cleared_and_one_that_is_not_ours_change_nothing(desk: Desk) -> None:
    ann = desk.create()
    cleared = desk.answer("last_name", "Lee", client_id=ann["id"])
    del desk.answers[cleared["case_task_id"]]
    of_case = desk.answer("last_name", "Lee", client_id=ann["id"], target="case")
    desk.complete(cleared, of_case, {**desk.answer("last_name", "Lee", client_id=ann["id"]), "mapped": None})
    assert desk.get(ann["id"])["version"] == 1


def test_many_answers_in_one_batch_are_applied_each_to_its_client(desk: Desk) -> None:
    clients = [desk.create(first_name=f"A{number}") for number in range(30)]
    told = [desk.answer("phone", f"+1212555{100 + n:04d}", client_id=c["id"]) for n, c in enumerate(clients)]
    told += [desk.answer("last_name", f"L{n}", client_id=c["id"]) for n, c in enumerate(clients)]
    desk.complete(*told)
    for number, client in enumerate(clients):
        found = desk.get(client["id"])
        assert (found["phones"][0]["number"], found["last_name"]) == (f"+1212555{100 + number:04d}", f"L{number}")
    assert len(desk.emitted(CLIENT_CHANGED)) == 60


def test_tasks_is_asked_before_the_transaction_and_only_when_there_is_something(desk: Desk) -> None:
    told = desk.answer("phone", None)
    desk.hear("follow_completed_tasks", TASK_COMPLETED, {**told, "mapped": "case"})
    assert desk.calls.calls == []
