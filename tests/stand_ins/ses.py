"""A stand-in for Amazon SES and SNS: takes SendEmail from the real boto3 client, and tells the gateway what becomes of
it, in notifications that it signs with a certificate of its own, which it serves as well.

    with SesStandIn() as ses:
        ses.tell_at("http://127.0.0.1:8000/webhooks/ses", ["Send", "Delivery"])
        ses.when("refuse", status=400, code="MessageRejected")
        ses.accepted()                        # id, to, from, subject, text, html, headers, tags, token, at
        ses.tell(message_id, "Bounce")        # now, by hand
        ses.receive("ann@example.com", "office@firm.example", mime)

What it can do wrong with a request is in `server.py`.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.stand_ins.server import Account, Connection, Rule, StandIn, post, response, serve, spawn
from tests.stand_ins.sns import ARN, CERT_PATH, Topic

SEND = "/v2/email/outbound-emails"


@dataclass
class Notifications:
    """Where events are posted to: which, when (seconds after acceptance, one after the other), how often each."""

    post_to: str
    kinds: list[str] = field(default_factory=list)
    delay: float = 0.0
    repeat: int = 1
    version: str = "2"


class Mailbox(Account):
    """What the stand-in accepted, and where it tells of it."""

    topic: Topic

    def reset(self) -> None:
        super().reset()
        self.notifications: Notifications | None = None

    def accept(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Takes a message: from here on it counts as sent."""
        simple = asked["Content"]["Simple"]
        tags = {tag["Name"]: tag["Value"] for tag in asked.get("EmailTags", [])}
        message = {
            "id": f"0100-{uuid.uuid4()}-000000",
            "to": asked["Destination"]["ToAddresses"][0],
            "from": asked["FromEmailAddress"],
            "subject": simple["Subject"]["Data"],
            "text": simple["Body"]["Text"]["Data"],
            "html": simple["Body"]["Html"]["Data"],
            "headers": {header["Name"]: header["Value"] for header in simple.get("Headers", [])},
            "tags": tags,
            "token": tags.get("casewire-delivery"),
            "configuration_set": asked.get("ConfigurationSetName"),
            "at": time.time(),
        }
        self.messages.append(message)
        if self.notifications is not None and self.notifications.kinds:
            spawn(self._tell_all(self.notifications, message))
        return message

    async def _tell_all(self, notifications: Notifications, message: dict[str, Any]) -> None:
        for kind in notifications.kinds:
            if notifications.delay:
                await asyncio.sleep(notifications.delay)
            await self.tell(event_of(message, kind), notifications)

    async def tell(self, told: dict[str, Any], notifications: Notifications, **given: str) -> list[int]:
        """Posts one signed notification, as often as it is to be repeated; the statuses of the answers."""
        envelope = self.topic.notification(told, version=notifications.version, **given)
        return [await _post(notifications.post_to, envelope) for _ in range(notifications.repeat)]


async def _post(target: str, envelope: dict[str, str]) -> int:
    headers = {"Content-Type": "text/plain; charset=UTF-8", "x-amz-sns-message-type": envelope["Type"]}
    return await post(target, data=json.dumps(envelope).encode(), headers=headers)


def event_of(message: dict[str, Any], kind: str) -> dict[str, Any]:
    """An event as SES publishes it. `SoftBounce` is a bounce that may pass."""
    name = "Bounce" if kind == "SoftBounce" else kind
    bounced = {"emailAddress": message["to"], "action": "failed", "status": "5.1.1"}
    details: dict[str, dict[str, Any]] = {
        "Delivery": {"recipients": [message["to"]], "smtpResponse": "250 2.6.0 Message received"},
        "Bounce": {"bounceType": "Permanent", "bounceSubType": "General", "bouncedRecipients": [bounced]},
        "SoftBounce": {
            "bounceType": "Transient", "bounceSubType": "MailboxFull",
            "bouncedRecipients": [{**bounced, "status": "4.2.2"}],
        },
        "Complaint": {"complainedRecipients": [{"emailAddress": message["to"]}], "complaintFeedbackType": "abuse"},
    }  # fmt: skip
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    return {
        "eventType": name,
        "mail": {
            "messageId": message["id"],
            "timestamp": now,
            "source": message["from"],
            "destination": [message["to"]],
            "tags": {name: [value] for name, value in message["tags"].items()},
        },
        name[:1].lower() + name[1:]: {**details.get(kind, {}), "timestamp": now},
    }


class SesConnection(Connection):
    """SES's API, SNS's certificate, and the confirmation of a subscription."""

    account: Mailbox

    def __init__(self, account: Mailbox) -> None:
        super().__init__()
        self.account = account

    def handle(self, method: str, target: str, body: str) -> None:
        if method == "POST" and target == SEND:
            asked = json.loads(body)
            self.take(
                asked["Destination"]["ToAddresses"][0],
                refusal=lambda rule: _error(rule, str(rule.code or "BadRequestException")),
                accept=lambda: response(200, {"MessageId": self.account.accept(asked)["id"]}),
                failure=lambda rule: _error(rule, "InternalServiceErrorException"),
            )
        elif target == CERT_PATH:
            self.write(response(200, self.account.topic.certificate, content_type="application/x-pem-file"))
        else:
            self.write(response(200 if target.startswith("/confirm") else 404, {}))

    def actions(self, given: dict[str, Any]) -> dict[str, Callable[[], Any]]:
        return {
            "notifications": lambda: setattr(self.account, "notifications", Notifications(**given)),
            "tell": lambda: self._tell(**given),
            "receive": lambda: self._receive(**given),
            "subscribe": lambda: _post(self._notifications.post_to, self.account.topic.subscription()),
        }

    @property
    def _notifications(self) -> Notifications:
        assert self.account.notifications is not None, "tell_at was not called"
        return self.account.notifications

    async def _tell(self, message_id: str, kind: str, fields: dict[str, str]) -> list[int]:
        (message,) = [one for one in self.account.messages if one["id"] == message_id]
        return await self.account.tell(event_of(message, kind), self._notifications, **fields)

    async def _receive(self, sender: str, recipient: str, mime: str, message_id: str | None) -> list[int]:
        told = {
            "notificationType": "Received",
            "mail": {"messageId": message_id or uuid.uuid4().hex, "source": sender, "destination": [recipient]},
            "receipt": {"recipients": [recipient], "action": {"type": "SNS", "encoding": "BASE64"}},
            "content": base64.b64encode(mime.encode()).decode(),
        }
        return await self.account.tell(told, self._notifications)


def _error(rule: Rule, code: str) -> bytes:
    headers = f"x-amzn-ErrorType: {code}\r\n"
    if rule.retry_after is not None:
        headers += f"Retry-After: {rule.retry_after:g}\r\n"
    return response(rule.status, {"message": "refused"}, headers)


class SesStandIn(StandIn):
    """The stand-in as a process of its own, and what a test asks of it."""

    module = "tests.stand_ins.ses"
    topic = ARN

    def tell_at(self, post_to: str, kinds: list[str] | None = None, **given: Any) -> None:
        """Posts notifications from now on: see `Notifications`."""
        self.ask("notifications", {"post_to": post_to, "kinds": kinds or [], **given})

    def tell(self, message_id: str, kind: str, **fields: str) -> list[int]:
        """Posts one notification about an accepted message; returns the statuses of the answers."""
        answers: list[int] = self.ask("tell", {"message_id": message_id, "kind": kind, "fields": fields})
        return answers

    def receive(self, sender: str, recipient: str, mime: str, message_id: str | None = None) -> list[int]:
        """Posts an email that somebody wrote; returns the statuses of the answers."""
        given = {"sender": sender, "recipient": recipient, "mime": mime, "message_id": message_id}
        answers: list[int] = self.ask("receive", given)
        return answers

    def subscribe(self) -> int:
        """Asks for the confirmation of a subscription; returns the status of the answer."""
        return int(self.ask("subscribe", {}))


if __name__ == "__main__":
    mailbox = Mailbox()

    def began(port: int) -> None:
        mailbox.topic = Topic(f"http://127.0.0.1:{port}")

    serve(lambda: SesConnection(mailbox), began)
