"""Results that are recorded very late, when their delivery may have been called for again: each is its own call's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from services.messaging import consent
from services.messaging.adapters.base import Deferred, NotConnected, Refused, Result, Unknown
from services.messaging.statuses import record_delivery_status
from tests.service.messaging_desk import Desk, desk
from tests.service.one_database import on_one_database

__all__ = ["desk"]

Record = Callable[[], None]


def call(desk: Desk) -> Record:
    """Calls the provider for what is queued; what came of it is recorded when the answer is called."""
    desk.sending.send_some()
    desk.sending.slots.wait_all()
    results = list(desk.sending.recorder._waiting)
    desk.sending.recorder._waiting.clear()
    assert len(results) == 1

    def record() -> None:
        desk.sending.recorder._waiting.extend(results)
        desk.sending.recorder.record_some()

    return record


def call_of_unknown_fate(desk: Desk) -> tuple[str, Record]:
    """A batch of one whose call nobody reported on, and which the provider then knew nothing of."""
    batch_id = desk.ask([desk.item(desk.person())])
    desk.prepare()
    record = call(desk)
    accepted = list(desk.provider.accepted)
    desk.provider.accepted.clear()
    for seconds in (15, 61):
        desk.clock.advance(seconds=seconds)
        desk.sending.settle_some()
    assert desk.outcome(batch_id) == {"queued": 1}
    desk.provider.accepted.extend(accepted)
    return batch_id, record


def once(result: Result) -> Any:
    """An answer to the first call; the others are accepted."""
    answers = [result]
    return lambda message: answers.pop() if answers else None


@pytest.mark.parametrize(
    "late",
    [Refused("30007"), Refused("21614"), Refused("20003"), Deferred(5.0), NotConnected(), Unknown("timeout")],
    ids=lambda late: f"{type(late).__name__}-{getattr(late, 'code', '')}",
)
def test_a_late_result_does_not_touch_a_later_call(desk: Desk, late: Result) -> None:
    desk.provider.answer = once(late)
    batch_id, record_first = call_of_unknown_fate(desk)
    record_second = call(desk)
    record_first()
    (delivery,) = desk.deliveries(batch_id)
    assert (delivery.state, delivery.reason, delivery.attempts) == ("sending", None, 2)
    record_second()
    (delivery,) = desk.deliveries(batch_id)
    assert (delivery.state, delivery.provider_id) == ("sent", "SM1")
    assert len(desk.provider.accepted) == 1


@on_one_database
@pytest.mark.parametrize(("says_start", "ends"), [(True, "opted_in"), (False, "opted_out")])
def test_a_late_refusal_does_not_undo_a_start_since(desk: Desk, says_start: bool, ends: str) -> None:
    desk.provider.answer = once(Refused("21610"))
    desk.ask([desk.item(desk.person())])
    desk.prepare()
    record_late = call(desk)
    (delivery,) = desk.deliveries()
    if says_start:
        desk.clock.advance(seconds=30)
        desk.reply(str(delivery.address), "START")
    desk.clock.advance(seconds=30)
    record_late()
    key = ("sms", consent.address_key(str(delivery.address)))
    with desk.db.read() as session:
        assert consent.read_states(session, [key])[key] == ends
    assert desk.outcome(str(delivery.batch_id)) == {"opted_out": 1}


def test_of_two_refusals_that_are_recorded_together_the_later_one_counts(desk: Desk) -> None:
    desk.provider.answer = lambda message: Refused("21610") if "/p/" in message.body else None
    number = desk.number(desk.person())
    for says_start in (True, False):
        desk.ask([desk.item(desk.person(number))])
        desk.prepare()
        desk.sending.send_some()
        desk.sending.slots.wait_all()
        desk.clock.advance(seconds=30)
        if says_start:
            desk.reply(number, "START")
        desk.clock.advance(seconds=30)
    desk.sending.recorder._waiting.reverse()
    assert [called.result for _, _, called in desk.sending.recorder._waiting].count(Refused("21610")) == 2
    desk.sending.recorder.record_some()
    with desk.db.read() as session:
        key = ("sms", consent.address_key(number))
        assert consent.read_states(session, [key]) == {key: "opted_out"}


def test_what_was_taken_is_sent_whichever_call_it_was(desk: Desk) -> None:
    """Else the refusal of the second call would have it sent once more."""
    batch_id, record_first = call_of_unknown_fate(desk)
    desk.provider.answer = once(NotConnected())
    record_second = call(desk)
    record_first()
    record_second()
    desk.run()
    assert desk.outcome(batch_id) == {"sent": 1}
    assert len(desk.provider.accepted) == 1


@on_one_database
@pytest.mark.parametrize("called_again", [False, True])
def test_a_late_acceptance_does_not_undo_that_the_message_was_dropped(
    desk: Desk, called_again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.messaging.statuses.utc_now", desk.clock)
    batch_id = desk.ask([desk.item(desk.person())])
    desk.prepare()
    record_first = call(desk)
    (delivery,) = desk.deliveries(batch_id)
    said = {"provider": "twilio", "provider_id": "SM1", "token": delivery.id}
    for status, code in (("sent", None), ("failed", "30001")):
        assert record_delivery_status(desk.everywhere, status=status, error_code=code, **said)["applied"]
    desk.clock.advance(minutes=10)
    desk.prepare()
    assert desk.outcome(batch_id) == {"queued": 1}
    if called_again:
        record_second = call(desk)
        record_first()
        (delivery,) = desk.deliveries(batch_id)
        assert (delivery.state, delivery.sent_at) == ("sending", None)
        record_second()
    else:
        record_first()
        (delivery,) = desk.deliveries(batch_id)
        assert (delivery.state, delivery.sent_at) == ("queued", None)
        desk.run()
    (delivery,) = desk.deliveries(batch_id)
    assert (delivery.state, delivery.provider_id) == ("sent", "SM2")
    assert len(desk.provider.accepted) == 2


def test_a_late_answer_counts_although_the_doubt_was_settled(desk: Desk) -> None:
    """Asked too early, the provider knew nothing; then the answer comes, before it was sent again."""
    batch_id, record = call_of_unknown_fate(desk)
    record()
    desk.run()
    assert desk.outcome(batch_id) == {"sent": 1}
    assert len(desk.provider.accepted) == 1
