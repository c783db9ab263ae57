"""What people write to us: STOP, START, HELP, plain words; one confirmation; the ledger; what a person must decide."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from sqlalchemy.event import listen

from chassis.columns import new_id
from chassis.context import use
from contracts.errors import Conflict, NotFound
from contracts.messaging import CONSENT_CHANGED, MESSAGE_RECEIVED
from services.messaging import consent, senders
from services.messaging.consents import consent_ledger, consent_reviews, preferences
from tests.service.messaging_desk import NOW, Desk, desk, together
from tests.service.one_database import on_one_database

__all__ = ["desk"]

PAGE = {"limit": 50, "cursor": None, "sort": None}


def ledger(desk: Desk, number: str) -> list[tuple[str, str]]:
    entries = consent_ledger.list_consents(desk.db, desk.calls, address=number, **PAGE)["data"]
    return [(entry["state"], entry["evidence"].get("words")) for entry in reversed(entries)]


def test_stop_blocks_and_is_confirmed_once(desk: Desk) -> None:
    person = desk.person()
    number = desk.number(person)
    desk.ask([desk.item(person)])
    desk.run()
    assert desk.reply(number, "Stop.")["effect"] == "opted_out"
    assert desk.reply(number, "STOP")["effect"] == "opted_out"
    desk.run()
    confirmations = desk.provider.texts_to(number)[1:]
    assert len(confirmations) == 1
    assert confirmations[0].startswith("Harbor & Lane: you are opted out")
    assert ledger(desk, number) == [("opted_out", "Stop.")]
    (event,) = desk.emitted(CONSENT_CHANGED)
    assert (event["state"], event["client_ids"]) == ("opted_out", [person])
    assert [data["effect"] for data in desk.emitted(MESSAGE_RECEIVED)] == ["opted_out", "opted_out"]
    batch_id = desk.ask([desk.item(person)])
    desk.run()
    assert desk.outcome(batch_id) == {"opted_out": 1}


def test_a_number_that_only_calls_is_written_to_all_the_same(desk: Desk) -> None:
    given = {"provider": "recording", "rate": 10.0, "messaging_service_sid": None}
    senders.put_sender(desk.db, channel="phone", address="+12125550177", **given)
    assert desk.reply("+12125557000", "STOP", to="+12125550177")["effect"] == "opted_out"
    assert set(ledger(desk, "+12125557000")) == {("opted_out", "STOP")}
    desk.run()
    (confirmation,) = desk.provider.accepted
    assert (confirmation.channel, confirmation.sender) == ("sms", "+12125550177")


def test_a_stop_to_a_number_that_only_calls_ends_calls_too(desk: Desk) -> None:
    given = {"provider": "recording", "rate": 10.0, "messaging_service_sid": None}
    senders.put_sender(desk.db, channel="phone", address="+12125550177", **given)
    number = "+12125557000"

    def said() -> list[str | None]:
        with desk.db.read() as session:
            keys = [(channel, consent.address_key(number)) for channel in ("sms", "phone", "email")]
            states = consent.read_states(session, keys)
            return [states.get(key) for key in keys]

    desk.reply(number, "STOP")
    assert said() == ["opted_out", None, None]
    desk.reply(number, "STOP", to="+12125550177")
    assert said() == ["opted_out", "opted_out", None]
    desk.reply(number, "START", to="+12125550177")
    assert said() == ["opted_in", None, None]
    desk.reply(number, "STOP", to="+12125550177")
    assert said() == ["opted_out", "opted_out", None]


def test_one_message_that_comes_twice_has_one_effect(desk: Desk) -> None:
    number, provider_id = "+12125557000", new_id()
    first = desk.reply(number, "STOP", provider_id=provider_id)
    desk.reply(number, "START")
    again = desk.reply(number, "STOP", provider_id=provider_id)
    assert (again["message_id"], again["repeated"]) == (first["message_id"], True)
    assert ledger(desk, number) == [("opted_out", "STOP"), ("opted_in", "START")]


def test_a_message_that_comes_twice_at_once_has_one_effect(desk: Desk) -> None:
    number, provider_id = "+12125557009", new_id()

    def reply() -> dict[str, Any]:
        with use(desk.context):
            return desk.reply(number, "STOP", provider_id=provider_id)

    answers = together(reply, reply)
    assert len({answer["message_id"] for answer in answers}) == 1
    assert sorted(answer["repeated"] for answer in answers) == [False, True]
    assert ledger(desk, number) == [("opted_out", "STOP")]
    assert len(desk.emitted(MESSAGE_RECEIVED)) == 1


def test_a_stop_takes_three_statements(desk: Desk) -> None:
    number, statements = desk.number(desk.person()), list[str]()
    listen(desk.everywhere.engines.write, "before_cursor_execute", lambda *given: statements.append(given[2]))
    desk.reply(number, "STOP")
    if not desk.everywhere.engines.is_sqlite:  # where each takes a turn
        assert len(statements) == 3
    assert ledger(desk, number) == [("opted_out", "STOP")]


def test_start_lifts_the_block_and_yes_only_after_a_stop(desk: Desk) -> None:
    number = "+12125557001"
    assert desk.reply(number, "YES")["effect"] == "none"
    desk.reply(number, "STOP")
    assert desk.reply(number, "yes")["effect"] == "opted_in"
    desk.run()
    assert [text.partition(": ")[2][:20] for text in desk.provider.texts_to(number)] == [
        "you are opted out an", "you will get our mes",
    ]  # fmt: skip


def test_help_is_answered_even_when_blocked_and_in_spanish(desk: Desk) -> None:
    desk.firm["quiet_hours"] = {"opens": dt.time(8), "closes": dt.time(21)}
    desk.clock.now = NOW + dt.timedelta(hours=12)  # midnight in New York
    number = "+12125557002"
    desk.reply(number, "BAJA")
    assert desk.reply(number, "ayuda")["effect"] == "help"
    desk.run()
    texts = desk.provider.texts_to(number)
    assert "no le enviaremos" in texts[0]
    assert "Responda ALTO" in texts[1]


def test_what_the_provider_has_answered_is_recorded_and_not_answered_again(desk: Desk) -> None:
    number = "+12125557003"
    assert desk.reply(number, "arret", opt_out_type="STOP")["effect"] == "opted_out"
    desk.run()
    assert desk.provider.texts_to(number) == []
    assert ledger(desk, number) == [("opted_out", "arret")]


def test_ordinary_words_change_nothing(desk: Desk) -> None:
    number = "+12125557004"
    assert desk.reply(number, "thanks!")["effect"] == "none"
    desk.run()
    assert desk.provider.texts_to(number) == []
    assert ledger(desk, number) == []


def test_doubtful_words_block_and_a_person_decides(desk: Desk) -> None:
    person = desk.person()
    number = desk.number(person)
    desk.reply(number, "not interested")
    (review,) = consent_reviews.list_reviews(desk.db, **PAGE)["data"]
    assert (review["words"], review["decision"]) == ("not interested", None)
    batch_id = desk.ask([desk.item(person)])
    desk.run()
    assert desk.outcome(batch_id) == {"opted_out": 1}
    decided = consent_reviews.decide_review(
        desk.db, consent_review_id=review["id"], decision="opted_in", actor_id=desk.staff_id
    )
    assert decided["decision"] == "opted_in"
    again = desk.ask([desk.item(person)])
    desk.run()
    assert desk.outcome(again) == {"sent": 1}
    with pytest.raises(Conflict):
        consent_reviews.decide_review(desk.db, consent_review_id=review["id"], decision="opted_out", actor_id=None)


def test_a_review_does_not_lift_a_stop_that_came_later(desk: Desk) -> None:
    number = "+12125557005"
    desk.reply(number, "not interested")
    (review,) = consent_reviews.list_reviews(desk.db, **PAGE)["data"]
    desk.clock.advance(seconds=5)
    desk.reply(number, "STOP")
    with pytest.raises(Conflict, match="opted_out_since"):
        consent_reviews.decide_review(desk.db, consent_review_id=review["id"], decision="opted_in", actor_id=None)


def test_a_clients_own_choice_blocks_every_number_of_it(desk: Desk) -> None:
    person = desk.person()
    wants = preferences.set_preferences(
        desk.db, desk.calls, client_id=person, source="staff", actor_id=desk.staff_id, sms="opted_out"
    )
    assert wants == {"client_id": person, "sms": "opted_out", "email": None, "phone": None}
    desk.people[person]["sms"] = "+12125557777"
    batch_id = desk.ask([desk.item(person)])
    desk.run()
    assert desk.outcome(batch_id) == {"opted_out": 1}


def test_an_opt_in_of_the_client_does_not_undo_a_stop_of_the_number(desk: Desk) -> None:
    person = desk.person()
    desk.reply(desk.number(person), "STOP")
    wants = preferences.set_preferences(
        desk.db, desk.calls, client_id=person, source="staff", actor_id=desk.staff_id, sms="opted_in"
    )
    assert wants["sms"] == "opted_out"
    batch_id = desk.ask([desk.item(person)])
    desk.run()
    assert desk.outcome(batch_id) == {"opted_out": 1}


def test_a_new_number_starts_with_its_own_state(desk: Desk) -> None:
    person = desk.person()
    desk.reply(desk.number(person), "STOP")
    desk.people[person]["sms"] = "+12125557778"
    batch_id = desk.ask([desk.item(person)])
    desk.run()
    assert desk.outcome(batch_id) == {"sent": 1}


@on_one_database
def test_a_firm_that_demands_an_opt_in_gets_one_first(desk: Desk) -> None:
    desk.firm["require_opt_in"] = True
    person = desk.person()
    batch_id = desk.ask([desk.item(person)])
    desk.run()
    assert desk.outcome(batch_id) == {"no_consent": 1}
    desk.reply(desk.number(person), "START")
    again = desk.ask([desk.item(person)])
    desk.run()
    assert desk.outcome(again) == {"sent": 1}


def test_a_number_that_nobody_has_finds_no_firm(desk: Desk) -> None:
    with pytest.raises(NotFound):
        desk.reply("+12125557006", "STOP", to="+19995550100")


def test_a_stop_concerns_the_firm_that_got_it(desk: Desk) -> None:
    other = Desk(desk.everywhere, office="+12125550102")
    number = "+12125557007"
    desk.reply(number, "STOP")
    with use(other.context):
        person = other.person(number)
        batch_id = other.ask([other.item(person)])
        other.run()
        assert other.outcome(batch_id) == {"sent": 1}
        assert ledger(other, number) == []


def test_unknown_people_of_no_firm_have_no_preferences(desk: Desk) -> None:
    with pytest.raises(NotFound):
        preferences.get_preferences(desk.db, desk.calls, client_id=new_id())


def test_a_confirmation_comes_soon_or_not_at_all(desk: Desk) -> None:
    number = "+12125557010"
    desk.reply(number, "STOP")
    desk.prepare()
    desk.clock.advance(minutes=6)  # no dispatcher ran
    desk.run()
    assert desk.provider.texts_to(number) == []
    assert [(row.state, row.reason) for row in desk.deliveries()] == [("failed", "too_late")]
    assert ledger(desk, number.removeprefix("+")) == [("opted_out", "STOP")]
