"""Notices about a business's cases go to the contacts who are marked for them; consent is each contact's own."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Any

import pytest

from chassis.columns import new_id, utc_now
from chassis.testing import deliver, received
from contracts import clients, portal
from contracts.messaging import CONSENT_CHANGED
from services.messaging import batch_views, batches, bulk_messages, consent, estimates
from services.messaging.models import Batch, FirmRule
from tests.service.messaging_desk import Desk, desk
from tests.service.one_database import on_one_database

__all__ = ["desk"]

NUMBERS = itertools.count()
TEXT = "{{ client.first_name }} of {{ client.display_name }}: {{ task.title }}"


def business(desk: Desk, *contacts: dict[str, Any], **facts: Any) -> str:
    """A business with these contacts marked for notices; its id."""
    client_id = desk.person(first_name=None, last_name=None, display_name="Acme", **facts)
    desk.people[client_id]["contacts"] = list(contacts)
    return client_id


def contact(desk: Desk, first_name: str = "Bea", **given: Any) -> dict[str, Any]:
    number = f"+1212555{2000 + next(NUMBERS):04d}"
    facts = {"first_name": first_name, "last_name": "Fox", "sms": number, "phone": number, "email": None, **given}
    return {"contact_id": new_id(), **facts}


def ask(desk: Desk, *client_ids: str, **given: Any) -> str:
    return desk.ask([desk.item(*client_ids)], content_id=desk.content(TEXT), **given)


def sent_to(desk: Desk) -> list[str]:
    return sorted(message.to for message in desk.provider.accepted)


def whose(desk: Desk, batch_id: str) -> set[tuple[str | None, str, str | None]]:
    return {(row.contact_id, row.state, row.reason) for row in desk.deliveries(batch_id)}


def say(desk: Desk, person_id: str, state: str = "opted_out", channel: str = "sms") -> None:
    """Somebody wants, or wants no more, to be written to: said of the person."""
    with desk.db.unit_of_work() as uow:
        consent.record_changes(uow, [consent.Change(channel, state, "staff", {}, client_id=person_id)], desk.clock())


def untie(desk: Desk, client_id: str, gone: dict[str, Any]) -> None:
    desk.people[client_id]["contacts"].remove(gone)
    data = {"contact_id": gone["contact_id"], "client_id": client_id, "access": False}
    event = received(clients.CONTACT_ACCESS_CHANGED, data, firm_id=desk.firm_id)
    for _ in range(2):
        deliver(desk.service, "refresh_clients_of_contacts", event)


@on_one_database
@pytest.mark.parametrize(
    ("business_zone", "number", "hour"),
    [
        ("America/New_York", "+14155550123", 16),  # San Francisco's 8:00
        ("America/Los_Angeles", "+12125552999", 16),
        ("America/New_York", "+12125552999", 13),
    ],
)
def test_quiet_hours_are_those_of_the_business_and_of_the_contacts_number(
    desk: Desk, business_zone: str, number: str, hour: int
) -> None:
    desk.firm["quiet_hours"] = {"opens": dt.time(8), "closes": dt.time(21)}
    desk.clock.now = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)
    batch_id = ask(desk, business(desk, contact(desk, sms=number), time_zone=business_zone))
    desk.prepare()
    (row,) = desk.deliveries(batch_id)
    assert (row.state, row.due_at) == ("queued", dt.datetime(2026, 11, 21, hour, 0, tzinfo=dt.UTC))


def test_a_notice_goes_to_the_contact_who_is_marked(desk: Desk) -> None:
    bea = contact(desk)
    acme = business(desk, bea)
    batch_id = desk.ask([desk.item(acme)], content_id=desk.content(f"{TEXT} {{{{ task.link }}}}"))
    desk.run()
    (message,) = desk.provider.accepted
    assert (message.to, message.body.startswith("Bea of Acme: Your number")) == (bea["sms"], True)
    (row,) = desk.deliveries(batch_id)
    assert (row.client_id, row.contact_id, row.state, row.added) == (acme, bea["contact_id"], "sent", False)
    (link,) = desk.calls.asked(portal.REGISTER_LINKS)[0]["links"]
    assert (link["client_id"], link["contact_id"]) == (acme, bea["contact_id"])
    page = batch_views.list_deliveries(
        desk.db, desk.calls, batch_id=batch_id, state=None, reason=None, limit=9, cursor=None, sort=None
    )
    assert [delivery["contact_id"] for delivery in page["data"]] == [bea["contact_id"]]


def test_without_a_marked_contact_it_goes_to_the_business_itself(desk: Desk) -> None:
    acme, person = business(desk), desk.person()
    batch_id = ask(desk, acme, person)
    desk.run()
    assert sent_to(desk) == sorted((desk.number(acme), desk.number(person)))
    assert whose(desk, batch_id) == {(None, "sent", None)}


@on_one_database
def test_each_marked_contact_gets_the_notice_once(desk: Desk) -> None:
    several = [contact(desk, name) for name in ("Bea", "Cal", "Dot")]
    acme, person = business(desk, *several), desk.person()
    batch_id = ask(desk, acme, person)
    desk.prepare()
    # Whatever makes them be prepared again adds nobody a second time.
    for _ in range(2):
        event = received(clients.CLIENT_CHANGED, changed(acme), firm_id=desk.firm_id)
        deliver(desk.service, "refresh_clients", event)
        desk.prepare()
    desk.run()
    assert sent_to(desk) == sorted([*(one["sms"] for one in several), desk.number(person)])
    rows = desk.deliveries(batch_id)
    assert {row.contact_id for row in rows} == {None, *(one["contact_id"] for one in several)}
    assert [row.added for row in rows].count(True) == 2
    batch = desk.batch(batch_id)
    assert (batch["state"], batch["deliveries"], batch["counts"]) == ("finished", 4, {"sent": 4})


def changed(client_id: str) -> dict[str, Any]:
    return {
        "client_id": client_id, "version": 2, "status": "active", "tags": [], "language": "en", "changed": ["phones"],
    }  # fmt: skip


def test_a_message_that_is_about_no_case_goes_to_the_business(desk: Desk) -> None:
    acme = business(desk, contact(desk))
    answer = bulk_messages.request_messages(
        desk.db, desk.calls, desk.service.settings, actor_id=desk.staff_id, client_ids=[acme], channels=["sms"],
        fallback=False, message={"body": "News"}, timing={"mode": "now", "at": None}, dry_run=False, now=desk.clock(),
    )  # fmt: skip
    from tests.service.test_messaging_bulk_messages import take_up

    take_up(desk, answer["batch_id"])
    desk.run()
    assert sent_to(desk) == [desk.number(acme)]


def test_consent_is_each_contacts_own(desk: Desk) -> None:
    bea, cal = contact(desk, "Bea"), contact(desk, "Cal")
    acme = business(desk, bea, cal)
    say(desk, bea["contact_id"])
    say(desk, acme)
    batch_id = ask(desk, acme)
    desk.run()
    assert sent_to(desk) == [cal["sms"]]
    assert whose(desk, batch_id) == {
        (bea["contact_id"], "suppressed", "opted_out"), (cal["contact_id"], "sent", None)
    }  # fmt: skip


@on_one_database
def test_a_contact_who_says_stop_before_the_claim_gets_nothing(desk: Desk) -> None:
    bea, cal = contact(desk, "Bea"), contact(desk, "Cal")
    batch_id = ask(desk, business(desk, bea, cal))
    desk.prepare()
    say(desk, cal["contact_id"])
    desk.reply(bea["sms"], "STOP")
    desk.run()
    assert bea["sms"] not in {message.to for message in desk.provider.accepted if "Acme" in message.body}
    assert whose(desk, batch_id) == {(one["contact_id"], "suppressed", "opted_out") for one in (bea, cal)}


@pytest.mark.parametrize("everywhere", [False, True])
def test_a_stop_of_a_contact_is_not_the_businesss(desk: Desk, everywhere: bool) -> None:
    if everywhere:
        with desk.db.unit_of_work() as uow:
            uow.insert(FirmRule, [{"opt_out_scope": "all_channels", "version": 1}])
    bea = contact(desk, email="bea@example.com")
    acme = business(desk, bea, email="office@example.com")
    ask(desk, acme)
    desk.run()
    desk.write(bea["sms"], "STOP")
    with desk.db.read() as session:
        keys = [
            (channel, consent.client_key(person))
            for channel in ("sms", "email")
            for person in (acme, bea["contact_id"])
        ]
        states = {key: state for key, state in consent.read_states(session, keys).items() if state}
    closed = {("email", consent.client_key(bea["contact_id"])): "opted_out"} if everywhere else {}
    assert states == closed
    assert all(acme not in data["client_ids"] for data in desk.emitted(CONSENT_CHANGED))
    # What was written is the business's conversation all the same.
    assert [row.client_id for row in conversations(desk)] == [acme]


def conversations(desk: Desk) -> list[Any]:
    from sqlalchemy import select

    from services.messaging.models import Conversation

    with desk.db.read() as session:
        return list(session.scalars(select(Conversation)))


def test_a_contact_whose_tie_ends_gets_nothing_that_still_waits(desk: Desk) -> None:
    bea, cal = contact(desk, "Bea"), contact(desk, "Cal")
    acme = business(desk, bea, cal)
    batch_id = ask(desk, acme)
    desk.prepare()
    untie(desk, acme, cal)
    desk.run()
    assert sent_to(desk) == [bea["sms"]]
    assert whose(desk, batch_id) == {
        (bea["contact_id"], "sent", None), (cal["contact_id"], "suppressed", "no_address")
    }  # fmt: skip


def test_when_the_first_contact_goes_the_others_hear_once(desk: Desk) -> None:
    bea, cal = contact(desk, "Bea"), contact(desk, "Cal")
    acme = business(desk, bea, cal)
    batch_id = ask(desk, acme)
    desk.prepare()
    untie(desk, acme, bea)
    desk.run()
    assert sent_to(desk) == [cal["sms"]]
    assert sorted(row.state for row in desk.deliveries(batch_id)) == ["sent", "suppressed"]


def test_one_who_cannot_be_reached_so_is_reached_by_the_next_channel(desk: Desk) -> None:
    bea = contact(desk, "Bea", sms=None, email="bea@example.com")
    cal = contact(desk, "Cal")
    batch_id = ask(desk, business(desk, bea, cal), channels=["sms", "email"], fallback=True)
    desk.sending._sandbox = frozenset({"email"})
    desk.prepare()
    assert {(row.contact_id, row.channel, row.address) for row in desk.deliveries(batch_id)} == {
        (bea["contact_id"], "email", "bea@example.com"), (cal["contact_id"], "sms", cal["sms"]),
    }  # fmt: skip


def test_notices_of_several_tasks_are_joined_for_each_contact(desk: Desk) -> None:
    bea, cal = contact(desk, "Bea"), contact(desk, "Cal")
    acme = business(desk, bea, cal)
    items = [desk.item(acme) for _ in range(3)]
    batch_id = desk.ask(items, coalesce=True, content_id=desk.content("{{ client.first_name }} {{ task.count }}"))
    desk.run()
    assert sorted((message.to, message.body) for message in desk.provider.accepted) == sorted(
        [(bea["sms"], "Bea 3"), (cal["sms"], "Cal 3")]
    )
    assert desk.outcome(batch_id) == {"sent": 6}
    assert desk.batch(batch_id)["state"] == "finished"


def test_a_dry_run_counts_each_contact(desk: Desk) -> None:
    bea, cal = contact(desk, "Bea"), contact(desk, "Cal", sms=None)
    acme = business(desk, bea, cal)
    for coalesce, counted in ((False, {"send": 2, "no_address": 2}), (True, {"send": 1, "joined": 1, "no_address": 2})):
        found = estimates.estimate(
            desk.db, desk.calls, desk.service.settings, message={"body": "Hi"}, channels=["sms"], fallback=False,
            allow_repeat=False, coalesce=coalesce, items=[desk.item(acme), desk.item(acme)], now=desk.clock(),
        )  # fmt: skip
        assert found["recipients"] == counted
    assert desk.deliveries() == []


def test_a_cancelled_batch_ends_what_was_added(desk: Desk) -> None:
    acme = business(desk, contact(desk, "Bea"), contact(desk, "Cal"))
    batch_id = ask(desk, acme)
    desk.prepare()
    batches.cancel_batch(desk.db, desk.calls, batch_id=batch_id)
    desk.run()
    assert (desk.outcome(batch_id), desk.provider.accepted) == ({"cancelled": 2}, [])
    with desk.db.read() as session:
        assert session.get_one(Batch, batch_id).state == "cancelled"


def test_a_new_link_that_a_contact_asked_for_goes_to_the_contact(desk: Desk) -> None:
    bea = contact(desk)
    acme = business(desk)  # marked for notices or not
    own = {name: value for name, value in bea.items() if name != "contact_id"}
    desk.people[bea["contact_id"]] = {"client_id": bea["contact_id"], "state": "found", **own}
    data = {
        "link_id": new_id(), "client_id": acme, "contact_id": bea["contact_id"], "case_task_id": desk.task(),
        "channel": "sms",
    }  # fmt: skip
    event = received(portal.LINK_REQUESTED, data, firm_id=desk.firm_id)
    deliver(desk.service, "send_new_link", event)
    deliver(desk.service, "send_new_link", event)
    desk.clock.now = utc_now() + dt.timedelta(seconds=1)  # the service took it in by its own clock
    desk.run()
    assert sent_to(desk) == [bea["sms"]]
    (link,) = desk.calls.asked(portal.REGISTER_LINKS)[0]["links"]
    assert (link["client_id"], link["contact_id"]) == (acme, bea["contact_id"])
