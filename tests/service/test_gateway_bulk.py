"""/v1/case-tasks/bulk-assignments at the edge."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from contracts.accounts import RESOLVE_API_KEY
from contracts.tasks import BULK_ASSIGN, LIST_LEFT_OUT
from tests.service.test_gateway_edge import CLIENT, FIRM, STAFF, Edge

AN_ID = CLIENT
ENTRY = {
    "id": AN_ID, "case_id": AN_ID, "template_id": None, "form_id": AN_ID, "title": "=Intake",
    "reason": "already_assigned",
}  # fmt: skip


@pytest.fixture
def edge() -> Edge:
    edge = Edge()
    credential = {
        "firm_id": FIRM, "staff_id": STAFF, "api_key_id": STAFF, "role": "member", "expires_at": None,
        "permissions": ["tasks.read", "tasks.write"],
    }  # fmt: skip
    edge.answer(RESOLVE_API_KEY, lambda key_hash: credential)
    return edge


def test_what_was_left_out_comes_as_a_file(edge: Edge) -> None:
    asked: list[Any] = []

    def answer(cursor: str | None, **query: Any) -> dict[str, Any]:
        asked.append((query["bulk_assignment_id"], query["reason"], cursor))
        return {"data": [ENTRY], "meta": {"next_cursor": None if cursor else "more", "total": 2}}

    edge.answer(LIST_LEFT_OUT, answer)
    answered = edge.send("GET", f"/v1/case-tasks/bulk-assignments/{AN_ID}/left-out.csv?reason=already_assigned")
    assert answered.status_code == 200
    rows = list(csv.reader(io.StringIO(answered.text.removeprefix("\ufeff"))))
    assert rows == [
        ["case_id", "template_id", "form_id", "title", "reason"],
        *[[AN_ID, "", AN_ID, "'=Intake", "already_assigned"]] * 2,
    ]
    assert asked == [(AN_ID, "already_assigned", None), (AN_ID, "already_assigned", "more")]


def test_a_dry_run_has_no_address(edge: Edge) -> None:
    record = {"version": 0, "state": "finished", "added": 3, "left_out": {}, "examples": [], "failure": None}
    edge.answer(BULK_ASSIGN, lambda dry_run, **_: {**record, "id": None if dry_run else AN_ID, "dry_run": dry_run})
    body = {"selector": {"case_ids": [AN_ID]}, "form_ids": [AN_ID]}
    made = edge.send("POST", "/v1/case-tasks/bulk-assign", json=body)
    assert (made.status_code, made.headers["Location"]) == (202, f"/v1/case-tasks/bulk-assignments/{AN_ID}")
    tried = edge.send("POST", "/v1/case-tasks/bulk-assign", json={**body, "dry_run": True})
    assert (tried.status_code, tried.json["id"], "Location" in tried.headers) == (202, None, False)
