"""/v1/client-merges, and how two clients become one under /v1/clients."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask_smorest import Blueprint

from contracts import clients
from gateway.endpoints import IDEMPOTENCY_KEY, Problem, call, expose, permitted
from gateway.wire import json_response

blueprint = Blueprint("client merges", __name__, url_prefix="/v1", description="Clients that are one person.")
MERGE = {"id": "merge_id"}

expose(blueprint, "POST", "/clients/<uuid:id>/merge", clients.MERGE_CLIENTS, rename={"id": "client_id"})
expose(blueprint, "GET", "/clients/duplicates", clients.LIST_DUPLICATES)
expose(
    blueprint, "POST", "/clients/<uuid:id>/not-duplicate", clients.MARK_NOT_DUPLICATE, rename={"id": "this_id"},
)  # fmt: skip
expose(
    blueprint, "DELETE", "/clients/<uuid:id>/not-duplicate/<uuid:client_id>", clients.UNMARK_NOT_DUPLICATE,
    rename={"id": "this_id"}, status=204,
)  # fmt: skip
expose(blueprint, "GET", "/client-merges", clients.LIST_MERGES)
expose(blueprint, "GET", "/client-merges/<uuid:id>", clients.GET_MERGE, rename=MERGE)


class UndoBody(clients.UndoMerge):
    """Nothing, if nothing was changed since the merge."""

    class Meta:
        exclude = ("merge_id",)


@blueprint.route("/client-merges/<uuid:id>/undo", methods=["POST"])
@permitted(clients.UNDO_MERGE)
@blueprint.arguments(UndoBody, required=False)
@blueprint.response(200, clients.UNDO_MERGE.response)
@blueprint.alt_response(404, schema=Problem, content_type="application/problem+json")
@blueprint.alt_response(409, schema=Problem, content_type="application/problem+json")
@blueprint.alt_response(422, schema=Problem, content_type="application/problem+json")
@blueprint.doc(parameters=[IDEMPOTENCY_KEY], operationId="clients_undo_merge_post")
def undo_merge(body: dict[str, Any], id: Any) -> Response:
    """Take a merge back, within 30 days."""
    return json_response(call(clients.UNDO_MERGE, merge_id=str(id), **body))
