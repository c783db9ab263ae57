"""/v1/portal-links."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import marshmallow as ma
from flask import Response, current_app, g, request
from flask_smorest import Blueprint

from chassis.tokens import hash_token, new_token
from contracts import portal
from contracts.base import Id, Instant
from gateway.endpoints import IDEMPOTENCY_KEY, call, expose, permitted
from gateway.wire import json_response

blueprint = Blueprint("portal", __name__, url_prefix="/v1", description="Secure links for clients.")
LINK = {"id": "link_id"}


class CreatedPortalLink(ma.Schema):
    """`url` is shown this once: only a hash of its token is kept."""

    id = Id()
    url = ma.fields.Url()
    expires_at = Instant()


class CreatePortalLink(portal.RegisterLink):
    class Meta:
        exclude = ("token_hash", "delivery_id", "channel")


def token_of_request(purpose: str) -> tuple[str, str]:
    """A new token and its hash. Under an idempotency key it follows from the key and from what the token is for, so
    that a repeat gives the same address."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return new_token()
    secret = current_app.config["CASEWIRE"].secret_key.encode()
    digest = hmac.new(secret, f"{purpose}\0{g.context.firm_id}\0{key}".encode(), hashlib.sha256).digest()
    token = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return token, hash_token(token)


@blueprint.route("/portal-links", methods=["POST"])
@permitted(portal.CREATE_LINK)
@blueprint.arguments(CreatePortalLink)
@blueprint.response(201, CreatedPortalLink)
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def create_link(body: dict[str, Any]) -> Response:
    """A link to copy."""
    token, token_hash = token_of_request("portal-link")
    link = call(portal.CREATE_LINK, **request.get_json(), token_hash=token_hash, channel="copy")
    return link_response(link, token)


def link_response(link: dict[str, Any], token: str) -> Response:
    """The link with its address, which is nowhere else."""
    url = f"{current_app.config['CASEWIRE'].public_url}/p/{token}"
    response = json_response({"id": link["link_id"], "url": url, "expires_at": link["expires_at"]}, 201)
    response.headers["Location"] = f"/v1/portal-links/{link['link_id']}"
    response.headers["Cache-Control"] = "no-store"
    return response


expose(blueprint, "GET", "/portal-links/<uuid:id>", portal.GET_LINK, rename=LINK)
expose(blueprint, "POST", "/portal-links/<uuid:id>/revoke", portal.REVOKE_LINK, rename=LINK)
