"""/v1/me, /v1/firm, /v1/staff, /v1/api-keys."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, g
from flask_smorest import Blueprint

from contracts import accounts, cases
from gateway.endpoints import call, expose, start
from gateway.wire import json_response

blueprint = Blueprint("accounts", __name__, url_prefix="/v1", description="The firm, its staff and its API keys.")


class Me(ma.Schema):
    """The credential's firm, staff member and role."""

    firm = ma.fields.Nested(accounts.Firm)
    staff = ma.fields.Nested(accounts.Staff)
    role = ma.fields.String()
    permissions = ma.fields.List(ma.fields.String())


@blueprint.route("/me", methods=["GET"])
@blueprint.response(200, Me)
def get_me() -> Response:
    """The credential's firm, staff member and role."""
    firm = start(accounts.GET_FIRM)
    staff = start(accounts.GET_STAFF, staff_id=g.credential["staff_id"])
    return json_response(
        {
            "firm": firm.result(),
            "staff": staff.result(),
            "role": g.credential["role"],
            "permissions": g.credential["permissions"],
        }
    )


def _of_known_types(asked: dict[str, Any]) -> dict[str, Any]:
    """Accounts keeps which types of cases a member is limited to, and only cases knows which there are. Raises Invalid
    `unknown_case_type`: with a mistyped id the member would see no case, and nobody why."""
    case_type_ids = asked.get("changes", asked).get("case_type_ids")
    if case_type_ids:
        call(cases.CHECK_CASE_TYPES, case_type_ids=case_type_ids)
    return asked


expose(blueprint, "GET", "/firm", accounts.GET_FIRM)
expose(blueprint, "PATCH", "/firm", accounts.UPDATE_FIRM)

STAFF = {"id": "staff_id"}
expose(blueprint, "GET", "/staff", accounts.LIST_STAFF)
expose(blueprint, "POST", "/staff", accounts.CREATE_STAFF, status=201, location="/v1/staff",
       prepare=_of_known_types)  # fmt: skip
expose(blueprint, "GET", "/staff/<uuid:id>", accounts.GET_STAFF, rename=STAFF)
expose(blueprint, "PATCH", "/staff/<uuid:id>", accounts.UPDATE_STAFF, rename=STAFF, prepare=_of_known_types)

expose(blueprint, "GET", "/api-keys", accounts.LIST_API_KEYS)
expose(
    blueprint, "POST", "/api-keys", accounts.CREATE_API_KEY, status=201, location="/v1/api-keys",
    leave_out={"by_api_key_id"}, prepare=lambda asked: {**asked, "by_api_key_id": g.credential["api_key_id"]},
)  # fmt: skip
expose(blueprint, "POST", "/api-keys/<uuid:id>/revoke", accounts.REVOKE_API_KEY, rename={"id": "api_key_id"})
