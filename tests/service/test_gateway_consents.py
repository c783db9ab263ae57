"""The ledger as proof: a CSV of any length, streamed page by page, in which no cell is a formula."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from contracts.accounts import RESOLVE_API_KEY
from contracts.errors import Unavailable
from contracts.messaging import LIST_CONSENTS, RECORD_CONSENTS
from gateway.routes.consents import COLUMNS
from tests.service.test_gateway_edge import CLIENT, FIRM, STAFF, Edge, problem

PATH = "/v1/consents/export.csv"


def entry(number: int, words: str = "STOP") -> dict[str, Any]:
    evidence = {"words": words, "provider": "twilio", "provider_id": f"SM{number}", "rule": "keyword:stop"}
    return {
        "id": CLIENT, "at": "2026-11-21T17:00:00Z", "channel": "sms", "address": "+12125550123", "client_id": None,
        "state": "opted_out", "source": "reply", "evidence": evidence, "rule_version": "2026-2",
    }  # fmt: skip


@pytest.fixture
def edge() -> Edge:
    edge = Edge()
    credential = {
        "firm_id": FIRM, "staff_id": STAFF, "api_key_id": STAFF, "role": "member", "expires_at": None,
        "permissions": ["consents.read"],
    }  # fmt: skip
    edge.answer(RESOLVE_API_KEY, lambda key_hash: credential)
    return edge


def serve_pages(edge: Edge, pages: list[list[dict[str, Any]]]) -> None:
    def answer(cursor: str | None = None, **query: Any) -> dict[str, Any]:
        number = int(cursor or 0)
        following = str(number + 1) if number + 1 < len(pages) else None
        return {"data": pages[number], "meta": {"next_cursor": following, "total": sum(map(len, pages))}}

    edge.answer(LIST_CONSENTS, answer)


def read(response: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(response.get_data().decode("utf-8-sig"))))


def test_the_whole_ledger_comes_with_its_evidence_in_columns(edge: Edge) -> None:
    serve_pages(edge, [[entry(1), entry(2)], [entry(3)]])
    answer = edge.send("GET", PATH)
    assert (answer.status_code, answer.content_type) == (200, "text/csv; charset=utf-8")
    assert answer.headers["Content-Disposition"] == "attachment; filename=consents.csv"
    rows = read(answer)
    assert tuple(rows[0]) == COLUMNS
    assert [row["provider_id"] for row in rows] == ["SM1", "SM2", "SM3"]
    assert (rows[0]["words"], rows[0]["client_id"], rows[0]["actor_id"]) == ("STOP", "", "")


def test_a_page_is_fetched_when_the_one_before_has_been_sent(edge: Edge) -> None:
    serve_pages(edge, [[entry(number)] for number in range(5)])
    chunks = iter(edge.send("GET", PATH, buffered=False).iter_encoded())
    next(chunks)  # the names of the columns
    for fetched in range(1, 6):
        next(chunks)
        assert len(edge.calls.asked(LIST_CONSENTS)) == fetched
    assert next(chunks, None) is None


def test_the_lists_filters_hold_and_wrong_ones_are_named(edge: Edge) -> None:
    serve_pages(edge, [[]])
    query = f"channel=sms&state=opted_out&since=2026-01-01T00:00:00Z&until=2027-01-01T00:00:00Z&client_id={CLIENT}"
    assert read(edge.send("GET", f"{PATH}?{query}")) == []
    asked = edge.calls.asked(LIST_CONSENTS)[0]
    assert (asked["channel"], asked["state"], asked["client_id"], asked["sort"]) == ("sms", "opted_out", CLIENT, "at")
    assert (asked["since"].year, asked["until"].year) == (2026, 2027)
    problem(edge.send("GET", f"{PATH}?state=maybe"), 422, "invalid_input")
    problem(edge.send("GET", f"{PATH}?limit=5"), 422, "invalid_input")


@pytest.mark.parametrize("words", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\r=1", 'a "quoted"\nline, with a comma'])
def test_no_cell_is_a_formula(edge: Edge, words: str) -> None:
    serve_pages(edge, [[entry(1, words)]])
    (row,) = read(edge.send("GET", PATH))
    assert row["words"].lstrip("'").replace("\r", "") == words.replace("\r", "")
    for cell in row.values():
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))


def test_a_page_that_fails_breaks_the_transfer_off(edge: Edge) -> None:
    serve_pages(edge, [[entry(1)], [entry(2)]])
    working = edge.calls.answers[LIST_CONSENTS]

    def fail_later(cursor: str | None = None, **query: Any) -> dict[str, Any]:
        if cursor is not None:
            raise Unavailable("database_unavailable")
        return dict(working(cursor=cursor, **query))

    edge.answer(LIST_CONSENTS, fail_later)
    answer = edge.send("GET", PATH)
    with pytest.raises(Unavailable):
        answer.get_data()


def test_who_may_not_read_consents_exports_none_and_states_none(edge: Edge) -> None:
    credential = edge.calls.answers[RESOLVE_API_KEY](key_hash="")
    body = {"entries": [{"channel": "sms", "address": "+12125550123", "state": "opted_out"}]}
    problem(edge.send("POST", "/v1/consents", json=body), 403, "permission_denied")
    edge.credentials._by_hash.clear()
    edge.answer(RESOLVE_API_KEY, lambda key_hash: {**credential, "permissions": ["clients.read"]})
    problem(edge.send("GET", PATH), 403, "permission_denied")


def test_a_statement_is_about_an_address_or_a_client(edge: Edge) -> None:
    credential = edge.calls.answers[RESOLVE_API_KEY](key_hash="")
    edge.answer(RESOLVE_API_KEY, lambda key_hash: {**credential, "permissions": ["consents.write"]})
    edge.answer(RECORD_CONSENTS, lambda **command: {"recorded": 1, "unchanged": 0, "kept": 0})
    about = {"channel": "sms", "state": "opted_out", "address": "+12125550123"}
    assert edge.send("POST", "/v1/consents", json={"entries": [about]}).status_code == 200
    both = problem(
        edge.send("POST", "/v1/consents", json={"entries": [about, {**about, "client_id": CLIENT}]}),
        422, "invalid_input",
    )  # fmt: skip
    assert [found["field"] for found in both["errors"]] == ["entries.1.address"]
    too_many = edge.send("POST", "/v1/consents", json={"entries": [about] * 1001})
    assert problem(too_many, 422, "invalid_input")["errors"][0]["field"] == "entries"
