"""/v1/client-fields: what a firm adds to its clients."""

from __future__ import annotations

from flask_smorest import Blueprint

from contracts import clients
from gateway.endpoints import expose

blueprint = Blueprint(
    "client fields", __name__, url_prefix="/v1/client-fields", description="Fields that a firm adds to its clients."
)
FIELD = {"id": "client_field_id"}

expose(blueprint, "GET", "", clients.LIST_CLIENT_FIELDS)
expose(blueprint, "POST", "", clients.CREATE_CLIENT_FIELD, status=201, location="/v1/client-fields")
expose(blueprint, "GET", "/<uuid:id>", clients.GET_CLIENT_FIELD, rename=FIELD)
expose(blueprint, "PATCH", "/<uuid:id>", clients.UPDATE_CLIENT_FIELD, rename=FIELD)
expose(blueprint, "DELETE", "/<uuid:id>", clients.DELETE_CLIENT_FIELD, rename=FIELD, status=204)
