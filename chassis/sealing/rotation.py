"""Rotating a firm's key while the services run: a new key is made, every data key is wrapped with it, a batch in each
transaction, and the old key is destroyed when nothing uses it.

Killed at any moment, the next run goes on where this one was. The values themselves are not written: they are sealed
with their owners' keys. The key of blind indexes stays, or nothing would be found by them; it is only wrapped anew.
So a rotation ends what an old key of the store opens; to whom a data key itself became known, it closes nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from chassis.database import Database, UnitOfWork
from chassis.sealing.data_keys import Sealing, open_data_key, wrap
from chassis.sealing.firm_keys import FRESH_SECONDS, SEAL, forget_rings, new_key, ring_to_read
from chassis.sealing.key_stores import key_store

BATCH = 500
MARGIN = dt.timedelta(seconds=FRESH_SECONDS + 5)
"""Until then a process may wrap with the key that was current when it looked."""

Told = Callable[[int, int], object]
"""Called with how many data keys are wrapped with the new key, and how many there are to wrap."""


@dataclass(frozen=True)
class FirmKeyStatus:
    """A firm's keys: since when the current one is in use, how many data keys it wraps, how many older keys still wrap,
    and whether the key store would wrap all of them as they are wrapped."""

    firm_id: str
    since: dt.datetime
    wrapped: int
    older_keys: int
    older_wrapped: int
    newest_store_key: bool


def firms_with_keys(db: Database, sealing: Sealing) -> list[str]:
    """The ids of the firms that have keys. `db` is bound to no firm."""
    with db.across_firms("keys of every firm are looked after").read() as session:
        return sorted(session.scalars(select(sealing.firm_keys.firm_id).distinct()))


def status(db: Database, sealing: Sealing) -> FirmKeyStatus | None:
    """The status of the firm that `db` is bound to; None if it has no keys."""
    model, data_keys = sealing.firm_keys, sealing.data_keys
    with db.read() as session:
        rows = session.execute(select(model.id, model.purpose, model.is_current, model.wrapped, model.created_at)).all()
        counted = select(data_keys.firm_key_id, func.count()).group_by(data_keys.firm_key_id)
        uses: dict[str, int] = dict(session.execute(counted).all())
    current = next((row for row in rows if row.purpose == SEAL and row.is_current), None)
    if current is None:
        return None
    older = [row for row in rows if row.purpose == SEAL and not row.is_current]
    return FirmKeyStatus(
        firm_id=str(db.firm_id),
        since=current.created_at,
        wrapped=uses.get(current.id, 0),
        older_keys=len(older),
        older_wrapped=sum(uses.get(row.id, 0) for row in older),
        newest_store_key=all(key_store().newest(row.wrapped) for row in rows),
    )


def rotate(
    db: Database,
    sealing: Sealing,
    *,
    now: Callable[[], dt.datetime],
    sleep: Callable[[float], object],
    tell: Told = lambda done, total: None,
) -> int:
    """`begin` and `end` of one firm; how many data keys were wrapped anew."""
    begun = begin(db, sealing, now=now, tell=tell)
    return 0 if begun is None else begun.wrapped + end(db, sealing, begun, now=now, sleep=sleep)


@dataclass(frozen=True)
class Begun:
    """A rotation whose old key is still there: since when the new one is in use, and the data keys wrapped with it."""

    since: dt.datetime
    wrapped: int


def begin(
    db: Database, sealing: Sealing, *, now: Callable[[], dt.datetime], tell: Told = lambda done, total: None
) -> Begun | None:
    """Gives the firm that `db` is bound to a new key, or goes on with a rotation that was cut off, and wraps every data
    key with it. None if the firm has no keys.

    Raises Unavailable if the database or the key store cannot be reached.
    """
    since = _begin(db, sealing, now)
    if since is None:
        return None
    done, total = 0, _older_wrapped(db, sealing)
    tell(done, total)
    while count := _wrap_batch(db, sealing):
        done += count
        tell(done, max(done, total))
    return Begun(since, done)


def end(
    db: Database,
    sealing: Sealing,
    begun: Begun,
    *,
    now: Callable[[], dt.datetime],
    sleep: Callable[[float], object],
) -> int:
    """Destroys the old key when no process seals with it any more; how many data keys it wrapped meanwhile."""
    late = 0
    while True:
        left = (begun.since + MARGIN - now()).total_seconds()
        if left > 0:
            # Of those that have just looked, one may wrap a last data key with the old key.
            sleep(left)
        while count := _wrap_batch(db, sealing):
            late += count
        if _retire(db, sealing):
            return late


def _begin(db: Database, sealing: Sealing, now: Callable[[], dt.datetime]) -> dt.datetime | None:
    """Makes the new key, unless a rotation is under way; since when the current key is in use. What stays is wrapped as
    the store wraps today: the store's own key may be another one by now."""
    model, firm_id = sealing.firm_keys, str(db.firm_id)
    with db.read() as session:
        known = session.execute(select(model.id, model.purpose, model.wrapped).where(model.is_current)).all()
    again = {row.id: _wrapped_anew(row, firm_id) for row in known}
    made = new_key(firm_id, SEAL)
    with db.unit_of_work() as uow:
        # So that nobody who makes a data key meanwhile has to wait, or is waited for.
        held = select(model).order_by(model.id).with_for_update(key_share=True)
        rows = uow.session.scalars(held).all()
        seals = [row for row in rows if row.purpose == SEAL]
        current = next((row for row in seals if row.is_current), None)
        if current is None:
            return None
        for row in rows:
            row.wrapped = again.get(row.id, row.wrapped)
        if len(seals) > 1:
            since: dt.datetime = current.created_at
            return since
        current.is_current = False
        uow.session.flush()
        since = now()
        uow.insert(model, [{**made, "created_at": since}])
    forget_rings()
    return since


def _wrapped_anew(row: Any, firm_id: str) -> str:
    return key_store().wrap(key_store().unwrap(row.wrapped, firm_id, row.purpose), firm_id, row.purpose)


def _older_wrapped(db: Database, sealing: Sealing) -> int:
    with db.read() as session:
        counted = select(func.count()).select_from(sealing.data_keys).where(_older(session, sealing))
        return session.scalars(counted).one()


def _older(session: Session, sealing: Sealing) -> Any:
    model = sealing.firm_keys
    current = select(model.id).where(model.purpose == SEAL, model.is_current)
    return sealing.data_keys.firm_key_id != current.scalar_subquery()


def _wrap_batch(db: Database, sealing: Sealing) -> int:
    data_keys = sealing.data_keys
    owner = getattr(data_keys, sealing.owner)
    with db.unit_of_work() as uow:
        ring = _ring(uow, sealing)
        found = (
            select(owner, data_keys.id, data_keys.firm_key_id, data_keys.wrapped)
            .where(data_keys.firm_key_id != ring.current.id)
            .order_by(owner)
            .limit(BATCH)
            .with_for_update()
        )
        rows = []
        for owner_id, key_id, firm_key_id, wrapped in uow.session.execute(found):
            key = open_data_key(ring, key_id, firm_key_id, wrapped)
            rows.append({sealing.owner: owner_id, "firm_key_id": ring.current.id, "wrapped": wrap(ring, key)})
        uow.update_each(data_keys, rows, key=(sealing.owner,))
        return len(rows)


def _ring(uow: UnitOfWork, sealing: Sealing) -> Any:
    forget_rings()  # another process may have begun the rotation
    ring = ring_to_read(uow.session, sealing.firm_keys)
    assert ring is not None
    return ring


def _retire(db: Database, sealing: Sealing) -> bool:
    """Destroys the older keys; False if one of them is used again."""
    model = sealing.firm_keys
    try:
        with db.unit_of_work() as uow:
            gone = delete(model).where(model.purpose == SEAL, model.is_current.is_(False))
            uow.session.execute(gone, execution_options={"synchronize_session": False})
    except IntegrityError:
        # The data keys refer to them.
        return False
    forget_rings()
    return True
