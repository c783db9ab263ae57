"""/webhooks/ses: what SES and the sandbox tell of emails, and what is not believed."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import eventlet
import eventlet.wsgi
import pytest

from contracts.messaging import RECORD_EMAIL_EVENT
from tests.service.test_gateway_edge import TOKEN, Edge, problem
from tests.stand_ins.sns import CERT_PATH, Topic

PATH = "/webhooks/ses"
DELIVERED = {
    "eventType": "Delivery",
    "mail": {"messageId": "m-1", "tags": {"casewire-delivery": ["t-1"], "ses:operation": ["SendEmail"]}},
    "delivery": {"timestamp": "2026-11-25T20:00:00.000Z", "recipients": ["ann@example.com"]},
}


class Amazon:
    """Serves a topic's certificate and takes confirmations, on this machine."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.status = "200 OK"
        listener = eventlet.listen(("127.0.0.1", 0))
        self.topic = Topic(f"http://127.0.0.1:{listener.getsockname()[1]}")
        self._thread = eventlet.spawn(eventlet.wsgi.server, listener, self._serve, log_output=False)

    def _serve(self, environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        self.asked.append(environ["PATH_INFO"])
        start(self.status, [("Location", "http://127.0.0.1:1/elsewhere.pem")])
        return [self.topic.certificate if environ["PATH_INFO"] == CERT_PATH else b"confirmed"]

    def stop(self) -> None:
        self._thread.kill()


@pytest.fixture
def amazon() -> Iterator[Amazon]:
    running = Amazon()
    yield running
    running.stop()


@pytest.fixture
def edge(amazon: Amazon) -> Edge:
    made = Edge(SNS_TOPICS=f"{amazon.topic.arn}, arn:other", SNS_CERT_HOSTS="127.0.0.1", SANDBOX_PAGES=True)
    made.answer(RECORD_EMAIL_EVENT, lambda **event: {"applied": True})
    return made


def post(edge: Edge, envelope: dict[str, str] | str, headers: dict[str, str] | None = None) -> Any:
    body = envelope if isinstance(envelope, str) else json.dumps(envelope)
    return edge.http.post(PATH, data=body, content_type="text/plain; charset=UTF-8", headers=headers)


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_signed_notification_is_taken(edge: Edge, amazon: Amazon, version: str) -> None:
    envelope = amazon.topic.notification(DELIVERED, version=version, Subject="Amazon SES Email Event Notification")
    for _ in range(3):
        assert post(edge, envelope).status_code == 200
    assert edge.calls.asked(RECORD_EMAIL_EVENT)[0] == {
        "provider": "ses", "event_id": envelope["MessageId"], "kind": "delivered", "provider_id": "m-1",
        "token": "t-1", "recipients": [{"address": "ann@example.com", "hard": False, "code": None}],
        "at": dt.datetime(2026, 11, 25, 20, tzinfo=dt.UTC),
    }  # fmt: skip
    assert amazon.asked == [CERT_PATH], "a certificate is fetched once"


BOUNCED = [{"emailAddress": "ann@example.com", "status": "5.1.1"}, {"emailAddress": "bo@example.com"}]


@pytest.mark.parametrize(
    ("told", "kind", "recipients"),
    [
        ({"notificationType": "Bounce", "bounce": {"bounceType": "Permanent", "bouncedRecipients": BOUNCED}},
         "bounced", [("ann@example.com", True, "5.1.1"), ("bo@example.com", True, None)]),
        ({"eventType": "Bounce", "bounce": {"bounceType": "Transient", "bounceSubType": "MailboxFull",
                                           "bouncedRecipients": BOUNCED[1:]}},
         "bounced", [("bo@example.com", False, "MailboxFull")]),
        ({"eventType": "Complaint", "complaint": {"complainedRecipients": BOUNCED[1:],
                                                  "complaintFeedbackType": "abuse"}},
         "complained", [("bo@example.com", False, "abuse")]),
        ({"eventType": "Reject", "reject": {"reason": "Bad content"}}, "rejected", []),
        ({"eventType": "Send", "send": {}}, "sent", []),
    ],
)  # fmt: skip
def test_each_kind_of_event_is_understood(
    edge: Edge, amazon: Amazon, told: dict[str, Any], kind: str, recipients: list[tuple[str, bool, str | None]]
) -> None:
    mail = {"messageId": "m-1", "headers": [{"name": "X-Casewire-Delivery", "value": "t-9"}]}
    assert post(edge, amazon.topic.notification({"mail": mail, **told})).status_code == 200
    (event,) = edge.calls.asked(RECORD_EMAIL_EVENT)
    assert (event["kind"], event["token"]) == (kind, "t-9")
    assert [(found["address"], found["hard"], found["code"]) for found in event["recipients"]] == recipients


@pytest.mark.parametrize(
    "told",
    [
        "Successfully validated SNS topic for Amazon SES event publishing.",
        "[]",
        {"eventType": "Open", "mail": {"messageId": "m-1"}},
        {"eventType": "SomethingNew", "mail": {"messageId": "m-1"}},
        {"eventType": "Bounce"},
        {"eventType": "Complaint", "mail": {}, "complaint": {"complaintFeedbackType": "not-spam"}},
    ],
)
def test_what_means_nothing_to_us_is_taken_and_ignored(edge: Edge, amazon: Amazon, told: Any) -> None:
    assert post(edge, amazon.topic.notification(told)).status_code == 200
    assert edge.calls.asked(RECORD_EMAIL_EVENT) == []


def _forged(topic: Topic) -> dict[str, dict[str, str]]:
    good = topic.notification(DELIVERED)
    stranger = Topic(topic.host)
    host = topic.host.removeprefix("http://")
    elsewhere = {
        "other host": f"https://evil.example{CERT_PATH}",
        "host in the path": f"https://evil.example/sns.us-east-1.amazonaws.com{CERT_PATH}",
        "host at the end": f"https://sns.us-east-1.amazonaws.com.evil.example{CERT_PATH}",
        "host as a user": f"https://sns.us-east-1.amazonaws.com@evil.example{CERT_PATH}",
        "another service": f"https://s3.us-east-1.amazonaws.com{CERT_PATH}",
        "no TLS": f"http://sns.us-east-1.amazonaws.com{CERT_PATH}",
        "another port": f"https://sns.us-east-1.amazonaws.com:8443{CERT_PATH}",
        "no certificate": f"http://{host}/other.txt",
        "a file": f"file://127.0.0.1{CERT_PATH}",
        "no address": "",
        "nonsense": "http://[",
    }
    return {
        "no signature": {name: value for name, value in good.items() if name != "Signature"},
        "empty signature": {**good, "Signature": ""},
        "not base64": {**good, "Signature": "???"},
        "another key": stranger.notification(DELIVERED),
        "tampered message": {**good, "Message": good["Message"].replace("ann@", "bo@")},
        "tampered id": {**good, "MessageId": "another"},
        "subject added": {**good, "Subject": "x"},
        "type changed": {**good, "Type": "SubscriptionConfirmation", "SubscribeURL": topic.host, "Token": "t"},
        "version changed": {**good, "SignatureVersion": "1"},
        "version unknown": {**good, "SignatureVersion": "3"},
        "topic not ours": topic.notification(DELIVERED, TopicArn="arn:aws:sns:us-east-1:666:casewire"),
        "kept for long": topic.notification(
            DELIVERED, Timestamp=(dt.datetime.now(dt.UTC) - dt.timedelta(days=31)).isoformat()
        ),
        "from the future": topic.notification(
            DELIVERED, Timestamp=(dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).isoformat()
        ),
        "no time": topic.notification(DELIVERED, Timestamp="now"),
        **{f"certificate: {name}": {**good, "SigningCertURL": url} for name, url in elsewhere.items()},
    }


def test_nothing_forged_is_believed(edge: Edge, amazon: Amazon) -> None:
    answers = {name: post(edge, envelope).status_code for name, envelope in _forged(amazon.topic).items()}
    assert set(answers.values()) == {403}, answers
    assert edge.calls.asked(RECORD_EMAIL_EVENT) == []
    assert set(amazon.asked) == {CERT_PATH}, "no other address was asked"


def test_an_expired_certificate_signs_nothing(edge: Edge, amazon: Amazon) -> None:
    amazon.topic = Topic(amazon.topic.host, days=-1)
    assert post(edge, amazon.topic.notification(DELIVERED)).status_code == 403


@pytest.mark.parametrize("status", ["302 Found", "500 Error"])
def test_a_certificate_that_cannot_be_had_makes_sns_try_again(edge: Edge, amazon: Amazon, status: str) -> None:
    amazon.status = status
    problem(post(edge, amazon.topic.notification(DELIVERED)), 503, "sns_unreachable")
    assert amazon.asked == [CERT_PATH], "a redirect is not followed"
    amazon.status = "200 OK"
    assert post(edge, amazon.topic.notification(DELIVERED)).status_code == 200


def test_nobody_answers_where_the_certificate_should_be(edge: Edge, amazon: Amazon) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}{CERT_PATH}"
        envelope = {**amazon.topic.notification(DELIVERED), "SigningCertURL": address}
        problem(post(edge, envelope), 503, "sns_unreachable")


def test_a_subscription_to_a_topic_of_ours_is_confirmed_and_to_another_is_not(edge: Edge, amazon: Amazon) -> None:
    assert post(edge, amazon.topic.subscription()).status_code == 200
    assert amazon.asked == [CERT_PATH, "/confirm"]
    other = amazon.topic.subscription(TopicArn="arn:aws:sns:us-east-1:666:casewire")
    assert post(edge, other).status_code == 403
    elsewhere = amazon.topic.subscription(SubscribeURL="https://evil.example/?Action=ConfirmSubscription")
    assert post(edge, elsewhere).status_code == 403
    ended = amazon.topic.signed({**amazon.topic.subscription(), "Type": "UnsubscribeConfirmation"})
    assert post(edge, ended).status_code == 200
    assert amazon.asked == [CERT_PATH, "/confirm"]


@pytest.mark.parametrize("body", ["", "{", "[]", '{"Type": 1}', '"text"', "null"])
def test_what_is_no_sns_message_is_refused(edge: Edge, body: str) -> None:
    assert post(edge, body).status_code == 422


def test_without_topics_nothing_of_sns_is_taken(amazon: Amazon) -> None:
    bare = Edge(SNS_CERT_HOSTS="127.0.0.1")
    problem(post(bare, amazon.topic.notification(DELIVERED)), 403, "topic_unknown")
    assert amazon.asked == []


def from_sandbox(secret: str = TOKEN, told: dict[str, Any] = DELIVERED) -> tuple[str, dict[str, str]]:
    body = json.dumps({"Type": "Notification", "MessageId": "SM1-delivered", "Message": json.dumps(told)})
    return body, {"X-Casewire-Sandbox-Signature": hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest()}


def test_the_sandbox_signs_with_its_own_secret_and_only_where_its_pages_are_served(edge: Edge) -> None:
    assert post(edge, *from_sandbox()).status_code == 200
    (event,) = edge.calls.asked(RECORD_EMAIL_EVENT)
    assert (event["provider"], event["event_id"], event["token"]) == ("sandbox", "SM1-delivered", "t-1")
    assert post(edge, *from_sandbox("guessed")).status_code == 403
    body, headers = from_sandbox()
    assert post(edge, body.replace("t-1", "t-2"), headers).status_code == 403
    assert post(Edge(SANDBOX_PAGES=False), body, headers).status_code == 403
    assert post(Edge(SANDBOX_PAGES=True, TWILIO_AUTH_TOKEN=None), body, headers).status_code == 403
