"""/v1/cases."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, request
from flask_smorest import Blueprint

from contracts import cases
from contracts.base import Id
from contracts.errors import Invalid
from gateway.endpoints import call, expose, permitted, query_arguments
from gateway.wire import json_response

blueprint = Blueprint("cases", __name__, url_prefix="/v1", description="Cases.")
CASE = {"id": "case_id"}


def _skip_duplicate_check(arguments: dict[str, Any]) -> dict[str, Any]:
    if arguments.get("new_client") and request.headers.get("X-Skip-Duplicate-Check", "").lower() == "true":
        arguments["new_client"]["skip_duplicate_check"] = True
    return arguments


expose(blueprint, "GET", "/cases", cases.LIST_CASES)
expose(blueprint, "POST", "/cases", cases.CREATE_CASE, status=201, location="/v1/cases", prepare=_skip_duplicate_check)
expose(blueprint, "GET", "/cases/<uuid:id>", cases.GET_CASE, rename=CASE)
expose(blueprint, "PATCH", "/cases/<uuid:id>", cases.UPDATE_CASE, rename=CASE)
expose(blueprint, "POST", "/cases/<uuid:id>/archive", cases.ARCHIVE_CASE, rename=CASE)
expose(blueprint, "POST", "/cases/<uuid:id>/unarchive", cases.UNARCHIVE_CASE, rename=CASE)
expose(blueprint, "GET", "/cases/<uuid:id>/activity", cases.LIST_CASE_ACTIVITY, rename=CASE)
expose(blueprint, "GET", "/cases/<uuid:id>/status-changes", cases.LIST_STATUS_CHANGES, rename=CASE)


class SelectedIds(ma.Schema):
    data = ma.fields.List(Id())
    meta = ma.fields.Nested(cases.CasePageMeta)


class SelectQuery(ma.Schema):
    limit = ma.fields.Integer(load_default=200, validate=ma.validate.Range(min=1, max=5000))
    cursor = ma.fields.String(load_default=None, allow_none=True)


@blueprint.route("/cases/select", methods=["POST"])
@permitted(cases.SELECT_CASES)
@blueprint.arguments(cases.Selector)
@query_arguments(blueprint, SelectQuery)
@blueprint.response(200, SelectedIds)
def select_cases(selector: dict[str, Any], query: dict[str, Any]) -> Response:
    """The ids of the cases that a selector means, by pages."""
    try:
        selected = call(cases.SELECT_CASES, selector=request.get_json(), **query)
    except Invalid as refused:
        # Here the selector is the body itself.
        for entry in refused.fields:
            entry["field"] = entry["field"].removeprefix("selector").removeprefix(".")
        raise
    return json_response({"data": [entry["case_id"] for entry in selected["data"]], "meta": selected["meta"]})
