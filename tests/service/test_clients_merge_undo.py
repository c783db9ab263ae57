"""clients: a merge taken back."""

from __future__ import annotations

import datetime as dt

import pytest

from chassis.columns import new_id
from chassis.context import use
from chassis.sealing import is_sealed
from chassis.wire import strict
from contracts.clients import CLIENT_CHANGED, CLIENTS_UNMERGED, LEGAL_HOLD_PLACED, LIST_MERGES
from contracts.errors import Conflict, Gone, Invalid, NotFound
from services.clients import contact_ties, contacts, custom_fields, merging
from services.clients.client_keys import destroy_keys
from services.clients.erasures import legal_holds
from services.clients.merges import merge_undo
from services.clients.models import ClientMerge
from tests.service.clients_desk import NOW, Desk, desk
from tests.service.merging_clients import LATER, checked, fields_at_fault, merge, own_fields, same, undo
from tests.service.one_database import on_one_database

__all__ = ["desk", "own_fields"]


@on_one_database
def test_an_undo_gives_back_both_as_they_were(desk: Desk) -> None:
    main = {"kind": "primary", "line1": "1 Main St", "line2": None, "city": None, "state": None, "postal_code": None,
            "country": None}  # fmt: skip
    one = desk.create(
        first_name="Ann", phones=[{"number": "+12125550123"}], addresses=[main], tags=["vip"],
        custom_fields={"court": "North"}, external_source="clio", external_source_id="1",
    )  # fmt: skip
    two = desk.create(
        first_name="Anne", last_name="Lee", phones=[{"number": "+12125550199"}], emails=[{"address": "a@example.com"}],
        addresses=[{**main, "line1": "2 Oak St"}], tags=["new"], custom_fields={"court": "South", "age": 3},
        external_source="clio", external_source_id="2", date_of_birth=dt.date(1980, 2, 29),
    )  # fmt: skip
    keep = {"first_name": "duplicate", "phones": "duplicate", "addresses": "duplicate", "external_source": "duplicate"}
    made = merge(desk, one["id"], two["id"], keep=keep)
    assert desk.get(one["id"])["external_source_id"] == "2"
    done = undo(desk, made["id"])
    assert done["undone_at"] == LATER
    assert same(desk.get(one["id"]), one)
    assert same(desk.get(two["id"]), two)
    assert desk.get(two["id"])["version"] == 3
    [told] = desk.emitted(CLIENTS_UNMERGED)
    assert (told["merge_id"], told["surviving_id"], told["merged_id"]) == (made["id"], one["id"], two["id"])
    assert {event["client_id"] for event in desk.emitted(CLIENT_CHANGED)} == {one["id"], two["id"]}


@on_one_database
def test_what_was_changed_since_stays_where_the_merge_did_not_touch_it(desk: Desk) -> None:
    one = desk.create(first_name="Ann", tags=["vip"], custom_fields={"court": "North"})["id"]
    two = desk.create(first_name="Anne", tags=["new"], language="es", custom_fields={"age": 3})["id"]
    made = merge(desk, one, two)
    desk.change(one, last_name="Lee", tags=["vip", "new", "since"], custom_fields={"court": "South"})
    desk.change(one, phones=[{"number": "+12125550123"}])
    undo(desk, made["id"])
    now = desk.get(one)
    assert (now["first_name"], now["last_name"], now["language"]) == ("Ann", "Lee", None)
    assert (now["tags"], now["custom_fields"]) == (["vip", "since"], {"court": "South"})
    assert [phone["number"] for phone in now["phones"]] == ["+12125550123"]
    assert desk.get(two)["tags"] == ["new"]


@on_one_database
def test_a_field_that_the_merge_set_and_somebody_changed_since_is_asked_about(desk: Desk) -> None:
    one = desk.create(first_name="Ann", phones=[{"number": "+12125550123"}])["id"]
    two = desk.create(
        first_name="Anne", language="es", phones=[{"number": "+12125550199", "kind": "home"}], custom_fields={"age": 3}
    )["id"]
    made = merge(desk, one, two, keep={"first_name": "duplicate"})
    numbers = [{"number": "+12125550123"}, {"number": "+12125550199", "kind": "work"}]
    desk.change(one, first_name="Annie", language="fr", phones=numbers, custom_fields={"age": 4})
    changed = desk.get(one)
    with pytest.raises(Conflict) as caught:
        undo(desk, made["id"], language="now")
    assert caught.value.code == "merge_conflicts"
    assert fields_at_fault(caught) == {"first_name", "phones", "custom_fields.age"}
    shown = checked(merge_undo.get_merge(desk.db, merge_id=made["id"]))
    by_field = {entry["field"]: entry for entry in shown["conflicts"]}
    assert by_field["first_name"] == {"field": "first_name", "now": "Annie", "then": "Ann"}
    assert by_field["language"] == {"field": "language", "now": "fr", "then": None}
    assert by_field["custom_fields.age"] == {"field": "custom_fields.age", "now": 4, "then": None}
    assert desk.get(one) == changed
    with pytest.raises(Gone):
        desk.get(two)
    undo(desk, made["id"], first_name="then", language="now", phones="then", custom_fields__age="now")
    now = desk.get(one)
    assert (now["first_name"], now["language"], now["custom_fields"]) == ("Ann", "fr", {"age": 4})
    assert [phone["number"] for phone in now["phones"]] == ["+12125550123"]
    assert desk.get(two)["phones"][0]["kind"] == "home"


@on_one_database
def test_a_value_that_its_field_takes_no_more_is_asked_about(desk: Desk) -> None:
    """Nobody had a value in between, so that the types of the fields could change."""
    desk.define("room")
    one = desk.create(custom_fields={"court": "North", "room": "12"})["id"]
    made = merge(
        desk, one, desk.create()["id"], keep={"custom_fields.court": "duplicate", "custom_fields.room": "duplicate"}
    )
    fields = {field["key"]: field["id"] for field in custom_fields.list_client_fields(desk.db)["data"]}
    for key in ("court", "room"):
        custom_fields.update_client_field(desk.db, NOW, client_field_id=fields[key], changes={"type": "number"})
    shown = checked(merge_undo.get_merge(desk.db, merge_id=made["id"]))["conflicts"]
    assert shown == [{"field": "custom_fields.court", "now": None, "then": "North"}]
    for resolve in ({}, {"custom_fields__court": "then"}):
        with pytest.raises(Conflict) as caught:
            undo(desk, made["id"], **resolve)
        assert fields_at_fault(caught) == {"custom_fields.court"}
    undo(desk, made["id"], custom_fields__court="now")
    assert desk.get(one)["custom_fields"] == {"room": 12}


def test_what_cannot_be_resolved_is_named(desk: Desk) -> None:
    made = merge(desk, desk.create()["id"], desk.create()["id"])
    with pytest.raises(Invalid) as caught:
        undo(desk, made["id"], shoe_size="now")
    assert fields_at_fault(caught) == {"resolve.shoe_size"}


def test_an_external_id_that_is_anothers_by_now_is_asked_about(desk: Desk) -> None:
    one, two = desk.create()["id"], desk.create(external_source="clio", external_source_id="2")["id"]
    made = merge(desk, one, two, keep={"external_source": "this"})
    three = desk.create(external_source="clio", external_source_id="2")["id"]
    with pytest.raises(Conflict) as caught:
        undo(desk, made["id"])
    assert fields_at_fault(caught) == {"duplicate.external_source_id"}
    undo(desk, made["id"], duplicate__external_source_id="now")
    assert desk.get(two)["external_source_id"] is None
    assert desk.get(three)["external_source_id"] == "2"


def test_a_merge_is_undone_once_and_within_thirty_days(desk: Desk) -> None:
    one, two = desk.create()["id"], desk.create()["id"]
    made = merge(desk, one, two)
    assert made["undo_until"] == NOW + dt.timedelta(days=30)
    with pytest.raises(Conflict) as caught:
        undo(desk, made["id"], now=NOW + dt.timedelta(days=30))
    assert caught.value.code == "merge_too_old"
    undo(desk, made["id"], now=NOW + dt.timedelta(days=30, seconds=-1))
    with pytest.raises(Conflict) as caught:
        undo(desk, made["id"])
    assert caught.value.code == "merge_undone"
    with pytest.raises(NotFound):
        undo(desk, new_id())


def test_after_an_undo_they_can_be_merged_again_the_other_way_round(desk: Desk) -> None:
    one, two = desk.create()["id"], desk.create()["id"]
    undo(desk, merge(desk, one, two)["id"])
    merge(desk, two, one)
    with pytest.raises(Gone):
        desk.get(one)
    listed = merging.list_merges(desk.db, client_id=one)
    assert strict(LIST_MERGES.response).schema.validate(strict(LIST_MERGES.response).dump(listed)) == {}
    assert sorted(entry["surviving_id"] for entry in listed["data"]) == sorted([one, two])


@on_one_database
def test_merges_in_a_row_are_undone_from_the_last_one_on(desk: Desk) -> None:
    one, two, three = (desk.create(tags=[name])["id"] for name in ("one", "two", "three"))
    first = merge(desk, two, three)["id"]
    second = merge(desk, one, two)["id"]
    assert desk.get(one)["tags"] == ["one", "two", "three"]
    with pytest.raises(Conflict) as caught:
        undo(desk, first)
    assert (caught.value.code, caught.value.meta["merge_id"]) == ("survivor_merged", second)
    undo(desk, second)
    assert (desk.get(one)["tags"], desk.get(two)["tags"]) == (["one"], ["two", "three"])
    undo(desk, first)
    assert (desk.get(two)["tags"], desk.get(three)["tags"]) == (["two"], ["three"])


@on_one_database
def test_what_another_merged_client_has_too_stays_until_that_is_parted(desk: Desk) -> None:
    known = {
        "phones": [{"number": "+12125550123"}],
        "addresses": [{"kind": "primary", "city": "Reno"}],
        "tags": ["vip"],
    }
    one, two, three = desk.create()["id"], desk.create(**known)["id"], desk.create(**known)["id"]
    first, second = merge(desk, one, two)["id"], merge(desk, one, three)["id"]
    undo(desk, first)
    shown = desk.get(one)
    assert [phone["number"] for phone in shown["phones"]] == ["+12125550123"]
    assert ([address["city"] for address in shown["addresses"]], shown["tags"]) == (["Reno"], ["vip"])
    undo(desk, second)
    shown = desk.get(one)
    assert [shown[name] for name in known] == [[], [], []]
    assert desk.get(three)["phones"][0]["number"] == "+12125550123"


@on_one_database
def test_one_postal_address_of_two_kinds_is_no_conflict(desk: Desk) -> None:
    postal = [{"kind": kind, "city": "Reno"} for kind in ("mailing", "billing")]
    one, two = desk.create()["id"], desk.create(addresses=postal)["id"]
    made = merge(desk, one, two)
    assert [address["kind"] for address in made["client"]["addresses"]] == ["mailing", "billing"]
    assert undo(desk, made["id"])["client"]["addresses"] == []


@on_one_database
def test_whoever_would_have_no_name_left_keeps_it(desk: Desk) -> None:
    one = desk.create(first_name=None, last_name="Lee")["id"]
    made = merge(desk, one, desk.create(first_name="Bob")["id"])
    desk.change(one, last_name=None)
    assert undo(desk, made["id"])["client"]["first_name"] == "Bob"


@on_one_database
def test_contacts_since_keep_a_survivor_a_business(desk: Desk) -> None:
    one, two = desk.create()["id"], desk.create(first_name=None, company_name="Acme")["id"]
    made = merge(desk, one, two, keep={"kind": "duplicate"})
    contact = contacts.create_contact(desk.db, NOW, client_ids=[one], first_name="Cy")
    with pytest.raises(Conflict, match="client_has_contacts"):
        undo(desk, made["id"])
    contact_ties.remove_client_contact(desk.db, NOW, client_id=one, contact_id=contact["id"])
    assert undo(desk, made["id"])["client"]["kind"] == "individual"


@on_one_database
def test_legal_holds_since_the_merge_hold_both(desk: Desk) -> None:
    one, two = desk.create()["id"], desk.create()["id"]
    with use(desk.context):
        legal_holds.place_legal_hold(desk.db, NOW, client_id=one, reason="Before")
        made = merge(desk, one, two, now=NOW + dt.timedelta(hours=1))
        legal_holds.place_legal_hold(desk.db, LATER, client_id=one, reason="Since")
    undo(desk, made["id"])
    listed = legal_holds.list_legal_holds(desk.db, client_id=two)["data"]
    assert [(hold["reason"], hold["released_at"]) for hold in listed] == [("Since", None)]
    assert [event["client_id"] for event in desk.emitted(LEGAL_HOLD_PLACED)] == [one, one, two]


def test_an_undo_of_a_deleted_survivor_says_so(desk: Desk) -> None:
    one, two = desk.create()["id"], desk.create()["id"]
    made = merge(desk, one, two)
    desk.delete(one)
    with pytest.raises(Conflict) as caught:
        undo(desk, made["id"])
    assert caught.value.code == "survivor_deleted"


def test_what_is_kept_for_an_undo_is_sealed(desk: Desk) -> None:
    one, two = desk.create(last_name="Canary")["id"], desk.create()["id"]
    made = merge(desk, one, two)
    with desk.db.read() as session:
        kept = session.get(ClientMerge, (desk.firm_id, made["id"]))
        assert kept is not None
        assert is_sealed(str(kept.before))
        assert is_sealed(str(kept.after))
    assert same(undo(desk, made["id"])["client"], desk.get(one))


@on_one_database
def test_without_its_key_nothing_can_be_undone(desk: Desk) -> None:
    one, two = desk.create()["id"], desk.create()["id"]
    made = merge(desk, one, two)
    with desk.db.unit_of_work() as uow:
        destroy_keys(uow, [one])
    with pytest.raises(Conflict) as caught:
        undo(desk, made["id"])
    assert caught.value.code == "merge_too_old"
