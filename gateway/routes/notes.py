"""/v1/clients/{id}/notes and /v1/clients/{id}/policy-consents."""

from __future__ import annotations

from flask_smorest import Blueprint

from contracts import clients
from gateway.endpoints import expose

blueprint = Blueprint("notes", __name__, url_prefix="/v1/clients", description="What is noted of a client.")
CLIENT = {"id": "client_id"}

expose(blueprint, "GET", "/<uuid:id>/notes", clients.LIST_CLIENT_NOTES, rename=CLIENT)
expose(
    blueprint, "POST", "/<uuid:id>/notes", clients.CREATE_CLIENT_NOTE, rename=CLIENT, status=201,
    location="/v1/clients/{client_id}/notes",
)  # fmt: skip
expose(blueprint, "GET", "/<uuid:id>/notes/<uuid:note_id>", clients.GET_CLIENT_NOTE, rename=CLIENT)
expose(blueprint, "PATCH", "/<uuid:id>/notes/<uuid:note_id>", clients.UPDATE_CLIENT_NOTE, rename=CLIENT)
expose(blueprint, "DELETE", "/<uuid:id>/notes/<uuid:note_id>", clients.DELETE_CLIENT_NOTE, rename=CLIENT, status=204)
expose(blueprint, "GET", "/<uuid:id>/policy-consents", clients.LIST_POLICY_CONSENTS, rename=CLIENT)
expose(blueprint, "POST", "/<uuid:id>/policy-consents", clients.RECORD_POLICY_CONSENT, rename=CLIENT, status=201)
