"""What people said elsewhere: on paper, on the phone, or in the system that a firm used before."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.columns import utc_now
from chassis.database import Database
from chassis.scoping import EVERY_KIND
from chassis.value_sets import among
from contracts.errors import Invalid
from services.messaging import consent
from services.messaging.consent import OPTED_IN, OPTED_OUT, UNREACHABLE, Change, Key
from services.messaging.known_clients import demand_clients
from services.messaging.models import ConsentEntry, ConsentState, Delivery

Record = dict[str, Any]

HOME_COUNTRY = "US"
"""Whose numbers are meant where none is named."""
_MOST_CLIENTS = 20
"""Of one address that are named in an event."""


def record_consents(
    db: Database, calls: Any, *, source: str, entries: Sequence[Record], actor_id: str | None
) -> Record:
    """Takes up to 1,000 statements in the order given: {"recorded", "unchanged", "kept"}, which add up to them.

    What changes nothing adds nothing. `kept`: an opt-out that stays, because an import never lifts one, and because
    nothing lifts one that was said later than the statement. Raises Invalid that names every field at fault, NotFound
    for an unknown client, Unavailable.
    """
    stated = _normalised(entries)
    _demand_clients(calls, {entry["client_id"] for entry in stated if entry["client_id"]})
    now = utc_now()
    keys = [_key(entry) for entry in stated]
    counts = {"recorded": 0, "unchanged": 0, "kept": 0}
    changes: list[Change] = []
    with db.unit_of_work() as uow:
        consent.ensure_rows(uow, keys)
        states = consent.read_states(uow.session, keys, lock="update")
        said_last = _said_last(uow.session, keys)
        whose = _clients_of(uow.session, [entry["address"] for entry in stated if entry["address"]])
        for entry, key in zip(stated, keys, strict=True):
            before = states.get(key)
            if before == entry["state"]:
                counts["unchanged"] += 1
                continue
            lifts = entry["state"] == OPTED_IN and before in (OPTED_OUT, UNREACHABLE)
            if lifts and (source == "import" or _is_older(entry, said_last.get(key))):
                counts["kept"] += 1
                continue
            counts["recorded"] += 1
            states[key], said_last[key] = entry["state"], entry["said_at"] or now
            changes.append(_change(entry, source, actor_id, whose))
        consent.record_changes(uow, changes, now)
        return uow.answer(counts)


def _key(entry: Record) -> Key:
    subject = consent.address_key(entry["address"]) if entry["address"] else consent.client_key(entry["client_id"])
    return entry["channel"], subject


def _change(entry: Record, source: str, actor_id: str | None, whose: Mapping[str, list[str]]) -> Change:
    evidence: Record = {"words": entry["words"], "actor_id": actor_id}
    if entry["said_at"] is not None:
        evidence["said_at"] = entry["said_at"].isoformat()
    return Change(
        entry["channel"],
        entry["state"],
        source,
        evidence,
        address=entry["address"],
        client_id=entry["client_id"],
        client_ids=whose.get(entry["address"] or "", ()),
    )


def _is_older(entry: Record, said: dt.datetime | None) -> bool:
    """Whether a statement is known to have been made before what is in force was said."""
    return entry["said_at"] is not None and said is not None and entry["said_at"] < said


def _normalised(entries: Iterable[Record]) -> list[Record]:
    """The entries with addresses as they are compared. Raises Invalid."""
    problems, stated = [], []
    for position, entry in enumerate(entries):
        try:
            address = _as_compared(entry["channel"], entry["address"]) if entry.get("address") is not None else None
        except ValueError as error:
            problems.append({"field": f"entries.{position}.address", "message": str(error)})
            continue
        optional = {name: entry.get(name) for name in ("client_id", "words", "said_at")}
        stated.append({"channel": entry["channel"], "state": entry["state"], "address": address, **optional})
    if problems:
        raise Invalid("invalid_address", fields=problems)
    return stated


def _as_compared(channel: str, address: str) -> str:
    """E.164, or an email address in lower case. Raises ValueError."""
    if channel == "email":
        try:
            return validate_email(address.strip(), check_deliverability=False).normalized.lower()
        except EmailNotValidError as error:
            raise ValueError("Not a valid email address.") from error
    try:
        number = phonenumbers.parse(address, HOME_COUNTRY)
    except phonenumbers.NumberParseException as error:
        raise ValueError("Not a phone number.") from error
    if number.extension or not phonenumbers.is_valid_number(number):
        raise ValueError("Not a valid phone number.")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _demand_clients(calls: Any, client_ids: set[str]) -> None:
    if not client_ids:
        return
    demand_clients(calls.clients.get_client_facts(client_ids=sorted(client_ids)), sorted(client_ids))


def _said_last(session: Session, keys: Iterable[Key]) -> dict[Key, dt.datetime]:
    """When what each row says was said."""
    wanted = set(keys)
    statement = (
        select(ConsentState.channel, ConsentState.key, ConsentEntry.at, ConsentEntry.evidence)
        .join(ConsentEntry, ConsentEntry.id == ConsentState.entry_id)
        .where(among(session, ConsentState.key, sorted({key for _, key in wanted})))
    )
    return {
        (row.channel, row.key): dt.datetime.fromisoformat(row.evidence.get("said_at") or row.at.isoformat())
        for row in session.execute(statement)
        if (row.channel, row.key) in wanted
    }


def _clients_of(session: Session, addresses: Iterable[str]) -> dict[str, list[str]]:
    """The clients that were written to at each address, and those who wrote from it last."""
    wanted = sorted(set(addresses))
    statement = (
        select(Delivery.address, Delivery.client_id)
        .where(among(session, Delivery.address, wanted), Delivery.client_id.is_not(None))
        .distinct()
        .order_by(Delivery.address, Delivery.client_id)
    )
    whose = consent.owners_of_addresses(session, wanted)
    for address, client_id in session.execute(statement, execution_options=EVERY_KIND):
        known = whose.setdefault(str(address), [])
        if len(known) < _MOST_CLIENTS and client_id not in known:
            known.append(str(client_id))
    return whose
