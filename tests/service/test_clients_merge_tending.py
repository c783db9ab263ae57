"""clients: what becomes of a merge as time goes by."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import delete, select

from chassis.columns import new_id
from chassis.context import use
from contracts.clients import CLIENTS_MERGED
from contracts.errors import Conflict, Gone
from services.clients.erasures import legal_holds
from services.clients.merges import merge_tending, merge_undo
from services.clients.models import UNDO_WITHIN, Client, ClientPhoto, LegalHold
from tests.service.clients_desk import NOW, Desk, desk
from tests.service.merging_clients import merge, own_fields, undo
from tests.service.one_database import on_one_database

__all__ = ["desk", "own_fields"]


@on_one_database
def test_the_event_is_told_again_for_what_was_under_way(desk: Desk) -> None:
    one, two = desk.create()["id"], desk.create()["id"]
    merge(desk, one, two)
    for minutes, times in ((0.5, 1), (1, 2), (2, 2), (60, 3), (61, 3), (24 * 60, 4), (25 * 60, 4), (48 * 60, 4)):
        merge_tending.tend(desk.everywhere, NOW + dt.timedelta(minutes=minutes))
        assert len(desk.emitted(CLIENTS_MERGED)) == times, minutes
    assert len({tuple(sorted(event.items(), key=str)) for event in desk.emitted(CLIENTS_MERGED)}) == 1


def test_an_undone_merge_is_not_told_again(desk: Desk) -> None:
    one, two = desk.create()["id"], desk.create()["id"]
    undo(desk, merge(desk, one, two)["id"], now=NOW)
    merge_tending.tend(desk.everywhere, NOW + dt.timedelta(days=2))
    assert len(desk.emitted(CLIENTS_MERGED)) == 1


@on_one_database
@pytest.mark.parametrize("held", ["merged", "between", "surviving"])
def test_under_a_legal_hold_nothing_is_forgotten(desk: Desk, held: str) -> None:
    names = {"surviving": "Ann", "between": "Hidden", "merged": "Secret"}
    ids = {place: desk.create(first_name=name)["id"] for place, name in names.items()}
    with use(desk.context):
        hold = legal_holds.place_legal_hold(desk.db, NOW, client_id=ids[held], reason="A suit")
    made = merge(desk, ids["between"], ids["merged"])
    merge(desk, ids["surviving"], ids["between"], now=NOW + dt.timedelta(days=1))
    listed = legal_holds.list_legal_holds(desk.db, client_id=ids["surviving"])["data"]
    assert [one["id"] for one in listed] == [hold["id"]]
    merge_tending.tend(desk.everywhere, NOW + 2 * UNDO_WITHIN)
    assert _first_names(desk) == set(names.values())
    with use(desk.context):
        legal_holds.release_legal_hold(desk.db, NOW, client_id=ids[held], legal_hold_id=hold["id"])
    merge_tending.tend(desk.everywhere, NOW + 2 * UNDO_WITHIN)
    assert _first_names(desk) == {"Ann"}
    with pytest.raises(Conflict):
        undo(desk, made["id"], now=NOW + 2 * UNDO_WITHIN)


def test_what_follows_a_merge_reaches_the_last_survivor(desk: Desk) -> None:
    last, between, first = (desk.create()["id"] for _ in range(3))
    with desk.db.unit_of_work() as uow:
        uow.insert(ClientPhoto, [{"id": new_id(), "client_id": first, "created_at": NOW}])
    merge(desk, between, first)
    merge(desk, last, between, now=NOW + dt.timedelta(seconds=1))
    # As it was left by a release that forgot the one between before the first.
    with desk.db.unit_of_work() as uow:
        uow.session.execute(delete(Client).where(Client.id == between))
    merge_tending.tend(desk.everywhere, NOW + 2 * UNDO_WITHIN)
    with desk.db.read() as session:
        assert list(session.scalars(select(ClientPhoto.client_id))) == [last]


def _first_names(desk: Desk) -> set[str | None]:
    with desk.db.read() as session:
        return set(session.scalars(select(Client.first_name)))


def test_after_thirty_days_nothing_is_kept_but_for_whom_the_id_stands(desk: Desk) -> None:
    one, two = (
        desk.create()["id"],
        desk.create(first_name="Secret", external_source="clio", external_source_id="2")["id"],
    )
    with use(desk.context):
        hold = legal_holds.place_legal_hold(desk.db, NOW, client_id=two, reason="A suit")
        legal_holds.release_legal_hold(desk.db, NOW, client_id=two, legal_hold_id=hold["id"])
    made = merge(desk, one, two, keep={"external_source": "this"})
    merge_tending.tend(desk.everywhere, NOW + UNDO_WITHIN - dt.timedelta(seconds=1))
    merge_undo.get_merge(desk.db, merge_id=made["id"])
    merge_tending.tend(desk.everywhere, NOW + UNDO_WITHIN)
    with desk.everywhere.engines.write.connect() as connection:
        desk.everywhere.engines.open_to_all(connection)
        for table in desk.everywhere.base.metadata.sorted_tables:
            if table.name != desk.everywhere.tables.outbox.name:
                assert "Secret" not in str(connection.exec_driver_sql(f'SELECT * FROM "{table.name}"').all())
    with pytest.raises(Gone) as caught:
        desk.get(two)
    assert caught.value.meta["surviving_id"] == one
    with pytest.raises(Conflict) as conflict:
        undo(desk, made["id"], now=NOW + UNDO_WITHIN)
    assert conflict.value.code == "merge_too_old"
    done = desk.import_all([["first_name", "external_source", "external_source_id"], ["Eve", "clio", "2"]])
    assert done["counts"]["skipped"] == 1
    with desk.db.read() as session:
        assert {held.client_id for held in session.scalars(select(LegalHold)) if held.id == hold["id"]} == {one}
