"""What came of the intake: for each thing that was set up, whether it happened."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from deploy.demo import intake_form
from deploy.demo.api import Api, wait_for
from deploy.demo.intake_form import DOCUMENT_DAYS, NEXT_STATUS, NEXT_TASK, NOTICE
from deploy.demo.intake_on_phone import NEW_EMAIL
from deploy.demo.intake_state import IntakeState, Record
from deploy.demo.stage import Intake

Expect = Callable[[bool, str], None]


def check_intake(api: Api, intake: Intake, expect: Expect) -> None:
    """`expect` is told of each thing whether it holds."""
    case = intake.cases[0]
    state = IntakeState(api, case)
    tasks = state.tasks()
    expect(
        all(_has_intake(api, entry) for entry in intake.cases),
        f"{len(intake.cases)} cases got the intake, with the name that is known filled in",
    )
    for what, seen in intake.noticed.items():
        expect(seen, what)
    skipped = {key for key, task in tasks.items() if task["status"] == "skipped"}
    progress = state.progress()
    expect(skipped == {"children_names"} and tasks["children_names"]["answer"] is None,
           "what an answer hides is skipped, and nothing of it is kept")  # fmt: skip
    expect((progress["done"], progress["total"]) == (12, 12) and progress["completed_at"] is not None,
           f"the intake is complete: {progress['done']} of {progress['total']}, without what is hidden")  # fmt: skip
    _check_due(state, tasks, expect)
    expect(state.primary_email() == NEW_EMAIL, "the email address that was answered is in the client's record")
    _check_rule(api, intake, state, tasks, expect)


def _has_intake(api: Api, case: Record) -> bool:
    known = IntakeState(api, case).tasks()["name"]
    return (known["status"], known["answer"]) == ("completed", case["name"].removeprefix("Estate plan of "))


def _check_due(state: IntakeState, tasks: dict[str, Record], expect: Expect) -> None:
    ends = state.end_of_business_days(tasks["email"]["completed_at"], DOCUMENT_DAYS)
    due = {dt.datetime.fromisoformat(tasks[key]["due_at"]) for key in ("license", "old_will")}
    expect(due == {ends}, f"documents are due {DOCUMENT_DAYS} business days after the first section was answered: "
                          f"{ends:%A, %B %-d}")  # fmt: skip


def _check_rule(api: Api, intake: Intake, state: IntakeState, tasks: dict[str, Record], expect: Expect) -> None:
    (run, *more) = state.runs()
    outcomes = {outcome["kind"]: outcome["code"] for outcome in run["outcomes"]}
    expect(
        not more and (run["automation_rule_id"], run["state"]) == (intake.rule_id, "done"),
        "the rule ran once, and its log says so",
    )
    expect(
        outcomes == {"change_status": "requested", "assign_task": "done", "notify_staff": "requested"},
        "its log tells what became of each action",
    )
    expect(state.statuses() == ["Intake", NEXT_STATUS], f"the case's history: Intake, then {NEXT_STATUS}")
    following = tasks.get(NEXT_TASK["title"], {})
    expect(
        following.get("status") == "to_do" and following.get("assignee_id") == intake.cases[0]["responsible_staff_id"],
        f"“{NEXT_TASK['title']}” is on the case, and somebody is responsible for it",
    )

    def told() -> list[Record]:
        ours = [notice for notice in api.every("/v1/notifications") if notice["title"] == NOTICE]
        return [notice for notice in ours if notice["about"].get("case_id") == run["case_id"]]

    expect(len(wait_for("the notice to staff", told, seconds=30)) == 1, "whoever is responsible was told, once")
    others = [IntakeState(api, case).case()["status"] for case in intake.cases[1:]]
    expect(set(others) == {intake_form.CASE_TYPE["statuses"][0]["name"]}, "no other case moved")
