"""The gateway as a Nameko service: one catch-all entrypoint that hands each request to the Flask app."""

from __future__ import annotations

import io
import tempfile
import time
from typing import Any

import eventlet
from flask import Flask, g
from nameko.dependency_providers import Config
from nameko.extensions import DependencyProvider
from nameko.web.handlers import HttpRequestHandler
from werkzeug.wrappers import Request
from werkzeug.wrappers import Response as BaseResponse

from chassis.events import ReceivedEvent, on
from chassis.files import FilesProvider
from chassis.rpc import Calls
from contracts import accounts, cases, clients, messaging, portal, tasks
from contracts.errors import CasewireError
from gateway.app import create_app
from gateway.credentials import REFUSED, CredentialCache, authenticate, needs_credential
from gateway.http_server import END, EdgeServer
from gateway.oversized_forms import TextFields
from gateway.portal_uploads import TOO_LARGE, is_of_portal
from gateway.settings import EdgeSettings

METHODS = "GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS"
_IN_MEMORY = 256 * 1024
SLOWEST = 32 * 1024
"""Bytes a second that a body may come at when its time is over: pictures from a phone take longer than that."""
PATIENCE = 4
"""Times the largest body that a client's page may send, to be told on the page that it was too large."""


class _TooSlow(Exception):
    """The body did not arrive in time."""


class EdgeRequest(HttpRequestHandler):
    """Nameko's HTTP entrypoint for every path, which takes the whole body in before a worker is bound to it.

    A slow sender therefore holds a green thread of its own and no worker; what is too large is never read, and no file
    is made of what comes from nobody.
    """

    server = EdgeServer()

    def handle_request(self, request: Request) -> BaseResponse:
        config = self.container.config
        limit = int(config.get("MAX_UPLOAD_BYTES", 50 * 1024 * 1024))
        seconds = float(config.get("BODY_TIMEOUT", 20))
        try:
            if (request.content_length or 0) > _IN_MEMORY and needs_credential(request):
                self._authenticate(request)
            refused = _take_in(request, limit, seconds)
        except CasewireError as error:
            request.environ |= {REFUSED: error, "wsgi.input": io.BytesIO(), "CONTENT_LENGTH": "0"}
            refused = super().handle_request(request)
        except _TooSlow:
            refused = BaseResponse("The body did not arrive in time.\n", status=408, content_type="text/plain")
        if refused is not None:
            request.environ[END]()
            return refused
        return super().handle_request(request)

    def _authenticate(self, request: Request) -> None:
        """Raises CasewireError."""
        given = {provider.attr_name: provider for provider in self.container.dependencies}
        authenticate(request, given["edge"].credentials, given["calls"].get_dependency(None))

    def get_entrypoint_parameters(self, request: Request) -> tuple[tuple[Request], dict[str, Any]]:
        return (request,), {}

    def check_signature(self, args: Any, kwargs: Any) -> None:
        """Both methods take the request and nothing else; to look at each call costs more than to find its route."""


def _take_in(request: Request, limit: int, seconds: float) -> BaseResponse | None:
    """Read the body into memory or a file; what is not taken in is answered here. Raises _TooSlow for one that takes
    `seconds` and comes at less than SLOWEST."""
    if request.environ.get("CONTENT_LENGTH") in (None, "", "0") and not request.environ.get("HTTP_TRANSFER_ENCODING"):
        return None
    declared = request.content_length
    if declared is None:
        return BaseResponse("Send a Content-Length.\n", status=411, content_type="text/plain")
    if declared > limit and not (is_of_portal(request.path) and declared <= PATIENCE * limit):
        return BaseResponse("The body is too large.\n", status=413, content_type="text/plain")
    began = time.monotonic()
    body = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - lives as long as its request
    source, left = request.environ["wsgi.input"], declared
    texts = TextFields(request.environ.get("CONTENT_TYPE", ""), _IN_MEMORY)
    while left > 0:
        until = began + seconds + (declared - left) / SLOWEST
        try:
            with eventlet.Timeout(max(0.0, until - time.monotonic()), _TooSlow):
                chunk = source.read(min(left, 65536))
        except (_TooSlow, TimeoutError) as error:
            body.close()
            raise _TooSlow from error
        if not chunk:
            body.close()
            return BaseResponse("The body was cut off.\n", status=400, content_type="text/plain")
        if declared <= limit:
            body.write(chunk)
        else:
            texts.take(chunk)
        left -= len(chunk)
    body.seek(0)
    request.environ["wsgi.input"] = body
    if declared > limit:
        # Read and thrown away but for what was typed: a browser shows no answer to what it is still sending.
        request.environ |= {TOO_LARGE: texts.found, "CONTENT_LENGTH": "0"}
    return None


on_request = EdgeRequest.decorator


class Edge(DependencyProvider):
    """The Flask app and what it shares between requests."""

    def setup(self) -> None:
        self.credentials = CredentialCache()
        self.app = create_app(EdgeSettings.from_config(self.container.config), self.credentials)

    def get_dependency(self, worker_ctx: Any) -> Edge:
        return self


class Gateway:
    """The one HTTP edge."""

    name = "gateway"
    config = Config()
    edge = Edge()
    files = FilesProvider()
    calls = Calls(accounts, clients, cases, tasks, messaging, portal, raw=True)

    @on_request("GET,HEAD", "/")
    def root(self, request: Request) -> BaseResponse:
        return self._answer(request)

    @on_request(METHODS, "/<path:path>")
    def any_path(self, request: Request) -> BaseResponse:
        return self._answer(request)

    @on(accounts.API_KEY_REVOKED, broadcast=True)
    def drop_credential(self, event: ReceivedEvent) -> None:
        self.edge.credentials.drop(event.data["key_hash"])

    @on(accounts.STAFF_CHANGED, broadcast=True)
    def drop_credentials_of(self, event: ReceivedEvent) -> None:
        self.edge.credentials.drop_staff(event.data["staff_id"])

    def _answer(self, request: Request) -> BaseResponse:
        app: Flask = self.edge.app
        with app.request_context(request.environ):
            g.calls = self.calls
            g.files = self.files
            return app.full_dispatch_request()
