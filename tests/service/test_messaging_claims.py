"""The claim against everything that may forbid it at the last moment, on green threads that really wait for each other.

On PostgreSQL the two transactions overlap; on SQLite one waits for the other's whole transaction. Either way a STOP, a
pause or a cancel that has committed is seen, and one that comes later finds the call begun.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable
from typing import Any

import eventlet
import pytest
from eventlet.event import Event as Signal
from eventlet.patcher import original
from sqlalchemy import select
from sqlalchemy.event import listen, remove

from chassis.context import Context, use
from services.messaging import batches, consent
from services.messaging.dispatching import buckets, claims, preparation
from services.messaging.models import Attempt, Batch, ConsentState
from tests.service.messaging_desk import Desk, desk, together
from tests.service.races import race, until_held_up

__all__ = ["desk"]


def stop_slowly(
    desk: Desk, begun: Signal, go: Signal, *, address: str | None = None, client: str | None = None
) -> None:
    """A STOP whose transaction has written its row, and commits when `go` is sent."""
    stop = consent.Change("sms", "opted_out", "reply", {}, address=address, client_id=client)
    with use(Context(firm_id=desk.firm_id)), desk.db.unit_of_work() as uow:
        consent.record_changes(uow, [stop])
        begun.send(True)
        go.wait()


def cancel_slowly(desk: Desk, begun: Signal, go: Signal, batch_id: str, state: str) -> None:
    with use(Context(firm_id=desk.firm_id)), desk.db.unit_of_work() as uow:
        batch = uow.session.scalars(select(Batch).where(Batch.id == batch_id).with_for_update()).one()
        batch.state = state
        uow.session.flush()
        begun.send(True)
        go.wait()


def claim_while(desk: Desk, slow: Callable[[Signal, Signal], None]) -> Signal:
    """Starts `slow`, then a round of sending beside it; returns the signal that lets `slow` commit."""
    begun, go = Signal(), Signal()
    eventlet.spawn(slow, begun, go)
    begun.wait()
    sender = eventlet.spawn(desk.send)
    until_held_up(desk.db, sender)
    assert desk.provider.accepted == [], "nothing goes out while the change is being made"
    go.send(True)
    sender.wait()
    return go


@pytest.mark.parametrize("who", ["address", "client"])
def test_a_stop_that_began_before_the_claim_is_waited_for(desk: Desk, who: str) -> None:
    person, other = desk.person(), desk.person()
    batch_id = desk.ask([desk.item(person), desk.item(other)])
    desk.prepare()
    subject: dict[str, Any] = {"address": desk.number(person)} if who == "address" else {"client": person}
    claim_while(desk, lambda begun, go: stop_slowly(desk, begun, go, **subject))
    desk.run()
    assert [message.to for message in desk.provider.accepted] == [desk.number(other)]
    assert desk.outcome(batch_id) == {"opted_out": 1, "sent": 1}


def test_a_stop_waits_for_four_turns_of_a_claim(desk: Desk) -> None:
    """From when the rows are held that it would change: to begin the calls, to write them down, to look into the
    sender's bucket, and to take from it, with which the claim commits."""
    if desk.db.engines.is_sqlite:
        pytest.skip("nothing takes turns in one process")
    batch_id = desk.ask([desk.item(desk.person())])
    desk.prepare()
    claim, claimed, sent = claims.claim, list[list[str]](), list[str]()

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)

    def alone(*given: Any, **named: Any) -> Any:
        sent.clear()
        listen(desk.db.engines.write, "before_cursor_execute", note)
        try:
            return claim(*given, **named)
        finally:
            remove(desk.db.engines.write, "before_cursor_execute", note)
            claimed.append(list(sent))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(claims, "claim", alone)
        desk.send()
    assert desk.outcome(batch_id) == {"sent": 1}
    (turns,) = claimed
    (held,) = (number for number, statement in enumerate(turns) if "FOR SHARE" in statement and "consent" in statement)
    assert len(turns[held + 1 :]) == 4
    assert turns[-1].endswith("; COMMIT")


@pytest.mark.parametrize(("state", "outcome"), [("cancelled", "cancelled"), ("paused", "queued")])
def test_a_cancel_or_pause_that_began_before_the_claim_is_waited_for(desk: Desk, state: str, outcome: str) -> None:
    batch_id = desk.ask([desk.item(desk.person())])
    desk.prepare()
    claim_while(desk, lambda begun, go: cancel_slowly(desk, begun, go, batch_id, state))
    desk.run()
    assert desk.provider.accepted == []
    assert desk.outcome(batch_id) == {outcome: 1}


def test_stops_in_the_middle_of_a_batch_race_the_claims(desk: Desk) -> None:
    """What no claim had begun when the STOP was committed is never begun."""
    people = [desk.person() for _ in range(60)]
    batch_id = desk.ask([desk.item(person) for person in people])
    desk.prepare()
    sent, waited = race(desk, batch_id, lambda person: desk.reply(desk.number(person), "STOP"))
    assert sent & waited == set(), "begun by a claim that was committed after the STOP"
    assert desk.outcome(batch_id) == {"sent": len(sent), "opted_out": 60 - len(sent)}
    assert len(desk.provider.accepted) == len(sent)


def test_two_dispatchers_never_send_one_delivery_twice(desk: Desk) -> None:
    batch_id = desk.ask([desk.item(desk.person(), desk.person()) for _ in range(40)])
    desk.provider.before_answer = lambda message: eventlet.sleep(0.001)
    second = desk.dispatcher()

    def work(engine: Any) -> None:
        with use(Context(firm_id=desk.firm_id)):
            while engine.prepare_some():
                pass
            for _ in range(40):
                desk.send(engine)
                desk.clock.advance(seconds=1)

    together(lambda: work(desk.sending), lambda: work(second))
    assert desk.outcome(batch_id) == {"sent": 80}
    assert set(Counter(message.token for message in desk.provider.accepted).values()) == {1}


def test_two_dispatchers_share_one_rate(desk: Desk) -> None:
    desk.sender(rate=4.0)
    desk.ask([desk.item(desk.person()) for _ in range(8)])
    desk.prepare()
    second = desk.dispatcher()
    for _ in range(4):
        together(desk.send, lambda: desk.send(second))
        desk.clock.advance(seconds=0.25)
    assert len(desk.provider.accepted) == 4


def test_a_claim_that_comes_late_gives_no_time_back_to_the_rate(desk: Desk) -> None:
    sender_id = desk.sender(rate=16.0)
    early, late = desk.clock(), desk.clock() + dt.timedelta(milliseconds=250)

    def spend(count: int, now: dt.datetime) -> float:
        with desk.db.unit_of_work() as uow:
            return buckets.spend(uow, sender_id, count, now)

    spend(0, early - dt.timedelta(seconds=10))
    assert spend(3, late) == 1.0
    assert spend(1, early) == 0.0
    assert spend(0, late) == 0.0


def test_a_clock_that_was_set_back_holds_no_sender_up(desk: Desk) -> None:
    desk.sender(rate=1.0)
    desk.ask([desk.item(desk.person())])
    desk.run()
    desk.clock.advance(seconds=-3600)
    batch_id = desk.ask([desk.item(desk.person(), desk.person())])
    desk.prepare()
    desk.send()
    assert desk.outcome(batch_id) == {"sent": 1, "queued": 1}, "the rate is kept"
    desk.run()
    assert desk.outcome(batch_id) == {"sent": 2}


def test_what_a_killed_dispatcher_had_put_aside_to_prepare_waits_for_no_clock_that_was_set_back(desk: Desk) -> None:
    batch_id = desk.ask([desk.item(desk.person())])
    desk.clock.advance(seconds=7200)
    assert len(preparation.reserve(desk.db, "killed", desk.clock())) == 1
    desk.prepare()
    assert desk.outcome(batch_id) == {"accepted": 1}, "it is another's"
    desk.clock.advance(seconds=-3600)
    desk.prepare()
    assert desk.outcome(batch_id) == {"queued": 1}


def test_what_a_killed_dispatcher_had_put_aside_to_send_waits_for_no_clock_that_was_set_back(desk: Desk) -> None:
    fill_bucket(desk)
    batch_id = desk.ask([desk.item(desk.person())])
    desk.prepare()
    desk.clock.advance(seconds=7200)
    assert len(claims.reserve(desk.db, "killed", desk.sender_id, desk.clock(), 10)) == 1
    desk.send()
    assert desk.outcome(batch_id) == {"queued": 1}, "it is another's"
    desk.clock.advance(seconds=-3600)
    desk.send()
    assert desk.outcome(batch_id) == {"sent": 1}


def test_what_a_dispatcher_has_made_ready_is_reserved_anew_when_the_clock_is_set_back(desk: Desk) -> None:
    """Others take it for free, and so would the dispatcher itself: it must not have it twice."""
    desk.sender(rate=4.0)
    desk.ask([desk.item(desk.person()) for _ in range(8)])
    desk.prepare()
    desk.clock.advance(seconds=7200)
    with desk.everywhere.across_firms("a test looks for senders").read() as session:
        (sender,) = claims.due_senders(session, desk.clock())
    ahead = desk.sending._ahead
    assert len(ahead.take(sender, 1)) == 1, "three more are ready"
    desk.clock.advance(seconds=-3600)
    taken = [item.reserved.id for _ in range(2) for item in ahead.take(sender, 4)]
    ahead.empty()
    assert len(set(taken)) == len(taken) == 8


def test_a_call_under_way_is_not_doubted_because_the_clock_was_set_back(desk: Desk) -> None:
    """It may be under way, and would be proven absent if the clock were put right meanwhile."""
    batch_id = desk.ask([desk.item(desk.person())])
    desk.prepare()

    def answer(message: Any) -> None:
        desk.clock.advance(seconds=-3600)
        desk.sending.settle_some()
        assert desk.outcome(batch_id) == {"sending": 1}

    desk.provider.before_answer = answer
    desk.send()
    assert desk.outcome(batch_id) == {"sent": 1}


def test_a_dispatcher_that_stops_leaves_what_it_made_ready_to_others(desk: Desk) -> None:
    desk.sender(rate=4.0)
    batch_id = desk.ask([desk.item(desk.person()) for _ in range(8)])
    desk.prepare()
    first = desk.dispatcher()
    desk.send(first)
    first._release_ahead()
    desk.clock.advance(seconds=1)
    desk.sender(rate=1000.0)
    desk.send()
    assert desk.outcome(batch_id) == {"sent": 8}


def prepare_apart(desk: Desk, events: int) -> list[Callable[[], Any]]:
    """One dispatcher for each of the deliveries that wait, each with one of them reserved."""
    halves = []
    for number in range(events):
        owner = f"dispatcher {number}"
        wishes = preparation.reserve(desk.db, owner, desk.clock(), limit=1)
        assert len(wishes) == 1

        def prepare(wishes: Any = wishes, owner: str = owner) -> None:
            with use(Context(firm_id=desk.firm_id)):
                preparation.prepare(desk.db, desk.calls, wishes, owner, sandbox=(), now=desk.clock)

        halves.append(prepare)
    return halves


def test_two_that_prepare_for_one_address_give_it_one_message(desk: Desk) -> None:
    first, twin = desk.person(), desk.person()
    desk.people[twin]["sms"] = desk.number(first)
    batch_id = desk.ask([desk.item(first, twin)])
    together(*prepare_apart(desk, 2))
    desk.run()
    assert len(desk.provider.accepted) == 1
    assert desk.outcome(batch_id) == {"sent": 1, "duplicate": 1}


def test_two_batches_prepared_beside_each_other_notify_once(desk: Desk) -> None:
    item = desk.item(desk.person())
    desk.ask([item])
    desk.run()
    desk.clock.advance(hours=25)  # the rows that they meet on are there already
    one, two = desk.ask([item]), desk.ask([item])
    together(*prepare_apart(desk, 2))
    desk.run()
    assert len(desk.provider.accepted) == 2
    assert Counter(desk.outcome(one)) + Counter(desk.outcome(two)) == {"sent": 1, "repeated": 1}


def test_a_stop_does_not_wait_for_who_prepares(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    if desk.db.engines.is_sqlite:
        pytest.skip("one transaction writes at a time")
    person = desk.person()
    batch_id = desk.ask([desk.item(person)])
    deciding, stopped, read_known = Signal(), Signal(), preparation.read_known

    def read_slowly(*given: Any) -> Any:
        deciding.send(None)
        stopped.wait()
        return read_known(*given)

    monkeypatch.setattr(preparation, "read_known", read_slowly)
    (prepare,) = prepare_apart(desk, 1)
    preparing = eventlet.spawn(prepare)
    deciding.wait()
    with eventlet.Timeout(10):
        desk.reply(desk.number(person), "STOP")
    stopped.send(None)
    preparing.wait()
    assert desk.outcome(batch_id) == {"queued": 1}
    desk.run()
    assert desk.outcome(batch_id) == {"opted_out": 1}


def test_a_claim_needs_its_reservation(desk: Desk) -> None:
    batch_id = desk.ask([desk.item(desk.person())])
    desk.prepare()
    slow = desk.dispatcher()
    make_ready = slow._ahead._make

    def stalled(*given: Any) -> Any:
        ready = make_ready(*given)
        desk.clock.advance(seconds=60)  # the process was stopped for a minute; its lease is over
        desk.send()
        return ready

    slow._ahead._make = stalled
    desk.send(slow)
    assert len(desk.provider.accepted) == 1
    assert desk.outcome(batch_id) == {"sent": 1}


def test_a_claim_takes_nothing_that_another_has_reserved(desk: Desk) -> None:
    batch_id = desk.ask([desk.item(desk.person())])
    desk.prepare()
    slow, quick = desk.dispatcher(), desk.dispatcher()
    make_ready = slow._ahead._make

    def stalled(*given: Any) -> Any:
        ready = make_ready(*given)
        desk.clock.advance(seconds=60)
        with use(Context(firm_id=desk.firm_id)):
            assert len(claims.reserve(desk.db, quick.owner, desk.sender_id, desk.clock(), 10)) == 1
        return ready

    slow._ahead._make = stalled
    desk.send(slow)
    assert desk.provider.accepted == []
    assert desk.outcome(batch_id) == {"queued": 1}


def fill_bucket(desk: Desk) -> None:
    """Has the sender's rate count by the test's clock."""
    desk.ask([desk.item(desk.person())])
    desk.run()
    desk.provider.accepted.clear()


def test_a_claim_that_lost_time_is_given_back_as_if_it_had_not_been_made(desk: Desk) -> None:
    fill_bucket(desk)
    batch_id = desk.ask([desk.item(desk.person()) for _ in range(3)])
    desk.prepare()
    desk.send(desk.dispatcher(begin_within=-1.0))
    assert desk.provider.accepted == []
    assert desk.outcome(batch_id) == {"queued": 3}
    assert {row.attempts for row in desk.deliveries(batch_id)} == {0}
    with desk.db.read() as session:
        assert len(session.scalars(select(Attempt)).all()) == 1  # what filled the bucket
    desk.send()
    assert desk.outcome(batch_id) == {"sent": 3}
    assert {row.attempts for row in desk.deliveries(batch_id)} == {1}


def test_who_says_stop_after_a_claim_that_lost_time_is_asked_again(desk: Desk) -> None:
    fill_bucket(desk)
    stopping = desk.person()
    batch_id = desk.ask([desk.item(stopping), desk.item(desk.person())])
    desk.prepare()
    desk.send(desk.dispatcher(begin_within=-1.0))
    desk.reply(desk.number(stopping), "STOP")
    desk.send()
    assert desk.outcome(batch_id) == {"opted_out": 1, "sent": 1}
    assert desk.number(stopping) not in [message.to for message in desk.provider.accepted if "/p/" in message.body]


def test_what_somebody_settled_meanwhile_is_not_given_back(desk: Desk) -> None:
    fill_bucket(desk)
    batch_id = desk.ask([desk.item(desk.person()), desk.item(desk.person())])
    desk.prepare()
    late = desk.dispatcher(begin_within=-1.0)
    late.send_some()
    late.slots.wait_all()
    desk.clock.advance(seconds=60)
    desk.sending.settle_some()  # its lease is over: the calls are unknown, and one of them is asked about
    desk.clock.advance(seconds=61)
    desk.sending.settle_some()
    desk.send()
    assert desk.outcome(batch_id) == {"sent": 2}
    while late.recorder:
        late.recorder.record_some()
    assert desk.outcome(batch_id) == {"sent": 2}
    assert {row.attempts for row in desk.deliveries(batch_id)} == {2}


def test_where_every_call_has_to_wait_they_begin_one_by_one(desk: Desk) -> None:
    """A process that is always busy must not claim for ever what it is then too late to call."""
    fill_bucket(desk)
    batch_id = desk.ask([desk.item(desk.person()) for _ in range(4)])
    desk.prepare()
    hurried = desk.dispatcher(begin_within=0.005)

    def keep_busy() -> None:
        while True:
            original("time").sleep(0.02)  # the whole process, as a large statement on SQLite does
            eventlet.sleep(0)

    busy = eventlet.spawn(keep_busy)
    with eventlet.Timeout(30):
        while desk.outcome(batch_id) != {"sent": 4}:
            hurried.send_some()
            hurried.slots.wait_all()
            hurried.recorder.record_some()
    busy.kill()
    assert len(desk.provider.accepted) == 4


def test_attempts_are_written_with_the_claim(desk: Desk) -> None:
    desk.ask([desk.item(desk.person())])
    desk.prepare()
    at_call: list[Any] = []

    def look(message: Any) -> None:
        with desk.db.read() as session:
            at_call.extend(session.scalars(select(Attempt)).all())

    desk.provider.before_answer = look
    desk.send()
    assert [(attempt.number, attempt.outcome) for attempt in at_call] == [(1, None)]
    with desk.db.read() as session:
        assert [attempt.outcome for attempt in session.scalars(select(Attempt))] == ["sent"]


def test_an_address_without_a_row_to_hold_is_prepared_again(desk: Desk) -> None:
    batch_id = desk.ask([desk.item(desk.person())])
    desk.prepare()
    with desk.db.unit_of_work() as uow:
        for row in uow.session.scalars(select(ConsentState)):
            uow.session.delete(row)
    desk.send()
    assert desk.provider.accepted == []
    assert desk.outcome(batch_id) == {"accepted": 1}
    desk.run()
    assert desk.outcome(batch_id) == {"sent": 1}


def test_a_cancel_leaves_what_had_begun(desk: Desk) -> None:
    batch_id = desk.ask([desk.item(desk.person()) for _ in range(4)])
    desk.sender(rate=4.0)
    desk.prepare()
    desk.provider.before_answer = lambda message: batches.cancel_batch(desk.db, desk.calls, batch_id=batch_id)
    desk.send()
    desk.run()
    assert desk.outcome(batch_id) == {"sent": 1, "cancelled": 3}
