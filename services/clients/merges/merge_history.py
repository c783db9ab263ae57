"""Which client stands for which: the ids of clients that were merged, and of whom they are now."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from chassis.value_sets import Statement, among, among_parameter, made_once
from contracts.errors import CasewireError, Gone, NotFound
from services.clients.models import Client, ClientMerge, ErasedClient, FormerExternalId

_LONGEST_CHAIN = 100
"""Merges one after the other. None is in a circle: a merged client survives nothing."""
_THERE = select(Client.id).where(Client.id == bindparam("client_id"), Client.archived_at.is_(None))


def survivors(session: Session, client_ids: Iterable[str]) -> dict[str, str]:
    """{merged id: id of the client that it is now}, for those of the ids that were merged; a query for each link of the
    longest chain."""
    current: dict[str, str] = {}
    asked = set(client_ids)
    wanted = asked
    for _ in range(_LONGEST_CHAIN):
        if not wanted:
            break
        statement = select(ClientMerge.merged_id, ClientMerge.surviving_id).where(
            among(session, ClientMerge.merged_id, sorted(wanted)), ClientMerge.undone_at.is_(None)
        )
        found = dict(session.execute(statement).all())
        current.update(found)
        wanted = set(found.values()) - current.keys()
    return {merged: _end(current, merged) for merged in current.keys() & asked}


def _end(current: dict[str, str], client_id: str) -> str:
    while client_id in current:
        client_id = current[client_id]
    return client_id


def merged_into(session: Session, client_id: str, direct: Collection[str] | None = None) -> list[str]:
    """The ids of all clients that are this one now, without its own; a query for each generation, but for that of the
    `direct` ones, if they are known."""
    if direct is None:
        return merged_into_each(session, [client_id])[client_id]
    earlier = merged_into_each(session, direct) if direct else {}
    return [*sorted(direct), *(merged_id for deeper in earlier.values() for merged_id in deeper)]


def merged_into_each(session: Session, client_ids: Collection[str]) -> dict[str, list[str]]:
    """By client, the ids of all clients that are it now, without its own; a query for each generation of all."""
    found: dict[str, list[str]] = {client_id: [] for client_id in client_ids}
    now = {client_id: client_id for client_id in found}
    latest = sorted(now)
    while latest:
        rows = session.execute(_merged_into_any(session), {"surviving_ids": latest})
        merges = [(merged, surviving) for merged, surviving in rows if merged not in now]
        for merged, surviving in sorted(merges):
            now[merged] = now[surviving]
            found[now[surviving]].append(merged)
        latest = sorted(merged for merged, _ in merges)
    return found


@made_once
def _merged_into_any(dialect: str) -> Statement:
    survivors = among_parameter(dialect, ClientMerge.surviving_id, "surviving_ids")
    return select(ClientMerge.merged_id, ClientMerge.surviving_id).where(survivors, ClientMerge.undone_at.is_(None))


def demand_client(session: Session, client_id: str, *, lock: bool = False) -> None:
    """Raises NotFound `client_not_found`, Gone `client_merged` or `client_erased` for a client that is not there. With
    `lock`, it stays until the commit."""
    if session.scalar(_THERE.with_for_update() if lock else _THERE, {"client_id": client_id}) is None:
        raise absent(session, client_id)


def absent(session: Session, client_id: str) -> CasewireError:
    """What to raise for a client that is not there: Gone `client_merged` with `surviving_id`, Gone `client_erased`,
    else NotFound `client_not_found`.

    That somebody was erased is told, so that other systems which keep the id can follow; a deleted client is nowhere
    until it is restored.
    """
    surviving_id = survivors(session, [client_id]).get(client_id)
    if surviving_id is not None:
        return Gone("client_merged", client_id=client_id, surviving_id=surviving_id)
    if erased(session, client_id):
        return Gone("client_erased", client_id=client_id)
    return NotFound("client_not_found", client_id=client_id)


def erased(session: Session, client_id: str) -> bool:
    """Whether there was a client with this id that is erased."""
    statement = select(ErasedClient.client_id).where(ErasedClient.client_id == client_id)
    return session.scalar(statement) is not None


def with_survivors(session: Session, client_ids: Collection[str], present: Collection[str]) -> dict[str, str]:
    """`survivors` of those of the ids that are not `present`; no query where all are."""
    missing = set(client_ids) - set(present)
    return survivors(session, missing) if missing else {}


def by_former_external_id(session: Session, source: str, external_ids: Collection[str]) -> dict[str, str]:
    """{external id: client} of the clients into which those that had these ids were merged, and that are there."""
    if not external_ids:
        return {}
    statement = select(FormerExternalId.external_source_id, FormerExternalId.merged_id).where(
        FormerExternalId.external_source == source,
        among(session, FormerExternalId.external_source_id, external_ids),
    )
    former = dict(session.execute(statement).all())
    current = survivors(session, former.values()) if former else {}
    known = select(Client.id).where(among(session, Client.id, set(current.values())), Client.archived_at.is_(None))
    there = set(session.scalars(known)) if current else set()
    return {
        external_id: current[merged_id] for external_id, merged_id in former.items() if current.get(merged_id) in there
    }
