"""From a request's chunk to settled deliveries: who gets a message, who does not and why, and that sums add up."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import select

from chassis.columns import new_id
from chassis.context import current, use
from chassis.database import Database
from chassis.precedence import precedence
from chassis.rpc import RemoteFault
from chassis.testing import deliver, received
from contracts import accounts, clients, tasks
from contracts.errors import NotFound, Unavailable
from contracts.messaging import BATCH_FINISHED, DELIVERY_SENT, DELIVERY_SUPPRESSED
from services.messaging import batch_views, batches, contents, deliveries, senders
from services.messaging.adapters.base import Refused
from services.messaging.dispatching import outcomes, rendering
from services.messaging.models import Delivery
from tests.service.messaging_desk import NOW, PUBLIC_URL, Desk, desk
from tests.service.one_database import on_one_database

__all__ = ["desk"]


def test_a_batch_is_prepared_sent_and_finished(desk: Desk) -> None:
    people = [desk.person() for _ in range(5)]
    batch_id = desk.ask([desk.item(person) for person in people])
    desk.run()
    assert desk.outcome(batch_id) == {"sent": 5}
    assert sorted(message.to for message in desk.provider.accepted) == sorted(desk.number(one) for one in people)
    batch = desk.batch(batch_id)
    assert (batch["state"], batch["accepted"], batch["deliveries"]) == ("finished", 5, 5)
    assert batch["progress"] == {"done": 5, "total": 5}
    assert len(desk.emitted(DELIVERY_SENT)) == 5
    assert [data["state"] for data in desk.emitted(BATCH_FINISHED)] == ["finished"]


def test_a_batch_that_cannot_be_finished_keeps_no_other_open(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [desk.ask([desk.item(desk.person())]) for _ in range(3)]
    desk.prepare()
    while {"queued": 1} in [desk.outcome(batch_id) for batch_id in asked]:
        desk.send()
        desk.clock.advance(seconds=0.1)
    finish, tried = batches.finish_batch, []

    def fail_first(db: Database, batch_id: str) -> None:
        tried.append(batch_id)
        if len(tried) == 1:
            raise RuntimeError
        finish(db, batch_id)

    monkeypatch.setattr(batches, "finish_batch", fail_first)
    desk.sending.finish_some()
    open_ones = [batch_id for batch_id in asked if desk.batch(batch_id)["state"] != "finished"]
    assert open_ones == tried[:1]


def test_a_chunk_that_comes_twice_changes_nothing(desk: Desk) -> None:
    event = desk.event([desk.item(desk.person(), desk.person())])
    deliver(desk.service, "accept_chunk", event)
    deliver(desk.service, "accept_chunk", event)
    again = desk.event(**event.data)
    deliver(desk.service, "accept_chunk", again)
    desk.run()
    assert desk.outcome(event.data["batch_id"]) == {"sent": 2}
    assert desk.batch(event.data["batch_id"])["state"] == "finished"


def test_a_chunk_is_written_in_parts_of_one_transaction(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "IN_A_ROW", 2)
    event = desk.event([desk.item(desk.person(), desk.person()), desk.item(*[desk.person() for _ in range(3)])])
    deliver(desk.service, "accept_chunk", event)
    deliver(desk.service, "accept_chunk", event)
    assert desk.outcome(event.data["batch_id"]) == {"accepted": 5}


def test_a_chunk_lets_calls_go_first_after_each_part(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "IN_A_ROW", 2)
    stepped_aside = []
    monkeypatch.setattr(precedence, "step_aside", lambda: stepped_aside.append(True))
    desk.ask([desk.item(*[desk.person() for _ in range(5)])])
    # On SQLite nobody could write meanwhile, so that it goes on.
    assert len(stepped_aside) == (0 if desk.db.engines.is_sqlite else 3)


@on_one_database
def test_a_batch_is_not_finished_before_its_last_chunk(desk: Desk) -> None:
    batch_id, content_id = new_id(), desk.content()
    items = [desk.item(desk.person()), desk.item(desk.person())]
    same = {"batch_id": batch_id, "chunks": 2, "accepted": 2, "content_id": content_id}
    for _ in range(2):  # the same chunk, in two events
        desk.ask(items[:1], chunk=1, **same)
    desk.run()
    assert desk.batch(batch_id)["state"] == "running"
    desk.ask(items[1:], chunk=2, **same)
    desk.run()
    assert desk.batch(batch_id)["state"] == "finished"
    assert desk.outcome(batch_id) == {"sent": 2}


def test_the_link_is_whole_only_in_what_is_sent(desk: Desk) -> None:
    desk.ask([desk.item(desk.person())])
    desk.run()
    (message,) = desk.provider.accepted
    token = message.body.rpartition("/p/")[2]
    assert message.body == f"Hi Ann: {PUBLIC_URL}/p/{token}"
    assert len(token) == 43
    (delivery,) = desk.deliveries()
    assert delivery.body == f"Hi Ann: {PUBLIC_URL}/p/\u2026{token[-6:]}"
    assert delivery.variables is None
    assert token not in str(desk.links)
    assert [link["delivery_id"] for link in desk.links] == [delivery.id]


def test_each_reason_not_to_send(desk: Desk) -> None:
    blocked = desk.person(state="blocked")
    stopped, fine, twin = desk.person(), desk.person(), desk.person()
    desk.people[twin]["sms"] = desk.number(fine)
    desk.reply(desk.number(stopped), "STOP")
    task = desk.task()
    closed = desk.task("completed")
    batch_id = desk.ask(
        [
            desk.item(fine, twin, case_task_id=task),
            desk.item(blocked),
            desk.item(stopped),
            desk.item(desk.person(), case_task_id=closed),
            desk.item(desk.person(number=None)),
            desk.item(desk.person(number="+1")),
            desk.item("018f4e9a-0000-7000-8000-00000000dead"),
        ]
    )
    desk.run()
    assert desk.outcome(batch_id) == {
        "sent": 1, "duplicate": 1, "client_blocked": 1, "opted_out": 1, "task_closed": 1, "no_address": 1,
        "invalid_address": 1, "client_erased": 1,
    }  # fmt: skip
    batch = desk.batch(batch_id)
    assert sum(batch["counts"].values()) == batch["deliveries"] == 8
    assert sum(batch["suppressions"].values()) == batch["counts"]["suppressed"] == 7
    assert len(desk.emitted(DELIVERY_SUPPRESSED)) == 7


def test_what_was_notified_within_a_day_is_not_sent_again(desk: Desk) -> None:
    item = desk.item(desk.person())
    desk.ask([item])
    desk.run()
    repeated = desk.ask([item])
    desk.run()
    assert desk.outcome(repeated) == {"repeated": 1}
    allowed = desk.ask([item], allow_repeat=True)
    desk.run()
    assert desk.outcome(allowed) == {"sent": 1}
    desk.clock.advance(hours=25)
    later = desk.ask([item])
    desk.run()
    assert desk.outcome(later) == {"sent": 1}
    assert len(desk.provider.accepted) == 3


@on_one_database
def test_paused_work_waits_and_a_cancelled_batch_sends_nothing(desk: Desk) -> None:
    batch_id = desk.ask([desk.item(desk.person()) for _ in range(3)])
    desk.prepare()
    batches.pause_batch(desk.db, desk.calls, batch_id=batch_id)
    desk.send()
    assert desk.provider.accepted == []
    batches.resume_batch(desk.db, desk.calls, batch_id=batch_id)
    desk.provider.answer = lambda message: Refused("30003") if len(desk.provider.accepted) == 1 else None
    desk.run()
    assert desk.outcome(batch_id) == {"sent": 1, "failed": 2}
    second = desk.ask([desk.item(desk.person()) for _ in range(3)])
    desk.prepare()
    answer = batches.cancel_batch(desk.db, desk.calls, batch_id=second)
    assert (answer["state"], answer["counts"]) == ("cancelled", {"cancelled": 3})
    desk.run()
    assert desk.outcome(second) == {"cancelled": 3}


def test_a_cancel_answers_soon_however_large_the_batch(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it leaves is cancelled as soon, and told by whoever keeps house."""
    monkeypatch.setattr(batches, "SWEEP", 1)
    monkeypatch.setattr(batches, "SWEPT_FOR", 0.0)
    batch_id = desk.ask([desk.item(desk.person()) for _ in range(3)])
    desk.prepare()
    answer = batches.cancel_batch(desk.db, desk.calls, batch_id=batch_id)
    assert (answer["state"], answer["counts"]) == ("cancelled", {"cancelled": 1, "queued": 2})
    desk.send()
    desk.sending.finish_some()
    assert desk.outcome(batch_id) == {"cancelled": 3}
    assert desk.provider.accepted == []


def test_a_cancel_that_comes_before_the_chunks_is_applied_to_them(desk: Desk) -> None:
    event = desk.event([desk.item(desk.person())])
    batch_id = event.data["batch_id"]
    assert desk.batch(batch_id)["accepted"] == 1  # tasks' request answers until messaging knows the batch
    batches.cancel_batch(desk.db, desk.calls, batch_id=batch_id)
    deliver(desk.service, "accept_chunk", event)
    assert desk.outcome(batch_id) == {"cancelled": 1}
    desk.run()
    assert desk.outcome(batch_id) == {"cancelled": 1}
    assert desk.batch(batch_id)["state"] == "cancelled"


def test_a_batch_of_nobody_is_not_found(desk: Desk) -> None:
    for command in (batch_views.get_batch, batches.cancel_batch, batches.pause_batch):
        with pytest.raises(NotFound):
            command(desk.db, desk.calls, batch_id=new_id())


def test_another_firms_batch_is_not_found(desk: Desk) -> None:
    batch_id = desk.ask([desk.item(desk.person())])
    other = Desk(desk.everywhere, office="+12125550101")
    with use(other.context), pytest.raises(NotFound):
        batches.cancel_batch(other.db, other.calls, batch_id=batch_id)
    desk.run()
    assert desk.outcome(batch_id) == {"sent": 1}


@on_one_database
def test_a_schedule_is_kept_and_quiet_hours_bind(desk: Desk) -> None:
    desk.firm["quiet_hours"] = {"opens": dt.time(8), "closes": dt.time(21)}
    at = NOW + dt.timedelta(hours=10)  # 22:00 in New York, 19:00 in Los Angeles
    east, west = desk.person(), desk.person(time_zone="America/Los_Angeles")
    batch_id = desk.ask([desk.item(east, west)], timing={"mode": "at", "at": at})
    desk.run()
    assert desk.outcome(batch_id) == {"accepted": 2}
    desk.clock.now = at
    desk.run()
    assert [message.to for message in desk.provider.accepted] == [desk.number(west)]
    desk.clock.now = NOW + dt.timedelta(hours=20)  # 8:00 in New York
    desk.run()
    assert [message.to for message in desk.provider.accepted] == [desk.number(west), desk.number(east)]


def test_a_window_that_closes_in_between_moves_the_message_to_the_next(desk: Desk) -> None:
    desk.firm["quiet_hours"] = {"opens": dt.time(8), "closes": dt.time(21)}
    desk.clock.now = NOW + dt.timedelta(hours=8, minutes=59, seconds=59)
    batch_id = desk.ask([desk.item(desk.person())])
    desk.prepare()
    desk.clock.advance(seconds=2)
    desk.send()
    assert desk.outcome(batch_id) == {"accepted": 1}
    desk.run()
    assert desk.provider.accepted == []
    desk.clock.now = NOW + dt.timedelta(hours=20)
    desk.run()
    assert desk.outcome(batch_id) == {"sent": 1}


def test_business_hours_and_holidays(desk: Desk) -> None:
    hours = [{"opens": dt.time(9), "closes": dt.time(17)}]
    desk.firm |= {"business_hours": {"monday": hours, "tuesday": hours}, "holidays": [dt.date(2026, 11, 23)]}
    batch_id = desk.ask([desk.item(desk.person())], timing={"mode": "business_hours", "at": None})
    desk.run()
    (delivery,) = desk.deliveries(batch_id)
    assert delivery.state == "accepted"
    assert delivery.due_at == dt.datetime(2026, 11, 24, 14, tzinfo=dt.UTC)  # Tuesday, 9 o'clock in New York
    desk.clock.now = delivery.due_at
    desk.run()
    assert desk.outcome(batch_id) == {"sent": 1}


@on_one_database
def test_a_rate_is_kept(desk: Desk) -> None:
    desk.sender(rate=4.0)
    desk.ask([desk.item(desk.person()) for _ in range(6)])
    desk.prepare()
    counts = []
    for _ in range(5):
        desk.send()
        desk.send()
        counts.append(len(desk.provider.accepted))
        desk.clock.advance(seconds=0.25)
    assert counts == [1, 2, 3, 4, 5]


@on_one_database
def test_a_changed_number_is_used_by_what_still_waits(desk: Desk) -> None:
    person = desk.person()
    batch_id = desk.ask([desk.item(person)])
    desk.prepare()
    desk.people[person]["sms"] = "+12125559999"
    data = {"client_id": person, "version": 2, "status": "active", "tags": [], "language": None, "changed": ["phones"]}
    event = received(clients.CLIENT_CHANGED, data, firm_id=desk.firm_id)
    deliver(desk.service, "refresh_clients", event)
    desk.run()
    assert [message.to for message in desk.provider.accepted] == ["+12125559999"]
    assert desk.outcome(batch_id) == {"sent": 1}
    deliver(desk.service, "refresh_clients", event)
    assert desk.outcome(batch_id) == {"sent": 1}


def test_a_task_completed_meanwhile_is_not_asked_for(desk: Desk) -> None:
    done = desk.item(desk.person())
    batch_id = desk.ask([done, desk.item(desk.person())])
    desk.prepare()
    data = {
        "case_task_id": done["case_task_id"], "case_id": done["case_id"], "template_id": new_id(), "client_id": None,
        "answered_by": "staff", "mapped": None, "answer_version": 1,
    }  # fmt: skip
    deliver(desk.service, "drop_closed_tasks", received(tasks.TASK_COMPLETED, data, firm_id=desk.firm_id))
    desk.run()
    assert desk.outcome(batch_id) == {"task_closed": 1, "sent": 1}


@on_one_database
def test_the_first_reachable_channel_with_fallback(desk: Desk) -> None:
    put = {"provider": "recording", "rate": 1000.0, "messaging_service_sid": None}
    senders.put_sender(desk.db, channel="email", address="office@firm.test", **put)
    by_email = desk.person(number=None, email="Bo@Mail.test")
    by_sms = desk.person(email="cy@mail.test")
    stopped = desk.person(email="di@mail.test")
    desk.reply(desk.number(stopped), "STOP")
    batch_id = desk.ask([desk.item(by_email, by_sms, stopped)], channels=["sms", "email"], fallback=True)
    desk.run()
    reached = sorted(message.to for message in desk.provider.accepted if "/p/" in message.body)
    assert reached == [desk.number(by_sms), "bo@mail.test", "di@mail.test"]
    assert desk.outcome(batch_id) == {"sent": 3}


def test_texts_speak_the_clients_language_and_name_the_case(desk: Desk) -> None:
    spanish = desk.person(language="es")
    variants = [
        {"channel": "sms", "language": "en", "subject": None, "body": "{{ case.name }} ({{ staff.name }})"},
        {"channel": "sms", "language": "es", "subject": None, "body": "{{ case.custom_fields.court }} {{ firm.name }}"},
    ]
    template = contents.create_template(desk.db, name="Ask", variants=variants)
    message = {"template_id": template["id"], "body": None, "subject": None}
    content_id = contents.save_content(desk.db, message=message, channels=["sms"])["content_id"]
    desk.ask([desk.item(spanish), desk.item(desk.person())], content_id=content_id)
    desk.run()
    assert sorted(message.body for message in desk.provider.accepted) == ["Doe v. Roe (Ada)", "north Harbor & Lane"]


@on_one_database
def test_one_that_cannot_be_prepared_fails_alone(desk: Desk) -> None:
    poison = desk.person(time_zone=7)
    batch_id = desk.ask([desk.item(desk.person()), desk.item(poison), desk.item(desk.person())])
    desk.firm["quiet_hours"] = {"opens": dt.time(8), "closes": dt.time(21)}
    plain = outcomes.place_of
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outcomes, "place_of", lambda **facts: plain(**facts) if facts["time_zone"] != "7" else 1 / 0)
        desk.run()
        assert desk.outcome(batch_id) == {"sent": 2, "accepted": 1}
        desk.clock.advance(hours=1)
        desk.run()
    assert desk.outcome(batch_id) == {"sent": 2, "failed": 1}
    assert [row.reason for row in desk.deliveries(batch_id) if row.state == "failed"] == ["not_prepared"]


def test_a_fault_of_another_service_that_is_mended_soon_ends_nothing(desk: Desk) -> None:
    def fail(**asked: Any) -> None:
        raise RemoteFault("internal_error")

    batch_id = desk.ask([desk.item(desk.person()) for _ in range(2)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(desk.calls.answers, tasks.GET_CASE_TASK_FACTS, fail)
        desk.run()
    assert desk.outcome(batch_id) == {"accepted": 2}
    desk.clock.advance(minutes=10)
    desk.run()
    assert desk.outcome(batch_id) == {"sent": 2}


def test_what_is_to_be_prepared_anew_is_tried_for_an_hour_from_then_on(desk: Desk) -> None:
    def fail(**asked: Any) -> None:
        raise RemoteFault("internal_error")

    batch_id = desk.ask([desk.item(desk.person())])
    desk.prepare()
    desk.clock.advance(hours=2)
    with desk.db.unit_of_work() as uow:
        deliveries.prepare_again(uow, list(desk.people), desk.clock())
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(desk.calls.answers, tasks.GET_CASE_TASK_FACTS, fail)
        for state in ("accepted", "accepted", "failed"):
            desk.prepare()
            assert desk.outcome(batch_id) == {state: 1}
            desk.clock.advance(minutes=30)


def test_one_whose_text_is_broken_fails_alone(desk: Desk) -> None:
    batch_id = desk.ask([desk.item(desk.person()) for _ in range(3)])
    desk.prepare()
    with desk.db.unit_of_work() as uow:
        first = uow.session.scalars(select(Delivery).limit(1)).one()
        first.content_id = new_id()
    desk.run()
    assert desk.outcome(batch_id) == {"sent": 2, "failed": 1}


@on_one_database
def test_a_text_that_is_no_longer_kept_is_read_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "_CONTENTS_KEPT", 1)
    first, second, third = (desk.content(f"{word} of three") for word in ("One", "Two", "Three"))
    for content_id in (first, second):
        desk.ask([desk.item(desk.person())], content_id=content_id)
        desk.run()
    asked = [desk.ask([desk.item(desk.person())], content_id=content_id) for content_id in (first, third)]
    desk.run()
    assert [desk.outcome(batch_id) for batch_id in asked] == [{"sent": 1}, {"sent": 1}]


def test_a_firm_whose_facts_are_away_does_not_keep_others_waiting(desk: Desk) -> None:
    other = Desk(desk.everywhere, office="+12125550103")
    first, second = sorted((desk, other), key=lambda each: each.firm_id)
    batches_of = {}
    for each in (first, second):
        with use(each.context):
            batches_of[each.firm_id] = each.ask([each.item(each.person())])

    def facts() -> dict[str, Any]:
        context = current()
        if context is not None and context.firm_id == first.firm_id:
            raise Unavailable("service_unavailable")
        return {"id": second.firm_id, **second.firm}

    second.calls.answers[accounts.GET_FIRM] = facts
    second.prepare()
    assert second.outcome(batches_of[second.firm_id]) == {"queued": 1}
    assert first.outcome(batches_of[first.firm_id]) == {"accepted": 1}
