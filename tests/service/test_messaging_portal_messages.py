"""What a client writes behind a secure link."""

from __future__ import annotations

from sqlalchemy import select

from chassis.columns import new_id
from contracts.messaging import MESSAGE_RECEIVED
from services.messaging.models import InboundMessage
from services.messaging.portal_messages import receive_portal_message
from tests.service.messaging_desk import Desk, desk

__all__ = ["desk"]


def test_a_form_sent_twice_is_one_message(desk: Desk) -> None:
    client_id, link_id = desk.person(), new_id()
    said = {"client_id": client_id, "link_id": link_id, "body": "Please stop the foreclosure", "once": "0" * 16}
    first = receive_portal_message(desk.db, now=desk.clock(), **said)
    again = receive_portal_message(desk.db, now=desk.clock(), **said)
    assert (first["repeated"], again["repeated"]) == (False, True)
    assert first["message_id"] == again["message_id"]
    with desk.db.read() as session:
        (kept,) = session.scalars(select(InboundMessage)).all()
    assert (kept.channel, kept.client_id, kept.body, kept.effect) == ("portal", client_id, said["body"], "none")
    assert [event["client_ids"] for event in desk.emitted(MESSAGE_RECEIVED)] == [[client_id]]
