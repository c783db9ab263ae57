"""The page behind a link where a client writes to the firm and says how it may write back."""

from __future__ import annotations

import datetime as dt
from typing import Any

from chassis.database import Database
from contracts.errors import Gone, NotFound
from services.portal.firms import FirmCache
from services.portal.links import live_link, record_use
from services.portal.models import Link
from services.portal.pages import ask_client, demand_access, found, in_the_name_of, page_head

Record = dict[str, Any]

_CHANNELS = ("sms", "email", "phone")


def get_contact_page(db: Database, calls: Any, firms: FirmCache, now: dt.datetime, link_id: str) -> Record:
    """`contracts.portal.ContactPage` of a live link. Raises Gone `link_gone`, or Unavailable."""
    link = live_link(db, now, link_id)
    with in_the_name_of(db, link):
        return _compose(calls, firms, link)


def write_message(db: Database, calls: Any, now: dt.datetime, link_id: str, body: str, once: str) -> None:
    """Hands a message to messaging. Raises Gone `link_gone`, Invalid, or Unavailable."""
    link = live_link(db, now, link_id)
    with in_the_name_of(db, link):
        demand_access(calls, link)
        record_use(db.for_firm(link.firm_id), now, link.id)
        calls.messaging.receive_portal_message(client_id=link.client_id, link_id=link.id, body=body, once=once)


def set_own_preferences(
    db: Database, calls: Any, firms: FirmCache, now: dt.datetime, link_id: str, **said: str
) -> Record:
    """Records what the client wants on the named channels and returns the page as it is then. Raises Gone `link_gone`,
    Invalid, or Unavailable."""
    link = live_link(db, now, link_id)
    with in_the_name_of(db, link):
        demand_access(calls, link)
        record_use(db.for_firm(link.firm_id), now, link.id)
        try:
            calls.messaging.set_preferences(client_id=link.contact_id or link.client_id, source="portal", **said)
        except NotFound as error:
            raise Gone("link_gone") from error
        return _compose(calls, firms, link)


def _compose(calls: Any, firms: FirmCache, link: Link) -> Record:
    # What a contact wants is their own, not the business's.
    preferences = calls.messaging.get_preferences.start(client_id=link.contact_id or link.client_id)
    asked = ask_client(calls, link)
    firm = firms.get(link.firm_id, calls.accounts.get_firm)
    client = found(asked)
    try:
        said = preferences.result()
    except NotFound as error:
        raise Gone("link_gone") from error
    return {
        **page_head(firm, client, link),
        "channels": [channel for channel in _CHANNELS if client.get(channel)],
        "preferences": {channel: said[channel] for channel in _CHANNELS},
    }
