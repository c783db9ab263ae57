"""messaging: clients who were merged: what was written to them, what waits, and what they said about it."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from chassis.columns import new_id
from chassis.context import use
from chassis.idempotency import KeyedRequest, answering
from contracts.clients import FIND_CLIENTS_BY_ADDRESS, GET_CLIENT_FACTS
from contracts.errors import Gone
from contracts.messaging import DELIVERY_SUPPRESSED
from services.messaging import communications, consent, filing
from services.messaging.merges import merged_consent
from services.messaging.portal_messages import receive_portal_message
from tests.service.consents import ledger, set_wants, told, wants
from tests.service.conversing import bodies, listed, only, say
from tests.service.merges import Merge
from tests.service.messaging_desk import NOW, Desk, desk
from tests.service.one_database import on_one_database
from tests.service.test_messaging_bulk_messages import request, take_up

__all__ = ["desk"]


def merge(desk: Desk, surviving_id: str, merged_id: str, at: dt.datetime | None = None) -> Merge:
    """As clients has done it: the survivor's facts are told under the merged id, too."""
    people = desk.people
    people[merged_id] = {**people[surviving_id], "client_id": merged_id, "surviving_id": surviving_id}
    known = desk.calls.answers[GET_CLIENT_FACTS]

    def facts(client_ids: list[str]) -> dict[str, Any]:
        merged = {id_: person["surviving_id"] for id_, person in people.items() if person.get("surviving_id")}
        found = known([id_ for id_ in client_ids if id_ not in merged])
        asked = [{"client_id": id_, "surviving_id": merged[id_]} for id_ in client_ids if id_ in merged]
        return {**found, "merged": asked}

    desk.calls.answers[GET_CLIENT_FACTS] = facts
    desk.calls.answers[FIND_CLIENTS_BY_ADDRESS] = lambda channel, address: {
        "client_ids": [
            id_ for id_, person in people.items() if person["sms"] == address and not person.get("surviving_id")
        ]
    }
    return Merge(desk.service, desk.firm_id, surviving_id, merged_id, at or desk.clock())


def part(desk: Desk, made: Merge, person: dict[str, Any]) -> None:
    desk.people[made.merged_id] = person
    made.undone()


# Consent


def test_the_survivor_takes_over_an_opt_out_and_no_opt_in(desk: Desk) -> None:
    one, two = desk.person(), desk.person()
    set_wants(desk, two, sms="opted_out", email="opted_in")
    merge(desk, one, two).told()
    assert wants(desk, one) == ("opted_out", None, None)
    [entry] = ledger(desk, client_id=one, state="opted_out", channel="sms")[-1:]
    assert (entry["source"], entry["evidence"]["merged_client_id"]) == ("merge", two)


def test_the_survivors_own_word_stays_where_it_is_stricter(desk: Desk) -> None:
    one, two = desk.person(), desk.person()
    set_wants(desk, one, sms="opted_out", email="opted_in")
    set_wants(desk, two, sms="opted_in")
    merge(desk, one, two).told()
    assert wants(desk, one) == ("opted_out", "opted_in", None)
    assert ("sms", "opted_out", "merge") not in told(desk, client_id=one)


def test_it_is_taken_over_before_the_merge_when_clients_asks_for_it(desk: Desk) -> None:
    one, two = desk.person(), desk.person()
    set_wants(desk, two, sms="opted_out", phone="opted_out")
    asked = {"surviving_id": one, "merged_id": two}
    assert desk.service.join_consents(**asked) == {"opted_out": ["phone", "sms"]}
    assert desk.service.join_consents(**asked) == {"opted_out": []}
    assert wants(desk, one) == ("opted_out", None, "opted_out")
    assert say(desk, one)["reason"] == "opted_out"


def test_both_take_over_before_the_merge_so_that_what_waits_for_either_does_not_go_out(desk: Desk) -> None:
    one, two = desk.person(), desk.person()
    set_wants(desk, one, sms="opted_out")
    batch_id = desk.ask([desk.item(two)])
    desk.prepare()
    assert desk.service.join_consents(surviving_id=one, merged_id=two) == {"opted_out": []}
    merge(desk, one, two)
    desk.run()
    assert (desk.outcome(batch_id), desk.provider.accepted) == ({"opted_out": 1}, [])


def reached(**sms: str | None) -> dict[str, Any]:
    return {name: {"sms": number, "email": None, "phone": None} for name, number in sms.items()}


def test_who_said_stop_from_a_number_is_not_written_to_at_another_after_the_merge(desk: Desk) -> None:
    one, two = desk.person(), desk.person()
    number, stopped = desk.number(one), desk.number(two)
    desk.write(stopped, "STOP")
    addresses = reached(surviving=number, merged=stopped, joined=number)
    asked = {"surviving_id": one, "merged_id": two, "addresses": addresses}
    assert desk.service.join_consents(**asked, dry_run=True) == {"opted_out": ["sms"]}
    assert wants(desk, one) == (None, None, None)
    assert desk.service.join_consents(**asked) == {"opted_out": ["sms"]}
    merge(desk, one, two).told()
    assert wants(desk, one) == ("opted_out", None, None)
    assert say(desk, one)["reason"] == "opted_out"


@on_one_database
def test_nor_is_the_survivor_who_gets_the_merged_ones_number_or_the_merged_one_until_then(desk: Desk) -> None:
    one, two = desk.person(), desk.person()
    stopped, number = desk.number(one), desk.number(two)
    desk.write(stopped, "STOP")
    batch_id = desk.ask([desk.item(two)])
    desk.prepare()
    addresses = reached(surviving=stopped, merged=number, joined=number)
    assert desk.service.join_consents(surviving_id=one, merged_id=two, addresses=addresses) == {"opted_out": ["sms"]}
    desk.run()
    assert (desk.outcome(batch_id), [message.to for message in desk.provider.accepted]) == ({"opted_out": 1}, [stopped])


def test_where_the_number_says_it_for_both_nothing_is_added_and_a_start_opens_it(desk: Desk) -> None:
    one = desk.person()
    number = desk.number(one)
    two = desk.person(number)
    desk.write(number, "STOP")
    addresses = reached(surviving=number, merged=number, joined=number)
    assert desk.service.join_consents(surviving_id=one, merged_id=two, addresses=addresses) == {"opted_out": []}
    merge(desk, one, two).told()
    assert wants(desk, one)[0] == "opted_out"
    desk.write(number, "START")
    assert wants(desk, one)[0] == "opted_in"


def test_an_address_that_does_not_exist_is_nobodys_word(desk: Desk) -> None:
    one, two = desk.person(), desk.person()
    number, unknown = desk.number(one), desk.number(two)
    bounce = consent.Change("sms", "opted_out", "provider", {"kind": "bounced"}, address=unknown, unreachable=True)
    with desk.db.unit_of_work() as uow:
        consent.record_changes(uow, [bounce])
    addresses = reached(surviving=number, merged=unknown, joined=number)
    assert desk.service.join_consents(surviving_id=one, merged_id=two, addresses=addresses) == {"opted_out": []}


def test_a_word_that_comes_for_the_merged_client_once_it_has_followed_is_the_survivors(desk: Desk) -> None:
    one, two = desk.person(), desk.person()
    Merge(desk.service, desk.firm_id, one, two, desk.clock()).told()
    # clients was asked who it is before the merge.
    set_wants(desk, two, source="portal", email="opted_out")
    assert wants(desk, one) == (None, "opted_out", None)


def test_a_merge_that_is_asked_for_again_under_its_key_takes_over_what_was_said_since(desk: Desk) -> None:
    one, two = desk.person(), desk.person()
    asked = {"surviving_id": one, "merged_id": two}
    request = KeyedRequest("join_consents", "key", "0" * 64, dict)
    with answering(request):
        assert merged_consent.join_consents(desk.db, **asked, now=desk.clock()) == {"opted_out": []}
    set_wants(desk, two, sms="opted_out")
    with answering(request):
        assert merged_consent.join_consents(desk.db, **asked, now=desk.clock()) == {"opted_out": ["sms"]}


def test_what_the_survivor_says_after_the_merge_stands(desk: Desk) -> None:
    one, two = desk.person(), desk.person()
    set_wants(desk, two, sms="opted_out")
    made = merge(desk, one, two, at=dt.datetime.now(dt.UTC) - dt.timedelta(seconds=5)).told()
    set_wants(desk, one, sms="opted_in")
    made.told()
    assert wants(desk, one)[0] == "opted_in"


def test_the_ledger_of_the_survivor_holds_what_both_said(desk: Desk) -> None:
    one, two = desk.person(), desk.person()
    set_wants(desk, two, email="opted_in")
    made = merge(desk, one, two).told()
    assert told(desk, client_id=one) == [("email", "opted_in", "staff")]
    made.undone()
    assert told(desk, client_id=one) == []


def test_no_undo_loosens_an_opt_out(desk: Desk) -> None:
    one, two = desk.person(), desk.person()
    before = dict(desk.people[two])
    set_wants(desk, two, sms="opted_out")
    made = merge(desk, one, two).told()
    set_wants(desk, one, email="opted_out")
    part(desk, made, before)
    assert wants(desk, one) == ("opted_out", "opted_out", None)
    assert wants(desk, two) == ("opted_out", "opted_out", None)
    [entry] = ledger(desk, client_id=two, channel="email")
    assert entry["evidence"] == {"undone_merge_id": made.id, "surviving_client_id": one}


def test_an_undo_that_comes_first_joins_nothing_but_opt_outs(desk: Desk) -> None:
    one, two = desk.person(), desk.person()
    before = dict(desk.people[two])
    set_wants(desk, two, sms="opted_out")
    set_wants(desk, one, phone="opted_out")
    made = merge(desk, one, two)
    part(desk, made, before)
    made.told()
    assert wants(desk, one) == (None, None, "opted_out")
    assert wants(desk, two) == ("opted_out", None, "opted_out")


def test_the_merged_client_is_gone_for_staff_and_the_survivor_for_its_own_link(desk: Desk) -> None:
    one, two = desk.person(), desk.person()
    merge(desk, one, two)
    for ask in (
        lambda: wants(desk, two),
        lambda: set_wants(desk, two, sms="opted_out"),
        lambda: say(desk, two),
        lambda: communications.log_communication(
            desk.db, desk.calls, client_id=two, actor_id=desk.staff_id, kind="call", notes="Called."
        ),
        lambda: request(desk, [one, two]),
    ):
        with pytest.raises(Gone) as caught:
            ask()
        assert (caught.value.code, caught.value.meta["surviving_id"]) == ("client_merged", one)
    with use(replace(desk.context, actor_kind="client", actor_id=two)):
        assert set_wants(desk, two, source="portal", sms="opted_out")["client_id"] == one
    assert wants(desk, one)[0] == "opted_out"


# What waits


def test_what_waits_reaches_the_survivor_once_at_its_address(desk: Desk) -> None:
    one, two, other = desk.person(), desk.person(), desk.person()
    both, single = desk.item(one, two, other), desk.item(two)
    batch_id = desk.ask([both, single])
    desk.prepare()
    made = merge(desk, one, two).told()
    desk.run()
    assert sorted(message.to for message in desk.provider.accepted) == sorted(
        [desk.number(one), desk.number(one), desk.number(other)]
    )
    assert desk.outcome(batch_id) == {"sent": 3, "duplicate": 1}
    assert {row.client_id for row in desk.deliveries(batch_id)} == {one, other}
    assert len(desk.deliveries(batch_id)) == sum(desk.batch(batch_id)["counts"].values())
    before = {row.id: row.client_id for row in desk.deliveries(batch_id)}
    made.undone()
    after = {row.id: row.client_id for row in desk.deliveries(batch_id)}
    assert sorted(after.values()) == sorted([one, two, other, two])
    assert before.keys() == after.keys()
    assert {row.subject_id for row in desk.deliveries(batch_id)} == {both["case_task_id"], single["case_task_id"]}


def test_a_bulk_message_to_both_is_one(desk: Desk) -> None:
    one, two, other = desk.person(), desk.person(), desk.person()
    batch_id = request(desk, [one, two, other])["batch_id"]
    take_up(desk, batch_id)
    desk.prepare()
    merge(desk, one, two).told()
    desk.run()
    assert sorted(message.to for message in desk.provider.accepted) == sorted([desk.number(one), desk.number(other)])
    assert desk.outcome(batch_id) == {"sent": 2, "duplicate": 1}
    assert [event["reason"] for event in desk.emitted(DELIVERY_SUPPRESSED)] == ["duplicate"]


@on_one_database
def test_joined_notifications_still_go_out_together(desk: Desk) -> None:
    one, two = desk.person(), desk.person()
    batch_id = desk.ask([desk.item(two), desk.item(two), desk.item(one)], coalesce=True)
    desk.prepare()
    merge(desk, one, two).told()
    desk.run()
    assert {message.to for message in desk.provider.accepted} == {desk.number(one)}
    assert desk.outcome(batch_id) == {"sent": 3}


def test_what_waits_is_asked_about_by_the_survivors_consent(desk: Desk) -> None:
    one, two = desk.person(), desk.person()
    set_wants(desk, one, sms="opted_out")
    batch_id = desk.ask([desk.item(two)])
    desk.prepare()
    assert desk.outcome(batch_id) == {"queued": 1}
    merge(desk, one, two).told()
    desk.run()
    assert (desk.outcome(batch_id), desk.provider.accepted) == ({"opted_out": 1}, [])


@on_one_database
def test_between_the_merge_and_its_news_nothing_goes_out_past_the_survivors_consent(desk: Desk) -> None:
    one, two = desk.person(), desk.person()
    set_wants(desk, one, sms="opted_out")
    batch_id = desk.ask([desk.item(two)])
    made = merge(desk, one, two)
    desk.run()
    assert (desk.outcome(batch_id), desk.provider.accepted) == ({"accepted": 1}, [])
    made.told()
    desk.clock.advance(seconds=2)
    desk.run()
    assert (desk.outcome(batch_id), desk.provider.accepted) == ({"opted_out": 1}, [])


def test_what_is_written_for_the_merged_client_later_follows(desk: Desk) -> None:
    one, two = desk.person(), desk.person()
    before = dict(desk.people[two])
    made = merge(desk, one, two).told()
    batch_id = desk.ask([desk.item(two), desk.item(one)])
    desk.run()
    assert desk.outcome(batch_id) == {"sent": 2}
    assert [message.to for message in desk.provider.accepted] == [desk.number(one)] * 2
    part(desk, made, before)
    assert sorted(row.client_id for row in desk.deliveries(batch_id)) == sorted([one, two])


# What was said


def test_what_was_said_with_both_is_one_conversation_and_two_again(desk: Desk) -> None:
    one, two = desk.person(), desk.person()
    before = dict(desk.people[two])
    for words, person in (("First", one), ("Second", two), ("Third", one)):
        desk.write(desk.number(person), words)
        desk.clock.advance(minutes=1)
    say(desk, two, "Answer")
    made = merge(desk, one, two).told()
    conversation = only(desk)
    assert (conversation["client_id"], conversation["unread"], conversation["preview"]) == (one, 3, "Answer")
    assert bodies(desk, conversation["id"]) == ["Answer", "Third", "Second", "First"]
    desk.clock.advance(minutes=1)
    desk.write(desk.number(one), "Since")
    part(desk, made, before)
    by_client = {entry["client_id"]: entry for entry in listed(desk)}
    assert bodies(desk, by_client[one]["id"]) == ["Since", "Third", "First"]
    assert bodies(desk, by_client[two]["id"]) == ["Answer", "Second"]
    assert (by_client[one]["unread"], by_client[two]["unread"]) == (3, 1)
    assert (by_client[one]["preview"], by_client[two]["preview"]) == ("Since", "Answer")


@on_one_database
def test_a_client_without_a_conversation_gets_the_merged_ones(desk: Desk) -> None:
    one, two = desk.person(), desk.person()
    before = dict(desk.people[two])
    desk.write(desk.number(two), "Hello")
    made = merge(desk, one, two).told()
    conversation = only(desk)
    assert (conversation["client_id"], bodies(desk, conversation["id"])) == (one, ["Hello"])
    part(desk, made, before)
    conversation = only(desk)
    assert (conversation["client_id"], bodies(desk, conversation["id"])) == (two, ["Hello"])


def test_an_address_that_both_share_is_the_survivors(desk: Desk) -> None:
    one, third = desk.person(), desk.person()
    two = desk.person(desk.number(third))
    desk.write(desk.number(third), "Hello")
    made = merge(desk, one, two).told()
    assert sorted(only(desk)["client_ids"]) == sorted([one, third])
    assert listed(desk, client_id=one) == listed(desk)
    made.undone()
    assert sorted(only(desk)["client_ids"]) == sorted([two, third])


def test_notes_of_calls_follow(desk: Desk) -> None:
    one, two = desk.person(), desk.person()
    given = {"actor_id": desk.staff_id, "kind": "call", "notes": "Called.", "now": NOW}
    communications.log_communication(desk.db, desk.calls, client_id=two, **given)
    made = merge(desk, one, two).told()

    def notes(client_id: str) -> int:
        return len(communications.list_communications(desk.db, client_id=client_id)["data"])

    assert (notes(one), notes(two)) == (1, 0)
    made.undone()
    assert (notes(one), notes(two)) == (0, 1)


def test_what_comes_late_through_the_merged_clients_link_is_the_survivors(desk: Desk) -> None:
    one, two = desk.person(), desk.person()
    merge(desk, one, two).told()
    said = {"client_id": two, "link_id": new_id(), "body": "One more thing", "once": "0" * 16}
    arrived = receive_portal_message(desk.db, now=desk.clock(), **said)
    for event in desk.arrived(arrived["message_id"]) * 2:
        filing.file_message(desk.db, desk.calls, event, desk.clock())
    conversation = only(desk)
    assert (conversation["client_id"], conversation["unread"]) == (one, 1)
    assert bodies(desk, conversation["id"]) == ["One more thing"]


def test_a_merge_of_clients_nobody_here_knows_changes_nothing(desk: Desk) -> None:
    one, two = desk.person(), desk.person()
    Merge(desk.service, desk.firm_id, one, two).told().undone()
    assert (listed(desk), ledger(desk, client_id=one), desk.deliveries()) == ([], [], [])
