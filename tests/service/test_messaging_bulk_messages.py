"""One message to each of many clients, and the list of batches."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import select

from chassis.columns import new_id
from chassis.idempotency import AlreadyAnswered, KeyedRequest, answering
from chassis.testing import received
from contracts import tasks
from contracts.errors import Invalid, NotFound
from contracts.messaging import BATCH_FINISHED, MESSAGES_REQUESTED, RequestedMessages, RequestMessages
from services.messaging import batch_views, batches, bulk_messages, contents
from services.messaging.models import Batch
from tests.service.messaging_desk import NOW, Desk, desk
from tests.service.one_database import on_one_database

__all__ = ["desk"]

NEWS = "{{ firm.name }}: we moved, {{ client.first_name }}. {{ staff.name }}"


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_messages, "CHUNK_SIZE", 2)
    monkeypatch.setattr(bulk_messages, "ASKED_AT_ONCE", 3)


def request(desk: Desk, client_ids: list[str], **given: Any) -> dict[str, Any]:
    command = RequestMessages().load(
        {"client_ids": client_ids, "channels": ["sms"], "message": {"body": NEWS}, **given}
    )
    return bulk_messages.request_messages(
        desk.db, desk.calls, desk.service.settings, actor_id=desk.staff_id, now=desk.clock(), **command
    )


def chunks(desk: Desk) -> list[dict[str, Any]]:
    return sorted(desk.emitted(MESSAGES_REQUESTED), key=lambda data: (data["batch_id"], data["chunk"]))


def take_up(desk: Desk, batch_id: str) -> None:
    """The chunks of a batch arrive, each of them twice, the last first."""
    for data in reversed([data for data in chunks(desk) if data["batch_id"] == batch_id]):
        loaded = MESSAGES_REQUESTED.data().load(data)
        event = received(MESSAGES_REQUESTED, loaded, firm_id=desk.firm_id, subscription="test")
        bulk_messages.accept_clients(desk.db, event, desk.clock())
        again = received(MESSAGES_REQUESTED, loaded, firm_id=desk.firm_id, subscription="test")
        bulk_messages.accept_clients(desk.db, again, desk.clock())


@on_one_database
def test_each_client_gets_the_message_once(desk: Desk) -> None:
    people = [desk.person(first_name=name) for name in ("Ann", "Bo", "Cy", "Di", "Ed")]
    answer = request(desk, [*people, people[0]])
    assert (answer["accepted"], answer["estimate"]) == (5, None)
    assert [len(data["client_ids"]) for data in chunks(desk)] == [2, 2, 1]
    batch_id = answer["batch_id"]
    early = desk.batch(batch_id)
    assert (early["state"], early["kind"], early["channels"]) == ("accepted", "message", ["sms"])
    assert (early["accepted"], early["deliveries"], early["requested_by"]) == (5, 0, desk.staff_id)
    take_up(desk, batch_id)
    desk.run()
    assert desk.outcome(batch_id) == {"sent": 5}
    assert sorted(message.body for message in desk.provider.accepted) == [
        f"Harbor & Lane: we moved, {name}. Ada" for name in ("Ann", "Bo", "Cy", "Di", "Ed")
    ]
    assert desk.links == []
    rows = desk.deliveries(batch_id)
    assert {(row.kind, row.subject_id, row.case_task_id) for row in rows} == {("message", batch_id, None)}
    assert [data["batch_id"] for data in desk.emitted(BATCH_FINISHED)] == [batch_id]
    batch = desk.batch(batch_id)
    assert (batch["state"], batch["segments"], batch["price"]) == ("finished", 5, None)
    assert tasks.GET_NOTIFICATION_REQUEST not in [operation for operation, _ in desk.calls.calls]


@on_one_database
def test_each_reason_not_to_send(desk: Desk) -> None:
    fine, twin, stopped, blocked, unreachable = (desk.person() for _ in range(5))
    desk.people[twin]["sms"] = desk.number(fine)
    desk.people[blocked]["state"] = "blocked"
    desk.people[unreachable]["sms"] = None
    desk.reply(desk.number(stopped), "STOP")
    everybody = [fine, twin, stopped, blocked, unreachable]
    estimate = request(desk, everybody, dry_run=True)
    outcome = {"duplicate": 1, "opted_out": 1, "client_blocked": 1, "no_address": 1}
    assert estimate["batch_id"] is None
    assert estimate["estimate"]["recipients"] == {"send": 1, **outcome}
    assert (estimate["estimate"]["segments"], chunks(desk)) == (1, [])
    batch_id = request(desk, everybody)["batch_id"]
    take_up(desk, batch_id)
    desk.run()
    assert desk.outcome(batch_id) == {"sent": 1, **outcome}
    again = request(desk, [fine])["batch_id"]  # another message may go to the same people
    take_up(desk, again)
    desk.run()
    assert desk.outcome(again) == {"sent": 1}


def test_a_bulk_message_is_no_answer_by_hand(desk: Desk) -> None:
    desk.firm |= {"quiet_hours": {"opens": dt.time(8), "closes": dt.time(21)}}
    person = desk.person(time_zone="America/New_York")
    desk.clock.advance(hours=11)  # 23:00
    desk.reply(desk.number(person), "Hello")
    batch_id = request(desk, [person])["batch_id"]
    take_up(desk, batch_id)
    desk.run()
    assert desk.outcome(batch_id) == {"queued": 1}


def test_all_channels_or_the_first_that_reaches(desk: Desk) -> None:
    both = desk.person(email="both@example.com")
    mail = desk.person(number=None, email="mail@example.com")
    for fallback, expected in ((False, 3), (True, 2)):
        batch_id = request(desk, [both, mail], channels=["sms", "email"], fallback=fallback)["batch_id"]
        take_up(desk, batch_id)
        desk.sending._sandbox = frozenset({"email"})
        desk.prepare()
        queued = [row for row in desk.deliveries(batch_id) if row.state == "queued"]
        assert len(queued) == expected


def test_it_can_be_paused_and_cancelled_like_any_batch(desk: Desk) -> None:
    people = [desk.person() for _ in range(3)]
    batch_id = request(desk, people)["batch_id"]
    batches.pause_batch(desk.db, desk.calls, batch_id=batch_id)
    take_up(desk, batch_id)
    desk.run()
    assert desk.outcome(batch_id) == {"accepted": 3}
    batches.cancel_batch(desk.db, desk.calls, batch_id=batch_id)
    late = request(desk, people)["batch_id"]
    batches.cancel_batch(desk.db, desk.calls, batch_id=late)
    take_up(desk, late)
    desk.run()
    assert (desk.outcome(batch_id), desk.outcome(late)) == ({"cancelled": 3}, {"cancelled": 3})
    assert desk.provider.accepted == []
    assert sum(desk.batch(late)["counts"].values()) == desk.batch(late)["deliveries"] == 3


def test_it_waits_for_its_time(desk: Desk) -> None:
    at = NOW + dt.timedelta(hours=3)
    batch_id = request(desk, [desk.person()], timing={"mode": "at", "at": at.isoformat()})["batch_id"]
    take_up(desk, batch_id)
    desk.run()
    assert desk.outcome(batch_id) == {"accepted": 1}
    desk.clock.advance(hours=3)
    desk.run()
    assert desk.outcome(batch_id) == {"sent": 1}


@pytest.mark.parametrize(
    ("given", "field", "code"),
    [
        ({"message": {"body": "See {{ task.link }}"}}, "message.body", "no_such_subject"),
        ({"message": {"body": "About {{ case.custom_fields.court }}"}}, "message.body", "no_such_subject"),
        ({"message": {"body": "{{ nobody }}"}}, "message.body", "unknown_variable"),
        ({"timing": {"mode": "at"}}, "timing.at", "incomplete_timing"),
        ({"timing": {"mode": "now", "at": "2026-12-01T15:00:00Z"}}, "timing.at", "contradictory_timing"),
        ({"timing": {"mode": "at", "at": "2028-12-01T15:00:00Z"}}, "timing.at", "timing_too_far"),
    ],
)
def test_a_bad_request_leaves_nothing(desk: Desk, given: dict[str, Any], field: str, code: str) -> None:
    for dry_run in (False, True):
        with pytest.raises(Invalid) as refused:
            request(desk, [desk.person()], dry_run=dry_run, **given)
        assert (refused.value.code, refused.value.fields[0]["field"]) == (code, field)
    assert chunks(desk) == []
    with desk.db.read() as session:
        assert session.scalars(select(Batch)).all() == []


def test_a_template_that_speaks_of_a_case_is_refused(desk: Desk) -> None:
    variants = [{"channel": "sms", "language": "en", "subject": None, "body": "Case {{ case.number }}"}]
    template_id = contents.create_template(desk.db, name="Case", variants=variants)["id"]
    with pytest.raises(Invalid) as refused:
        request(desk, [desk.person()], message={"template_id": template_id})
    assert refused.value.fields[0]["field"] == "message.template_id"


def test_an_unknown_client_is_not_found(desk: Desk) -> None:
    unknown = new_id()
    with pytest.raises(NotFound, match="client_not_found") as refused:
        request(desk, [*(desk.person() for _ in range(4)), unknown])
    assert refused.value.meta == {"client_id": unknown}
    assert chunks(desk) == []


def test_a_key_asks_once(desk: Desk) -> None:
    keyed = KeyedRequest("messaging.request_messages", "one", "hash", RequestedMessages().dump)
    person = desk.person()
    with answering(keyed):
        first = request(desk, [person])
    with answering(keyed), pytest.raises(AlreadyAnswered) as answered:
        request(desk, [person])
    assert answered.value.answer["batch_id"] == first["batch_id"]
    assert len(chunks(desk)) == 1


def test_batches_are_listed_newest_first_by_kind_and_state(desk: Desk) -> None:
    person = desk.person()
    news = request(desk, [person])["batch_id"]
    take_up(desk, news)
    desk.run()
    desk.clock.advance(minutes=1)
    notified = desk.ask([desk.item(person)])

    def listed(**given: Any) -> list[dict[str, Any]]:
        query = {"state": None, "kind": None, "limit": 50, "cursor": None, "sort": None, **given}
        return list(batch_views.list_batches(desk.db, **query)["data"])

    assert {row["id"] for row in listed()} == {news, notified}
    assert [row["id"] for row in listed(kind="message")] == [news]
    assert [(row["id"], row["counts"]) for row in listed(state="running")] == [(notified, {"accepted": 1})]
    (ended,) = listed(state="finished")
    assert (ended["id"], ended["deliveries"], ended["progress"]) == (news, 1, {"done": 1, "total": 1})
    other = Desk(desk.everywhere, office="+12125550111")
    assert batch_views.list_batches(other.db, state=None, kind=None, limit=50, cursor=None, sort=None)["data"] == []
