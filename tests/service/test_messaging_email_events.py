"""What becomes of emails: bounces, complaints, and what they mean for the next message."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.columns import new_id
from chassis.context import use
from contracts.messaging import CONSENT_CHANGED, DELIVERY_DELIVERED, DELIVERY_FAILED
from services.messaging import consent, senders
from services.messaging.consents import consent_ledger
from services.messaging.emails.email_events import forget_old_events, record_email_event
from services.messaging.models import Delivery, ProviderEvent
from tests.service.canaries import found_in
from tests.service.erasing_messages import erased, files
from tests.service.messaging_desk import NOW, Desk, desk
from tests.service.one_database import on_one_database

__all__ = ["desk", "files"]

MAILBOX = "ann@example.com"


@pytest.fixture
def mailed(desk: Desk) -> Desk:
    """A desk that can write by email."""
    _give_mailbox(desk, "office@firm.example")
    return desk


def _give_mailbox(desk: Desk, address: str) -> None:
    senders.put_sender(
        desk.db, provider="recording", channel="email", address=address, rate=1000.0, messaging_service_sid=None
    )


def send_email(desk: Desk, to: str = MAILBOX) -> Delivery:
    person = desk.person(email=to)
    batch_id = desk.ask([desk.item(person)], channels=["email"])
    desk.run()
    (delivery,) = desk.deliveries(batch_id)
    return delivery


def happened(desk: Desk, kind: str, delivery: Delivery | None = None, **given: Any) -> bool:
    told = {
        "provider": "ses", "event_id": new_id(), "provider_id": "m-1", "kind": kind,
        "token": delivery.id if delivery else None, "recipients": [{"address": MAILBOX, "hard": False}], **given,
    }  # fmt: skip
    return bool(record_email_event(desk.everywhere, now=desk.clock(), **told)["applied"])


def ledger(desk: Desk, address: str = MAILBOX) -> list[tuple[str, str, str | None]]:
    entries = consent_ledger.list_consents(desk.db, desk.calls, address=address)["data"]
    return [(entry["state"], entry["source"], entry["evidence"].get("kind")) for entry in entries]


def hard(address: str = MAILBOX) -> list[dict[str, Any]]:
    return [{"address": address, "hard": True, "code": "5.1.1"}]


def state_of(desk: Desk, delivery: Delivery) -> tuple[str, str | None]:
    (row,) = [row for row in desk.deliveries() if row.id == delivery.id]
    return row.state, row.reason


def test_a_delivery_is_told_once(mailed: Desk) -> None:
    delivery = send_email(mailed)
    assert happened(mailed, "delivered", delivery, event_id="e-1")
    assert not happened(mailed, "delivered", delivery, event_id="e-1")
    assert not happened(mailed, "sent", delivery), "what comes late goes back nowhere"
    assert state_of(mailed, delivery) == ("delivered", None)
    assert len(mailed.emitted(DELIVERY_DELIVERED)) == 1


@on_one_database
def test_a_hard_bounce_may_follow_a_delivery_and_ends_the_address(mailed: Desk) -> None:
    delivery = send_email(mailed)
    happened(mailed, "delivered", delivery)
    for _ in range(2):
        happened(mailed, "bounced", delivery, event_id="e-2", recipients=hard("Ann <ANN@EXAMPLE.COM>"))
    assert state_of(mailed, delivery) == ("undelivered", "5.1.1")
    assert ledger(mailed) == [("opted_out", "provider", "bounced")]
    assert [event["state"] for event in mailed.emitted(CONSENT_CHANGED)] == ["opted_out"]
    assert len(mailed.emitted(DELIVERY_FAILED)) == 1
    assert not happened(mailed, "delivered", delivery), "a bounce is the last word"
    assert state_of(mailed, send_email(mailed)) == ("suppressed", "invalid_address")


@on_one_database
def test_a_soft_bounce_ends_the_message_and_not_the_address(mailed: Desk) -> None:
    delivery = send_email(mailed)
    happened(mailed, "bounced", delivery)
    assert state_of(mailed, delivery)[0] == "undelivered"
    assert ledger(mailed) == []
    assert state_of(mailed, send_email(mailed))[0] == "sent"


@on_one_database
def test_an_out_of_office_bounce_after_the_delivery_changes_nothing(mailed: Desk) -> None:
    delivery = send_email(mailed)
    happened(mailed, "delivered", delivery)
    assert not happened(mailed, "bounced", delivery)
    assert state_of(mailed, delivery)[0] == "delivered"


@on_one_database
def test_a_complaint_opts_out(mailed: Desk) -> None:
    delivery = send_email(mailed)
    happened(mailed, "complained", delivery, event_id="e-3")
    happened(mailed, "complained", delivery, event_id="e-4")
    assert state_of(mailed, delivery)[0] == "delivered"
    assert ledger(mailed) == [("opted_out", "provider", "complained")]
    assert state_of(mailed, send_email(mailed)) == ("suppressed", "opted_out")


def test_a_complaint_goes_before_a_bounce_and_no_bounce_replaces_an_opt_out(mailed: Desk) -> None:
    delivery = send_email(mailed)
    happened(mailed, "bounced", delivery, recipients=hard())
    happened(mailed, "complained", delivery)
    assert not happened(mailed, "bounced", None, recipients=hard())
    assert state_of(mailed, send_email(mailed)) == ("suppressed", "opted_out")


@on_one_database
def test_a_complaint_about_a_message_we_do_not_know_counts_for_every_firm_that_wrote_there(mailed: Desk) -> None:
    send_email(mailed)
    other = Desk(mailed.everywhere, office="+12125550199")
    third = Desk(mailed.everywhere, office="+12125550198")
    with use(other.context):
        _give_mailbox(other, "other@firm.example")
        send_email(other)
    with use(third.context):
        _give_mailbox(third, "third@firm.example")
    assert happened(mailed, "complained", None, token="not one of ours", event_id="e-5")
    assert not happened(mailed, "complained", None, token="not one of ours", event_id="e-5")
    assert [len(ledger(firm)) for firm in (mailed, other, third)] == [1, 1, 0]


@on_one_database
def test_an_event_about_another_firms_delivery_stays_there(mailed: Desk) -> None:
    send_email(mailed)
    other = Desk(mailed.everywhere, office="+12125550199")
    with use(other.context):
        _give_mailbox(other, "other@firm.example")
        delivery = send_email(other)
    happened(mailed, "complained", delivery)
    assert [len(ledger(firm)) for firm in (mailed, other)] == [0, 1]


@on_one_database
@pytest.mark.parametrize(
    ("kind", "hard_one", "reason"), [("complained", False, "opted_out"), ("bounced", True, "invalid_address")]
)
def test_what_is_said_about_a_message_to_somebody_erased_ends_the_address(
    mailed: Desk, kind: str, hard_one: bool, reason: str
) -> None:
    delivery = send_email(mailed)
    erased(mailed, str(delivery.client_id))
    said = [{"address": address, "hard": hard_one} for address in ("(somebody@there)", "Ann <ANN@EXAMPLE.COM>")]
    happened(mailed, kind, delivery, recipients=said)
    assert len(mailed.emitted(CONSENT_CHANGED)) == 1
    assert found_in(mailed.everywhere, [MAILBOX, MAILBOX.upper()]) == [], "its hash alone is kept"
    assert ledger(mailed) == [("opted_out", "provider", kind)]
    assert state_of(mailed, send_email(mailed)) == ("suppressed", reason)


def test_what_is_said_about_a_message_to_somebody_erased_ends_the_address_of_who_has_it_now(mailed: Desk) -> None:
    delivery = send_email(mailed)
    erased(mailed, str(delivery.client_id))
    successor = send_email(mailed)
    happened(mailed, "complained", delivery)
    (event,) = mailed.emitted(CONSENT_CHANGED)
    assert event["client_ids"] == [successor.client_id]
    (entry,) = consent_ledger.list_consents(mailed.db, mailed.calls, address=MAILBOX)["data"]
    assert entry["address"] == MAILBOX, "it is theirs"


@on_one_database
def test_an_address_that_was_confirmed_to_be_right_is_written_to_again(mailed: Desk) -> None:
    happened(mailed, "bounced", send_email(mailed), recipients=hard())
    right = consent.Change("email", "opted_in", "staff", {"words": "it works"}, address=MAILBOX)
    with mailed.db.unit_of_work() as uow:
        consent.record_changes(uow, [right])
    assert state_of(mailed, send_email(mailed))[0] == "sent"


def test_marks_are_kept_longer_than_a_notification_may_be_old(mailed: Desk) -> None:
    happened(mailed, "delivered", send_email(mailed))
    everyone = mailed.everywhere.across_firms("test")

    def kept() -> int:
        with everyone.read() as session:
            return session.query(ProviderEvent).count()

    forget_old_events(mailed.everywhere, mailed.clock())
    assert kept() == 1
    mailed.clock.now = NOW.replace(year=2027)
    forget_old_events(mailed.everywhere, mailed.clock())
    assert kept() == 0
