"""Cases in the whole system: their numbers and days, a status that is renamed, what is sensitive, and what happened."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from tests.systems import Embedded, answer, eventually

FIELDS = [
    {"key": "diagnosis", "label": "Diagnosis", "type": "text", "sensitive": True},
    {"key": "court", "label": "Court", "type": "text"},
]


def test_a_case_by_its_number_its_days_its_status_and_what_happened_in_it(system: Embedded) -> None:
    api = system.api
    prefix = f"{uuid.uuid4().hex[:6].upper()}-"
    kind = api.post(
        "/v1/case-types",
        {
            "name": prefix,
            "number_prefix": prefix,
            "number_yearly": True,
            "number_digits": 4,
            "statuses": [{"name": "Open"}, {"name": "In court"}, {"name": "Closed", "closed": True}],
            "custom_fields": FIELDS,
        },
    )
    client = api.post(
        "/v1/clients", {"first_name": "Ann", "tags": [prefix]}, headers={"X-Skip-Duplicate-Check": "true"}
    )
    soon = (dt.datetime.now(dt.UTC).date() + dt.timedelta(days=3)).isoformat()
    case = api.post(
        "/v1/cases",
        {
            "name": "Doe",
            "case_type_id": kind["id"],
            "clients": [{"client_id": client["id"]}],
            "status": "In court",
            "key_dates": [{"label": "Hearing", "day": soon}],
            "custom_fields": {"diagnosis": "none", "court": "north"},
        },
    )
    assert case["number"].startswith(prefix)
    assert case["number"].endswith("-0001")
    assert case["key_dates"] == [{"label": "Hearing", "day": soon}]

    statuses = [{"name": "Open"}, {"name": "Hearing", "was": "In court"}, {"name": "Closed", "closed": True}]
    renamed = api.patch(f"/v1/case-types/{kind['id']}", {"statuses": statuses})
    assert [status["name"] for status in renamed["statuses"]] == ["Open", "Hearing", "Closed"]
    assert api.get(f"/v1/cases/{case['id']}")["status"] == "Hearing"
    wrong = answer(api, "PATCH", f"/v1/case-types/{kind['id']}", json={"statuses": [{"name": "A", "was": "B"}]})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "unknown_status")
    assert [entry["field"] for entry in wrong.json()["errors"]] == ["statuses.0.was"]

    told = api.get(f"/v1/cases/{case['id']}/activity")["data"]
    assert [(entry["kind"], entry["facts"]["changed"]) for entry in told] == [
        ("case.changed.v1", ["status"]), ("case.created.v1", [])
    ]  # fmt: skip
    template = api.post("/v1/task-templates", {"title": "Name", "kind": "short_text"})
    api.post(f"/v1/cases/{case['id']}/tasks", {"template_id": template["id"]})
    eventually(lambda: api.get(f"/v1/cases/{case['id']}/activity", kind="tasks.assigned.v1")["data"], "its task")

    def selected(**wire: Any) -> Any:
        return api.post("/v1/cases/select", {"case_filter": wire})

    found = selected(field="key_dates", op="within_next_days", value=7)
    assert case["id"] in found["data"]
    assert "client_facts" not in found["meta"]
    by_tag = selected(field="clients.tags", op="contains", value=prefix)
    assert by_tag["data"] == [case["id"]]
    fresh = eventually(
        lambda: selected(field="clients.tags", op="contains", value=prefix)["meta"]["client_facts"]["as_of"], "an event"
    )
    assert dt.datetime.fromisoformat(fresh) >= dt.datetime.fromisoformat(client["created_at"])


def test_what_is_sensitive_in_a_case_is_for_some_eyes(system: Embedded) -> None:
    api = system.api
    kind = api.post(
        "/v1/case-types", {"name": uuid.uuid4().hex, "statuses": [{"name": "Open"}], "custom_fields": FIELDS}
    )
    client = api.post("/v1/clients", {"first_name": "Ann"}, headers={"X-Skip-Duplicate-Check": "true"})
    values = {"diagnosis": "Quimbyism", "court": "north"}
    case = api.post(
        "/v1/cases",
        {"name": "Doe", "case_type_id": kind["id"], "clients": [{"client_id": client["id"]}], "custom_fields": values},
    )
    assert (case["custom_fields"], case["hidden"]) == (values, [])
    key = api.post("/v1/api-keys", {"name": "eyes", "scopes": ["cases.read", "cases.write", "clients.read"]})["key"]
    member = system.api_with(key)
    seen = member.get(f"/v1/cases/{case['id']}")
    assert (seen["custom_fields"], seen["hidden"]) == ({"court": "north"}, ["custom_fields.diagnosis"])
    change = {"custom_fields": {"diagnosis": "x"}}
    refused = answer(member, "PATCH", f"/v1/cases/{case['id']}", json=change)
    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
    looking = {"case_filter": {"field": "custom_fields.diagnosis", "op": "eq", "value": "Quimbyism"}}
    assert api.post("/v1/cases/select", looking)["data"] == [case["id"]]
    assert answer(member, "POST", "/v1/cases/select", json=looking).status_code == 422
    part = {"case_filter": {"field": "custom_fields.diagnosis", "op": "contains", "value": "Quim"}}
    assert answer(api, "POST", "/v1/cases/select", json=part).status_code == 422
