"""/v1/automation-rules and their log: who may read them, and who may write them."""

from __future__ import annotations

import pytest

from contracts import tasks
from contracts.accounts import RESOLVE_API_KEY, ROLES
from services.accounts.permissions import permitted
from tests.service.test_gateway_edge import FIRM, STAFF, Edge, problem

ID = "018f4e9a-0000-7000-8000-000000000031"
RULE = {
    "id": ID, "version": 2, "name": "To court", "active": True, "filter": None, "trigger": {"kind": "form_completed"},
    "actions": [{"kind": "change_status", "status": "In court"}], "created_at": "2026-11-26T12:00:00Z",
    "updated_at": "2026-11-26T12:00:00Z",
}  # fmt: skip
GIVEN = {name: RULE[name] for name in ("name", "trigger", "actions")}
PAGE = {"next_cursor": None, "total": 1}
READING = (
    "/v1/automation-rules",
    f"/v1/automation-rules/{ID}",
    f"/v1/automation-rules/{ID}/runs",
    "/v1/automation-runs",
)
WRITING = (
    ("POST", "/v1/automation-rules", GIVEN, 201),
    ("PATCH", f"/v1/automation-rules/{ID}", {"active": False}, 200),
)


def edge_of(role: str, scopes: tuple[str, ...] = ()) -> Edge:
    edge = Edge()
    credential = {
        "firm_id": FIRM, "staff_id": STAFF, "api_key_id": STAFF, "role": role, "expires_at": None,
        "permissions": permitted(role, scopes),
    }  # fmt: skip
    edge.answer(RESOLVE_API_KEY, lambda key_hash: credential)
    for operation in (tasks.GET_AUTOMATION_RULE, tasks.CREATE_AUTOMATION_RULE, tasks.UPDATE_AUTOMATION_RULE):
        edge.answer(operation, lambda **given: RULE)
    edge.answer(tasks.LIST_AUTOMATION_RULES, lambda **query: {"data": [RULE], "meta": PAGE})
    edge.answer(tasks.LIST_AUTOMATION_RUNS, lambda **query: {"data": [], "meta": PAGE})
    return edge


@pytest.mark.parametrize("role", ROLES)
def test_every_role_reads_rules_and_their_log_and_supervisors_and_above_write_them(role: str) -> None:
    edge = edge_of(role)
    assert [edge.send("GET", path).status_code for path in READING] == [200] * 4
    for method, path, body, status in WRITING:
        answer = edge.send(method, path, json=body)
        if role in ("owner", "admin", "supervisor"):
            assert answer.status_code == status
        else:
            assert problem(answer, 403, "permission_denied")["permission"] == "automation_rules.write"
    may = role in ("owner", "admin", "supervisor")
    assert (
        len(edge.calls.asked(tasks.CREATE_AUTOMATION_RULE))
        == len(edge.calls.asked(tasks.UPDATE_AUTOMATION_RULE))
        == may
    )


def test_a_key_does_what_its_scopes_allow() -> None:
    edge = edge_of("owner", ("tasks.read",))
    assert [edge.send("GET", path).status_code for path in READING] == [200] * 4
    for method, path, body, _ in WRITING:
        problem(edge.send(method, path, json=body), 403, "permission_denied")
    edge = edge_of("owner", ("automation_rules.write", "cases.read"))
    for path in READING:
        problem(edge.send("GET", path), 403, "permission_denied")
    for method, path, body, status in WRITING:
        assert edge.send(method, path, json=body).status_code == status
