"""Where a client writes to the firm and chooses how it may write back: /p/contact, behind the same link as /p.

POST /p/contact/message       csrf_token, once (the form's own id), body
POST /p/contact/preferences   csrf_token, shown (channels that were shown), channel (those that were ticked)

Both answer 303 to the page, or the page again with what is wrong.
"""

from __future__ import annotations

import secrets
from typing import Any

from flask import Response, g, request

from contracts.portal import WRITE_MESSAGE
from gateway.portal_pages import held_link, own_session, portal_pages, see_other
from gateway.portal_session import OpenLink
from gateway.portal_view import contact_response, own_words

__all__ = ["portal_pages"]

CHANNELS = ("sms", "email", "phone")


@portal_pages.get("/p/contact")
def show_contact() -> Response:
    """The page. `done` says which form was taken."""
    done = request.args.get("done")
    return _show(held_link(), done=done if done in ("message", "preferences") else None)


@portal_pages.post("/p/contact/message")
def write_message() -> Response:
    """Takes a message."""
    link, body = held_link(), request.form.get("body", "").strip()
    if not _is_own_form(link):
        return _show(link, typed=body, error=own_words().say(_OUT_OF_DATE), status=400)
    message = {"link_id": link.link_id, "body": body, "once": request.form.get("once", "")}
    if WRITE_MESSAGE.request().validate(message):
        return _show(link, typed=body, error=own_words().say(_UNFIT), status=422)
    g.calls.portal.write_message(**message)
    return see_other(".show_contact", done="message")


@portal_pages.post("/p/contact/preferences")
def set_preferences() -> Response:
    """Takes what the client ticked. What was not changed says nothing new."""
    link = held_link()
    if not _is_own_form(link):
        return _show(link, error=own_words().say(_OUT_OF_DATE), status=400)
    shown, ticked = set(request.form.getlist("shown")), set(request.form.getlist("channel"))
    before = g.calls.portal.get_contact_page(link_id=link.link_id)["preferences"]
    said = {
        channel: "opted_in" if channel in ticked else "opted_out"
        for channel in CHANNELS
        if channel in shown and (channel in ticked) != (before[channel] != "opted_out")
    }
    if said:
        g.calls.portal.set_own_preferences(link_id=link.link_id, **said)
    return see_other(".show_contact", done="preferences")


def _show(link: OpenLink, **said: Any) -> Response:
    page = g.calls.portal.get_contact_page(link_id=link.link_id)
    return contact_response(page, own_session().form_token(link), secrets.token_urlsafe(16), **said)


def _is_own_form(link: OpenLink) -> bool:
    return own_session().is_own_form(link, request.form.get("csrf_token"))


def _(message: str) -> str:
    """Marks a message for the catalogues; it is translated where it is shown."""
    return message


_OUT_OF_DATE = _("This page was out of date. Please check what you wrote and send it again.")
_UNFIT = _("Write your message first, with at most 5000 characters.")
