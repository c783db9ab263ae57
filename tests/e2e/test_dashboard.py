"""The dashboard and a case's tasks over HTTP: each parameter as a client sends it."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import pytest

from tests.systems import Embedded, answer

DAY = dt.timedelta(days=1)
ORDER = ("overdue", "today", "week", "later", "undated")
"""Tasks by when they are due."""


class Tasks:
    """Tasks of one template, which tells them apart from all others of the firm."""

    def __init__(self, system: Embedded) -> None:
        self.api = api = system.api
        kind = api.post("/v1/case-types", {"name": uuid.uuid4().hex, "statuses": [{"name": "Open"}]})
        client = api.post("/v1/clients", {"first_name": "Ann"}, headers={"X-Skip-Duplicate-Check": "true"})
        self.owner = next(member for member in api.get("/v1/staff")["data"] if member["role"] == "owner")["id"]
        self.template = api.post("/v1/task-templates", {"title": "Your court", "kind": "short_text"})["id"]
        self.cases = [
            api.post(
                "/v1/cases", {"name": "Doe", "case_type_id": kind["id"], "clients": [{"client_id": client["id"]}]}
            )["id"]
            for _ in range(2)
        ]
        self.now = dt.datetime.now(dt.UTC)
        dues = (-DAY, DAY / 2, 3 * DAY, 30 * DAY, None)
        self.names = {
            self._assign(0, due, self.owner if name in ("today", "undated") else None): name
            for name, due in zip(ORDER, dues, strict=True)
        }
        self.done = self._assign(1, None, None)
        api.post(f"/v1/case-tasks/{self.done}/answer", {"answer": "North"})
        self.names[self.done] = "done"

    def _assign(self, case: int, due: dt.timedelta | None, assignee_id: str | None) -> str:
        wanted: dict[str, Any] = {"template_id": self.template, "assignee_id": assignee_id}
        if due is not None:
            wanted["due"] = {"mode": "fixed", "at": (self.now + due).isoformat()}
        made: str = self.api.post(f"/v1/cases/{self.cases[case]}/tasks", wanted)["id"]
        return made

    def ask(self, path: str = "/v1/case-tasks", **query: Any) -> dict[str, Any]:
        found: dict[str, Any] = self.api.get(path, template_id=self.template, **query)
        return found

    def listed(self, path: str = "/v1/case-tasks", **query: Any) -> list[str]:
        return [self.names[task["id"]] for task in self.ask(path, **query)["data"]]


@pytest.fixture(scope="module")
def tasks(system: Embedded) -> Tasks:
    return Tasks(system)


def test_every_parameter_of_the_dashboard_narrows_or_orders_it(tasks: Tasks) -> None:
    assert tasks.listed() == ["done", *reversed(ORDER)]
    assert tasks.listed(sort="due_at") == [*ORDER, "done"]
    assert tasks.listed(sort="-due_at")[:4] == ["later", "week", "today", "overdue"]
    assert tasks.listed(sort="status")[0] == "overdue"
    assert tasks.listed(sort="status")[-1] == "done"
    for view, meant in (
        ("overdue", ["overdue"]),
        ("due_today", ["today"]),
        ("due_this_week", ["today", "week"]),
        ("mine", ["undated", "today"]),  # the key is the owner's
    ):
        assert tasks.listed(view=view) == meant
    assert tasks.listed(status="overdue,completed", sort="due_at") == ["overdue", "done"]
    assert tasks.listed(assignee_id=tasks.owner, sort="due_at") == ["today", "undated"]
    assert tasks.listed(case_id=tasks.cases[1]) == ["done"]
    until = (tasks.now + 4 * DAY).isoformat()
    assert tasks.listed(due_from=tasks.now.isoformat(), due_to=until, sort="due_at") == ["today", "week"]


def test_counts_groups_and_pages_come_with_the_list(tasks: Tasks) -> None:
    page = tasks.ask(sort="due_at", limit=2)
    assert page["meta"]["total"] == 6
    views = {view: counted["total"] for view, counted in page["counts"]["views"].items()}
    assert views == {"all": 6, "mine": 2, "overdue": 1, "due_today": 1, "due_this_week": 2}
    statuses = {status: counted["total"] for status, counted in page["counts"]["statuses"].items()}
    assert statuses == {"to_do": 4, "in_progress": 0, "overdue": 1, "completed": 1, "skipped": 0}
    seen = [tasks.names[task["id"]] for task in page["data"]]
    while cursor := page["meta"]["next_cursor"]:
        page = tasks.ask(sort="due_at", limit=2, cursor=cursor)
        seen += [tasks.names[task["id"]] for task in page["data"]]
    assert seen == [*ORDER, "done"]

    def groups(**query: Any) -> list[tuple[str | None, int]]:
        return [(group["key"], group["total"]) for group in tasks.ask(**query)["groups"]]

    assert groups(group="status") == [("overdue", 1), ("to_do", 4), ("completed", 1)]
    assert groups(group="due") == [
        ("overdue", 1), ("due_today", 1), ("due_this_week", 1), ("later", 1), ("no_due_date", 1), ("completed", 1)
    ]  # fmt: skip
    assert groups(group="assignee") == [(tasks.owner, 2), (None, 3)]
    assert tasks.listed(group="assignee") == ["today", "undated", "overdue", "week", "later"]
    of_case = f"/v1/cases/{tasks.cases[0]}/tasks"
    assert tasks.listed(of_case, group="section", sort="title") == list(ORDER)
    assert tasks.ask(of_case, group="section")["progress"]["total"] == 5


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"view": "yesterday"}, "view"),
        ({"status": "to_do,gone"}, "status.1"),
        ({"group": "colour"}, "group"),
        ({"group": "section"}, "group"),
        ({"group": "assignee", "status": "completed"}, "status"),
        ({"sort": "title"}, "sort"),
        ({"limit": "0"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"due_from": "tomorrow"}, "due_from"),
        ({"case_id": "x"}, "case_id"),
        ({"cursor": "x"}, "cursor"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_the_dashboard_does_not_take_is_named(tasks: Tasks, query: dict[str, str], field: str) -> None:
    refused = answer(tasks.api, "GET", "/v1/case-tasks", params=query)
    assert refused.status_code == 422
    assert [entry["field"] for entry in refused.json()["errors"]] == [field]
