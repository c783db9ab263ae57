"""A client's card: every service asked at once, each for its part."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.context import current
from contracts import cases, clients, messaging, tasks
from contracts.accounts import RESOLVE_API_KEY
from contracts.base import Operation
from contracts.errors import DeadlineExceeded, Gone, NotFound, Unavailable
from gateway.routes import card
from gateway.routes.card import CASES, CONTACT, TASKS, Asked, calls_for
from tests.service.test_gateway_edge import CLIENT, FIRM, STAFF, Edge, problem

PATH = f"/v1/clients/{CLIENT}/card"
ALL = ["clients.read", "cases.read", "tasks.read", "messages.read", "consents.read"]
RECORD = ("client", "activity", "notes", "contacts", "businesses", "groups")
PARTS = (*RECORD, "cases", "tasks", "communications", "preferences")
PAGE = {"data": [], "meta": {"next_cursor": None, "total": 0}}


def edge_of(permissions: list[str]) -> Edge:
    edge = Edge()
    credential = {
        "firm_id": FIRM, "staff_id": STAFF, "api_key_id": STAFF, "role": "member", "expires_at": None,
        "permissions": permissions,
    }  # fmt: skip
    edge.answer(RESOLVE_API_KEY, lambda key_hash: credential)
    edge.answer(
        clients.GET_CLIENT_CARD,
        lambda client_id, limit: {
            **dict.fromkeys(RECORD, PAGE), "client": {"id": client_id, "last_activity_at": "2026-11-21T15:00:00Z"}
        },
    )  # fmt: skip
    edge.answer(
        cases.SUMMARIZE_CLIENT_CASES,
        lambda **_: {"open": 2, "closed": 1, "total_value": "1250.50", "open_case_ids": [], "cases": []},
    )
    edge.answer(tasks.LIST_CLIENT_TASKS, lambda **query: {"open": 4, "case_tasks": []})
    said = {"sms": None, "email": "opted_out", "phone": None}
    edge.answer(messaging.GET_CLIENT_CONTACT, lambda **query: {"communications": PAGE, "preferences": said})
    edge.answer(messaging.LIST_COMMUNICATIONS, lambda **query: PAGE)
    edge.answer(messaging.GET_PREFERENCES, lambda client_id: said)
    return edge


@pytest.fixture
def edge() -> Edge:
    return edge_of(ALL)


def test_one_request_shows_every_part_and_the_statistics(edge: Edge) -> None:
    shown = edge.send("GET", PATH).get_json()
    assert set(shown) == {*PARTS, "statistics"}
    assert len(calls_for(ALL)) == 4
    assert shown["statistics"] == {
        "cases_open": 2, "cases_closed": 1, "total_value": "1250.50", "open_tasks": 4,
        "last_activity_at": "2026-11-21T15:00:00Z",
    }  # fmt: skip
    for one in calls_for(ALL):
        (asked,) = edge.calls.asked(one.operation)
        assert asked["client_id"] == CLIENT


def test_every_call_is_under_way_before_an_answer_is_waited_for(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    real, steps = card.start, list[str]()

    class Reply:
        def __init__(self, reply: Any) -> None:
            self._reply = reply

        def result(self) -> Any:
            steps.append("waited")
            return self._reply.result()

    def start(operation: Operation, **arguments: Any) -> Reply:
        steps.append("begun")
        return Reply(real(operation, **arguments))

    monkeypatch.setattr(card, "start", start)
    assert edge.send("GET", PATH).status_code == 200
    # Tasks alone wait, for what cases say.
    assert steps == ["begun"] * 3 + ["waited", "begun"] + ["waited"] * 3


@pytest.mark.parametrize("known", [[CLIENT], [], None], ids=["some", "none", "too many"])
def test_tasks_are_told_of_the_open_cases_that_cases_name(edge: Edge, known: list[str] | None) -> None:
    summary = {"open": 2, "closed": 1, "total_value": "0.00", "cases": []}
    edge.answer(cases.SUMMARIZE_CLIENT_CASES, lambda **_: {**summary, "open_case_ids": known})
    assert edge.send("GET", PATH).get_json()["cases"] == summary
    (asked,) = edge.calls.asked(tasks.LIST_CLIENT_TASKS)
    assert asked["case_ids"] == known


def test_tasks_ask_themselves_where_cases_do_not_answer(edge: Edge) -> None:
    def away(**_: Any) -> None:
        raise Unavailable("no_answer")

    edge.answer(cases.SUMMARIZE_CLIENT_CASES, away)
    assert edge.send("GET", PATH).get_json()["tasks"]["open"] == 4
    (asked,) = edge.calls.asked(tasks.LIST_CLIENT_TASKS)
    assert asked["case_ids"] is None


def test_a_card_has_one_deadline_for_all_its_calls(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for another answer does not wait for so long again."""
    real, left = card.start, list[float]()

    def start(operation: Operation, **arguments: Any) -> Any:
        left.append(current().remaining(60.0))  # type: ignore[union-attr]
        return real(operation, **arguments)

    monkeypatch.setattr(card, "start", start)
    assert edge.send("GET", PATH).status_code == 200
    assert len(left) == 4
    assert card.SECONDS >= left[0] > left[-1]


@pytest.mark.parametrize("error", [Unavailable("no_answer"), DeadlineExceeded("deadline_exceeded")], ids=str)
@pytest.mark.parametrize("one", [CASES, TASKS, CONTACT], ids=lambda one: one.parts[0])
def test_a_service_that_does_not_answer_costs_its_part_and_no_more(edge: Edge, one: Asked, error: Exception) -> None:
    def away(**_: Any) -> None:
        raise error

    edge.answer(one.operation, away)
    answer = edge.send("GET", PATH)
    assert answer.status_code == 200
    shown = answer.get_json()
    assert tuple(name for name in PARTS if shown[name] == {"unavailable": True}) == one.parts
    assert shown["statistics"]["cases_open"] == (None if one is CASES else 2)
    assert shown["statistics"]["open_tasks"] == (None if one is TASKS else 4)


def test_what_the_caller_may_not_see_is_left_out_and_not_asked_for() -> None:
    edge = edge_of(["clients.read", "tasks.read"])
    shown = edge.send("GET", PATH).get_json()
    assert set(shown) == {*RECORD, "tasks", "statistics"}
    assert edge.calls.asked(messaging.GET_CLIENT_CONTACT) == []
    assert shown["statistics"]["cases_open"] is None
    messages = edge_of(["clients.read", "messages.read"]).send("GET", PATH).get_json()
    assert set(messages) == {*RECORD, "communications", "statistics"}
    wishes = edge_of(["clients.read", "consents.read"]).send("GET", PATH).get_json()
    assert wishes["preferences"]["email"] == "opted_out"
    problem(edge_of(["tasks.read"]).send("GET", PATH), 403, "permission_denied")


@pytest.mark.parametrize(
    ("error", "status"), [(NotFound("client_not_found"), 404), (Gone("client_erased"), 410)], ids=str
)
def test_without_the_client_there_is_no_card(edge: Edge, error: Exception, status: int) -> None:
    def gone(**_: Any) -> None:
        raise error

    edge.answer(clients.GET_CLIENT_CARD, gone)
    problem(edge.send("GET", PATH), status, str(error))


def test_a_clients_tasks_are_told_of_a_client_that_is_there(edge: Edge) -> None:
    def gone(client_id: str) -> None:
        raise NotFound("client_not_found", client_id=client_id)

    path = f"/v1/clients/{CLIENT}/tasks"
    edge.answer(clients.GET_CLIENT, gone)
    problem(edge.send("GET", path), 404, "client_not_found")
    edge.answer(clients.GET_CLIENT, lambda client_id: {"id": client_id})
    assert edge.send("GET", f"{path}?limit=5").get_json() == {"open": 4, "case_tasks": []}
    assert edge.calls.asked(tasks.LIST_CLIENT_TASKS)[-1] == {"client_id": CLIENT, "case_ids": None, "limit": 5}
