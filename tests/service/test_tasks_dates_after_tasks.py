"""Dates after another task of a case: given, moved with it, refused in a circle, and kept as history."""

from __future__ import annotations

import datetime as dt
from typing import Any

import eventlet
import pytest

from chassis.columns import new_id
from chassis.context import Context, use
from contracts.errors import Conflict, Invalid, NotFound
from contracts.tasks import TASK_DUE_CHANGED, Due
from services.tasks import answers, assigning, flow, history, views
from services.tasks.due_dates import Calendar
from tests.service import forms_desk
from tests.service.races import until_held_up
from tests.service.tasks_office import HOLIDAY, NOW, Office, database, office

__all__ = ["database", "office"]

DAY = dt.timedelta(days=1)
CALENDAR = Calendar.of_firm({"time_zone": "America/New_York", "holidays": [HOLIDAY]})
END_OF_TODAY = dt.datetime(2026, 11, 22, 4, 59, 59, tzinfo=dt.UTC)


def after(task: dict[str, Any], days: int = 1, **given: Any) -> dict[str, Any]:
    rule: dict[str, Any] = Due().load({"mode": "after_task", "case_task_id": task["id"], "days": days, **given})
    return rule


def fixed(at: dt.datetime) -> dict[str, Any]:
    rule: dict[str, Any] = Due().load({"mode": "fixed", "at": at.isoformat()})
    return rule


def update(office: Office, task: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return assigning.update_case_task(
        office.db, office.calls, NOW, case_task_id=task["id"], changes=changes, expected_version=None, firm=CALENDAR
    )


def answer(office: Office, task: dict[str, Any], now: dt.datetime = NOW) -> None:
    answers.submit_answer(
        office.db,
        office.calls,
        now,
        case_task_id=task["id"],
        answer="",
        client_id=None,
        link_id=None,
        calendar=CALENDAR,
    )


def reopen(office: Office, task: dict[str, Any], now: dt.datetime = NOW) -> None:
    answers.reopen_case_task(office.db, now, case_task_id=task["id"], reason="Blurred.", calendar=CALENDAR)


def due(office: Office, task: dict[str, Any]) -> dt.datetime | None:
    found: dt.datetime | None = views.get_case_task(office.db, NOW, task["id"])["due_at"]
    return found


def changes(office: Office, task: dict[str, Any], **query: Any) -> list[dict[str, Any]]:
    asked = {"limit": 50, "cursor": None, "sort": None, **query}
    found: list[dict[str, Any]] = history.list_case_task_changes(office.db, case_task_id=task["id"], **asked)["data"]
    return found


def test_a_date_comes_with_the_other_task_and_goes_when_that_is_reopened(office: Office) -> None:
    first = office.assign()
    second = office.assign(first["case_id"], due=after(first, 2))
    third = office.assign(first["case_id"], due=after(second, 1, **{"from": "due"}))
    assert (second["due_at"], third["due_at"]) == (None, None)
    assert second["due"] == {"mode": "after_task", "case_task_id": first["id"], "days": 2, "business": False}
    answer(office, first)
    assert (due(office, second), due(office, third)) == (END_OF_TODAY + 2 * DAY, END_OF_TODAY + 3 * DAY)
    answer(office, first, NOW + 5 * DAY)
    assert due(office, second) == END_OF_TODAY + 2 * DAY, "a corrected answer finishes nothing"
    reopen(office, first)
    assert (due(office, second), due(office, third)) == (None, None)
    answer(office, first, NOW + 7 * DAY)
    assert due(office, third) == END_OF_TODAY + 10 * DAY
    told = [(e["case_task_id"], e["due_at"]) for e in office.emitted(TASK_DUE_CHANGED)]
    assert [moved for id_, moved in told if id_ == second["id"]] == [
        END_OF_TODAY + 2 * DAY, None, END_OF_TODAY + 9 * DAY,
    ]  # fmt: skip


def test_a_moved_date_moves_what_depends_on_it_and_says_why(office: Office) -> None:
    first = office.assign(due=fixed(NOW))
    second = office.assign(first["case_id"], due=after(first, 1, **{"from": "due"}))
    third = office.assign(first["case_id"], due=after(second, 0, **{"from": "due"}))
    alone = office.assign(first["case_id"], due=fixed(NOW))
    assert due(office, third) == END_OF_TODAY + DAY
    update(office, first, due=fixed(NOW + 3 * DAY))
    assert (due(office, second), due(office, third), due(office, alone)) == (
        END_OF_TODAY + 4 * DAY, END_OF_TODAY + 4 * DAY, NOW,
    )  # fmt: skip
    (own,), (moved,) = changes(office, first), changes(office, third)
    assert own["facts"] == {"from": "2026-11-21T15:00:00Z", "to": "2026-11-24T15:00:00Z"}
    assert moved["facts"] == {"from": "2026-11-23T04:59:59Z", "to": "2026-11-26T04:59:59Z", "because": second["id"]}
    assert (moved["kind"], moved["actor_kind"], moved["actor_id"]) == ("due_changed", "staff", office.staff_id)
    assert views.get_case_task(office.db, NOW, third["id"])["version"] == third["version"] + 1


def test_a_task_can_stop_following_and_begin_to(office: Office) -> None:
    first = office.assign(due=fixed(NOW))
    second = office.assign(first["case_id"])
    assert update(office, second, due=after(first, 1, **{"from": "due"}))["due_at"] == END_OF_TODAY + DAY
    assert update(office, second, due=None)["due_at"] is None
    update(office, first, due=fixed(NOW + DAY))
    assert due(office, second) is None
    answer(office, first)
    assert update(office, second, due=after(first, 0))["due_at"] == END_OF_TODAY, "what is finished counts at once"


def test_a_client_whose_answer_moves_a_date_is_not_named_in_the_history(office: Office) -> None:
    first = office.assign()
    second = office.assign(first["case_id"], due=after(first))
    client_id = office.cases.clients[first["case_id"]][0]
    with use(Context(firm_id=office.firm_id, actor_id=client_id, actor_kind="client")):
        answers.submit_answer(
            office.db,
            office.calls,
            NOW,
            case_task_id=first["id"],
            answer="",
            client_id=client_id,
            link_id=new_id(),
            calendar=CALENDAR,
        )
    (moved,) = changes(office, second)
    assert (moved["actor_kind"], moved["actor_id"], moved["facts"]["because"]) == ("client", None, first["id"])


def test_who_follows_a_task_that_is_finished_at_that_moment_gets_a_date(office: Office) -> None:
    first = office.assign()
    with use(office.context), office.db.unit_of_work() as uow:
        case, task = flow.lock_task(uow, first["id"])
        task.complete("", answered_by="staff", client_id=None, link_id=None, now=NOW)
        flow.settle(uow, case, changed=[task], calendar=CALENDAR, now=NOW)
        uow.session.flush()
        assigning_it = eventlet.spawn(in_context, office, lambda: office.assign(first["case_id"], due=after(first, 2)))
        until_held_up(office.db, assigning_it)
    assert assigning_it.wait()["due_at"] == END_OF_TODAY + 2 * DAY


def test_two_tasks_that_would_follow_each_other_at_once_do_not(office: Office) -> None:
    first = office.assign()
    second = office.assign(first["case_id"])
    outcomes: list[str] = []

    def follow(task: dict[str, Any], anchor: dict[str, Any]) -> None:
        try:
            update(office, task, due=after(anchor))
            outcomes.append("done")
        except Invalid as refused:
            outcomes.append(refused.code)

    threads = [
        eventlet.spawn(in_context, office, lambda pair=pair: follow(*pair))
        for pair in ((first, second), (second, first))
    ]
    for thread in threads:
        thread.wait()
    assert sorted(outcomes) == ["done", "due_cycle"]


def in_context(office: Office, action: Any) -> Any:
    """A green thread has none of its own."""
    with use(office.context):
        return action()


def test_business_days_count_from_the_other_task(office: Office) -> None:
    first = office.assign()
    second = office.assign(first["case_id"], due=after(first, 4, business=True))
    answer(office, first)
    # Monday to Wednesday, the holiday left out, Friday
    assert due(office, second) == END_OF_TODAY + 6 * DAY


def test_no_task_follows_itself_however_far_round(office: Office) -> None:
    first = office.assign()
    second = office.assign(first["case_id"], due=after(first))
    third = office.assign(first["case_id"], due=after(second))
    for task, anchor, length in ((first, first, 2), (first, third, 4), (second, third, 3)):
        with pytest.raises(Invalid, match="due_cycle") as refused:
            update(office, task, due=after(anchor))
        assert refused.value.fields[0]["field"] == "due.case_task_id"
        assert len(refused.value.meta["path"].split(" → ")) == length
    assert changes(office, first) == []
    assert update(office, third, due=after(first))["due_at"] is None, "another way to the same task is no circle"


def test_what_cannot_be_followed_is_refused(office: Office) -> None:
    task = office.assign()
    foreign = office.assign()
    for anchor, code in (({"id": new_id()}, "unknown_due_task"), (foreign, "due_task_of_another_case")):
        with pytest.raises(Invalid, match=code) as refused:
            office.assign(task["case_id"], due=after(anchor))
        assert refused.value.fields[0]["field"] == "due.case_task_id"
        with pytest.raises(Invalid, match=code):
            update(office, task, due=after(anchor))
    with pytest.raises(Invalid, match="contradictory_due_rule"):
        office.assign(due=Due().load({"mode": "after_task", "task": "a", "days": 1, "case_task_id": task["id"]}))
    with pytest.raises(Invalid, match="incomplete_due_rule"):
        office.assign(due=Due().load({"mode": "after_task", "days": 1}))


def test_another_firms_task_is_unknown(office: Office, database: Any) -> None:
    task, stranger = office.assign(), Office(database, office.files)
    with use(stranger.context):
        with pytest.raises(Invalid, match="unknown_due_task"):
            stranger.assign(due=after(task))
        with pytest.raises(NotFound, match="case_task_not_found"):
            changes(stranger, task)


def test_the_history_is_listed_newest_first_page_by_page(office: Office) -> None:
    task = office.assign()
    for number in range(3):
        update(office, task, due=fixed(NOW + number * DAY))
    answer(office, task)
    reopen(office, task, NOW + DAY)
    assert [(c["kind"], c["facts"].get("reason")) for c in changes(office, task)][:1] == [("reopened", "Blurred.")]
    first = history.list_case_task_changes(office.db, case_task_id=task["id"], limit=3, cursor=None, sort=None)
    rest = changes(office, task, limit=3, cursor=first["meta"]["next_cursor"])
    assert (len(first["data"]), len(rest), first["meta"]["total"]) == (3, 2, 5)
    assert [c["created_at"] for c in changes(office, task, sort="created_at")][-1] == NOW + DAY


def test_a_change_that_is_refused_moves_nothing(office: Office) -> None:
    first = office.assign(due=fixed(NOW))
    second = office.assign(first["case_id"], due=after(first, 1, **{"from": "due"}))
    with pytest.raises(Conflict, match="stale_version"):
        assigning.update_case_task(
            office.db, office.calls, NOW, case_task_id=first["id"], changes={"due": None}, expected_version=7
        )
    assert due(office, second) == END_OF_TODAY + DAY
    assert office.emitted(TASK_DUE_CHANGED) == []


def test_a_task_of_a_form_that_is_hidden_takes_the_dates_after_it_along(office: Office) -> None:
    def key_rule(key: str, **given: Any) -> dict[str, Any]:
        rule: dict[str, Any] = Due().load({"mode": "after_task", "task": key, "days": 1, **given})
        return rule

    form = forms_desk.make(
        office,
        forms_desk.section(
            "Intake",
            forms_desk.task(office, "will", template={"kind": "yes_no"}),
            forms_desk.task(
                office, "executor", condition=forms_desk.when("will", True), due=key_rule("will"),
            ),
            forms_desk.task(office, "letter", due=key_rule("executor", **{"from": "due"})),
        ),
    )  # fmt: skip
    case_form = forms_desk.assign(office, form)

    def dates() -> dict[str, dt.datetime | None]:
        return {str(task.item_key): task.due_at for task in forms_desk.tasks_of(office, case_form["id"])}

    will = {"id": next(t.id for t in forms_desk.tasks_of(office, case_form["id"]) if t.item_key == "will")}
    assert dates() == {"will": None, "executor": None, "letter": None}
    for number, (has_will, executor, letter) in enumerate(
        [
            (True, END_OF_TODAY + DAY, END_OF_TODAY + 2 * DAY),
            (False, None, None),
            (True, END_OF_TODAY + DAY, END_OF_TODAY + 2 * DAY),
        ]
    ):
        answers.submit_answer(
            office.db, office.calls, NOW + number * DAY, case_task_id=will["id"], answer=has_will, client_id=None,
            link_id=None, answer_version=number, calendar=CALENDAR,
        )  # fmt: skip
        assert dates() == {"will": None, "executor": executor, "letter": letter}
