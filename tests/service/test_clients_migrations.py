"""A database with clients goes to each later version and back, and keeps what it holds."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select, text

from chassis.columns import new_id
from chassis.database import Database
from chassis.migrations import downgrade, owner_engine, upgrade
from chassis.testing import service_url
from services.clients.models import Base
from services.clients.search.search_index import found
from services.clients.search.search_keys import question

NOW = dt.datetime(2026, 11, 26, 12, 0, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(hours=1)


@pytest.mark.parametrize("server", ["sqlite", "postgresql"])
def test_the_last_activity_moves_with_the_clients_there(
    server: str, tmp_path: Path, postgres_database: Callable[[], str]
) -> None:
    url = f"sqlite:///{tmp_path}/clients.db" if server == "sqlite" else postgres_database()
    upgrade("clients", url, "0002")
    engine = owner_engine(url)
    # As each server keeps them.
    firm, ann, bea = (new_id().replace("-", "" if server == "sqlite" else "-") for _ in range(3))
    client = text(
        "INSERT INTO client (firm_id, id, version, created_at, updated_at, last_activity_at, kind, first_name, status,"
        " spam, custom_fields, sort_name, name_key, search_text)"
        " VALUES (:firm, :id, 1, :now, :now, :last, 'individual', 'Ann', 'active', false, '{}', '', '', '')"
    )
    phone = text(
        "INSERT INTO client_phone (firm_id, client_id, position, number, kind, is_primary)"
        " VALUES (:firm, :id, 0, '+12125550123', 'mobile', true)"
    )
    with engine.begin() as connection:
        for id_, last in ((ann, LATER), (bea, None)):
            given = {"firm": firm, "id": id_, "now": NOW.isoformat(), "last": last and last.isoformat()}
            connection.execute(client, given)
            connection.execute(phone, {"firm": firm, "id": id_})

    def kept(statement: str) -> list[tuple[str, dt.datetime]]:
        with engine.connect() as connection:
            rows = connection.execute(text(statement)).all()
            assert connection.scalar(text("SELECT count(*) FROM client_phone")) == 2
        moments = [(str(id_).replace("-", ""), dt.datetime.fromisoformat(str(at))) for id_, at in rows]
        return sorted((id_, at if at.tzinfo else at.replace(tzinfo=dt.UTC)) for id_, at in moments)

    known = sorted([(ann.replace("-", ""), LATER), (bea.replace("-", ""), NOW)])
    upgrade("clients", url, "0003")
    assert kept("SELECT client_id, at FROM last_activity") == known
    downgrade("clients", url, "0002")
    assert kept("SELECT id, last_activity_at FROM client") == known
    engine.dispose()


@pytest.mark.parametrize("server", ["sqlite", "postgresql"])
def test_clients_there_are_found_by_their_keys(
    server: str, tmp_path: Path, postgres_database: Callable[[], str]
) -> None:
    url = f"sqlite:///{tmp_path}/clients.db" if server == "sqlite" else postgres_database()
    upgrade("clients", url, "0008")
    engine = owner_engine(url)
    firm = new_id()
    ids = [new_id() for _ in range(3)]
    with engine.begin() as connection:
        for number, id_ in enumerate(ids):
            # As each server keeps them.
            given = {"firm": firm.replace("-", ""), "id": id_.replace("-", ""), "now": NOW.isoformat()}
            connection.execute(
                text(
                    "INSERT INTO client (firm_id, id, version, created_at, updated_at, kind, first_name, status, spam,"
                    " custom_fields, sort_name, name_key, search_text)"
                    " VALUES (:firm, :id, 1, :now, :now, 'individual', :name, 'active', false, '{}', '', '', 'x')"
                ),
                {**given, "name": f"Ann{'abc'[number]}"},
            )
            connection.execute(
                text(
                    "INSERT INTO client_phone (firm_id, client_id, position, number, kind, is_primary)"
                    " VALUES (:firm, :id, 0, :number, 'mobile', true)"
                ),
                {"firm": given["firm"], "id": given["id"], "number": f"+1212555012{number}"},
            )
    upgrade("clients", url, "0009")
    db = Database(service_url(url), Base, firm_id=firm)
    with db.read() as session:
        for number, id_ in enumerate(ids):
            for q in (f"ann{'abc'[number]}", f"555012{number}"):
                asked = question(q)
                assert asked is not None
                assert list(session.scalars(select(found(session, asked).c.client_id))) == [id_]
    db.engines.dispose()
    downgrade("clients", url, "0008")
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT search_text FROM client ORDER BY first_name")).strip() == "anna"
    engine.dispose()


def test_foreign_keys_find_a_client_by_its_id_before_there_are_statistics(postgres_database: Callable[[], str]) -> None:
    """A first import would read all clients for each phone: an index that is no better must not be newer."""
    url = postgres_database()
    upgrade("clients", url)
    engine = owner_engine(url)
    with engine.connect() as connection:
        # As PostgreSQL checks them.
        check = "SELECT 1 FROM ONLY client x WHERE firm_id = $1 AND id = $2 FOR KEY SHARE OF x"
        connection.execute(text(f"PREPARE checked (uuid, uuid) AS {check}"))
        connection.execute(text("SET plan_cache_mode = force_generic_plan"))
        plan = connection.execute(text(f"EXPLAIN EXECUTE checked ('{new_id()}', '{new_id()}')")).scalars().all()
    engine.dispose()
    assert any("uq_client_id" in line or "pk_client" in line for line in plan), plan
