"""messaging: what is held about a client, handed out."""

from __future__ import annotations

import datetime as dt
from typing import Any

from services.messaging import data_exports
from tests.service.consents import record, says, set_wants
from tests.service.conversing import say
from tests.service.merges import Merge
from tests.service.messaging_desk import Desk, desk
from tests.service.one_database import on_one_database

__all__ = ["desk"]


def exported(desk: Desk, client_id: str, limit: int = 200) -> list[dict[str, Any]]:
    """The entries of every page."""
    found, cursor = [], None
    while True:
        page = data_exports.export_client_data(desk.db, desk.calls, client_id=client_id, limit=limit, cursor=cursor)
        found += page["entries"]
        if (cursor := page["next_cursor"]) is None:
            return found


def of_kind(entries: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [entry["data"] for entry in entries if entry["kind"] == kind]


def test_what_was_said_from_an_address_that_was_never_written_to_is_handed_out(desk: Desk) -> None:
    person = desk.person()
    record(desk, says(desk.number(person), words="Do not text me."), source="import")
    (said,) = of_kind(exported(desk, person), "consent")
    assert (said["state"], said["evidence"]["words"]) == ("opted_out", "Do not text me.")
    assert of_kind(exported(desk, desk.person()), "consent") == []


def test_what_a_merged_client_said_is_handed_out_with_the_survivors(desk: Desk) -> None:
    one, two = desk.person(), desk.person()
    set_wants(desk, two, email="opted_in")
    set_wants(desk, one, sms="opted_out")
    Merge(desk.service, desk.firm_id, one, two, desk.clock()).told()
    for limit in (1, 200):
        said = of_kind(exported(desk, one, limit), "consent")
        assert sorted((entry["channel"], entry["state"]) for entry in said) == [
            ("email", "opted_in"),
            ("sms", "opted_out"),
        ]


def test_a_message_that_still_waits_is_handed_out_with_its_text(desk: Desk) -> None:
    person, other = desk.person(), desk.person()
    later = {"mode": "at", "at": desk.clock() + dt.timedelta(days=2)}
    say(desk, person, "Bring the passport.", timing=later)
    say(desk, other, "Yours.", timing=later)
    (kept,) = of_kind(exported(desk, person), "text")
    assert [variant["body"] for variant in kept["variants"]] == ["Bring the passport."]


@on_one_database
def test_a_doubtful_word_is_handed_out_with_what_was_made_of_it(desk: Desk) -> None:
    person = desk.person()
    desk.ask([desk.item(person)])
    desk.run()
    desk.write(desk.number(person), "not interested")
    entries = exported(desk, person)
    assert [entry["words"] for entry in of_kind(entries, "consent_review")] == ["not interested"]
    assert [entry["body"] for entry in of_kind(entries, "message")] == ["not interested"]
