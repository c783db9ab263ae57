"""What messages have cost: asked of the provider some minutes after their end, and shown to those who wrote them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import eventlet
import pytest
from greenlet import GreenletExit

from chassis.context import use
from chassis.database import Database
from services.messaging import batch_views, history
from services.messaging.adapters.base import Accepted, Deferred, Figures, Outgoing, Unknown
from services.messaging.dispatching import preparation, results
from services.messaging.dispatching.prices import AT_ONCE, LEASE, Prices
from services.messaging.models import Base, Delivery, Sender
from tests.service.messaging_desk import Desk, together
from tests.service.one_database import on_one_database

PRICE = Decimal("0.0079")
TOLD = Figures(1, PRICE, "USD")


@pytest.fixture
def database(new_database: Callable[[Any], Database]) -> Database:
    return new_database(Base)


@pytest.fixture
def desk(database: Database) -> Any:
    desk = desk_by_twilio(database)
    with use(desk.context):
        yield desk


def desk_by_twilio(database: Database, **given: Any) -> Desk:
    """One whose messages go out by a provider that charges for them."""
    desk = Desk(database, **given)
    with use(desk.context), desk.db.unit_of_work() as uow:
        uow.session.get_one(Sender, desk.sender_id).provider = "twilio"
    return desk


def sent(desk: Desk, count: int = 1) -> list[Delivery]:
    batch_id = desk.ask([desk.item(desk.person()) for _ in range(count)])
    desk.run()
    return desk.deliveries(batch_id)


def end(desk: Desk, delivery: Delivery, status: str = "delivered", **figures: Any) -> None:
    """What the provider's callback tells."""
    told = {"provider_id": delivery.provider_id, "error_code": None, "delivery_id": delivery.id, "figures": figures}
    results.record_status(desk.db, status=status, now=desk.clock(), **told)


def ended(desk: Desk, count: int = 1, status: str = "delivered") -> list[Delivery]:
    found = sent(desk, count)
    for delivery in found:
        end(desk, delivery, status)
    return found


def asked(desk: Desk, *, minutes: float = 0, prices: Prices | None = None) -> int:
    """How many questions a round asks, so many minutes later."""
    desk.clock.advance(seconds=60 * minutes)
    before = len(desk.provider.priced)
    assert not (prices or desk.sending.prices).ask_some(), "the next round waits for its time"
    return len(desk.provider.priced) - before


def kept(desk: Desk) -> list[tuple[Decimal | None, dt.datetime | None]]:
    return [(delivery.price, delivery.price_due_at) for delivery in desk.deliveries()]


@pytest.mark.parametrize("status", ["delivered", "undelivered", "completed", "no-answer", "failed"])
@on_one_database
def test_a_price_is_asked_for_when_it_may_be_known_and_once_it_is_no_more(desk: Desk, status: str) -> None:
    desk.provider.price = lambda provider_id: TOLD
    (delivery,) = ended(desk, status=status)
    assert asked(desk, minutes=9) == 0
    assert asked(desk, minutes=1) == 1
    assert desk.provider.priced == [delivery.provider_id]
    for repeated_or_better in (status, "read"):
        end(desk, delivery, repeated_or_better)
        assert asked(desk, minutes=600) == 0
    assert kept(desk) == [(PRICE, None)]


@on_one_database
def test_a_price_is_shown_and_summed_with_what_has_none(desk: Desk) -> None:
    first, second, third = ended(desk, 3)
    desk.provider.price = lambda provider_id: (
        Figures() if provider_id == third.provider_id else Figures(2, PRICE, "USD")
    )
    shown = desk.batch(str(first.batch_id))
    assert (shown["price"], shown["unpriced"], shown["currency"]) == (None, 3, None)
    assert asked(desk, minutes=10) == 3
    shown = desk.batch(str(first.batch_id))
    figures = (shown["segments"], shown["price"], shown["unpriced"], shown["currency"])
    assert figures == (5, 2 * PRICE, 1, "USD")
    page = {"state": None, "reason": None, "limit": 50, "cursor": None, "sort": None}
    ledger = batch_views.list_deliveries(desk.db, desk.calls, batch_id=first.batch_id, **page)["data"]
    assert sorted(str(row["price"]) for row in ledger) == ["0.007900", "0.007900", "None"]
    message = history.get_message(desk.db, message_id=second.id)
    assert (message["provider_segments"], message["price"], message["currency"]) == (2, PRICE, "USD")
    assert message["version"] == second.version + 2, "delivered, and priced"


def test_nothing_is_due_before_the_end_nor_where_the_price_came_with_it(desk: Desk) -> None:
    _, told = sent(desk, 2)
    end(desk, told, price=PRICE, currency="USD")
    assert (PRICE, None) in kept(desk)
    assert asked(desk, minutes=600) == 0


@on_one_database
@pytest.mark.parametrize("known_by", ["answer", "callback", "question"])
def test_what_no_end_is_reported_of_is_asked_about_after_half_a_day(
    desk: Desk, known_by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.provider.price = lambda provider_id: TOLD
    if known_by == "callback":

        def call_back(message: Outgoing) -> None:
            said = {"provider_id": "SM1", "error_code": None, "delivery_id": message.token}
            results.record_status(desk.db, status="sent", now=desk.clock(), **said)

        desk.provider.before_answer = call_back
    elif known_by == "question":
        desk.provider.answer = lambda message: Unknown("timeout")
        monkeypatch.setattr(desk.provider, "find", lambda question: Accepted("SM1", "sent"))
    sent(desk)
    if known_by == "question":
        desk.clock.advance(seconds=61)
        desk.sending.settle_some()
    assert [row.state for row in desk.deliveries()] == ["sent"]
    assert [asked(desk, minutes=minutes) for minutes in (11 * 60, 58, 2, 12 * 60)] == [0, 0, 1, 0]
    assert kept(desk) == [(PRICE, None)]
    end(desk, *desk.deliveries())
    assert kept(desk) == [(PRICE, None)]


@on_one_database
def test_what_was_dropped_is_asked_about_when_it_has_been_sent_again(desk: Desk) -> None:
    (delivery,) = sent(desk)
    drop(desk, delivery)
    assert kept(desk) == [(None, None)]
    desk.clock.advance(seconds=60)
    desk.run()
    (delivery,) = desk.deliveries()
    assert delivery.sent_at is not None
    assert kept(desk) == [(None, delivery.sent_at + dt.timedelta(hours=12))]


def drop(desk: Desk, delivery: Delivery) -> None:
    """The provider says that it never tried."""
    said = {"provider_id": str(delivery.provider_id), "error_code": "30001", "delivery_id": delivery.id}
    assert results.record_status(desk.db, status="failed", now=desk.clock(), **said)


def test_what_was_dropped_while_it_is_asked_about_stays_with_who_prepares_it(desk: Desk) -> None:
    (delivery,) = sent(desk)

    def answer(provider_id: str) -> Figures:
        drop(desk, delivery)
        assert preparation.reserve(desk.db, desk.sending.owner, desk.clock() + dt.timedelta(minutes=1))
        return Figures()

    desk.provider.price = answer
    assert asked(desk, minutes=12 * 60) == 1
    (delivery,) = desk.deliveries()
    assert (delivery.state, delivery.lease_owner) == ("accepted", desk.sending.owner)


@on_one_database
def test_a_provider_that_names_no_prices_is_not_asked(database: Database) -> None:
    desk = Desk(database)
    with use(desk.context):
        ended(desk)
        assert kept(desk) == [(None, None)]
        assert asked(desk, minutes=600) == 0


def test_a_call_of_unknown_fate_that_is_found_at_its_end_has_a_price_too(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.provider.answer = lambda message: Unknown("timeout")
    sent(desk)
    monkeypatch.setattr(desk.provider, "find", lambda question: Accepted("SM9", "delivered"))
    desk.provider.price = lambda provider_id: TOLD
    desk.clock.advance(seconds=61)
    desk.sending.settle_some()
    assert asked(desk, minutes=10) == 1
    assert kept(desk) == [(PRICE, None)]


@on_one_database
def test_what_has_no_price_after_six_hours_has_none(desk: Desk) -> None:
    ended(desk)
    questions = [asked(desk, minutes=minutes) for minutes in (10, 49, 1, 299, 1, 6000)]
    assert questions == [1, 0, 1, 0, 1, 0]
    assert kept(desk) == [(None, None)]


@pytest.mark.parametrize(("answer", "seconds"), [(Deferred(90.0, of_account=True), 90), (None, 60)])
@on_one_database
def test_a_provider_that_wants_no_questions_now_gets_no_more_for_as_long(
    desk: Desk, answer: Deferred | None, seconds: int
) -> None:
    ended(desk, 3)
    desk.provider.price = lambda provider_id: answer
    assert asked(desk, minutes=10) == 1
    ended(desk)
    desk.provider.price = lambda provider_id: TOLD
    assert asked(desk, minutes=(seconds - 10) / 60) == 0
    assert asked(desk, minutes=11 / 60) == 3
    assert asked(desk, minutes=10) == 1
    assert [price for price, _ in kept(desk)] == [PRICE] * 4


@on_one_database
def test_a_provider_that_cannot_be_asked_for_a_day_is_asked_no_more(desk: Desk) -> None:
    ended(desk)
    desk.provider.price = lambda provider_id: None
    assert [asked(desk, minutes=minutes) for minutes in (10, 23 * 60, 50, 2, 1440)] == [1, 1, 1, 0, 0]
    assert kept(desk) == [(None, None)]


@on_one_database
def test_a_provider_that_this_installation_has_no_more_is_forgotten_in_time(desk: Desk) -> None:
    ended(desk)
    without = Prices(desk.everywhere, {}, "another", desk.clock)
    assert [asked(desk, minutes=minutes, prices=without) for minutes in (10, 60, 300)] == [0, 0, 0]
    assert kept(desk) == [(None, None)]


@on_one_database
def test_a_question_that_fails_takes_no_other_along(desk: Desk) -> None:
    first, *_ = ended(desk, 3)

    def answer(provider_id: str) -> Figures:
        if provider_id == first.provider_id:
            raise KeyError("a record like no other")
        return TOLD

    desk.provider.price = answer
    assert asked(desk, minutes=10) == 3
    assert sorted(str(price) for price, _ in kept(desk)) == ["0.007900", "0.007900", "None"]
    assert asked(desk, minutes=50) == 1


def test_a_round_asks_for_some_and_the_next_waits_for_its_time(desk: Desk) -> None:
    ended(desk, AT_ONCE + 2)
    desk.provider.price = lambda provider_id: TOLD
    assert asked(desk, minutes=10) == AT_ONCE
    assert asked(desk) == 0
    assert asked(desk, minutes=1 / 60) == 2


def test_two_dispatchers_ask_each_question_once(desk: Desk) -> None:
    ended(desk, 6)

    def answer(provider_id: str) -> Figures:
        eventlet.sleep(0.01)
        return TOLD

    desk.provider.price = answer
    desk.clock.advance(seconds=600)
    together(desk.sending.prices.ask_some, desk.dispatcher().prices.ask_some)
    assert sorted(desk.provider.priced) == sorted(delivery.provider_id or "" for delivery in desk.deliveries())
    assert kept(desk) == [(PRICE, None)] * 6


def test_a_dispatcher_killed_after_it_asked_only_makes_another_ask_again(desk: Desk) -> None:
    ended(desk)
    asking = eventlet.spawn(desk.sending.prices.ask_some)

    def die(provider_id: str) -> Figures:
        asking.kill()
        return TOLD

    desk.provider.price = die
    desk.clock.advance(seconds=600)
    with pytest.raises(GreenletExit):
        asking.wait()
    assert [price for price, _ in kept(desk)] == [None]
    desk.provider.price = lambda provider_id: TOLD
    other = desk.dispatcher().prices
    assert asked(desk, minutes=1, prices=other) == 0, "it may still come"
    assert asked(desk, minutes=LEASE.total_seconds() / 60, prices=other) == 1
    assert kept(desk) == [(PRICE, None)]


@on_one_database
def test_another_end_while_it_is_asked_is_asked_about_anew(desk: Desk) -> None:
    (delivery,) = ended(desk, status="undelivered")

    def answer(provider_id: str) -> Figures:
        end(desk, delivery)
        return Figures()

    desk.provider.price = answer
    assert asked(desk, minutes=10) == 1
    assert kept(desk) == [(None, desk.clock() + dt.timedelta(minutes=10))]


@on_one_database
def test_the_prices_of_every_firm_are_asked_for_and_stay_its_own(desk: Desk, database: Database) -> None:
    ended(desk)
    other = desk_by_twilio(database, office="+12125550111")
    other.provider = desk.provider
    other.sending = other.dispatcher()
    with use(other.context):
        (theirs,) = sent(other)
        other.clock.advance(seconds=5)
        end(other, theirs)
    price = {str(theirs.provider_id): Decimal("0.5")}
    desk.provider.price = lambda provider_id: Figures(1, price.get(provider_id, PRICE), "USD")
    assert asked(desk, minutes=11) == 2
    assert kept(desk) == [(PRICE, None)]
    with use(other.context):
        assert kept(other) == [(Decimal("0.5"), None)]
