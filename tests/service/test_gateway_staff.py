"""/v1/staff: a member is limited to types of cases that there are."""

from __future__ import annotations

from typing import Any

import pytest

from contracts import accounts, cases
from contracts.errors import invalid_field
from tests.service.test_gateway_edge import Edge, edge, problem
from tests.service.test_gateway_saved_filters import allow

__all__ = ["edge"]

ID = "018f4e9a-0000-7000-8000-000000000011"
STAFF = {"id": ID, "version": 1, "name": "Lee", "role": "member"}


def refuse(**asked: Any) -> Any:
    raise invalid_field("case_type_ids.0", "There is no such case type.", "unknown_case_type")


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [("POST", "/v1/staff", accounts.CREATE_STAFF), ("PATCH", f"/v1/staff/{ID}", accounts.UPDATE_STAFF)],
)
def test_a_limit_names_types_of_cases_that_cases_has(edge: Edge, method: str, path: str, operation: Any) -> None:
    allow(edge, "staff.write")
    edge.answer(operation, lambda **asked: STAFF)
    member = {"name": "Lee", "role": "member"}
    for unlimited in ({}, {"case_type_ids": None}, {"case_type_ids": []}):
        assert edge.send(method, path, json={**member, **unlimited}).status_code < 300
    assert edge.calls.asked(cases.CHECK_CASE_TYPES) == []
    edge.answer(cases.CHECK_CASE_TYPES, lambda **asked: {})
    limited = {**member, "case_type_ids": [ID]}
    assert edge.send(method, path, json=limited).status_code < 300
    assert edge.calls.asked(cases.CHECK_CASE_TYPES) == [{"case_type_ids": [ID]}]
    edge.answer(cases.CHECK_CASE_TYPES, refuse)
    refused = problem(edge.send(method, path, json=limited), 422, "unknown_case_type")
    assert [entry["field"] for entry in refused["errors"]] == ["case_type_ids.0"]
    assert len(edge.calls.asked(operation)) == 4
