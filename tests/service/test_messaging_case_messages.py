"""A template that an automation sends to the clients of a case: once, with consent, and with its ledger."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.columns import new_id
from chassis.testing import deliver, received
from contracts import tasks
from contracts.messaging import BATCH_FINISHED, CASE_MESSAGE_REJECTED
from services.messaging import contents
from services.messaging.templates import Variant
from tests.service.messaging_desk import Desk, desk

__all__ = ["desk"]

HELLO = "Hi {{ client.first_name }}, news of {{ case.name }}: {{ task.link }}"


def template(desk: Desk, body: str = HELLO) -> str:
    variants = [Variant("sms", "en", body).as_row()]
    return str(contents.create_template(desk.db, name=new_id(), variants=variants)["id"])


def ask(desk: Desk, *client_ids: str, times: int = 2, **given: Any) -> str:
    """The run that asks; its event comes twice."""
    data = {
        "automation_run_id": new_id(), "case_id": new_id(), "case_task_id": None, "client_ids": list(client_ids),
        "message_template_id": None, "channels": ["sms"], "fallback": False, "requested_at": desk.clock(), **given,
    }  # fmt: skip
    data["message_template_id"] = data["message_template_id"] or template(desk)
    for _ in range(times):
        event = received(tasks.CASE_MESSAGE_REQUESTED, data, firm_id=desk.firm_id)
        deliver(desk.service, "accept_case_message", event)
        deliver(desk.service, "accept_case_message", event)
    return str(data["automation_run_id"])


def test_each_client_of_the_case_gets_it_once_who_did_not_say_stop(desk: Desk) -> None:
    ann, stopped, unreachable = desk.person(), desk.person(), desk.person(None)
    desk.reply(desk.number(stopped), "STOP")
    batch_id = ask(desk, ann, stopped, unreachable, ann)
    desk.run()
    assert desk.outcome(batch_id) == {"sent": 1, "opted_out": 1, "no_address": 1}
    (text,) = [message.body for message in desk.provider.accepted if message.to == desk.number(ann)]
    assert text.startswith("Hi Ann, news of Doe v. Roe: https://casewire.test/p/")
    assert [link["scope"]["kind"] for link in desk.links] == ["tasks"]
    (finished,) = [data for data in desk.emitted(BATCH_FINISHED) if data["batch_id"] == batch_id]
    assert (finished["deliveries"], finished["counts"]) == (3, {"sent": 1, "suppressed": 2})
    assert finished["suppressions"] == {"opted_out": 1, "no_address": 1}
    batch = desk.batch(batch_id)
    assert (batch["kind"], batch["accepted"], batch["requested_by"]) == ("message", 3, None)


def test_it_may_be_about_a_task_that_is_done_and_leads_to_those_that_are_open(desk: Desk) -> None:
    task_id = desk.task(status="completed")
    body = "Thank you for {{ task.title }}. What else there is: {{ task.link }}"
    batch_id = ask(desk, desk.person(), case_task_id=task_id, message_template_id=template(desk, body))
    desk.run()
    assert desk.outcome(batch_id) == {"sent": 1}
    assert desk.provider.accepted[-1].body.startswith("Thank you for Your number. What else there is: https://")
    assert [(link["scope"]["kind"], link["scope"]["case_task_id"]) for link in desk.links] == [("tasks", None)]


def test_each_contact_of_a_business_who_is_marked_for_notices_gets_it(desk: Desk) -> None:
    contacts = [
        {
            "contact_id": new_id(),
            "first_name": name,
            "last_name": "Ko",
            "sms": f"+1212555{number}",
            "phone": None,
            "email": None,
        }
        for name, number in (("Cy", 2001), ("Di", 2002))
    ]
    batch_id = ask(desk, desk.person(contacts=contacts))
    desk.run()
    assert desk.outcome(batch_id) == {"sent": 2}
    assert {message.to for message in desk.provider.accepted} == {"+12125552001", "+12125552002"}


@pytest.mark.parametrize("about_a_task", [True, False])
def test_two_who_share_a_number_get_one(desk: Desk, about_a_task: bool) -> None:
    """Contacts are prepared one after the other."""
    same = {"sms": "+12125552003", "phone": None, "email": None, "last_name": "Ko"}
    contacts = [{"contact_id": new_id(), "first_name": name, **same} for name in ("Cy", "Di")]
    task_id = desk.task() if about_a_task else None
    batch_id = ask(desk, desk.person(contacts=contacts), desk.person("+12125552003"), case_task_id=task_id)
    desk.run()
    assert desk.outcome(batch_id) == {"sent": 1, "duplicate": 2}


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"message_template_id": new_id()}, "message_template_not_found"),
        ({"channels": ["sms", "email"]}, "channel_missing"),
        ({"body": "About {{ task.title }}"}, "no_such_subject"),
    ],
)
def test_what_cannot_be_sent_is_answered(desk: Desk, given: dict[str, Any], code: str) -> None:
    if "body" in given:
        given = {"message_template_id": template(desk, given["body"])}
    run_id = ask(desk, desk.person(), times=1, **given)
    (answer,) = desk.emitted(CASE_MESSAGE_REJECTED)
    assert (answer["automation_run_id"], answer["code"]) == (run_id, code)
    assert desk.deliveries() == []
