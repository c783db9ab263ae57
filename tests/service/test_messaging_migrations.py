"""A database with deliveries goes to each later version and back, and keeps what they hold."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, inspect, select
from sqlalchemy.exc import IntegrityError

from chassis.columns import new_id, utc_now
from chassis.migrations import downgrade, owner_engine, upgrade
from services.messaging.models import Attempt, Delivery

TABLE: Any = Delivery.__table__
ATTEMPTS: Any = Attempt.__table__
KEY = ["delivery_id", "number", "firm_id"]


def indexes(url: str) -> dict[str, tuple[list[str | None], str]]:
    """Of the deliveries: name to columns and the condition of rows that are in it."""
    engine = owner_engine(url)
    found = [*inspect(engine).get_indexes("delivery"), *inspect(engine).get_unique_constraints("delivery")]
    engine.dispose()
    return {str(index["name"]): (list(index["column_names"]), _condition(index)) for index in found}


def _condition(index: Any) -> str:
    options = index.get("dialect_options", {})
    return str(options.get("postgresql_where", options.get("sqlite_where", "")))


def row(batch_id: str, subject_id: str, client_id: str, **given: Any) -> dict[str, Any]:
    now = utc_now()
    fixed = {"firm_id": new_id(), "id": new_id(), "channel": "sms", "kind": "notification", "state": "queued"}
    fixed |= {"send_after": now, "due_at": now, "batch_id": batch_id, "subject_id": subject_id, "client_id": client_id}
    return {**fixed, "address_once": f"+1{client_id}", **given}


@pytest.mark.parametrize("server", ["sqlite", "postgresql"])
def test_indexes_of_deliveries_change_with_the_rows_there(
    server: str, tmp_path: Path, postgres_database: Callable[[], str]
) -> None:
    url = f"sqlite:///{tmp_path}/messaging.db" if server == "sqlite" else postgres_database()
    upgrade("messaging", url, "0003")
    before = indexes(url)
    batch, task, ann, bea = (new_id() for _ in range(4))
    engine = owner_engine(url)
    called = {"firm_id": new_id(), "delivery_id": new_id(), "number": 1, "begun_at": utc_now()}
    with engine.begin() as connection:
        connection.execute(insert(TABLE), [row(batch, task, ann), row(batch, task, bea)])
        connection.execute(insert(ATTEMPTS), called)
    upgrade("messaging", url, "0004")
    assert inspect(engine).get_pk_constraint("attempt")["constrained_columns"] == KEY
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(insert(ATTEMPTS), called)
    for refused in (row(batch, task, ann, address_once=None), row(batch, task, new_id(), address_once=f"+1{bea}")):
        with pytest.raises(IntegrityError), engine.begin() as connection:
            connection.execute(insert(TABLE), refused)
    after = indexes(url)
    assert after.keys() == before.keys()
    assert [name for name, (columns, _) in after.items() if columns[0] == "firm_id"] == ["ix_delivery_accepted"]
    assert [after[name][1] for name in before] == [condition for _, condition in before.values()]
    downgrade("messaging", url, "0003")
    assert indexes(url) == before
    assert inspect(engine).get_pk_constraint("attempt")["constrained_columns"] == [KEY[-1], *KEY[:-1]]
    with engine.begin() as connection:
        assert sorted(connection.scalars(select(TABLE.c.client_id))) == sorted([ann, bea])
        assert connection.scalar(select(ATTEMPTS.c.delivery_id)) == called["delivery_id"]
    engine.dispose()


@pytest.mark.parametrize("server", ["sqlite", "postgresql"])
def test_when_to_ask_for_a_price_comes_and_goes_with_the_rows_there(
    server: str, tmp_path: Path, postgres_database: Callable[[], str]
) -> None:
    url = f"sqlite:///{tmp_path}/messaging.db" if server == "sqlite" else postgres_database()
    upgrade("messaging", url, "0004")
    before = indexes(url)
    batch, ann, bea = (new_id() for _ in range(3))
    engine = owner_engine(url)
    kept = select(TABLE.c.client_id, TABLE.c.price).order_by(TABLE.c.client_id)
    with engine.begin() as connection:
        connection.execute(insert(TABLE), row(batch, ann, ann, state="delivered", price=Decimal("0.0079")))
        rows = connection.execute(kept).all()
    upgrade("messaging", url, "0005")
    assert indexes(url).keys() - before.keys() == {"ix_delivery_price_due_at"}
    with engine.begin() as connection:
        assert connection.scalars(select(TABLE.c.price_due_at)).all() == [None]
        connection.execute(insert(TABLE), row(batch, bea, bea, state="delivered", price_due_at=utc_now()))
        rows += [(bea, None)]
    downgrade("messaging", url, "0004")
    assert indexes(url) == before
    with engine.begin() as connection:
        assert connection.execute(kept).all() == sorted(rows)
    engine.dispose()


@pytest.mark.parametrize("server", ["sqlite", "postgresql"])
def test_the_keys_of_a_call_come_and_go_with_the_rows_there(
    server: str, tmp_path: Path, postgres_database: Callable[[], str]
) -> None:
    url = f"sqlite:///{tmp_path}/messaging.db" if server == "sqlite" else postgres_database()
    upgrade("messaging", url, "0006")
    before = indexes(url)
    batch, ann, bea = (new_id() for _ in range(3))
    engine = owner_engine(url)
    kept = select(TABLE.c.client_id, TABLE.c.provider_status).order_by(TABLE.c.client_id)
    with engine.begin() as connection:
        connection.execute(insert(TABLE), row(batch, ann, ann, channel="phone", provider_status="completed"))
    upgrade("messaging", url, "0007")
    assert indexes(url) == before
    with engine.begin() as connection:
        assert connection.scalars(select(TABLE.c["keys"])).all() == [None]
        called = row(batch, bea, bea, channel="phone", provider_status="busy", keys="0123456789*#01234567")
        connection.execute(insert(TABLE), called)
        assert sorted(connection.scalars(select(TABLE.c["keys"])), key=str) == ["0123456789*#01234567", None]
    downgrade("messaging", url, "0006")
    assert indexes(url) == before
    with engine.begin() as connection:
        assert connection.execute(kept).all() == sorted([(ann, "completed"), (bea, "busy")])
    assert "keys" not in {column["name"] for column in inspect(engine).get_columns("delivery")}
    engine.dispose()


@pytest.mark.parametrize("server", ["sqlite", "postgresql"])
def test_deliveries_for_more_contacts_come_and_go_with_the_rows_there(
    server: str, tmp_path: Path, postgres_database: Callable[[], str]
) -> None:
    url = f"sqlite:///{tmp_path}/messaging.db" if server == "sqlite" else postgres_database()
    upgrade("messaging", url, "0010")
    before = indexes(url)
    batch, task, acme, bea, cal = (new_id() for _ in range(5))
    engine = owner_engine(url)
    with engine.begin() as connection:
        connection.execute(insert(TABLE), row(batch, task, acme))
    upgrade("messaging", url, "0011")
    with engine.begin() as connection:
        assert connection.execute(select(TABLE.c.contact_id, TABLE.c.added)).all() == [(None, False)]
    for_more = [row(batch, task, acme, contact_id=id_, added=True, address_once=f"+1{id_}") for id_ in (bea, cal)]
    with engine.begin() as connection:
        connection.execute(insert(TABLE), for_more)
    for again in (row(batch, task, acme, address_once=None), {**for_more[0], "id": new_id(), "address_once": None}):
        with pytest.raises(IntegrityError), engine.begin() as connection:
            connection.execute(insert(TABLE), again)
    downgrade("messaging", url, "0010")
    assert indexes(url) == before
    with engine.begin() as connection:
        assert connection.scalars(select(TABLE.c.client_id)).all() == [acme]
    engine.dispose()
