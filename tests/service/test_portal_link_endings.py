"""portal: what ends links."""

from __future__ import annotations

import pytest

from chassis.columns import new_id
from chassis.testing import (
    deliver,
    received,
)
from contracts import clients
from contracts.portal import LINK_REVOKED
from tests.service.portal_office import database, office

__all__ = ["database", "office"]


def test_a_deleted_clients_links_end_once(office):
    mine, other = [office.link(), office.link(channel="copy")], office.link(client_id=new_id())
    event = received(clients.CLIENT_DELETED, {"client_id": office.client_id, "version": 3}, firm_id=office.firm_id)
    deliver(office.service, "end_links_of_deleted", event)
    deliver(office.service, "end_links_of_deleted", event)
    assert [office.is_open(link) for link in (*mine, other)] == [False, False, True]
    assert sorted(data["link_id"] for data in office.emitted(LINK_REVOKED)) == sorted(link.id for link in mine)


@pytest.mark.parametrize(
    ("field", "still_open"),
    [("phones", [False, True, False]), ("emails", [True, False, False]), ("tags", [True, True, True])],
)
def test_a_changed_address_ends_the_links_that_went_there(office, field, still_open):
    sent = [office.link(channel=channel) for channel in ("sms", "email", "copy")]
    office.clock.advance(minutes=1)
    event = office.changed(field)
    deliver(office.service, "end_links_to_old_address", event)
    deliver(office.service, "end_links_to_old_address", event)
    assert [office.is_open(link) for link in sent] == still_open
    assert len(office.emitted(LINK_REVOKED)) == still_open.count(False)


def test_a_link_that_was_sent_after_the_change_stays(office):
    event = office.changed("phones")
    office.clock.advance(minutes=1)
    link = office.link()
    deliver(office.service, "end_links_to_old_address", event)
    assert office.is_open(link)


def test_a_message_that_was_on_its_way_to_the_old_address_brings_no_link(office):
    event = office.changed("phones")
    office.clock.advance(seconds=2)
    sent, made_by_staff = office.link(delivery_id=new_id()), office.link(channel="copy")
    office.clock.advance(seconds=10)
    later = office.link(delivery_id=new_id())
    deliver(office.service, "end_links_to_old_address", event)
    assert [office.is_open(link) for link in (sent, made_by_staff, later)] == [False, True, True]


def test_an_answer_through_a_link_leaves_that_link_open(office):
    used, other = office.link(), office.link()
    task_id = next(iter(office.case_tasks))
    office.submit(used, {task_id: "+12125550123"})
    office.clock.advance(minutes=1)
    event = office.changed("phones", case_task_id=task_id)
    deliver(office.service, "end_links_to_old_address", event)
    deliver(office.service, "end_links_to_old_address", event)
    assert (office.is_open(used), office.is_open(other)) == (True, False)


def test_an_answer_that_staff_gave_later_ends_the_link(office):
    link = office.link()
    task_id = next(iter(office.case_tasks))
    office.submit(link, {task_id: "+12125550123"})
    office.given_by.clear()
    office.clock.advance(minutes=1)
    deliver(office.service, "end_links_to_old_address", office.changed("phones", case_task_id=task_id))
    assert not office.is_open(link)
