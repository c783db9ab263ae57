"""clients: two clients become one."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from chassis.columns import new_id
from contracts import messaging
from contracts.clients import CLIENT_CHANGED, CLIENTS_MERGED
from contracts.errors import Gone, Unavailable
from services.clients import activity, facts
from tests.service.clients_desk import CONSENT, DELIVERY, NOW, Desk, desk
from tests.service.merging_clients import merge, own_fields, undo
from tests.service.one_database import on_one_database

__all__ = ["desk", "own_fields"]


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


@on_one_database
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


@on_one_database
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
    desk.calls.answers[messaging.JOIN_CONSENTS] = lambda dry_run, **asked: {"opted_out": ["sms"] if dry_run else []}
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


@on_one_database
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


@on_one_database
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


@on_one_database
def test_the_survivor_is_as_little_quiet_as_either(desk: Desk) -> None:
    one, two = desk.create()["id"], desk.create()["id"]
    at = NOW + dt.timedelta(days=2)
    desk.hear("record_sent_deliveries", messaging.DELIVERY_SENT, {**DELIVERY, "delivery_id": new_id(), "client_id": two,
                                                                  "at": at})  # fmt: skip
    assert merge(desk, one, two)["client"]["last_activity_at"] == desk.get(one)["last_activity_at"] == at


@on_one_database
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


@on_one_database
def test_nobody_is_merged_before_their_consents_are_joined(desk: Desk) -> None:
    one = desk.create(phones=[{"number": "+12125550123"}], emails=[{"address": "Ann@example.com"}])
    two = desk.create(phones=[{"number": "+12125550124", "kind": "home"}])

    def down(**asked: Any) -> dict[str, Any]:
        raise Unavailable("no_answer")

    asked = desk.calls.answers[messaging.JOIN_CONSENTS]
    desk.calls.answers[messaging.JOIN_CONSENTS] = down
    with pytest.raises(Unavailable):
        merge(desk, one["id"], two["id"])
    assert (desk.get(one["id"]), desk.get(two["id"])) == (one, two)
    desk.calls.answers[messaging.JOIN_CONSENTS] = asked
    merge(desk, one["id"], two["id"], keep={"phones": "duplicate"})
    own = {"sms": "+12125550123", "phone": "+12125550123", "email": "Ann@example.com"}
    assert desk.calls.asked(messaging.JOIN_CONSENTS)[-1] == {
        "surviving_id": one["id"],
        "merged_id": two["id"],
        "addresses": {
            "surviving": own,
            "merged": {"sms": None, "phone": "+12125550124", "email": None},
            "joined": {**own, "phone": "+12125550124"},
        },
        "dry_run": False,
    }
    with pytest.raises(Gone):
        merge(desk, two["id"], one["id"])
    # What is refused is asked for by nobody.
    assert len(desk.calls.asked(messaging.JOIN_CONSENTS)) == 2
