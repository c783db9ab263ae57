"""The Flask application: blueprints, who calls, and what every request and answer has in common."""

from __future__ import annotations

import re
import uuid
from contextlib import ExitStack
from typing import Any

from flask import Flask, Request, Response, g, request
from flask_cors import CORS
from flask_smorest import Api
from flask_swagger_ui import get_swaggerui_blueprint
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType

from chassis.context import Context, use
from chassis.texts import is_storable
from contracts.errors import Invalid
from gateway import (
    portal_contact,
    problems,
    sandbox_api,
    sandbox_pages,
    ses_webhook,
    status,
    unsubscribe_pages,
    webhooks,
)
from gateway.credentials import CredentialCache, authenticate, needs_credential
from gateway.routes import (
    accounts,
    automation,
    card,
    case_lists,
    case_types,
    cases,
    client_fields,
    client_merges,
    clients,
    companies,
    consents,
    contacts,
    conversations,
    exports,
    forms,
    groups,
    imports,
    messaging,
    notes,
    photos,
    portal,
    privacy,
    saved_filters,
    share,
    task_files,
    tasks,
    tasks_of_cases,
)
from gateway.settings import EdgeSettings
from gateway.wire import Json

API_BLUEPRINTS = (
    accounts.blueprint, automation.blueprint,
    clients.blueprint, client_fields.blueprint, client_merges.blueprint, exports.blueprint,
    imports.blueprint, case_types.blueprint, case_lists.blueprint, cases.blueprint, tasks.blueprint,
    tasks_of_cases.blueprint, forms.blueprint, messaging.blueprint, consents.blueprint, conversations.blueprint,
    portal.blueprint, share.blueprint, groups.blueprint, contacts.blueprint, privacy.blueprint, companies.blueprint,
    saved_filters.blueprint, notes.blueprint, card.blueprint, photos.blueprint, task_files.blueprint,
)  # fmt: skip

SEES_SENSITIVE = "clients.read_sensitive"
"""The permission to see and change what is marked sensitive. It travels with the context: whoever owns a record shows
it accordingly."""
_CORRELATION_ID = re.compile(r"^[A-Za-z0-9._-]{8,64}$")


class _Request(Request):
    def on_json_loading_failed(self, e: ValueError | None) -> Any:
        if e is None:  # of another media type
            return super().on_json_loading_failed(e)
        raise BadRequest("Not JSON that can be read.") from e


def create_app(settings: EdgeSettings, credentials: CredentialCache | None = None) -> Flask:
    """The edge as a WSGI application. Whoever runs it sets `g.calls` (and `g.files`) before each request."""
    app = Flask(__name__, static_url_path="/static")
    app.config.update(
        CASEWIRE=settings,
        API_TITLE="Casewire",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/",
        OPENAPI_JSON_PATH="openapi.json",
        API_SPEC_OPTIONS={
            "info": {"description": "Clients, cases, tasks and conversations of client-service firms."},
            "components": {
                "securitySchemes": {
                    "bearer": {"type": "http", "scheme": "bearer"},
                    "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                }
            },
            "security": [{"bearer": []}, {"api_key": []}],
        },
        MAX_CONTENT_LENGTH=settings.max_upload_bytes,
        MAX_FORM_MEMORY_SIZE=settings.max_json_bytes,
        MAX_FORM_PARTS=100,
    )
    app.json = Json(app)
    app.request_class = _Request
    cache = credentials or CredentialCache()
    if settings.cors_origins:
        CORS(app, origins=list(settings.cors_origins), expose_headers=["ETag", "Location", "X-Correlation-Id"])

    @app.before_request
    def _begin() -> None:
        given = request.headers.get("X-Correlation-Id", "")
        g.correlation_id = given if _CORRELATION_ID.match(given) else str(uuid.uuid4())
        act_as(Context(correlation_id=g.correlation_id))
        if not (request.mimetype or "").startswith("multipart/"):
            request.max_content_length = settings.max_json_bytes
            if (request.content_length or 0) > settings.max_json_bytes:
                raise RequestEntityTooLarge(f"A body may have {settings.max_json_bytes} bytes.")
        if needs_credential(request):
            g.credential = authenticate(request, cache, g.calls)
            act_as(_context_of(g.credential))
            _check_media_type()
            _read_body()

    @app.teardown_request
    def _leave(error: BaseException | None) -> None:
        scopes = g.pop("scopes", None)
        if scopes is not None:
            scopes.close()

    @app.after_request
    def _end(response: Response) -> Response:
        response.headers["X-Correlation-Id"] = g.get("correlation_id", "")
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        if request.path.startswith("/v1/"):
            response.headers.setdefault("Cache-Control", "no-store")
        return response

    api = Api(app)
    for blueprint in API_BLUEPRINTS:
        api.register_blueprint(blueprint)
    # After flask-smorest, whose own error answers ours replace.
    problems.register(app)
    app.register_blueprint(portal_contact.portal_pages)
    app.register_blueprint(unsubscribe_pages.unsubscribe_pages)
    app.register_blueprint(webhooks.blueprint)
    app.register_blueprint(ses_webhook.blueprint)
    app.register_blueprint(status.blueprint)
    if settings.sandbox_pages:
        app.register_blueprint(sandbox_pages.blueprint)
        app.register_blueprint(sandbox_api.blueprint)
    app.register_blueprint(
        get_swaggerui_blueprint("/docs", "/openapi.json", config={"app_name": "Casewire API", "validatorUrl": "none"})
    )
    return app


def act_as(context: Context) -> None:
    """From now on this request's calls go out under `context`."""
    if "scopes" not in g:
        g.scopes = ExitStack()
    g.scopes.enter_context(use(context))
    g.context = context


def _context_of(credential: dict[str, Any]) -> Context:
    key = request.headers.get("Idempotency-Key")
    if key is not None and (not key.strip() or len(key) > 200 or not is_storable(key)):
        raise Invalid(
            "invalid_idempotency_key", fields=[{"field": "Idempotency-Key", "message": "1 to 200 characters."}]
        )
    return Context(
        firm_id=credential["firm_id"],
        actor_id=credential["staff_id"],
        actor_kind="staff",
        correlation_id=g.correlation_id,
        idempotency_key=key if request.method == "POST" else None,
        sees_sensitive=SEES_SENSITIVE in credential["permissions"],
        sees_only=_limit_of(credential),
    )


def _limit_of(credential: dict[str, Any]) -> tuple[str, ...] | None:
    """The types of cases that a staff member is limited to, in one order, for they are looked up by it."""
    case_type_ids = credential.get("case_type_ids")
    return None if case_type_ids is None else tuple(sorted(set(case_type_ids)))


def _read_body() -> None:
    """Reads a body once and keeps it, before it is checked: what checks it would read more than JSON. 400 for none."""
    if request.is_json and request.get_data():
        request.get_json()


def _check_media_type() -> None:
    """415 for a body that is neither JSON nor an upload."""
    if request.method not in ("POST", "PUT", "PATCH") or not request.content_length:
        return
    if request.mimetype not in ("application/json", "multipart/form-data"):
        raise UnsupportedMediaType("Send application/json.")
