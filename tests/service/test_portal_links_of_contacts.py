"""portal: links of contacts, who see a business for as long as they are tied to it. Every event is delivered twice."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from chassis.columns import new_id
from chassis.context import Context, use
from chassis.testing import deliver, received
from contracts import clients, messaging, portal
from contracts.errors import Gone, Invalid
from contracts.portal import LINK_REQUESTED, LINK_REVOKED, LINK_USED
from services.portal import asking, contact, links, pages
from tests.service.portal_office import Office, database

__all__ = ["database"]


class Business(Office):
    """An office whose client is a business with a contact."""

    def __init__(self, database: Any) -> None:
        super().__init__(database)
        self.contact_id = new_id()
        self.tied = True
        self.said: list[dict[str, Any]] = []
        preferences = {"sms": None, "email": None, "phone": None}
        self.client |= {"first_name": None, "display_name": "Acme", "sms": "+12125550100"}
        self.calls.answers |= {
            clients.GET_CONTACT_ACCESS: lambda client_id, contact_id: {
                "access": self.tied and (client_id, contact_id) == (self.client_id, self.contact_id),
                "first_name": "Ann",
            },
            messaging.GET_PREFERENCES: lambda client_id: {"client_id": client_id, **preferences},
            messaging.SET_PREFERENCES: lambda **said: self.said.append(said) or {**said, **preferences},
            messaging.RECEIVE_PORTAL_MESSAGE: lambda **said: self.said.append(said),
        }

    def _recipients(self, client_ids: list[str]) -> dict[str, Any]:
        found = super()._recipients(client_ids)["recipients"]
        person = {"state": "found", "first_name": "Ann", "email": "ann@example.com", "sms": None, "phone": None}
        return {
            "recipients": [
                {"client_id": self.contact_id, **person} if one["client_id"] == self.contact_id else one
                for one in found
            ]
        }

    def theirs(self, **values: Any) -> Any:
        """A link of the contact's."""
        return self.link(contact_id=self.contact_id, **values)

    def hear(self, access: bool, time: dt.datetime | None = None) -> None:
        data = {"contact_id": self.contact_id, "client_id": self.client_id, "access": access}
        event = received(clients.CONTACT_ACCESS_CHANGED, data, firm_id=self.firm_id, time=time or self.clock())
        for _ in range(2):
            deliver(self.service, "end_links_of_contact", event)


@pytest.fixture
def office(database: Any) -> Business:
    return Business(database)


def test_a_contact_sees_the_business_by_their_own_name(office: Business) -> None:
    page = office.page(office.theirs())
    assert (page["first_name"], len(page["case_tasks"])) == ("Ann", 1)
    task_id = next(iter(office.case_tasks))
    office.submit(office.theirs(), {task_id: "212"})
    assert office.case_tasks[task_id]["answer"] == "212"


@pytest.mark.parametrize("access", [False, True])
def test_the_end_of_access_ends_what_the_contact_was_sent(office: Business, access: bool) -> None:
    before, of_client = office.theirs(), office.link()
    of_another = office.link(contact_id=new_id())
    office.clock.advance(minutes=1)
    office.hear(access)
    office.clock.advance(minutes=1)
    after = office.theirs()
    assert [office.is_open(link) for link in (before, of_client, of_another, after)] == [access, True, True, True]
    revoked = [] if access else [{"link_id": before.id, "client_id": office.client_id}]
    assert office.emitted(LINK_REVOKED) == revoked


def test_an_end_that_is_heard_of_late_leaves_what_was_sent_after_it(office: Business) -> None:
    before, ended_at = office.theirs(), office.clock.advance(minutes=1)
    office.clock.advance(minutes=1)
    again = office.theirs()  # tied once more meanwhile
    office.hear(False, time=ended_at)
    assert [office.is_open(link) for link in (before, again)] == [False, True]


def test_the_end_of_one_tie_leaves_what_was_sent_for_another_business(office: Business) -> None:
    link, elsewhere = office.theirs(), office.theirs(client_id=new_id())
    office.hear(False)
    assert [office.is_open(one) for one in (link, elsewhere)] == [False, True]


def test_an_event_of_another_firm_ends_no_link(office: Business) -> None:
    link = office.theirs()
    office.firm_id, ours = new_id(), office.firm_id
    office.hear(False)
    office.firm_id = ours
    assert office.is_open(link)


def test_sight_is_lost_the_moment_the_tie_ends_whenever_the_event_comes(office: Business) -> None:
    link, task_id = office.theirs(), next(iter(office.case_tasks))
    office.tied = False
    given = (office.everywhere, office.calls)
    now = office.clock()
    attempts = (
        lambda: office.page(link),
        lambda: office.submit(link, {task_id: "212"}),
        lambda: contact.get_contact_page(*given, office.firms, now, link.id),
        lambda: contact.write_message(*given, now, link.id, body="Hello", once="0123456789"),
        lambda: contact.set_own_preferences(*given, office.firms, now, link.id, sms="opted_out"),
    )
    for attempt in attempts:
        with pytest.raises(Gone, match="link_gone"):
            attempt()
    assert (office.said, office.case_tasks[task_id]["answer"]) == ([], None)


def test_what_a_contact_wants_is_their_own(office: Business) -> None:
    link = office.theirs()
    given = (office.everywhere, office.calls, office.firms, office.clock(), link.id)
    page = contact.set_own_preferences(*given, sms="opted_out")
    assert (page["first_name"], page["channels"]) == ("Ann", ["email"])
    assert [said["client_id"] for said in office.said] == [office.contact_id]
    assert office.calls.asked(messaging.GET_PREFERENCES)[0]["client_id"] == office.contact_id


def test_a_message_of_a_contact_is_the_business_writing(office: Business) -> None:
    link = office.theirs()
    contact.write_message(office.everywhere, office.calls, office.clock(), link.id, body="Hi", once="0123456789")
    assert office.said[0]["client_id"] == office.client_id
    (used,) = office.emitted(LINK_USED)
    assert (used["client_id"], used["contact_id"]) == (office.client_id, office.contact_id)


def test_a_changed_address_of_the_business_leaves_a_contacts_links(office: Business) -> None:
    link, own = office.theirs(), office.link()
    office.clock.advance(minutes=1)
    deliver(office.service, "end_links_to_old_address", office.changed("phones"))
    assert [office.is_open(one) for one in (link, own)] == [True, False]


def test_a_new_link_that_a_contact_asks_for_is_for_the_contact(office: Business) -> None:
    link, own = office.theirs(), office.link()
    for one in (link, own, link):
        asking.request_new_link(office.everywhere, office.clock(), one.hash)
    assert [data["contact_id"] for data in office.emitted(LINK_REQUESTED)] == [office.contact_id, None]
    office.clock.now += asking.PAUSE + dt.timedelta(minutes=1)
    office.hear(False)
    asking.request_new_link(office.everywhere, office.clock(), link.hash)
    assert len(office.emitted(LINK_REQUESTED)) == 2


def test_staff_make_a_link_for_a_contact_who_may_use_it(office: Business) -> None:
    office.calls.answers[clients.GET_CONTACT_ACCESS] = lambda client_id, contact_id: {
        "access": contact_id == office.contact_id, "first_name": None
    }  # fmt: skip
    scope = {"kind": "tasks", "case_task_id": None, "case_ids": []}
    wanted = {"client_id": office.client_id, "scope": scope, "token_hash": "0" * 64, "channel": "copy"}
    with use(Context(firm_id=office.firm_id)):
        pages.check_scope(office.calls, {**wanted, "contact_id": office.contact_id})
        with pytest.raises(Invalid, match="no_portal_access") as refused:
            pages.check_scope(office.calls, {**wanted, "contact_id": new_id()})
        assert refused.value.fields[0]["field"] == "contact_id"
        made = links.create_link(
            office.db, office.clock(), link={**wanted, "contact_id": office.contact_id}, link_days=14
        )
        found = links.get_link(office.db, made["link_id"])
    assert found["contact_id"] == office.contact_id
    assert portal.Link().validate(portal.Link().dump(found)) == {}
