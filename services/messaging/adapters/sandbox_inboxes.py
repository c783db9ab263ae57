"""The sandbox's phones and inboxes: what is in them, how they behave, and what the ledger says of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import func, or_, select, tuple_
from sqlalchemy.orm import Session, aliased

from chassis.database import Database
from chassis.paging import page
from contracts.errors import NotFound
from services.messaging import consent
from services.messaging.adapters.sandbox_people import address_of
from services.messaging.models import ConsentState, SandboxAddress, SandboxMessage, Sender

Record = dict[str, Any]

_NORMAL: Record = {"behaviour": "normal", "seconds": 0.0}
_MOST_OFFICES = 100


class SandboxInboxes:
    """Phones and inboxes of all firms' clients."""

    def __init__(self, db: Database) -> None:
        self._db = db.across_firms("the sandbox stands in for a provider of all firms")

    def list_messages(
        self, *, to: str | None = None, since: dt.datetime | None = None, limit: int = 50, cursor: str | None = None,
        sort: str | None = None,
    ) -> Record:  # fmt: skip
        """Newest first. `to`: what a phone or inbox got and what it sent."""
        statement = select(SandboxMessage)
        if to is not None:
            statement = statement.where(SandboxMessage.address == to.lower())
        if since is not None:
            statement = statement.where(SandboxMessage.at >= since)
        with self._db.read() as session:
            rows, meta = _page(session, statement, limit, cursor, sort)
        return {"data": [_message(row) for row in rows], "meta": meta}

    def get_message(self, *, sandbox_message_id: str) -> Record:
        """Raises NotFound."""
        with self._db.read() as session:
            row = session.get(SandboxMessage, sandbox_message_id)
        if row is None:
            raise NotFound("sandbox_message_not_found")
        return _message(row)

    def list_addresses(
        self, *, q: str | None = None, channel: str | None = None, limit: int = 50, cursor: str | None = None,
        sort: str | None = None,
    ) -> Record:  # fmt: skip
        """Each phone and inbox with its latest message, the latest first. Read from the newest message back, so that a
        page of a large sandbox costs what it shows."""
        later = aliased(SandboxMessage)
        newer = tuple_(later.at, later.id) > tuple_(SandboxMessage.at, SandboxMessage.id)
        follows = select(later.id).where(later.address == SandboxMessage.address, newer)
        statement = select(SandboxMessage)
        if channel is not None:
            follows = follows.where(later.channel == channel)
            statement = statement.where(SandboxMessage.channel == channel)
        if q is not None:
            statement = statement.where(SandboxMessage.address.contains(q.strip().lower(), autoescape=True))
        with self._db.read() as session:
            rows, meta = _page(session, statement.where(~follows.exists()), limit, cursor, sort)
            addresses = [row.address for row in rows]
            counts, behaviours = _counts(session, addresses), _behaviours(session, addresses)
        return {"data": [_address(row.address, row, counts, behaviours) for row in rows], "meta": meta}

    def describe(self, *, address: str) -> Record:
        """One phone or inbox, whether anything came to it or not, and what firms' ledgers say of it."""
        key = address.strip().lower()
        newest = select(SandboxMessage).where(SandboxMessage.address == key)
        with self._db.read() as session:
            latest = session.scalars(
                newest.order_by(SandboxMessage.at.desc(), SandboxMessage.id.desc()).limit(1)
            ).first()
            profile = _address(key, latest, _counts(session, [key]), _behaviours(session, [key]))
            return {**profile, "consents": _consents(session, key)}

    def set_behaviour(self, *, address: str, behaviour: str, seconds: float) -> Record:
        """How an address takes what is sent to it from now on. Raises Invalid for what is no address."""
        key = address_of("email" if "@" in address else "sms", address, "address")
        with self._db.unit_of_work() as uow:
            row = {"address": key, "behaviour": behaviour, "seconds": seconds}
            uow.upsert(SandboxAddress, [row], key=("address",), change=("behaviour", "seconds"))
        profile = self.describe(address=key)
        return {name: value for name, value in profile.items() if name != "consents"}

    def list_offices(self) -> Record:
        """The firms' own numbers and addresses that the sandbox carries."""
        statement = (
            select(Sender.channel, Sender.address)
            .where(Sender.provider == "sandbox")
            .order_by(Sender.created_at, Sender.id)
            .limit(_MOST_OFFICES)
        )
        with self._db.read() as session:
            return {"offices": [dict(row._mapping) for row in session.execute(statement)]}


def _page(
    session: Session, statement: Any, limit: int, cursor: str | None, sort: str | None
) -> tuple[Sequence[SandboxMessage], Record]:
    return page(
        session,
        statement,
        model=SandboxMessage,
        sorts={"at": SandboxMessage.at},
        default_sort="-at",
        limit=limit,
        cursor=cursor,
        sort=sort,
    )


def _counts(session: Session, addresses: Iterable[str]) -> dict[str, int]:
    statement = (
        select(SandboxMessage.address, func.count())
        .where(SandboxMessage.address.in_(list(addresses)))
        .group_by(SandboxMessage.address)
    )
    return {row[0]: row[1] for row in session.execute(statement)}


def _behaviours(session: Session, addresses: Iterable[str]) -> dict[str, Record]:
    rows = session.scalars(select(SandboxAddress).where(SandboxAddress.address.in_(list(addresses))))
    return {row.address: {"behaviour": row.behaviour, "seconds": row.seconds} for row in rows}


def _consents(session: Session, address: str) -> list[Record]:
    """Through the senders that the address has to do with, each of which names its firm."""
    ours = select(SandboxMessage.sender).where(
        SandboxMessage.address == address, SandboxMessage.direction == "outbound"
    )
    written_to = select(SandboxMessage.recipient).where(
        SandboxMessage.address == address, SandboxMessage.direction == "inbound"
    )
    firm_ids = sorted(set(session.scalars(
        select(Sender.firm_id).where(or_(Sender.address.in_(ours), Sender.address.in_(written_to)))
    )))  # fmt: skip
    offices: dict[tuple[str, str], str] = {}
    for sender in session.scalars(select(Sender).where(Sender.firm_id.in_(firm_ids)).order_by(Sender.created_at)):
        offices.setdefault((sender.firm_id, sender.channel), sender.address)
    statement = (
        select(ConsentState)
        .where(
            ConsentState.firm_id.in_(firm_ids),
            ConsentState.key == consent.address_key(address),
            ConsentState.state.is_not(None),
        )
        .order_by(ConsentState.updated_at.desc())
    )
    return [
        {
            "office": offices.get((row.firm_id, row.channel)),
            "channel": row.channel,
            "state": row.state,
            "at": row.updated_at,
        }
        for row in session.scalars(statement)
    ]


def _address(
    address: str, latest: SandboxMessage | None, counts: dict[str, int], behaviours: dict[str, Record]
) -> Record:
    channel = latest.channel if latest is not None else "email" if "@" in address else "sms"
    return {
        "address": address,
        "channel": channel,
        "count": counts.get(address, 0),
        "latest": _message(latest) if latest is not None else None,
        **behaviours.get(address, _NORMAL),
    }


def _message(row: SandboxMessage) -> Record:
    names = ("id", "channel", "direction", "subject", "body", "html", "headers", "at", "status")
    return {**{name: getattr(row, name) for name in names}, "to": row.recipient, "from_": row.sender}
