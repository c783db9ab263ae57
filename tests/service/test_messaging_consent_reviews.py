"""What was taken for an opt-out without being sure, and what a person makes of it."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.errors import Conflict
from contracts.messaging import CONSENT_CHANGED
from services.messaging import consent
from services.messaging.consents import consent_reviews
from tests.service.consents import NUMBER, PAGE, decide, known_by, ledger, scope, set_wants, state, wants
from tests.service.messaging_desk import Desk, desk
from tests.service.one_database import on_one_database

__all__ = ["desk"]


def review_of(desk: Desk, words: str = "not interested") -> dict[str, Any]:
    desk.reply(NUMBER, words)
    (review,) = consent_reviews.list_reviews(desk.db, **PAGE, decision="undecided")["data"]
    return dict(review)


def test_reviews_are_listed_by_what_was_decided(desk: Desk) -> None:
    review = review_of(desk)
    assert (review["address"], review["words"], review["created_at"]) == (NUMBER, "not interested", desk.clock())
    assert decide(desk, review, "opted_out")["decided_by"] == desk.staff_id
    listed = {name: consent_reviews.list_reviews(desk.db, **PAGE, decision=name)["meta"]["total"]
              for name in (None, "undecided", "opted_out", "opted_in")}  # fmt: skip
    assert listed == {None: 1, "undecided": 0, "opted_out": 1, "opted_in": 0}


def test_the_ledger_says_who_decided(desk: Desk) -> None:
    review = review_of(desk)
    decide(desk, review, "opted_out")
    last = ledger(desk, address=NUMBER)[-1]
    assert (last["state"], last["source"], last["evidence"]["actor_id"]) == ("opted_out", "staff", desk.staff_id)
    assert last["evidence"]["consent_review_id"] == review["id"]


def test_lifting_makes_no_opt_in_where_there_was_none(desk: Desk) -> None:
    decide(desk, review_of(desk), "opted_in")
    assert state(desk, "sms", consent.address_key(NUMBER)) is None


@on_one_database
def test_the_event_tells_what_holds_when_an_opt_out_is_taken_back(desk: Desk) -> None:
    person = known_by(desk)
    set_wants(desk, person, email="opted_in")
    scope(desk, "all_channels")

    def last(count: int) -> set[tuple[Any, ...]]:
        """What the latest events say: of the address, and of the client's other channels."""
        return {(data["channel"], data["state"], data["holds"]) for data in desk.emitted(CONSENT_CHANGED)[-count:]}

    review = review_of(desk)
    assert {("sms", "opted_out", "opted_out"), ("phone", "opted_out", "opted_out")} <= last(4)
    decide(desk, review, "opted_in")
    assert last(4) == {("sms", "opted_in", None), ("phone", "opted_in", None), ("email", "opted_in", "opted_in")}
    desk.reply(NUMBER, "STOP")
    desk.reply(NUMBER, "START")
    assert last(4) == {
        ("sms", "opted_in", "opted_in"), ("phone", "opted_in", None), ("email", "opted_in", "opted_in"),
    }  # fmt: skip


@on_one_database
def test_lifting_opens_the_other_channels_that_the_doubt_had_closed(desk: Desk) -> None:
    person = known_by(desk)
    scope(desk, "all_channels")
    review = review_of(desk)
    assert wants(desk, person) == ("opted_out", "opted_out", "opted_out")
    decide(desk, review, "opted_in")
    assert wants(desk, person) == (None, None, None)


def test_a_start_after_a_doubt_that_was_confirmed_opens_all_again(desk: Desk) -> None:
    person = known_by(desk)
    scope(desk, "all_channels")
    decide(desk, review_of(desk), "opted_out")
    desk.reply(NUMBER, "START")
    assert wants(desk, person) == ("opted_in", None, None)


def test_a_decision_does_not_override_what_the_address_said_since(desk: Desk) -> None:
    review = review_of(desk)
    desk.reply(NUMBER, "START")
    assert decide(desk, review, "opted_out")["decision"] == "opted_out"
    assert state(desk, "sms", consent.address_key(NUMBER)) == "opted_in"


def test_a_sure_stop_after_a_doubt_is_kept_as_proof_and_confirmed_once(desk: Desk) -> None:
    review = review_of(desk)
    desk.clock.advance(seconds=1)
    desk.reply(NUMBER, "STOP")
    desk.run()
    assert [entry["evidence"]["words"] for entry in ledger(desk, address=NUMBER)] == ["not interested", "STOP"]
    assert len(desk.provider.texts_to(NUMBER)) == 1
    with pytest.raises(Conflict, match="opted_out_since"):
        decide(desk, review, "opted_in")
