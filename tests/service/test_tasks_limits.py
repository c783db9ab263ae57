"""A member who is limited to some types of cases finds and changes the tasks of no others."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from chassis.columns import new_id
from chassis.context import Context, use
from contracts.errors import CasewireError, Forbidden, NotFound
from contracts.tasks import NOTIFICATION_REQUESTED
from services.tasks import (
    answers,
    assigning,
    bulk_assigning,
    bulk_pages,
    case_forms,
    data_exports,
    drafts,
    facts,
    history,
    known_cases,
    task_files,
    views,
)
from services.tasks.automation import rules, runs
from services.tasks.listing import counting
from services.tasks.listing.lists import list_case_tasks
from services.tasks.models import AutomationRule, AutomationRun, KnownCase
from tests.service import test_tasks_files as files
from tests.service.bulk_desk import begin, left_out, state, work
from tests.service.forms_desk import calendar, make, section, task
from tests.service.tasks_office import NOW, Office, database, office
from tests.service.test_tasks_dashboard import (
    ARCHIVED,
    DATES,
    MINE,
    THEIRS,
    Firm,
    Task,
    asking,
    check,
    one,
    over_all,
    quickly,
    tasks_drawn,
)
from tests.service.test_tasks_notifications import request

__all__ = ["database", "office"]

PAGE = {"limit": 50, "cursor": None, "sort": None}


def limited(office: Office, *case_ids: str) -> Any:
    """To the types of these cases, of which each has its own."""
    kinds = tuple(sorted(case_ids))
    return use(Context(firm_id=office.firm_id, actor_id=office.staff_id, actor_kind="staff", sees_only=kinds))


def code(error: type[CasewireError], call: Any, *args: Any, **given: Any) -> str:
    with pytest.raises(error) as refused:
        call(*args, **given)
    return refused.value.code


def submit(office: Office, task_id: str, answer: str) -> dict[str, Any]:
    return answers.submit_answer(
        office.db, office.calls, NOW, case_task_id=task_id, answer=answer, client_id=None, link_id=None,
        answer_version=0,
    )  # fmt: skip


def test_a_task_of_a_case_of_another_type_is_not_there(office: Office) -> None:
    seen, hidden = office.assign(), office.assign()
    with limited(office, seen["case_id"]):
        assert views.get_case_task(office.db, NOW, seen["id"])["id"] == seen["id"]
        assert submit(office, seen["id"], "+12125550101")["status"] == "completed"
        for call in (
            lambda: views.get_case_task(office.db, NOW, hidden["id"]),
            lambda: submit(office, hidden["id"], "+12125550101"),
            lambda: drafts.save_draft(office.db, NOW, case_task_id=hidden["id"], draft="x", client_id=None),
            lambda: history.list_case_task_changes(office.db, case_task_id=hidden["id"], **PAGE),
            lambda: task_files.list_task_files(office.db, [hidden["id"]]),
            lambda: assigning.update_case_task(
                office.db, office.calls, NOW, case_task_id=hidden["id"], changes={"assignee_id": office.staff_id},
                expected_version=None,
            ),
            lambda: answers.reopen_case_task(office.db, NOW, case_task_id=hidden["id"], reason="Why?"),
        ):  # fmt: skip
            assert code(NotFound, call) == "case_task_not_found"
        told = facts.get_case_task_facts(office.db, NOW, [hidden["id"], seen["id"]])["case_tasks"]
        assert [entry["case_task_id"] for entry in told] == [seen["id"]]
        assert views.list_open_tasks(office.db, NOW, [hidden["case_id"]])["case_tasks"] == []
    assert views.get_case_task(office.db, NOW, hidden["id"]) == {**hidden, "status": "to_do"}


def test_nothing_is_asked_on_a_case_of_another_type(office: Office) -> None:
    seen, hidden = office.assign()["case_id"], office.assign()["case_id"]
    with limited(office, seen):
        assert office.assign(seen)["case_id"] == seen
        just_opened = office.cases.open()
        with limited(office, seen, just_opened):
            task = office.assign(just_opened)
            assert views.get_case_task(office.db, NOW, task["id"]) == task
        for call in (
            lambda: office.assign(hidden),
            lambda: views.get_case_progress(office.db, office.calls, hidden),
            lambda: case_forms.list_case_forms(office.db, office.calls, case_id=hidden, **PAGE),
            lambda: list_case_tasks(office.db, office.calls, NOW, case_id=hidden, staff_id=office.staff_id),
        ):
            assert code(NotFound, call) == "case_not_found"


def known_types(firm: Firm) -> None:
    """Each case is of a type of its own."""
    with firm.db.unit_of_work() as uow:
        rows = [{"case_id": id_, "version": 1, "case_type_id": id_, "archived": False} for id_ in firm.cases]
        uow.insert(KnownCase, rows)


def of(*cases: int, firm: Firm) -> Any:
    kinds = tuple(firm.cases[case] for case in cases)
    return use(Context(firm_id=firm.firm_id, actor_id=firm.me, actor_kind="staff", sees_only=kinds))


@quickly
@given(drawn=tasks_drawn, asked=over_all, case=st.sampled_from([MINE, THEIRS]))
def test_the_dashboard_is_what_it_would_be_without_the_other_cases(
    office: Office, drawn: list[Task], asked: dict[str, Any], case: int
) -> None:
    firm = Firm(office, drawn)
    known_types(firm)
    with of(case, ARCHIVED, firm=firm):
        check(firm, asked, [task for task in firm.tasks if task["case"] == case])


def test_every_order_of_the_dashboard_leaves_the_others_out(office: Office) -> None:
    drawn = [
        one(status=status, due_at=due_at, case=case, assignee=who)
        for status in ("to_do", "completed") for due_at in DATES[:4] for case in (MINE, THEIRS)
        for who in ("me", None)
    ]  # fmt: skip
    firm = Firm(office, drawn)
    known_types(firm)
    orders = ((None, None), (None, "due_at"), (None, "-due_at"), (None, "status"), ("due", None), ("assignee", None))
    for view in ("all", "mine", "overdue"):
        for order in orders:
            with of(THEIRS, firm=firm):
                check(firm, asking(*order, view=view), [task for task in firm.tasks if task["case"] == THEIRS])
    with of(firm=firm):
        assert firm.ask(asking())["meta"]["total"] == 0


def test_what_is_known_of_a_crowd_of_tasks_is_not_told_to_who_may_not_see_it(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "MOST_COUNTED", 1)
    monkeypatch.setattr(counting, "CROWD", 2)
    firm = Firm(office, [*(one(case=THEIRS) for _ in range(5)), one()])
    known_types(firm)
    for _ in range(2):
        assert firm.ask(asking())["meta"]["total"] > 1
        with of(MINE, firm=firm):
            found = firm.ask(asking())
            assert (found["meta"]["total"], found["counts"]["views"]["all"]["total"]) == (1, 1)


def test_a_file_and_a_form_of_a_hidden_case_are_not_there(office: Office) -> None:
    task_id = files.question(office)
    case_id = views.get_case_task(office.db, NOW, task_id)["case_id"]
    file_id = files.one(office, task_id)
    form = make(office, section("About you", task(office, "phone")))
    case_form = case_forms.assign_form(
        office.db, office.calls, NOW, case_id=case_id, form_id=form["id"], answers={}, due=None, assignee_id=None,
        start=None, calendar=calendar(office),
    )  # fmt: skip
    with limited(office, office.assign()["case_id"]):
        assert code(NotFound, task_files.get_task_file, office.db, file_id) == "task_file_not_found"
        assert code(NotFound, task_files.delete_task_file, office.db, file_id) == "task_file_not_found"
        assert code(NotFound, case_forms.remove_case_form, office.db, case_form["id"]) == "case_form_not_found"
    with limited(office, case_id):
        assert task_files.get_task_file(office.db, file_id)["id"] == file_id
        task_files.delete_task_file(office.db, file_id)
        case_forms.remove_case_form(office.db, case_form["id"])


def test_a_bulk_assignment_keeps_the_limit_of_who_began_it(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_pages, "PAGE_OF_CASES", 2)
    ours = [office.cases.open() for _ in range(5)]
    others = [office.cases.open() for _ in range(4)]
    template_id = office.template()
    office.assign(others[0], template_id)
    with limited(office, *ours):
        tried = begin(office, template_id, dry_run=True)
        assert (tried["progress"]["total"], tried["added"]) == (5, 5)
        record = begin(office, template_id)
    assert record["progress"]["total"] == 5
    work(office)
    done = state(office, record)
    assert (done["state"], done["progress"]["done"], done["added"]) == ("finished", 5, 5)
    assert {task["case_id"] for task in views.list_open_tasks(office.db, NOW, ours + others)["case_tasks"]} == {
        *ours, others[0],
    }  # fmt: skip
    # One of everybody's cases shows a member those that the member may see.
    everybodys = begin(office, template_id)
    work(office)
    while known_cases.ask_for_unknown(office.everywhere, office.calls):
        pass
    assert state(office, everybodys)["left_out"] == {"already_assigned": 6}
    with limited(office, *ours):
        assert {entry["case_id"] for entry in state(office, everybodys)["examples"]} == set(ours)
        assert {entry["case_id"] for entry in left_out(office, everybodys)["data"]} == set(ours)
        (listed, _) = bulk_assigning.list_bulk_assignments(office.db, state=None, **PAGE)["data"]
        assert {entry["case_id"] for entry in listed["examples"]} == set(ours)


def test_a_bulk_assignment_is_cancelled_by_who_sees_all_that_it_may_be_about(office: Office) -> None:
    ours, other = office.cases.open(), office.cases.open()
    everybodys = begin(office, office.template())
    with limited(office, ours):
        own = begin(office, office.template())
        cancel = bulk_assigning.cancel_bulk_assignment
        assert code(Forbidden, cancel, office.db, NOW, everybodys["id"]) == "limited_to_case_types"
    with limited(office, other):
        assert code(Forbidden, cancel, office.db, NOW, own["id"]) == "limited_to_case_types"
    with limited(office, ours, other):
        assert cancel(office.db, NOW, own["id"])["state"] == "cancelled"
    assert cancel(office.db, NOW, everybodys["id"])["state"] == "cancelled"


def test_a_bulk_notification_is_about_the_cases_of_who_asks(office: Office) -> None:
    template_id = office.template()
    ours, others = office.assign(None, template_id), office.assign(None, template_id)
    unheard_of = office.assign(None, template_id)
    with office.db.unit_of_work() as uow:
        uow.session.execute(
            update(KnownCase).where(KnownCase.case_id == unheard_of["case_id"]).values(version=0, case_type_id=None)
        )
    with limited(office, ours["case_id"], unheard_of["case_id"]):
        assert request(office, dry_run=True)["accepted"] == 2
        assert request(office)["accepted"] == 2
    (chunk,) = office.emitted(NOTIFICATION_REQUESTED)
    assert {item["case_task_id"] for item in chunk["items"]} == {ours["id"], unheard_of["id"]}
    assert others["id"] not in {item["case_task_id"] for item in chunk["items"]}


def test_rules_and_archives_of_a_person_are_for_those_who_see_every_case(office: Office) -> None:
    with limited(office, office.cases.open()):
        for call in (
            lambda: rules.create_rule(office.db, office.calls, NOW),
            lambda: rules.update_rule(
                office.db, office.calls, NOW, automation_rule_id=new_id(), changes={}, expected_version=None
            ),
            lambda: data_exports.export_client_data(office.db, office.calls, client_id=new_id()),
        ):
            assert code(Forbidden, call) == "limited_to_case_types"


def test_the_log_of_rules_leaves_other_cases_out(office: Office) -> None:
    seen, hidden = office.assign()["case_id"], office.assign()["case_id"]
    with office.db.unit_of_work() as uow:
        rule = AutomationRule(name=new_id(), active=True, trigger_kind="task_completed", trigger={}, actions=[])
        uow.session.add(rule)
        uow.session.flush()
        for case_id in (seen, hidden):
            uow.session.add(
                AutomationRun(
                    automation_rule_id=rule.id, rule_version=1, case_id=case_id, trigger_event_id=new_id(),
                    chain_id=new_id(), depth=0, state="done", outcomes=[],
                )
            )  # fmt: skip
    with limited(office, seen):
        found = runs.list_runs(office.db, automation_rule_id=None, case_id=None, **PAGE)
    assert ([entry["case_id"] for entry in found["data"]], found["meta"]["total"]) == ([seen], 1)
