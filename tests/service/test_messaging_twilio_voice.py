"""Calls by Twilio's own client against the stand-in: what is asked for, and what each failure is taken for."""

from __future__ import annotations

import datetime as dt
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import pytest

from chassis.columns import utc_now
from chassis.testing import eventually
from services.messaging import senders
from services.messaging.adapters.base import (
    Absent,
    Accepted,
    Deferred,
    NotConnected,
    Outgoing,
    Question,
    Refused,
    Unknown,
)
from services.messaging.adapters.twilio import TwilioProvider
from services.messaging.adapters.twilio_voice import LONGEST_TWIML, twiml_of
from services.messaging.consents import consent_ledger
from services.messaging.spoken import script_of
from tests.service.desk_gateway import SECRET, serving
from tests.service.messaging_desk import PUBLIC_URL, Desk, desk
from tests.service.one_database import on_one_database
from tests.stand_ins.twilio import TwilioStandIn

__all__ = ["desk"]

TO, OFFICE = "+12125550123", "+12125550100"
VOICE_URL = "https://casewire.test/webhooks/twilio/voice"


@pytest.fixture(scope="module")
def running() -> Iterator[TwilioStandIn]:
    with TwilioStandIn() as twilio:
        yield twilio


@pytest.fixture
def twilio(running: TwilioStandIn) -> TwilioStandIn:
    running.reset()
    return running


def provider(url: str) -> TwilioProvider:
    status_url = "https://casewire.test/webhooks/twilio/status"
    return TwilioProvider("ACtest", "token", callback_url=status_url, voice_url=VOICE_URL, api_url=url, seconds=0.5)


def outgoing(body: str = "Your hearing is on Monday.", language: str | None = "en", to: str = TO) -> Outgoing:
    return Outgoing(token="t-1", channel="phone", to=to, sender=OFFICE, body=body, language=language)


def question(taken: frozenset[str] = frozenset(), begun_at: dt.datetime | None = None) -> Question:
    return Question("t-1", TO, OFFICE, "Your hearing", begun_at or utc_now(), channel="phone", taken=taken)


def test_a_call_carries_its_message_its_menu_and_where_to_tell_us(twilio: TwilioStandIn) -> None:
    result = provider(twilio.url).send(outgoing('Bring "A & B" <today>.'))
    assert isinstance(result, Accepted)
    (call,) = twilio.calls()
    assert (call["sid"], call["to"], call["from"]) == (result.provider_id, TO, OFFICE)
    assert call["callback"] == f"{VOICE_URL}?token=t-1"
    assert call["events"] == ["initiated", "ringing", "answered", "completed"]
    assert call["machine_detection"] == "DetectMessageEnd"
    response = ET.fromstring(call["twiml"])  # noqa: S314 - our own code wrote it
    assert [part.tag for part in response] == ["Gather", "Gather", "Say", "Hangup"], "said twice, then an end"
    gather = response[0]
    assert (gather.get("action"), gather.get("numDigits")) == (f"{VOICE_URL}?token=t-1", "1")
    said = [(say.text, say.get("language")) for say in gather]
    assert said == [('Bring "A & B" <today>.', "en-US"), ("To get no more calls from us, press 9.", "en-US")]


@pytest.mark.parametrize(
    ("language", "voices", "menu"),
    [("es", ("es-US", "es-US"), "marque 9"), ("fr", ("fr-FR", "en-US"), "press 9"), (None, ("en-US",) * 2, "press 9")],
)
def test_a_call_speaks_the_messages_language(language: str | None, voices: tuple[str, str], menu: str) -> None:
    message, own = ET.fromstring(twiml_of(script_of("Hola", language), "https://x.test"))[0]  # noqa: S314
    assert (message.get("language"), own.get("language")) == voices
    assert menu in str(own.text)


def test_a_message_that_is_too_long_to_be_said_twice_is_said_once() -> None:
    twiml = twiml_of(script_of("word " * 500, "en"), "https://x.test")
    assert len(twiml) < LONGEST_TWIML
    assert twiml.count("<Gather") == 1


@pytest.mark.parametrize(
    ("rule", "result"),
    [
        ({"do": "refuse", "status": 400, "code": 21217}, Refused("21217")),
        ({"do": "refuse", "status": 429, "retry_after": 7}, Deferred(7.0, of_account=True)),
        ({"do": "stall"}, Unknown("timeout")),
        ({"do": "cut"}, Unknown("cut")),
        ({"do": "error", "status": 500}, Unknown("http_500")),
    ],
)
def test_failures_of_a_call_mean_what_those_of_a_text_do(
    twilio: TwilioStandIn, rule: dict[str, object], result: object
) -> None:
    twilio.when(**rule)  # type: ignore[arg-type]
    assert provider(twilio.url).send(outgoing()) == result
    assert twilio.counts()["requests"] == 1, "never asked twice"


def test_a_call_that_never_left_may_be_made_again() -> None:
    assert provider("http://127.0.0.1:1").send(outgoing()) == NotConnected()


def test_the_one_call_that_is_nobody_elses_is_ours(twilio: TwilioStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = provider(twilio.url)
    assert adapter.find(question()) == Absent()
    adapter.send(outgoing(to="+12125550199"))
    assert adapter.find(question()) == Absent(), "a call to somebody else proves nothing"
    other = adapter.send(outgoing())
    assert isinstance(other, Accepted)
    assert adapter.find(question(taken=frozenset([other.provider_id]))) == Absent()
    twilio.when("cut", times=1)
    assert adapter.send(outgoing()) == Unknown("cut")
    ours = twilio.calls()[-1]["sid"]
    assert adapter.find(question(taken=frozenset([other.provider_id]))) == Accepted(ours, "queued")
    assert adapter.find(question(begun_at=utc_now() + dt.timedelta(days=1))) == Absent()
    monkeypatch.setattr("services.messaging.adapters.twilio_voice.LOOKED_THROUGH", 1)
    assert adapter.find(question(taken=frozenset([ours]))) is None, "the other one is not seen"


def test_of_two_calls_that_might_be_ours_none_is_taken(twilio: TwilioStandIn) -> None:
    adapter = provider(twilio.url)
    adapter.send(outgoing())
    adapter.send(outgoing())
    assert adapter.find(question()) is None


@on_one_database
def test_a_call_is_reported_on_and_a_key_in_it_ends_calls(twilio: TwilioStandIn, desk: Desk) -> None:
    sender = {"provider": "recording", "channel": "phone", "rate": 1000.0, "messaging_service_sid": None}
    senders.put_sender(desk.db, address=OFFICE, **sender)
    desk.provider.answer = provider(twilio.url).send
    with serving(desk) as address:
        twilio.call_back(SECRET, instead_of=PUBLIC_URL, post_to=address, repeat=2)
        desk.ask([desk.item(desk.person(phone=TO))], channels=["phone"], content_id=desk.content("Hello.", ["phone"]))
        desk.run()
        eventually(lambda: desk.deliveries()[0].state == "delivered", what="the call is reported as completed")
        (call,) = twilio.calls()
        assert call["token"] == desk.deliveries()[0].id
        twilio.press(call, "1")
        answers = [twilio.press(call, "9") for _ in range(2)]
    assert desk.deliveries()[0].keys == "19"
    assert answers[0] == answers[1]
    assert "You will get no more calls from us." in answers[0]
    (entry,) = consent_ledger.list_consents(desk.db, desk.calls, address=TO)["data"]
    assert (entry["state"], entry["evidence"]["provider_id"]) == ("opted_out", call["sid"])


def test_a_provider_that_cannot_be_asked_proves_nothing() -> None:
    assert provider("http://127.0.0.1:1").find(question()) is None
