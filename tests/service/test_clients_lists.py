"""clients: lists and search, what other services ask, and activity. Every event is delivered twice."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from chassis.columns import new_id
from contracts.errors import Invalid, NotFound
from contracts.messaging import COMMUNICATION_LOGGED, CONSENT_CHANGED, DELIVERY_SENT
from contracts.tasks import TASK_COMPLETED
from services.clients import facts
from services.clients.activity import list_client_activity
from tests.service.clients_desk import CONSENT, DELIVERY, DELIVERY_EVENTS, NOW, Desk, desk
from tests.service.plans import counted

__all__ = ["desk"]

LATER = NOW + dt.timedelta(hours=1)


# Lists


def test_the_search_box_finds_by_name_phone_and_email(desk: Desk) -> None:
    ann = desk.create(
        first_name="Anaïs", last_name="O'Neil-Müller", phones=[{"number": "+12125550123"}],
        emails=[{"address": "Ana.ONeil@example.com"}],
    )["id"]  # fmt: skip
    acme = desk.create(first_name=None, company_name="Acme 100% Ltd", phones=[{"number": "+442079460958"}])["id"]
    for q in ("anais", "MULLER an", "oneil", "(212) 555-0123", "555 0123", "ana.oneil@", "ONeil-Müller, Anaïs"):
        assert desk.listed(q=q) == [ann], q
    for q in ("acme", "100%", "020 7946 0958", "+44 20 7946"):
        assert desk.listed(q=q) == [acme], q
    assert desk.listed(q="ann%") == desk.listed(q="_") == desk.listed(q="zzz") == []
    assert len(desk.listed(q="  ")) == 2


def test_a_change_is_found_at_once(desk: Desk) -> None:
    made = desk.create(first_name="Ann", phones=[{"number": "+12125550123"}])
    desk.change(made["id"], last_name="Ray", phones=[{"number": "+12125550199"}])
    assert desk.listed(q="ray") == desk.listed(q="2125550199") == [made["id"]]
    assert desk.listed(q="2125550123") == []


def test_filters(desk: Desk, tmp_path: Path) -> None:
    staff = new_id()
    ann = desk.create(status="prospective", tags=["Été"], assigned_staff_id=staff)["id"]
    bob = desk.create(first_name="Bob")["id"]
    Desk(desk.everywhere, tmp_path).create(first_name="Another firm's")
    assert desk.listed(status="prospective") == desk.listed(tag="ete") == desk.listed(assigned_staff_id=staff) == [ann]
    assert desk.listed(status="active") == [bob]
    assert sorted(desk.listed(created_since=NOW)) == sorted([ann, bob])
    assert desk.listed(created_since=LATER) == []


def test_pages_by_last_activity_are_whole(desk: Desk) -> None:
    made = [desk.create(first_name=name)["id"] for name in ("Ann", "Bob", "Cid", "Dan", "Eve")]
    for minutes, client_id in ((3, made[1]), (2, made[4]), (1, made[0])):
        at = NOW + dt.timedelta(minutes=minutes)
        sent = {**DELIVERY, "delivery_id": new_id(), "client_id": client_id, "at": at}
        desk.hear("record_sent_deliveries", DELIVERY_SENT, sent)
    newest = [made[1], made[4], made[0], *sorted((made[2], made[3]), reverse=True)]
    for sort, wanted in (("-last_activity_at", newest), ("last_activity_at", newest[::-1])):
        found, cursor = [], None
        while cursor or not found:
            answer = desk.page(sort=sort, limit=2, cursor=cursor)
            found += [client["id"] for client in answer["data"]]
            assert answer["meta"]["total"] == 5
            cursor = answer["meta"]["next_cursor"]
        assert found == wanted, sort


def test_pages_by_name_are_stable_while_clients_come(desk: Desk) -> None:
    names = ["Zoe Adams", "Ámy Baker", "bob Baker", "Carl Çelik", "Dan Young"]
    for name in reversed(names):
        first, last = name.split()
        desk.create(first_name=first, last_name=last)
    first_page = desk.page(sort="name", limit=3)
    desk.create(first_name="Aaron", last_name="Aaronson")
    rest = desk.page(sort="name", limit=3, cursor=first_page["meta"]["next_cursor"])
    listed = [f"{c['first_name']} {c['last_name']}" for c in first_page["data"] + rest["data"]]
    assert listed == names
    assert (first_page["meta"]["total"], rest["meta"]["next_cursor"]) == (5, None)


def test_a_page_and_the_total_are_one_statement_and_its_records_another(desk: Desk) -> None:
    staff = new_id()
    for name in ("Ann", "Bob", "Cid"):
        desk.create(first_name=name, assigned_staff_id=staff, status="inactive")
    desk.create(first_name="Dan", assigned_staff_id=staff)
    further = desk.page(limit=2)["meta"]["next_cursor"]
    for query, total in (
        ({}, 4), ({"cursor": further}, 4), ({"sort": "name"}, 4), ({"sort": "-last_activity_at"}, 4),
        ({"status": "inactive"}, 3), ({"assigned_staff_id": staff}, 4),
        ({"assigned_staff_id": staff, "status": "active"}, 1), ({"assigned_staff_id": new_id()}, 0),
    ):  # fmt: skip
        with counted(desk.db) as statements:
            page = desk.page(limit=2, **query)
        assert (page["meta"]["total"], len(page["data"])) == (total, min(total, 2)), query
        assert len(statements) == (2 if total else 1), query


def test_the_total_is_told_also_where_nobody_is_left_on_a_page(desk: Desk) -> None:
    made = [desk.create(first_name=name)["id"] for name in ("Ann", "Bob", "Cid")]
    for sort in ("created_at", "last_case_at"):
        cursor = desk.page(sort=sort, limit=2)["meta"]["next_cursor"]
        last = desk.page(sort=sort, limit=2, cursor=cursor)["data"][0]["id"]
        desk.delete(last)
        made.remove(last)
        page = desk.page(sort=sort, limit=2, cursor=cursor)
        assert (page["data"], page["meta"]) == ([], {"next_cursor": None, "total": len(made)})
        made.append(desk.create(first_name="Zoe")["id"])


def test_an_unknown_order_is_refused(desk: Desk) -> None:
    with pytest.raises(Invalid):
        desk.page(sort="shoe_size")


# What other services ask


def test_recipients_come_in_the_order_asked_for_with_their_state(desk: Desk) -> None:
    ann = desk.create(
        first_name="Ann", last_name="Lee", language="es", time_zone="America/Denver",
        phones=[{"number": "+12125550101", "kind": "home", "primary": True}, {"number": "+12125550102"}],
        emails=[{"address": "a@example.com"}, {"address": "b@example.com", "primary": True}],
        addresses=[{"kind": "billing", "city": "X"}, {"kind": "primary", "state": "FL", "country": "US"}],
    )["id"]  # fmt: skip
    blocked = desk.create(first_name=None, company_name="Bad Co", status="blacklisted")["id"]
    spam = desk.create(spam=True)["id"]
    gone = desk.create()["id"]
    desk.delete(gone)
    unknown = new_id()
    asked = [unknown, spam, ann, gone, blocked, ann]
    found = facts.get_recipients(desk.db, client_ids=asked)["recipients"]
    assert [entry["client_id"] for entry in found] == asked
    assert [entry["state"] for entry in found] == ["erased", "blocked", "found", "erased", "blocked", "found"]
    assert found[2] == {
        "client_id": ann, "state": "found", "first_name": "Ann", "last_name": "Lee", "display_name": "Ann Lee",
        "language": "es", "time_zone": "America/Denver", "postal_state": "FL", "postal_country": "US",
        "sms": "+12125550102", "phone": "+12125550101", "email": "b@example.com", "assigned_staff_id": None,
    }  # fmt: skip
    assert (found[4]["display_name"], found[4]["sms"]) == ("Bad Co", None)


def test_a_thousand_recipients_cost_as_many_queries_as_two(desk: Desk) -> None:
    with counted(desk.db) as of_two:
        facts.get_recipients(desk.db, client_ids=[new_id(), new_id()])
    with counted(desk.db) as of_many:
        facts.get_recipients(desk.db, client_ids=[new_id() for _ in range(1000)])
    assert len(of_many) == len(of_two)


def test_a_single_recipient_is_the_same_for_one_query(desk: Desk) -> None:
    phones = [{"number": "+12125550123", "kind": "home"}, {"number": "+12125550181", "kind": "mobile"}]
    places = [{"kind": kind, "state": state, "country": "US"} for kind, state in (("billing", "TX"), ("primary", "NY"))]
    emails = [{"address": "ann@example.com"}, {"address": "lee@example.com", "primary": True}]
    whole = desk.create(phones=phones, emails=emails, addresses=places)["id"]
    bare = desk.create(first_name="Bob")["id"]
    both = facts.get_recipients(desk.db, client_ids=[whole, bare])["recipients"]
    with counted(desk.db) as statements:
        assert facts.get_recipients(desk.db, client_ids=[whole])["recipients"] == both[:1]
    assert len(statements) == 1
    assert facts.get_recipients(desk.db, client_ids=[bare])["recipients"] == both[1:]
    assert (both[0]["sms"], both[0]["email"], both[0]["postal_state"]) == ("+12125550181", "lee@example.com", "NY")


def test_facts_leave_out_unknown_clients_and_personal_data(desk: Desk) -> None:
    ann = desk.create(tags=["b", "a"], language="en")["id"]
    gone = desk.create()["id"]
    desk.delete(gone)
    found = facts.get_client_facts(desk.db, client_ids=[new_id(), ann, gone, ann])["clients"]
    assert found == [{"client_id": ann, "status": "active", "tags": ["b", "a"], "language": "en", "version": 1}]


def test_an_address_finds_all_its_clients(desk: Desk, tmp_path: Path) -> None:
    shared = {"phones": [{"number": "+12125550101"}], "emails": [{"address": "Home@example.com"}]}
    ids = [desk.create(**shared)["id"], desk.create(**shared)["id"]]
    Desk(desk.everywhere, tmp_path).create(**shared)
    for channel, address in (("sms", "+12125550101"), ("phone", "(212) 555-0101"), ("email", "home@EXAMPLE.com")):
        assert facts.find_clients_by_address(desk.db, channel=channel, address=address)["client_ids"] == ids
    desk.delete(ids[0])
    assert facts.find_clients_by_address(desk.db, channel="sms", address="+12125550101")["client_ids"] == ids[1:]
    assert facts.find_clients_by_address(desk.db, channel="sms", address="12345")["client_ids"] == []


# Activity


def kinds(desk: Desk, client_id: str) -> list[str]:
    return [entry["kind"] for entry in list_client_activity(desk.db, client_id=client_id)["data"]]


def test_activity_tells_of_every_service_newest_first(desk: Desk) -> None:
    ann = desk.create()["id"]
    for number, (handler, event) in enumerate(DELIVERY_EVENTS.items()):
        at = NOW + dt.timedelta(minutes=number)
        desk.hear(handler, event, {**DELIVERY, "delivery_id": new_id(), "client_id": ann, "at": at})
    consent = {**CONSENT, "consent_id": new_id(), "client_ids": [ann, new_id()]}
    desk.hear("record_consent_changes", CONSENT_CHANGED, consent, time=LATER)
    task = {**desk.answer("phone", None, client_id=ann), "mapped": None}
    last = LATER + dt.timedelta(hours=1)
    desk.hear("follow_completed_tasks", TASK_COMPLETED, task, {**task, "client_id": None}, time=last)
    assert kinds(desk, ann) == [
        "task.completed.v1", "consent.changed.v1", "delivery.suppressed.v1", "delivery.failed.v1",
        "delivery.delivered.v1", "delivery.sent.v1", "client.created.v1",
    ]  # fmt: skip
    assert desk.get(ann)["last_activity_at"] == last
    assert desk.get(ann)["version"] == 1
    entry = list_client_activity(desk.db, client_id=ann)["data"][1]
    assert entry["facts"] == {**CONSENT, "consent_id": consent["consent_id"]}


def test_a_call_note_is_an_activity_that_names_who_wrote_it(desk: Desk) -> None:
    ann = desk.create()["id"]
    logged = {name: new_id() for name in ("log_entry_id", "staff_id", "case_id")} | {"client_id": ann, "kind": "call"}
    desk.hear("record_communications", COMMUNICATION_LOGGED, logged, time=LATER)
    newest = list_client_activity(desk.db, client_id=ann, limit=1)["data"][0]
    assert newest["kind"] == "communication.logged.v1"
    assert newest["facts"] == {name: value for name, value in logged.items() if name != "client_id"}
    assert desk.get(ann)["last_activity_at"] == LATER


def test_a_late_event_does_not_move_the_last_activity_back(desk: Desk) -> None:
    ann = desk.create()["id"]
    early = {**DELIVERY, "delivery_id": new_id(), "client_id": ann, "at": NOW - dt.timedelta(days=1)}
    desk.hear("record_sent_deliveries", DELIVERY_SENT, early)
    assert desk.get(ann)["last_activity_at"] == NOW
    assert kinds(desk, ann) == ["client.created.v1", "delivery.sent.v1"]


def test_a_change_is_an_activity_that_names_fields_and_who(desk: Desk) -> None:
    ann = desk.create(last_name="Lee")["id"]
    desk.change(ann, last_name="Ray")
    entry = list_client_activity(desk.db, client_id=ann, limit=1)["data"][0]
    assert entry["facts"] == {"changed": ["last_name"], "actor_kind": "staff", "actor_id": desk.context.actor_id}


def test_activity_of_no_client_of_ours_is_not_found(desk: Desk, tmp_path: Path) -> None:
    stranger = Desk(desk.everywhere, tmp_path)
    with pytest.raises(NotFound):
        list_client_activity(stranger.db, client_id=desk.create()["id"])
