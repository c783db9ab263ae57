"""/v1/companies: the directory that all firms share, and what a firm proposes for it."""

from __future__ import annotations

from flask_smorest import Blueprint

from contracts import clients
from gateway.endpoints import expose

blueprint = Blueprint("companies", __name__, url_prefix="/v1", description="The shared directory of companies.")
COMPANY, PROPOSAL, CLIENT = {"id": "company_id"}, {"id": "proposal_id"}, {"id": "client_id"}
PROPOSALS = "/companies/proposals"

expose(blueprint, "GET", "/companies", clients.LIST_COMPANIES)
expose(blueprint, "GET", "/companies/<uuid:id>", clients.GET_COMPANY, rename=COMPANY)
expose(blueprint, "GET", PROPOSALS, clients.LIST_COMPANY_PROPOSALS)
expose(blueprint, "POST", PROPOSALS, clients.PROPOSE_COMPANY, status=201, location=f"/v1{PROPOSALS}")
expose(blueprint, "GET", f"{PROPOSALS}/<uuid:id>", clients.GET_COMPANY_PROPOSAL, rename=PROPOSAL)

expose(blueprint, "GET", "/clients/<uuid:id>/company", clients.GET_CLIENT_COMPANY, rename=CLIENT)
expose(blueprint, "PUT", "/clients/<uuid:id>/company", clients.LINK_COMPANY, rename=CLIENT)
expose(blueprint, "DELETE", "/clients/<uuid:id>/company", clients.UNLINK_COMPANY, rename=CLIENT, status=204)
