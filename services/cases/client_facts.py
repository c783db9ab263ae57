"""What cases keep of clients to filter by, fed by events.

Events come twice, late and in any order: a client's `version`, and for consent the id of the entry, which grows with
time, decide which is newer. Each handler's work is set-based, and the rows are written in key order, so that two
replicas wait for each other and do not deadlock.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import delete

from chassis.database import Database, UnitOfWork
from chassis.envelope import ReceivedEvent
from chassis.value_sets import among
from services.cases import client_merges
from services.cases.freshness import CLIENTS, MESSAGING, note_heard
from services.cases.models import ClientConsent, ClientFacts, ClientTag

Facts = dict[str, Any]


def apply_client_events(db: Database, events: Sequence[ReceivedEvent], *, now: dt.datetime) -> None:
    """`client.created.v1`, `client.changed.v1` and `client.restored.v1`."""
    with db.unit_of_work(once=events) as uow:
        keep_facts(uow, [event.data for event in uow.fresh])
        note_heard(uow, CLIENTS, uow.fresh, now)


def apply_imports(db: Database, events: Sequence[ReceivedEvent], *, now: dt.datetime) -> None:
    """`clients.imported.v1`."""
    with db.unit_of_work(once=events) as uow:
        keep_facts(uow, [facts for event in uow.fresh for facts in event.data["clients"]])
        note_heard(uow, CLIENTS, uow.fresh, now)


def apply_deletions(db: Database, events: Sequence[ReceivedEvent], *, now: dt.datetime) -> None:
    """`client.deleted.v1`: the version stays, so that an older event that comes late brings nothing back."""
    with db.unit_of_work(once=events) as uow:
        nothing: Facts = {"status": None, "language": None, "tags": []}
        keep_facts(uow, [{**nothing, **event.data} for event in uow.fresh])
        note_heard(uow, CLIENTS, uow.fresh, now)


def apply_consents(db: Database, events: Sequence[ReceivedEvent], *, now: dt.datetime) -> None:
    """`consent.changed.v1`."""
    with db.unit_of_work(once=events) as uow:
        latest: dict[tuple[str, str], Facts] = {}
        named = {client_id for event in uow.fresh for client_id in event.data["client_ids"]}
        merged = client_merges.survivors(uow, named)
        for data in sorted((event.data for event in uow.fresh), key=lambda data: data["consent_id"]):
            for told in data["client_ids"]:
                client_id = merged.get(told, told)
                latest[client_id, data["channel"]] = {
                    "client_id": client_id,
                    "channel": data["channel"],
                    "state": data.get("holds", data["state"]),
                    "consent_id": data["consent_id"],
                }
        rows = [latest[key] for key in sorted(latest)]
        change = ("state", "consent_id")
        uow.upsert(ClientConsent, rows, key=("client_id", "channel"), change=change, newer="consent_id")
        note_heard(uow, MESSAGING, uow.fresh, now)


def keep_facts(uow: UnitOfWork, facts: Iterable[Facts]) -> None:
    """Keeps what is newer than what is kept: [{client_id, version, status, language, tags}]."""
    latest: dict[str, Facts] = {}
    for entry in facts:
        known = latest.get(entry["client_id"])
        if known is None or entry["version"] > known["version"]:
            latest[entry["client_id"]] = entry
    columns = ("client_id", "version", "status", "language")
    rows = [{name: latest[client_id][name] for name in columns} for client_id in sorted(latest)]
    change = ("version", "status", "language")
    written = [
        row.client_id for row in uow.upsert(ClientFacts, rows, key=("client_id",), change=change, newer="version")
    ]
    if not written:
        return
    # The rows above are locked now: nobody else changes these clients' tags meanwhile.
    outdated = delete(ClientTag).where(among(uow.session, ClientTag.client_id, written))
    uow.session.execute(outdated, execution_options={"synchronize_session": False})
    uow.insert(
        ClientTag,
        [{"client_id": id_, "tag": tag} for id_ in sorted(written) for tag in dict.fromkeys(latest[id_]["tags"])],
    )
