"""Suspected duplicates: who looks like one client, kept as pairs, listed, and marked as two.

A client that is created or changed is compared by its event. What an import brings is looked through by a sweep: block
by block, so that each client is read once, resumed where it was.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import and_, delete, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from chassis.columns import new_id
from chassis.context import current
from chassis.database import Database, UnitOfWork
from chassis.envelope import ReceivedEvent
from chassis.paging import page
from chassis.precedence import precedence
from chassis.value_sets import among
from contracts.errors import Conflict, invalid_field
from services.clients import cards
from services.clients.likenesses import (
    BIRTH,
    EMAIL,
    GOVERNMENT_ID,
    MOST_SHARING,
    PHONE,
    POSTAL,
    Pair,
    Pairs,
    add_alike,
    add_sharing,
    pair_of,
    reasons,
)
from services.clients.merges import merge_history
from services.clients.models import (
    Client,
    ClientAddress,
    ClientEmail,
    ClientGovernmentId,
    ClientPhone,
    NotDuplicate,
    SuspectedPair,
)
from services.clients.showing import shown

Record = dict[str, Any]

MOST_IN_BLOCK = 5000
"""Clients of one day of birth or postal code with whom a changed one is compared."""
_TELLING = frozenset(
    {
        "first_name",
        "last_name",
        "company_name",
        "kind",
        "phones",
        "emails",
        "addresses",
        "date_of_birth",
        "government_ids",
    }
)
"""Fields of which a change may make a pair, or end one."""


def look_at_changed(db: Database, events: Sequence[ReceivedEvent], now: dt.datetime) -> None:
    """`client.created.v1`, `client.changed.v1` and `client.restored.v1`: compares these clients with all others."""
    ids = {event.data["client_id"] for event in events if _tells(event)}
    pairs: Pairs = {}
    if ids:
        with db.read() as session:
            pairs = pairs_of(session, ids)
    with db.unit_of_work(once=events) as uow:
        write(uow, pairs, now)
        _forget_others(uow, ids, pairs)


def _tells(event: ReceivedEvent) -> bool:
    changed = event.data["changed"]
    return not changed or not _TELLING.isdisjoint(changed)


def pairs_of(session: Session, ids: Collection[str]) -> Pairs:
    """The pairs that these clients are in, by a query for each day of birth and each postal code of theirs, and a few
    more."""
    only = set(ids)
    pairs: Pairs = {}
    sharing: list[tuple[str, Any, Any]] = [
        (PHONE, ClientPhone, ClientPhone.number), (EMAIL, ClientEmail, ClientEmail.key),
        (GOVERNMENT_ID, ClientGovernmentId, ClientGovernmentId.key),
    ]  # fmt: skip
    for why, model, column in sharing:
        mine: Any = select(column).where(among(session, model.client_id, only))
        add_sharing(pairs, why, holders(session, model, column, column.in_(mine)), only)
    born = select(Client.birth_key).where(among(session, Client.id, only), Client.birth_key.is_not(None))
    living = select(ClientAddress.postal_code).where(
        among(session, ClientAddress.client_id, only), ClientAddress.postal_code.is_not(None)
    )
    blocks: list[tuple[str, Any, Any]] = [(BIRTH, Client.birth_key, born), (POSTAL, ClientAddress.postal_code, living)]
    for why, column, mine in blocks:
        for value in sorted(set(session.scalars(mine))):
            block = names_of(session, column, value, most=MOST_IN_BLOCK)
            own = block.keys() & only
            if not own and len(block) == MOST_IN_BLOCK:
                continue
            add_alike(pairs, why, block, precedence.step_aside, only)
    return pairs


def holders(session: Session, model: Any, column: Any, *where: Any) -> Iterable[list[str]]:
    """The ids of the clients that have each value in common, of those values that two or more have, and not too many.
    Deleted clients neither are among them nor count: one that is restored is compared again."""
    living = select(column).join(Client, Client.id == model.client_id).where(Client.archived_at.is_(None))
    several = living.where(*where).group_by(column).having(func.count().between(2, MOST_SHARING))
    statement = living.add_columns(model.client_id).where(column.in_(several.scalar_subquery()))
    found: dict[str, list[str]] = {}
    for value, client_id in session.execute(statement):
        found.setdefault(value, []).append(client_id)
    return found.values()


def names_of(session: Session, column: Any, value: str, *, most: int | None = None) -> dict[str, str]:
    """{client: name key} of those with a day of birth or postal code, the newest first if only so many are wanted."""
    statement = select(Client.id, Client.name_key).where(column == value, Client.archived_at.is_(None))
    if column is ClientAddress.postal_code:
        statement = statement.join(ClientAddress, ClientAddress.client_id == Client.id)
    if most is not None:
        statement = statement.order_by(Client.id.desc()).limit(most)
    return dict(session.execute(statement).all())


def write(uow: UnitOfWork, pairs: Pairs, now: dt.datetime) -> None:
    """Keeps pairs, but for those that are two. One that is known keeps the time when it was found."""
    two = _known_as_two(uow.session, pairs)
    rows = [
        {
            "id": new_id(), "first_id": first, "second_id": second, "why": sorted(why), "found_at": now, "seen_at": now,
        }
        for (first, second), why in sorted(pairs.items())
        if (first, second) not in two
    ]  # fmt: skip
    there = set(uow.session.scalars(select(Client.id).where(among(uow.session, Client.id, _ids(pairs)))))
    rows = [row for row in rows if row["first_id"] in there and row["second_id"] in there]
    uow.upsert(SuspectedPair, rows, key=("first_id", "second_id"), change=("why", "seen_at"))


def _ids(pairs: Iterable[Pair]) -> list[str]:
    return sorted({id_ for pair in pairs for id_ in pair})


def _known_as_two(session: Session, pairs: Iterable[Pair]) -> set[Pair]:
    ids = _ids(pairs)
    if not ids:
        return set()
    statement = select(NotDuplicate.first_id, NotDuplicate.second_id).where(
        among(session, NotDuplicate.first_id, ids), among(session, NotDuplicate.second_id, ids)
    )
    return {(first, second) for first, second in session.execute(statement)}


def _forget_others(uow: UnitOfWork, ids: Collection[str], pairs: Pairs) -> None:
    """What these clients were suspected of and are not any more."""
    if not ids:
        return
    theirs = or_(among(uow.session, SuspectedPair.first_id, ids), among(uow.session, SuspectedPair.second_id, ids))
    statement = select(SuspectedPair.id, SuspectedPair.first_id, SuspectedPair.second_id).where(theirs)
    stale = [row.id for row in uow.session.execute(statement) if (row.first_id, row.second_id) not in pairs]
    forget(uow, stale)


def forget(uow: UnitOfWork, pair_ids: Collection[str]) -> None:
    """Takes pairs away."""
    if pair_ids:
        gone = delete(SuspectedPair).where(among(uow.session, SuspectedPair.id, pair_ids))
        uow.session.execute(gone, execution_options={"synchronize_session": False})


# The list


def list_duplicates(db: Database, *, limit: int = 50, cursor: str | None = None, sort: str | None = None) -> Record:
    """A page of pairs that look like one client, those found last first; each with both records and the reasons that
    hold now. One that no longer looks so is left out. Raises Invalid as `page` does."""
    first, second = aliased(Client), aliased(Client)
    statement = (
        select(SuspectedPair)
        .join(first, first.id == SuspectedPair.first_id)
        .join(second, second.id == SuspectedPair.second_id)
        .where(first.archived_at.is_(None), second.archived_at.is_(None), ~_is_two())
    )
    with db.read() as session:
        rows, meta = page(
            session, statement, model=SuspectedPair, sorts={"found_at": SuspectedPair.found_at},
            default_sort="-found_at", limit=limit, cursor=cursor, sort=sort,
        )  # fmt: skip
        records = cards.load(session, {id_ for row in rows for id_ in (row.first_id, row.second_id)})
        as_shown = {record["id"]: record for record in shown(session, records.values())}
    data = []
    for row in rows:
        pair = (row.first_id, row.second_id)
        if all(id_ in records for id_ in pair) and (why := reasons(*(records[id_] for id_ in pair))):
            clients = [as_shown[id_] for id_ in pair]
            data.append({"id": row.id, "found_at": row.found_at, "why": why, "clients": clients})
    return {"data": data, "meta": meta}


def _is_two() -> Any:
    return exists().where(
        and_(NotDuplicate.first_id == SuspectedPair.first_id, NotDuplicate.second_id == SuspectedPair.second_id)
    )


# Two, and not one


def mark_not_duplicate(db: Database, now: dt.datetime, *, this_id: str, client_id: str) -> Record:
    """Remembers that two clients are two. Said again, nothing changes: {"client_ids", "at", "by"}.

    Raises Invalid for one with itself, NotFound `client_not_found`, Gone `client_merged` or `client_erased`, Conflict
    `duplicate_merged`.
    """
    first, second = _two(this_id, client_id)
    context = current()
    with db.unit_of_work() as uow:
        _demand_both(uow.session, this_id, client_id)
        row = {"first_id": first, "second_id": second, "at": now, "by": context.actor_id if context else None}
        uow.insert(NotDuplicate, [row], ignore_conflicts=True)
        mine = (SuspectedPair.first_id == first, SuspectedPair.second_id == second)
        forget(uow, list(uow.session.scalars(select(SuspectedPair.id).where(*mine))))
        kept = uow.session.get_one(NotDuplicate, (db.firm_id, first, second))
        return uow.answer({"client_ids": [first, second], "at": kept.at, "by": kept.by})


def _two(this_id: str, client_id: str) -> Pair:
    if this_id == client_id:
        raise invalid_field("client_id", "One client is not two.", "same_client")
    return pair_of(this_id, client_id)


def _demand_both(session: Session, this_id: str, client_id: str) -> None:
    there = set(
        session.scalars(select(Client.id).where(Client.id.in_((this_id, client_id)), Client.archived_at.is_(None)))
    )
    if this_id not in there:
        raise merge_history.absent(session, this_id)
    if client_id not in there:
        error = merge_history.absent(session, client_id)
        if surviving_id := error.meta.get("surviving_id"):
            raise Conflict("duplicate_merged", client_id=client_id, surviving_id=surviving_id)
        raise error


def unmark_not_duplicate(db: Database, now: dt.datetime, *, this_id: str, client_id: str) -> None:
    """Forgets that two clients are two, and looks at them again. Harmless to repeat. Raises as the mark does."""
    first, second = _two(this_id, client_id)
    with db.unit_of_work() as uow:
        _demand_both(uow.session, this_id, client_id)
        marked = delete(NotDuplicate).where(NotDuplicate.first_id == first, NotDuplicate.second_id == second)
        uow.session.execute(marked, execution_options={"synchronize_session": False})
        records = cards.load(uow.session, [first, second])
        if why := reasons(records[first], records[second]):
            write(uow, {(first, second): set(why)}, now)
        uow.answer({})
