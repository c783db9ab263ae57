"""/v1/consents, /v1/consent-reviews: the ledger, what people said elsewhere, and what a person must decide."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask_smorest import Blueprint

from contracts import messaging
from gateway.endpoints import expose, permitted, query_arguments
from gateway.tables import csv_of_list

blueprint = Blueprint("consents", __name__, url_prefix="/v1", description="Who may be written to, and the proof.")

COLUMNS = (
    "at", "channel", "address", "client_id", "state", "source", "words", "provider", "provider_id", "rule",
    "rule_version", "actor_id", "id",
)  # fmt: skip

expose(blueprint, "GET", "/consents", messaging.LIST_CONSENTS)
expose(blueprint, "POST", "/consents", messaging.RECORD_CONSENTS)
expose(blueprint, "GET", "/consent-reviews", messaging.LIST_CONSENT_REVIEWS)
expose(blueprint, "POST", "/consent-reviews/<uuid:id>/decide", messaging.DECIDE_CONSENT_REVIEW,
       rename={"id": "consent_review_id"})  # fmt: skip


@blueprint.route("/consents/export.csv", methods=["GET"])
@permitted(messaging.LIST_CONSENTS)
@query_arguments(blueprint, messaging.ListConsents, {"limit", "cursor"})
@blueprint.response(200, {"type": "string", "format": "binary"}, content_type="text/csv")
def export_consents(query: dict[str, Any]) -> Response:
    """The ledger as proof, oldest first: every entry that the filters leave, with the words and who said them."""
    filters = {**query, "sort": query["sort"] or "at"}
    return csv_of_list(messaging.LIST_CONSENTS, filters, filename="consents.csv", columns=COLUMNS, cells_of=_cells)


def _cells(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry with its evidence beside the rest; the entry's own names go before."""
    return {**entry["evidence"], **entry}
