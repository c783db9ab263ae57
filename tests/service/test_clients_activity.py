"""What happened to a client, told by every service's events."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from chassis.columns import new_id
from chassis.context import Context, use
from chassis.events import subscriptions
from chassis.testing import bound_to
from contracts import cases, messaging, portal, tasks
from contracts.base import declared
from contracts.errors import Unavailable
from services.clients import activity
from services.clients.service import ClientsService
from tests.service.clients_desk import DELIVERY, NOW, Desk, desk

__all__ = ["desk"]

SHOWN_OTHERWISE = {
    "messages.requested.v1": "each delivery that comes of it shows",
    "case_change.requested.v1": "the case that changed shows",
    "case_change.rejected.v1": "the run of the rule shows it",
    "case_message.requested.v1": "each delivery that comes of it shows",
    "case_message.rejected.v1": "the run of the rule shows it",
    "form.completed.v1": "each task of it that is completed shows",
    "tasks.skipped.v1": "the case's own activity and its tasks' history are the place",
    "tasks.shown.v1": "as above",
    "task.due_changed.v1": "as above",
    "task.overdue.v1": "as above; what is sent to the client for it shows",
}
CASE = {"version": 1, "case_type_id": new_id(), "status": "New", "state": "open", "changed": []}


def kinds(desk: Desk, client_id: str, **query: Any) -> list[str]:
    listed = activity.list_client_activity(desk.db, client_id=client_id, **query)["data"]
    return [entry["kind"] for entry in listed if not entry["kind"].startswith("client.")]


def newest(desk: Desk, client_id: str) -> dict[str, Any]:
    found: dict[str, Any] = activity.list_client_activity(desk.db, client_id=client_id, limit=1)["data"][0]
    return found


@pytest.fixture
def two(desk: Desk) -> tuple[str, str]:
    return str(desk.create(first_name="Ann")["id"]), str(desk.create(first_name="Bea")["id"])


def test_a_case_shows_with_each_of_its_clients_once(desk: Desk, two: tuple[str, str]) -> None:
    case_id = new_id()
    data = {**CASE, "case_id": case_id, "client_ids": list(two)}
    desk.hear("record_created_cases", cases.CASE_CREATED, data)
    desk.hear("record_changed_cases", cases.CASE_CHANGED, {**data, "version": 2, "status": "Closed",
                                                         "state": "closed", "changed": ["status"]})  # fmt: skip
    for client_id in two:
        assert kinds(desk, client_id) == ["case.changed.v1", "case.created.v1"]
        assert newest(desk, client_id)["facts"] == {
            "case_id": case_id, "status": "Closed", "state": "closed", "changed": ["status"]
        }  # fmt: skip


def test_assigned_and_reopened_tasks_show_with_the_clients_of_their_cases(desk: Desk, two: tuple[str, str]) -> None:
    ann, bea = two
    first, second, template = new_id(), new_id(), new_id()
    desk.on_case = {first: [ann], second: [ann, bea]}
    assigned = {"case_task_ids": [new_id(), new_id()], "case_ids": [first, second, new_id()], "template_id": template}
    desk.hear("record_assigned_tasks", tasks.TASKS_ASSIGNED, assigned)
    desk.hear("record_reopened_tasks", tasks.TASK_REOPENED, {"case_task_id": new_id(), "case_id": first})
    assert kinds(desk, ann) == ["task.reopened.v1", "tasks.assigned.v1", "tasks.assigned.v1"]
    assert kinds(desk, bea) == ["tasks.assigned.v1"]
    assert newest(desk, bea)["facts"] == {"template_id": template, "case_id": second}


def test_an_event_from_before_cases_were_named_adds_nothing(desk: Desk, two: tuple[str, str]) -> None:
    desk.hear("record_assigned_tasks", tasks.TASKS_ASSIGNED, {"case_task_ids": [new_id()], "template_id": new_id()})
    assert kinds(desk, two[0]) == []


def test_without_an_answer_from_cases_it_is_recorded_later(desk: Desk, two: tuple[str, str]) -> None:
    case_id = new_id()
    data = {"case_task_id": new_id(), "case_id": case_id}

    def away(**_: Any) -> None:
        raise Unavailable("no_answer")

    answered = desk.calls.answers[cases.GET_CASE_FACTS]
    desk.calls.answers[cases.GET_CASE_FACTS] = away
    with pytest.raises(Unavailable):
        desk.hear("record_reopened_tasks", tasks.TASK_REOPENED, data)
    desk.calls.answers[cases.GET_CASE_FACTS] = answered
    desk.on_case = {case_id: [two[0]]}
    desk.hear("record_reopened_tasks", tasks.TASK_REOPENED, data)
    assert kinds(desk, two[0]) == ["task.reopened.v1"]


def test_messages_that_come_in_and_links_that_end_show(desk: Desk, two: tuple[str, str]) -> None:
    ann, bea = two
    message = {"message_id": new_id(), "channel": "sms", "client_ids": [ann, bea], "effect": "none"}
    desk.hear("record_received_messages", messaging.MESSAGE_RECEIVED, message)
    desk.hear("record_revoked_links", portal.LINK_REVOKED, {"link_id": new_id(), "client_id": ann})
    asked = {"link_id": new_id(), "client_id": ann, "case_task_id": None, "channel": "email"}
    desk.hear("record_requested_links", portal.LINK_REQUESTED, asked)
    assert kinds(desk, ann) == ["link.requested.v1", "link.revoked.v1", "message.received.v1"]
    assert kinds(desk, bea) == ["message.received.v1"]


def test_a_message_that_arrived_and_a_link_that_was_used_show(desk: Desk, two: tuple[str, str]) -> None:
    ann, bea = two
    sent = {**DELIVERY, "delivery_id": new_id(), "client_id": ann}
    arrived = {**sent, "state": "delivered", "at": NOW + dt.timedelta(seconds=3)}
    desk.hear("record_delivered_deliveries", messaging.DELIVERY_DELIVERED, arrived, {**arrived, "client_id": bea})
    desk.hear("record_sent_deliveries", messaging.DELIVERY_SENT, sent)  # as the bus may have it: after it arrived
    used = {"link_id": new_id(), "client_id": ann, "contact_id": new_id(), "case_task_id": new_id(), "channel": "sms"}
    desk.hear("record_used_links", portal.LINK_USED, used, time=NOW + dt.timedelta(minutes=1))
    assert newest(desk, ann)["facts"] == {name: value for name, value in used.items() if name != "client_id"}
    assert kinds(desk, ann) == ["link.used.v1", "delivery.delivered.v1", "delivery.sent.v1"]
    assert kinds(desk, bea) == ["delivery.delivered.v1"]


def test_a_conversation_that_somebody_assigned_shows(desk: Desk, two: tuple[str, str]) -> None:
    data = {"conversation_id": new_id(), "client_id": two[0]}
    desk.hear("record_assigned_conversations", messaging.CONVERSATION_ASSIGNED, data)
    assert newest(desk, two[0])["facts"] == {"conversation_id": data["conversation_id"]}


def test_what_is_about_a_case_that_the_caller_may_not_see_does_not_show(desk: Desk, two: tuple[str, str]) -> None:
    ann, seen, hidden = two[0], new_id(), new_id()
    for case_id in (seen, hidden):
        desk.hear("record_created_cases", cases.CASE_CREATED, {**CASE, "case_id": case_id, "client_ids": [ann]})
    desk.on_case = {seen: [ann], hidden: [ann]}
    tasks_of = {seen: new_id(), hidden: new_id()}
    for case_task_id in tasks_of.values():
        used = {"link_id": new_id(), "client_id": ann, "contact_id": None, "case_task_id": case_task_id}
        desk.hear("record_used_links", portal.LINK_USED, {**used, "channel": "sms"}, time=NOW + dt.timedelta(minutes=1))
    desk.calls.answers[tasks.GET_CASE_TASK_FACTS] = lambda case_task_ids: {
        "case_tasks": [{"case_task_id": tasks_of[id_]} for id_ in desk.on_case if tasks_of[id_] in case_task_ids]
    }

    def shown(context: Context) -> list[list[str]]:
        service = bound_to(desk.service, context)
        with use(context):
            lists = (service.list_client_activity(client_id=ann), service.get_client_card(ann, 10)["activity"])
            named = ("case_id", "case_task_id")
            return [
                [entry["facts"][name] for name in named for entry in one["data"] if name in entry["facts"]]
                for one in lists
            ]

    everything = [hidden, seen, tasks_of[hidden], tasks_of[seen]]
    assert shown(desk.context) == [everything] * 2
    # Of other types, `cases` tells a limited member nothing.
    desk.on_case = {seen: [ann]}
    assert shown(replace(desk.context, sees_only=(new_id(),))) == [[seen, tasks_of[seen]]] * 2
    assert shown(desk.context) == [everything] * 2


def test_every_event_of_others_that_names_a_client_or_a_case_shows() -> None:
    heard = {event.name for event in subscriptions(ClientsService).values()}
    missing = {
        event.name
        for module in (cases, messaging, portal, tasks)
        for event in declared(module)[1]
        if event.owner == module.OWNER
        and {"client_id", "client_ids", "case_id", "case_ids"} & set(event.data().fields)
        and event.name not in heard
    }
    assert missing == SHOWN_OTHERWISE.keys()


def test_it_narrows_to_kinds_and_days(desk: Desk, two: tuple[str, str]) -> None:
    ann = two[0]
    for days in range(4):
        data = {**CASE, "case_id": new_id(), "client_ids": [ann]}
        desk.hear("record_created_cases", cases.CASE_CREATED, data, time=NOW + dt.timedelta(days=days))
    desk.hear("record_revoked_links", portal.LINK_REVOKED, {"link_id": new_id(), "client_id": ann})
    assert kinds(desk, ann, kind=["link.revoked.v1"]) == ["link.revoked.v1"]
    from_second = {"since": NOW + dt.timedelta(days=1), "until": NOW + dt.timedelta(days=3)}
    assert kinds(desk, ann, kind=["case.created.v1"], **from_second) == ["case.created.v1"] * 2
