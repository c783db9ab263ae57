"""clients: what is sensitive lies sealed in the database, and passes records unseen."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from chassis.columns import new_id
from chassis.database import Database
from chassis.migrations import downgrade, owner_engine, upgrade
from chassis.sealing import LocalKeys, use_key_store
from chassis.testing import as_owner, service_url
from contracts.errors import Conflict
from services.clients import records, sealing_up
from services.clients.client_keys import SEALING, birth_key, destroy_keys
from services.clients.models import Base, Client, ClientKey
from tests.service.clients_desk import NOW, Desk, desk

__all__ = ["desk"]

BORN = dt.date(1980, 2, 29)


def everything_kept(desk: Desk) -> str:
    """All that the database holds, as text. (A row as SQLAlchemy shows it is cut short.)"""
    with as_owner(desk.everywhere) as connection:
        return "\n".join(
            str(tuple(row))
            for table in Base.metadata.sorted_tables
            for row in connection.exec_driver_sql(f'SELECT * FROM "{table.name}"')
        )


def test_a_date_of_birth_lies_sealed_and_is_read_in_clear(desk: Desk) -> None:
    made = desk.create(date_of_birth=BORN)
    assert made["date_of_birth"] == desk.get(made["id"])["date_of_birth"] == BORN
    assert "1980" not in everything_kept(desk)
    with desk.db.read() as session:
        row = session.scalars(select(Client)).one()
        key = session.scalars(select(ClientKey)).one()
    assert row.date_of_birth is not None
    assert row.date_of_birth.startswith(f"v1.{key.id}.")


def test_a_change_and_a_clearing_are_kept(desk: Desk) -> None:
    made = desk.create()
    with desk.db.read() as session:
        assert session.scalars(select(ClientKey)).all() == []
    changed = desk.change(made["id"], date_of_birth=BORN)
    assert changed["version"] == 2
    assert desk.change(made["id"], date_of_birth=BORN)["version"] == 2
    assert desk.change(made["id"], occupation="Baker")["date_of_birth"] == BORN
    assert desk.get(made["id"])["date_of_birth"] == BORN
    assert desk.change(made["id"], date_of_birth=None)["date_of_birth"] is None
    with desk.db.read() as session:
        row = session.scalars(select(Client)).one()
    assert (row.date_of_birth, row.birth_key, row.birthday_key) == (None, None, None)


def test_duplicates_are_found_by_the_blind_index(desk: Desk) -> None:
    kept = desk.create(first_name="Maria", last_name="Gonzalez", date_of_birth=BORN)
    with pytest.raises(Conflict) as caught:
        desk.create(first_name="Mariah", last_name="Gonzalez", date_of_birth=BORN, skip_duplicate_check=False)
    assert caught.value.meta["candidates"] == kept["id"]
    desk.create(
        first_name="Maria", last_name="Gonzalez", date_of_birth=dt.date(1980, 2, 28), skip_duplicate_check=False
    )


def test_the_same_government_id_is_a_duplicate_however_it_is_written(desk: Desk) -> None:
    kept = desk.create(first_name="Maria", government_ids=[{"kind": "ssn", "number": "078-05-1120"}])
    same = {"first_name": "Zoe", "government_ids": [{"kind": "other", "number": "078 05 1120"}]}
    with pytest.raises(Conflict) as caught:
        desk.create(**same, skip_duplicate_check=False)
    assert caught.value.meta["candidates"] == kept["id"]
    kept_text = everything_kept(desk)
    assert not any(number in kept_text for number in ("078-05-1120", "078 05 1120", "078051120"))
    # Its blind index goes and comes with the id.
    desk.change(kept["id"], government_ids=[])
    desk.delete(desk.create(**same, skip_duplicate_check=False)["id"])
    desk.change(kept["id"], government_ids=[{"kind": "ssn", "number": "078051120"}])
    with pytest.raises(Conflict) as again:
        desk.create(**same, skip_duplicate_check=False)
    assert again.value.meta["candidates"] == kept["id"]


def test_an_import_finds_a_person_by_name_and_birth(desk: Desk) -> None:
    kept = desk.create(first_name="Ann", last_name="Lee", date_of_birth=BORN)
    rows = [["First name", "Last name", "Birthday", "Occupation"], ["Ann", "Lee", "02/29/1980", "Baker"],
            ["Ann", "Lee", "02/28/1980", "Cook"], ["Bo", "Lee", "1990-01-01", "Cook"]]  # fmt: skip
    done = desk.import_all(rows, duplicates="update")
    assert (done["counts"]["updated"], done["counts"]["created"]) == (1, 2)
    assert desk.get(kept["id"])["occupation"] == "Baker"
    births = {desk.get(id_)["date_of_birth"] for id_ in desk.listed()}
    assert births == {BORN, dt.date(1980, 2, 28), dt.date(1990, 1, 1)}
    assert "1990-01-01" not in everything_kept(desk)


def test_a_sealed_value_copied_to_another_client_shows_nothing(desk: Desk) -> None:
    one, two = desk.create(date_of_birth=BORN), desk.create(date_of_birth=dt.date(1990, 1, 1))
    with desk.everywhere.across_firms("a test copies").unit_of_work() as uow:
        uow.session.execute(text("UPDATE client SET date_of_birth = (SELECT min(date_of_birth) FROM client)"))
    assert {desk.get(one["id"])["date_of_birth"], desk.get(two["id"])["date_of_birth"]} in (
        {BORN, None}, {dt.date(1990, 1, 1), None},
    )  # fmt: skip


def test_with_its_key_destroyed_a_record_reads_null_and_can_be_changed(desk: Desk) -> None:
    made, other = desk.create(date_of_birth=BORN), desk.create(date_of_birth=BORN)
    with desk.db.unit_of_work() as uow:
        destroy_keys(uow, [made["id"]])
    assert desk.get(made["id"])["date_of_birth"] is None
    assert desk.get(other["id"])["date_of_birth"] == BORN
    assert len(desk.listed()) == 2
    assert desk.change(made["id"], occupation="Baker")["date_of_birth"] is None
    assert desk.change(made["id"], date_of_birth=BORN)["date_of_birth"] == BORN


def test_another_firm_knows_no_key(desk: Desk) -> None:
    desk.create(date_of_birth=BORN)
    other = Desk(desk.everywhere, desk.files._folder)
    with desk.db.read() as session, other.db.read() as theirs:
        assert birth_key(session, BORN) is not None
        assert birth_key(theirs, BORN) is None
        assert theirs.scalars(select(ClientKey)).all() == []


def test_two_who_need_a_clients_first_key_agree_on_one(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    made = desk.create()
    with desk.db.unit_of_work() as uow:
        sealed = SEALING.keys_to_seal(uow, [made["id"]]).seal(made["id"], "x", "t", "c", "r")
    look, looked = SEALING._rows, []

    def look_too_early(session: Any, owner_ids: Any) -> Any:
        looked.append(owner_ids)
        return [] if len(looked) == 1 else look(session, owner_ids)

    monkeypatch.setattr(SEALING, "_rows", look_too_early)
    with desk.db.unit_of_work() as uow:
        assert SEALING.keys_to_seal(uow, [made["id"]]).unseal(made["id"], sealed, "t", "c", "r") == "x"
    assert len(looked) == 2


@pytest.mark.parametrize("server", ["sqlite", "postgresql"])
def test_what_an_earlier_release_kept_in_clear_is_read_and_sealed(
    server: str, tmp_path: Path, postgres_database: Callable[[], str]
) -> None:
    url = f"sqlite:///{tmp_path}/clients.db" if server == "sqlite" else postgres_database()
    upgrade("clients", url, "0011")
    engine = owner_engine(url)
    firms = [new_id(), new_id()]
    ids = [new_id() for _ in range(6)]

    def kept(id_: str) -> str:
        return id_.replace("-", "") if server == "sqlite" else id_

    client = text(
        "INSERT INTO client (firm_id, id, version, created_at, updated_at, kind, first_name, status, spam,"
        " custom_fields, date_of_birth, sort_name, name_key, search_text)"
        " VALUES (:firm, :id, 1, :now, :now, 'individual', 'Ann', 'active', false, '{}', :born, '', '', '')"
    )
    moment = NOW.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    with engine.begin() as connection:
        for number, id_ in enumerate(ids):
            born = "1980-02-29" if number != 5 else None
            connection.execute(client, {"firm": kept(firms[number % 2]), "id": kept(id_), "now": moment, "born": born})
    use_key_store(LocalKeys([bytes(32)]))
    upgrade("clients", url)
    everywhere = Database(service_url(url), Base)
    desks = [everywhere.for_firm(firm) for firm in firms]

    def births() -> list[Any]:
        return [records.get_client(desks[number % 2], id_)["date_of_birth"] for number, id_ in enumerate(ids)]

    expected = [BORN] * 5 + [None]
    assert births() == expected
    sealing_up._BATCH, before = 2, sealing_up._BATCH
    rounds = 0
    while sealing_up.seal_what_is_plain(everywhere):
        rounds += 1
        assert births() == expected
    sealing_up._BATCH = before
    assert rounds == 3
    with engine.connect() as connection:
        assert "1980" not in str(connection.execute(text("SELECT * FROM client")).all())
    everywhere.engines.dispose()
    downgrade("clients", url, "0011")
    engine.dispose()
