"""The Twilio adapter with Twilio's own client against the stand-in: what each failure is taken for."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import eventlet
import eventlet.event
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from eventlet.greenio import GreenSocket

from chassis.columns import utc_now
from services.messaging.adapters.base import (
    Absent,
    Accepted,
    Deferred,
    Figures,
    NotConnected,
    Outgoing,
    Question,
    Refused,
    Unknown,
)
from services.messaging.adapters.in_time import TooLate, begin_by
from services.messaging.adapters.twilio import TwilioProvider
from tests.stand_ins.twilio import TwilioStandIn

TO = "+12125550123"
STATUS_URL = "https://casewire.test/webhooks/twilio/status"
VOICE_URL = "https://casewire.test/webhooks/twilio/voice"


@pytest.fixture(scope="module")
def running() -> Iterator[TwilioStandIn]:
    with TwilioStandIn() as twilio:
        yield twilio


@pytest.fixture
def twilio(running: TwilioStandIn) -> TwilioStandIn:
    running.reset()
    return running


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for `localhost` that nobody has signed but itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(utc_now() - dt.timedelta(days=1))
        .not_valid_after(utc_now() + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file = tmp_path_factory.mktemp("certificate") / "both.pem"
    file.write_bytes(private + made.public_bytes(Encoding.PEM))
    return file


def provider(url: str, seconds: float = 0.5) -> TwilioProvider:
    return TwilioProvider("ACtest", "token", callback_url=STATUS_URL, voice_url=VOICE_URL, api_url=url, seconds=seconds)


def outgoing(body: str = "Hello: https://casewire.test/p/abcdefgh", **given: str) -> Outgoing:
    return Outgoing(token="t-1", channel="sms", to=TO, sender="+12125550100", body=body, **given)


def test_an_accepted_message_carries_everything(twilio: TwilioStandIn) -> None:
    result = provider(twilio.url).send(outgoing("Hi ñ & =?"))
    assert isinstance(result, Accepted)
    (message,) = twilio.accepted()
    assert (message["to"], message["from"], message["body"]) == (TO, "+12125550100", "Hi ñ & =?")
    assert message["callback"] == "https://casewire.test/webhooks/twilio/status?token=t-1"
    assert message["sid"] == result.provider_id


def test_a_messaging_service_goes_before_the_number(twilio: TwilioStandIn) -> None:
    provider(twilio.url).send(outgoing(messaging_service_sid="MG1"))
    assert twilio.accepted()[0]["from"] == "MG1"


def test_refusals_are_final_and_carry_the_code(twilio: TwilioStandIn) -> None:
    twilio.when("refuse", status=400, code=21610)
    assert provider(twilio.url).send(outgoing()) == Refused("21610")


@pytest.mark.parametrize(("retry_after", "seconds"), [(7, 7.0), (None, 5.0)])
def test_too_many_requests_names_the_delay(twilio: TwilioStandIn, retry_after: int | None, seconds: float) -> None:
    twilio.when("refuse", status=429, retry_after=retry_after)
    assert provider(twilio.url).send(outgoing()) == Deferred(seconds, of_account=True)


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ({"do": "stall"}, "timeout"),
        ({"do": "late", "seconds": 2.0}, "timeout"),
        ({"do": "cut"}, "cut"),
        ({"do": "cut_before"}, "cut"),
        ({"do": "error", "status": 500}, "http_500"),
        ({"do": "error", "status": 503}, "http_503"),
    ],
)
def test_what_was_begun_and_not_answered_is_unknown(twilio: TwilioStandIn, rule: dict[str, object], code: str) -> None:
    twilio.when(**rule)  # type: ignore[arg-type]
    assert provider(twilio.url).send(outgoing()) == Unknown(code)
    assert twilio.counts()["requests"] == 1, "never asked twice"


def test_a_connection_that_was_never_made_may_be_tried_again() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        assert provider(url).send(outgoing()) == NotConnected()


def test_a_kept_connection_that_the_provider_closed_is_not_used_again() -> None:
    body = b'{"sid": "SM1", "status": "queued"}'
    answer = b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    closed = eventlet.event.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for _ in range(2):
                connection, _ = server.accept()
                connection.recv(65536)
                connection.sendall(answer)
                connection.close()
                if not closed.ready():
                    closed.send(None)

        eventlet.spawn(serve)
        twilio = provider(f"http://127.0.0.1:{server.getsockname()[1]}")
        assert isinstance(twilio.send(outgoing()), Accepted)
        closed.wait()
        assert isinstance(twilio.send(outgoing()), Accepted)


def test_a_request_that_is_too_late_does_not_leave_and_its_connection_waits_for_the_next() -> None:
    body = b'{"sid": "SM1", "status": "queued"}'
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            heard.append(connection.recv(65536))
            connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

        eventlet.spawn(serve)  # takes one connection, and no other
        twilio = provider(f"http://127.0.0.1:{server.getsockname()[1]}")
        with begin_by(time.monotonic() - 1), pytest.raises(TooLate):
            twilio.send(outgoing("First"))
        with begin_by(time.monotonic() + 60):
            assert isinstance(twilio.send(outgoing("Second")), Accepted)
    (request,) = heard
    assert b"Second" in request


def test_head_and_body_of_a_request_go_out_together(twilio: TwilioStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []
    send = GreenSocket.sendall

    def watched(line: GreenSocket, data: bytes, *flags: int) -> None:
        written.append(data)
        send(line, data, *flags)

    monkeypatch.setattr(GreenSocket, "sendall", watched)
    assert isinstance(provider(twilio.url).send(outgoing("The last words")), Accepted)
    (request,) = (data for data in written if data.startswith(b"POST"))
    assert b"The+last+words" in request


def test_a_connection_whose_answer_did_not_come_is_not_used_again() -> None:
    body = b'{"sid": "SM2", "status": "queued"}'
    answer = b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            first, _ = server.accept()
            second, _ = server.accept()
            second.recv(65536)
            second.sendall(answer)
            first.close()
            second.close()

        serving = eventlet.spawn(serve)
        twilio = provider(f"http://127.0.0.1:{server.getsockname()[1]}")
        assert twilio.send(outgoing()) == Unknown("timeout")
        # What comes late on the first one would be taken for the answer to this.
        assert twilio.send(outgoing()) == Accepted("SM2", "queued")
        serving.wait()


# eventlet leaves the sockets of a handshake that failed to the collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("trusted", [True, False])
def test_a_request_goes_to_whom_a_trusted_certificate_names(
    certificate: Path, trusted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if trusted:
        monkeypatch.setattr("certifi.where", lambda: str(certificate))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with suppress(OSError), context.wrap_socket(connection, server_side=True) as secured:
                heard.append(secured.recv(65536))
                secured.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")

        serving = eventlet.spawn(serve)
        result = provider(f"https://localhost:{server.getsockname()[1]}", seconds=5.0).send(outgoing())
        serving.wait()
    assert result == (Refused("400") if trusted else NotConnected())
    assert len(heard) == (1 if trusted else 0)


def test_a_message_of_unknown_fate_is_found_by_its_links_ending(twilio: TwilioStandIn) -> None:
    adapter = provider(twilio.url)
    adapter.send(outgoing("Hi: https://casewire.test/p/1111111111aaaaaa"))
    adapter.send(outgoing("Hi: https://casewire.test/p/2222222222bbbbbb"))
    begun_at = utc_now()
    stored = "Hi: https://casewire.test/p/\u2026{}"
    question = Question(token="t-1", to=TO, sender="", body=stored.format("bbbbbb"), begun_at=begun_at)
    assert adapter.find(question) == Accepted(twilio.accepted()[1]["sid"], "sent", segments=1)
    other = Question(token="t-1", to=TO, sender="", body=stored.format("cccccc"), begun_at=begun_at)
    assert adapter.find(other) == Absent()
    # Our clock may be an hour ahead of Twilio's.
    ahead = replace(other, body=stored.format("bbbbbb"), begun_at=begun_at + dt.timedelta(hours=1))
    assert adapter.find(ahead) == Accepted(twilio.accepted()[1]["sid"], "sent", segments=1)
    assert adapter.find(replace(ahead, begun_at=begun_at + dt.timedelta(hours=3))) == Absent()
    assert adapter.find(replace(ahead, taken=frozenset({twilio.accepted()[1]["sid"]}))) == Absent()


def test_a_message_is_found_whose_signs_were_made_plain(twilio: TwilioStandIn) -> None:
    adapter = provider(twilio.url)
    adapter.send(outgoing('It\'s "done" - caf\u00e9, 1/2: https://casewire.test/p/2222222222bbbbbb...'))
    sent = "It\u2019s \u201cdone\u201d \u2013 caf\u00e9, \u00bd: https://casewire.test/p/\u2026bbbbbb\u2026"
    question = Question(token="t-1", to=TO, sender="", body=sent, begun_at=utc_now())
    assert isinstance(adapter.find(question), Accepted)
    assert adapter.find(replace(question, body=sent.replace("done", "due"))) == Absent()
    assert adapter.find(replace(question, body="\U0001f44d")) == Absent()


def test_what_is_not_among_many_messages_is_not_absent(twilio: TwilioStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = provider(twilio.url)
    adapter.send(outgoing("First"))
    adapter.send(outgoing("Second"))
    question = Question(token="t-1", to=TO, sender="", body="First", begun_at=utc_now())
    monkeypatch.setattr("services.messaging.adapters.twilio.LOOKED_THROUGH", 1)
    assert adapter.find(question) is None


def test_a_provider_that_cannot_be_asked_proves_nothing() -> None:
    question = Question(token="t", to=TO, sender="", body="x", begun_at=utc_now())
    assert provider("http://127.0.0.1:1").find(question) is None


@pytest.mark.parametrize(("channel", "segments"), [("sms", 1), ("phone", None)])
def test_a_price_is_told_once_it_is_charged(twilio: TwilioStandIn, channel: str, segments: int | None) -> None:
    adapter = provider(twilio.url)
    accepted = adapter.send(replace(outgoing(), channel=channel))
    assert isinstance(accepted, Accepted)
    twilio.charge("-0.00790", after=600)
    assert adapter.figures(accepted.provider_id, channel) == Figures(segments)
    twilio.set_clock(ahead=601)
    assert adapter.figures(accepted.provider_id, channel) == Figures(segments, Decimal("0.0079"), "USD")
    assert twilio.asked() == [accepted.provider_id] * 2


def test_a_messaging_service_names_no_segments_before_it_has_sent(twilio: TwilioStandIn) -> None:
    adapter = provider(twilio.url)
    accepted = adapter.send(outgoing(messaging_service_sid="MG1"))
    assert isinstance(accepted, Accepted)
    assert accepted.segments is None
    assert adapter.figures(accepted.provider_id, "sms") == Figures(1)


@pytest.mark.parametrize(
    ("rule", "answer"),
    [
        ({"do": "refuse", "status": 429, "retry_after": 7}, Deferred(7.0, of_account=True)),
        ({"do": "refuse", "status": 500}, Figures()),
        ({"do": "cut"}, None),
    ],
)
def test_a_price_that_is_not_told_is_asked_for_later(
    twilio: TwilioStandIn, rule: dict[str, object], answer: object
) -> None:
    adapter = provider(twilio.url)
    accepted = adapter.send(outgoing())
    assert isinstance(accepted, Accepted)
    twilio.when(**rule)  # type: ignore[arg-type]
    assert adapter.figures(accepted.provider_id, "sms") == answer


def test_what_has_no_record_has_no_price(twilio: TwilioStandIn) -> None:
    assert provider(twilio.url).figures("SM0", "sms") == Figures()
    assert provider("http://127.0.0.1:1").figures("SM0", "sms") is None
