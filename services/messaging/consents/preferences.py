"""What a client wants on each channel, as the client or staff set it; the strictest word wins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.context import current
from chassis.database import Database
from contracts.errors import NotFound
from contracts.messaging import CONSENT_CHANNELS
from services.messaging import consent
from services.messaging.known_clients import gone
from services.messaging.models import ConsentEntry, ConsentState

Record = dict[str, Any]
Addresses = Mapping[str, str | None]


def get_preferences(db: Database, calls: Any, *, client_id: str) -> Record:
    """The state in force on each channel: an opt-out of the client's present address counts as the client's.

    Raises NotFound for an unknown client, Gone for a merged one, Unavailable.
    """
    return preferences_of(db, client_id, calls.clients.get_recipients(client_ids=[client_id]))


def preferences_of(db: Database, client_id: str, recipients: Mapping[str, Any]) -> Record:
    """`get_preferences`, by what `clients.get_recipients` answers of the client."""
    client_id, addresses = _reached(client_id, recipients)
    with db.read() as session:
        return _in_force(session, client_id, addresses)


def set_preferences(
    db: Database, calls: Any, *, client_id: str, source: str, actor_id: str | None, **said: str
) -> Record:
    """Records what a client wants on each named channel, and answers with the state in force: an opt-in of the client
    does not undo an opt-out that came from the address itself.

    The same again from the same source adds nothing to the ledger; from another source it is evidence of its own.
    Raises NotFound for an unknown client, Gone for a merged one, Unavailable.
    """
    client_id, addresses = _reached(client_id, calls.clients.get_recipients(client_ids=[client_id]))
    keys = [(channel, consent.client_key(client_id)) for channel in said]
    with db.unit_of_work() as uow:
        consent.ensure_rows(uow, keys)
        before = consent.read_states(uow.session, keys, lock="update")
        sources = _sources(uow.session, client_id)
        changes = [
            consent.Change(channel, said[channel], source, {"actor_id": actor_id}, client_id=client_id)
            for channel, key in sorted(keys)
            if before.get((channel, key)) != said[channel] or sources.get(channel) != source
        ]
        consent.record_changes(uow, changes)
        return uow.answer(_in_force(uow.session, client_id, addresses))


def _reached(client_id: str, recipients: Mapping[str, Any]) -> tuple[str, Addresses]:
    """The client, and where it is reached on each channel. Raises NotFound, or Gone; a client's own word counts as the
    survivor's, whichever of the two its link was made for."""
    recipient = recipients["recipients"][0]
    if recipient["state"] == "erased":
        raise NotFound("client_not_found", client_id=client_id)
    surviving_id = recipient.get("surviving_id")
    if surviving_id is not None:
        context = current()
        if context is None or context.actor_kind != "client":
            raise gone(client_id, surviving_id)
        client_id = surviving_id
    return client_id, {channel: recipient.get(channel) for channel in CONSENT_CHANNELS}


def _sources(session: Session, client_id: str) -> dict[str, str]:
    """Where the client's last word on each channel came from."""
    statement = (
        select(ConsentState.channel, ConsentEntry.source)
        .join(ConsentEntry, ConsentEntry.id == ConsentState.entry_id)
        .where(ConsentState.key == consent.client_key(client_id))
    )
    return {row.channel: row.source for row in session.execute(statement)}


def _in_force(session: Session, client_id: str, addresses: Addresses) -> Record:
    keys = {channel: consent.keys_of(channel, addresses.get(channel), client_id) for channel in CONSENT_CHANNELS}
    states = consent.read_states(session, [key for several in keys.values() for key in several])
    answer: Record = {"client_id": client_id}
    for channel, wanted in keys.items():
        said = [consent.OPTED_OUT if states.get(key) == consent.UNREACHABLE else states.get(key) for key in wanted]
        named = (state for state in (consent.OPTED_OUT, consent.OPTED_IN) if state in said)
        answer[channel] = next(named, None)
    return answer
