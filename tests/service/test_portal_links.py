"""portal: links registered, opened and asked for anew."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from chassis.columns import new_id
from chassis.testing import (
    deliver,
    make_service,
    received,
)
from chassis.tokens import new_token
from contracts import clients
from contracts.errors import Gone, Invalid, NotFound
from contracts.portal import ERASURE_REPORTED, LINK_REQUESTED, LINK_REVOKED, LINK_USED
from services.portal import asking, links
from services.portal.models import Link
from services.portal.service import PortalService
from tests.service.canaries import publish_all
from tests.service.portal_office import NOW, Office, database, office

__all__ = ["database", "office"]


# Links


def test_links_are_registered_in_order_and_once(office):
    wanted = [
        {"token_hash": new_token()[1], "client_id": office.client_id, "scope": {"kind": "tasks"}, "channel": "sms"}
        for _ in range(1000)
    ]
    first = links.register_links(office.db, NOW, links=wanted, link_days=14)["links"]
    again = links.register_links(office.db, NOW + dt.timedelta(hours=1), links=wanted, link_days=30)["links"]
    assert [link["token_hash"] for link in first] == [link["token_hash"] for link in wanted]
    assert first == again
    assert {link["expires_at"] for link in first} == {NOW + dt.timedelta(days=14)}
    with office.db.read() as session:
        assert session.scalar(select(func.count()).select_from(Link)) == 1000


def test_a_later_link_of_a_delivery_replaces_the_earlier(office):
    delivery = new_id()
    first, other = office.link(delivery_id=delivery), office.link(delivery_id=new_id())
    second = office.link(delivery_id=delivery)
    assert [office.is_open(link) for link in (first, other, second)] == [False, True, True]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"scope": {"kind": "task"}}, "links.0.scope.case_task_id"),
        ({"scope": {"kind": "tasks", "case_task_id": new_id()}}, "links.0.scope.case_task_id"),
        ({"scope": {"kind": "form"}}, "links.0.scope.case_form_id"),
        ({"scope": {"kind": "tasks", "case_form_id": new_id()}}, "links.0.scope.case_form_id"),
        ({"scope": {"kind": "form", "case_form_id": new_id(), "case_ids": [new_id()]}}, "links.0.scope.case_ids"),
        ({"expires_at": NOW}, "links.0.expires_at"),
    ],
)
def test_a_link_that_makes_no_sense_is_refused_by_name(office, values, field):
    with pytest.raises(Invalid) as refused:
        office.link(**values)
    assert refused.value.fields[0]["field"] == field


def test_a_token_stands_for_one_link_only(office, database):
    link = office.link()
    with pytest.raises(Invalid, match="token_hash_taken"):
        office.link(token_hash=link.hash, client_id=new_id())
    with pytest.raises(Invalid, match="token_hash_taken"):
        Office(database).link(token_hash=link.hash)


def test_a_token_whose_link_has_ended_makes_none(office):
    wanted = {"token_hash": new_token()[1], "client_id": office.client_id, "scope": {"kind": "tasks"}}
    made = links.create_link(office.db, NOW, link=wanted, link_days=14)
    assert links.create_link(office.db, NOW, link=wanted, link_days=14) == made
    links.revoke_link(office.db, NOW, made["link_id"])
    with pytest.raises(Invalid, match="token_hash_taken"):
        links.create_link(office.db, NOW, link=wanted, link_days=14)


def test_wrong_expired_and_revoked_links_get_one_answer(office):
    expired, revoked = office.link(expires_at=NOW + dt.timedelta(hours=1)), office.link()
    links.revoke_link(office.db, NOW, revoked.id)
    office.clock.advance(hours=1)
    reasons = set()
    for attempt in (
        lambda: links.open_link(office.everywhere, office.clock(), "0" * 64),
        lambda: links.open_link(office.everywhere, office.clock(), expired.hash),
        lambda: links.open_link(office.everywhere, office.clock(), revoked.hash),
        lambda: office.page(expired),
        lambda: office.page(revoked),
        lambda: office.submit(revoked, {next(iter(office.case_tasks)): "x"}),
    ):
        with pytest.raises(Gone) as gone:
            attempt()
        reasons.add(str(gone.value))
    assert reasons == {"link_gone"}
    assert office.given_by == {}


def test_opening_writes_nothing(office):
    link = office.link()
    before = links.get_link(office.db, link.id)
    office.clock.advance(days=1)
    assert office.is_open(link)
    office.page(link)
    assert links.get_link(office.db, link.id) == before
    assert office.emitted(LINK_USED) == []


def test_a_revocation_is_announced_once(office):
    link = office.link()
    assert links.revoke_link(office.db, NOW, link.id) == links.revoke_link(office.db, NOW, link.id)
    assert office.emitted(LINK_REVOKED) == [{"link_id": link.id, "client_id": office.client_id}]


def test_a_link_of_another_firm_does_not_exist(office, database):
    link, other = office.link(), Office(database)
    with pytest.raises(NotFound):
        links.get_link(other.db, link.id)
    with pytest.raises(NotFound):
        links.revoke_link(other.db, NOW, link.id)
    assert office.is_open(link)


def test_a_link_of_staff_needs_a_client_and_a_task_that_belong_together(office):
    service = make_service(PortalService, db=office.db, calls=office.calls, firms=office.firms)
    task_id = next(iter(office.case_tasks))

    def make(client_id, scope):
        return service.create_link(
            token_hash=new_token()[1], client_id=client_id, scope=scope, channel="copy", delivery_id=None,
            expires_at=None,
        )  # fmt: skip

    scope = {"kind": "task", "case_task_id": task_id, "case_ids": []}
    made = make(office.client_id, scope)
    assert dt.timedelta(days=13.9) < made["expires_at"] - dt.datetime.now(dt.UTC) < dt.timedelta(days=14.1)
    with pytest.raises(NotFound, match="client_not_found"):
        make(new_id(), scope)
    with pytest.raises(NotFound, match="case_task_not_found"):
        make(office.client_id, scope | {"case_task_id": new_id()})
    form = {"kind": "form", "case_form_id": office.case_form_id}
    assert make(office.client_id, form)["link_id"]
    with pytest.raises(NotFound, match="case_form_not_found"):
        make(office.client_id, form | {"case_form_id": new_id()})
    office.on_case = [new_id()]
    for named, field in ((scope, "scope.case_task_id"), (form, "scope.case_form_id")):
        with pytest.raises(Invalid, match="client_not_on_case") as refused:
            make(office.client_id, named)
        assert refused.value.fields[0]["field"] == field


# Asking for a new link


def ask(office, token_hash):
    return asking.request_new_link(office.everywhere, office.clock(), token_hash)


def test_a_new_link_is_asked_for_whatever_became_of_the_old(office):
    link = office.link(expires_at=NOW + dt.timedelta(hours=1))
    office.clock.advance(days=1)
    assert ask(office, link.hash) is None
    assert office.emitted(LINK_REQUESTED) == [
        {
            "link_id": link.id,
            "client_id": office.client_id,
            "contact_id": None,
            "case_task_id": next(iter(office.case_tasks)),
            "case_form_id": None,
            "case_ids": [],
            "channel": "sms",
        }
    ]
    assert ask(office, "0" * 64) is None


def test_who_asks_for_another_link_says_to_which_cases_it_was_limited(office):
    link = office.link(scope={"kind": "tasks", "case_task_id": None, "case_ids": [office.case_id]})
    ask(office, link.hash)
    (told,) = office.emitted(LINK_REQUESTED)
    assert (told["case_task_id"], told["case_form_id"], told["case_ids"]) == (None, None, [office.case_id])


def test_asking_again_and_again_sends_one_message(office):
    first, second = office.link(), office.link()
    for _ in range(5):
        ask(office, first.hash)
        ask(office, second.hash)
    assert len(office.emitted(LINK_REQUESTED)) == 1
    office.clock.advance(minutes=10)
    ask(office, second.hash)
    assert len(office.emitted(LINK_REQUESTED)) == 2
    for _ in range(20):
        office.clock.advance(minutes=10)
        ask(office, first.hash)
    assert len([data for data in office.emitted(LINK_REQUESTED) if data["link_id"] == first.id]) == asking.MOST_TIMES


def deleted(office):
    """The client is deleted: archived, until staff restores it or the firm's time is over."""
    data = {"client_id": office.client_id, "version": 3}
    deliver(office.service, "end_links_of_deleted", received(clients.CLIENT_DELETED, data, firm_id=office.firm_id))


def test_who_was_deleted_and_restored_asks_for_a_new_link(office):
    # Whether the client is there again is for messaging to ask, when it sends (test_messaging_new_links.py).
    link = office.link()
    deleted(office)
    assert not office.is_open(link)
    ask(office, link.hash)
    assert [data["link_id"] for data in office.emitted(LINK_REQUESTED)] == [link.id]
    assert office.is_open(office.link()), "staff shares again"


@pytest.mark.parametrize("before", ["deleted", "revoked"])
def test_who_was_erased_gets_no_new_link_however_the_old_one_had_ended(office, before):
    link = office.link()
    if before == "deleted":
        deleted(office)
    else:
        links.revoke_link(office.db, NOW, link.id)
    data = {"client_id": office.client_id, "erasure_id": new_id(), "version": 4, "client_ids": [office.client_id]}
    event = received(clients.CLIENT_ERASED, data, firm_id=office.firm_id, subscription="forget_clients")
    deliver(office.service, "forget_clients", event)
    ask(office, link.hash)
    assert office.emitted(LINK_REQUESTED) == []


def test_an_event_of_another_firm_ends_no_link(office, database):
    link = office.link()
    office.clock.advance(minutes=1)
    event = replace(office.changed("phones"), firm_id=new_id())
    deliver(office.service, "end_links_to_old_address", event)
    assert office.is_open(link)


def test_an_erased_clients_links_open_nothing_and_are_counted(office):
    link, other = office.link(), office.link(client_id=new_id())
    data = {"client_id": office.client_id, "erasure_id": new_id(), "version": 4, "client_ids": [office.client_id]}
    event = received(clients.CLIENT_ERASED, data, firm_id=office.firm_id, subscription="forget_clients")
    asking.request_new_link(office.everywhere, NOW, link.hash)
    assert len(office.emitted(LINK_REQUESTED)) == 1
    publish_all(office.everywhere)
    deliver(office.service, "forget_clients", event)
    deliver(office.service, "forget_clients", event)
    assert office.emitted(LINK_REQUESTED) == [], "what was told of the client is kept by nobody"
    assert [office.is_open(link), office.is_open(other)] == [False, True]
    (report,) = office.emitted(ERASURE_REPORTED)
    assert report == {
        "erasure_id": data["erasure_id"], "client_id": office.client_id, "service": "portal", "outcome": "done",
        "counts": {"links": 1},
    }  # fmt: skip
    asking.request_new_link(office.everywhere, NOW + asking.PAUSE * 2, link.hash)
    assert office.emitted(LINK_REQUESTED) == []
