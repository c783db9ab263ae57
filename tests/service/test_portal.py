"""portal: links and pages against a database of its own, with the other services as their contracts say."""

from __future__ import annotations

import datetime as dt
import types
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from chassis.columns import new_id
from chassis.context import Context, current
from chassis.database import Database
from chassis.testing import (
    Clock,
    FakeCalls,
    deliver,
    make_service,
    outbox_events,
    received,
)
from chassis.tokens import new_token
from contracts import accounts, cases, clients, messaging, tasks
from contracts.errors import Conflict, Gone, Invalid, NotFound
from contracts.portal import ERASURE_REPORTED, GET_PAGE, LINK_REQUESTED, LINK_REVOKED, LINK_USED, PortalPage
from services.portal import asking, links, pages
from services.portal.firms import FirmCache
from services.portal.models import Base, Link
from services.portal.service import PortalService
from tests.service.canaries import publish_all

NOW = dt.datetime(2026, 11, 21, 15, 0, tzinfo=dt.UTC)


@pytest.fixture
def database(new_database) -> Database:
    return new_database(Base)


class Office:
    """A firm with one client on one case with two open tasks, and what the other services say of them."""

    def __init__(self, database: Database) -> None:
        self.everywhere = database
        self.firm_id, self.client_id, self.case_id = new_id(), new_id(), new_id()
        self.db = database.for_firm(self.firm_id)
        self.clock = Clock(NOW)
        self.firms = FirmCache()
        self.firm = {"name": "Harbor & Lane", "locale": "en", "time_zone": "America/New_York", "link_days": 14}
        self.client = {"state": "found", "first_name": "Ana", "language": "es-MX"}
        self.on_case = [self.client_id]
        self.case_tasks = {task["id"]: task for task in (self._task("Your number"), self._task("Your street"))}
        self.given_by: dict[str, str] = {}
        self.asked_for: list[Context | None] = []
        self.calls = FakeCalls(
            accounts,
            clients,
            cases,
            tasks,
            messaging,
            answers={
                accounts.GET_FIRM: lambda: self.firm,
                clients.GET_RECIPIENTS: self._recipients,
                clients.GET_CLIENT_FACTS: lambda client_ids: {
                    "clients": [{"client_id": self.client_id}] if self.client_id in client_ids else []
                },
                cases.GET_CASE_FACTS: self._case_facts,
                cases.LIST_CASES: lambda **_: {"data": [{"id": self.case_id}], "meta": {"next_cursor": None}},
                tasks.GET_CASE_TASK: self._case_task,
                tasks.LIST_OPEN_TASKS: lambda case_ids: {
                    "case_tasks": [task for task in self.case_tasks.values() if task["status"] == "to_do"]
                },
                tasks.SUBMIT_ANSWER: self._submit,
                tasks.GET_MAPPED_ANSWERS: lambda case_task_ids: {
                    "answers": [
                        {"case_task_id": id_, "link_id": self.given_by[id_]}
                        for id_ in case_task_ids
                        if id_ in self.given_by
                    ]
                },
            },
        )
        self.service = make_service(PortalService, db=database, calls=self.calls, firms=self.firms)

    def link(self, **values) -> types.SimpleNamespace:
        """A registered link: `id` and `hash`."""
        token_hash = new_token()[1]
        task_id = next(iter(self.case_tasks))
        wanted = {
            "token_hash": token_hash,
            "client_id": self.client_id,
            "scope": {"kind": "task", "case_task_id": task_id, "case_ids": []},
            "channel": "sms",
            **values,
        }
        made = links.register_links(self.db, self.clock(), links=[wanted], link_days=14)["links"][0]
        return types.SimpleNamespace(id=made["link_id"], hash=token_hash, expires_at=made["expires_at"])

    def is_open(self, link) -> bool:
        try:
            opened = links.open_link(self.everywhere, self.clock(), link.hash)
        except Gone:
            return False
        assert opened == {"link_id": link.id, "firm_id": self.firm_id}
        return True

    def page(self, link):
        return pages.get_page(self.everywhere, self.calls, self.firms, self.clock(), link.id)

    def submit(self, link, answers):
        return pages.submit_answers(self.everywhere, self.calls, self.firms, self.clock(), link.id, answers)

    def emitted(self, event):
        return [found.data for found in outbox_events(self.everywhere, event) if found.firm_id == self.firm_id]

    def changed(self, *names: str, **values):
        data = {
            "client_id": self.client_id,
            "version": 2,
            "status": "active",
            "tags": [],
            "language": "en",
            "changed": list(names),
            **values,
        }
        return received(clients.CLIENT_CHANGED, data, firm_id=self.firm_id, time=self.clock())

    def _task(self, title: str):
        return {
            "id": new_id(),
            "case_id": self.case_id,
            "title": title,
            "kind": "short_text",
            "status": "to_do",
            "answer": None,
        }

    def _recipients(self, client_ids):
        self.asked_for.append(current())
        return {"recipients": [{"client_id": id_, **self.client} for id_ in client_ids]}

    def _case_facts(self, case_ids):
        found = {"case_id": self.case_id, "state": "open", "client_ids": self.on_case}
        return {"cases": [found] if self.case_id in case_ids else []}

    def _case_task(self, case_task_id):
        if case_task_id not in self.case_tasks:
            raise NotFound("case_task_not_found")
        return self.case_tasks[case_task_id]

    def _submit(self, case_task_id, answer, client_id, link_id):
        task = self.case_tasks[case_task_id]
        if answer == "refuse":
            raise Invalid("too_long", fields=[{"field": "answer", "message": "Too long."}], longest=5)
        if task["status"] == "skipped":
            raise Conflict("task_skipped")
        task.update(status="completed", answer=answer)
        self.given_by[case_task_id] = link_id
        return task


@pytest.fixture
def office(database) -> Office:
    return Office(database)


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
    office.on_case = [new_id()]
    with pytest.raises(Invalid, match="client_not_on_case"):
        make(office.client_id, scope)


# Pages


def test_a_page_is_composed_in_the_name_of_the_links_firm_and_client(office):
    page = office.page(office.link())
    assert page["branding"]["firm_name"] == "Harbor & Lane"
    assert (page["language"], page["first_name"]) == ("es", "Ana")
    assert [task["title"] for task in page["case_tasks"]] == ["Your number"]
    assert PortalPage().validate(GET_PAGE.response().dump(page)) == {}
    made_for = office.asked_for[0]
    assert (made_for.firm_id, made_for.actor_id, made_for.actor_kind) == (office.firm_id, office.client_id, "client")


def test_a_page_of_many_tasks_shows_the_open_ones_of_the_clients_cases(office):
    office.client["language"] = "de"
    page = office.page(office.link(scope={"kind": "tasks", "case_task_id": None, "case_ids": []}))
    assert [task["title"] for task in page["case_tasks"]] == ["Your number", "Your street"]
    assert page["language"] == "en"
    named = office.link(scope={"kind": "tasks", "case_task_id": None, "case_ids": [office.case_id]})
    assert len(office.page(named)["case_tasks"]) == 2
    office.on_case = []
    assert office.page(named)["case_tasks"] == []


def test_who_is_no_longer_on_the_case_sees_nothing_of_it(office):
    link = office.link()
    office.on_case = [new_id()]
    with pytest.raises(Gone):
        office.page(link)
    with pytest.raises(Gone):
        office.submit(link, {next(iter(office.case_tasks)): "x"})
    assert office.given_by == {}


def test_an_erased_client_has_no_page(office):
    link = office.link()
    office.client["state"] = "erased"
    with pytest.raises(Gone):
        office.page(link)


def test_an_erased_clients_answer_is_handed_to_nobody(office):
    """The event that ends the link is under way."""
    link, task = office.link(), next(iter(office.case_tasks))
    office.client["state"] = "erased"
    with pytest.raises(Gone):
        office.submit(link, {task: "Zerelda"})
    assert office.calls.asked(tasks.SUBMIT_ANSWER) == []


def test_firm_settings_are_fetched_once_and_dropped_when_they_change(office):
    link = office.link()
    office.page(link)
    office.page(link)
    assert len(office.calls.asked(accounts.GET_FIRM)) == 1
    office.firm["name"] = "Harbor & Son"
    data = {"firm_id": office.firm_id, "changed": ["name"], "version": 2}
    event = received(accounts.FIRM_CHANGED, data, firm_id=office.firm_id)
    deliver(office.service, "forget_firm", event)
    deliver(office.service, "forget_firm", event)
    assert office.page(link)["branding"]["firm_name"] == "Harbor & Son"


# Answers


def test_answers_go_to_tasks_with_the_client_and_the_link(office):
    link = office.link()
    task_id = next(iter(office.case_tasks))
    office.clock.advance(hours=2)
    page = office.submit(link, {task_id: "Main St"})
    assert page["case_tasks"][0]["answer"] == "Main St"
    assert office.calls.asked(tasks.SUBMIT_ANSWER) == [
        {"case_task_id": task_id, "answer": "Main St", "client_id": office.client_id, "link_id": link.id}
    ]
    assert links.get_link(office.db, link.id)["last_used_at"] == office.clock()


def test_the_first_use_of_a_link_is_told_and_no_later_one(office):
    link, unused = office.link(), office.link()
    first = next(iter(office.case_tasks))
    office.submit(link, {first: "Main St"})
    office.clock.advance(hours=2)
    office.submit(link, {first: "Side St"})
    told = {"link_id": link.id, "client_id": office.client_id, "contact_id": None, "case_task_id": first}
    assert office.emitted(LINK_USED) == [{**told, "channel": "sms"}]
    assert links.get_link(office.db, link.id)["last_used_at"] == office.clock()
    assert links.get_link(office.db, unused.id)["last_used_at"] is None


def test_a_task_outside_the_link_is_refused_before_anything_is_done(office):
    first, second = office.case_tasks
    with pytest.raises(Invalid, match="task_not_in_link"):
        office.submit(office.link(), {first: "x", second: "y"})
    assert office.given_by == {}


def test_one_refused_answer_keeps_its_reason_and_does_not_hold_back_the_others(office):
    first, second = office.case_tasks
    link = office.link(scope={"kind": "tasks", "case_task_id": None, "case_ids": []})
    with pytest.raises(Invalid, match="too_long") as refused:
        office.submit(link, {first: "refuse", second: "fine"})
    assert refused.value.fields == [{"field": f"answers.{first}", "message": "Too long."}]
    assert refused.value.meta == {"longest": "5"}
    assert list(office.given_by) == [second]


def test_a_task_that_a_condition_hid_cannot_be_answered(office):
    link = office.link()
    task_id = next(iter(office.case_tasks))
    office.case_tasks[task_id]["status"] = "skipped"
    assert office.page(link)["case_tasks"] == []
    with pytest.raises(Invalid, match="task_not_in_link"):
        office.submit(link, {task_id: "x"})


# What ends links


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
            "channel": "sms",
        }
    ]
    assert ask(office, "0" * 64) is None


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


def test_a_deleted_client_gets_no_new_link(office):
    link = office.link()
    data = {"client_id": office.client_id, "version": 3}
    deliver(office.service, "end_links_of_deleted", received(clients.CLIENT_DELETED, data, firm_id=office.firm_id))
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
