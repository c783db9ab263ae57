"""One message to each member of a group, and the figures of a group."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from chassis.columns import new_id
from chassis.idempotency import AlreadyAnswered, KeyedRequest, answering
from chassis.testing import received
from chassis.wire import strict
from contracts import clients
from contracts.errors import Invalid, NotFound, Unavailable
from contracts.messaging import (
    LIST_GROUP_MESSAGES,
    MESSAGES_REQUESTED,
    RequestedMessages,
    RequestGroupMessages,
)
from services.messaging import batch_views, bulk_messages, consent, group_messages
from tests.service.messaging_desk import Desk, desk
from tests.service.one_database import on_one_database

__all__ = ["desk"]


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_messages, "CHUNK_SIZE", 2)
    monkeypatch.setattr(group_messages, "LARGEST_PAGE", 3)


def group(desk: Desk, *client_ids: str) -> str:
    """A group of clients' with these members; its id."""
    group_id, members = new_id(), sorted(client_ids)

    def select(group_id_asked: str, limit: int, cursor: str | None) -> dict[str, Any]:
        if group_id_asked != group_id:
            raise NotFound("client_group_not_found", group_id=group_id_asked)
        left = [member for member in members if cursor is None or member > cursor]
        return {"client_ids": left[:limit], "cursor": left[limit - 1] if len(left) > limit else None}

    desk.calls.answers[clients.SELECT_GROUP_MEMBERS] = lambda group_id, **page: select(group_id, **page)
    return group_id


def request(desk: Desk, group_id: str, **given: Any) -> dict[str, Any]:
    command = RequestGroupMessages().load(
        {"group_id": group_id, "channels": ["sms"], "message": {"body": "We moved."}, **given}
    )
    return group_messages.request_group_messages(
        desk.db, desk.calls, desk.service.settings, actor_id=desk.staff_id, now=desk.clock(), **command
    )


def take_up(desk: Desk, batch_id: str) -> None:
    """The chunks of a batch arrive, each of them twice, the last first."""
    found = [data for data in desk.emitted(MESSAGES_REQUESTED) if data["batch_id"] == batch_id]
    for data in sorted(found, key=lambda data: -data["chunk"]):
        for _ in range(2):
            event = received(MESSAGES_REQUESTED, data, firm_id=desk.firm_id, subscription="test")
            bulk_messages.accept_clients(desk.db, event, desk.clock())


def figures(desk: Desk, group_id: str) -> list[dict[str, Any]]:
    page = group_messages.list_group_messages(desk.db, group_id=group_id)
    schema = strict(LIST_GROUP_MESSAGES.response)
    assert schema.schema.validate(schema.dump(page)) == {}
    return list(page["data"])


@on_one_database
def test_each_member_gets_the_message_once(desk: Desk) -> None:
    people = [desk.person() for _ in range(7)]
    news = group(desk, *people)
    answer = request(desk, news)
    assert (answer["accepted"], answer["estimate"]) == (7, None)
    assert [len(asked) for asked in desk.calls.asked(clients.SELECT_GROUP_MEMBERS)] == [3, 3, 3]
    chunks = desk.emitted(MESSAGES_REQUESTED)
    assert sorted(id_ for data in chunks for id_ in data["client_ids"]) == sorted(people)
    assert {data["accepted"] for data in chunks} == {7}
    take_up(desk, answer["batch_id"])
    desk.run()
    assert desk.outcome(answer["batch_id"]) == {"sent": 7}
    assert len(desk.provider.accepted) == 7
    batch = desk.batch(answer["batch_id"])
    assert (batch["state"], batch["group_id"], batch["accepted"]) == ("finished", news, 7)


def test_who_is_not_to_be_written_to_is_left_out_with_the_reason(desk: Desk) -> None:
    fine, twin, stopped, blocked, archived, unreachable = (desk.person() for _ in range(6))
    desk.people[twin]["sms"] = desk.number(fine)
    desk.people[unreachable]["sms"] = None
    desk.reply(desk.number(stopped), "STOP")
    desk.people[blocked]["state"] = "blocked"
    everybody = group(desk, fine, twin, stopped, blocked, archived, unreachable)
    batch_id = request(desk, everybody)["batch_id"]
    desk.people[archived]["state"] = "erased"  # since it was asked for
    take_up(desk, batch_id)
    desk.run()
    reasons = {"duplicate": 1, "opted_out": 1, "client_blocked": 1, "client_erased": 1, "no_address": 1}
    assert desk.outcome(batch_id) == {"sent": 1, **reasons}
    (row,) = figures(desk, everybody)
    assert (row["id"], row["accepted"], row["suppressions"]) == (batch_id, 6, reasons)
    assert row["counts"] == {"sent": 1, "suppressed": 5}


def test_a_dry_run_counts_over_all_pages_and_writes_nothing(desk: Desk) -> None:
    people = [desk.person() for _ in range(7)]
    shared = sorted(people)
    desk.people[shared[6]]["sms"] = desk.number(shared[0])  # on the first page and on the last
    desk.people[shared[3]]["sms"] = None
    news = group(desk, *people)
    answer = request(desk, news, dry_run=True)
    assert (answer["batch_id"], answer["accepted"]) == (None, 7)
    assert answer["estimate"]["recipients"] == {"send": 5, "duplicate": 1, "no_address": 1}
    assert answer["estimate"]["segments"] == 5
    assert answer["estimate"]["seconds"] > 0
    assert (desk.emitted(MESSAGES_REQUESTED), figures(desk, news)) == ([], [])
    batch_id = request(desk, news)["batch_id"]
    take_up(desk, batch_id)
    desk.run()
    assert desk.outcome(batch_id) == {"sent": 5, "duplicate": 1, "no_address": 1}


def test_a_group_without_members_is_a_batch_that_ends_at_once(desk: Desk) -> None:
    nobody = group(desk)
    assert request(desk, nobody, dry_run=True)["estimate"]["recipients"] == {}
    answer = request(desk, nobody)
    assert answer["accepted"] == 0
    take_up(desk, answer["batch_id"])
    desk.run()
    assert desk.batch(answer["batch_id"])["state"] == "finished"


def test_a_newsletter_is_a_bulk_message_by_email(desk: Desk) -> None:
    person = desk.person(number=None, email="ann@example.com")
    batch_id = request(desk, group(desk, person), channels=["email"], message={"subject": "News", "body": "We moved."})[
        "batch_id"
    ]
    take_up(desk, batch_id)
    desk.sending._sandbox = frozenset({"email"})
    desk.prepare()
    (row,) = desk.deliveries(batch_id)
    assert (row.channel, row.address, row.state, row.kind) == ("email", "ann@example.com", "queued", "message")


def test_a_key_asks_once(desk: Desk) -> None:
    keyed = KeyedRequest("messaging.request_group_messages", "one", "hash", RequestedMessages().dump)
    news = group(desk, desk.person())
    with answering(keyed):
        first = request(desk, news)
    with answering(keyed), pytest.raises(AlreadyAnswered) as answered:
        request(desk, news)
    assert answered.value.answer["batch_id"] == first["batch_id"]
    assert len(desk.emitted(MESSAGES_REQUESTED)) == 1


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"message": {"body": "See {{ task.link }}"}}, "message.body"),
        ({"message": {"body": ""}}, "message"),
        ({"timing": {"mode": "at"}}, "timing.at"),
    ],
)
def test_a_bad_request_leaves_nothing_and_asks_for_nobody(desk: Desk, given: dict[str, Any], field: str) -> None:
    news = group(desk, desk.person())
    for dry_run in (False, True):
        with pytest.raises(Invalid) as refused:
            request(desk, news, dry_run=dry_run, **given)
        assert refused.value.fields[0]["field"] == field
    assert (desk.emitted(MESSAGES_REQUESTED), figures(desk, news)) == ([], [])
    assert desk.calls.asked(clients.SELECT_GROUP_MEMBERS) == []


def test_a_group_that_is_not_there_or_ends_half_way_leaves_nothing(desk: Desk) -> None:
    group(desk)
    with pytest.raises(NotFound, match="client_group_not_found"):
        request(desk, new_id())
    news = group(desk, *(desk.person() for _ in range(5)))
    whole = desk.calls.answers[clients.SELECT_GROUP_MEMBERS]

    def break_off(cursor: str | None, **page: Any) -> dict[str, Any]:
        if cursor is not None:
            raise Unavailable("clients_unavailable")
        return dict(whole(cursor=cursor, **page))

    desk.calls.answers[clients.SELECT_GROUP_MEMBERS] = break_off
    with pytest.raises(Unavailable):
        request(desk, news)
    assert (desk.emitted(MESSAGES_REQUESTED), figures(desk, news)) == ([], [])


@on_one_database
def test_a_groups_figures_are_its_own_newest_first(desk: Desk) -> None:
    ann, bob, cid = (desk.person() for _ in range(3))
    news = group(desk, ann, bob, cid)
    first = request(desk, news)["batch_id"]
    take_up(desk, first)
    desk.run()
    desk.clock.advance(minutes=5)
    desk.reply(desk.number(ann), "STOP")
    with desk.db.unit_of_work() as uow:
        consent.record_changes(uow, [consent.Change("sms", "opted_out", "staff", {}, client_id=bob)], desk.clock())
    second = request(desk, news)["batch_id"]
    take_up(desk, second)
    desk.run()
    others = group(desk, cid)
    request(desk, others)
    rows = figures(desk, news)
    assert [row["id"] for row in rows] == [second, first]
    assert [row["counts"] for row in rows] == [{"sent": 1, "suppressed": 2}, {"sent": 3}]
    assert rows[0]["suppressions"] == {"opted_out": 2}
    assert [row["opted_out_after"] for row in rows] == [0, 2]
    assert [row["group_id"] for row in figures(desk, others)] == [others]
    stranger = Desk(desk.everywhere, office="+12125550111")
    assert figures(stranger, news) == []


def test_a_stop_long_after_is_not_what_came_of_a_message(desk: Desk) -> None:
    ann = desk.person()
    news = group(desk, ann)
    batch_id = request(desk, news)["batch_id"]
    take_up(desk, batch_id)
    desk.run()
    desk.clock.now += group_messages.AFTER + dt.timedelta(minutes=1)
    desk.reply(desk.number(ann), "STOP")
    assert [row["opted_out_after"] for row in figures(desk, news)] == [0]


def test_an_address_that_does_not_exist_is_nobodys_stop(desk: Desk) -> None:
    people = [desk.person() for _ in range(2)]
    news = group(desk, *people)
    batch_id = request(desk, news)["batch_id"]
    take_up(desk, batch_id)
    desk.run()
    desk.clock.advance(minutes=5)
    said = [
        consent.Change("sms", "opted_out", "provider", {"kind": kind}, address=desk.number(person))
        for person, kind in zip(people, ("bounced", "complained"), strict=True)
    ]
    with desk.db.unit_of_work() as uow:
        consent.record_changes(uow, said, desk.clock())
    assert [row["opted_out_after"] for row in figures(desk, news)] == [1]


def test_other_batches_name_no_group(desk: Desk) -> None:
    batch_id = desk.ask([desk.item(desk.person())])
    listed = batch_views.list_batches(desk.db, state=None, kind=None, limit=50, cursor=None, sort=None)["data"]
    assert [(row["id"], row["group_id"]) for row in listed] == [(batch_id, None)]
