"""clients: days that filters name, or count from today, are those of the firm's zone, wherever a filter is taken."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from chassis.context import use
from chassis.firm_days import Zones
from chassis.testing import make_service
from contracts.accounts import GET_FIRM
from contracts.errors import Unavailable
from services.clients import groups
from services.clients.records import create_client
from services.clients.saved_filters import SAVED_FILTERS
from services.clients.service import ClientsService
from tests.service.clients_desk import Desk, desk

__all__ = ["desk"]

EVENING = dt.datetime(2027, 1, 7, 13, 0, tzinfo=dt.UTC)
"""On 8 January in Auckland, on 7 January elsewhere."""
CREATED = {"field": "created_at", "op": "eq", "value": "2027-01-08"}
TODAY = {"field": "custom_fields.hearing", "op": "within_next_days", "value": 0}
PLAIN = {"field": "status", "op": "eq", "value": "active"}
Ask = Callable[..., list[str]]


@pytest.fixture
def service(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> ClientsService:
    monkeypatch.setattr("services.clients.entrypoints.days.utc_now", lambda: EVENING)
    return make_service(ClientsService, db=desk.db, calls=desk.calls, zones=Zones())


def ids(page: dict[str, Any]) -> list[str]:
    return page["client_ids"] if "client_ids" in page else [client["id"] for client in page["data"]]


@pytest.mark.parametrize("wire", [CREATED, TODAY], ids=["an instant", "a date"])
def test_a_filter_has_the_days_of_the_firms_zone(desk: Desk, service: ClientsService, wire: dict[str, Any]) -> None:
    desk.define("hearing", type="date")
    with use(desk.context):
        ann = create_client(desk.db, EVENING, first_name="Ann", custom_fields={"hearing": "2027-01-08"})["id"]
    saved = {"saved_filter_id": SAVED_FILTERS.create(desk.db, EVENING, name="On it", filter=wire)["id"]}
    group = service.create_client_group(name="On it", kind="filter", filter=saved)["id"]
    for zone, expected in (("America/New_York", []), ("Pacific/Auckland", [ann])):
        desk.time_zone, service.zones = zone, Zones()
        for query in ({"filter": wire}, {"filter": saved}, {"group_id": group}):
            assert ids(service.list_clients(**query)) == expected, query
            assert service.list_export_rows(columns=["first_name"], **query)["rows"].split() == ["Ann"] * len(expected)
        for asked in (service.list_group_members, service.select_group_members):
            assert ids(asked(group_id=group)) == expected
        assert service.get_client_group(group_id=group)["member_count"] == len(expected)
        changed = service.update_client_group(group_id=group, changes={"description": zone})
        assert changed["member_count"] == len(expected)
        filled = service.create_client_group(name=zone, kind="static")["id"]
        added = service.change_group_members(group_id=filled, add_matching={"filter": wire})
        assert added["member_count"] == len(expected)


def test_a_zone_is_asked_for_only_where_days_are_counted(desk: Desk, service: ClientsService) -> None:
    def away() -> Any:
        raise Unavailable("accounts_unavailable")

    desk.calls.answers[GET_FIRM] = away
    static = groups.create_client_group(desk.db, EVENING, name="Static")["id"]
    plain = service.create_client_group(name="Plain", kind="filter", filter=PLAIN)["id"]
    for query in ({}, {"filter": PLAIN}, {"group_id": static}, {"group_id": plain}, {"new": True}):
        service.list_clients(**query)
    service.select_group_members(group_id=static)
    assert desk.calls.asked(GET_FIRM) == []
    with pytest.raises(Unavailable):
        service.list_clients(filter=CREATED)
