"""A member who is limited to one of two types of cases: every family of routes leaves the other type's cases and their
tasks out, while others see both."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from deploy.demo.api import Api
from tests.e2e import test_other_firms as other_firms
from tests.systems import Embedded, answer, eventually, second_firm


class Firm:
    """One client with a case of each type, and a task on each."""

    def __init__(self, system: Embedded) -> None:
        owner = self.owner = second_firm(system, "Limits & Co")
        statuses = [{"name": "Open"}, {"name": "Closed", "closed": True}]
        self.types = [
            owner.post("/v1/case-types", {"name": name, "statuses": statuses}) for name in ("Probate", "Divorce")
        ]
        self.client = owner.post("/v1/clients", {"first_name": "Ann", "phones": [{"number": "+12125554001"}]})["id"]
        self.template = owner.post("/v1/task-templates", {"title": "Name", "kind": "short_text"})["id"]
        self.cases = [self.case(owner, kind) for kind in self.types]
        asked = {"template_id": self.template}
        self.tasks = [owner.post(f"/v1/cases/{case}/tasks", asked)["id"] for case in self.cases]
        self.case_list = owner.post("/v1/case-lists", {"name": "Both", "include_ids": self.cases})["id"]
        limit = {"name": "Lee", "role": "admin", "case_type_ids": [self.types[0]["id"]]}
        self.staff = owner.post("/v1/staff", limit)
        self.limited = self.key_of(system, self.staff["id"])
        self.unlimited = self.key_of(system, owner.post("/v1/staff", {"name": "Una", "role": "admin"})["id"])
        eventually(lambda: len(self.told_of_cases(owner)) == 4, "both cases and tasks")

    def told_of_cases(self, api: Api) -> list[str]:
        """The cases that the client's activity tells of: once for itself, and once for its task."""
        told = api.get(f"/v1/clients/{self.client}/activity")["data"]
        return sorted(entry["facts"]["case_id"] for entry in told if "case_id" in entry["facts"])

    def told_of_notes(self, api: Api) -> list[str]:
        """The notes of calls that the client's activity tells of."""
        told = api.get(f"/v1/clients/{self.client}/activity", kind="communication.logged.v1")["data"]
        return sorted(entry["facts"]["log_entry_id"] for entry in told)

    def case(self, api: Api, kind: dict[str, Any]) -> str:
        wanted = {"name": kind["name"], "case_type_id": kind["id"], "clients": [{"client_id": self.client}]}
        made: str = api.post("/v1/cases", wanted)["id"]
        return made

    def key_of(self, system: Embedded, staff_id: str) -> Api:
        return system.api_with(self.owner.post("/v1/api-keys", {"name": "key", "staff_id": staff_id})["key"])


@pytest.fixture(scope="module")
def firm(system: Embedded) -> Firm:
    return Firm(system)


EVERY = {"case_filter": {"field": "state", "op": "in", "value": ["open", "closed"]}}


CARD = (("cases", "cases"), ("tasks", "case_tasks"))


def ids(found: dict[str, Any]) -> list[str]:
    return sorted(entry["id"] for entry in found["data"])


def refusal(api: Api, method: str, path: str, **given: Any) -> tuple[int, str]:
    refused = answer(api, method, path, **given)
    return refused.status_code, refused.json()["code"]


def test_records_of_the_other_type_are_not_there(firm: Firm) -> None:
    (seen, hidden), (its_task, hidden_task) = firm.cases, firm.tasks
    assert firm.limited.get(f"/v1/cases/{seen}")["id"] == seen
    assert firm.limited.get(f"/v1/case-tasks/{its_task}")["id"] == its_task
    asked = {"template_id": firm.template}
    for method, path, body in (
        ("GET", f"/v1/cases/{hidden}", None),
        ("PATCH", f"/v1/cases/{hidden}", {"name": "Mine"}),
        ("POST", f"/v1/cases/{hidden}/archive", {}),
        ("GET", f"/v1/cases/{hidden}/activity", None),
        ("GET", f"/v1/cases/{hidden}/status-changes", None),
        ("GET", f"/v1/cases/{hidden}/tasks", None),
        ("POST", f"/v1/cases/{hidden}/tasks", asked),
        ("GET", f"/v1/cases/{hidden}/progress", None),
        ("GET", f"/v1/cases/{hidden}/forms", None),
        ("POST", "/v1/cases/select", {"case_ids": firm.cases}),
        ("POST", "/v1/case-tasks/bulk-assign", {"selector": {"case_ids": [hidden]}, "template_ids": [firm.template]}),
    ):
        assert refusal(firm.limited, method, path, json=body) == (404, "case_not_found"), path
    for method, path, body in (
        ("GET", f"/v1/case-tasks/{hidden_task}", None),
        ("PATCH", f"/v1/case-tasks/{hidden_task}", {"assignee_id": None}),
        ("POST", f"/v1/case-tasks/{hidden_task}/answer", {"answer": "x"}),
        ("GET", f"/v1/case-tasks/{hidden_task}/changes", None),
        ("GET", f"/v1/case-tasks/{hidden_task}/files", None),
        ("POST", f"/v1/case-tasks/{hidden_task}/share", {"channel": "copy"}),
    ):
        assert refusal(firm.limited, method, path, json=body) == (404, "case_task_not_found"), path


def test_lists_counts_and_selections_leave_them_out(firm: Firm) -> None:
    for api, shown in ((firm.limited, [0]), (firm.unlimited, [0, 1]), (firm.owner, [0, 1])):
        cases, tasks = sorted(firm.cases[at] for at in shown), sorted(firm.tasks[at] for at in shown)
        assert ids(api.get("/v1/cases")) == cases
        assert ids(api.get("/v1/cases", client_id=firm.client)) == cases
        selected = api.post("/v1/cases/select", EVERY)
        assert (sorted(selected["data"]), selected["meta"]["total"]) == (cases, len(cases))
        case_list = api.get(f"/v1/case-lists/{firm.case_list}")
        assert (sorted(case_list["include_ids"]), case_list["case_count"]) == (cases, len(cases))
        for query in ({}, {"sort": "due_at"}, {"group": "status"}, {"group": "assignee"}):
            dashboard = api.get("/v1/case-tasks", **query)
            assert ids(dashboard) == tasks, query
            assert dashboard["counts"]["views"]["all"]["total"] == len(tasks)
        card = api.get(f"/v1/clients/{firm.client}/card")
        shown_there = [sorted(entry["id"] for entry in card[part][part_of]) for part, part_of in CARD]
        assert shown_there == [cases, tasks]
        assert [card["statistics"][name] for name in ("cases_open", "open_tasks")] == [len(cases), len(tasks)]
        assert firm.told_of_cases(api) == sorted([*cases, *cases])
        tried = {"selector": EVERY, "template_ids": [firm.template], "dry_run": True}
        assert api.post("/v1/case-tasks/bulk-assign", tried)["progress"] == {"done": len(cases), "total": len(cases)}
        asked = {"selector": EVERY, "channels": ["sms"], "message": {"body": "Hi {{ task.link }}"}, "dry_run": True}
        assert api.post("/v1/case-tasks/bulk-notify", asked)["accepted"] == len(tasks)


def test_what_was_said_about_the_other_case_is_left_out(firm: Firm) -> None:
    firm.owner.put("/v1/senders", {"channel": "sms", "address": "+12125550192", "rate": 50})
    at, written, noted = f"/v1/clients/{firm.client}/communications", [], []
    for case, task in [*zip(firm.cases, firm.tasks, strict=True), (None, None)]:
        asked = {"client_id": firm.client, "case_task_id": task, "channel": "sms", "body": f"About {case}"}
        written.append(firm.owner.post("/v1/messages", asked)["id"])
        noted.append(firm.owner.post(at, {"kind": "call", "notes": "Rang.", "case_id": case})["id"])
    (conversation,) = firm.owner.get("/v1/conversations", client_id=firm.client)["data"]
    eventually(lambda: len(firm.told_of_notes(firm.owner)) == 3, "three notes")
    eventually(lambda: len(firm.limited.get("/v1/messages")["data"]) == 2, "messages about cases that are known")
    in_it = f"/v1/conversations/{conversation['id']}/messages"
    for api, shown in ((firm.limited, [0, 2]), (firm.unlimited, [0, 1, 2])):
        messages = sorted(written[place] for place in shown)
        notes = sorted(noted[place] for place in shown)
        everything = sorted([*messages, *notes])
        assert firm.told_of_notes(api) == notes
        assert ids(api.get("/v1/messages")) == messages
        assert ids(api.get(in_it)) == messages
        assert ids(api.get(at)) == everything
        assert ids(api.get(f"/v1/clients/{firm.client}/card")["communications"]) == everything
    assert refusal(firm.limited, "GET", f"/v1/messages/{written[1]}") == (404, "message_not_found")


def test_what_goes_on_in_the_background_keeps_the_limit(firm: Firm) -> None:
    template = firm.owner.post("/v1/task-templates", {"title": "Deed", "kind": "short_text"})["id"]
    asked = {"selector": EVERY, "template_ids": [template]}
    begun = firm.limited.post("/v1/case-tasks/bulk-assign", asked)
    at = f"/v1/case-tasks/bulk-assignments/{begun['id']}"
    done = eventually(lambda: (seen := firm.limited.get(at))["state"] == "finished" and seen, "the assignment")
    assert (done["added"], done["progress"]) == (1, {"done": 1, "total": 1})
    (task,) = firm.owner.get("/v1/case-tasks", template_id=template)["data"]
    assert task["case_id"] == firm.cases[0]

    table = "name,case_type,client\nSeen,Probate,Bea Lee\nHidden,Divorce,Cy Lee\n"
    file = {"file": ("cases.csv", table.encode())}
    made = firm.limited.post("/v1/imports", files=file, data={"target": "cases"})
    firm.limited.post(f"/v1/imports/{made['id']}/preview", {"mapping": made["suggested_mapping"]})
    firm.limited.post(f"/v1/imports/{made['id']}/run", {})
    at = f"/v1/imports/{made['id']}"
    done = eventually(lambda: (seen := firm.limited.get(at))["state"] == "finished" and seen, "the import")
    assert (done["counts"]["created"], done["rows"]) == (1, [{"row": 2, "errors": ["unknown_case_type:case_type"]}])
    assert answer(firm.owner, "POST", f"{at}/undo", json={}).status_code == 202
    eventually(lambda: firm.owner.get(at)["state"] == "undone", "the undo")


def test_types_are_read_and_what_is_about_all_of_them_is_refused(firm: Firm) -> None:
    ours, other = firm.types
    assert ids(firm.limited.get("/v1/case-types")) == sorted([ours["id"], other["id"]])
    body = {"name": "X", "case_type_id": other["id"], "clients": [{"client_id": firm.client}]}
    rule = {
        "name": "R",
        "trigger": {"kind": "task_completed"},
        "actions": [{"kind": "change_status", "status": "Closed"}],
    }
    statuses = [{"name": "Open"}]
    for method, path, given, code in (
        ("POST", "/v1/cases", body, "case_type_not_allowed"),
        ("PATCH", f"/v1/case-types/{other['id']}", {"name": "Mine"}, "case_type_not_allowed"),
        ("POST", "/v1/case-types", {"name": "New", "statuses": statuses}, "limited_to_case_types"),
        ("POST", "/v1/automation-rules", rule, "limited_to_case_types"),
        ("GET", f"/v1/clients/{firm.client}/data-export", None, "limited_to_case_types"),
        ("PATCH", f"/v1/staff/{firm.staff['id']}", {"case_type_ids": None}, "case_type_escalation"),
    ):
        assert refusal(firm.limited, method, path, json=given) == (403, code), path


def test_a_limit_holds_and_ends_at_once(firm: Firm, system: Embedded) -> None:
    member = firm.owner.post("/v1/staff", {"name": "Mia", "role": "member"})
    api, hidden = firm.key_of(system, member["id"]), firm.cases[1]
    assert answer(api, "GET", f"/v1/cases/{hidden}").status_code == 200
    at = f"/v1/staff/{member['id']}"
    firm.owner.patch(at, {"case_type_ids": [firm.types[0]["id"]]})
    eventually(lambda: answer(api, "GET", f"/v1/cases/{hidden}").status_code == 404, "the limit", 10)
    firm.owner.patch(at, {"case_type_ids": []})
    eventually(lambda: api.get("/v1/cases")["data"] == [], "a limit to none of them", 10)
    firm.owner.patch(at, {"case_type_ids": None})
    eventually(lambda: answer(api, "GET", f"/v1/cases/{hidden}").status_code == 200, "no limit", 10)


HIDDEN = ("cases", "case-tasks", "case-forms", "task-files", "messages", "communications", "portal-links")
"""Kinds of records that belong to a case."""


def test_every_route_with_an_id_of_a_case_or_of_what_belongs_to_it(system: Embedded) -> None:
    """Also those that come later: the answer is that to an id which nobody has."""
    filled = other_firms.Firm(second_firm(system, "Every route & Co"), sender="+12125550193").fill()
    about = {"client_id": filled.ids["clients"], "case_task_id": filled.ids["case-tasks"]}
    filled.ids["messages"] = filled.api.post("/v1/messages", {**about, "channel": "sms", "body": "Hello"})["id"]
    note = {"kind": "call", "notes": "Rang.", "case_id": filled.ids["cases"]}
    logged = filled.api.post(f"/v1/clients/{filled.ids['clients']}/communications", note)
    filled.ids["communications"] = logged["id"]
    staff_id = filled.api.post("/v1/staff", {"name": "Lee", "role": "owner", "case_type_ids": []})["id"]
    limited = system.api_with(filled.api.post("/v1/api-keys", {"name": "key", "staff_id": staff_id})["key"])
    tried = 0
    for method, path, kind in other_firms.routes_with_ids(system.url):
        if kind not in HIDDEN:
            continue
        body = other_firms.BODIES.get(f"{method} {path}", {})
        if method == "POST" and path in ("/v1/cases/{id}/tasks", "/v1/cases/{id}/forms"):
            body = (
                {"template_id": filled.ids["task-templates"]} if "tasks" in path else {"form_id": filled.ids["forms"]}
            )
        kwargs: dict[str, Any] = {} if method in ("GET", "DELETE") else {"json": body}
        if (method, path) == ("POST", "/v1/case-tasks/{id}/files"):
            kwargs = {"files": {"file": ("deed.png", other_firms.PICTURE)}}
        nobodys = str(uuid.uuid4())
        hidden = answer(limited, method, path.replace("{id}", filled.ids[kind]), **kwargs)
        missing = answer(limited, method, path.replace("{id}", nobodys), **kwargs)
        assert hidden.status_code == 404, f"{method} {path}: {hidden.status_code} {hidden.text}"
        assert other_firms.normal(hidden, filled.ids[kind]) == other_firms.normal(missing, nobodys), f"{method} {path}"
        tried += 1
    assert tried > 20
    for path in ("/v1/cases", "/v1/cases?archived=true", "/v1/case-tasks", "/v1/automation-runs"):
        assert limited.get(path)["data"] == [], path
