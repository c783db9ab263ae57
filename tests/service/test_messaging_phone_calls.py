"""Key presses in our calls and calls that come in: 9 is a STOP, before it is confirmed, and the ledger proves it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import delete, update

from chassis.columns import new_id
from chassis.unit_of_work import UnitOfWork
from contracts import accounts
from contracts.errors import NotFound, Unavailable
from contracts.messaging import CONSENT_CHANGED
from services.messaging import communications, history, phone_calls, senders, statuses
from services.messaging.consents import consent_ledger, stops
from services.messaging.models import Attempt, Delivery
from tests.service.messaging_desk import OFFICE, Desk, desk, together
from tests.service.one_database import on_one_database

__all__ = ["desk"]

LANDLINE = "+12125559000"
MESSAGE = "Your hearing is on Monday."


@pytest.fixture
def call(desk: Desk) -> Delivery:
    """A call that was made to somebody."""
    sender = {"provider": "recording", "channel": "phone", "rate": 1000.0, "messaging_service_sid": None}
    senders.put_sender(desk.db, address="+12125550101", **sender)
    desk.ask([desk.item(desk.person(phone=LANDLINE))], channels=["phone"], content_id=desk.content(MESSAGE, ["phone"]))
    desk.run()
    (row,) = desk.deliveries()
    return row


def press(
    desk: Desk, token: str, digits: str = "9", provider_id: str = "CA1", event_id: str | None = None
) -> dict[str, Any]:
    return phone_calls.press_key(
        desk.everywhere,
        desk.calls,
        provider="twilio",
        provider_id=provider_id,
        digits=digits,
        token=token,
        event_id=event_id,
    )


def ring(desk: Desk, caller: str = LANDLINE, to: str = OFFICE, digits: str | None = None) -> dict[str, Any]:
    return phone_calls.receive_call(
        desk.everywhere, desk.calls, provider="twilio", provider_id="CA2", from_=caller, to=to, digits=digits
    )


def ledger(desk: Desk) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = consent_ledger.list_consents(desk.db, desk.calls, address=LANDLINE)["data"]
    return found


def call_again(desk: Desk) -> dict[str, int]:
    content_id = desk.content("One more thing.", ["phone"])
    batch_id = desk.ask([desk.item(desk.person(phone=LANDLINE))], channels=["phone"], content_id=content_id)
    desk.run()
    return desk.outcome(batch_id)


def test_nine_counts_for_a_call_that_is_erased_meanwhile(
    desk: Desk, call: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = stops.record_stop

    def stop_after_an_erasure(uow: UnitOfWork, *given: Any, **named: Any) -> Any:
        uow.session.execute(delete(Attempt).where(Attempt.delivery_id == call.id))
        uow.session.execute(delete(Delivery).where(Delivery.id == call.id))
        return stop(uow, *given, **named)

    monkeypatch.setattr(stops, "record_stop", stop_after_an_erasure)
    press(desk, call.id)
    (entry,) = ledger(desk)
    assert (entry["channel"], entry["state"]) == ("phone", "opted_out")


def test_nine_ends_calls_at_once_and_the_ledger_says_why(desk: Desk, call: Delivery) -> None:
    spoken = press(desk, call.id)
    assert spoken == {
        "text": "Harbor & Lane. You will get no more calls from us. Goodbye.", "language": "en-US", "awaits_key": False,
    }  # fmt: skip
    (entry,) = ledger(desk)
    assert (entry["channel"], entry["state"], entry["source"]) == ("phone", "opted_out", "reply")
    evidence = entry["evidence"]
    assert (evidence["digits"], evidence["provider_id"], evidence["delivery_id"]) == ("9", "CA1", call.id)
    assert call_again(desk) == {"opted_out": 1}
    (event,) = desk.emitted(CONSENT_CHANGED)
    assert (event["channel"], event["client_ids"]) == ("phone", [call.client_id])


def test_the_same_key_again_is_confirmed_and_changes_nothing(desk: Desk, call: Delivery) -> None:
    first = press(desk, call.id)
    again = together(*[lambda: press(desk, call.id), lambda: press(desk, call.id, provider_id="CA3")])
    assert [*again, ring(desk, digits="9")] == [first] * 3
    assert len(ledger(desk)) == 1


@on_one_database
def test_texts_still_go_to_who_stopped_calls(desk: Desk, call: Delivery) -> None:
    press(desk, call.id)
    batch_id = desk.ask([desk.item(desk.person(number=LANDLINE))])
    desk.run()
    assert desk.outcome(batch_id) == {"sent": 1}


@on_one_database
def test_another_key_has_the_message_read_again(desk: Desk, call: Delivery) -> None:
    spoken = press(desk, call.id, digits="1")
    assert spoken["text"] == f"{MESSAGE} To get no more calls from us, press 9."
    assert spoken["awaits_key"]
    assert ledger(desk) == []


@pytest.mark.parametrize("token", [None, "", "no-id", new_id()])
def test_a_key_in_a_call_that_we_did_not_make_is_refused(desk: Desk, call: Delivery, token: str | None) -> None:
    with pytest.raises(NotFound, match="call_not_found"):
        press(desk, token)  # type: ignore[arg-type]


@on_one_database
def test_a_texts_token_is_no_calls(desk: Desk) -> None:
    desk.ask([desk.item(desk.person())])
    desk.run()
    with pytest.raises(NotFound, match="call_not_found"):
        press(desk, desk.deliveries()[0].id)


@pytest.mark.parametrize("office", ["+12125550101", OFFICE])
@on_one_database
def test_who_calls_back_hears_whose_number_it_is_and_can_stop_calls(desk: Desk, call: Delivery, office: str) -> None:
    greeting = ring(desk, to=office)
    assert greeting["text"].startswith("Harbor & Lane. ")
    assert greeting["awaits_key"]
    assert ledger(desk) == []
    assert not ring(desk, to=office, digits="9")["awaits_key"]
    (entry,) = ledger(desk)
    assert (entry["channel"], entry["evidence"]["called"]) == ("phone", office)
    assert call_again(desk) == {"opted_out": 1}


@on_one_database
def test_nobody_is_stopped_for_a_number_that_is_withheld(desk: Desk, call: Delivery) -> None:
    for caller in ("anonymous", "+266696687"):
        spoken = ring(desk, caller=caller, digits="9")
        assert "cannot see your number" in spoken["text"]
        assert not spoken["awaits_key"]
    assert desk.emitted(CONSENT_CHANGED) == []


def test_a_number_that_no_firm_has_is_no_firms(desk: Desk) -> None:
    with pytest.raises(NotFound, match="sender_not_found"):
        ring(desk, to="+12125550111")


def test_a_spanish_call_is_confirmed_in_spanish(desk: Desk) -> None:
    sender = {"provider": "recording", "channel": "phone", "rate": 1000.0, "messaging_service_sid": None}
    senders.put_sender(desk.db, address="+12125550101", **sender)
    desk.firm["locale"] = "es"
    assert ring(desk)["language"] == "es-US"
    assert "marque 9" in ring(desk)["text"]


@on_one_database
def test_a_key_does_what_it_does_while_accounts_is_away(desk: Desk, call: Delivery) -> None:
    def away() -> dict[str, Any]:
        raise Unavailable("accounts_away")

    desk.calls.answers[accounts.GET_FIRM] = away
    assert press(desk, call.id)["text"] == "You will get no more calls from us. Goodbye."
    assert len(ledger(desk)) == 1


# What came of a call, where the conversation is read


def outcome(desk: Desk, call: Delivery) -> dict[str, Any] | None:
    """As the client's thread shows it."""
    person = str(call.client_id)
    (shown,) = history.list_messages(
        desk.db, client_id=person, address=None, direction=None, batch_id=None, limit=50, cursor=None, sort=None
    )["data"]
    assert shown == history.get_message(desk.db, message_id=call.id)
    found: dict[str, Any] | None = shown["call"]
    return found


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        ("ringing", None),
        ("completed", "answered"),
        ("no-answer", "no_answer"),
        ("busy", "busy"),
        ("failed", "failed"),
    ],
)
def test_a_conversation_shows_what_came_of_a_call(desk: Desk, call: Delivery, status: str, shown: str | None) -> None:
    for _ in range(2):
        statuses.record_delivery_status(
            desk.everywhere, provider="twilio", provider_id=str(call.provider_id), status=status, token=call.id
        )
    assert outcome(desk, call) == {"outcome": shown, "key": None, "keys": None}


@on_one_database
def test_a_conversation_shows_the_key_that_ended_our_calls(desk: Desk, call: Delivery) -> None:
    press(desk, call.id, digits="1")
    assert outcome(desk, call) == {"outcome": "answered", "key": None, "keys": "1"}
    press(desk, call.id)
    press(desk, call.id)
    assert outcome(desk, call) == {"outcome": "answered", "key": "9", "keys": "19"}


def test_keys_are_kept_in_their_order_and_one_that_is_told_again_once(desk: Desk, call: Delivery) -> None:
    for event_id, key in (("e-1", "1"), ("e-2", "#"), ("e-3", "1")):
        answers = together(*[lambda: press(desk, call.id, digits=key, event_id=event_id)] * 3)  # noqa: B023 - run here
        assert answers == [answers[0]] * 3
        assert answers[0]["awaits_key"]
    press(desk, call.id, digits="#", event_id="e-2")
    assert outcome(desk, call) == {"outcome": "answered", "key": None, "keys": "1#1"}
    (line,) = communications.list_communications(desk.db, client_id=str(call.client_id))["data"]
    assert line["message"]["call"]["keys"] == "1#1"


def test_no_key_is_lost_where_two_are_told_at_once(desk: Desk, call: Delivery) -> None:
    keys = "12345678"
    together(*[lambda key=key: press(desk, call.id, digits=key, event_id=f"e-{key}") for key in keys])
    shown = outcome(desk, call)
    assert shown is not None
    assert sorted(shown["keys"]) == list(keys)


@on_one_database
def test_what_is_told_again_of_one_call_is_no_repeat_in_another(desk: Desk, call: Delivery) -> None:
    desk.ask([desk.item(desk.person(phone="+12125559001"))], channels=["phone"], content_id=call.content_id)
    desk.run()
    (other,) = [row for row in desk.deliveries() if row.id != call.id]
    for row in (call, other):
        press(desk, row.id, digits="1", event_id="e-1")
        assert outcome(desk, row) == {"outcome": "answered", "key": None, "keys": "1"}


@on_one_database
def test_the_last_twenty_keys_are_kept(desk: Desk, call: Delivery) -> None:
    for number in range(23):
        press(desk, call.id, digits=str(number % 8), event_id=f"e-{number}")
    press(desk, call.id)
    assert outcome(desk, call) == {"outcome": "answered", "key": "9", "keys": "45670123456701234569"}


@pytest.mark.parametrize("digits", ["", "A", "12", "9 ", "\u0661", "x" * 20])
@on_one_database
def test_what_is_no_key_is_not_kept(desk: Desk, call: Delivery, digits: str) -> None:
    assert press(desk, call.id, digits=digits, event_id="e-1")["awaits_key"]
    assert outcome(desk, call) == {"outcome": None, "key": None, "keys": None}
    assert ledger(desk) == []


@pytest.mark.parametrize(("kept", "shown"), [(None, "9"), ("1", "19")])
def test_a_nine_that_only_the_ledger_knows_of_is_shown(
    desk: Desk, call: Delivery, kept: str | None, shown: str
) -> None:
    press(desk, call.id)
    with desk.db.unit_of_work() as uow:
        uow.session.execute(update(Delivery).where(Delivery.id == call.id).values(keys=kept))
    assert outcome(desk, call) == {"outcome": "answered", "key": "9", "keys": shown}


def test_what_is_no_call_or_was_not_made_shows_none(desk: Desk) -> None:
    desk.ask([desk.item(desk.person())])
    desk.ask([desk.item(desk.person(phone=LANDLINE))], channels=["phone"], content_id=desk.content(MESSAGE, ["phone"]))
    desk.run()
    with desk.db.read() as session:
        assert [shown["call"] for shown in history.records(session, desk.deliveries())] == [None, None]
