"""Bulk notifications: what is selected, how it is chunked, the dry run, and what comes back."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from chassis.columns import new_id
from chassis.idempotency import AlreadyAnswered, KeyedRequest, answering
from chassis.testing import deliver, received
from contracts import cases, clients, messaging
from contracts.errors import Invalid, NotFound
from contracts.messaging import ESTIMATE_NOTIFICATIONS, SAVE_CONTENT
from contracts.tasks import NOTIFICATION_REQUESTED, OPEN_STATUSES, RequestNotifications
from services.tasks import answers, notifications, selecting, views
from services.tasks.models import NotificationChunk, NotificationRequest
from tests.service.tasks_office import NOW, Office, database, office

__all__ = ["database", "office"]

ALL = {"case_filter": {"field": "state", "op": "eq", "value": "open"}}


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selecting, "LARGEST_PAGE", 4)
    monkeypatch.setattr(notifications, "CHUNK_SIZE", 3)
    monkeypatch.setattr(notifications, "EVENTS_AT_ONCE", 2)


def request(office: Office, **given: Any) -> dict[str, Any]:
    wire = {"selector": ALL, "channels": ["sms"], "message": {"body": "Please: {{ task.link }}"}, **given}
    command = RequestNotifications().load(wire)
    return notifications.request_notifications(office.db, office.calls, office.raw_calls, NOW, **command)


def chunks(office: Office) -> list[dict[str, Any]]:
    return sorted(office.emitted(NOTIFICATION_REQUESTED), key=lambda data: data["chunk"])


def items(office: Office) -> dict[str, dict[str, Any]]:
    found = [item for chunk in chunks(office) for item in chunk["items"]]
    assert len({item["case_task_id"] for item in found}) == len(found), "no case task twice"
    return {item["case_task_id"]: item for item in found}


def test_every_open_case_task_is_asked_for_in_chunks_that_add_up(office: Office) -> None:
    template_id = office.template()
    tasks = [office.assign(office.cases.open(clients=2), template_id) for _ in range(5)]
    tasks += [office.assign(tasks[0]["case_id"], template_id) for _ in range(3)]
    answer = request(office, channels=["sms", "email"], coalesce=True)
    assert (answer["accepted"], answer["estimate"], answer["created_at"]) == (8, None, NOW)
    sent = chunks(office)
    assert [(data["chunk"], data["chunks"], data["accepted"], len(data["items"])) for data in sent] == [
        (1, 3, 8, 3), (2, 3, 8, 3), (3, 3, 8, 2),
    ]  # fmt: skip
    assert {data["batch_id"] for data in sent} == {answer["batch_id"]}
    assert len({data["content_id"] for data in sent}) == 1
    assert sent[0]["channels"] == ["sms", "email"]
    assert (sent[0]["coalesce"], sent[0]["fallback"], sent[0]["allow_repeat"]) == (True, False, False)
    assert (sent[0]["statuses"], sent[0]["requested_by"]) == (list(OPEN_STATUSES), office.staff_id)
    found = items(office)
    assert found.keys() == {task["id"] for task in tasks}
    for task in tasks:
        expected = {"case_id": task["case_id"], "client_ids": office.cases.clients[task["case_id"]]}
        assert found[task["id"]] == {"case_task_id": task["id"], **expected}
    assert notifications.get_notification_request(office.db, answer["batch_id"]) == answer
    with office.db.read() as session:
        kept = session.scalars(select(NotificationChunk).order_by(NotificationChunk.number)).all()
    assert [id_ for chunk in kept for id_ in chunk.case_task_ids] == list(found)


def test_only_tasks_of_the_asked_statuses_templates_and_cases_are_taken(office: Office) -> None:
    template_id, case_id = office.template(), office.cases.open()
    to_do = office.assign(case_id, template_id)
    overdue = office.assign(case_id, template_id, due={"mode": "fixed", "at": NOW - dt.timedelta(1), "days": None})
    done = office.assign(case_id, template_id)
    answers.submit_answer(
        office.db, office.calls, NOW, case_task_id=done["id"], answer="", client_id=None, link_id=None
    )
    other = office.assign(office.cases.open())

    def taken(**given: Any) -> set[str]:
        batch_id = request(office, **given)["batch_id"]
        return {i["case_task_id"] for data in chunks(office) if data["batch_id"] == batch_id for i in data["items"]}

    assert taken() == {to_do["id"], overdue["id"], other["id"]}
    assert taken(statuses=["overdue"]) == {overdue["id"]}
    assert taken(statuses=["to_do", "completed"]) == {to_do["id"], done["id"], other["id"]}
    assert taken(template_ids=[template_id]) == {to_do["id"], overdue["id"]}
    assert taken(selector={"case_ids": [other["case_id"]]}) == {other["id"]}


def test_a_request_that_finds_nothing_is_a_batch_all_the_same(office: Office) -> None:
    office.cases.open()
    answer = request(office)
    assert answer["accepted"] == 0
    assert [(data["chunk"], data["chunks"], data["items"]) for data in chunks(office)] == [(1, 1, [])]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"message": {"body": "{{ nobody.knows }}"}}, "message.body"),
        ({"selector": {}}, "selector"),
        ({"timing": {"mode": "at"}}, "timing.at"),
        ({"timing": {"mode": "now", "at": "2026-12-01T15:00:00Z"}}, "timing.at"),
        ({"timing": {"mode": "at", "at": "2029-12-01T15:00:00Z"}}, "timing.at"),
    ],
)
def test_a_bad_request_leaves_nothing(office: Office, given: dict[str, Any], field: str) -> None:
    office.assign()
    with pytest.raises(Invalid) as refused:
        request(office, **given)
    assert refused.value.fields[0]["field"] == field
    assert chunks(office) == []
    with office.db.read() as session:
        assert session.scalars(select(NotificationRequest)).all() == []


def test_a_repeated_request_is_one_batch(office: Office) -> None:
    office.assign()
    keyed = KeyedRequest("request_notifications", new_id(), "0" * 64, lambda answer: {"batch_id": answer["batch_id"]})
    with answering(keyed):
        first = request(office)
    with answering(keyed), pytest.raises(AlreadyAnswered) as again:
        request(office)
    assert again.value.answer == {"batch_id": first["batch_id"]}
    assert len(chunks(office)) == 1


def test_a_dry_run_adds_up_the_estimates_and_writes_nothing(office: Office) -> None:
    for _ in range(7):
        office.assign(office.cases.open(clients=3))
    answer = request(office, dry_run=True, channels=["email"], fallback=True)
    assert (answer["batch_id"], answer["accepted"]) == (None, 7)
    estimate = answer["estimate"]
    assert estimate["recipients"] == {"send": 14, "opted_out": 7}
    assert (estimate["segments"], estimate["cost"], estimate["currency"]) == (28, Decimal("0.14"), "USD")
    # What waits already is waited for once.
    assert (estimate["seconds"], estimate["waits_seconds"]) == (pytest.approx(60.28), 60.0)
    asked = office.raw_calls.asked(ESTIMATE_NOTIFICATIONS)
    assert [len(call["items"]) for call in asked] == [3, 3, 1]
    assert all(call["fallback"] and call["channels"] == ["email"] for call in asked)
    assert office.calls.asked(SAVE_CONTENT) == []
    assert chunks(office) == []


def test_a_joined_dry_run_asks_about_all_of_a_clients_tasks_at_once(office: Office) -> None:
    template_id = office.template()
    cases_of_two = [office.cases.open(clients=1) for _ in range(4)]
    primary = office.cases.clients[cases_of_two[0]]
    office.cases.clients[cases_of_two[2]] = primary
    for case_id in cases_of_two:
        office.assign(case_id, template_id)
    for _ in range(4):  # more than one call takes
        office.assign(cases_of_two[1], template_id)
    assert request(office, dry_run=True, coalesce=True)["accepted"] == 8
    asked = [call["items"] for call in office.raw_calls.asked(ESTIMATE_NOTIFICATIONS)]
    assert sum(len(items) for items in asked) == 8
    assert all(len(items) <= 3 for items in asked)
    assert sum(any(item["client_ids"] == primary for item in items) for items in asked) == 1
    assert all(call["coalesce"] for call in office.raw_calls.asked(ESTIMATE_NOTIFICATIONS))


def test_a_dry_run_of_nothing_still_checks_the_message(office: Office) -> None:
    answer = request(office, dry_run=True, selector={"case_ids": [new_id()]})
    assert (answer["accepted"], answer["estimate"]["recipients"], answer["estimate"]["segments"]) == (0, {}, 0)
    assert len(office.raw_calls.asked(ESTIMATE_NOTIFICATIONS)) == 1


def test_another_firm_does_not_see_it(office: Office) -> None:
    answer = request(office)
    with pytest.raises(NotFound, match="notification_request_not_found"):
        notifications.get_notification_request(office.foreign_db, answer["batch_id"])


# What comes back


def delivery(office: Office, task_id: str | None, event: Any, minutes: int, **facts: Any) -> Any:
    state = event.name.split(".")[1]
    data = {
        "delivery_id": new_id(), "batch_id": new_id(), "case_task_id": task_id, "case_id": new_id(),
        "client_id": new_id(), "channel": "sms", "state": state, "reason": None,
        "at": NOW + dt.timedelta(minutes=minutes), **facts,
    }  # fmt: skip
    return received(event, data, firm_id=office.firm_id)


def shown(office: Office, task: dict[str, Any]) -> Any:
    last = views.get_case_task(office.db, NOW, task["id"])["last_notification"]
    return last and (last["state"], last["reason"], last["channel"], last["at"])


def test_a_case_task_shows_its_newest_notification_in_whatever_order_events_come(office: Office) -> None:
    first, second = office.assign(), office.assign()
    sent = delivery(office, first["id"], messaging.DELIVERY_SENT, 5)
    deliver(office.service, "record_sent", sent, sent, delivery(office, None, messaging.DELIVERY_SENT, 9))
    assert shown(office, first) == ("sent", None, "sms", "2026-11-21T15:05:00Z")
    deliver(office.service, "record_suppressed", delivery(office, first["id"], messaging.DELIVERY_SUPPRESSED, 4))
    assert shown(office, first)[0] == "sent"
    arrived = [
        delivery(office, first["id"], messaging.DELIVERY_DELIVERED, 7, channel="email"),
        delivery(office, first["id"], messaging.DELIVERY_DELIVERED, 6),
        delivery(office, second["id"], messaging.DELIVERY_DELIVERED, 1),
        delivery(office, new_id(), messaging.DELIVERY_DELIVERED, 1),
    ]
    deliver(office.service, "record_delivered", *arrived)
    version = views.get_case_task(office.db, NOW, first["id"])["version"]
    deliver(office.service, "record_delivered", *arrived)
    deliver(office.service, "record_sent", sent)
    assert shown(office, first) == ("delivered", None, "email", "2026-11-21T15:07:00Z")
    assert shown(office, second) == ("delivered", None, "sms", "2026-11-21T15:01:00Z")
    assert views.get_case_task(office.db, NOW, first["id"])["version"] == version == 3
    failed = delivery(office, second["id"], messaging.DELIVERY_FAILED, 1, reason="30003")
    deliver(office.service, "record_failed", failed)
    assert shown(office, second)[0] == "delivered", "of one instant, what got further is told"


@pytest.mark.parametrize(
    ("event", "handler"),
    [
        (clients.FIELD_UPDATE_REJECTED, "record_client_rejection"),
        (cases.FIELD_UPDATE_REJECTED, "record_case_rejection"),
    ],
)
def test_a_refused_answer_is_shown_until_a_newer_one(office: Office, event: Any, handler: str) -> None:
    task = office.assign()

    def answer(seen: int) -> None:
        given = {"answer": "+12125550123", "client_id": None, "link_id": None, "answer_version": seen}
        answers.submit_answer(office.db, office.calls, NOW, case_task_id=task["id"], **given)

    def refused(version: int, case_task_id: str = task["id"]) -> Any:
        facts = {"case_task_id": case_task_id, "target": "client", "field": "phone", "code": "in_use"}
        return received(event, {**facts, "answer_version": version}, firm_id=office.firm_id)

    def rejection() -> Any:
        found = views.get_case_task(office.db, NOW, task["id"])
        return found["rejection"], found["version"]

    answer(0)
    first = refused(1)
    deliver(office.service, handler, first)
    deliver(office.service, handler, first)
    assert rejection() == ({"field": "phone", "code": "in_use"}, 3)
    answer(1)
    deliver(office.service, handler, refused(1))
    deliver(office.service, handler, refused(1, new_id()))
    assert rejection() == (None, 4)
