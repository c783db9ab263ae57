"""What comes of calls that do not simply succeed: nothing is lost, nothing is sent twice, every doubt is settled."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal

import eventlet
import pytest

from contracts.errors import Unavailable
from services.messaging.adapters.base import Accepted, Deferred, NotConnected, Refused, Result, Unknown
from services.messaging.consents.consent_ledger import list_consents
from services.messaging.dispatching import doubts, results
from services.messaging.statuses import record_delivery_status
from tests.service.messaging_desk import Desk, desk
from tests.service.one_database import on_one_database

__all__ = ["desk"]


def status(desk: Desk, delivery_id: str, word: str, provider_id: str = "SM1", code: str | None = None) -> bool:
    given = {"provider": "twilio", "provider_id": provider_id, "status": word, "error_code": code}
    return bool(record_delivery_status(desk.everywhere, token=delivery_id, **given)["applied"])


def ask_one(desk: Desk) -> str:
    return desk.ask([desk.item(desk.person())])


def sent_by_one_who_was_killed(desk: Desk) -> str:
    """The batch of one message whose dispatcher ended between the provider's answer and our commit."""
    batch_id = ask_one(desk)
    desk.prepare()
    desk.sending.send_some()
    desk.sending.slots.wait_all()
    desk.sending.recorder._waiting.clear()
    return batch_id


def settle(desk: Desk) -> None:
    desk.sending.settle_some()


def once(result: Result) -> object:
    """An answer to the first call; the others are accepted."""
    answers = [result]
    return lambda message: answers.pop() if answers else None


def test_a_refusal_is_final(desk: Desk) -> None:
    desk.provider.answer = once(Refused("30007"))
    batch_id = ask_one(desk)
    desk.run()
    (delivery,) = desk.deliveries(batch_id)
    assert (delivery.state, delivery.reason, delivery.attempts) == ("failed", "30007", 1)


def test_a_number_that_is_none_is_suppressed(desk: Desk) -> None:
    desk.provider.answer = once(Refused("21614"))
    batch_id = ask_one(desk)
    desk.run()
    assert desk.outcome(batch_id) == {"invalid_address": 1}


@on_one_database
def test_the_providers_own_opt_out_enters_the_ledger(desk: Desk) -> None:
    person = desk.person()
    desk.provider.answer = once(Refused("21610"))
    batch_id = desk.ask([desk.item(person)])
    desk.run()
    assert desk.outcome(batch_id) == {"opted_out": 1}
    page = {"limit": 50, "cursor": None, "sort": None}
    (entry,) = list_consents(desk.db, desk.calls, address=desk.number(person), client_id=None, **page)["data"]
    assert (entry["state"], entry["source"], entry["evidence"]["code"]) == ("opted_out", "provider", "21610")
    again = desk.ask([desk.item(person)])
    desk.run()
    assert desk.outcome(again) == {"opted_out": 1}
    assert desk.provider.accepted == []


def test_too_many_requests_hold_the_sender_for_the_named_delay(desk: Desk) -> None:
    desk.provider.answer = once(Deferred(30.0))
    batch_id = desk.ask([desk.item(desk.person()) for _ in range(3)])
    desk.prepare()
    desk.send()
    desk.clock.advance(seconds=29)
    desk.send()
    assert desk.provider.accepted == []
    desk.clock.advance(seconds=2)
    desk.run()
    assert desk.outcome(batch_id) == {"sent": 3}


@on_one_database
def test_an_answer_that_cannot_be_kept_keeps_no_other_from_being_recorded(desk: Desk) -> None:
    people = [desk.person() for _ in range(5)]
    bad = desk.number(people[2])
    desk.provider.answer = lambda message: Deferred(math.nan) if message.to == bad else None
    batch_id = desk.ask([desk.item(person) for person in people])
    desk.prepare()
    for _ in people:
        desk.sending.send_some()
        desk.sending.slots.wait_all()
        desk.clock.advance(seconds=0.1)
    desk.sending.recorder.record_some()
    assert desk.outcome(batch_id) == {"sent": 4, "unknown": 1}
    assert not desk.sending.recorder, "it could not end as long as one waits"
    desk.provider.answer = lambda message: None
    desk.clock.advance(seconds=61)
    settle(desk)
    desk.run()
    assert desk.outcome(batch_id) == {"sent": 5}


@on_one_database
def test_what_came_while_the_database_was_away_is_recorded_afterwards(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id = ask_one(desk)
    desk.prepare()
    desk.sending.send_some()
    desk.sending.slots.wait_all()
    with monkeypatch.context() as away:
        away.setattr(results, "record", unavailable)
        desk.sending.recorder.record_some()
    assert desk.outcome(batch_id) == {"sending": 1}
    desk.sending.recorder.record_some()
    assert desk.outcome(batch_id) == {"sent": 1}


def unavailable(*given: object, **named: object) -> None:
    raise Unavailable("database_unavailable")


def test_a_call_that_never_left_is_made_again(desk: Desk) -> None:
    desk.provider.answer = once(NotConnected())
    batch_id = ask_one(desk)
    desk.prepare()
    desk.send()
    assert desk.outcome(batch_id) == {"queued": 1}
    desk.clock.advance(seconds=6)
    desk.run()
    (delivery,) = desk.deliveries(batch_id)
    assert (delivery.state, delivery.attempts) == ("sent", 2)


def test_a_provider_that_is_away_for_a_day_ends_it(desk: Desk) -> None:
    desk.provider.answer = lambda message: NotConnected()
    batch_id = ask_one(desk)
    desk.prepare()
    desk.send()
    desk.clock.advance(hours=25)
    desk.send()
    (delivery,) = desk.deliveries(batch_id)
    assert (delivery.state, delivery.reason) == ("failed", "not_reached")


def accept_without_answer(desk: Desk, code: str) -> None:
    """The provider takes the message, and its answer is lost."""

    def answer(message: object) -> Result:
        desk.provider.accepted.append(message)  # type: ignore[arg-type]
        return Unknown(code)

    desk.provider.answer = answer  # type: ignore[assignment]


@on_one_database
@pytest.mark.parametrize("code", ["timeout", "cut", "http_500"])
def test_an_unknown_fate_is_asked_about_and_never_sent_again(desk: Desk, code: str) -> None:
    accept_without_answer(desk, code)
    batch_id = ask_one(desk)
    desk.prepare()
    desk.send()
    assert desk.outcome(batch_id) == {"unknown": 1}
    desk.clock.advance(seconds=59)
    settle(desk)
    assert desk.provider.asked == []
    desk.clock.advance(seconds=2)
    settle(desk)
    assert desk.outcome(batch_id) == {"sent": 1}
    assert len(desk.provider.accepted) == 1
    desk.sending.finish_some()
    assert desk.batch(batch_id)["state"] == "finished"


@on_one_database
def test_proven_absent_is_sent_again(desk: Desk) -> None:
    desk.provider.answer = once(Unknown("timeout"))
    batch_id = ask_one(desk)
    desk.prepare()
    desk.send()
    desk.clock.advance(seconds=61)
    settle(desk)
    assert desk.outcome(batch_id) == {"queued": 1}
    desk.run()
    assert desk.outcome(batch_id) == {"sent": 1}
    assert len(desk.provider.accepted) == 1


def test_unproven_after_a_day_fails(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    asked_at: list[float] = []
    accept_without_answer(desk, "timeout")
    batch_id = ask_one(desk)
    desk.prepare()
    desk.send()
    begun = desk.clock()
    monkeypatch.setattr(desk.provider, "find", lambda question: asked_at.append((desk.clock() - begun).total_seconds()))
    while (delivery := desk.deliveries(batch_id)[0]).state == "unknown":
        desk.clock.now = delivery.due_at
        settle(desk)
    assert asked_at[:4] == [60, 300, 1800, 5400]
    assert 24 * 3600 <= asked_at[-1] <= 25 * 3600
    assert (delivery.state, delivery.reason) == ("failed", "not_confirmed")
    assert len(desk.provider.accepted) == 1


@on_one_database
def test_what_a_provider_was_asked_for_that_is_not_set_up_any_more_fails_after_a_day(desk: Desk) -> None:
    batch_id = sent_by_one_who_was_killed(desk)
    without = desk.dispatcher()
    del without._providers["recording"]
    for hours, outcome in ((1, "unknown"), (22, "unknown"), (2, "failed")):
        desk.clock.advance(hours=hours)
        without.settle_some()
        assert desk.outcome(batch_id) == {outcome: 1}
    assert desk.deliveries(batch_id)[0].reason == "not_confirmed"
    without.finish_some()
    assert desk.batch(batch_id)["state"] == "finished"
    assert len(desk.provider.accepted) == 1, "never sent again"


@on_one_database
def test_a_dispatcher_without_the_provider_has_no_other_ask_it_too_early(desk: Desk) -> None:
    batch_id = sent_by_one_who_was_killed(desk)
    desk.clock.advance(hours=1)
    across = desk.everywhere.across_firms("a dispatcher's database is bound to no firm")
    assert doubts.sweep_abandoned(across, desk.clock(), {}) == 1
    for minutes, outcome in ((59, "unknown"), (1, "sent")):
        desk.clock.advance(minutes=minutes)
        desk.sending.settle_some()
        assert desk.outcome(batch_id) == {outcome: 1}


@on_one_database
def test_a_question_that_fails_leaves_no_other_in_doubt(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.provider.answer = lambda message: Unknown("timeout")
    batch_id = desk.ask([desk.item(desk.person()) for _ in range(2)])
    desk.prepare()
    desk.send()
    first, find = min(row.id for row in desk.deliveries(batch_id)), desk.provider.find
    monkeypatch.setattr(desk.provider, "find", lambda question: 1 / 0 if question.token == first else find(question))
    desk.clock.advance(seconds=61)
    desk.sending.settle_some()
    assert desk.outcome(batch_id) == {"unknown": 1, "queued": 1}


@on_one_database
@pytest.mark.parametrize("which", [min, max])
def test_a_finding_that_cannot_be_kept_leaves_no_other_in_doubt(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, which: Callable[[list[str]], str]
) -> None:
    desk.provider.answer = lambda message: Unknown("timeout")
    batch_id = desk.ask([desk.item(desk.person()) for _ in range(3)])
    desk.prepare()
    for _ in range(3):
        desk.send()
        desk.clock.advance(seconds=1)
    assert desk.outcome(batch_id) == {"unknown": 3}
    bad, find = which([row.id for row in desk.deliveries(batch_id)]), desk.provider.find
    unreadable = Accepted("SM1", price=Decimal("NaN"), status="sent", segments=2**70)
    monkeypatch.setattr(desk.provider, "find", lambda question: unreadable if question.token == bad else find(question))
    desk.clock.advance(seconds=61)
    desk.sending.settle_some()
    assert desk.outcome(batch_id) == {"unknown": 1, "queued": 2}
    (left,) = [row for row in desk.deliveries(batch_id) if row.id == bad]
    assert (left.lease_owner, left.due_at > desk.clock()) == (None, True), "it is asked about again, at its own pace"
    desk.clock.advance(days=1)
    desk.sending.settle_some()
    (left,) = [row for row in desk.deliveries(batch_id) if row.id == bad]
    assert (left.state, left.reason) == ("failed", "not_confirmed")


def test_a_callback_settles_what_is_unknown(desk: Desk) -> None:
    accept_without_answer(desk, "timeout")
    batch_id = ask_one(desk)
    desk.prepare()
    desk.send()
    (delivery,) = desk.deliveries(batch_id)
    assert status(desk, delivery.id, "delivered")
    assert desk.outcome(batch_id) == {"delivered": 1}


def test_a_call_that_nobody_reported_on_is_asked_about(desk: Desk) -> None:
    batch_id = sent_by_one_who_was_killed(desk)
    second = desk.dispatcher()
    second.settle_some()
    assert desk.outcome(batch_id) == {"sending": 1}, "not before its lease has ended"
    desk.clock.advance(seconds=10)
    second.settle_some()
    assert desk.outcome(batch_id) == {"unknown": 1}
    desk.clock.advance(seconds=61)
    second.settle_some()
    assert desk.outcome(batch_id) == {"sent": 1}
    assert len(desk.provider.accepted) == 1


def test_two_do_not_ask_about_one_doubt(desk: Desk) -> None:
    accept_without_answer(desk, "timeout")
    ask_one(desk)
    desk.prepare()
    desk.send()
    desk.clock.advance(seconds=61)
    second = desk.dispatcher()
    threads = [eventlet.spawn(engine.settle_some) for engine in (desk.sending, second)]
    for thread in threads:
        thread.wait()
    assert len(desk.provider.asked) == 1


def test_statuses_never_go_back_and_repeats_change_nothing(desk: Desk) -> None:
    batch_id = ask_one(desk)
    desk.run()
    (delivery,) = desk.deliveries(batch_id)
    assert status(desk, delivery.id, "delivered")
    for late in ("sent", "queued", "sending", "delivered", "undelivered", "failed", "newly_invented"):
        assert not status(desk, delivery.id, late)
    assert desk.outcome(batch_id) == {"delivered": 1}


def test_undelivered_carries_its_code(desk: Desk) -> None:
    batch_id = ask_one(desk)
    desk.run()
    (delivery,) = desk.deliveries(batch_id)
    assert status(desk, delivery.id, "undelivered", code="30003")
    (delivery,) = desk.deliveries(batch_id)
    assert (delivery.state, delivery.reason) == ("undelivered", "30003")


def test_a_callback_that_comes_before_our_commit_is_kept(desk: Desk) -> None:
    batch_id = ask_one(desk)
    desk.prepare()
    desk.provider.before_answer = lambda message: status(desk, message.token, "delivered", "SM9") and None
    desk.send()
    (delivery,) = desk.deliveries(batch_id)
    assert (delivery.state, delivery.provider_id) == ("delivered", "SM9")
    assert delivery.sent_at is not None


def test_a_bounce_that_comes_before_our_commit_was_sent_all_the_same(desk: Desk) -> None:
    batch_id = ask_one(desk)
    desk.prepare()
    desk.provider.before_answer = lambda message: status(desk, message.token, "undelivered", "SM9") and None
    desk.send()
    (delivery,) = desk.deliveries(batch_id)
    assert delivery.state == "undelivered"
    assert delivery.sent_at is not None


def test_the_providers_own_figures_are_kept(desk: Desk) -> None:
    batch_id = ask_one(desk)
    desk.run()
    (delivery,) = desk.deliveries(batch_id)
    told = {"provider": "twilio", "provider_id": "SM1", "token": delivery.id}
    figures = {"segments": 3, "price": Decimal("-0.0249"), "currency": "USD"}
    record_delivery_status(desk.everywhere, status="sent", **told, **figures)
    record_delivery_status(desk.everywhere, status="delivered", **told)
    (delivery,) = desk.deliveries(batch_id)
    kept = (delivery.provider_segments, delivery.price, delivery.currency)
    assert kept == (3, Decimal("0.0249"), "USD")


def test_a_callback_about_nothing_of_ours_changes_nothing(desk: Desk) -> None:
    for token in (None, "nonsense", "018f4e9a-0000-7000-8000-00000000dead"):
        found = record_delivery_status(desk.everywhere, provider="twilio", provider_id="SM", status="sent", token=token)
        assert found == {"applied": False}
