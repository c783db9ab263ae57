"""A client asks for a new link: one message to the address on file, and to nobody who said stop."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from chassis.columns import new_id, utc_now
from chassis.envelope import ReceivedEvent
from chassis.testing import deliver, received
from contracts.portal import LINK_REQUESTED
from tests.service.messaging_desk import PUBLIC_URL, Desk, desk
from tests.service.one_database import on_one_database

__all__ = ["desk"]


def requested(
    desk: Desk, client_id: str, case_task_id: str | None, channel: str = "sms", **scope: Any
) -> ReceivedEvent:
    data = {"link_id": new_id(), "client_id": client_id, "case_task_id": case_task_id, "channel": channel, **scope}
    return received(LINK_REQUESTED, data, firm_id=desk.firm_id)


def catch_up(desk: Desk) -> None:
    """Works off what the service took in by its own clock."""
    desk.clock.now = utc_now() + dt.timedelta(seconds=1)
    desk.run()


@on_one_database
@pytest.mark.parametrize("one_task", [True, False])
def test_a_new_link_opens_what_the_old_one_did(desk: Desk, one_task: bool) -> None:
    person, task_id = desk.person(language="es"), desk.task() if one_task else None
    event = requested(desk, person, task_id, channel="copy")
    deliver(desk.service, "send_new_link", event)
    deliver(desk.service, "send_new_link", event)
    catch_up(desk)
    (message,) = desk.provider.accepted
    assert message.to == desk.number(person)
    assert message.body.startswith(f"Harbor & Lane: este es el enlace nuevo que pidió: {PUBLIC_URL}/p/")
    (link,) = desk.links
    assert (link["scope"]["kind"], link["scope"]["case_task_id"]) == ("task" if one_task else "tasks", task_id)
    assert [row.case_id for row in desk.deliveries()] == [desk.tasks[task_id]["case_id"] if task_id else None]


def test_a_new_link_to_a_form_leads_to_the_form(desk: Desk) -> None:
    form_id = new_id()
    deliver(desk.service, "send_new_link", requested(desk, desk.person(), None, case_form_id=form_id))
    catch_up(desk)
    (link,) = desk.links
    assert (link["scope"]["kind"], link["scope"]["case_form_id"]) == ("form", form_id)


def test_a_new_link_stays_limited_to_its_cases(desk: Desk) -> None:
    case_ids = [new_id(), new_id()]
    deliver(desk.service, "send_new_link", requested(desk, desk.person(), None, case_form_id=None, case_ids=case_ids))
    catch_up(desk)
    (link,) = desk.links
    assert (link["scope"]["kind"], link["scope"]["case_ids"]) == ("tasks", case_ids)


def test_who_said_stop_gets_no_new_link(desk: Desk) -> None:
    person = desk.person()
    desk.reply(desk.number(person), "STOP")
    desk.run()
    before = len(desk.provider.accepted)
    deliver(desk.service, "send_new_link", requested(desk, person, desk.task()))
    catch_up(desk)
    assert len(desk.provider.accepted) == before
    assert [row.reason for row in desk.deliveries() if row.kind == "message"] == ["opted_out"]


def test_who_is_gone_gets_no_new_link(desk: Desk) -> None:
    deliver(desk.service, "send_new_link", requested(desk, new_id(), desk.task()))
    catch_up(desk)
    assert [row.reason for row in desk.deliveries()] == ["client_erased"]
