"""/u/{token}: the address in `List-Unsubscribe`, which takes somebody off a firm's email.

A mail program makes one POST (RFC 8058), without a cookie, and must not be sent elsewhere. A person sees a page with
one button, which makes the same POST. Looking at it changes nothing, since programs look at every link in a message.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request

from chassis.rpc import RemoteFault
from contracts import messaging
from contracts.base import Operation
from contracts.errors import CasewireError, Gone
from gateway.endpoints import call
from gateway.portal_pages import protect, trouble
from gateway.portal_view import initials, own_words, render
from gateway.portal_words import best_language, words

unsubscribe_pages = Blueprint("unsubscribe_pages", __name__)
unsubscribe_pages.after_request(protect)


@unsubscribe_pages.get("/u/<token>")
def show(token: str) -> Response:
    """The page with its button, or what was chosen before."""
    return _page(_ask(messaging.DESCRIBE_UNSUBSCRIPTION, token))


@unsubscribe_pages.post("/u/<token>")
def leave(token: str) -> Response:
    """Takes the address off, whatever the body says; the same again changes nothing."""
    return _page(_ask(messaging.UNSUBSCRIBE, token))


@unsubscribe_pages.url_defaults
def _same_token(endpoint: str, values: dict[str, Any]) -> None:
    values.setdefault("token", (request.view_args or {}).get("token"))


@unsubscribe_pages.errorhandler(Gone)
def _unknown(error: CasewireError) -> Response:
    """The one answer to every address that is not ours, or not whole."""
    return render("portal/unsubscribe_unknown.html", own_words(), status=410)


@unsubscribe_pages.errorhandler(CasewireError)
@unsubscribe_pages.errorhandler(RemoteFault)
def _service_failed(error: Exception) -> Response:
    return trouble(error)


def _ask(operation: Operation, token: str) -> dict[str, Any]:
    if operation.request().validate({"token": token}):
        raise Gone("unsubscription_unknown")
    answer: dict[str, Any] = call(operation, token=token)
    return answer


def _page(told: dict[str, Any]) -> Response:
    return render(
        "portal/unsubscribe.html",
        words(best_language(request.args.get("lang"), lambda: told["language"])),
        color=told["color"],
        firm_name=told["firm_name"],
        initials=initials(told["firm_name"]),
        unsubscribed=told["unsubscribed"],
        action=request.path,
    )
