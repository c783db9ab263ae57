"""A client whose link does not open any more asks for another one.

The answer is the same whether the link existed or not. The new link goes only to the address on file, by messaging,
through consent like all else.
"""

from __future__ import annotations

import datetime as dt

from sqlalchemy import select

from chassis.database import Database
from contracts.portal import LINK_REQUESTED
from services.portal.models import Link

PAUSE = dt.timedelta(minutes=10)
"""Between two requests of one client, or of one contact, whichever link they hold."""
MOST_TIMES = 5
"""For one link. Who has lost five new ones does not read them at the address on file."""
_FOR_GOOD = ("client_erased", "contact_closed")
"""Not a deletion: staff may have restored the client since. Messaging sends nothing to who is deleted still."""


def request_new_link(db: Database, now: dt.datetime, token_hash: str) -> None:
    """Asks messaging to send a new link to the client of this token, if there is one and it is not asked too often."""
    everywhere = db.across_firms("a link is named before its firm is known")
    with everywhere.read() as session:
        known = session.execute(
            select(Link.id, Link.firm_id, Link.client_id).where(Link.token_hash == token_hash)
        ).one_or_none()
    if known is None:
        return
    with db.for_firm(known.firm_id).unit_of_work() as uow:
        # All of the client's links, in order: two requests at once wait for each other.
        statement = select(Link).where(Link.client_id == known.client_id).order_by(Link.id).with_for_update()
        links = uow.session.scalars(statement).all()
        link = next(link for link in links if link.id == known.id)
        theirs = [other for other in links if other.contact_id == link.contact_id]
        asked_lately = any(other.asked_at is not None and other.asked_at > now - PAUSE for other in theirs)
        if asked_lately or link.asked_times >= MOST_TIMES or link.revoked_for in _FOR_GOOD:
            return
        link.ask_for_another(now)
        data = {
            "link_id": link.id,
            "client_id": link.client_id,
            "contact_id": link.contact_id,
            "case_task_id": link.case_task_id,
            "case_form_id": link.case_form_id,
            "case_ids": link.case_ids,
            "channel": link.channel,
        }
        uow.emit(LINK_REQUESTED, link.id, data)
