"""/v1/contacts and /v1/clients/{id}/contacts: people who use the portal for business clients."""

from __future__ import annotations

from flask_smorest import Blueprint

from contracts import clients
from gateway.endpoints import expose

blueprint = Blueprint("contacts", __name__, url_prefix="/v1", description="Contacts of business clients.")
CONTACT, CLIENT, TIE = {"id": "contact_id"}, {"id": "client_id"}, {"id": "client_id", "contact": "contact_id"}

expose(blueprint, "GET", "/contacts", clients.LIST_CONTACTS)
expose(blueprint, "POST", "/contacts", clients.CREATE_CONTACT, status=201, location="/v1/contacts")
expose(blueprint, "GET", "/contacts/<uuid:id>", clients.GET_CONTACT, rename=CONTACT)
expose(blueprint, "PATCH", "/contacts/<uuid:id>", clients.UPDATE_CONTACT, rename=CONTACT)
expose(blueprint, "DELETE", "/contacts/<uuid:id>", clients.DELETE_CONTACT, rename=CONTACT, status=204)

OF_CLIENT = "/clients/<uuid:id>/contacts"
expose(blueprint, "GET", OF_CLIENT, clients.LIST_CONTACTS, rename=CLIENT, summary="List contacts of a client.")
expose(blueprint, "POST", OF_CLIENT, clients.ADD_CLIENT_CONTACT, rename=CLIENT, status=201, location="/v1/contacts")
expose(blueprint, "PATCH", f"{OF_CLIENT}/<uuid:contact>", clients.UPDATE_CLIENT_CONTACT, rename=TIE)
expose(blueprint, "DELETE", f"{OF_CLIENT}/<uuid:contact>", clients.REMOVE_CLIENT_CONTACT, rename=TIE, status=204)
