"""/v1/erasures, and what of a client's privacy is under /v1/clients: taking back, legal holds, erasing."""

from __future__ import annotations

from flask_smorest import Blueprint

from contracts import clients
from gateway.endpoints import expose

blueprint = Blueprint("privacy", __name__, url_prefix="/v1", description="Deleted, held and erased clients.")
CLIENT = {"id": "client_id"}

expose(blueprint, "GET", "/clients/archived", clients.LIST_ARCHIVED_CLIENTS)
expose(blueprint, "POST", "/clients/<uuid:id>/restore", clients.RESTORE_CLIENT, rename=CLIENT)
expose(blueprint, "GET", "/clients/<uuid:id>/legal-holds", clients.LIST_LEGAL_HOLDS, rename=CLIENT)
expose(blueprint, "POST", "/clients/<uuid:id>/legal-holds", clients.PLACE_LEGAL_HOLD, rename=CLIENT, status=201)
expose(
    blueprint, "POST", "/clients/<uuid:id>/legal-holds/<uuid:legal_hold_id>/release", clients.RELEASE_LEGAL_HOLD,
    rename=CLIENT,
)  # fmt: skip
expose(
    blueprint, "POST", "/clients/<uuid:id>/erase", clients.ERASE_CLIENT, rename=CLIENT, status=202,
    location="/v1/erasures",
)  # fmt: skip
expose(blueprint, "GET", "/erasures", clients.LIST_ERASURES)
expose(blueprint, "GET", "/erasures/<uuid:id>", clients.GET_ERASURE, rename={"id": "erasure_id"})
