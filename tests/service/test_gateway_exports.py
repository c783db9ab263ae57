"""The edge's export: the list's filters, streamed page by page as CSV or as a workbook."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from openpyxl import load_workbook

from contracts.accounts import RESOLVE_API_KEY
from contracts.clients import LIST_EXPORT_COLUMNS, LIST_EXPORT_ROWS
from contracts.errors import Invalid, Unavailable
from tests.service.test_gateway_edge import CLIENT, FIRM, STAFF, Edge, problem

COLUMNS = ["first_name", "flag_reason"]
PAGES = ["Ann,'=1+1\r\n", 'Bob,"two\nlines\u2028, and ""more"""\r\n', "Cy,\r\n"]


@pytest.fixture
def edge() -> Edge:
    edge = Edge()
    credential = {
        "firm_id": FIRM, "staff_id": STAFF, "api_key_id": STAFF, "role": "member", "expires_at": None,
        "permissions": ["clients.read"],
    }  # fmt: skip
    edge.answer(RESOLVE_API_KEY, lambda key_hash: credential)
    edge.answer(LIST_EXPORT_COLUMNS, lambda **query: {"columns": COLUMNS})
    edge.answer(LIST_EXPORT_ROWS, lambda **query: page(query.get("after")))
    return edge


def id_of(number: int) -> str:
    return f"{CLIENT[:-1]}{number}"


def page(after: str | None) -> dict[str, Any]:
    number = int(after[-1]) + 1 if after else 0
    return {"rows": PAGES[number], "after": id_of(number) if number + 1 < len(PAGES) else None}


ROWS = [COLUMNS, ["Ann", "'=1+1"], ["Bob", 'two\nlines\u2028, and "more"'], ["Cy", ""]]


def test_all_pages_come_as_csv(edge: Edge) -> None:
    answer = edge.send("GET", "/v1/clients/export.csv")
    assert (answer.status_code, answer.content_type) == (200, "text/csv; charset=utf-8")
    assert answer.headers["Content-Disposition"] == "attachment; filename=clients.csv"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert list(csv.reader(io.StringIO(answer.get_data().decode("utf-8-sig"), newline=""))) == ROWS


def test_all_pages_come_as_a_workbook(edge: Edge) -> None:
    answer = edge.send("GET", "/v1/clients/export.xlsx")
    assert answer.headers["Content-Disposition"] == "attachment; filename=clients.xlsx"
    sheet = load_workbook(io.BytesIO(answer.get_data())).active
    assert [[cell or "" for cell in row] for row in sheet.iter_rows(values_only=True)] == ROWS


def test_a_page_is_fetched_when_the_one_before_has_been_sent(edge: Edge) -> None:
    parts = iter(edge.send("GET", "/v1/clients/export.csv", buffered=False).iter_encoded())
    next(parts)  # the names of the columns
    for fetched in range(1, 4):
        next(parts)
        assert len(edge.calls.asked(LIST_EXPORT_ROWS)) == fetched
    assert next(parts, None) is None


def test_the_lists_filters_hold_for_every_page_and_wrong_ones_are_named(edge: Edge) -> None:
    query = (
        f'status=active&tag=vip&mine=true&assigned_staff_id={STAFF}&filter={{"field":"status","op":"eq","value":"x"}}'
    )
    for form in ("csv", "xlsx"):
        assert edge.send("GET", f"/v1/clients/export.{form}?{query}", buffered=True).status_code == 200
    pages = edge.calls.asked(LIST_EXPORT_ROWS)
    assert len(pages) == 2 * len(PAGES)
    for asked in pages:
        assert (asked["status"], asked["tag"], asked["mine"], asked["columns"]) == ("active", "vip", True, COLUMNS)
        assert asked["filter"]["value"] == "x"
    problem(edge.send("GET", "/v1/clients/export.csv?status=maybe"), 422, "invalid_input")
    problem(edge.send("GET", "/v1/clients/export.csv?limit=5"), 422, "invalid_input")
    edge.answer(LIST_EXPORT_COLUMNS, lambda **query: (_ for _ in ()).throw(Invalid("invalid_filter")))
    problem(edge.send("GET", "/v1/clients/export.xlsx"), 422, "invalid_filter")


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_a_page_that_fails_breaks_the_transfer_off(edge: Edge, form: str) -> None:
    def fail_later(after: str | None = None, **query: Any) -> dict[str, Any]:
        if after is not None:
            raise Unavailable("database_unavailable")
        return page(None)

    edge.answer(LIST_EXPORT_ROWS, fail_later)
    with pytest.raises(Unavailable):
        edge.send("GET", f"/v1/clients/export.{form}", buffered=False).get_data()


def test_who_may_not_read_clients_exports_none(edge: Edge) -> None:
    credential = edge.calls.answers[RESOLVE_API_KEY](key_hash="")
    edge.answer(RESOLVE_API_KEY, lambda key_hash: {**credential, "permissions": ["consents.read"]})
    for form in ("csv", "xlsx"):
        problem(edge.send("GET", f"/v1/clients/export.{form}"), 403, "permission_denied")
