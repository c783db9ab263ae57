"""A client is written to about a case only while it is the client's, and asked for something only while it is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chassis.columns import new_id
from chassis.testing import deliver, received
from contracts import cases, tasks
from contracts.cases import CASE_EVENT_EXAMPLE
from services.messaging import case_messages, contents
from tests.service.messaging_desk import NOW, Desk, desk
from tests.service.test_messaging_changes import change_while_prepared

__all__ = ["desk"]

Item = dict[str, Any]
Change = Callable[[Desk, Item], None]


def facts_of(desk: Desk, item: Item, **now: Any) -> None:
    """`cases` tells of the item's case so from now on, and of every other one as before."""
    before = desk.calls.answers[cases.GET_CASE_FACTS]

    def told(case_ids: list[str]) -> dict[str, Any]:
        found = before(case_ids)["cases"]
        return {"cases": [{**case, **(now if case["case_id"] == item["case_id"] else {})} for case in found]}

    desk.calls.answers[cases.GET_CASE_FACTS] = told


def taken_off(desk: Desk, item: Item) -> None:
    """The first client of the case is taken off it."""
    facts_of(desk, item, client_ids=item["client_ids"][1:], state="open")
    tell(desk, item, ["clients"])


def archived(desk: Desk, item: Item) -> None:
    facts_of(desk, item, client_ids=item["client_ids"], state="archived")
    tell(desk, item, ["archived_at"])


def taken_back(desk: Desk, item: Item) -> None:
    """By the undo of the import that made the case."""
    facts_of(desk, item, client_ids=item["client_ids"], state="archived")
    case = {**CASE_EVENT_EXAMPLE, "case_id": item["case_id"], "version": 2, "changed": ["number", "archived_at"]}
    data = {"import_id": new_id(), "cases": [case]}
    event = received(cases.CASES_IMPORTED, data, firm_id=desk.firm_id)
    deliver(desk.service, "follow_imported_cases", event)
    deliver(desk.service, "follow_imported_cases", event)


def tell(desk: Desk, item: Item, changed: list[str]) -> None:
    data = {**CASE_EVENT_EXAMPLE, "case_id": item["case_id"], "version": 2, "changed": changed}
    event = received(cases.CASE_CHANGED, data, firm_id=desk.firm_id)
    deliver(desk.service, "follow_changed_cases", event)
    deliver(desk.service, "follow_changed_cases", event)


@pytest.mark.parametrize("prepared", [False, True], ids=["waiting", "prepared"])
@pytest.mark.parametrize(("change", "left"), [(taken_off, 1), (archived, 0), (taken_back, 0)])
def test_what_waits_about_a_case_is_not_sent_once_it_is_not_the_clients_any_more(
    desk: Desk, change: Change, left: int, prepared: bool
) -> None:
    item, other = desk.item(desk.person(), desk.person()), desk.item(desk.person())
    batch_id = desk.ask([item, other])
    if prepared:
        desk.prepare()
    change(desk, item)
    desk.run()
    assert desk.outcome(batch_id) == {"task_closed": 2 - left, "sent": 1 + left}
    assert desk.number(item["client_ids"][0]) not in [message.to for message in desk.provider.accepted]


@pytest.mark.parametrize("change", [taken_off, archived])
def test_a_change_of_the_case_while_it_is_prepared_counts(
    desk: Desk, change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = desk.item(desk.person())
    batch_id = desk.ask([item])
    change_while_prepared(monkeypatch, lambda: change(desk, item))
    desk.run()
    assert desk.outcome(batch_id) == {"task_closed": 1}


@pytest.mark.parametrize("change", [taken_off, archived])
def test_of_a_joined_message_only_what_is_about_that_case_is_left_out(desk: Desk, change: Change) -> None:
    client_id = desk.person()
    first, second = desk.item(client_id), desk.item(client_id)
    batch_id = desk.ask([first, second], coalesce=True)
    desk.prepare()
    change(desk, second)
    desk.run()
    assert desk.outcome(batch_id) == {"task_closed": 1, "sent": 1}
    assert len(desk.provider.accepted) == 1


def test_a_joined_message_that_is_being_prepared_leaves_out_a_case_that_is_archived_meanwhile(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    client_id = desk.person()
    first, second = desk.item(client_id), desk.item(client_id)
    batch_id = desk.ask([first, second], coalesce=True)
    change_while_prepared(monkeypatch, lambda: archived(desk, second))
    desk.run()
    assert desk.outcome(batch_id) == {"task_closed": 1, "sent": 1}


def test_who_became_another_client_is_still_written_to(desk: Desk) -> None:
    """Cases have not heard of the merge yet."""
    survivor, merged = desk.person(), desk.person()
    desk.people[merged] = {"client_id": merged, "state": "erased", "surviving_id": survivor}
    item = desk.item(survivor)
    facts_of(desk, item, client_ids=[merged], state="open")
    batch_id = desk.ask([item])
    desk.run()
    assert desk.outcome(batch_id) == {"sent": 1}


@pytest.mark.parametrize(("change", "outcome"), [(taken_off, "task_closed"), (archived, "sent")])
def test_a_rules_message_goes_to_clients_of_the_case_alone_also_once_it_is_archived(
    desk: Desk, change: Change, outcome: str
) -> None:
    """It asks for nothing, and may be the last word."""
    item = desk.item(desk.person())
    variants = [{"channel": "sms", "language": "en", "body": "Thank you, {{ client.first_name }}."}]
    template = contents.create_template(desk.db, name="Thanks", variants=variants)
    asked = {
        "automation_run_id": new_id(), "case_id": item["case_id"], "case_task_id": None,
        "client_ids": item["client_ids"], "message_template_id": template["id"], "channels": ["sms"],
        "fallback": False, "requested_at": NOW,
    }  # fmt: skip
    event = received(tasks.CASE_MESSAGE_REQUESTED, asked, firm_id=desk.firm_id, subscription="test")
    case_messages.accept_case_message(desk.db, event, NOW)
    change(desk, item)
    desk.run()
    assert desk.outcome(asked["automation_run_id"]) == {outcome: 1}
