"""Rates of senders and of providers' accounts, holds, and how long a queue takes."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import event as listening

from chassis.columns import new_id
from services.messaging import batch_views, batches, estimates, senders
from services.messaging.adapters.base import Called, Deferred, Refused, Result
from services.messaging.dispatching import results
from services.messaging.dispatching.sending import Sending
from services.messaging.models import Batch, ProviderRate, Sender
from services.messaging.queues import finish_of
from services.messaging.settings import rates
from services.messaging.statuses import record_delivery_status
from tests.service.messaging_desk import Desk, desk
from tests.service.one_database import on_one_database

__all__ = ["desk"]


def limited(desk: Desk, rate: float) -> Sending:
    """A dispatcher that knows of a rate of the whole account."""
    senders.keep_provider_rates(desk.everywhere, {"recording": rate})
    return desk.dispatcher(limited={"recording"})


def held_until(desk: Desk, model: Any = Sender) -> Any:
    with desk.everywhere.across_firms("a test looks at buckets").read() as session:
        return session.query(model).one().held_until


def test_an_accounts_rate_is_shared_by_all_firms_and_dispatchers(desk: Desk) -> None:
    other = Desk(desk.everywhere, office="+12125550199")
    other.clock = desk.clock
    sending, second = limited(desk, 10.0), limited(desk, 10.0)
    other.provider = desk.provider
    for firm in (desk, other):
        firm.ask([firm.item(firm.person()) for _ in range(20)])
        sending._calls = firm.calls
        firm.prepare()
    for engine, firm in ((sending, desk), (second, other)):
        engine._calls = firm.calls
    sent = []
    for _ in range(4):
        for engine in (sending, second, sending, second):
            desk.send(engine)
        sent.append(len(desk.provider.accepted))
        desk.clock.advance(seconds=0.5)
    # A burst of a quarter second, then five each half second, whoever takes them.
    assert sent[0] <= 3
    assert [after - before for before, after in pairwise(sent)] == [2, 2, 2]


def test_a_provider_without_a_limit_costs_no_statement(desk: Desk) -> None:
    seen: list[str] = []
    engine = desk.everywhere.engines.write
    listening.listen(engine, "before_cursor_execute", lambda *given: seen.append(given[2]))
    desk.ask([desk.item(desk.person())])
    desk.run()
    assert len(desk.provider.accepted) == 1
    assert not any("provider_rate" in statement for statement in seen)


def test_the_settings_rates_are_kept_and_lifted(desk: Desk) -> None:
    senders.keep_provider_rates(desk.everywhere, {"twilio": 100.0, "ses": 14.0})
    senders.keep_provider_rates(desk.everywhere, {"twilio": 80.0})
    senders.keep_provider_rates(desk.everywhere, {"twilio": 80.0})
    with desk.everywhere.across_firms("a test looks at buckets").read() as session:
        assert [(row.provider, row.rate) for row in session.query(ProviderRate)] == [("twilio", 80.0)]
    sending = limited(desk, 10.0)
    senders.keep_provider_rates(desk.everywhere, {})
    desk.ask([desk.item(desk.person())])
    desk.prepare()
    desk.send(sending)
    assert len(desk.provider.accepted) == 1


@pytest.mark.parametrize("given", ["twilio", "twilio=", "twilio=0", "twilio=-1", "nobody=5", "twilio=nan", 5])
def test_rates_that_cannot_be_read_stop_the_start(given: Any) -> None:
    with pytest.raises(ValueError, match="twilio=100"):
        rates(given)


def test_rates_are_read() -> None:
    assert rates(" twilio=100, ses=14.5 ") == {"twilio": 100.0, "ses": 14.5}
    assert rates({"ses": 14}) == {"ses": 14.0}
    assert rates("") == {}


@pytest.mark.parametrize("of_account", [False, True])
def test_a_shorter_delay_does_not_end_a_longer_one(desk: Desk, of_account: bool) -> None:
    """Of two calls that were under way together, the answers are recorded in any order."""
    limited(desk, 100.0)
    sender_id = desk.sender(rate=10.0)
    for seconds in (30.0, 5.0):
        called = Called(new_id(), 1, "+12125550123", "sms", sender_id, Deferred(seconds, of_account))
        results.record(desk.db, [called], desk.clock(), provider="recording", ask_after=60.0)
    assert held_until(desk, ProviderRate if of_account else Sender) == desk.clock() + dt.timedelta(seconds=30)


@on_one_database
@pytest.mark.parametrize("with_row", [False, True])
def test_too_many_for_the_account_holds_it_where_it_has_a_rate(desk: Desk, with_row: bool) -> None:
    sending = limited(desk, 100.0) if with_row else desk.sending
    desk.ask([desk.item(desk.person())])
    desk.provider.answer = lambda message: Deferred(30.0, of_account=True)
    desk.prepare()
    desk.send(sending)
    expected = desk.clock() + dt.timedelta(seconds=30)
    assert held_until(desk) == (None if with_row else expected)
    desk.provider.answer = lambda message: None
    desk.clock.advance(seconds=20)
    if with_row:
        assert held_until(desk, ProviderRate) == expected
    desk.ask([desk.item(desk.person())])
    desk.prepare()
    desk.send(sending)
    assert desk.provider.accepted == []
    desk.clock.advance(seconds=11)
    desk.send(sending)
    desk.send(sending)
    assert len(desk.provider.accepted) == 2


# Refused because of us


@on_one_database
@pytest.mark.parametrize("code", ["20003", "http_401", "http_403", "20005", "21606"])
def test_our_own_mistake_burns_no_message(desk: Desk, code: str) -> None:
    batch_id = desk.ask([desk.item(desk.person()) for _ in range(5)])
    tried: list[str] = []

    def refuse(message: Any) -> Result:
        tried.append(message.token)
        return Refused(code)

    desk.provider.answer = refuse
    desk.prepare()
    pauses = []
    for _ in range(6):
        desk.send()
        assert desk.outcome(batch_id) == {"queued": 5}
        pauses.append((held_until(desk) - desk.clock()).total_seconds())
        desk.clock.advance(seconds=pauses[-1] + 1)
    assert pauses == [30, 120, 600, 1800, 1800, 1800]
    desk.clock.advance(days=3)
    desk.send()
    assert desk.outcome(batch_id) == {"queued": 5}
    desk.provider.answer = lambda message: None
    desk.clock.advance(hours=1)
    desk.run()
    assert desk.outcome(batch_id) == {"sent": 5}
    assert len(desk.provider.accepted) == 5


@on_one_database
def test_a_full_queue_is_tried_later_and_not_for_ever(desk: Desk) -> None:
    batch_id = desk.ask([desk.item(desk.person())])
    desk.provider.answer = lambda message: Refused("21611")
    desk.prepare()
    for _ in range(3):
        desk.send()
        assert desk.outcome(batch_id) == {"queued": 1}
        desk.clock.advance(minutes=6)
    desk.clock.advance(days=1)
    desk.send()
    assert desk.outcome(batch_id) == {"failed": 1}
    assert desk.deliveries(batch_id)[0].reason == "not_reached"


def status(desk: Desk, delivery_id: str, word: str, provider_id: str, code: str | None = None) -> bool:
    given = {"provider": "twilio", "provider_id": provider_id, "status": word, "error_code": code}
    return bool(record_delivery_status(desk.everywhere, token=delivery_id, **given)["applied"])


@on_one_database
@pytest.mark.parametrize("code", ["30001", "30022", "30002"])
def test_what_the_provider_took_and_never_tried_is_sent_again(
    desk: Desk, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.messaging.statuses.utc_now", desk.clock)
    batch_id = desk.ask([desk.item(desk.person())])
    desk.run()
    (delivery,) = desk.deliveries(batch_id)
    assert status(desk, delivery.id, "failed", "SM1", code)
    assert not status(desk, delivery.id, "failed", "SM1", code)
    (delivery,) = desk.deliveries(batch_id)
    assert (delivery.state, delivery.sent_at) == ("accepted", None)
    desk.run()
    assert len(desk.provider.accepted) == 1, "not before its pause"
    desk.clock.advance(minutes=1)
    desk.run()
    assert len(desk.provider.accepted) == 2
    assert desk.provider.accepted[1].body.startswith("Hi Ann: ")
    assert not status(desk, delivery.id, "failed", "SM1", code), "of the first attempt"
    assert (desk.outcome(batch_id), desk.batch(batch_id)["state"]) == ({"sent": 1}, "finished")
    assert status(desk, delivery.id, "delivered", "SM2")
    assert desk.outcome(batch_id) == {"delivered": 1}


def test_what_was_dropped_of_a_cancelled_batch_stays_unsent(desk: Desk) -> None:
    batch_id = desk.ask([desk.item(desk.person()), desk.item(desk.person())])
    desk.prepare()
    desk.provider.before_answer = lambda message: batches.pause_batch(desk.db, desk.calls, batch_id=batch_id) and None
    desk.send()
    desk.send()
    sent = [row for row in desk.deliveries(batch_id) if row.state == "sent"]
    batches.cancel_batch(desk.db, desk.calls, batch_id=batch_id)
    assert status(desk, sent[0].id, "failed", sent[0].provider_id or "", "30001")
    assert {row.reason for row in desk.deliveries(batch_id) if row.state == "failed"} == {"30001"}


@on_one_database
def test_what_is_never_taken_ends(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.messaging.statuses.utc_now", desk.clock)
    batch_id = desk.ask([desk.item(desk.person())])
    for number in range(1, 7):
        desk.run()
        (delivery,) = desk.deliveries(batch_id)
        if delivery.state == "sent":
            status(desk, delivery.id, "failed", f"SM{number}", "30001")
        desk.clock.advance(minutes=10)
    (delivery,) = desk.deliveries(batch_id)
    assert (delivery.state, delivery.reason, delivery.attempts) == ("failed", "30001", 5)


# How long it takes


def test_the_dry_run_and_the_batch_say_how_long_the_queue_takes(desk: Desk) -> None:
    desk.sender(rate=1.0)
    first = desk.ask([desk.item(desk.person()) for _ in range(60)])
    second = desk.ask([desk.item(desk.person()) for _ in range(30)])
    desk.prepare()
    given = {"message": {"template_id": None, "body": "Hi."}, "channels": ["sms"], "fallback": False}
    found = estimates.estimate(
        desk.db, desk.calls, desk.service.settings, allow_repeat=True, coalesce=False, now=desk.clock(),
        items=[desk.item(desk.person()) for _ in range(10)], **given,
    )  # fmt: skip
    assert (found["seconds"], found["waits_seconds"]) == (100.0, 90.0)
    assert finish_in(desk, second) == pytest.approx(90, abs=1)
    assert finish_in(desk, first) == pytest.approx(90, abs=1)
    senders.keep_provider_rates(desk.everywhere, {"recording": 0.5})
    assert finish_in(desk, second) == pytest.approx(180, abs=1)


@on_one_database
def test_a_batch_that_comes_due_later_does_not_stand_before_one_that_is_due(desk: Desk) -> None:
    desk.sender(rate=1.0)
    at = desk.clock() + dt.timedelta(hours=5)
    now = desk.ask([desk.item(desk.person()) for _ in range(10)])
    later = desk.ask([desk.item(desk.person()) for _ in range(20)], timing={"mode": "at", "at": at})
    desk.prepare()
    assert finish_in(desk, now) == pytest.approx(10, abs=1)
    assert finish_in(desk, later) == pytest.approx(5 * 3600 + 20, abs=1)


def test_the_end_of_a_large_batch_is_worked_out_anew_only_now_and_then(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_views, "LARGE", 20)
    monkeypatch.setattr(batch_views, "utc_now", desk.clock)
    desk.sender(rate=1.0)
    large, small = (desk.ask([desk.item(desk.person()) for _ in range(count)]) for count in (20, 10))
    desk.prepare()
    before = [desk.batch(batch_id)["finish_expected_at"] for batch_id in (large, small)]
    desk.sender(rate=2.0)
    after = [desk.batch(batch_id)["finish_expected_at"] for batch_id in (large, small)]
    assert after[0] == before[0]
    assert after[1] < before[1]
    desk.clock.advance(seconds=10)
    assert desk.batch(large)["finish_expected_at"] < before[0]


def finish_in(desk: Desk, batch_id: str) -> float:
    """Seconds from the desk's clock until a batch says that it is done."""
    with desk.db.read() as session:
        finish = finish_of(session, session.get_one(Batch, batch_id), desk.clock())
    assert finish is not None
    return (finish - desk.clock()).total_seconds()
