"""A deadline that passes, in the whole system: staff are told, the client is reminded, what follows it moves."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from tests.systems import Embedded, eventually

PHONE = "+12125553990"


def test_a_passed_deadline_reaches_staff_and_client(system: Embedded) -> None:
    api = system.api
    phones = [{"number": PHONE, "kind": "mobile", "primary": True}]
    person = api.post("/v1/clients", {"first_name": "Ann", "phones": phones})
    statuses = [{"name": "Open"}, {"name": "Closed", "closed": True}]
    kind = api.post("/v1/case-types", {"name": f"Probate {uuid.uuid4().hex[:6]}", "statuses": statuses})
    clients = [{"client_id": person["id"], "role": "primary"}]
    case = api.post("/v1/cases", {"name": "Doe", "case_type_id": kind["id"], "clients": clients})
    owner = next(member for member in api.get("/v1/staff")["data"] if member["role"] == "owner")
    overdue = {
        "notify_assignee": True,
        "escalate": True,
        "remind_client": {"channels": ["sms"], "message": {"body": "Still open: {{ task.link }}"}},
    }
    template = api.post("/v1/task-templates", {"title": "Your court", "kind": "short_text", "overdue": overdue})
    assert template["overdue"]["remind_client"]["message"]["body"] == "Still open: {{ task.link }}"

    def assign(due: dict[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = api.post(
            f"/v1/cases/{case['id']}/tasks", {"template_id": template["id"], "due": due, "assignee_id": owner["id"]}
        )
        return made

    passed = (dt.datetime.now(dt.UTC) - dt.timedelta(days=1)).isoformat()
    task = assign({"mode": "fixed", "at": passed})
    later = assign({"mode": "after_task", "case_task_id": task["id"], "days": 5})
    assert (task["status"], later["due_at"]) == ("overdue", None)

    def announced() -> Any:
        return [
            change for change in api.get(f"/v1/case-tasks/{task['id']}/changes")["data"] if change["kind"] == "overdue"
        ]

    (change,) = eventually(announced, "the deadline is announced")
    assert change["facts"]["outcomes"] == {
        "notify_assignee": "done",
        "escalate": "no_supervisor",
        "remind_client": "done",
    }

    def noticed() -> Any:
        found = api.get("/v1/notifications")["data"]
        return [notice for notice in found if notice["about"].get("case_task_id") == task["id"]]

    (notice,) = eventually(noticed, "a notice")
    assert (notice["kind"], notice["title"]) == ("task_overdue", "A task is overdue: Your court")
    number = PHONE.replace("+", "%2B")
    (text,) = eventually(lambda: api.get(f"/sandbox/messages?to={number}")["data"], "a text on the phone")
    assert text["body"].startswith("Still open: http")

    api.post(f"/v1/case-tasks/{task['id']}/answer", {"answer": "North"})
    assert api.get(f"/v1/case-tasks/{later['id']}")["due_at"] is not None
    (moved,) = api.get(f"/v1/case-tasks/{later['id']}/changes")["data"]
    assert (moved["kind"], moved["facts"]["because"]) == ("due_changed", task["id"])
