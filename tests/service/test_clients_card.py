"""clients: what a card shows of one client, by one call."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.columns import new_id
from chassis.context import use
from chassis.wire import strict
from contracts import clients as contract
from contracts.errors import Gone, NotFound
from services.clients import (
    activity,
    contact_ties,
    contacts,
    group_members,
    groups,
    merging,
    notes,
    records,
)
from services.clients.client_card import get_client_card
from tests.service.clients_desk import NOW, Desk, desk
from tests.service.one_database import on_one_database
from tests.service.plans import counted

__all__ = ["desk"]

PLAIN: dict[str, Any] = {"keep": {}, "dry_run": False}
EMAIL = {"address": "Ann.Lee@example.com"}


def card(desk: Desk, client_id: str, limit: int = 10) -> dict[str, Any]:
    with use(desk.context):
        found = get_client_card(desk.db, client_id=client_id, limit=limit)
    dumped: dict[str, Any] = strict(contract.ClientCardPart).dump(found)
    assert strict(contract.ClientCardPart).schema.validate(dumped) == {}
    return dumped


def business(desk: Desk, name: str) -> str:
    return str(desk.create(first_name=None, company_name=name, kind="business")["id"])


def contact(desk: Desk, *client_ids: str, **given: Any) -> dict[str, Any]:
    given = {"first_name": "Ann", "last_name": "Lee", **given}
    return contacts.create_contact(desk.db, NOW, client_ids=client_ids, **given)


def group(desk: Desk, name: str, *client_ids: str) -> str:
    made = groups.create_client_group(desk.db, NOW, name=name, client_ids=client_ids)
    return str(made["id"])


@on_one_database
def test_every_part_is_as_its_own_operation_gives_it(desk: Desk) -> None:
    client_id = business(desk, "Acme")
    contact(desk, client_id, email="ann@example.com", title="Office manager", notify=True)
    for number in range(4):
        with use(desk.context):
            notes.create_client_note(desk.db, NOW, client_id=client_id, text=f"Note {number}")
    found = card(desk, client_id, limit=3)
    with use(desk.context):
        own = {
            "client": records.get_client(desk.db, client_id),
            "activity": activity.list_client_activity(desk.db, client_id=client_id, limit=3),
            "notes": notes.list_client_notes(desk.db, client_id=client_id, limit=3),
            "contacts": contacts.list_contacts(desk.db, client_id=client_id, limit=3),
        }
    assert {name: found[name] for name in own} == strict(contract.ClientCardPart).dump(own)
    assert found["notes"]["meta"]["total"] == 4
    assert found["notes"]["meta"]["next_cursor"] is not None
    (shown,) = found["contacts"]["data"]
    assert (shown["title"], shown["clients"]) == ("Office manager", [{"client_id": client_id, "notify": True}])


@on_one_database
def test_an_individual_shows_the_businesses_it_is_a_contact_of(desk: Desk) -> None:
    bolt, acme, gone = business(desk, "Bolt"), business(desk, "Acme"), business(desk, "Gone")
    made = contact(desk, bolt, acme, gone, email="ann.lee@EXAMPLE.com", title="Owner")
    contacts.update_client_contact(desk.db, client_id=bolt, contact_id=made["id"], changes={"notify": True})
    contact(desk, acme, email="another@example.com")
    records.delete_client(desk.db, NOW, client_id=gone)
    ann = desk.create(emails=[EMAIL])
    found = card(desk, ann["id"])
    same = {"contact_id": made["id"], "title": "Owner"}
    assert found["businesses"]["data"] == [
        {**same, "client_id": acme, "name": "Acme", "notify": False},
        {**same, "client_id": bolt, "name": "Bolt", "notify": True},
    ]
    assert found["businesses"]["meta"] == {"next_cursor": None, "total": 2}
    assert found["contacts"]["data"] == []
    assert card(desk, ann["id"], limit=1)["businesses"]["meta"]["total"] == 2
    contact_ties.remove_client_contact(desk.db, NOW, client_id=acme, contact_id=made["id"])
    assert [entry["name"] for entry in card(desk, ann["id"])["businesses"]["data"]] == ["Bolt"]
    assert card(desk, desk.create(first_name="Bob")["id"])["businesses"]["data"] == []


def test_the_groups_that_a_client_was_added_to_are_shown_by_name(desk: Desk) -> None:
    ann, bob = desk.create()["id"], desk.create(first_name="Bob")["id"]
    news, elders = group(desk, "News", ann, bob), group(desk, "elders", ann)
    group(desk, "Others", bob)
    shown = card(desk, ann)["groups"]
    assert shown["data"] == [{"id": elders, "name": "elders"}, {"id": news, "name": "News"}]
    assert shown["meta"] == {"next_cursor": None, "total": 2}
    group_members.change_group_members(desk.db, NOW, group_id=news, remove=[ann])
    assert [entry["id"] for entry in card(desk, ann)["groups"]["data"]] == [elders]


def test_what_happened_to_a_merged_client_is_in_the_survivors_card(desk: Desk) -> None:
    first, second, third = (desk.create(first_name=name)["id"] for name in ("Ann", "Anne", "Anna"))
    with use(desk.context):
        merging.merge_clients(desk.db, desk.calls, NOW, client_id=second, duplicate_id=third, **PLAIN)
        merging.merge_clients(desk.db, desk.calls, NOW, client_id=first, duplicate_id=second, **PLAIN)
        own = activity.list_client_activity(desk.db, client_id=first)
    found = card(desk, first)["activity"]
    assert [entry["id"] for entry in found["data"]] == [entry["id"] for entry in own["data"]]
    assert found["meta"]["total"] >= 5
    with pytest.raises(Gone, match="client_merged"):
        card(desk, third)
    with pytest.raises(NotFound):
        card(desk, new_id())


def test_it_takes_three_statements_however_much_there_is(desk: Desk) -> None:
    ann = desk.create(emails=[EMAIL])["id"]
    contact(desk, business(desk, "Acme"), email=EMAIL["address"])
    group(desk, "News", ann)
    for _ in range(3):
        with use(desk.context):
            notes.create_client_note(desk.db, NOW, client_id=ann, text="Prefers mornings.")
    with counted(desk.db) as statements:
        assert card(desk, ann, limit=1)["notes"]["meta"]["total"] == 3
    assert len(statements) == 3
