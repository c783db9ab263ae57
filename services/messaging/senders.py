"""The numbers and addresses that messages go out from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from email.errors import MessageError
from email.headerregistry import Address
from typing import Any

from sqlalchemy import case, delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from chassis.columns import new_id, utc_now
from chassis.database import Database
from chassis.paging import page
from chassis.unit_of_work import UnitOfWork
from contracts.errors import Conflict, invalid_field
from contracts.messaging import NUMBER_CHANNELS
from services.messaging.models import ProviderRate, Sender
from services.messaging.setwise import update_rows

Record = dict[str, Any]

SANDBOX_RATE = 50.0
"""Messages a second of a number that the sandbox makes up."""


def put_sender(
    db: Database,
    *,
    provider: str,
    channel: str,
    address: str,
    rate: float,
    messaging_service_sid: str | None,
) -> Record:
    """Adds a sender, or changes the rate of one that is there; the `provider` carries it from then on. Raises Invalid
    for what is no address, Conflict if another firm has it."""
    address = normalise_address(channel, address)
    if channel == "email":
        _check_mailbox(address)
    try:
        with db.unit_of_work() as uow:
            statement = select(Sender).where(Sender.channel == channel, Sender.address == address).with_for_update()
            sender = uow.session.scalars(statement).one_or_none()
            if sender is None:
                sender = Sender(id=new_id(), channel=channel, address=address)
                uow.session.add(sender)
            else:
                sender.touch(utc_now())
            sender.provider, sender.rate = provider, rate
            sender.messaging_service_sid = messaging_service_sid
            uow.session.flush()
            return uow.answer(_record(sender))
    except IntegrityError as error:
        raise Conflict("sender_taken") from error


def _check_mailbox(address: str) -> None:
    """It becomes a header of every message: what is no plain address must not get that far."""
    try:
        Address(addr_spec=address)
    except (ValueError, IndexError, MessageError) as error:
        raise invalid_field("address", "Not an email address.", code="invalid_address") from error


def list_senders(db: Database, *, limit: int, cursor: str | None, sort: str | None) -> Record:
    """One page, oldest first. Of a channel the oldest is the one that messages go out from, a real one before the
    sandbox's."""
    with db.read() as session:
        rows, meta = page(
            session,
            select(Sender),
            model=Sender,
            sorts={"created_at": Sender.created_at, "address": Sender.address},
            default_sort="created_at",
            limit=limit,
            cursor=cursor,
            sort=sort,
        )
        return {"data": [_record(row) for row in rows], "meta": meta}


def keep_provider_rates(db: Database, rates: Mapping[str, float]) -> None:
    """Makes the rates of providers' whole accounts those of the settings, for all replicas and firms. A rate that stays
    keeps its bucket."""
    with db.across_firms("an account at a provider is the installation's").unit_of_work() as uow:
        uow.session.execute(delete(ProviderRate).where(ProviderRate.provider.not_in(sorted(rates))))
        rows = [{"provider": provider, "rate": rate} for provider, rate in sorted(rates.items())]
        uow.insert(ProviderRate, rows, ignore_conflicts=True)
        update_rows(uow.session, ProviderRate, rows, key=("provider",))


FIRST = (case((Sender.provider == "sandbox", 1), else_=0), Sender.created_at, Sender.id)
"""The order in which a channel's senders come into question. What the sandbox carries reaches nobody."""


def sender_for(session: Session, channel: str) -> Sender | None:
    """The sender that the firm's messages on a channel go out from."""
    statement = select(Sender).where(Sender.channel == channel).order_by(*FIRST).limit(1)
    return session.scalars(statement).one_or_none()


def make_sandbox_sender(uow: UnitOfWork, firm_id: str, channel: str) -> Sender | None:
    """A made-up sender for a firm that has none: trying the sandbox needs no telephone contract.

    Numbers are of the range that is kept for fiction (555-0100 to 555-0199 of each area code).
    """
    by_number = channel in NUMBER_CHANNELS
    # Calls come from the number that texts come from, as with a real contract.
    digest = hashlib.sha256(f"{firm_id}{'sms' if by_number else channel}".encode()).digest()
    for attempt in range(50):
        area, line = 201 + (digest[0] * 256 + digest[1] + attempt * 37) % 780, 100 + digest[2] % 100
        address = f"+1{area}5550{line}" if by_number else f"office-{digest.hex()[:10]}@sandbox.invalid"
        row = {"channel": channel, "address": address, "provider": "sandbox", "rate": SANDBOX_RATE}
        if uow.insert(Sender, [row], ignore_conflicts=True):
            break
        if not by_number:
            break
    return sender_for(uow.session, channel)


def normalise_address(channel: str, address: str) -> str:
    """An address as it is compared: E.164 for a number (a short code stays as it is), lower case for email."""
    text = address.strip()
    if channel == "email":
        if "@" not in text:
            raise invalid_field("address", "Not an email address.", code="invalid_address")
        return text.lower()
    digits = "".join(char for char in text if char.isdigit())
    if not 4 <= len(digits) <= 15:
        raise invalid_field("address", "Not a number in E.164.", code="invalid_address")
    return f"+{digits}" if text.startswith("+") else digits


def as_kept(address: str) -> str:
    """An address that somebody asks about, as it is kept. A number may lack its plus sign, which an address bar reads
    as a blank."""
    text = address.strip().lower()
    return text if "@" in text or text.startswith("+") else f"+{text}"


def _record(sender: Sender) -> Record:
    names = ("id", "version", "created_at", "updated_at", "channel", "address", "rate", "provider")
    record: Record = {name: getattr(sender, name) for name in names}
    return {**record, "messaging_service_sid": sender.messaging_service_sid}
