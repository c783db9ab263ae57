"""The edge for groups, contacts and companies: each route reaches its operation with what its path says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from contracts import clients, messaging
from contracts.base import Operation
from contracts.errors import Conflict, NotFound
from tests.service.test_gateway_edge import Edge, edge, problem

__all__ = ["edge"]

ID = "018f4e9a-0000-7000-8000-000000000011"
CONTACT = "018f4e9a-0000-7000-8000-000000000012"
GROUP = {"id": ID, "version": 3, "name": "News", "kind": "static", "member_count": 2}
PERSON = {"id": CONTACT, "version": 2, "first_name": "Ann", "clients": [], "portal_access": False}
COMPANY = {"id": ID, "version": 1, "name": "First Title", "kind": "title_company"}
PAGE = {"data": [], "meta": {"next_cursor": None, "total": 0}}


@pytest.mark.parametrize(
    ("method", "path", "operation", "body", "asked", "status", "answer"),
    [
        ("GET", "/v1/client-groups?sort=name", clients.LIST_CLIENT_GROUPS, None, {"sort": "name"}, 200, PAGE),
        ("POST", "/v1/client-groups", clients.CREATE_CLIENT_GROUP, {"name": "News"}, {"name": "News"}, 201, GROUP),
        ("GET", f"/v1/client-groups/{ID}", clients.GET_CLIENT_GROUP, None, {"group_id": ID}, 200, GROUP),
        ("DELETE", f"/v1/client-groups/{ID}", clients.DELETE_CLIENT_GROUP, None, {"group_id": ID}, 204, {}),
        (
            "GET", f"/v1/client-groups/{ID}/members?limit=2", clients.LIST_GROUP_MEMBERS, None,
            {"group_id": ID, "limit": 2}, 200, PAGE,
        ),
        (
            "POST", f"/v1/client-groups/{ID}/members", clients.CHANGE_GROUP_MEMBERS,
            {"add": [CONTACT], "add_matching": {"tag": "news"}}, {"group_id": ID, "add": [CONTACT]}, 200,
            {"added": 1, "removed": 0, "member_count": 1},
        ),
        ("GET", "/v1/contacts?q=ann", clients.LIST_CONTACTS, None, {"q": "ann"}, 200, PAGE),
        (
            "POST", "/v1/contacts", clients.CREATE_CONTACT, {"first_name": "Ann", "client_ids": [ID]},
            {"client_ids": [ID]}, 201, PERSON,
        ),
        ("GET", f"/v1/contacts/{CONTACT}", clients.GET_CONTACT, None, {"contact_id": CONTACT}, 200, PERSON),
        ("GET", f"/v1/clients/{ID}/contacts", clients.LIST_CONTACTS, None, {"client_id": ID}, 200, PAGE),
        (
            "POST", f"/v1/clients/{ID}/contacts", clients.ADD_CLIENT_CONTACT, {"contact_id": CONTACT, "notify": True},
            {"client_id": ID, "contact_id": CONTACT, "notify": True}, 201, PERSON,
        ),
        (
            "PATCH", f"/v1/clients/{ID}/contacts/{CONTACT}", clients.UPDATE_CLIENT_CONTACT, {"notify": False},
            {"client_id": ID, "contact_id": CONTACT, "changes": {"notify": False}}, 200, PERSON,
        ),
        ("GET", "/v1/companies?q=title", clients.LIST_COMPANIES, None, {"q": "title"}, 200, PAGE),
        ("GET", f"/v1/companies/{ID}", clients.GET_COMPANY, None, {"company_id": ID}, 200, COMPANY),
        ("GET", "/v1/companies/proposals", clients.LIST_COMPANY_PROPOSALS, None, {}, 200, PAGE),
        (
            "POST", "/v1/companies/proposals", clients.PROPOSE_COMPANY, {"company_id": ID, "name": "First"},
            {"company_id": ID, "name": "First"}, 201, {**COMPANY, "state": "pending", "company_id": ID},
        ),
        ("GET", f"/v1/clients/{ID}/company", clients.GET_CLIENT_COMPANY, None, {"client_id": ID}, 200, COMPANY),
        (
            "PUT", f"/v1/clients/{ID}/company", clients.LINK_COMPANY, {"company_id": CONTACT},
            {"client_id": ID, "company_id": CONTACT}, 200, COMPANY,
        ),
    ],
)  # fmt: skip
def test_a_route_asks_its_operation(
    edge: Edge,
    method: str,
    path: str,
    operation: Operation,
    body: dict[str, Any] | None,
    asked: dict[str, Any],
    status: int,
    answer: dict[str, Any],
) -> None:
    edge.answer(operation, lambda **_: answer)
    response = edge.send(method, path, **({"json": body} if body is not None else {}))
    assert response.status_code == status, response.text
    (arguments,) = edge.calls.asked(operation)
    assert {name: arguments[name] for name in asked} == asked
    if status == 201:
        assert response.headers["Location"].endswith(f"/{answer['id']}")
    if "version" in answer:
        assert response.headers["ETag"] == f'"{answer["version"]}"'


def test_a_stale_group_is_412(edge: Edge) -> None:
    def stale(**command: Any) -> None:
        assert command["expected_version"] == 2
        raise Conflict("stale_version", version=3)

    edge.answer(clients.UPDATE_CLIENT_GROUP, stale)
    response = edge.send("PATCH", f"/v1/client-groups/{ID}", json={"name": "X"}, headers={"If-Match": '"2"'})
    problem(response, 412, "stale_version")


def test_what_was_sent_to_a_group_is_listed_if_there_is_such_a_group(edge: Edge) -> None:
    edge.answer(messaging.LIST_GROUP_MESSAGES, lambda **_: PAGE)
    edge.answer(clients.GET_CLIENT_GROUP, lambda **_: GROUP)
    response = edge.send("GET", f"/v1/client-groups/{ID}/messages")
    assert (response.status_code, json.loads(response.data)) == (200, PAGE)

    def unknown(**_: Any) -> None:
        raise NotFound("client_group_not_found")

    edge.answer(clients.GET_CLIENT_GROUP, unknown)
    problem(edge.send("GET", f"/v1/client-groups/{ID}/messages"), 404, "client_group_not_found")


def test_a_message_to_a_group_needs_the_permission_for_bulk_messages(edge: Edge) -> None:
    body = {"channels": ["sms"], "message": {"body": "Hi"}}
    problem(edge.send("POST", f"/v1/client-groups/{ID}/messages", json=body), 403, "permission_denied")
    assert edge.calls.asked(messaging.REQUEST_GROUP_MESSAGES) == []


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/contacts", {"first_name": "Ann"}, "client_ids"),
        ("/v1/contacts", {"first_name": "Ann", "client_ids": []}, "client_ids"),
        ("/v1/contacts", {"first_name": "Ann", "client_ids": [ID], "firm_id": ID}, "firm_id"),
        ("/v1/client-groups", {"name": "A", "kind": "secret"}, "kind"),
        ("/v1/client-groups", {"name": ""}, "name"),
        ("/v1/client-groups", {"name": "A", "member_count": 3}, "member_count"),
        (f"/v1/client-groups/{ID}/members", {"add_matching": {"shoe_size": 3}}, "add_matching.shoe_size"),
        ("/v1/companies/proposals", {"name": "A", "kind": "lender", "state": "accepted"}, "state"),
        ("/v1/companies/proposals", {"name": "A", "kind": "spaceport"}, "kind"),
    ],
)
def test_bad_input_names_the_field(edge: Edge, path: str, body: dict[str, Any], field: str) -> None:
    refused = problem(edge.send("POST", path, json=body), 422, "invalid_input")
    assert [entry["field"] for entry in refused["errors"]] == [field]
