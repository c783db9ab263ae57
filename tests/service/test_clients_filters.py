"""clients: what lists, exports, groups and bulk actions narrow by, and the filter language over clients' fields."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from chassis.columns import new_id
from chassis.context import Context, use
from contracts.errors import Invalid, NotFound
from contracts.messaging import DELIVERY_SENT
from services.clients import selecting
from services.clients.custom_fields import create_client_field, delete_client_field, list_client_fields
from services.clients.groups import create_client_group, get_client_group
from services.clients.saved_filters import SAVED_FILTERS
from services.clients.search import searching
from services.clients.search.searching import list_clients
from services.clients.selecting import select_ids
from tests.service.clients_desk import DELIVERY, NOW, Desk, desk

__all__ = ["desk"]

LATER = NOW + dt.timedelta(hours=1)
STAFF = new_id()


def filtered(desk: Desk, field: str, op: str, value: Any = None) -> list[str]:
    return desk.listed(filter={"field": field, "op": op, "value": value})


def test_what_narrows_a_list(desk: Desk) -> None:
    mine = desk.create(assigned_staff_id=desk.context.actor_id)["id"]
    flagged = desk.create(flag_reason="Owes us", assigned_staff_id=STAFF)["id"]
    spam = desk.create(spam=True)["id"]
    assert desk.listed(mine=True) == [mine]
    assert desk.listed(flagged=True) == [flagged]
    assert desk.listed(spam=True) == [spam]
    assert set(desk.listed(flagged=False)) == {mine, spam}
    assert set(desk.listed(spam=False)) == {mine, flagged}
    assert set(desk.listed(mine=False)) == {mine, flagged, spam}
    assert desk.listed(assigned_staff_id=STAFF, flagged=True) == [flagged]
    assert desk.listed(assigned_staff_id=STAFF, flagged=False) == []


def test_new_ones_were_added_within_thirty_days(desk: Desk) -> None:
    ann = desk.create()["id"]
    assert desk.listed(new=True, now=NOW + dt.timedelta(days=30)) == [ann]
    assert desk.listed(new=True, now=NOW + dt.timedelta(days=30, seconds=1)) == []
    assert desk.listed(new=False, now=NOW + dt.timedelta(days=30, seconds=1)) == [ann]


def test_those_with_no_activity_since(desk: Desk) -> None:
    ann, bob = desk.create()["id"], desk.create()["id"]
    desk.hear("record_sent_deliveries", DELIVERY_SENT, {**DELIVERY, "client_id": ann, "delivery_id": new_id(),
              "at": LATER})  # fmt: skip
    assert desk.listed(inactive_since=LATER) == [bob]
    assert desk.listed(inactive_since=NOW) == []


def test_a_key_of_the_firm_is_assigned_no_clients(desk: Desk) -> None:
    desk.create(assigned_staff_id=desk.context.actor_id)
    with use(Context(firm_id=desk.firm_id, actor_id=desk.context.actor_id, actor_kind="api_key")):
        assert list_clients(desk.db, now=NOW, mine=True)["data"] == []


def test_the_members_of_a_group(desk: Desk) -> None:
    ann, bob = desk.create(first_name="Ann")["id"], desk.create(first_name="Bob", status="inactive")["id"]
    static = create_client_group(desk.db, NOW, name="Static", client_ids=[ann])["id"]
    wire = {"field": "status", "op": "eq", "value": "inactive"}
    dynamic = create_client_group(desk.db, NOW, name="Inactive", kind="filter", filter=wire)["id"]
    assert desk.listed(group_id=static) == filtered(desk, "groups", "eq", static) == [ann]
    assert desk.listed(group_id=dynamic) == [bob]
    with pytest.raises(NotFound):
        desk.listed(group_id=new_id())


@pytest.mark.parametrize("walked", [0, 100])
def test_a_large_group_or_tag_is_listed_as_a_small_one(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, walked: int
) -> None:
    made = [desk.create(first_name=name, tags=["vip"])["id"] for name in ("Eve", "Dan", "Cid", "Bob", "Ann")]
    desk.create(first_name="Other")
    group = create_client_group(desk.db, NOW, name="Some", client_ids=made)["id"]
    desk.delete(made.pop(2))
    queries = [
        {**query, "sort": sort}
        for query in ({"group_id": group}, {"tag": "VIP"})
        for sort in ("name", "-created_at", "last_activity_at", "-last_case_at")
    ]
    few = [desk.listed(**query) for query in queries]
    monkeypatch.setattr(selecting, "FEW", 1)
    monkeypatch.setattr(searching, "_MOST", 1)
    monkeypatch.setattr(searching, "_WALKED", dict.fromkeys(searching._WALKED, walked))
    for query, wanted in zip(queries, few, strict=True):
        assert set(wanted) == set(made)
        page = desk.page(**query, limit=3)
        rest = desk.page(**query, limit=3, cursor=page["meta"]["next_cursor"])
        assert [client["id"] for client in page["data"] + rest["data"]] == wanted, query
        assert page["meta"]["total_is_lower_bound"] is True


def test_the_ids_that_are_meant_are_those_that_are_listed(desk: Desk, tmp_path: Path) -> None:
    ann = desk.create(first_name="Ann", tags=["vip"])["id"]
    bob = desk.create(first_name="Bob", tags=["vip"])["id"]
    desk.create(first_name="Ann")
    gone = desk.create(tags=["vip"])["id"]
    desk.delete(gone)
    Desk(desk.everywhere, tmp_path).create(tags=["vip"])
    with desk.db.read() as session:
        assert set(session.scalars(select_ids(session, {"tag": "vip"}, now=NOW))) == {ann, bob}
        assert list(session.scalars(select_ids(session, {"tag": "vip", "q": "ann"}, now=NOW))) == [ann]


def test_the_fields_of_a_filter(desk: Desk) -> None:
    ann = desk.create(
        first_name="Änn", last_name="Lee", status="prospective", language="es", tags=["VIP", "Été"],
        assigned_staff_id=STAFF, flag_reason="Owes us", external_source="crm", external_source_id="7",
        phones=[{"number": "+12125550123"}, {"number": "+13055550100"}], emails=[{"address": "Ann.Lee@example.com"}],
        addresses=[{"kind": "billing", "city": "Miami", "state": "FL", "postal_code": "33101", "country": "US"}],
    )["id"]  # fmt: skip
    bob = desk.create(first_name="Bob", middle_name="Q", kind="individual", spam=True)["id"]
    acme = desk.create(first_name=None, kind="business", company_name="Acme Ltd", occupation="Law")["id"]
    for field, op, value, wanted in (
        ("kind", "eq", "business", {acme}),
        ("status", "in", ["prospective", "blacklisted"], {ann}),
        ("status", "ne", "prospective", {bob, acme}),
        ("first_name", "starts_with", "än", {ann}),
        ("first_name", "is_empty", None, {acme}),
        ("last_name", "eq", "Lee", {ann}),
        ("middle_name", "is_not_empty", None, {bob}),
        ("company_name", "contains", "ME L", {acme}),
        ("occupation", "ne", "Law", {ann, bob}),
        ("language", "eq", "es", {ann}),
        ("assigned_staff_id", "eq", STAFF, {ann}),
        ("assigned_staff_id", "is_empty", None, {bob, acme}),
        ("flagged", "eq", True, {ann}),
        ("flagged", "ne", True, {bob, acme}),
        ("spam", "eq", False, {ann, acme}),
        ("external_source", "eq", "crm", {ann}),
        ("created_at", "within_next_days", 1, {ann, bob, acme}),
        ("created_at", "older_than_days", 1, set()),
        ("last_activity_at", "gte", NOW.isoformat(), {ann, bob, acme}),
        ("last_activity_at", "gt", NOW.isoformat(), set()),
        ("tags", "contains", "vip", {ann}),
        ("tags", "eq", "ete", {ann}),
        ("tags", "not_in", ["vip"], {bob, acme}),
        ("email", "eq", "ann.lee@EXAMPLE.com", {ann}),
        ("email", "contains", "@example", {ann}),
        ("email", "is_empty", None, {bob, acme}),
        ("phone", "eq", "(212) 555-0123", {ann}),
        ("phone", "contains", "305555", {ann}),
        ("phone", "is_not_empty", None, {ann}),
        ("city", "eq", "Miami", {ann}),
        ("state", "in", ["FL", "GA"], {ann}),
        ("postal_code", "starts_with", "331", {ann}),
        ("country", "ne", "US", {bob, acme}),
    ):
        assert set(filtered(desk, field, op, value)) == wanted, (field, op, value)


def test_a_firms_own_field_is_asked_for_by_its_type_whatever_is_stored(desk: Desk) -> None:
    for key, type_ in (("court", "text"), ("fee", "number"), ("vip", "yes_no"), ("hearing", "date")):
        desk.define(key, type=type_)
    desk.define("areas", type="choices", options=["tax", "wills"])
    one, two, none = (desk.create()["id"] for _ in range(3))
    desk.leave(one, court="North", fee=12.5, vip=True, areas=["tax", "wills"], hearing="2026-12-01")
    desk.leave(two, court=7, fee="12.5", vip="true", hearing="soon")
    for key, op, value, wanted in (
        ("court", "eq", "North", {one}),
        ("court", "in", ["North", "South"], {one}),
        ("court", "ne", "North", {two, none}),
        ("court", "starts_with", "nOr", {one}),
        ("fee", "gt", 12, {one}),
        ("fee", "between", [12.5, 13], {one}),
        ("fee", "is_empty", None, {two, none}),
        ("vip", "eq", True, {one}),
        ("vip", "ne", True, {two, none}),
        ("areas", "contains", "tax", {one}),
        ("areas", "not_in", ["wills"], {two, none}),
        ("hearing", "lt", "2026-12-02", {one}),
        ("hearing", "within_next_days", 30, {one}),
        ("hearing", "older_than_days", 1, set()),
    ):
        assert set(filtered(desk, f"custom_fields.{key}", op, value)) == wanted, (key, op, value)


def test_a_field_that_nobody_defined_or_that_was_removed_is_refused(desk: Desk) -> None:
    ann = desk.create()["id"]
    desk.leave(ann, court="North", shoes="Red")
    desk.define("court")
    asked = {"field": "custom_fields.court", "op": "eq", "value": "North"}
    saved = SAVED_FILTERS.create(desk.db, NOW, name="North", filter=asked)
    group = create_client_group(desk.db, NOW, name="North", kind="filter", filter=asked)
    court = next(iter(list_client_fields(desk.db)["data"]))["id"]
    assert desk.listed(filter=asked) == desk.listed(group_id=group["id"]) == [ann]

    delete_client_field(desk.db, NOW, client_field_id=court)
    shoes = {"field": "custom_fields.shoes", "op": "is_not_empty"}
    refused(desk, {"and": [{"not": shoes}, asked]}, "filter.and.0.not.field")
    refused(desk, {"or": [asked, shoes]}, "filter.or.0.field")
    refused(desk, {"saved_filter_id": saved["id"]}, "filter.saved_filter_id")
    assert SAVED_FILTERS.get(desk.db, saved["id"])["filter"] == asked
    assert get_client_group(desk.db, NOW, group_id=group["id"])["member_count"] is None

    desk.define("court")
    assert desk.listed(filter={"saved_filter_id": saved["id"]}) == desk.listed(group_id=group["id"]) == [ann]


def refused(desk: Desk, wire: dict[str, Any], place: str) -> None:
    with pytest.raises(Invalid) as caught:
        desk.listed(filter=wire)
    assert (caught.value.code, caught.value.fields[0]["field"]) == ("invalid_filter", place)


def test_a_defined_field_is_asked_for_by_its_type(desk: Desk) -> None:
    for key, type_ in (("fee", "money"), ("age", "number"), ("court", "choice"), ("hearing", "date")):
        options = ["North", "South"] if type_ == "choice" else []
        create_client_field(desk.db, NOW, key=key, label=key, type=type_, options=options)
    one = desk.create(custom_fields={"fee": "12.50", "age": 41, "court": "North", "hearing": "2026-12-01"})["id"]
    two = desk.create(custom_fields={"fee": "9.00"})["id"]
    for key, op, value, wanted in (
        ("fee", "gt", 10, {one}),
        ("fee", "between", [9, "12.5"], {one, two}),
        ("fee", "eq", "12.5", {one}),
        ("fee", "ne", "12.5", {two}),
        ("fee", "is_empty", None, set()),
        ("age", "is_empty", None, {two}),
        ("age", "lte", 41, {one}),
        ("court", "starts_with", "no", {one}),
        ("hearing", "gte", "2026-12-01", {one}),
    ):
        assert set(filtered(desk, f"custom_fields.{key}", op, value)) == wanted, (key, op, value)
    for key, op, value in (("fee", "contains", "1"), ("age", "eq", "old"), ("hearing", "eq", "soon")):
        with pytest.raises(Invalid):
            filtered(desk, f"custom_fields.{key}", op, value)


@pytest.mark.parametrize(
    ("wire", "place"),
    [
        ({"field": "shoe_size", "op": "eq", "value": 1}, "filter.field"),
        ({"field": "status", "op": "resembles", "value": "x"}, "filter.op"),
        ({"and": [{"field": "status", "op": "eq", "value": "open"}]}, "filter.and.0.value"),
        ({"field": "created_at", "op": "eq", "value": "yesterday"}, "filter.value"),
        ({"field": "tags", "op": "gt", "value": "a"}, "filter.op"),
        ({"not": {"field": "assigned_staff_id", "op": "in", "value": [STAFF, "me"]}}, "filter.not.value.1"),
    ],
)
def test_a_wrong_filter_is_refused_and_the_place_is_named(desk: Desk, wire: dict[str, Any], place: str) -> None:
    refused(desk, wire, place)


def test_a_saved_filter_that_nobody_saved_is_not_found(desk: Desk) -> None:
    with pytest.raises(NotFound):
        desk.listed(filter={"saved_filter_id": new_id()})
