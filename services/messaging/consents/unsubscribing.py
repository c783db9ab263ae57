"""The address that takes somebody off a firm's email by one POST (RFC 8058), and what it does.

Its token names the delivery and is signed: it holds no address, opens nothing else, and never expires, for a message
may be read again after years.
"""

from __future__ import annotations

import datetime as dt
import uuid
from contextlib import suppress
from typing import Any

from itsdangerous import BadData, Signer
from itsdangerous.encoding import base64_decode, base64_encode
from sqlalchemy import select

from chassis.context import Context, use
from chassis.database import Database
from contracts.errors import DeadlineExceeded, Gone, Unavailable
from services.messaging import consent
from services.messaging.consents import stops
from services.messaging.models import Delivery, Sender

Record = dict[str, Any]


class UnsubscribeLinks:
    """Makes and reads the addresses. `secret_key` is the installation's; `public_url` where the gateway is.
    `key_before`: makes none any more, and those that it made are read."""

    def __init__(self, secret_key: str, public_url: str, key_before: str | None = None) -> None:
        keys = [secret_key] if key_before is None else [key_before, secret_key]
        self._signer = Signer(keys, salt="casewire.unsubscribe", key_derivation="hmac")
        self._public_url = public_url

    def url_of(self, firm_id: str, delivery_id: str) -> str:
        """The address for one delivery."""
        named = uuid.UUID(firm_id).bytes + uuid.UUID(delivery_id).bytes
        return f"{self._public_url}/u/{self._signer.sign(base64_encode(named)).decode()}"

    def read(self, token: str) -> tuple[str, str]:
        """(firm, delivery). Raises Gone for a token that we did not make."""
        try:
            named = base64_decode(self._signer.unsign(token))
            return str(uuid.UUID(bytes=named[:16])), str(uuid.UUID(bytes=named[16:]))
        except (BadData, ValueError) as error:
            raise Gone("unsubscription_unknown") from error


def describe_unsubscription(db: Database, calls: Any, links: UnsubscribeLinks, *, token: str) -> Record:
    """What the page shows; changes nothing. Raises Gone, Unavailable."""
    firm_id, delivery_id = links.read(token)
    delivery = _find(db.for_firm(firm_id), delivery_id)
    return _shown(db.for_firm(firm_id), calls, delivery)


def unsubscribe(db: Database, calls: Any, links: UnsubscribeLinks, *, token: str, now: dt.datetime) -> Record:
    """Opts the address out of email at once; the same again changes nothing. Raises Gone, Unavailable."""
    firm_id, delivery_id = links.read(token)
    firm_db = db.for_firm(firm_id)
    delivery = _find(firm_db, delivery_id)
    with firm_db.unit_of_work() as uow:
        speaker = stops.Speaker(delivery.channel, str(delivery.address), _whose(uow.session, delivery))
        evidence = {"kind": "one_click", "delivery_id": delivery_id}
        stops.record_stop(uow, speaker, source="webhook", evidence=evidence, at=now)
    return _shown(firm_db, calls, delivery)


def _whose(session: Any, delivery: Delivery) -> list[str]:
    known = consent.persons_of_address(session, str(delivery.address))
    person_id = delivery.contact_id or delivery.client_id
    return sorted({*known, *([person_id] if person_id else [])})


def _find(db: Database, delivery_id: str) -> Delivery:
    with db.read() as session:
        delivery = session.scalars(select(Delivery).where(Delivery.id == delivery_id)).one_or_none()
    if delivery is None or not delivery.address:
        raise Gone("unsubscription_unknown")
    return delivery


def _shown(db: Database, calls: Any, delivery: Delivery) -> Record:
    """The firm by its name, or by the address that it wrote from where accounts does not answer."""
    firm: Record = {}
    # What was said is committed by then, and not to be denied for want of a name.
    with use(Context(firm_id=delivery.firm_id)), suppress(Unavailable, DeadlineExceeded):
        firm = calls.accounts.get_firm()
    key = (delivery.channel, consent.address_key(str(delivery.address)))
    with db.read() as session:
        state = consent.read_states(session, [key]).get(key)
        sender = session.scalar(select(Sender.address).where(Sender.id == delivery.sender_id))
    branding = firm.get("branding") or {}
    return {
        "firm_name": branding.get("name") or firm.get("name") or sender or "",
        "language": delivery.language or firm.get("locale") or "en",
        "color": branding.get("color"),
        "channel": delivery.channel,
        "unsubscribed": state == consent.OPTED_OUT,
    }
