"""Two clients of a desk made one, and two again, for the tests of clients: every answer is held to the contract."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from chassis.context import use
from chassis.wire import strict
from contracts.clients import MERGE_CLIENTS
from services.clients import merging
from services.clients.merges import merge_undo
from tests.service.clients_desk import NOW, Desk


@pytest.fixture(autouse=True)
def own_fields(desk: Desk) -> None:
    """Fields that the firm has defined."""
    desk.define("court")
    desk.define("age", type="number")


LATER = NOW + dt.timedelta(days=3)


def merge(desk: Desk, client_id: str, duplicate_id: str, *, now: dt.datetime = NOW, **given: Any) -> dict[str, Any]:
    command = {"keep": {}, "dry_run": False, **given}
    with use(desk.context):
        made = merging.merge_clients(
            desk.db, desk.calls, now, client_id=client_id, duplicate_id=duplicate_id, **command
        )
    return checked(made)


def undo(desk: Desk, merge_id: str, *, now: dt.datetime = LATER, **resolve: str) -> dict[str, Any]:
    fields = {name.replace("__", "."): take for name, take in resolve.items()}
    with use(desk.context):
        return checked(merge_undo.undo_merge(desk.db, now, merge_id=merge_id, resolve=fields))


def checked(answer: dict[str, Any]) -> dict[str, Any]:
    response = strict(MERGE_CLIENTS.response)
    assert response.schema.validate(response.dump(answer)) == {}
    return answer


def fields_at_fault(caught: Any) -> set[str]:
    return {entry["field"] for entry in caught.value.fields}


def same(record: dict[str, Any], other: dict[str, Any]) -> bool:
    stamps = ("version", "updated_at", "last_activity_at")
    return {**record, **dict.fromkeys(stamps)} == {**other, **dict.fromkeys(stamps)}
