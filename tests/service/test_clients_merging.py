"""clients: two clients become one, and two again."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from chassis.columns import new_id
from chassis.context import use
from chassis.sealing import is_sealed
from chassis.wire import strict
from contracts import messaging
from contracts.clients import (
    CLIENT_CHANGED,
    CLIENTS_MERGED,
    CLIENTS_UNMERGED,
    LIST_MERGES,
    MERGE_CLIENTS,
)
from contracts.errors import Conflict, Forbidden, Gone, Invalid, NotFound, Unavailable
from services.clients import activity, contacts, facts, groups, legal_holds, merge_tending, merge_undo, merging
from services.clients.client_keys import destroy_keys
from services.clients.models import UNDO_WITHIN, ClientGroupMember, ClientMerge, ContactTie, LegalHold
from tests.service.clients_desk import CONSENT, NOW, Desk, desk

__all__ = ["desk"]


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


# What comes of it


def test_a_field_keeps_this_clients_value_or_the_one_that_is_there(desk: Desk) -> None:
    one = desk.create(first_name="Ann", last_name="Lee", occupation="Baker")["id"]
    two = desk.create(first_name="Anne", middle_name="B", language="es", occupation="Cook")["id"]
    merged = merge(desk, one, two)["client"]
    assert merged == desk.get(one)
    assert (merged["first_name"], merged["middle_name"], merged["last_name"]) == ("Ann", "B", "Lee")
    assert (merged["occupation"], merged["language"]) == ("Baker", "es")


def test_each_field_can_be_chosen(desk: Desk) -> None:
    one = desk.create(first_name="Ann", last_name="Lee", custom_fields={"court": "North", "age": 3})["id"]
    two = desk.create(first_name="Anne", date_of_birth=dt.date(1980, 2, 29), custom_fields={"court": "South"})["id"]
    keep = {
        "first_name": "duplicate", "last_name": "duplicate", "date_of_birth": "this",
        "custom_fields.court": "duplicate", "custom_fields.age": "duplicate",
    }  # fmt: skip
    merged = merge(desk, one, two, keep=keep)["client"]
    assert (merged["first_name"], merged["last_name"], merged["date_of_birth"]) == ("Anne", None, None)
    assert merged["custom_fields"] == {"court": "South"}


def test_phones_emails_addresses_and_tags_are_joined_with_one_primary_each(desk: Desk) -> None:
    main = {"kind": "primary", "line1": "1 Main St", "city": "Reno", "postal_code": "89501"}
    one = desk.create(
        phones=[{"number": "+12125550123"}], emails=[{"address": "ann@example.com"}], addresses=[main], tags=["vip"],
    )["id"]  # fmt: skip
    two = desk.create(
        phones=[{"number": "+12125550199"}, {"number": "+12125550123", "kind": "home"}],
        emails=[{"address": "ANN@example.com"}, {"address": "b@example.com", "primary": True}],
        addresses=[{**main, "line1": "2 Oak St"}, {**main, "kind": "billing"}],
        tags=["VIP", "new"],
    )["id"]
    merged = merge(desk, one, two)["client"]
    assert [(phone["number"], phone["primary"]) for phone in merged["phones"]] == [
        ("+12125550123", True),
        ("+12125550199", False),
    ]
    assert [(email["address"], email["primary"]) for email in merged["emails"]] == [
        ("ann@example.com", True),
        ("b@example.com", False),
    ]
    assert [(entry["kind"], entry["line1"]) for entry in merged["addresses"]] == [
        ("primary", "1 Main St"),
        ("mailing", "2 Oak St"),
    ]
    assert merged["tags"] == ["vip", "new"]


def test_whose_primary_stays_primary_can_be_chosen(desk: Desk) -> None:
    address = {"kind": "primary", "line1": "1 Main St"}
    one = desk.create(phones=[{"number": "+12125550123"}], addresses=[address])["id"]
    two = desk.create(phones=[{"number": "+12125550199"}], addresses=[{**address, "line1": "2 Oak St"}])["id"]
    merged = merge(desk, one, two, keep={"phones": "duplicate", "addresses": "duplicate"})["client"]
    assert [phone["number"] for phone in merged["phones"] if phone["primary"]] == ["+12125550199"]
    assert [entry["line1"] for entry in merged["addresses"] if entry["kind"] == "primary"] == ["2 Oak St"]
    assert desk.recipient(one)["sms"] == "+12125550199"


def test_who_is_not_to_be_written_to_stays_so(desk: Desk) -> None:
    one, two = desk.create()["id"], desk.create(spam=True, status="blacklisted", flag_reason="Threats")["id"]
    merged = merge(desk, one, two)["client"]
    assert (merged["spam"], merged["status"], merged["flag_reason"]) == (True, "blacklisted", "Threats")
    assert desk.recipient(one)["state"] == "blocked"
    three, four = desk.create()["id"], desk.create(spam=True, status="blacklisted")["id"]
    merged = merge(desk, three, four, keep={"spam": "this", "status": "this"})["client"]
    assert (merged["spam"], merged["status"]) == (False, "active")


def test_a_dry_run_shows_the_outcome_and_writes_nothing(desk: Desk) -> None:
    states = iter([{"sms": "opted_in", "email": None, "phone": None}, {"sms": "opted_out", "email": "opted_in"}])
    desk.calls.answers[messaging.GET_PREFERENCES] = lambda client_id: {
        "client_id": client_id,
        "phone": None,
        **next(states),
    }
    one = desk.create(first_name="Ann", tags=["vip"], date_of_birth=dt.date(1980, 2, 29))
    two = desk.create(first_name="Anne", tags=["new"], occupation="Cook", date_of_birth=dt.date(1981, 2, 28))
    before = len(desk.emitted(CLIENT_CHANGED))
    shown = merge(desk, one["id"], two["id"], keep={"first_name": "duplicate"}, dry_run=True)
    assert (shown["id"], shown["dry_run"]) == (None, True)
    assert (shown["client"]["first_name"], shown["client"]["tags"]) == ("Anne", ["vip", "new"])
    assert {(entry["field"], entry["kept"]) for entry in shown["differences"]} == {
        ("first_name", "duplicate"), ("tags", "both"), ("date_of_birth", "this"),
    }  # fmt: skip
    assert {entry["channel"]: entry["after"] for entry in shown["consent"]} == {
        "sms": "opted_out", "email": None, "phone": None,
    }  # fmt: skip
    assert (desk.get(one["id"]), desk.get(two["id"])) == (one, two)
    assert (desk.emitted(CLIENTS_MERGED), len(desk.emitted(CLIENT_CHANGED))) == ([], before)


def test_the_others_are_told(desk: Desk) -> None:
    one, two = desk.create(tags=["vip"])["id"], desk.create(tags=["new"])["id"]
    made = merge(desk, one, two)
    [told] = desk.emitted(CLIENTS_MERGED)
    assert told == {"merge_id": made["id"], "surviving_id": one, "merged_id": two, "version": 2, "at": NOW}
    [changed] = desk.emitted(CLIENT_CHANGED)
    assert (changed["client_id"], changed["tags"], changed["changed"]) == (one, ["vip", "new"], ["tags"])
    assert changed["merge_id"] == made["id"]


def test_the_merged_id_is_gone_and_tells_the_surviving_one(desk: Desk) -> None:
    one, two, three = (desk.create(phones=[{"number": f"+1212555012{at}"}])["id"] for at in range(3))
    merge(desk, two, three)
    merge(desk, one, two)
    for ask in (
        lambda: desk.get(three),
        lambda: desk.change(three, first_name="Eve"),
        lambda: desk.delete(three),
        lambda: activity.list_client_activity(desk.db, client_id=three),
        lambda: merge(desk, three, one),
    ):
        with pytest.raises(Gone) as caught:
            ask()
        assert (caught.value.code, caught.value.meta["surviving_id"]) == ("client_merged", one)
    assert desk.listed() == [one]
    assert facts.find_clients_by_address(desk.db, channel="sms", address="+12125550122")["client_ids"] == [one]


def test_what_is_written_to_the_merged_id_reaches_the_survivor(desk: Desk) -> None:
    one, two, other = (desk.create(phones=[{"number": f"+1212555012{at}"}])["id"] for at in range(3))
    merge(desk, one, two)
    unknown = new_id()
    asked = [two, other, unknown, one]
    found = facts.get_recipients(desk.db, client_ids=asked)["recipients"]
    assert [entry["client_id"] for entry in found] == asked
    assert [entry.get("surviving_id") for entry in found] == [one, None, None, None]
    assert [entry["sms"] for entry in found] == ["+12125550120", "+12125550122", None, "+12125550120"]
    assert [entry["state"] for entry in found] == ["found", "found", "erased", "found"]


def test_an_answer_that_comes_late_for_the_merged_client_is_the_survivors(desk: Desk) -> None:
    one, two = desk.create(last_name="Lee")["id"], desk.create()["id"]
    late = desk.answer("last_name", "Cole", client_id=two)
    merge(desk, one, two)
    desk.complete(late)
    assert desk.get(one)["last_name"] == "Cole"
    kinds = [entry["kind"] for entry in activity.list_client_activity(desk.db, client_id=one)["data"]]
    assert "task.completed.v1" in kinds


def test_the_survivor_shows_what_happened_to_both(desk: Desk) -> None:
    one, two = desk.create()["id"], desk.create()["id"]
    made = merge(desk, one, two)
    desk.hear(
        "record_consent_changes", messaging.CONSENT_CHANGED, {**CONSENT, "consent_id": new_id(), "client_ids": [two]}
    )
    kinds = [entry["kind"] for entry in activity.list_client_activity(desk.db, client_id=one)["data"]]
    assert sorted(kinds) == ["client.created.v1", "client.created.v1", "clients.merged.v1", "consent.changed.v1"]
    undo(desk, made["id"])
    kinds = [entry["kind"] for entry in activity.list_client_activity(desk.db, client_id=two)["data"]]
    assert "consent.changed.v1" in kinds
    kinds = [entry["kind"] for entry in activity.list_client_activity(desk.db, client_id=one)["data"]]
    assert "consent.changed.v1" not in kinds


def test_the_external_id_of_either_finds_the_survivor(desk: Desk) -> None:
    one = desk.create(external_source="clio", external_source_id="1")["id"]
    two = desk.create(external_source="clio", external_source_id="2")["id"]
    three = desk.create(first_name="Bea", external_source="lawpay", external_source_id="9")["id"]
    four = desk.create(first_name="Bea")["id"]
    merge(desk, one, two)
    assert merge(desk, four, three)["client"]["external_source"] == "lawpay"
    header = ["first_name", "occupation", "external_source", "external_source_id"]
    rows = [["Ann", "Baker", "clio", "2"], ["Bea", "Cook", "lawpay", "9"]]
    done = desk.import_all([header, *rows], duplicates="update")
    assert (done["counts"]["updated"], done["counts"]["failed"]) == (2, 0)
    assert (desk.get(one)["occupation"], desk.get(one)["external_source_id"]) == ("Baker", "1")
    assert desk.get(four)["occupation"] == "Cook"


def test_the_same_request_again_answers_with_the_survivor(desk: Desk) -> None:
    one, two = desk.create()["id"], desk.create()["id"]
    merge(desk, one, two)
    assert desk.create(client_id=two)["id"] == one


# What cannot be merged


def test_a_client_is_not_merged_with_itself(desk: Desk) -> None:
    one = desk.create()["id"]
    with pytest.raises(Invalid) as caught:
        merge(desk, one, one)
    assert (caught.value.code, fields_at_fault(caught)) == ("same_client", {"duplicate_id"})


def test_nor_with_another_firms(desk: Desk, tmp_path: Any) -> None:
    other = Desk(desk.everywhere, tmp_path)
    one, foreign = desk.create()["id"], other.create()["id"]
    for client_id, duplicate_id in ((one, foreign), (foreign, one), (one, new_id())):
        for dry_run in (False, True):
            with pytest.raises(NotFound) as caught:
                merge(desk, client_id, duplicate_id, dry_run=dry_run)
            assert caught.value.code == "client_not_found"
    assert other.get(foreign)["version"] == 1


def test_nor_with_one_that_was_merged_or_deleted(desk: Desk) -> None:
    one, two, three, gone = (desk.create()["id"] for _ in range(4))
    merge(desk, one, two)
    with pytest.raises(Conflict) as caught:
        merge(desk, one, two)
    assert (caught.value.code, caught.value.meta["surviving_id"]) == ("already_merged", one)
    with pytest.raises(Conflict) as caught:
        merge(desk, three, two)
    assert (caught.value.code, caught.value.meta["surviving_id"]) == ("duplicate_merged", one)
    desk.delete(gone)
    with pytest.raises(NotFound):
        merge(desk, three, gone)


def test_a_choice_that_cannot_be_made_is_named_and_nothing_is_written(desk: Desk) -> None:
    one, two = desk.create(custom_fields={"court": "North"}), desk.create()
    keep = dict.fromkeys(("tags", "shoe_size", "custom_fields.age", "custom_fields.court", "id", "version"), "this")
    with pytest.raises(Invalid) as caught:
        merge(desk, one["id"], two["id"], keep=keep)
    assert fields_at_fault(caught) == {f"keep.{name}" for name in keep if name != "custom_fields.court"}
    with pytest.raises(Invalid) as caught:
        merge(desk, one["id"], two["id"], keep={"external_source": "this", "external_source_id": "duplicate"})
    assert fields_at_fault(caught) == {"keep.external_source_id"}
    assert (desk.get(one["id"]), desk.get(two["id"])) == (one, two)


def test_somebody_must_have_a_name_left(desk: Desk) -> None:
    one, two = desk.create(first_name="Ann")["id"], desk.create(first_name=None, company_name="Lee & Co")["id"]
    with pytest.raises(Invalid) as caught:
        merge(desk, one, two, keep={"first_name": "duplicate", "company_name": "this"})
    assert fields_at_fault(caught) == {"first_name"}


def test_more_than_a_record_may_hold_is_refused(desk: Desk) -> None:
    def phones(start: int) -> list[dict[str, str]]:
        return [{"number": f"+1212555{number:04}"} for number in range(start, start + 12)]

    one, two = desk.create(phones=phones(100))["id"], desk.create(phones=phones(200))["id"]
    with pytest.raises(Invalid) as caught:
        merge(desk, one, two)
    assert fields_at_fault(caught) == {"phones"}
    assert len(desk.get(two)["phones"]) == 12


# Undo


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


def test_what_another_merged_client_has_too_stays(desk: Desk) -> None:
    number = [{"number": "+12125550123"}]
    one, two, three = desk.create()["id"], desk.create(phones=number)["id"], desk.create(phones=number)["id"]
    first, second = merge(desk, one, two)["id"], merge(desk, one, three)["id"]
    undo(desk, first)
    assert [phone["number"] for phone in desk.get(one)["phones"]] == ["+12125550123"]
    undo(desk, second)
    assert desk.get(three)["phones"][0]["number"] == "+12125550123"


def test_an_undo_of_a_deleted_survivor_says_so(desk: Desk) -> None:
    one, two = desk.create()["id"], desk.create()["id"]
    made = merge(desk, one, two)
    desk.delete(one)
    with pytest.raises(Conflict) as caught:
        undo(desk, made["id"])
    assert caught.value.code == "survivor_deleted"


# By the clock


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


def test_after_thirty_days_nothing_is_kept_but_for_whom_the_id_stands(desk: Desk) -> None:
    one, two = (
        desk.create()["id"],
        desk.create(first_name="Secret", external_source="clio", external_source_id="2")["id"],
    )
    with use(desk.context):
        hold = legal_holds.place_legal_hold(desk.db, NOW, client_id=two, reason="A suit")
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


# What goes along


def group_of(desk: Desk, name: str, *client_ids: str) -> str:
    made = groups.create_client_group(desk.db, NOW, name=name, kind="static", description=None, filter=None)
    with desk.db.unit_of_work() as uow:
        uow.insert(ClientGroupMember, [{"group_id": made["id"], "client_id": id_} for id_ in client_ids])
    return str(made["id"])


def in_groups(desk: Desk, client_id: str) -> set[str]:
    with desk.db.read() as session:
        return set(session.scalars(select(ClientGroupMember.group_id).where(ClientGroupMember.client_id == client_id)))


def test_groups_are_joined_and_parted_again(desk: Desk) -> None:
    one, two = desk.create()["id"], desk.create()["id"]
    both, mine, theirs = group_of(desk, "Both", one, two), group_of(desk, "One", one), group_of(desk, "Two", two)
    made = merge(desk, one, two)
    assert made["moves"].items() >= {"groups": 1, "contacts": 0, "company": 0}.items()
    assert in_groups(desk, one) == {both, mine, theirs}
    listed = groups.get_client_group(desk.db, NOW, group_id=both)
    assert listed["member_count"] == 1
    since = group_of(desk, "Since", one)
    undo(desk, made["id"])
    assert in_groups(desk, one) == {both, mine, since}
    assert in_groups(desk, two) == {both, theirs}


def contact_of(desk: Desk, email: str, *client_ids: str) -> str:
    with use(desk.context):
        made = contacts.create_contact(desk.db, NOW, first_name="Cy", email=email, client_ids=list(client_ids))
    return str(made["id"])


def tied(desk: Desk, client_id: str) -> set[str]:
    with desk.db.read() as session:
        return set(session.scalars(select(ContactTie.contact_id).where(ContactTie.client_id == client_id)))


def test_contacts_and_the_entry_of_the_directory_go_along_and_back(desk: Desk) -> None:
    one, two = (desk.create(kind="business", company_name=name)["id"] for name in ("Acme", "Acme Inc"))
    both, theirs = contact_of(desk, "b@example.com", one, two), contact_of(desk, "c@example.com", two)
    made = merge(desk, one, two)
    assert made["moves"].items() >= {"groups": 0, "contacts": 1, "company": 0}.items()
    assert tied(desk, one) == {both, theirs}
    shown = contacts.get_contact(desk.db, contact_id=theirs)
    assert [entry["client_id"] for entry in shown["clients"]] == [one]
    since = contact_of(desk, "d@example.com", one)
    undo(desk, made["id"])
    assert (tied(desk, one), tied(desk, two)) == ({both, since}, {both, theirs})


def test_what_needs_a_business_stays_a_businesss(desk: Desk) -> None:
    one, two = desk.create()["id"], desk.create(kind="business", company_name="Acme")["id"]
    contact_of(desk, "c@example.com", two)
    with pytest.raises(Invalid) as caught:
        merge(desk, one, two)
    assert fields_at_fault(caught) == {"keep.kind"}
    assert merge(desk, one, two, keep={"kind": "duplicate"})["client"]["kind"] == "business"


# What is sensitive


def test_what_is_kept_for_an_undo_is_sealed(desk: Desk) -> None:
    one, two = desk.create(last_name="Canary")["id"], desk.create()["id"]
    made = merge(desk, one, two)
    with desk.db.read() as session:
        kept = session.get(ClientMerge, (desk.firm_id, made["id"]))
        assert kept is not None
        assert is_sealed(str(kept.before))
        assert is_sealed(str(kept.after))
    assert same(undo(desk, made["id"])["client"], desk.get(one))


def test_without_its_key_nothing_can_be_undone(desk: Desk) -> None:
    one, two = desk.create()["id"], desk.create()["id"]
    made = merge(desk, one, two)
    with desk.db.unit_of_work() as uow:
        destroy_keys(uow, [one])
    with pytest.raises(Conflict) as caught:
        undo(desk, made["id"])
    assert caught.value.code == "merge_too_old"


def test_who_may_not_see_what_is_sensitive_neither_sees_nor_chooses_it(desk: Desk) -> None:
    one = desk.create(date_of_birth=dt.date(1980, 2, 29))["id"]
    two = desk.create(date_of_birth=dt.date(1981, 2, 28), government_ids=[{"kind": "ssn", "number": "078-05-1120"}])
    desk.context = replace(desk.context, sees_sensitive=False)
    with pytest.raises(Forbidden) as caught:
        merge(desk, one, two["id"], keep={"date_of_birth": "duplicate"})
    assert fields_at_fault(caught) == {"date_of_birth"}
    made = merge(desk, one, two["id"])
    assert (made["client"]["date_of_birth"], made["client"]["hidden"]) == (None, ["date_of_birth", "government_ids"])
    assert made["differences"] == [{"field": "date_of_birth", "this": None, "duplicate": None, "kept": "this"}]
    assert "1980" not in str(made)
    desk.context = replace(desk.context, sees_sensitive=True)
    assert desk.get(one)["date_of_birth"] == dt.date(1980, 2, 29)
    assert [entry["number"] for entry in desk.get(one)["government_ids"]] == ["078-05-1120"]
    undo(desk, made["id"])
    assert desk.get(one)["government_ids"] == []


def test_nobody_is_merged_before_their_consents_are_joined(desk: Desk) -> None:
    one, two = desk.create(tags=["vip"]), desk.create(tags=["new"])

    def down(**asked: str) -> dict[str, Any]:
        raise Unavailable("no_answer")

    asked = desk.calls.answers[messaging.JOIN_CONSENTS]
    desk.calls.answers[messaging.JOIN_CONSENTS] = down
    with pytest.raises(Unavailable):
        merge(desk, one["id"], two["id"])
    assert (desk.get(one["id"]), desk.get(two["id"])) == (one, two)
    desk.calls.answers[messaging.JOIN_CONSENTS] = asked
    merge(desk, one["id"], two["id"])
    assert desk.calls.asked(messaging.JOIN_CONSENTS)[-1] == {"surviving_id": one["id"], "merged_id": two["id"]}
    with pytest.raises(Gone):
        merge(desk, two["id"], one["id"])
    # What is refused is asked for by nobody.
    assert len(desk.calls.asked(messaging.JOIN_CONSENTS)) == 2
