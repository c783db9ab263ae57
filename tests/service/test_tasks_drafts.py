"""Answers that are filled in step by step: saved, gone on with, sent; and a task that is asked for again."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from chassis.columns import new_id
from chassis.context import Context, use
from contracts import cases
from contracts.errors import Conflict, Invalid, NotFound
from contracts.tasks import TASK_COMPLETED
from services.tasks import answers, data_exports, drafts, facts, views
from services.tasks.answer_checks import Question
from services.tasks.drafts import check_draft
from tests.service.canaries import found_in
from tests.service.merges import Merge
from tests.service.tasks_office import NOW, Office, database, office
from tests.service.test_tasks_erasing import erase

__all__ = ["database", "office"]

LATER = NOW + dt.timedelta(hours=1)
STORY = {"title": "What happened?", "kind": "long_text"}


def save(office: Office, task_id: str, draft: Any, client_id: str | None = None) -> dict[str, Any]:
    return drafts.save_draft(office.db, LATER, case_task_id=task_id, draft=draft, client_id=client_id)


def send(
    office: Office, task_id: str, answer: Any, client_id: str | None = None, version: int = 0, **more: Any
) -> dict[str, Any]:
    actor = Context(firm_id=office.firm_id, actor_id=client_id, actor_kind="client") if client_id else office.context
    with use(actor):
        return answers.submit_answer(
            office.db, office.calls, LATER, case_task_id=task_id, answer=answer, client_id=client_id, link_id=None,
            answer_version=version, **more,
        )  # fmt: skip


def test_a_draft_is_kept_as_it_is_and_is_no_answer(office: Office) -> None:
    task = office.assign(template_id=office.template(mapping={"target": "client", "field": "phone"}))
    assert (task["draft"], task["draft_at"]) == (None, None)
    begun = save(office, task["id"], "(212) 5", new_id())
    assert begun == views.get_case_task(office.db, LATER, task["id"])
    assert (begun["status"], begun["draft"], begun["draft_at"]) == ("in_progress", "(212) 5", LATER)
    assert (begun["answer"], begun["answer_version"], begun["version"]) == (None, 0, task["version"] + 1)
    assert office.emitted(TASK_COMPLETED) == []
    assert facts.get_mapped_answers(office.db, office.calls, [task["id"]])["answers"] == []
    assert save(office, task["id"], "(212) 555-01")["draft"] == "(212) 555-01"
    done = send(office, task["id"], "(212) 555-0123")
    assert (done["status"], done["answer"]) == ("completed", "+12125550123")
    assert (done["draft"], done["draft_at"]) == (None, None)


def test_a_draft_that_was_emptied_is_told_from_none(office: Office) -> None:
    task_id = office.assign(template_id=office.template(**STORY))["id"]
    save(office, task_id, "It rained.")
    emptied = save(office, task_id, " ")
    assert (emptied["status"], emptied["draft"], emptied["draft_at"]) == ("in_progress", None, LATER)


def test_what_is_overdue_can_still_be_saved(office: Office) -> None:
    due = {"mode": "fixed", "at": NOW, "days": None, "business": False}
    task_id = office.assign(template_id=office.template(**STORY), due=due, now=NOW - dt.timedelta(days=1))["id"]
    assert save(office, task_id, "It rained.")["status"] == "overdue"
    assert views.get_case_task(office.db, NOW - dt.timedelta(hours=1), task_id)["status"] == "in_progress"


def test_an_answer_is_not_replaced_by_a_draft_unless_it_is_asked_for_again(office: Office) -> None:
    task_id = office.assign(template_id=office.template(**STORY))["id"]
    send(office, task_id, "It rained.")
    with pytest.raises(Conflict, match="task_completed"):
        save(office, task_id, "It snowed.")
    again = answers.reopen_case_task(office.db, LATER, case_task_id=task_id, reason="Which day?")
    assert again["reopened"] == {"reason": "Which day?", "at": "2026-11-21T16:00:00Z"}
    saved = save(office, task_id, "It rained on")
    assert (saved["answer"], saved["draft"]) == ("It rained.", "It rained on")
    done = send(office, task_id, "It rained on Monday.")
    assert (done["draft"], done["reopened"], done["answer_version"]) == (None, None, 2)


def test_what_a_condition_hid_and_what_is_another_firms_takes_no_draft(office: Office) -> None:
    task_id = office.assign()["id"]
    with office.db.unit_of_work() as uow:
        views.load_case_task(uow.session, task_id).status = "skipped"
    with pytest.raises(Conflict, match="task_skipped"):
        save(office, task_id, "x")
    with pytest.raises(NotFound):
        drafts.save_draft(office.foreign_db, LATER, case_task_id=task_id, draft="x", client_id=None)


@pytest.mark.parametrize(
    ("kind", "draft", "kept"),
    [
        ("short_text", " Main ", " Main "),
        ("long_text", "a\r\nb", "a\nb"),
        ("number", 1500.5, "1500.5"),
        ("number", "15 hundr", "15 hundr"),
        ("date", "2026-13-", "2026-13-"),
        ("yes_no", False, False),
        ("yes_no", "yes", "yes"),
        ("one_choice", "not an option", "not an option"),
        ("several_choices", ["a", "b"], ["a", "b"]),
        ("several_choices", "a", "a"),
        ("phone", "12", "12"),
        ("email", "ana@", "ana@"),
        ("address", {"city": "Albany", "line1": None}, {"city": "Albany"}),
        ("address", "1 Main", "1 Main"),
        ("short_text", None, None),
        ("several_choices", [], None),
    ],
)
def test_limits_do_not_bind_a_draft_yet(kind: str, draft: Any, kept: Any) -> None:
    question = Question(kind, required=True, options=["a", "b"], checks={"max_length": 1, "minimum": 10_000})
    assert check_draft(question, draft) == kept


@pytest.mark.parametrize(
    ("kind", "draft", "code"),
    [
        ("short_text", "x" * 501, "too_long"),
        ("long_text", "x" * 1_000_000, "too_long"),
        ("short_text", "a\x00", "invalid_text"),
        ("short_text", "\ud800", "invalid_text"),
        ("short_text", ["a"], "invalid_draft"),
        ("short_text", {"a": "b"}, "invalid_draft"),
        ("short_text", 1, "invalid_draft"),
        ("several_choices", ["a"] * 201, "invalid_draft"),
        ("several_choices", ["a", ["b"]], "invalid_draft"),
        ("address", {"planet": "x"}, "invalid_draft"),
        ("address", {"line1": {"a": "b"}}, "invalid_draft"),
        ("acknowledgement", "yes", "no_draft"),
        ("signature", "Ann", "no_draft"),
        ("file_upload", "x", "no_draft"),
    ],
)
def test_what_is_not_of_the_shape_of_an_answer_is_refused(kind: str, draft: Any, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_draft(Question(kind, options=["a"]), draft)
    assert (refused.value.code, refused.value.fields[0]["field"]) == (code, "draft")


def test_drafts_of_a_person_are_forgotten_and_what_others_answered_stays(office: Office) -> None:
    case_id = office.cases.open(clients=2)
    one, other = office.cases.clients[case_id]
    mine, again, others, theirs = (str(office.assign(case_id, office.template(**STORY))["id"]) for _ in range(4))
    save(office, mine, "Marzipan", one)
    send(office, again, "Quahogport", other)
    answers.reopen_case_task(office.db, LATER, case_task_id=again, reason="Hammersmith")
    save(office, again, "Oxenfree", one)
    save(office, others, "Wurlitzer", other)
    send(office, theirs, "Zanzibar", one)
    answers.reopen_case_task(office.db, LATER, case_task_id=theirs, reason="Kettledrum")
    save(office, theirs, "Yesteryear", other)
    words = ["Hammersmith", "Kettledrum", "Marzipan", "Oxenfree", "Quahogport", "Wurlitzer", "Yesteryear", "Zanzibar"]
    assert found_in(office.everywhere, words) == words
    erase(office, one)
    assert found_in(office.everywhere, words) == ["Hammersmith", "Quahogport", "Wurlitzer"]
    shown = views.get_case_task(office.db, LATER, again)
    assert (shown["status"], shown["draft_at"], shown["answer"]) == ("in_progress", None, "Quahogport")


def test_a_person_is_handed_their_drafts_and_nobody_elses(office: Office) -> None:
    case_id = office.cases.open(clients=2)
    one, other = office.cases.clients[case_id]
    mine, again = (str(office.assign(case_id, office.template(**STORY))["id"]) for _ in range(2))
    save(office, mine, "Marzipan", one)
    send(office, again, "Quahogport", one)
    answers.reopen_case_task(office.db, LATER, case_task_id=again, reason="Which?")
    save(office, again, "Oxenfree", other)
    office.calls.answers[cases.GET_CLIENT_CASES] = lambda client_ids: {
        "cases": [{"case_id": case_id, "client_ids": client_ids, "alone": False}]
    }

    def handed(client_id: str) -> str:
        return str(data_exports.export_client_data(office.db, office.calls, client_id=client_id)["entries"])

    assert [word in handed(one) for word in ("Marzipan", "Quahogport", "Oxenfree")] == [True, True, False]
    assert [word in handed(other) for word in ("Marzipan", "Quahogport", "Oxenfree")] == [False, False, True]


def test_a_merged_clients_draft_is_the_survivors(office: Office) -> None:
    one, two = new_id(), new_id()
    task_id = office.assign(template_id=office.template(**STORY))["id"]
    save(office, task_id, "It rained.", two)

    def whose() -> str | None:
        with office.db.read() as session:
            return views.load_case_task(session, task_id).draft_client_id

    made = Merge(office.service, office.firm_id, one, two).told()
    assert whose() == one
    made.undone()
    assert whose() == two
