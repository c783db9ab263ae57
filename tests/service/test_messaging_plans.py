"""How PostgreSQL finds the deliveries and consents that something names, where it has counted none of them yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chassis.columns import new_id, utc_now
from chassis.database import Database
from chassis.testing import as_owner
from services.messaging import address_keys, closed_tasks, consent
from services.messaging.adapters.base import Accepted, Called
from services.messaging.deliveries import is_in, move_each
from services.messaging.dispatching import claims
from services.messaging.dispatching.outcomes import Wish
from services.messaging.dispatching.preparation import read_known
from services.messaging.dispatching.prices import Prices
from services.messaging.dispatching.recipients import Facts
from services.messaging.dispatching.results import record
from services.messaging.models import Attempt, Base, Batch, Delivery, Sender
from services.messaging.setwise import update_rows
from services.messaging.timing import FirmRules
from tests.service.plans import plan_of, undisturbed

address_keys.use(b"a key of the tests, for addresses")

MANY = 3_000
TRIES = range(1, 13)
WISHED = ("id", "kind", "channel", "client_id", "batch_id", "case_task_id")


@pytest.fixture
def crowded(postgres_database: Callable[[], str]) -> Iterator[Database]:
    """A firm with many deliveries that wait to be sent, one with many that wait to be prepared."""
    db = undisturbed(Base, postgres_database())
    yield db
    db.engines.dispose()


def fill(db: Database, state: str) -> list[dict[str, Any]]:
    now, batch_id = utc_now(), new_id()
    fixed = {"batch_id": batch_id, "channel": "sms", "kind": "notification", "state": state}
    rows = [
        {**fixed, "id": new_id(), "case_task_id": new_id(), "client_id": new_id(), "address": f"+1212{number:07d}"}
        for number in range(MANY)
    ]
    with db.unit_of_work() as uow:
        uow.insert(
            Delivery, [{**row, "subject_id": row["case_task_id"], "send_after": now, "due_at": now} for row in rows]
        )
        tried = [{"delivery_id": row["id"], "number": number, "begun_at": now} for row in rows for number in TRIES]
        uow.insert(Attempt, tried)
    return rows


@pytest.mark.parametrize(
    ("before", "after", "where", "key"),
    [
        ("queued", "sending", (), claims.AS_RESERVED),
        ("accepted", "queued", (is_in("accepted"),), ("id",)),
        ("sending", "sent", (), ("id",)),
    ],
)
def test_deliveries_are_found_by_their_ids_alone(
    crowded: Database, before: str, after: str, where: tuple[Any, ...], key: tuple[str, ...]
) -> None:
    db = crowded.for_firm(new_id())
    ids = [row["id"] for row in fill(db, before)[:20]]

    def change() -> None:
        with db.unit_of_work() as uow:
            rows = [{"id": id_, "attempts": 1, **({"version": 1} if "version" in key else {})} for id_ in ids]
            moved = move_each(uow, after, utc_now(), rows, where=where, key=key)
        assert sorted(moved) == ids

    assert "using pk_delivery" in plan_of(db, "UPDATE delivery", change)


def test_attempts_are_found_by_their_deliveries(crowded: Database) -> None:
    db = crowded.for_firm(new_id())
    called = [
        Called(row["id"], 1, row["address"], "sms", new_id(), Accepted(f"SM{row['id']}", "queued"))
        for row in fill(db, "sending")[:20]
    ]
    told = plan_of(db, "UPDATE attempt", lambda: record(db, called, utc_now(), provider="twilio", ask_after=60.0))
    assert "Index Cond: ((delivery_id = " in told


def test_what_was_sent_before_is_found_by_address_and_case_task(crowded: Database) -> None:
    db = crowded.for_firm(new_id())
    rows = fill(db, "queued")[:20]
    wishes = [Wish(**{name: row[name] for name in WISHED}) for row in rows]
    facts = Facts(FirmRules("A firm"), {row["client_id"]: {"sms": row["address"]} for row in rows})

    def look() -> None:
        with db.read() as session:
            assert len(read_known(session, wishes, facts, {}, {}, utc_now()).sent) == 20

    assert "using ix_delivery_address" in plan_of(db, "SELECT delivery", look)


@pytest.mark.parametrize("state", ["accepted", "queued"])
def test_what_waits_about_closed_tasks_is_found_by_them(crowded: Database, state: str) -> None:
    db = crowded.for_firm(new_id())
    rows = fill(db, state)
    asked = {"channels": ["sms"], "statuses": [], "timing": {"mode": "now", "at": None}}
    with db.unit_of_work() as uow:
        uow.insert(Batch, [{"id": rows[0]["batch_id"], **asked}])
    closed = iter(rows)

    def close() -> None:
        with db.unit_of_work() as uow:
            told = [(next(closed)["case_task_id"], utc_now()) for _ in range(20)]
            assert len(closed_tasks.suppress(uow, told, utc_now())) == 20

    for counted in (False, True):
        plan = plan_of(db, "UPDATE delivery SET window_closes", close)
        for index in ("ix_delivery_sending", "ix_delivery_unknown"):
            assert f"using {index}" in plan, (index, counted)
        for beginning in ("SELECT DISTINCT delivery", "UPDATE delivery SET state"):
            plan = plan_of(db, beginning, close)
            assert "Index Scan using ix_delivery_waiting_task" in plan, (beginning, counted)
            assert "Index Cond: (case_task_id = ANY " in plan, (beginning, counted)
        with as_owner(db) as connection:
            connection.exec_driver_sql("ANALYZE delivery")


@pytest.mark.parametrize("lock", [None, "share", "update"])
def test_consents_are_found_by_their_keys(crowded: Database, lock: str | None) -> None:
    db = crowded.for_firm(new_id())
    keys = [("sms", consent.address_key(f"+1212{number:07d}")) for number in range(MANY)]
    with db.unit_of_work() as uow:
        consent.ensure_rows(uow, keys)

    def look() -> None:
        with db.unit_of_work() as uow:
            assert len(consent.read_states(uow.session, keys[:20], lock=lock)) == 20

    assert "Index Cond: (((key)::text = ANY " in plan_of(db, "SELECT consent_state", look)


def test_prices_that_are_due_are_found_by_their_time(crowded: Database) -> None:
    db = crowded.for_firm(new_id())
    now, ids = utc_now(), [row["id"] for row in fill(db, "delivered")]
    with db.unit_of_work() as uow:
        uow.insert(Sender, [{"id": new_id(), "channel": "sms", "address": "+1", "provider": "twilio", "rate": 1.0}])
        update_rows(uow.session, Delivery, [{"id": id_, "provider_id": id_} for id_ in ids], also={"price_due_at": now})

    def ask() -> None:
        Prices(crowded, {}, "a dispatcher", lambda: now).ask_some()

    assert "ix_delivery_price_due_at" in plan_of(crowded, "SELECT delivery", ask)
    with as_owner(db) as connection:
        connection.exec_driver_sql("ANALYZE delivery")
    counted = plan_of(crowded, "SELECT delivery", ask)
    assert "Index Scan using ix_delivery_price_due_at" in counted
    assert "Sort" not in counted, "the first are found without the others"
