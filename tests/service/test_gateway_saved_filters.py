"""/v1/saved-filters: one address for the saved filters of cases and of clients."""

from __future__ import annotations

from typing import Any

import pytest

from contracts import accounts, cases, clients
from contracts.errors import NotFound
from tests.service.test_gateway_edge import STAFF, Edge, problem

ID = "018f4e9a-0000-7000-8000-000000000021"
SAVED = {
    "id": ID, "version": 2, "name": "Open", "filter": {}, "created_at": "2026-11-26T12:00:00Z",
    "updated_at": "2026-11-26T12:00:00Z",
}  # fmt: skip


def unknown(**asked: Any) -> Any:
    raise NotFound("saved_filter_not_found", saved_filter_id=ID)


@pytest.fixture
def edge() -> Edge:
    made = Edge()
    allow(made, "cases.read", "cases.write", "clients.read", "clients.write")
    return made


def allow(edge: Edge, *permissions: str) -> None:
    edge.answer(
        accounts.RESOLVE_API_KEY,
        lambda key_hash: {
            "firm_id": STAFF, "staff_id": STAFF, "api_key_id": STAFF, "role": "member", "expires_at": None,
            "permissions": list(permissions),
        },
    )  # fmt: skip


@pytest.mark.parametrize(("target", "owner"), [("cases", cases), ("clients", clients)])
def test_the_target_says_who_keeps_a_filter(edge: Edge, target: str, owner: Any) -> None:
    edge.answer(owner.CREATE_SAVED_FILTER, lambda **given: {**SAVED, **given, "target": target})
    edge.answer(owner.LIST_SAVED_FILTERS, lambda **paging: {"data": [SAVED], "meta": {"next_cursor": None, "total": 1}})
    made = edge.send("POST", "/v1/saved-filters", json={"name": "Open", "filter": {"a": 1}, "target": target})
    assert (made.status_code, made.json["target"]) == (201, target)
    assert made.headers["Location"].endswith(f"/v1/saved-filters/{ID}")
    assert edge.calls.asked(owner.CREATE_SAVED_FILTER) == [{"name": "Open", "filter": {"a": 1}}]
    listed = edge.send("GET", f"/v1/saved-filters?target={target}&limit=5")
    assert (listed.status_code, len(listed.json["data"])) == (200, 1)


def test_a_filter_is_of_cases_unless_it_says_otherwise(edge: Edge) -> None:
    edge.answer(cases.CREATE_SAVED_FILTER, lambda **given: {**SAVED, "target": "cases"})
    assert edge.send("POST", "/v1/saved-filters", json={"name": "Open", "filter": {}}).json["target"] == "cases"
    problem(edge.send("POST", "/v1/saved-filters", json={"name": "x", "filter": {}, "target": "tasks"}), 422,
            "invalid_input")  # fmt: skip


@pytest.mark.parametrize(("owner", "other"), [(cases, clients), (clients, cases)])
def test_an_id_leads_to_its_keeper(edge: Edge, owner: Any, other: Any) -> None:
    edge.answer(owner.GET_SAVED_FILTER, lambda saved_filter_id: SAVED)
    edge.answer(other.GET_SAVED_FILTER, unknown)
    edge.answer(owner.UPDATE_SAVED_FILTER, lambda **command: {**SAVED, "version": 3})
    edge.answer(owner.DELETE_SAVED_FILTER, lambda saved_filter_id: {})
    found = edge.send("GET", f"/v1/saved-filters/{ID}")
    assert (found.status_code, found.headers["ETag"]) == (200, '"2"')
    changed = edge.send("PATCH", f"/v1/saved-filters/{ID}", json={"name": "New"}, headers={"If-Match": '"2"'})
    assert (changed.status_code, changed.headers["ETag"]) == (200, '"3"')
    assert edge.calls.asked(owner.UPDATE_SAVED_FILTER) == [
        {"saved_filter_id": ID, "changes": {"name": "New"}, "expected_version": 2}
    ]
    assert edge.send("DELETE", f"/v1/saved-filters/{ID}").status_code == 204


def test_an_id_that_nobody_knows_is_404(edge: Edge) -> None:
    edge.answer(cases.GET_SAVED_FILTER, unknown)
    edge.answer(clients.GET_SAVED_FILTER, unknown)
    for method in ("GET", "DELETE"):
        problem(edge.send(method, f"/v1/saved-filters/{ID}"), 404, "saved_filter_not_found")
    problem(edge.send("PATCH", f"/v1/saved-filters/{ID}", json={"name": "x"}), 404, "saved_filter_not_found")


def test_who_may_not_read_one_kind_is_not_told_of_it(edge: Edge) -> None:
    allow(edge, "clients.read")
    edge.answer(clients.GET_SAVED_FILTER, unknown)
    problem(edge.send("GET", f"/v1/saved-filters/{ID}"), 404, "saved_filter_not_found")
    assert edge.calls.asked(cases.GET_SAVED_FILTER) == []
    problem(edge.send("GET", "/v1/saved-filters"), 403, "permission_denied")
    problem(edge.send("POST", "/v1/saved-filters", json={"nonsense": 1}), 403, "permission_denied")
