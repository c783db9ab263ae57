"""What is said at once, repeated, or out of order, and what goes wrong meanwhile."""

from __future__ import annotations

from typing import Any

import eventlet
import pytest
from eventlet.event import Event as Signal
from sqlalchemy import select

from chassis.context import use
from contracts.errors import Unavailable
from services.messaging import consent
from services.messaging.consents import stops
from services.messaging.models import ConsentState
from tests.service.consents import NUMBER, known_by, ledger, record, says, scope, set_wants, state, wants
from tests.service.messaging_desk import Desk, desk, together
from tests.service.races import race, until_held_up

__all__ = ["desk"]


def within(desk: Desk, action: Any) -> Any:
    def run() -> Any:
        with use(desk.context):
            return action()

    return run


def test_two_stops_at_once_are_one_entry(desk: Desk) -> None:
    desk.reply(NUMBER, "hello")  # the row that they meet on is there already
    begun, go = Signal(), Signal()

    def stop_slowly() -> None:
        with desk.db.unit_of_work() as uow:
            speaker = stops.Speaker("sms", NUMBER)
            stops.record_stop(uow, speaker, source="reply", evidence={"words": "Stop"}, at=desk.clock())
            begun.send(True)
            go.wait()

    first = eventlet.spawn(within(desk, stop_slowly))
    begun.wait()
    second = eventlet.spawn(within(desk, lambda: desk.reply(NUMBER, "STOP")))
    until_held_up(desk.db, second)
    go.send(True)
    first.wait()
    second.wait()
    desk.run()
    assert [entry["evidence"]["words"] for entry in ledger(desk, address=NUMBER)] == ["Stop"]
    assert desk.provider.texts_to(NUMBER) == [], "what changed nothing is not confirmed"


def test_a_stop_against_a_start_ends_as_the_last_one_said(desk: Desk) -> None:
    desk.reply(NUMBER, "STOP")
    together(within(desk, lambda: desk.reply(NUMBER, "START")), within(desk, lambda: desk.reply(NUMBER, "STOP")))
    entries = ledger(desk, address=NUMBER)
    assert state(desk, "sms", consent.address_key(NUMBER)) == entries[-1]["state"]
    assert [entry["state"] for entry in entries] in (
        ["opted_out", "opted_in"], ["opted_out", "opted_in", "opted_out"],
    )  # fmt: skip


@pytest.mark.parametrize("words", [("STOP", "START"), ("START", "STOP")])
def test_repeats_of_webhooks_in_any_order_change_nothing(desk: Desk, words: tuple[str, str]) -> None:
    first, second = words
    desk.reply(NUMBER, first, provider_id="SM1")
    desk.reply(NUMBER, second, provider_id="SM2")
    for repeated in ("SM1", "SM2", "SM1"):
        desk.reply(NUMBER, first if repeated == "SM1" else second, provider_id=repeated)
    expected = "opted_out" if second == "STOP" else "opted_in"
    assert state(desk, "sms", consent.address_key(NUMBER)) == expected


def test_an_import_against_a_stop_never_lifts_it(desk: Desk) -> None:
    opt_in = says(state="opted_in")
    together(
        within(desk, lambda: record(desk, opt_in, says("+12125558001"), source="import")),
        within(desk, lambda: desk.reply(NUMBER, "STOP")),
        within(desk, lambda: record(desk, says("+12125558001"), opt_in, source="import")),
    )
    assert state(desk, "sms", consent.address_key(NUMBER)) == "opted_out"


def test_preferences_in_the_middle_of_a_batch_race_the_claims(desk: Desk) -> None:
    people = [desk.person() for _ in range(30)]
    batch_id = desk.ask([desk.item(person) for person in people])
    desk.prepare()
    sent, waited = race(desk, batch_id, lambda person: set_wants(desk, person, sms="opted_out"))
    assert sent & waited == set(), "begun by a claim that was committed after the opt-out"
    assert desk.outcome(batch_id) == {"sent": len(sent), "opted_out": 30 - len(sent)}
    assert len(desk.provider.accepted) == len(sent)


def test_widened_stops_from_shared_numbers_do_not_deadlock(desk: Desk) -> None:
    people = [desk.person(NUMBER if place % 2 else "+12125558001", email=f"{place}@example.com") for place in range(6)]
    for person in people:
        desk.ask([desk.item(person)])
    desk.run()
    scope(desk, "all_channels")
    together(
        within(desk, lambda: desk.reply(NUMBER, "STOP")),
        within(desk, lambda: desk.reply("+12125558001", "STOP")),
        *(within(desk, lambda person=person: set_wants(desk, person, email="opted_in")) for person in people),
    )
    assert all(wants(desk, person)[0] == "opted_out" for person in people)


def test_another_firms_same_number_is_untouched(desk: Desk) -> None:
    other = Desk(desk.everywhere, office="+12125550102")
    scope(desk, "all_channels")
    with use(other.context):
        known_by(other)
    known_by(desk)
    desk.reply(NUMBER, "STOP")
    record(desk, says("+12125558001"))
    with use(other.context):
        assert ledger(other) == []
        with other.db.read() as session:
            assert {row.state for row in session.scalars(select(ConsentState))} == {None}


def test_clients_that_cannot_be_asked_stop_no_stop(desk: Desk) -> None:
    def unreachable(**_: Any) -> Any:
        raise Unavailable("service_unavailable")

    scope(desk, "all_channels")
    desk.calls.answers = dict.fromkeys(desk.calls.answers, unreachable)
    assert desk.reply(NUMBER, "STOP")["effect"] == "opted_out"
