"""/v1/case-lists."""

from __future__ import annotations

from flask_smorest import Blueprint

from contracts import cases
from gateway.endpoints import expose

blueprint = Blueprint("case lists", __name__, url_prefix="/v1", description="Lists of cases.")
LIST = {"id": "case_list_id"}

expose(blueprint, "GET", "/case-lists", cases.LIST_CASE_LISTS)
expose(blueprint, "POST", "/case-lists", cases.CREATE_CASE_LIST, status=201, location="/v1/case-lists")
expose(blueprint, "GET", "/case-lists/<uuid:id>", cases.GET_CASE_LIST, rename=LIST)
expose(blueprint, "PATCH", "/case-lists/<uuid:id>", cases.UPDATE_CASE_LIST, rename=LIST)
expose(blueprint, "DELETE", "/case-lists/<uuid:id>", cases.DELETE_CASE_LIST, rename=LIST, status=204)
