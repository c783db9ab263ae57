"""What ends links by itself: a client who is deleted, an address that changed.

A link went to an address; when that is no longer the client's, who holds it may be somebody else. An answer given
through the link itself proves that the right person holds it, and leaves that link open.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select, update

from chassis.database import Database
from chassis.unit_of_work import UnitOfWork
from contracts.portal import LINK_REVOKED
from services.portal.models import Link

_SENT_TO = {"phones": ("sms", "copy"), "emails": ("email", "copy")}
"""Which links a changed field puts in doubt. Nobody knows where a copied one went."""
_ON_ITS_WAY = dt.timedelta(seconds=10)
"""How long after a change a message may still go where it was to go before: its link is registered only then. Of one
that was sent to the new address by then, and is ended too, the holder can ask for another."""


def end_links_of_deleted(db: Database, now: dt.datetime, event: Any) -> None:
    """`client.deleted.v1`: none of the client's links opens anything any more."""
    with db.unit_of_work(once=event) as uow:
        end(uow, now, Link.client_id == event.data["client_id"], "client_deleted")


def end_links_of_contact(db: Database, now: dt.datetime, event: Any) -> None:
    """`contact_access.changed.v1`: what a contact was sent for a business until then opens nothing any more, if they
    lost it. Later links are of a later access."""
    if event.data["access"]:
        return
    with db.unit_of_work(once=event) as uow:
        theirs = (Link.contact_id == event.data["contact_id"], Link.client_id == event.data["client_id"])
        end(uow, now, and_(*theirs, Link.created_at <= event.time), "contact_closed")


def end_links_to_old_address(
    db: Database, now: dt.datetime, event: Any, answering_link: Callable[[str], str | None]
) -> None:
    """`client.changed.v1`: links that were sent before a phone or email changed are ended, and those of messages that
    were on their way.

    `answering_link` tells through which link the present answer of a case task was given; it is asked before the
    transaction, and only if an answer caused the change and there are links to end.
    """
    channels = {channel for field in event.data["changed"] for channel in _SENT_TO.get(field, ())}
    if not channels or event.data.get("merge_id") is not None:
        return  # a merge adds addresses; what its undo puts in doubt is ended with it
    in_doubt = and_(
        Link.client_id == event.data["client_id"],
        Link.contact_id.is_(None),
        Link.channel.in_(sorted(channels)),
        or_(
            Link.created_at <= event.time,
            and_(Link.delivery_id.is_not(None), Link.created_at <= event.time + _ON_ITS_WAY),
        ),
    )
    case_task_id = event.data.get("case_task_id")
    if case_task_id is not None:
        with db.read() as session:
            any_link = session.scalars(select(Link.id).where(in_doubt, Link.revoked_at.is_(None)).limit(1)).first()
        if any_link is not None and (kept := answering_link(case_task_id)) is not None:
            in_doubt = and_(in_doubt, Link.id != kept)
    with db.unit_of_work(once=event) as uow:
        end(uow, now, in_doubt, "address_changed")


def end(uow: UnitOfWork, now: dt.datetime, which: ColumnElement[bool], reason: str) -> None:
    """Ends the links of that kind that are not ended yet, and tells of each."""
    statement = (
        update(Link)
        .where(which, Link.revoked_at.is_(None))
        .values(revoked_at=now, revoked_for=reason, version=Link.version + 1, updated_at=now)
        .returning(Link.id, Link.client_id)
    )
    ended = uow.session.execute(statement, execution_options={"synchronize_session": False}).all()
    uow.emit_many(LINK_REVOKED, [(row.id, {"link_id": row.id, "client_id": row.client_id}) for row in ended])
