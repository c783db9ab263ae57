"""One phone and one email address of a client is the primary, whatever SQL is sent: on PostgreSQL, which looks when a
transaction ends."""

from __future__ import annotations

from typing import Any

import eventlet
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from chassis.columns import new_id
from chassis.database import Database
from chassis.scoping import UNGUARDED
from chassis.testing import eventually
from services.clients import facts
from services.clients.models import Base, Client, ClientEmail, ClientPhone
from tests.service.clients_desk import Desk, desk

__all__ = ["desk"]

KEYS: dict[Any, str] = {ClientPhone: "number", ClientEmail: "key"}
both = pytest.mark.parametrize("model", list(KEYS), ids=["phones", "emails"])


@pytest.fixture
def db(emptied_postgresql: Any) -> Database:
    """A firm's database with nobody in it."""
    return Database(emptied_postgresql(Base).url, Base, firm_id=new_id())


def entry(model: Any, client_id: str, name: str, *, primary: bool) -> dict[str, Any]:
    more = {"kind": "mobile", "number": name} if model is ClientPhone else {"address": name, "key": name}
    return {"client_id": client_id, "position": ord(name), "is_primary": primary, **more}


def client_with(db: Database, model: Any, **entries: bool) -> str:
    """A client with entries, each called by a letter: whether it is the primary."""
    client_id = new_id()
    with db.unit_of_work() as uow:
        uow.insert(Client, [{"id": client_id, "first_name": "Ann"}])
        uow.insert(model, [entry(model, client_id, name, primary=primary) for name, primary in entries.items()])
    return client_id


def run(db: Database, sql: str, **values: Any) -> None:
    with db.unit_of_work() as uow:
        for statement in sql.split(";"):
            uow.session.execute(text(statement), values, execution_options=UNGUARDED)


@both
def test_a_client_with_entries_and_no_primary_is_refused(db: Database, model: Any) -> None:
    table, key = model.__tablename__, KEYS[model]
    ann = client_with(db, model, a=True, b=False)
    bob = client_with(db, model, c=True)
    with pytest.raises(IntegrityError, match="none of the client's entries is the primary"):
        client_with(db, model, a=False)
    for sql in (
        f"DELETE FROM {table} WHERE client_id = :ann AND {key} = 'a'",
        f"UPDATE {table} SET is_primary = false WHERE client_id = :ann",
        f"UPDATE {table} SET client_id = :bob, is_primary = false WHERE client_id = :ann AND is_primary",
        f"DELETE FROM {table} WHERE client_id = :bob; UPDATE {table} SET client_id = :bob WHERE {key} = 'b'",
    ):
        with pytest.raises(IntegrityError, match="none of the client's entries is the primary"):
            run(db, sql, ann=ann, bob=bob)
    # What is right when the transaction ends was never looked at before.
    run(db, f"UPDATE {table} SET is_primary = false WHERE client_id = :ann; UPDATE {table} SET is_primary = true"
            f" WHERE client_id = :ann AND {key} = 'b'", ann=ann)  # fmt: skip
    run(db, f"DELETE FROM {table} WHERE client_id = :ann", ann=ann)
    run(db, "DELETE FROM client WHERE id = :bob", bob=bob)


@both
def test_of_two_at_once_the_later_one_sees_what_the_other_did(db: Database, model: Any) -> None:
    """One takes the only entry away while another, which was looked at already, has added one that is no primary."""
    client_id = client_with(db, model, a=True)

    def take_away() -> str:
        try:
            run(db, f"DELETE FROM {model.__tablename__} WHERE client_id = :id AND is_primary", id=client_id)
        except IntegrityError:
            return "refused"
        return "taken away"

    with db.unit_of_work() as uow:
        uow.insert(model, [entry(model, client_id, "b", primary=False)])
        uow.session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"), execution_options=UNGUARDED)
        taking = eventlet.spawn(take_away)
        eventually(lambda: taking.dead or _is_waited(db))
    assert taking.wait() == "refused"


def _is_waited(db: Database) -> bool:
    with db.read() as session:
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(session.scalar(waiting, execution_options=UNGUARDED))


def test_work_across_firms_is_held_to_it_too(emptied_postgresql: Any) -> None:
    everywhere = emptied_postgresql(Base)
    db = Database(everywhere.url, Base, firm_id=new_id())
    client_with(db, ClientPhone, a=True, b=False)
    with (
        pytest.raises(IntegrityError, match="none of the client's entries is the primary"),
        everywhere.across_firms("a test takes a primary away").unit_of_work() as uow,
    ):
        uow.session.execute(text("DELETE FROM client_phone WHERE is_primary"), execution_options=UNGUARDED)


def test_a_list_without_a_primary_gets_one(desk: Desk) -> None:
    made = desk.create(phones=[{"number": "+12125550101"}, {"number": "+12125550102"}], emails=[{"address": "a@b.de"}])
    assert [phone["primary"] for phone in made["phones"]] == [True, False]
    after = desk.change(made["id"], phones=[{"number": "+12125550103", "primary": False}])
    assert after["phones"] == [{"number": "+12125550103", "kind": "mobile", "primary": True}]
    assert after["emails"][0]["primary"]


def test_the_primary_postal_address_is_the_first_of_a_list_without_that_kind(desk: Desk) -> None:
    first = {"kind": "mailing", "state": "NV", "country": "US"}
    ann = desk.create(addresses=[first, {"kind": "billing", "state": "TX"}])["id"]
    bob = desk.create(addresses=[first, {"kind": "primary", "state": "FL", "country": "CA"}])["id"]
    found = facts.get_recipients(desk.db, client_ids=[ann, bob])["recipients"]
    assert [(one["postal_state"], one["postal_country"]) for one in found] == [("NV", "US"), ("FL", "CA")]
