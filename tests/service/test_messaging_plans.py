"""How PostgreSQL finds the deliveries that are changed by their ids, where it has counted none of them yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import event

from chassis.columns import new_id, utc_now
from chassis.database import Database
from services.messaging.deliveries import is_in, move_each
from services.messaging.models import Base, Delivery

MANY = 3_000


@pytest.fixture
def crowded(postgres_database: Callable[[], str]) -> Iterator[Database]:
    """A firm with many deliveries that wait to be sent, one with many that wait to be prepared."""
    db = Database(postgres_database(), Base)
    with db.engines.write.begin() as connection:
        Base.metadata.create_all(connection)
        # What comes between the test's two looks must not change what it sees.
        connection.exec_driver_sql("ALTER TABLE delivery SET (autovacuum_enabled = off)")
    yield db
    db.engines.dispose()


def fill(db: Database, state: str) -> list[str]:
    now, batch_id, ids = utc_now(), new_id(), [new_id() for _ in range(MANY)]
    fixed = {"batch_id": batch_id, "channel": "sms", "kind": "notification", "state": state}
    with db.unit_of_work() as uow:
        uow.insert(
            Delivery,
            [
                {**fixed, "id": id_, "subject_id": new_id(), "client_id": new_id(), "send_after": now, "due_at": now}
                for id_ in ids
            ],
        )
    return ids


@pytest.mark.parametrize(
    ("before", "after", "where"),
    [("queued", "sending", ()), ("accepted", "queued", (is_in("accepted"),)), ("sending", "sent", ())],
)
def test_deliveries_are_found_by_their_ids_alone(
    crowded: Database, before: str, after: str, where: tuple[Any, ...]
) -> None:
    db = crowded.for_firm(new_id())
    ids = fill(db, before)
    ran: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        ran.append((statement, parameters))

    event.listen(db.engines.write, "before_cursor_execute", note)
    with db.unit_of_work() as uow:
        moved = move_each(uow, after, utc_now(), [{"id": id_, "attempts": 1} for id_ in ids[:20]], where=where)
    event.remove(db.engines.write, "before_cursor_execute", note)
    assert sorted(moved) == ids[:20]
    ((statement, parameters),) = [(text, given) for text, given in ran if text.startswith("UPDATE delivery")]
    with db.engines.read.connect() as connection:
        plan = "\n".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {statement}", parameters))
    assert "using pk_delivery" in plan
