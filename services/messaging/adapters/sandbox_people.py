"""The people's side of the sandbox: what is on their phones and in their inboxes, and what they do about it."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Sequence
from typing import Any

import urllib3
from sqlalchemy import select

from chassis.columns import new_id
from chassis.database import Database
from chassis.paging import page
from contracts.errors import NotFound, Unavailable
from services.messaging.adapters.sandbox_callbacks import SMS_PATH, Webhooks
from services.messaging.adapters.sandbox_email import received_email
from services.messaging.models import SandboxMessage

Record = dict[str, Any]

_REPLIES_AT_ONCE = 4
"""A reply waits for the gateway, which calls this service again: it must not hold all of its workers."""


class SandboxPeople:
    """Phones and inboxes of all firms' clients. What people do reaches us through `webhooks`."""

    def __init__(self, db: Database, webhooks: Webhooks) -> None:
        self._db = db.across_firms("the sandbox stands in for a provider of all firms")
        self._webhooks = webhooks
        self._replying = threading.BoundedSemaphore(_REPLIES_AT_ONCE)

    def list_messages(
        self,
        *,
        to: str | None = None,
        since: dt.datetime | None = None,
        limit: int = 50,
        cursor: str | None = None,
        sort: str | None = None,
    ) -> Record:
        """Newest first. `to`: what a phone or inbox got and what it sent."""
        statement = select(SandboxMessage)
        if to is not None:
            statement = statement.where((SandboxMessage.recipient == to) | (SandboxMessage.sender == to))
        if since is not None:
            statement = statement.where(SandboxMessage.at >= since)
        with self._db.read() as session:
            rows, meta = page(
                session,
                statement,
                model=SandboxMessage,
                sorts={"at": SandboxMessage.at},
                default_sort="-at",
                limit=limit,
                cursor=cursor,
                sort=sort,
            )
        return {"data": [_record(row) for row in rows], "meta": meta}

    def reply(self, *, sandbox_message_id: str, body: str) -> Record:
        """Answers a message as the phone that got it, through our own webhook: {"status", "provider_id"}.

        Raises NotFound, Unavailable if the gateway cannot be reached or too many replies are under way.
        """
        with self._db.read() as session:
            message = session.get(SandboxMessage, sandbox_message_id)
        if message is None:
            raise NotFound("sandbox_message_not_found")
        outbound = message.direction == "outbound"
        phone, office = (message.recipient, message.sender) if outbound else (message.sender, message.recipient)
        provider_id = f"SM{new_id().replace('-', '')}"
        with self._db.unit_of_work() as uow:
            row = {"id": provider_id, "direction": "inbound", "channel": message.channel, "sender": phone}
            uow.insert(SandboxMessage, [{**row, "recipient": office, "body": body, "status": "received"}])
        if not self._replying.acquire(blocking=False):
            raise Unavailable("sandbox_busy")
        try:
            return {"status": self._post_reply(message, provider_id, phone, office, body), "provider_id": provider_id}
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unavailable("gateway_unreachable") from error
        finally:
            self._replying.release()

    def _post_reply(self, message: SandboxMessage, provider_id: str, sender: str, recipient: str, body: str) -> int:
        if message.channel == "email":
            subject = f"Re: {message.subject or ''}".strip()
            email = received_email(
                provider_id=provider_id, sender=sender, recipient=recipient, subject=subject, body=body
            )
            return self._webhooks.post_email_notification(email)
        form = {
            "MessageSid": provider_id,
            "SmsMessageSid": provider_id,
            "AccountSid": "ACsandbox",
            "From": sender,
            "To": recipient,
            "Body": body,
            "NumMedia": "0",
            "NumSegments": "1",
        }
        return self._webhooks.post(SMS_PATH, form)


def _record(row: SandboxMessage) -> Record:
    names: Sequence[str] = ("id", "channel", "direction", "subject", "body", "html", "headers", "at", "status")
    return {**{name: getattr(row, name) for name in names}, "to": row.recipient, "from_": row.sender}
