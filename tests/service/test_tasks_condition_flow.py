"""Conditions on a case: what answers and corrections hide and show, and what becomes of what is hidden."""

from __future__ import annotations

import datetime as dt
from typing import Any

import eventlet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from chassis.columns import new_id
from chassis.context import Context, use
from chassis.testing import outbox_events
from contracts.errors import Conflict
from contracts.tasks import TASK_DUE_CHANGED, TASKS_SHOWN, TASKS_SKIPPED
from services.tasks import answers, assigning, case_forms, conditions, facts, forms, history, views
from services.tasks.models import CaseTask, CaseTaskChange
from tests.examples import examples
from tests.service.one_database import on_one
from tests.service.tasks_office import NOW, Office, database, office

__all__ = ["database", "office"]

LATER = NOW + dt.timedelta(days=3)
TO_PHONE = {"target": "client", "field": "phone"}


def on(key: str, op: str = "eq", value: Any = True) -> dict[str, Any]:
    return {"field": f"answers.{key}", "op": op, "value": value}


def present(key: str) -> dict[str, Any]:
    return {"field": f"answers.{key}", "op": "is_not_empty"}


class Case:
    """A case with a form on it, answered by its tasks' keys."""

    def __init__(self, office: Office, *sections: dict[str, Any]) -> None:
        self.office, self.id = office, office.cases.open()
        made = []
        for section in sections:
            tasks = []
            for key, facts_of_task in section["tasks"].items():
                task = {"required": None, "condition": None, "due": None, "assignee_id": None, **facts_of_task}
                template = {"kind": "yes_no", "title": key, **task.pop("template", {})}
                tasks.append({**task, "key": key, "template_id": office.template(**template)})
            made.append({"title": "Part", "condition": section.get("condition"), "tasks": tasks})
        form = forms.create_form(office.db, office.calls, NOW, title="Intake", description=None, sections=made)
        self.calendar = assigning.firm_calendar(office.calls)
        case_forms.assign_form(
            office.db, office.calls, NOW, case_id=self.id, form_id=form["id"], answers={}, due=None, assignee_id=None,
            start=None, calendar=self.calendar,
        )  # fmt: skip
        with office.db.read() as session:
            rows = session.scalars(select(CaseTask).where(CaseTask.case_id == self.id))
            self.ids = {row.item_key: row.id for row in rows}

    def task(self, key: str) -> dict[str, Any]:
        return views.get_case_task(self.office.db, LATER, self.ids[key])

    def statuses(self) -> dict[str, str]:
        return {key: self.task(key)["status"] for key in self.ids}

    def answer(self, key: str, answer: Any, now: dt.datetime = LATER, client_id: str | None = None) -> dict[str, Any]:
        by_client = Context(firm_id=self.office.firm_id, actor_id=client_id, actor_kind="client")
        with use(by_client if client_id else self.office.context):
            return answers.submit_answer(
                self.office.db, self.office.calls, now, case_task_id=self.ids[key], answer=answer, client_id=client_id,
                link_id=new_id() if client_id else None, answer_version=self.task(key)["answer_version"],
                calendar=self.calendar,
            )  # fmt: skip

    def reopen(self, key: str) -> None:
        answers.reopen_case_task(
            self.office.db, LATER, case_task_id=self.ids[key], reason="Are you sure?", calendar=self.calendar
        )

    def keys(self, ids: list[str]) -> set[str]:
        return {key for key, id_ in self.ids.items() if id_ in ids}


def probate(office: Office) -> Case:
    """Is there a will? Then: who is the executor (mapped to the phone), then the executor's address."""
    return Case(
        office,
        {"tasks": {"will": {"template": {"required": True}}}},
        {
            "condition": on("will"),
            "tasks": {
                "phone": {
                    "template": {"kind": "phone", "required": True, "mapping": TO_PHONE},
                    "due": {"mode": "relative", "days": 2, "business": False},
                },
                "address": {"condition": present("phone"), "template": {"kind": "address"}},
            },
        },
    )


def test_what_a_condition_hides_is_skipped_from_the_start_and_binds_nobody(office: Office) -> None:
    case = probate(office)
    assert case.statuses() == {"will": "to_do", "phone": "skipped", "address": "skipped"}
    with pytest.raises(Conflict, match="task_skipped"):
        case.answer("phone", "+12125550123")
    case.answer("will", False)
    assert views.get_case_progress(office.db, office.calls, case.id) == {"case_id": case.id, "completed": 1, "total": 1}
    assert office.emitted(TASKS_SHOWN) == office.emitted(TASKS_SKIPPED) == []


def test_an_answer_shows_what_it_is_about_due_from_that_day(office: Office) -> None:
    case = probate(office)
    case.answer("will", True)
    assert case.statuses() == {"will": "completed", "phone": "to_do", "address": "skipped"}
    assert case.task("phone")["due_at"] == dt.datetime(2026, 11, 27, 4, 59, 59, tzinfo=dt.UTC)
    (shown,) = office.emitted(TASKS_SHOWN)
    assert (shown["case_id"], case.keys(shown["case_task_ids"])) == (case.id, {"phone"})


def test_a_correction_hides_an_answered_grandchild_which_returns_blank(office: Office) -> None:
    case = probate(office)
    client_id = office.cases.clients[case.id][0]
    case.answer("will", True)
    first = case.answer("phone", "+12125550123", client_id=client_id)
    case.answer("address", "12 Main St", client_id=client_id)
    case.answer("will", False)
    assert case.statuses() == {"will": "completed", "phone": "skipped", "address": "skipped"}
    (skipped,) = office.emitted(TASKS_SKIPPED)
    assert case.keys(skipped["case_task_ids"]) == {"phone", "address"}
    hidden = case.task("phone")
    forgotten = ("answer", "answered_by", "completed_at", "rejection", "due_at")
    assert [hidden[name] for name in forgotten] == [None] * 5
    assert facts.get_mapped_answers(office.db, office.calls, list(case.ids.values()))["answers"] == []
    case.answer("will", True)
    again = case.task("phone")
    assert (again["status"], again["answer"], case.task("address")["status"]) == ("to_do", None, "skipped")
    second = case.answer("phone", "+12125550124")
    assert second["answer_version"] > hidden["answer_version"] > first["answer_version"], "no older one comes after it"
    with office.db.read() as session:
        said = select(CaseTaskChange.kind).where(CaseTaskChange.case_task_id == case.ids["phone"])
        kinds = sorted(session.scalars(said))
        assert kinds == ["answered", "answered", *["due_changed"] * 3, "shown", "shown", "skipped"]


def test_a_refusal_of_a_hidden_answer_comes_too_late(office: Office) -> None:
    case = probate(office)
    case.answer("will", True)
    given_version = case.answer("phone", "+12125550123")["answer_version"]
    case.answer("will", False)
    refused = {"case_task_id": case.ids["phone"], "field": "phone", "code": "taken", "answer_version": given_version}
    with office.db.unit_of_work() as uow:
        task = uow.session.scalars(select(CaseTask).where(CaseTask.id == case.ids["phone"])).one()
        assert not task.reject(refused["field"], refused["code"], refused["answer_version"], LATER)


def test_a_reopened_answer_hides_nothing_until_it_is_another(office: Office) -> None:
    case = probate(office)
    case.answer("will", True)
    case.answer("phone", "+12125550123")
    case.reopen("will")
    assert case.statuses() == {"will": "to_do", "phone": "completed", "address": "to_do"}
    case.answer("will", True)
    assert case.statuses()["phone"] == "completed"
    assert office.emitted(TASKS_SKIPPED) == []
    case.reopen("will")
    case.answer("will", False)
    assert case.statuses()["phone"] == "skipped"


def test_a_fixed_date_comes_back_as_it_was_and_a_blank_answer_is_no_value(office: Office) -> None:
    at = NOW + dt.timedelta(days=30)
    case = Case(
        office,
        {
            "tasks": {
                "name": {"template": {"kind": "short_text"}},
                "why": {"condition": {"field": "answers.name", "op": "is_empty"}, "due": {"mode": "fixed", "at": at}},
                "who": {"condition": on("name", "ne", "Ann")},
            }
        },
    )
    assert case.statuses() == {"name": "to_do", "why": "to_do", "who": "to_do"}, "not answered yet: no value either"
    case.answer("name", "Ann")
    assert case.statuses() == {"name": "completed", "why": "skipped", "who": "skipped"}
    case.answer("name", "  ")
    assert case.statuses() == {"name": "completed", "why": "to_do", "who": "to_do"}
    assert case.task("why")["due_at"] == at


def test_a_date_that_a_condition_takes_away_and_gives_back_is_kept_as_history(office: Office) -> None:
    days = {"mode": "relative", "days": 2}
    case = Case(office, {"tasks": {"will": {}, "where": {"condition": on("will"), "due": days}}})
    first, second = NOW, NOW + dt.timedelta(days=9)
    case.answer("will", True, now=first)
    due = [case.task("where")["due_at"]]
    case.answer("will", False, now=first + dt.timedelta(hours=1))
    case.answer("will", True, now=second)
    due.append(case.task("where")["due_at"])
    asked = {"case_task_id": case.ids["where"], "limit": 50, "cursor": None, "sort": "created_at"}
    changes = history.list_case_task_changes(office.db, **asked)["data"]
    moved = [change["facts"] for change in changes if change["kind"] == "due_changed"]
    one, other = map(history.wire_instant, due)
    assert moved == [{"from": None, "to": one}, {"from": one, "to": None}, {"from": None, "to": other}]
    events = [event for event in outbox_events(office.db, TASK_DUE_CHANGED) if event.subject == case.ids["where"]]
    assert {event.data["due_at"] for event in events} == {*due, None}


def test_what_follows_a_hidden_task_has_no_date_until_that_is_back_and_done(office: Office) -> None:
    case = Case(office, {"tasks": {"fee": {}, "paid": {"condition": on("fee")}, "receipt": {}}})
    after = {"mode": "after_task", "case_task_id": case.ids["paid"], "days": 2, "business": False, "from_": "finished"}
    assigning.update_case_task(
        office.db, office.calls, NOW, case_task_id=case.ids["receipt"], changes={"due": after}, expected_version=None,
        firm=case.calendar,
    )  # fmt: skip
    case.answer("fee", True)
    case.answer("paid", True)
    assert case.task("receipt")["due_at"] is not None
    case.answer("fee", False)
    assert case.task("receipt")["due_at"] is None
    case.answer("fee", True)
    assert case.task("receipt")["due_at"] is None
    case.answer("paid", True)
    assert case.task("receipt")["due_at"] == dt.datetime(2026, 11, 27, 4, 59, 59, tzinfo=dt.UTC)


def test_a_date_that_is_given_to_a_hidden_task_counts_when_it_is_shown(office: Office) -> None:
    case = probate(office)
    for due in ({"mode": "relative", "days": 5, "business": False}, {"mode": "fixed", "at": NOW}):
        assigning.update_case_task(
            office.db, office.calls, NOW, case_task_id=case.ids["phone"], changes={"due": due}, expected_version=None,
            firm=case.calendar,
        )  # fmt: skip
        assert case.task("phone")["due_at"] is None
    case.answer("will", True)
    assert (case.task("phone")["due_at"], case.task("phone")["status"]) == (NOW, "overdue")


def test_forms_and_cases_decide_each_for_itself(office: Office) -> None:
    one, other = probate(office), probate(office)
    one.answer("will", True)
    assert other.statuses()["phone"] == "skipped"


def test_two_answers_at_once_end_as_if_one_came_after_the_other(office: Office) -> None:
    """Each of two answers decides with the other one in view, whichever is first."""
    both = {"and": [on("a"), on("b")]}
    for _ in range(5):
        case = Case(office, {"tasks": {"a": {}, "b": {}, "both": {"condition": both}}})
        threads = [eventlet.spawn(case.answer, key, True) for key in ("a", "b")]
        for thread in threads:
            thread.wait()
        assert case.statuses() == {"a": "completed", "b": "completed", "both": "to_do"}


FIELDS: dict[str, dict[str, Any]] = {
    "will": {"template": {"required": True}},
    "heirs": {"template": {"kind": "number", "required": True}, "condition": on("will")},
    "names": {"template": {"kind": "short_text"}, "condition": on("heirs", "gt", 1)},
    "court": {"condition": {"or": [on("will", "eq", False), on("names", "contains", "doe")]}},
    "why": {"template": {"kind": "long_text", "required": True}, "condition": {"not": present("court")}},
}
ITEMS = [
    conditions.Item(key, fields.get("template", {}).get("kind", "yes_no"), conditions.conditions_of({}, fields))
    for key, fields in FIELDS.items()
]
GIVEN: dict[str, list[Any]] = {
    "will": [True, False], "heirs": ["0", "1", "2"], "names": ["Ann Doe", "Bo", ""], "court": [True, False, None],
    "why": ["Nobody said.", "It is late."],
}  # fmt: skip
STEPS = st.sampled_from(sorted(FIELDS)).flatmap(
    lambda key: st.tuples(st.just(key), st.sampled_from([*GIVEN[key], "reopen"]), st.booleans())
)
FIRST = [("will", True, False), ("heirs", "2", True), ("names", "Ann Doe", False), ("court", True, True)]
CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@on_one("database")
@settings(max_examples=examples(6), deadline=None, suppress_health_check=CHECKS, database=None, derandomize=True)
@given(steps=st.lists(STEPS, min_size=2, max_size=8))
def test_whatever_staff_and_clients_answer_the_case_is_as_if_it_was_decided_anew(office: Office, steps: Any) -> None:
    """Answers, corrections and reopenings by staff and through links; what is hidden is neither kept nor counted, so
    that nothing required is both hidden and in the way."""
    case = Case(office, {"tasks": FIELDS})
    client_id = office.cases.clients[case.id][0]
    for key, answer, by_client in [*FIRST, *steps]:
        status = case.task(key)["status"]
        if answer == "reopen":
            if status == "completed":
                case.reopen(key)
        elif status == "skipped":
            with pytest.raises(Conflict, match="task_skipped"):
                case.answer(key, answer, client_id=client_id if by_client else None)
        else:
            case.answer(key, answer, client_id=client_id if by_client else None)
        tasks = {key: case.task(key) for key in FIELDS}
        held = {key: task["answer"] for key, task in tasks.items()}
        shown = conditions.visible(ITEMS, held, LATER.date())
        assert {key: task["status"] != "skipped" for key, task in tasks.items()} == shown
        assert all(held[key] is None for key in FIELDS if not shown[key])
        progress = views.get_case_progress(office.db, office.calls, case.id)
        assert progress["total"] == sum(shown.values())
