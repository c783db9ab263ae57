"""clients: an external id is one client's, whoever takes it at the same time, and what names one finds its client."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import eventlet
import pytest

from chassis.context import use
from contracts.errors import Conflict
from services.clients import archiving, records
from services.clients.merges import merge_undo
from services.clients.models import ClientMerge
from tests.service.clients_desk import NOW, Desk, desk
from tests.service.merging_clients import merge, undo
from tests.service.one_database import on_one_database

__all__ = ["desk"]


def crm(number: str) -> dict[str, str]:
    return {"external_source": "crm", "external_source_id": number}


def shown(desk: Desk, *client_ids: str) -> list[str | None]:
    return [desk.get(id_)["external_source_id"] for id_ in client_ids]


def at_once(desk: Desk, *actions: Callable[[], Any]) -> list[str]:
    """What became of each: `done`, or why it was refused."""

    def attempt(action: Callable[[], Any]) -> str:
        with use(desk.context):
            try:
                action()
            except Conflict as refused:
                return refused.code
        return "done"

    return sorted(thread.wait() for thread in [eventlet.spawn(attempt, action) for action in actions])


def test_one_of_many_who_take_it_at_once_has_it(desk: Desk) -> None:
    ids = [desk.create()["id"] for _ in range(5)]
    change = partial(records.update_client, desk.db, NOW, changes=crm("7"))
    assert at_once(desk, *(partial(change, client_id=id_) for id_ in ids)) == ["done", *["external_id_taken"] * 4]


def test_one_of_many_who_are_taken_back_at_once_has_it(desk: Desk) -> None:
    ids = []
    for _ in range(4):
        ids.append(desk.create(**crm("7"))["id"])
        desk.delete(ids[-1])
    restore = partial(archiving.restore_client, desk.db, NOW)
    assert at_once(desk, *(partial(restore, client_id=id_) for id_ in ids)) == ["done", *["external_id_taken"] * 3]


def test_an_undo_takes_it_from_nobody_who_takes_it_at_once(desk: Desk) -> None:
    one, two = desk.create()["id"], desk.create(**crm("2"))["id"]
    made = merge(desk, one, two, keep={"external_source_id": "this"})
    ids = [desk.create()["id"] for _ in range(3)]
    change = partial(records.update_client, desk.db, NOW, changes=crm("2"))
    outcomes = at_once(
        desk,
        partial(merge_undo.undo_merge, desk.db, NOW, merge_id=made["id"], resolve={}),
        *(partial(change, client_id=id_) for id_ in ids),
    )
    assert outcomes.count("done") == 1
    assert set(outcomes) <= {"done", "external_id_taken", "merge_conflicts"}


def test_one_taken_after_an_undo_looked_for_it_refuses_the_undo(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    if desk.db.engines.is_sqlite:
        pytest.skip("one transaction writes at a time")
    one, two, three = desk.create()["id"], desk.create(**crm("2"))["id"], desk.create()["id"]
    made = merge(desk, one, two, keep={"external_source_id": "this"})
    mark = ClientMerge.undo

    def taken_first(self: ClientMerge, *args: Any) -> None:
        eventlet.spawn(desk.change, three, **crm("2")).wait()
        mark(self, *args)

    with monkeypatch.context() as patched:
        patched.setattr(ClientMerge, "undo", taken_first)
        with pytest.raises(Conflict, match="external_id_taken"):
            undo(desk, made["id"])
    with pytest.raises(Conflict, match="merge_conflicts") as caught:
        undo(desk, made["id"])
    assert [entry["field"] for entry in caught.value.fields] == ["duplicate.external_source_id"]
    undo(desk, made["id"], duplicate__external_source_id="now")
    assert shown(desk, one, two, three) == [None, None, "2"]


def test_either_of_two_that_were_merged_is_found_by_its_own(desk: Desk) -> None:
    one, two = (desk.create(**crm(number))["id"] for number in "12")
    made = merge(desk, one, two, keep={"external_source_id": "duplicate"})
    assert shown(desk, one) == ["2"]
    rows = "external_source,external_source_id,occupation\ncrm,1,Baker\ncrm,2,Baker\n"
    counts = desk.import_all(rows, duplicates="update")["counts"]
    assert (counts["updated"], counts["skipped"], counts["created"]) == (1, 1, 0)
    undo(desk, made["id"], occupation="now")
    assert shown(desk, one, two) == ["1", "2"]


@on_one_database
def test_the_own_id_of_one_that_was_merged_is_its_survivors(desk: Desk) -> None:
    one, two = (desk.create()["id"] for _ in range(2))
    merge(desk, one, two)
    found = desk.import_all(f"id,first_name,occupation\n{two},Ann,Baker\n", duplicates="update")
    assert (found["counts"]["updated"], found["counts"]["created"]) == (1, 0)
    assert desk.get(one)["occupation"] == "Baker"
    desk.delete(one)
    assert desk.import_all(f"id,first_name\n{two},Ann\n", duplicates="update")["counts"]["created"] == 1


@on_one_database
@pytest.mark.parametrize("policy", ["create", "skip", "update"])
def test_that_of_one_whose_survivor_is_deleted_is_a_new_clients(desk: Desk, policy: str) -> None:
    one, two = (desk.create(**crm(number))["id"] for number in "12")
    merge(desk, one, two)
    desk.delete(one)
    found = desk.import_all("external_source,external_source_id,first_name\ncrm,2,Eve\n", duplicates=policy)
    assert (found["counts"]["created"], desk.page(q="Eve")["meta"]["total"]) == (1, 1)


@on_one_database
def test_one_that_the_survivor_gave_up_and_another_took_is_asked_about(desk: Desk) -> None:
    one, two = (desk.create(**crm(number))["id"] for number in "12")
    made = merge(desk, one, two, keep={"external_source_id": "duplicate"})
    three = desk.create(**crm("1"))["id"]

    def in_doubt(**resolve: str) -> list[str]:
        with pytest.raises(Conflict, match="merge_conflicts") as caught:
            undo(desk, made["id"], **resolve)
        return [entry["field"] for entry in caught.value.fields]

    with use(desk.context):
        (conflict,) = merge_undo.get_merge(desk.db, merge_id=made["id"])["conflicts"]
    assert conflict == {"field": "external_source_id", "now": "2", "then": "1"}
    assert in_doubt() == ["external_source_id"]
    assert in_doubt(external_source_id="then") == ["external_source_id"]
    # What it shows now is the other one's, which would come back without it.
    assert in_doubt(external_source_id="now") == ["duplicate.external_source_id"]
    undo(desk, made["id"], external_source_id="now", duplicate__external_source_id="now")
    assert shown(desk, one, two, three) == ["2", None, "1"]
