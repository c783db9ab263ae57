"""The phone channel through the whole pipeline: as any other, but with what a call has of its own."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from contracts.errors import Invalid
from services.messaging import consent, contents, estimates, messages, senders, statuses
from services.messaging.adapters.base import Outgoing, Result, Unknown
from services.messaging.consents import preferences
from tests.service.messaging_desk import PUBLIC_URL, Desk, desk
from tests.service.one_database import on_one_database

__all__ = ["desk"]

LANDLINE = "+12125559000"


def phone_sender(desk: Desk, address: str = "+12125550100") -> None:
    senders.put_sender(
        desk.db, provider="recording", channel="phone", address=address, rate=1000.0, messaging_service_sid=None
    )


def call_text(desk: Desk, *channels: str, body: str = "Hello {{ client.first_name }}.") -> str:
    variants = [{"channel": name, "language": "en", "subject": None, "body": body} for name in channels]
    return str(contents.create_template(desk.db, name=" ".join(channels), variants=variants)["id"])


@on_one_database
def test_a_call_goes_to_the_clients_phone_and_counts_no_segments(desk: Desk) -> None:
    phone_sender(desk)
    ann = desk.person(phone=LANDLINE)
    batch_id = desk.ask(
        [desk.item(ann)], channels=["phone"], content_id=desk.content("Hello {{ client.first_name }}.", ["phone"])
    )
    desk.run()
    (message,) = desk.provider.accepted
    assert (message.channel, message.to, message.body, message.language) == ("phone", LANDLINE, "Hello Ann.", "en")
    (row,) = desk.deliveries(batch_id)
    assert (row.state, row.segments) == ("sent", None)


def test_quiet_hours_bind_calls(desk: Desk) -> None:
    phone_sender(desk)
    desk.firm["quiet_hours"] = {"opens": dt.time(8), "closes": dt.time(21)}
    desk.clock.advance(hours=11)  # 23:00 in New York
    batch_id = desk.ask(
        [desk.item(desk.person(phone=LANDLINE))], channels=["phone"], content_id=desk.content("Hello.", ["phone"])
    )
    desk.prepare()
    (row,) = desk.deliveries(batch_id)
    assert (row.state, row.due_at) == ("queued", dt.datetime(2026, 11, 22, 13, 0, tzinfo=dt.UTC))


def test_a_call_is_no_answer_to_a_text(desk: Desk) -> None:
    phone_sender(desk)
    desk.firm |= {"require_opt_in": True, "allow_manual_reply": True}
    ann = desk.person(number=LANDLINE, phone=LANDLINE)
    desk.reply(LANDLINE, "Where are you?")
    sent = {channel: send(desk, ann, channel) for channel in ("sms", "phone")}
    assert (sent["sms"]["state"], sent["phone"]["reason"]) == ("accepted", "no_consent")


def send(desk: Desk, client_id: str, channel: str) -> dict[str, Any]:
    return messages.send_message(
        desk.db, desk.calls, public_url=PUBLIC_URL, sandbox=(), actor_id=desk.staff_id, client_id=client_id,
        channel=channel, timing={"mode": "now", "at": None}, body="We call you.", now=desk.clock(),
    )  # fmt: skip


def test_each_channel_has_its_own_consent(desk: Desk) -> None:
    phone_sender(desk)
    ann = desk.person(number=LANDLINE, phone=LANDLINE)
    desk.reply(LANDLINE, "STOP")
    said = preferences.get_preferences(desk.db, desk.calls, client_id=ann)
    assert (said["sms"], said["phone"]) == ("opted_out", None)
    preferences.set_preferences(
        desk.db, desk.calls, client_id=ann, source="staff", actor_id=desk.staff_id, phone="opted_out"
    )
    batch_id = desk.ask([desk.item(ann)], channels=["phone"], content_id=desk.content("Hello.", ["phone"]))
    desk.run()
    assert desk.outcome(batch_id) == {"opted_out": 1}


def test_a_call_is_what_is_left_when_texts_are_not_wanted(desk: Desk) -> None:
    phone_sender(desk)
    ann = desk.person(phone=LANDLINE)
    desk.reply(desk.number(ann), "STOP")
    batch_id = desk.ask(
        [desk.item(ann)],
        channels=["sms", "phone"],
        fallback=True,
        content_id=desk.content("Hello from us.", ["sms", "phone"]),
    )
    desk.run()
    assert [(row.channel, row.state) for row in desk.deliveries(batch_id)] == [("phone", "sent")]


@pytest.mark.parametrize("number", [None, "+1212"])
@on_one_database
def test_who_has_no_number_to_call_gets_no_call(desk: Desk, number: str | None) -> None:
    phone_sender(desk)
    batch_id = desk.ask(
        [desk.item(desk.person(phone=number))], channels=["phone"], content_id=desk.content("Hello.", ["phone"])
    )
    desk.run()
    assert desk.outcome(batch_id) == {"invalid_address" if number else "no_address": 1}


@pytest.mark.parametrize(
    ("body", "code"),
    [("Open {{ task.link }}", "link_not_in_call"), ("word " * 201, "too_long"), ("{{ x }}", "unknown_variable")],
)
def test_what_cannot_be_read_aloud_is_refused_when_it_is_saved(desk: Desk, body: str, code: str) -> None:
    with pytest.raises(Invalid, match=code) as refused:
        call_text(desk, "phone", body=body)
    assert refused.value.fields[0]["field"] == "variants.0.body"


def test_a_template_may_have_a_link_for_texts_and_none_for_calls(desk: Desk) -> None:
    phone_sender(desk)
    variants = [
        {"channel": "sms", "language": "en", "subject": None, "body": "Hi: {{ task.link }}"},
        {"channel": "phone", "language": "en", "subject": None, "body": "We have sent you a text."},
    ]
    template_id = contents.create_template(desk.db, name="Both", variants=variants)["id"]
    message = {"template_id": template_id, "body": None}
    content_id = contents.save_content(desk.db, message=message, channels=["sms", "phone"])["content_id"]
    desk.ask([desk.item(desk.person(phone=LANDLINE))], channels=["sms", "phone"], content_id=content_id)
    desk.run()
    assert sorted(message.channel for message in desk.provider.accepted) == ["phone", "sms"]
    assert [link["channel"] for link in desk.links] == ["sms"]


def test_the_dry_run_knows_what_calls_cost(desk: Desk) -> None:
    phone_sender(desk)
    settings = replace(
        desk.service.settings, provider="recording", segment_cost=Decimal("0.01"), call_cost=Decimal("0.02")
    )
    estimate = estimates.estimate(
        desk.db, desk.calls, settings, coalesce=False,
        message={"template_id": None, "body": "Hello."},
        channels=["phone"], fallback=False, allow_repeat=False, now=desk.clock(),
        items=[desk.item(desk.person(phone=LANDLINE)), desk.item(desk.person(phone="+12125559001"))],
    )  # fmt: skip
    assert (estimate["segments"], estimate["cost"]) == (0, Decimal("0.0400"))


@pytest.mark.parametrize(
    ("said", "state", "reason"),
    [
        (["initiated", "ringing", "in-progress", "completed"], "delivered", None),
        (["completed", "ringing", "initiated"], "delivered", None),
        (["ringing", "no-answer"], "undelivered", "no_answer"),
        (["busy"], "undelivered", "busy"),
        (["failed"], "failed", "failed"),
        (["canceled"], "failed", "canceled"),
    ],
)
@on_one_database
def test_a_calls_statuses_never_go_back(desk: Desk, said: list[str], state: str, reason: str | None) -> None:
    phone_sender(desk)
    batch_id = desk.ask(
        [desk.item(desk.person(phone=LANDLINE))], channels=["phone"], content_id=desk.content("Hello.", ["phone"])
    )
    desk.run()
    (row,) = desk.deliveries(batch_id)
    for status in said:
        statuses.record_delivery_status(
            desk.everywhere, provider="twilio", provider_id="CA1", status=status, token=row.id
        )
    (row,) = desk.deliveries(batch_id)
    assert (row.state, row.reason) == (state, reason)


@on_one_database
def test_a_call_of_unknown_fate_is_not_made_again_while_it_may_be_another(desk: Desk) -> None:
    phone_sender(desk)
    ann = desk.person(phone=LANDLINE)
    first = desk.ask([desk.item(ann)], channels=["phone"], content_id=desk.content("One.", ["phone"]))
    desk.run()
    lost: list[Outgoing] = []

    def lose(message: Outgoing) -> Result:
        lost.append(message)
        return Unknown("timeout")

    desk.provider.answer = lose
    second = desk.ask([desk.item(ann)], channels=["phone"], content_id=desk.content("Two.", ["phone"]))
    desk.run()
    desk.clock.advance(minutes=2)
    desk.sending.settle_some()
    (question,) = desk.provider.asked
    assert question.channel == "phone"
    assert question.taken == frozenset(row.provider_id for row in desk.deliveries(first))
    assert desk.outcome(second) == {"queued": 1}, "proven absent"
    assert len(lost) == 1


def test_the_sandbox_calls_from_the_number_that_it_texts_from(desk: Desk) -> None:
    with desk.db.unit_of_work() as uow:
        office = {name: senders.make_sandbox_sender(uow, "a-firm-id", name) for name in ("phone", "sms")}
    assert office["phone"] is not None
    assert office["phone"].address.startswith("+1")
    assert consent.keys_of("phone", LANDLINE, None) == [("phone", consent.address_key(LANDLINE))]
