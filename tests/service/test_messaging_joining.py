"""Several notifications to one recipient become one text with one link, and the ledger knows each case task's fate."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from sqlalchemy import event as listening

from chassis.columns import new_id
from chassis.testing import deliver, received
from contracts import tasks
from contracts.base import Event
from contracts.messaging import DELIVERY_DELIVERED, DELIVERY_FAILED, DELIVERY_SENT, DELIVERY_SUPPRESSED
from services.messaging import batch_views, batches, deliveries, estimates, history, statuses
from services.messaging.adapters.base import Deferred, Outgoing, Refused, Unknown
from services.messaging.dispatching import joining, preparation
from services.messaging.models import Delivery
from tests.service.messaging_desk import Desk, desk, together
from tests.service.one_database import on_one_database

__all__ = ["desk"]

TITLES = "{{ task.count }}: {{ task.title }} {{ task.link }}"


def ask(desk: Desk, items: list[dict[str, Any]], **given: Any) -> str:
    """Asks for joined notifications in one chunk."""
    content_id = desk.content(given.pop("body", TITLES))
    return desk.ask(items, content_id=content_id, coalesce=True, **given)


def titled(desk: Desk, title: str, status: str = "to_do") -> str:
    case_task_id = desk.task(status)
    desk.tasks[case_task_id]["title"] = title
    return case_task_id


def complete(desk: Desk, case_task_id: str) -> None:
    desk.tasks[case_task_id]["status"] = "completed"
    data = {**tasks.TASK_COMPLETED.example, "case_task_id": case_task_id}
    event = received(tasks.TASK_COMPLETED, data, firm_id=desk.firm_id, subscription="test")
    deliver(desk.service, "drop_closed_tasks", event)
    deliver(desk.service, "drop_closed_tasks", event)


def told_of(desk: Desk, event: Event) -> set[str]:
    return {data["case_task_id"] for data in desk.emitted(event)}


def leader_and_followers(desk: Desk, batch_id: str) -> tuple[Delivery, list[Delivery]]:
    rows = desk.deliveries(batch_id)
    (leader,) = [row for row in rows if row.joined_to == row.id]
    return leader, [row for row in rows if row.joined_to == leader.id and row.id != leader.id]


@on_one_database
def test_ten_open_tasks_are_one_message_with_one_link(desk: Desk) -> None:
    person, other = desk.person(), desk.person()
    items = [desk.item(person, case_task_id=titled(desk, f"Paper {number}")) for number in range(10)]
    batch_id = ask(desk, [*items, desk.item(other, case_task_id=titled(desk, "A form"))])
    desk.run()
    assert desk.outcome(batch_id) == {"sent": 11}
    (text,) = desk.provider.texts_to(desk.number(person))
    assert text.startswith("10: Paper 0, Paper 1, Paper 2 and 7 more https://")
    assert desk.provider.texts_to(desk.number(other))[0].startswith("1: A form https://")
    scopes = {link["client_id"]: link["scope"] for link in desk.links}
    assert len(desk.links) == 2
    assert scopes[person] == {"kind": "tasks", "case_task_id": None, "case_form_id": None, "case_ids": []}
    assert scopes[other]["kind"] == "task"
    assert told_of(desk, DELIVERY_SENT) == set(desk.tasks)
    leader, followers = leader_and_followers(desk, batch_id)
    assert {row.sent_at for row in followers} == {leader.sent_at}
    ledger = batch_views.list_deliveries(
        desk.db, desk.calls, batch_id=batch_id, state=None, reason=None, limit=50, cursor=None, sort=None
    )["data"]
    assert sorted(row["joined_to"] or "" for row in ledger) == ["", "", *[leader.id] * 9]
    assert sum(row["attempts"] for row in ledger) == sum(row["segments"] or 0 for row in ledger) == 2
    batch = desk.batch(batch_id)
    assert (batch["state"], batch["deliveries"], batch["counts"]) == ("finished", 11, {"sent": 11})
    said = history.list_messages(
        desk.db, client_id=person, address=None, direction=None, batch_id=None, limit=50, cursor=None, sort=None
    )
    assert [row["id"] for row in said["data"]] == [leader.id]


def test_a_joined_batch_waits_for_all_its_chunks(desk: Desk) -> None:
    person = desk.person()
    same = {"batch_id": new_id(), "chunks": 2, "accepted": 4, "content_id": desk.content(TITLES), "coalesce": True}
    chunks = [[desk.item(person), desk.item(person)] for _ in range(2)]
    for _ in range(2):
        desk.ask(chunks[0], chunk=1, **same)
    desk.run()
    assert (desk.outcome(same["batch_id"]), desk.provider.accepted) == ({"accepted": 2}, [])
    assert desk.batch(same["batch_id"])["finish_expected_at"] is not None
    for _ in range(2):
        desk.ask(chunks[1], chunk=2, **same)
    desk.run()
    assert desk.outcome(same["batch_id"]) == {"sent": 4}
    assert len(desk.provider.accepted) == 1


@on_one_database
def test_what_cannot_be_joined_is_not(desk: Desk) -> None:
    ann, twin = desk.person(), desk.person()
    desk.people[twin]["sms"] = desk.number(ann)
    shared = desk.task()
    batch_id = ask(desk, [desk.item(ann, twin, case_task_id=shared), desk.item(ann), desk.item(twin), desk.item(twin)])
    desk.run()
    # A link opens one client's tasks: the number gets one text for each of the two.
    assert len(desk.provider.texts_to(desk.number(ann))) == 2
    assert desk.outcome(batch_id) == {"sent": 4, "duplicate": 1}
    plain = desk.ask([desk.item(ann), desk.item(ann)])
    desk.run()
    assert desk.outcome(plain) == {"sent": 2}
    assert len(desk.provider.texts_to(desk.number(ann))) == 4


@pytest.mark.parametrize("prepared", [False, True])
@pytest.mark.parametrize("closed", [0, 1])
def test_another_takes_over_when_the_leaders_task_closes(desk: Desk, prepared: bool, closed: int) -> None:
    person = desk.person()
    case_tasks = [titled(desk, title) for title in ("One", "Two", "Three")]
    batch_id = ask(desk, [desk.item(person, case_task_id=id_) for id_ in case_tasks])
    if prepared:
        desk.prepare()
    complete(desk, case_tasks[closed])
    desk.run()
    assert desk.outcome(batch_id) == {"sent": 2, "task_closed": 1}
    (text,) = desk.provider.texts_to(desk.number(person))
    left = [title for number, title in enumerate(("One", "Two", "Three")) if number != closed]
    assert text.startswith(f"2: {left[0]} and {left[1]} ")
    assert told_of(desk, DELIVERY_SUPPRESSED) == {case_tasks[closed]}
    rows = {row.case_task_id: row for row in desk.deliveries(batch_id)}
    assert rows[case_tasks[closed]].joined_to is None


def test_one_that_is_left_alone_is_a_message_of_its_own(desk: Desk) -> None:
    person = desk.person()
    case_tasks = [titled(desk, "One"), titled(desk, "Two", "completed")]
    batch_id = ask(desk, [desk.item(person, case_task_id=id_) for id_ in case_tasks])
    desk.run()
    assert desk.outcome(batch_id) == {"sent": 1, "task_closed": 1}
    scope = {"kind": "task", "case_task_id": case_tasks[0], "case_form_id": None, "case_ids": []}
    assert desk.links[0]["scope"] == scope
    assert [row.joined_to for row in desk.deliveries(batch_id)] == [None, None]


@on_one_database
def test_what_was_joined_within_a_day_is_not_sent_again(desk: Desk) -> None:
    person = desk.person()
    items = [desk.item(person) for _ in range(3)]
    ask(desk, items)
    desk.run()
    again = ask(desk, [*items, desk.item(person)])
    desk.run()
    assert desk.outcome(again) == {"repeated": 3, "sent": 1}


def test_followers_go_wherever_the_leader_goes(desk: Desk) -> None:
    person = desk.person()
    batch_id = ask(desk, [desk.item(person) for _ in range(3)])

    def states() -> set[tuple[str, str | None]]:
        return {(row.state, row.reason) for row in desk.deliveries(batch_id)}

    desk.provider.answer = lambda message: Deferred(5.0)
    desk.prepare()
    assert states() == {("queued", None)}
    desk.send()
    assert states() == {("queued", None)}
    desk.clock.advance(seconds=10)
    desk.provider.answer = lambda message: Unknown("timeout")
    desk.send()
    assert states() == {("unknown", None)}
    desk.clock.advance(seconds=120)
    desk.sending.settle_some()  # the provider has never heard of it
    assert states() == {("queued", None)}
    desk.provider.answer = lambda message: None
    desk.send()
    assert states() == {("sent", None)}
    assert len(desk.provider.accepted) == 1
    leader, _ = leader_and_followers(desk, batch_id)
    status = {"provider": "recording", "provider_id": "SM1", "token": leader.id}
    for _ in range(2):
        statuses.record_delivery_status(desk.everywhere, status="undelivered", error_code="30003", **status)
    assert states() == {("undelivered", "30003")}
    assert len(told_of(desk, DELIVERY_FAILED)) == len(desk.emitted(DELIVERY_FAILED)) == 3
    statuses.record_delivery_status(desk.everywhere, status="delivered", **status)
    assert states() == {("delivered", None)}
    assert len(desk.emitted(DELIVERY_DELIVERED)) == 3


@on_one_database
def test_a_refusal_and_a_callback_that_comes_first_reach_all(desk: Desk) -> None:
    person, second = desk.person(), desk.person()
    refused = ask(desk, [desk.item(person) for _ in range(3)])
    desk.provider.answer = lambda message: Refused("21211")
    desk.run()
    assert desk.outcome(refused) == {"invalid_address": 3}
    early = ask(desk, [desk.item(second) for _ in range(3)])
    desk.provider.answer = lambda message: None

    def call_back(message: Outgoing) -> None:
        status = {"provider_id": "SM1", "status": "delivered", "token": message.token}
        statuses.record_delivery_status(desk.everywhere, provider="recording", **status)

    desk.provider.before_answer = call_back
    desk.run()
    assert desk.outcome(early) == {"delivered": 3}
    assert all(row.sent_at is not None for row in desk.deliveries(early))


def test_stop_cancel_pause_erase_and_a_change_hold_for_all_of_a_group(desk: Desk) -> None:
    stopped, gone, moved, cancelled = (desk.person() for _ in range(4))
    of_stopped = ask(desk, [desk.item(stopped) for _ in range(3)])
    of_gone = ask(desk, [desk.item(gone) for _ in range(3)])
    of_moved = ask(desk, [desk.item(moved) for _ in range(3)])
    of_cancelled = ask(desk, [desk.item(cancelled) for _ in range(3)])
    paused = ask(desk, [desk.item(cancelled) for _ in range(3)])
    desk.prepare()
    desk.reply(desk.number(stopped), "STOP")
    batches.pause_batch(desk.db, desk.calls, batch_id=paused)
    assert batches.cancel_batch(desk.db, desk.calls, batch_id=of_cancelled)["counts"] == {"cancelled": 3}
    desk.people[gone]["state"] = "erased"
    desk.people[moved]["sms"] = "+12125559999"
    with desk.db.unit_of_work() as uow:
        deliveries.suppress_erased(uow, gone, desk.clock())
        deliveries.prepare_again(uow, [moved], desk.clock())
    assert desk.outcome(of_moved) == {"accepted": 3}
    desk.run()
    assert desk.outcome(of_stopped) == {"opted_out": 3}
    assert desk.outcome(of_gone) == {"client_erased": 3}
    assert len(desk.emitted(DELIVERY_SUPPRESSED)) == 6
    assert desk.outcome(of_moved) == {"sent": 3}
    assert desk.outcome(paused) == {"queued": 3}
    assert len(desk.provider.texts_to("+12125559999")) == 1
    assert desk.provider.texts_to(desk.number(cancelled)) == []
    batches.resume_batch(desk.db, desk.calls, batch_id=paused)
    desk.run()
    assert desk.outcome(paused) == {"sent": 3}


def test_a_group_is_never_torn_between_two_that_prepare(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "JOINED_AT_ONCE", 4)
    people = [desk.person() for _ in range(6)]
    batch_id = ask(desk, [desk.item(*people) for _ in range(3)])
    second = desk.dispatcher()
    while any(together(desk.sending.prepare_some, second.prepare_some)):
        pass
    desk.run()
    assert desk.outcome(batch_id) == {"sent": 18}
    assert sorted(message.to for message in desk.provider.accepted) == sorted(desk.number(one) for one in people)


@on_one_database
def test_what_was_reserved_and_lost_leaves_the_group_to_the_next(desk: Desk) -> None:
    person = desk.person()
    batch_id = ask(desk, [desk.item(person) for _ in range(3)])
    late = preparation.reserve(desk.db, "one that was slow", desk.clock())
    assert [len(wish.followers) for wish in late] == [2]
    desk.clock.advance(seconds=20)
    assert len(preparation.reserve(desk.db, "another", desk.clock())) == 1
    preparation.prepare(desk.db, desk.calls, late, "one that was slow", sandbox=(), now=desk.clock)
    preparation.give_up(desk.db, late, "one that was slow", desk.clock())
    assert desk.outcome(batch_id) == {"accepted": 3}
    desk.clock.advance(seconds=20)
    desk.run()
    assert desk.outcome(batch_id) == {"sent": 3}
    assert len(desk.provider.accepted) == 1


def test_a_channel_that_only_some_may_use_splits_the_group(desk: Desk) -> None:
    ann, twin = desk.person(email="ann@example.com"), desk.person()
    desk.people[twin]["sms"] = desk.number(ann)
    shared = titled(desk, "Shared")
    first = desk.ask([desk.item(twin, case_task_id=shared)], content_id=desk.content())
    desk.run()
    batch_id = ask(desk, [desk.item(ann, case_task_id=id_) for id_ in (shared, desk.task(), desk.task())])
    desk.run()
    assert (desk.outcome(first), desk.outcome(batch_id)) == ({"sent": 1}, {"repeated": 1, "sent": 2})
    assert len(desk.provider.accepted) == 2


def test_words_are_listed_in_the_texts_language() -> None:
    assert joining.list_words(["A"], "en") == "A"
    assert joining.list_words(["A", "A", "", "B"], "en") == "A and B"
    assert joining.list_words(["A", "B", "C"], "es-MX") == "A, B y C"
    assert joining.list_words(list("ABCDE"), None) == "A, B, C and 2 more"
    assert joining.list_words(list("ABCDE"), "es") == "A, B, C y 2 más"
    assert joining.list_words([], "en") == ""


def test_a_joined_batch_is_sent_when_it_is_its_time(desk: Desk) -> None:
    person, at = desk.person(), desk.clock() + dt.timedelta(hours=2)
    batch_id = ask(desk, [desk.item(person) for _ in range(3)], timing={"mode": "at", "at": at})
    desk.run()
    assert desk.outcome(batch_id) == {"accepted": 3}
    desk.clock.advance(hours=2)
    desk.run()
    assert desk.outcome(batch_id) == {"sent": 3}


def test_a_joined_batch_waits_for_the_firm_to_open_as_one(desk: Desk) -> None:
    opens, closes = dt.time(9), dt.time(17)
    desk.firm["business_hours"] = {day: [{"opens": opens, "closes": closes}] for day in ("monday", "tuesday")}
    person = desk.person()
    case_tasks = [titled(desk, title) for title in ("One", "Two", "Three")]
    hours = {"mode": "business_hours", "at": None}
    batch_id = ask(desk, [desk.item(person, case_task_id=id_) for id_ in case_tasks], timing=hours)
    desk.run()  # a Saturday
    desk.tasks[case_tasks[0]]["status"] = "completed"
    assert desk.outcome(batch_id) == {"accepted": 3}
    desk.clock.advance(days=2)
    desk.run()
    assert desk.outcome(batch_id) == {"task_closed": 1, "sent": 2}
    assert desk.provider.texts_to(desk.number(person))[0].startswith("2: Two and Three ")


def test_the_dry_run_counts_the_messages_that_go_out(desk: Desk) -> None:
    person, other = desk.person(), desk.person(number=None)
    items = [desk.item(person, other) for _ in range(4)]
    given = {"message": {"template_id": None, "body": TITLES}, "channels": ["sms"], "fallback": False}
    found = estimates.estimate(
        desk.db, desk.calls, desk.service.settings, allow_repeat=False, coalesce=True, items=items, now=desk.clock(),
        **given,
    )  # fmt: skip
    assert found["recipients"] == {"send": 1, "joined": 3, "no_address": 4}
    assert found["segments"] == 1


def test_a_batch_that_is_not_joined_costs_no_statement_for_it(desk: Desk) -> None:
    seen: list[str] = []
    listening.listen(desk.everywhere.engines.write, "before_cursor_execute", lambda *given: seen.append(given[2]))
    person = desk.person()
    desk.ask([desk.item(person), desk.item(person)])
    desk.run()
    assert len(desk.provider.accepted) == 2
    about_joining = re.compile(r"joined_to (=|!=|IN|IS NOT)|first_value|OVER")
    assert [statement for statement in seen if about_joining.search(statement.partition("WHERE")[2])] == []
    ask(desk, [desk.item(person), desk.item(person)])
    desk.run()
    assert [statement for statement in seen if about_joining.search(statement)], "the pattern finds what there is"
