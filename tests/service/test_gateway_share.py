"""One case task handed to one client."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from chassis.tokens import hash_token
from contracts.accounts import RESOLVE_API_KEY
from contracts.errors import Conflict, Invalid
from contracts.messaging import SEND_MESSAGE
from contracts.portal import CREATE_LINK
from contracts.tasks import PREPARE_SHARING, RECORD_SHARING
from tests.service.test_gateway_edge import CLIENT, FIRM, PUBLIC, STAFF, Edge, problem

TASK = "018f4e9a-0000-7000-8000-000000000030"
MADE = "018f4e9a-0000-7000-8000-000000000060"
PATH = f"/v1/case-tasks/{TASK}/share"
EVERYTHING = ("tasks.write", "messages.write", "links.write")


def edge_of(*role_may: str) -> Edge:
    edge = Edge()
    credential = {
        "firm_id": FIRM, "staff_id": STAFF, "api_key_id": STAFF, "role": "member", "expires_at": None,
        "permissions": list(role_may),
    }  # fmt: skip
    edge.answer(RESOLVE_API_KEY, lambda key_hash: credential)
    edge.answer(PREPARE_SHARING, lambda case_task_id, client_id: {
        "case_task_id": case_task_id, "case_id": MADE, "client_id": client_id or CLIENT,
    })  # fmt: skip
    edge.answer(SEND_MESSAGE, lambda **_: {"id": MADE, "version": 1, "state": "accepted", "reason": None})
    edge.answer(CREATE_LINK, lambda **_: {"link_id": MADE, "expires_at": "2026-12-05T15:00:00Z"})
    edge.answer(RECORD_SHARING, lambda **_: {"id": TASK})
    return edge


@pytest.fixture
def edge() -> Edge:
    return edge_of(*EVERYTHING)


def only(asked: list[dict[str, Any]]) -> dict[str, Any]:
    """What was said in the one call."""
    (said,) = asked
    return {name: value for name, value in said.items() if value is not None}


def share(edge: Edge, body: dict[str, Any], **headers: str) -> Any:
    return edge.send("POST", PATH, json=body, headers=headers)


def test_by_a_text_with_words_and_a_time_of_its_own(edge: Edge) -> None:
    timing = {"mode": "at", "at": "2026-12-01T15:00:00Z"}
    body = {"channel": "sms", "message": {"body": "{{ client.first_name }}: {{ task.link }}"}, "timing": timing}
    response = share(edge, body)
    assert (response.status_code, response.json["state"]) == (202, "accepted")
    assert response.headers["Location"] == f"/v1/messages/{MADE}"
    at = dt.datetime(2026, 12, 1, 15, tzinfo=dt.UTC)
    assert only(edge.calls.asked(SEND_MESSAGE)) == {
        "case_task_id": TASK, "client_id": CLIENT, "channel": "sms", "needs_link": True,
        "timing": {"mode": "at", "at": at}, "body": "{{ client.first_name }}: {{ task.link }}",
    }  # fmt: skip
    told = {"case_task_id": TASK, "channel": "sms", "message_id": MADE}
    assert only(edge.calls.asked(RECORD_SHARING)) == told


def test_without_words_messaging_has_its_own(edge: Edge) -> None:
    assert share(edge, {"channel": "email", "client_id": STAFF}).status_code == 202
    assert only(edge.calls.asked(SEND_MESSAGE)) == {
        "case_task_id": TASK, "client_id": STAFF, "channel": "email", "needs_link": True,
        "timing": {"mode": "now", "at": None},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("channel", "scope"), [("copy", {"kind": "task", "case_task_id": TASK}), ("portal", {"kind": "tasks"})]
)
def test_by_a_link_whose_token_stays_here(edge: Edge, channel: str, scope: dict[str, Any]) -> None:
    response = share(edge, {"channel": channel})
    assert response.status_code == 201
    assert (response.json["id"], response.headers["Location"]) == (MADE, f"/v1/portal-links/{MADE}")
    assert response.headers["Cache-Control"] == "no-store"
    token = response.json["url"].removeprefix(f"{PUBLIC}/p/")
    made = only(edge.calls.asked(CREATE_LINK))
    assert {name: value for name, value in made.pop("scope").items() if value} == scope
    assert made == {"client_id": CLIENT, "token_hash": hash_token(token), "channel": "copy"}
    told = {"case_task_id": TASK, "channel": channel, "link_id": MADE}
    assert only(edge.calls.asked(RECORD_SHARING)) == told


def test_a_repeat_under_one_key_gives_the_same_link_and_another_use_of_the_key_another(edge: Edge) -> None:
    key = {"Idempotency-Key": "once"}
    first, again = share(edge, {"channel": "copy"}, **key), share(edge, {"channel": "copy"}, **key)
    assert first.json == again.json
    link = {"client_id": CLIENT, "scope": {"kind": "task", "case_task_id": TASK}}
    elsewhere = edge.send("POST", "/v1/portal-links", json=link, headers=key)
    assert elsewhere.json["url"] != first.json["url"]


def test_what_was_suppressed_or_refused_is_not_recorded_as_shared(edge: Edge) -> None:
    edge.answer(SEND_MESSAGE, lambda **_: {"id": MADE, "version": 1, "state": "suppressed", "reason": "opted_out"})
    response = share(edge, {"channel": "sms"})
    assert (response.status_code, response.json["reason"]) == (202, "opted_out")

    def refuse(**_: Any) -> None:
        raise Invalid("link_missing", fields=[{"field": "message", "message": "No link."}])

    edge.answer(SEND_MESSAGE, refuse)
    problem(share(edge, {"channel": "sms", "message": {"body": "Hello"}}), 422, "link_missing")
    assert edge.calls.asked(RECORD_SHARING) == []


def test_a_task_that_is_not_open_is_not_shared(edge: Edge) -> None:
    def refuse(**_: Any) -> None:
        raise Conflict("task_not_open", status="completed")

    edge.answer(PREPARE_SHARING, refuse)
    problem(share(edge, {"channel": "sms"}), 409, "task_not_open")
    assert edge.calls.asked(SEND_MESSAGE) == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"channel": "copy", "message": {"body": "x"}}, "message"),
        ({"channel": "portal", "timing": {"mode": "now"}}, "timing"),
        ({"channel": "sms", "contact_id": CLIENT}, "contact_id"),
        ({"channel": "email", "expires_at": "2026-12-05T15:00:00Z"}, "expires_at"),
        ({"channel": "phone"}, "channel"),
        ({}, "channel"),
        ({"channel": "sms", "needs_link": False}, "needs_link"),
    ],
)
def test_what_does_not_go_with_the_channel_is_refused(edge: Edge, body: dict[str, Any], field: str) -> None:
    refused = share(edge, body)
    assert (refused.status_code, refused.json["errors"][0]["field"]) == (422, field)
    assert edge.calls.asked(PREPARE_SHARING) == []


@pytest.mark.parametrize(("channel", "missing"), [("sms", "messages.write"), ("copy", "links.write")])
def test_each_way_needs_its_own_permission(channel: str, missing: str) -> None:
    edge = edge_of(*(permission for permission in EVERYTHING if permission != missing))
    assert problem(share(edge, {"channel": channel}), 403, "permission_denied")["permission"] == missing


def test_a_message_of_the_api_cannot_say_that_it_needs_a_link(edge: Edge) -> None:
    body = {"client_id": CLIENT, "channel": "sms", "body": "x", "needs_link": True}
    assert edge.send("POST", "/v1/messages", json=body).status_code == 422
