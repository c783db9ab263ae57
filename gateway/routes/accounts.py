"""/v1/me, /v1/firm, /v1/staff, /v1/api-keys."""

from __future__ import annotations

import marshmallow as ma
from flask import Response, g
from flask_smorest import Blueprint

from contracts import accounts
from gateway.endpoints import expose, start
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


expose(blueprint, "GET", "/firm", accounts.GET_FIRM)
expose(blueprint, "PATCH", "/firm", accounts.UPDATE_FIRM)

STAFF = {"id": "staff_id"}
expose(blueprint, "GET", "/staff", accounts.LIST_STAFF)
expose(blueprint, "POST", "/staff", accounts.CREATE_STAFF, status=201, location="/v1/staff")
expose(blueprint, "GET", "/staff/<uuid:id>", accounts.GET_STAFF, rename=STAFF)
expose(blueprint, "PATCH", "/staff/<uuid:id>", accounts.UPDATE_STAFF, rename=STAFF)

expose(blueprint, "GET", "/api-keys", accounts.LIST_API_KEYS)
expose(
    blueprint, "POST", "/api-keys", accounts.CREATE_API_KEY, status=201, location="/v1/api-keys",
    leave_out={"by_api_key_id"}, prepare=lambda asked: {**asked, "by_api_key_id": g.credential["api_key_id"]},
)  # fmt: skip
expose(blueprint, "POST", "/api-keys/<uuid:id>/revoke", accounts.REVOKE_API_KEY, rename={"id": "api_key_id"})
