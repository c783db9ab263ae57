"""/v1/case-types."""

from __future__ import annotations

from flask_smorest import Blueprint

from contracts import cases
from gateway.endpoints import expose

blueprint = Blueprint("case types", __name__, url_prefix="/v1", description="Types of case.")
TYPE = {"id": "case_type_id"}

expose(blueprint, "GET", "/case-types", cases.LIST_CASE_TYPES)
expose(blueprint, "POST", "/case-types", cases.CREATE_CASE_TYPE, status=201, location="/v1/case-types")
expose(blueprint, "GET", "/case-types/<uuid:id>", cases.GET_CASE_TYPE, rename=TYPE)
expose(blueprint, "PATCH", "/case-types/<uuid:id>", cases.UPDATE_CASE_TYPE, rename=TYPE)
