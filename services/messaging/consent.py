"""Consent: the append-only ledger, its projection, and the one question that decides a send.

The projection has a row for each address and each client that a message was ever prepared for. A change of consent
updates these rows; a claim holds them `FOR SHARE` while it begins a call. So a call is begun either before the change
committed, or not at all.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from chassis.columns import new_id, utc_now
from chassis.database import Database
from chassis.paging import page
from chassis.unit_of_work import UnitOfWork
from contracts.errors import NotFound
from contracts.messaging import CONSENT_CHANGED, CONSENT_CHANNELS
from services.messaging.models import ConsentEntry, ConsentState, Delivery
from services.messaging.setwise import among
from services.messaging.words import RULE_VERSION

Record = dict[str, Any]
Key = tuple[str, str]
"""(channel, key of the address or client): the primary key of a consent row within its firm."""
States = Mapping[Key, str | None]

OPTED_IN, OPTED_OUT = "opted_in", "opted_out"


def address_key(address: str) -> str:
    """The key of an address: E.164, or an email address in lower case."""
    return f"a:{address.lower()}"


def client_key(client_id: str) -> str:
    """The key of a client."""
    return f"c:{client_id}"


def keys_of(channel: str, address: str | None, client_id: str | None) -> list[Key]:
    """The rows that decide about a message."""
    keys = [(channel, address_key(address))] if address else []
    return [*keys, (channel, client_key(client_id))] if client_id else keys


def block_reason(states: States, keys: Iterable[Key], *, needs_opt_in: bool) -> str | None:
    """Why a message may not be sent: opted_out if the address or the client has opted out, no_consent if an opt-in is
    demanded and neither has opted in, else None."""
    said = [states.get(key) for key in keys]
    if OPTED_OUT in said:
        return OPTED_OUT
    if needs_opt_in and OPTED_IN not in said:
        return "no_consent"
    return None


def ensure_rows(uow: UnitOfWork, keys: Iterable[Key]) -> None:
    """Creates the consent rows that are not there yet, in key order: what a claim and a STOP will meet on."""
    rows = [{"channel": channel, "key": key, "state": None} for channel, key in sorted(set(keys))]
    uow.insert(ConsentState, rows, ignore_conflicts=True)


def read_states(session: Session, keys: Iterable[Key], *, lock: str | None = None) -> dict[Key, str | None]:
    """The state of each row that exists. `lock`: "share" keeps them as they are until the commit, "update" also keeps
    others from sharing. Taken in key order, so that two transactions wait for each other and do not deadlock."""
    by_channel: dict[str, set[str]] = {}
    for channel, key in keys:
        by_channel.setdefault(channel, set()).add(key)
    if not by_channel:
        return {}
    statement = (
        select(ConsentState.channel, ConsentState.key, ConsentState.state)
        .where(
            or_(
                *(
                    and_(ConsentState.channel == name, among(session, ConsentState.key, sorted(of)))
                    for name, of in by_channel.items()
                )
            )
        )
        .order_by(ConsentState.channel, ConsentState.key)
    )
    if lock is not None:
        statement = statement.with_for_update(read=lock == "share")
    return {(channel, key): state for channel, key, state in session.execute(statement)}


def record_change(
    uow: UnitOfWork,
    *,
    channel: str,
    state: str,
    source: str,
    evidence: Record,
    address: str | None = None,
    client_id: str | None = None,
    client_ids: Sequence[str] = (),
    at: dt.datetime | None = None,
) -> str:
    """Appends to the ledger, sets the projection of the address (else of the client), emits `consent.changed.v1`, and
    returns the entry's id. `client_ids`: whose address it is, as far as known."""
    now = at or utc_now()
    entry_id = new_id()
    uow.insert(
        ConsentEntry,
        [
            {
                "id": entry_id,
                "at": now,
                "channel": channel,
                "address": address.lower() if address else None,
                "client_id": client_id,
                "state": state,
                "source": source,
                "evidence": evidence,
                "rule_version": RULE_VERSION,
            }
        ],
    )
    key = address_key(address) if address else client_key(str(client_id))
    row = {"channel": channel, "key": key, "state": state, "entry_id": entry_id, "updated_at": now}
    uow.upsert(ConsentState, [row], key=("channel", "key"), change=("state", "entry_id", "updated_at"))
    data = {
        "consent_id": entry_id,
        "channel": channel,
        "state": state,
        "source": source,
        "client_ids": list(dict.fromkeys([*client_ids, *([client_id] if client_id else [])])),
    }
    uow.emit(CONSENT_CHANGED, entry_id, data)
    return entry_id


def clients_of_address(session: Session, address: str, largest: int = 20) -> list[str]:
    """The clients that were written to at this address, as far as messaging knows."""
    statement = (
        select(Delivery.client_id)
        .where(Delivery.address == address, Delivery.client_id.is_not(None))
        .distinct()
        .limit(largest)
    )
    return sorted(str(client_id) for client_id in session.scalars(statement))


# The ledger and preferences


def list_consents(
    db: Database,
    *,
    address: str | None,
    client_id: str | None,
    limit: int,
    cursor: str | None,
    sort: str | None,
) -> Record:
    """The ledger, newest first; of a client: what was said by it, and from the addresses it was written to at."""
    statement = select(ConsentEntry)
    if address is not None:
        statement = statement.where(ConsentEntry.address == _as_kept(address))
    if client_id is not None:
        addresses = select(Delivery.address).where(Delivery.client_id == client_id, Delivery.address.is_not(None))
        statement = statement.where(or_(ConsentEntry.client_id == client_id, ConsentEntry.address.in_(addresses)))
    with db.read() as session:
        rows, meta = page(
            session,
            statement,
            model=ConsentEntry,
            sorts={"at": ConsentEntry.at},
            default_sort="-at",
            limit=limit,
            cursor=cursor,
            sort=sort,
        )
        return {"data": [_entry(row) for row in rows], "meta": meta}


def _as_kept(address: str) -> str:
    """An address as the ledger has it. A number may lack its plus sign, which an address bar reads as a blank."""
    text = address.strip().lower()
    return text if "@" in text or text.startswith("+") else f"+{text}"


def get_preferences(db: Database, calls: Any, *, client_id: str) -> Record:
    """What a client wants on each channel; an opt-out of the client's present address counts as the client's.

    Raises NotFound for an unknown client.
    """
    recipient = calls.clients.get_recipients(client_ids=[client_id])["recipients"][0]
    if recipient["state"] == "erased":
        raise NotFound("client_not_found", client_id=client_id)
    addresses = {"sms": recipient.get("sms"), "email": recipient.get("email"), "phone": recipient.get("sms")}
    with db.read() as session:
        return _preferences(session, client_id, addresses)


def set_preferences(
    db: Database, calls: Any, *, client_id: str, source: str, actor_id: str | None, **said: str
) -> Record:
    """Records what a client wants on each named channel. An opt-in of the client does not undo an opt-out that came
    from the address itself. Raises NotFound for an unknown client."""
    recipient = calls.clients.get_recipients(client_ids=[client_id])["recipients"][0]
    if recipient["state"] == "erased":
        raise NotFound("client_not_found", client_id=client_id)
    addresses = {"sms": recipient.get("sms"), "email": recipient.get("email"), "phone": recipient.get("sms")}
    with db.unit_of_work() as uow:
        for channel in sorted(said):
            record_change(
                uow,
                channel=channel,
                state=said[channel],
                source=source,
                evidence={"actor_id": actor_id},
                client_id=client_id,
            )
        return uow.answer(_preferences(uow.session, client_id, addresses))


def _preferences(session: Session, client_id: str, addresses: Mapping[str, str | None]) -> Record:
    keys = {channel: keys_of(channel, addresses.get(channel), client_id) for channel in CONSENT_CHANNELS}
    states = read_states(session, [key for several in keys.values() for key in several])
    answer: Record = {"client_id": client_id}
    for channel, wanted in keys.items():
        said = [states.get(key) for key in wanted]
        answer[channel] = OPTED_OUT if OPTED_OUT in said else OPTED_IN if OPTED_IN in said else None
    return answer


def _entry(row: ConsentEntry) -> Record:
    names = ("id", "at", "channel", "address", "client_id", "state", "source", "evidence", "rule_version")
    return {name: getattr(row, name) for name in names}
