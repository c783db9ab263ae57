"""The sandbox in a closed circle: the provider keeps what is sent, its people and its announcements reach messaging by
real signed requests to the gateway's own webhooks."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text, update

from chassis.columns import new_id, utc_now
from chassis.migrations import downgrade, owner_engine, upgrade
from contracts.errors import Conflict, Invalid, NotFound, Unavailable
from services.messaging import senders
from services.messaging.adapters.base import Accepted, Outgoing, Refused, Result
from services.messaging.adapters.in_time import TooLate, begin_by
from services.messaging.adapters.sandbox import SandboxProvider
from services.messaging.adapters.sandbox_callbacks import Announcer, Webhooks
from services.messaging.adapters.sandbox_inboxes import SandboxInboxes
from services.messaging.adapters.sandbox_people import SandboxPeople
from services.messaging.consents import consent_ledger
from services.messaging.models import SandboxMessage
from tests.service.desk_gateway import SECRET, serving
from tests.service.messaging_desk import OFFICE, PUBLIC_URL, Desk, desk
from tests.service.one_database import on_one_database

__all__ = ["desk"]

ANN, BEA = "+12125551000", "+12125551001"


class Circle:
    """The sandbox and the gateway around a desk. `sent` are the deliveries that it was given."""

    def __init__(self, desk: Desk, address: str) -> None:
        self.desk = desk
        db = desk.everywhere
        self.webhooks = Webhooks(public_url=PUBLIC_URL, webhook_url=address, auth_token=SECRET)
        self.provider = SandboxProvider(db)
        self.announcer = Announcer(db, self.webhooks)
        self.inboxes, self.people = SandboxInboxes(db), SandboxPeople(db, self.webhooks)

    def send(self, to: str = ANN, channel: str = "sms", body: str = "Hello.", **given: Any) -> str:
        """A message to somebody; returns its id in the sandbox."""
        result = self.try_to_send(to, channel, body, **given)
        assert isinstance(result, Accepted)
        return result.provider_id

    def try_to_send(self, to: str, channel: str = "sms", body: str = "Hello.", **given: Any) -> Result:
        return self.provider.send(Outgoing(token=new_id(), channel=channel, to=to, sender=OFFICE, body=body, **given))

    def deliver(self, channel: str, to: str) -> str:
        """A message that is a delivery of the desk's; returns its id in the sandbox."""
        desk = self.desk
        person = desk.person(number=to, phone=to, email=to)
        self.desk.provider.answer = self.provider.send
        desk.ask([desk.item(person)], channels=[channel], content_id=desk.content("Hello.", [channel]))
        desk.run()
        return self.messages(to)[0]["id"]

    def messages(self, to: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.inboxes.list_messages(to=to)["data"]
        return found

    def announce(self) -> None:
        """What is due in the coming hour."""
        with self.desk.everywhere.across_firms("the sandbox").unit_of_work() as uow:
            soon = SandboxMessage.announce_at < utc_now() + dt.timedelta(hours=1)
            uow.session.execute(update(SandboxMessage).where(soon).values(announce_at=utc_now()))
        self.announcer.announce()


@pytest.fixture
def circle(desk: Desk) -> Iterator[Circle]:
    for channel in ("phone", "email"):
        address = OFFICE if channel == "phone" else "office@harbor.example"
        senders.put_sender(
            desk.db, provider="recording", channel=channel, address=address, rate=1000.0, messaging_service_sid=None
        )
    with serving(desk) as address:
        yield Circle(desk, address)


def ledger(desk: Desk, address: str) -> list[tuple[str, str]]:
    entries = consent_ledger.list_consents(desk.db, desk.calls, address=address)["data"]
    return [(entry["channel"], entry["state"]) for entry in entries]


@on_one_database
def test_a_stop_and_a_start_from_a_phone_are_in_the_ledger_and_on_its_profile(circle: Circle, desk: Desk) -> None:
    message_id = circle.deliver("sms", ANN)
    assert circle.people.reply(sandbox_message_id=message_id, body="STOP")["status"] == 200
    assert ledger(desk, ANN) == [("sms", "opted_out")]
    profile = circle.inboxes.describe(address=ANN)
    assert [(one["office"], one["channel"], one["state"]) for one in profile["consents"]] == [
        (OFFICE, "sms", "opted_out")
    ]
    circle.people.reply(sandbox_message_id=message_id, body="START")
    assert ledger(desk, ANN) == [("sms", "opted_in"), ("sms", "opted_out")]
    assert circle.inboxes.describe(address=ANN)["consents"][0]["state"] == "opted_in"


def test_nine_in_a_call_stops_calls_and_the_transcript_shows_what_was_said(circle: Circle, desk: Desk) -> None:
    call_id = circle.deliver("phone", ANN)
    assert circle.messages(ANN)[0]["body"] == "Hello. To get no more calls from us, press 9."
    assert circle.people.act(sandbox_message_id=call_id, action="press", value="9")["status"] == 200
    said = [(one["direction"], one["body"]) for one in reversed(circle.messages(ANN))]
    assert said[1:] == [
        ("inbound", "9"),
        ("outbound", "Harbor & Lane. You will get no more calls from us. Goodbye."),
    ]
    assert ledger(desk, ANN) == [("phone", "opted_out")]


def test_a_key_that_is_pressed_twice_in_a_call_is_kept_twice(circle: Circle, desk: Desk) -> None:
    call_id = circle.deliver("phone", ANN)
    for key in "1#1":
        circle.people.act(sandbox_message_id=call_id, action="press", value=key)
    assert desk.deliveries()[0].keys == "1#1"


@pytest.mark.parametrize(("channel", "to"), [("sms", ANN), ("phone", ANN), ("email", "ann@example.com")])
@pytest.mark.parametrize(("behaviour", "state"), [("normal", "delivered"), ("bounce", "undelivered")])
def test_what_an_address_does_with_a_message_is_announced(
    circle: Circle, desk: Desk, channel: str, to: str, behaviour: str, state: str
) -> None:
    circle.inboxes.set_behaviour(address=to, behaviour=behaviour, seconds=0)
    circle.deliver(channel, to)
    circle.announce()
    (row,) = desk.deliveries()
    assert row.state == state
    (message,) = circle.messages(to)
    words = {"sms": state, "email": "bounced" if behaviour == "bounce" else state}
    assert message["status"] == words.get(channel, "no-answer" if behaviour == "bounce" else "completed")


@pytest.mark.parametrize(
    ("channel", "to", "code"),
    [("sms", ANN, "21211"), ("phone", ANN, "21217"), ("email", "ann@example.com", "MessageRejected")],
)
def test_an_address_that_refuses_gets_nothing(circle: Circle, channel: str, to: str, code: str) -> None:
    circle.inboxes.set_behaviour(address=to, behaviour="refuse", seconds=0)
    assert circle.try_to_send(to, channel) == Refused(code)
    assert circle.messages(to) == []
    circle.inboxes.set_behaviour(address=to, behaviour="normal", seconds=0)
    assert isinstance(circle.try_to_send(to, channel), Accepted)


def test_a_message_that_is_too_late_is_not_stored(circle: Circle, desk: Desk) -> None:
    message = Outgoing(token=new_id(), channel="sms", to="+12125550123", sender=OFFICE, body="Hi")
    with begin_by(time.monotonic() - 1), pytest.raises(TooLate):
        SandboxProvider(desk.everywhere).send(message)
    with desk.everywhere.across_firms("a test").read() as session:
        assert session.scalars(select(SandboxMessage)).all() == []


def test_a_delay_is_waited_for(circle: Circle) -> None:
    circle.inboxes.set_behaviour(address=ANN, behaviour="delay", seconds=7200)
    circle.send()
    circle.announce()
    assert circle.messages(ANN)[0]["status"] == "queued"


def test_a_message_is_delivered_or_bounced_by_hand(circle: Circle, desk: Desk) -> None:
    bounced, delivered = circle.deliver("sms", ANN), circle.deliver("sms", BEA)
    circle.people.act(sandbox_message_id=bounced, action="bounce")
    circle.people.act(sandbox_message_id=delivered, action="deliver")
    assert sorted(row.state for row in desk.deliveries()) == ["delivered", "undelivered"]
    circle.announce()
    assert sorted(row.state for row in desk.deliveries()) == ["delivered", "undelivered"], "and that was all"


@on_one_database
def test_a_complaint_about_an_email_opts_the_address_out(circle: Circle, desk: Desk) -> None:
    message_id = circle.deliver("email", "ann@example.com")
    assert circle.people.act(sandbox_message_id=message_id, action="complain")["status"] == 200
    assert ledger(desk, "ann@example.com") == [("email", "opted_out")]


def test_what_does_not_fit_a_message_is_a_conflict(circle: Circle) -> None:
    sms, call, mail = circle.send(), circle.send(channel="phone"), circle.send("a@b.example", "email")
    written = circle.people.write(channel="sms", from_=ANN, to=OFFICE, body="Hello")["provider_id"]
    for message_id, action, code in (
        (sms, "press", "not_a_call"), (sms, "complain", "not_an_email"), (call, "unsubscribe", "not_an_email"),
        (mail, "unsubscribe", "no_unsubscribe_address"), (written, "bounce", "not_a_message_of_ours"),
    ):  # fmt: skip
        with pytest.raises(Conflict, match=code):
            circle.people.act(sandbox_message_id=message_id, action=action, value="9")
    for key in ("", "12", "x"):
        with pytest.raises(Invalid):
            circle.people.act(sandbox_message_id=call, action="press", value=key)
    with pytest.raises(NotFound):
        circle.people.act(sandbox_message_id="SMnone", action="bounce")


def test_anybody_may_write_first(circle: Circle, desk: Desk) -> None:
    told = circle.people.write(channel="sms", from_="(646) 555-0188", to=OFFICE, body="Are you open on Friday?")
    assert told["status"] == 200
    mail = {"from_": "New@Example.com", "to": "office@harbor.example", "subject": "A question", "body": "Hello."}
    assert circle.people.write(channel="email", **mail)["status"] == 200
    assert circle.messages("+16465550188")[0]["direction"] == "inbound"
    assert circle.messages("new@example.com")[0]["subject"] == "A question"
    with pytest.raises(Invalid) as refused:
        circle.people.write(channel="sms", from_="nobody", to=OFFICE, body="Hello")
    assert refused.value.fields[0]["field"] == "from"


def test_each_address_is_listed_once_the_latest_first(circle: Circle) -> None:
    circle.send(ANN, body="First")
    circle.send("bea@example.com", "email", body="Second")
    circle.send(ANN, body="Third")
    circle.send(BEA, "phone", body="Fourth")
    circle.inboxes.set_behaviour(address=ANN, behaviour="delay", seconds=5)
    found = circle.inboxes.list_addresses()
    assert [(row["address"], row["count"], row["latest"]["body"][:6]) for row in found["data"]] == [
        (BEA, 1, "Fourth"), (ANN, 2, "Third"), ("bea@example.com", 1, "Second"),
    ]  # fmt: skip
    assert (found["data"][1]["behaviour"], found["data"][1]["seconds"]) == ("delay", 5.0)
    first = circle.inboxes.list_addresses(limit=2)
    rest = circle.inboxes.list_addresses(limit=2, cursor=first["meta"]["next_cursor"])
    assert [row["address"] for row in rest["data"]] == ["bea@example.com"]
    for query, address in (
        ({"q": "555100"}, [BEA, ANN]),
        ({"channel": "email"}, ["bea@example.com"]),
        ({"q": "%"}, []),
    ):
        assert [row["address"] for row in circle.inboxes.list_addresses(**query)["data"]] == address  # type: ignore[arg-type]


def test_an_address_to_which_nothing_came_has_a_profile_too(circle: Circle) -> None:
    circle.inboxes.set_behaviour(address="(212) 555-1000", behaviour="bounce", seconds=0)
    profile = circle.inboxes.describe(address=ANN)
    assert (profile["behaviour"], profile["count"], profile["latest"], profile["consents"]) == ("bounce", 0, None, [])


def test_a_gateway_that_is_away_is_said_so(circle: Circle, desk: Desk) -> None:
    message_id = circle.send()
    away = Webhooks(public_url=PUBLIC_URL, webhook_url="http://127.0.0.1:1", auth_token=SECRET)
    with pytest.raises(Unavailable, match="gateway_unreachable"):
        SandboxPeople(desk.everywhere, away).reply(sandbox_message_id=message_id, body="STOP")
    unsigned = Webhooks(public_url=PUBLIC_URL, webhook_url="http://127.0.0.1:1", auth_token=None)
    with pytest.raises(Unavailable, match="sandbox_secret_missing"):
        SandboxPeople(desk.everywhere, unsigned).reply(sandbox_message_id=message_id, body="STOP")


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_an_older_sandbox_knows_whose_messages_it_has(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path}/old.db" if kind == "sqlite" else request.getfixturevalue("postgres_database")()
    upgrade("messaging", url, "0002")
    engine = owner_engine(url)
    insert = text(
        "INSERT INTO sandbox_message (id, at, direction, channel, sender, recipient, body, announcements) "
        "VALUES (:id, '2026-11-01 12:00:00', :direction, 'sms', :sender, :recipient, 'Hi', 0)"
    )
    with engine.begin() as connection:
        connection.execute(insert, {"id": "a", "direction": "outbound", "sender": OFFICE, "recipient": ANN})
        connection.execute(insert, {"id": "b", "direction": "inbound", "sender": BEA, "recipient": OFFICE})
    upgrade("messaging", url)
    with engine.begin() as connection:
        found = connection.execute(text("SELECT id, address, outcome FROM sandbox_message ORDER BY id")).all()
    assert [tuple(row) for row in found] == [("a", ANN, "delivered"), ("b", BEA, "delivered")]
    downgrade("messaging", url, "0002")
    engine.dispose()
