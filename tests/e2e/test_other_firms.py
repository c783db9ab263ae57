"""Another firm's record is 404, as if it did not exist: every route of the published API that takes an id, in its path,
its query or its body. The answer must be the same, but for the id, as for an id that nobody has."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from deploy.demo.api import Api
from tests.systems import Embedded, answer, eventually, second_firm

PHONE = "+12125550142"
NOBODY = str(uuid.uuid4())
PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001"  # pragma: allowlist secret
    "000000010802000000907753de0000000c494441"  # pragma: allowlist secret
    "54789c63f8ffff3f0005fe02fe0def46b8"  # pragma: allowlist secret
    "0000000049454e44ae426082"
)
"""A PNG of one pixel."""
FILTER = {"field": "state", "op": "eq", "value": "open"}


@dataclass
class Firm:
    """One record of every kind."""

    api: Api
    ids: dict[str, str] = field(default_factory=dict)

    def fill(self) -> Firm:
        make, ids = self.api.post, self.ids
        ids["staff"] = make("/v1/staff", {"name": "Sam", "role": "member"})["id"]
        ids["api-keys"] = make("/v1/api-keys", {"name": "another"})["id"]
        phones = [{"number": PHONE, "kind": "mobile"}]
        ids["clients"] = make("/v1/clients", {"first_name": "Ann", "phones": phones})["id"]
        file = {"file": ("clients.csv", b"first_name,phone\nBea,+12125550143\n")}
        ids["imports"] = make("/v1/imports", files=file)["id"]
        file = {"file": ("cases.csv", b"Number,Name,Client\nN1,Case 1,Bea Lee\n")}
        ids["imports of cases"] = make("/v1/imports", files=file, data={"target": "cases"})["id"]
        statuses = [{"name": "Open"}, {"name": "Closed", "closed": True}]
        ids["case-types"] = make("/v1/case-types", {"name": "Probate", "statuses": statuses})["id"]
        clients = [{"client_id": ids["clients"]}]
        ids["cases"] = make("/v1/cases", {"name": "C", "case_type_id": ids["case-types"], "clients": clients})["id"]
        ids["saved-filters"] = make("/v1/saved-filters", {"name": "Open", "filter": FILTER})["id"]
        ids["case-lists"] = make("/v1/case-lists", {"name": "L", "include_ids": [ids["cases"]]})["id"]
        ids["task-templates"] = make("/v1/task-templates", {"title": "Sign", "kind": "short_text"})["id"]
        task = make(f"/v1/cases/{ids['cases']}/tasks", {"template_id": ids["task-templates"]})
        ids["case-tasks"] = task["id"]
        asked = [{"key": "sign", "template_id": ids["task-templates"]}]
        form = make("/v1/forms", {"title": "Intake", "sections": [{"title": "You", "tasks": asked}]})
        ids["forms"] = form["id"]
        ids["case-forms"] = make(f"/v1/cases/{ids['cases']}/forms", {"form_id": form["id"]})["id"]
        wanted = make("/v1/task-templates", {"title": "Your deed", "kind": "file_upload"})["id"]
        deed = make(f"/v1/cases/{ids['cases']}/tasks", {"template_id": wanted})["id"]
        file = {"file": ("deed.png", PICTURE)}
        ids["task-files"] = make(f"/v1/case-tasks/{deed}/files", files=file)["id"]
        selector = {"case_ids": [ids["cases"]]}
        assigned = make("/v1/case-tasks/bulk-assign", {"selector": selector, "template_ids": [ids["task-templates"]]})
        ids["bulk-assignments"] = assigned["id"]
        variants = [{"channel": "sms", "body": "Hello"}]
        ids["message-templates"] = make("/v1/message-templates", {"name": "T", "variants": variants})["id"]
        self.api.put("/v1/senders", {"channel": "sms", "address": self.sender, "rate": 50})
        ids["messages"] = make("/v1/messages", {"client_id": ids["clients"], "channel": "sms", "body": "Hello"})["id"]
        called = make(f"/v1/clients/{ids['clients']}/communications", {"kind": "call", "notes": "Rang."})
        ids["communications"] = called["id"]
        request = {"selector": selector, "channels": ["sms"], "message": {"body": "Now: {{ task.link }}"}}
        told = {"kind": "notify_staff", "title": "Done", "staff_ids": [ids["staff"]]}
        # Of its own tasks only: the system is shared, and the tasks of other tests are not to set it off.
        trigger = {"kind": "task_completed", "template_id": ids["task-templates"]}
        rule = {"name": "Tell", "trigger": trigger, "actions": [told]}
        ids["automation-rules"] = make("/v1/automation-rules", rule)["id"]
        ids["message-batches"] = make("/v1/case-tasks/bulk-notify", request)["batch_id"]
        scope = {"kind": "task", "case_task_id": ids["case-tasks"]}
        ids["portal-links"] = make("/v1/portal-links", {"client_id": ids["clients"], "scope": scope})["id"]
        self.fill_clients()
        return self

    def fill_clients(self) -> None:
        """What belongs to client records."""
        make, ids = self.api.post, self.ids
        once = {"headers": {"X-Skip-Duplicate-Check": "true"}}
        ids["client-groups"] = make("/v1/client-groups", {"name": "G", "client_ids": [ids["clients"]]})["id"]
        business = make("/v1/clients", {"kind": "business", "company_name": "Harbor Title"}, **once)["id"]
        contact = {"first_name": "Cora", "email": "cora@example.com", "client_ids": [business]}
        ids["contacts"] = make("/v1/contacts", contact)["id"]
        twins = [make("/v1/clients", {"first_name": "Dora"}, **once)["id"] for _ in range(2)]
        ids["client-merges"] = make(f"/v1/clients/{twins[0]}/merge", {"duplicate_id": twins[1]})["id"]
        proposal = make("/v1/companies/proposals", {"name": f"Lender of {self.sender}", "kind": "lender"})
        ids["proposals"] = proposal["id"]
        ids["client-fields"] = make("/v1/client-fields", {"key": "court", "label": "Court", "type": "text"})["id"]
        make(f"/v1/clients/{ids['clients']}/notes", {"text": "Prefers letters."})
        leaving = make("/v1/clients", {"first_name": "Eva"}, **once)["id"]
        ids["erasures"] = make(f"/v1/clients/{leaving}/erase")["id"]

    sender: str = "+12125550190"

    def review(self) -> None:
        """A reply that is doubtful, so that there is something for a person to decide."""
        text = eventually(lambda: self.api.get("/sandbox/messages", to=PHONE)["data"], "a text on the phone")[0]
        self.api.post(f"/sandbox/messages/{text['id']}/reply", {"body": "not interested"})
        found = eventually(lambda: self.api.get("/v1/consent-reviews")["data"], "a review")
        self.ids["consent-reviews"] = found[0]["id"]
        self.converse()

    def converse(self) -> None:
        """The conversation that the first message to the client has begun."""
        self.ids["conversations"] = self.api.get("/v1/conversations")["data"][0]["id"]


@pytest.fixture(scope="module")
def owner(system: Embedded) -> Firm:
    firm = Firm(system.api).fill()
    firm.review()
    return firm


@pytest.fixture(scope="module")
def stranger(system: Embedded) -> Firm:
    firm = Firm(second_firm(system), sender="+12125550191").fill()
    firm.converse()
    return firm


# What makes a request valid but for the foreign id.
BODIES: dict[str, dict[str, Any]] = {
    "POST /v1/forms/{id}/copy": {"title": "x"},
    "POST /v1/task-templates/{id}/copy": {"title": "x"},
    "POST /v1/case-tasks/{id}/answer": {"answer": "x"},
    "POST /v1/case-tasks/{id}/reopen": {"reason": "x"},
    "POST /v1/case-tasks/{id}/share": {"channel": "copy"},
    "PUT /v1/case-tasks/{id}/draft": {"draft": "x"},
    "POST /v1/consent-reviews/{id}/decide": {"decision": "opted_out"},
    "POST /v1/clients/{id}/communications": {"kind": "call", "notes": "x"},
    "POST /v1/conversations/{id}/messages": {"body": "x"},
    "PUT /v1/clients/{id}/preferences": {"sms": "opted_out"},
    "POST /v1/clients/{id}/contacts": {"first_name": "x"},
    "POST /v1/clients/{id}/legal-holds": {"reason": "x"},
    "POST /v1/clients/{id}/notes": {"text": "x"},
    "POST /v1/clients/{id}/policy-consents": {"given": True, "policy_version": "1", "source": "paper"},
    "POST /v1/client-groups/{id}/messages": {"channels": ["sms"], "message": {"body": "x"}},
}
NOT_THERE = ("errors.csv", "errors.xlsx", "/company", "/photo")
"""What the records of `fill` have not."""
TWO_KINDS = {"imports": ("imports", "imports of cases")}
"""Kinds of records that answer to one address and belong to two services."""
SHARED = ("companies",)
"""Kinds of records that belong to no firm."""


def routes_with_ids(url: str) -> Iterator[tuple[str, str, str]]:
    """(method, path, kind of record) of every published route with an id in its path."""
    specification = requests.get(f"{url}/openapi.json", timeout=10).json()
    for path, item in specification["paths"].items():
        for method in item:
            kind = path.split("/{id}")[0].rpartition("/")[2]
            if "{id}" in path and kind not in SHARED and method in ("get", "post", "put", "patch", "delete"):
                # The second id of a path is nobody's: the first must be refused before it is looked at.
                tried = re.sub(r"\{(?!id\})\w+\}", NOBODY, path)
                yield from ((method.upper(), tried, each) for each in TWO_KINDS.get(kind, (kind,)))


def normal(response: requests.Response, used: str) -> tuple[int, Any]:
    """An answer without what differs between any two requests."""
    body = response.json() if response.content else None
    if isinstance(body, dict):
        body.pop("correlation_id", None)
    return response.status_code, str(body).replace(used, "ID")


def test_every_route_with_an_id_in_its_path(system: Embedded, owner: Firm, stranger: Firm) -> None:
    tried = 0
    for method, path, kind in routes_with_ids(system.url):
        body = BODIES.get(f"{method} {path}", {})
        if path == "/v1/cases/{id}/tasks" and method == "POST":
            body = {"template_id": stranger.ids["task-templates"]}
        if path == "/v1/cases/{id}/forms" and method == "POST":
            body = {"form_id": stranger.ids["forms"]}
        if path in ("/v1/conversations/{id}/assign", "/v1/clients/{id}/not-duplicate"):
            body = {"client_id": stranger.ids["clients"]}
        if path == "/v1/clients/{id}/merge":
            body = {"duplicate_id": stranger.ids["clients"]}
        if path == "/v1/clients/{id}/company":
            body = {"company_id": NOBODY}
        kwargs: dict[str, Any] = {} if method in ("GET", "DELETE") else {"json": body}
        if (method, path) in (("PUT", "/v1/clients/{id}/photo"), ("POST", "/v1/case-tasks/{id}/files")):
            kwargs = {"files": {"file": ("photo.png", PICTURE)}}
        nobodys = str(uuid.uuid4())
        foreign = answer(stranger.api, method, path.replace("{id}", owner.ids[kind]), **kwargs)
        missing = answer(stranger.api, method, path.replace("{id}", nobodys), **kwargs)
        assert foreign.status_code == 404, f"{method} {path}: {foreign.status_code} {foreign.text}"
        assert normal(foreign, owner.ids[kind]) == normal(missing, nobodys), f"{method} {path}"
        tried += 1
    assert tried > 60


def test_the_owner_reaches_what_the_stranger_could_not(system: Embedded, owner: Firm) -> None:
    """The ids above were real: without this, a mistake in the paths would pass for safety."""
    for method, path, kind in routes_with_ids(system.url):
        there = not path.endswith(NOT_THERE) and NOBODY not in path
        if method == "GET" and there:
            answered = answer(owner.api, "GET", path.replace("{id}", owner.ids[kind]))
            assert answered.status_code == 200, f"{path}: {answered.status_code} {answered.text}"


def bodies_with(ids: dict[str, str], own: dict[str, str]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Requests whose body names a record; everything else in them is the caller's own."""
    client, case, template = ids["clients"], ids["cases"], ids["task-templates"]
    kind, links = own["case-types"], {"scope": {"kind": "task", "case_task_id": own["case-tasks"]}}
    text = {"channels": ["sms"], "message": {"body": "x"}}
    yield "POST", "/v1/cases", {"name": "C", "case_type_id": kind, "clients": [{"client_id": client}]}
    yield (
        "POST",
        "/v1/cases",
        {"name": "C", "case_type_id": ids["case-types"], "clients": [{"client_id": own["clients"]}]},
    )
    yield "PATCH", f"/v1/cases/{own['cases']}", {"clients": [{"client_id": client}]}
    yield "PATCH", f"/v1/cases/{own['cases']}", {"responsible_staff_id": ids["staff"]}
    yield "PATCH", f"/v1/cases/{own['cases']}", {"staff_ids": [ids["staff"]]}
    yield "POST", f"/v1/cases/{own['cases']}/tasks", {"template_id": template}
    yield "POST", f"/v1/cases/{own['cases']}/forms", {"form_id": ids["forms"]}
    yield "PATCH", f"/v1/case-types/{kind}", {"default_form_ids": [ids["forms"]]}
    asked = [{"title": "A", "tasks": [{"key": "sign", "template_id": template}]}]
    yield "POST", "/v1/forms", {"title": "x", "sections": asked}
    yield "PATCH", f"/v1/forms/{own['forms']}", {"sections": asked}
    yield "POST", "/v1/case-lists", {"name": "x", "include_ids": [case]}
    yield "POST", "/v1/case-lists", {"name": "y", "filter": {"saved_filter_id": ids["saved-filters"]}}
    completed, told = {"kind": "task_completed"}, {"kind": "notify_staff", "title": "x", "staff_ids": [own["staff"]]}
    for number, named in enumerate((
        {"trigger": {**completed, "template_id": template}},
        {"trigger": {"kind": "case_status_changed", "case_type_id": ids["case-types"]}},
        {"trigger": {"kind": "form_completed", "form_id": ids["forms"]}},
        {"actions": [{"kind": "assign_form", "form_id": ids["forms"]}]},
        {"filter": {"saved_filter_id": ids["saved-filters"]}},
        {"actions": [{"kind": "assign_task", "template_id": template}]},
        {"actions": [{"kind": "assign_task", "template_id": own["task-templates"], "assignee_id": ids["staff"]}]},
        {"actions": [{**told, "staff_ids": [ids["staff"]]}]},
    )):  # fmt: skip
        rule = {"name": f"R{number}", "trigger": completed, "actions": [told], **named}
        yield "POST", "/v1/automation-rules", rule
    yield "POST", "/v1/messages", {"client_id": client, "channel": "sms", "body": "x"}
    yield (
        "POST",
        "/v1/messages",
        {"client_id": own["clients"], "channel": "sms", "template_id": ids["message-templates"]},
    )
    yield "POST", "/v1/portal-links", {"client_id": client, **links}
    yield "POST", f"/v1/case-tasks/{own['case-tasks']}/share", {"channel": "copy", "client_id": client}
    yield "POST", "/v1/message-batches", {"client_ids": [own["clients"], client], **text}
    yield (
        "POST",
        "/v1/message-batches",
        {"client_ids": [own["clients"]], "channels": ["sms"], "message": {"template_id": ids["message-templates"]}},
    )
    yield "POST", "/v1/consents", {"entries": [{"channel": "sms", "client_id": client, "state": "opted_out"}]}
    yield "POST", "/v1/portal-links", {"client_id": own["clients"],
                                       "scope": {"kind": "task", "case_task_id": ids["case-tasks"]}}  # fmt: skip
    yield "POST", f"/v1/conversations/{own['conversations']}/assign", {"client_id": client}
    yield "POST", f"/v1/clients/{own['clients']}/merge", {"duplicate_id": client}
    yield "POST", "/v1/client-groups", {"name": "x", "client_ids": [client]}
    yield "POST", f"/v1/client-groups/{own['client-groups']}/members", {"add": [client]}
    yield (
        "POST",
        f"/v1/client-groups/{own['client-groups']}/members",
        {"add_matching": {"group_id": ids["client-groups"]}},
    )
    yield "POST", "/v1/contacts", {"first_name": "x", "client_ids": [client]}
    yield "PATCH", f"/v1/clients/{own['clients']}", {"assigned_staff_id": ids["staff"]}
    note = {"kind": "call", "notes": "x", "case_id": case}
    yield "POST", f"/v1/clients/{own['clients']}/communications", note
    yield "PATCH", f"/v1/conversations/{own['conversations']}", {"assigned_staff_id": ids["staff"]}
    yield "POST", "/v1/api-keys", {"name": "x", "staff_id": ids["staff"]}
    for selector in (
        {"case_ids": [case]}, {"include_case_ids": [case]}, {"case_list_ids": [ids["case-lists"]]},
        {"case_filter": {"saved_filter_id": ids["saved-filters"]}},
    ):  # fmt: skip
        yield "POST", "/v1/cases/select", selector
        yield "POST", "/v1/case-tasks/bulk-notify", {"selector": selector, **text}
        yield "POST", "/v1/case-tasks/bulk-assign", {"selector": selector, "template_ids": [own["task-templates"]]}
    own_case = {"case_ids": [own["cases"]]}
    for named in (
        {"template_ids": [template]}, {"form_ids": [ids["forms"]]},
        {"template_ids": [own["task-templates"]], "assignee_id": ids["staff"]},
    ):  # fmt: skip
        for dry_run in (True, False):
            yield "POST", "/v1/case-tasks/bulk-assign", {"selector": own_case, "dry_run": dry_run, **named}
    due = {"mode": "after_task", "case_task_id": ids["case-tasks"], "days": 1}
    yield "POST", f"/v1/cases/{own['cases']}/tasks", {"template_id": own["task-templates"], "due": due}
    yield "PATCH", f"/v1/case-tasks/{own['case-tasks']}", {"due": due}
    overdue = {"notify_staff_ids": [ids["staff"]]}
    yield "POST", "/v1/task-templates", {"title": "x", "kind": "short_text", "overdue": overdue}
    yield "POST", "/v1/case-tasks/bulk-notify", {
        "selector": own_case, "channels": ["sms"], "message": {"template_id": ids["message-templates"]}}  # fmt: skip


def test_every_body_that_names_a_record(owner: Firm, stranger: Firm) -> None:
    nobodys = dict.fromkeys(owner.ids, str(uuid.uuid4()))
    pairs = zip(bodies_with(owner.ids, stranger.ids), bodies_with(nobodys, stranger.ids), strict=True)
    for (method, path, body), (_, _, missing_body) in pairs:
        foreign = answer(stranger.api, method, path, json=body)
        missing = answer(stranger.api, method, path, json=missing_body)
        assert foreign.status_code in (404, 422), f"{method} {path} {body}: {foreign.status_code} {foreign.text}"
        used = next((value for value in owner.ids.values() if value in foreign.text), "nothing")
        assert normal(foreign, used) == normal(missing, next(iter(nobodys.values()))), f"{method} {path} {body}"


@pytest.mark.parametrize(
    ("path", "parameter", "kind"),
    [
        ("/v1/cases", "client_id", "clients"),
        ("/v1/cases", "case_type_id", "case-types"),
        ("/v1/case-tasks", "case_id", "cases"),
        ("/v1/case-tasks", "template_id", "task-templates"),
        ("/v1/automation-runs", "automation_rule_id", "automation-rules"),
        ("/v1/automation-runs", "case_id", "cases"),
        ("/v1/clients", "assigned_staff_id", "staff"),
        ("/v1/messages", "client_id", "clients"),
        ("/v1/messages", "batch_id", "message-batches"),
        ("/v1/consents", "client_id", "clients"),
        ("/v1/conversations", "client_id", "clients"),
        ("/v1/conversations", "assigned_staff_id", "staff"),
    ],
)
def test_every_query_that_names_a_record(owner: Firm, stranger: Firm, path: str, parameter: str, kind: str) -> None:
    foreign = answer(stranger.api, "GET", path, params={parameter: owner.ids[kind]})
    nobodys = str(uuid.uuid4())
    missing = answer(stranger.api, "GET", path, params={parameter: nobodys})
    assert foreign.status_code in (200, 404)
    assert foreign.json().get("data", []) == []
    assert normal(foreign, owner.ids[kind]) == normal(missing, nobodys)


def test_a_strangers_consents_for_an_address_are_not_shown(owner: Firm, stranger: Firm) -> None:
    assert owner.api.get("/v1/consents", address=PHONE)["data"]
    assert stranger.api.get("/v1/consents", address=PHONE)["data"] == []


def test_a_list_of_cases_that_names_a_client(owner: Firm, stranger: Firm) -> None:
    """The one place of an id that is in no route's schema: a cell of a file."""

    def preview(client_id: str) -> dict[str, Any]:
        file = {"file": ("cases.csv", f"Name,Who\nCase 1,{client_id}\n".encode())}
        made = stranger.api.post("/v1/imports", files=file, data={"target": "cases"})
        settings = {"mapping": {"Name": "name", "Who": "client.id"}, "default_values": {"case_type": "Probate"}}
        found = stranger.api.post(f"/v1/imports/{made['id']}/preview", settings)
        return {name: found[name] for name in ("counts", "rows", "error_counts")}

    assert preview(owner.ids["clients"]) == preview(NOBODY)
    assert preview(NOBODY)["counts"]["failed"] == 1
    assert preview(stranger.ids["clients"])["counts"]["created"] == 1
