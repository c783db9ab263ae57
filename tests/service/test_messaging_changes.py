"""What changes while a message is being prepared or called for: what was read before it sends nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from chassis.columns import new_id
from chassis.testing import deliver, received
from contracts import accounts, clients, tasks
from contracts.errors import Unavailable
from services.messaging import firm_rules
from services.messaging.adapters.base import Deferred, Result, Unknown
from services.messaging.dispatching import claims, preparation
from tests.service.messaging_desk import Desk, desk
from tests.service.one_database import on_one_database

__all__ = ["desk"]

NUMBER = "+12125559999"
Change = Callable[[Desk, dict[str, Any]], None]


def moved(desk: Desk, item: dict[str, Any]) -> None:
    (person,) = item["client_ids"]
    desk.people[person] = {**desk.people[person], "sms": NUMBER}
    data = {"client_id": person, "version": 2, "status": "active", "tags": [], "language": None, "changed": ["phones"]}
    deliver(desk.service, "refresh_clients", received(clients.CLIENT_CHANGED, data, firm_id=desk.firm_id))


def deleted(desk: Desk, item: dict[str, Any]) -> None:
    (person,) = item["client_ids"]
    desk.people[person] = {"client_id": person, "state": "erased"}
    data = {"client_id": person, "version": 2}
    deliver(desk.service, "drop_deleted_client", received(clients.CLIENT_DELETED, data, firm_id=desk.firm_id))


def answered(desk: Desk, item: dict[str, Any]) -> None:
    desk.tasks[item["case_task_id"]]["status"] = "completed"
    data = {
        "case_task_id": item["case_task_id"], "case_id": item["case_id"], "template_id": new_id(), "client_id": None,
        "answered_by": "staff", "mapped": None, "answer_version": 1,
    }  # fmt: skip
    deliver(desk.service, "drop_closed_tasks", received(tasks.TASK_COMPLETED, data, firm_id=desk.firm_id))


def change_while_prepared(monkeypatch: pytest.MonkeyPatch, change: Callable[[], None]) -> None:
    """Once, after the facts were asked for and before what follows from them is written."""
    gather = preparation.gather

    def gather_before_a_change(*given: Any, **named: Any) -> Any:
        facts = gather(*given, **named)
        monkeypatch.setattr(preparation, "gather", gather)
        change()
        return facts

    monkeypatch.setattr(preparation, "gather", gather_before_a_change)


def not_taken(desk: Desk, result: Result, change: Change) -> str:
    """A batch of one, whose first call is not taken by the provider, and something changes during it."""
    answers = [result]
    desk.provider.answer = lambda message: answers.pop() if answers else None
    item = desk.item(desk.person())
    batch_id = desk.ask([item])
    desk.prepare()
    desk.sending.send_some()
    desk.sending.slots.wait_all()
    change(desk, item)
    desk.sending.recorder.record_some()
    # The provider answers that it has no such message.
    desk.provider.accepted.clear()
    for _ in range(2):
        desk.clock.advance(seconds=61)
        desk.sending.settle_some()
        desk.run()
    return batch_id


@pytest.mark.parametrize("result", [Unknown("timeout"), Deferred(5.0)], ids=["unknown", "deferred"])
@pytest.mark.parametrize(
    ("change", "sent_to", "outcome"),
    [(moved, [NUMBER], "sent"), (deleted, [], "client_erased"), (answered, [], "task_closed")],
)
def test_what_changes_during_a_call_counts_if_it_is_made_again(
    desk: Desk, result: Result, change: Change, sent_to: list[str], outcome: str
) -> None:
    batch_id = not_taken(desk, result, change)
    assert [message.to for message in desk.provider.accepted] == sent_to
    assert desk.outcome(batch_id) == {outcome: 1}


def test_what_changes_while_it_is_prepared_is_prepared_anew(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    item = desk.item(desk.person())
    batch_id = desk.ask([item])
    change_while_prepared(monkeypatch, lambda: moved(desk, item))
    desk.run()
    assert [message.to for message in desk.provider.accepted] == [NUMBER]
    assert desk.outcome(batch_id) == {"sent": 1}


def test_what_changes_is_left_to_the_round_that_takes_it_up_next(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    item = desk.item(desk.person())
    batch_id = desk.ask([item])

    def away(**_: Any) -> Any:
        raise Unavailable("service_unavailable")

    def change() -> None:
        moved(desk, item)
        with monkeypatch.context() as patch:
            patch.setitem(desk.calls.answers, clients.GET_RECIPIENTS, away)
            desk.sending.prepare_some()

    change_while_prepared(monkeypatch, change)
    desk.prepare()
    desk.clock.advance(seconds=9)
    desk.run()
    assert [message.to for message in desk.provider.accepted] == [NUMBER]
    assert desk.outcome(batch_id) == {"sent": 1}


def test_a_task_that_is_closed_while_a_joined_message_is_prepared_again_is_left_out(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = desk.person()
    items = [desk.item(person) for _ in range(2)]
    batch_id = desk.ask(items, coalesce=True)
    desk.prepare()
    moved(desk, items[0])
    change_while_prepared(monkeypatch, lambda: answered(desk, items[1]))
    desk.run()
    assert [message.to for message in desk.provider.accepted] == [NUMBER]
    assert desk.outcome(batch_id) == {"sent": 1, "task_closed": 1}


@pytest.mark.parametrize("stopped", [False, True])
def test_what_was_made_ready_before_a_change_is_not_called_for(desk: Desk, stopped: bool) -> None:
    item = desk.item(desk.person())
    number = desk.number(item["client_ids"][0])
    desk.ask([item])

    def ready() -> claims.Ready:
        desk.prepare()
        (reserved,) = claims.reserve(desk.db, "one", desk.sender_id, desk.clock(), 10)
        return claims.Ready(reserved, body="Hi", stored="Hi", subject=None, segments=1)

    def claimed(item: claims.Ready) -> list[str]:
        lease = dt.timedelta(seconds=10)
        claim = claims.claim(desk.db, "one", desk.sender_id, [item], desk.clock(), call_lease=lease)
        return [begun.reserved.address for begun in claim.begun]

    before = ready()
    moved(desk, item)
    after = ready()
    if stopped:
        desk.reply(number, "STOP")
    assert claimed(before) == []
    assert claimed(after) == [NUMBER]


@on_one_database
def test_the_confirmation_of_a_stop_goes_where_the_stop_came_from(desk: Desk) -> None:
    item = desk.item(desk.person())
    number = desk.number(item["client_ids"][0])
    desk.ask([item])
    desk.run()
    desk.reply(number, "STOP")
    desk.prepare()
    moved(desk, item)
    desk.run()
    assert desk.provider.texts_to(number)[-1].startswith("Harbor & Lane: you are opted out")


def demand_opt_in(desk: Desk, times: int = 2) -> None:
    desk.firm |= {"require_opt_in": True, "opt_out_scope": "channel", "version": 2}
    data = {"firm_id": desk.firm_id, "changed": ["require_opt_in"], "version": 2}
    event = received(accounts.FIRM_CHANGED, data, firm_id=desk.firm_id)
    for _ in range(times):
        deliver(desk.service, "keep_firm_rules", event)


def test_an_opt_in_that_the_firm_demands_from_now_on_is_demanded_for_what_waits(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(firm_rules, "AT_ONCE", 2)
    willing = desk.person()
    desk.reply(desk.number(willing), "START")
    batch_id = desk.ask([desk.item(desk.person()) for _ in range(5)] + [desk.item(willing)])
    desk.prepare()
    demand_opt_in(desk)
    desk.run()
    assert desk.outcome(batch_id) == {"no_consent": 5, "sent": 1}


def test_an_opt_in_that_the_firm_demands_counts_for_what_is_being_prepared_or_called_for(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    not_taken(desk, Deferred(5.0), lambda desk, item: demand_opt_in(desk))
    desk.firm["require_opt_in"] = False
    desk.ask([desk.item(desk.person())])
    change_while_prepared(monkeypatch, lambda: demand_opt_in(desk))
    desk.run()
    assert desk.provider.accepted == []
    assert [row.reason for row in desk.deliveries()] == ["no_consent", "no_consent"]


def test_what_the_rules_of_before_queue_while_the_firm_changes_them_is_decided_anew(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id = desk.ask([desk.item(desk.person())])

    def now() -> dt.datetime:
        moment = desk.clock()
        if not desk.deliveries(batch_id)[0].address:
            desk.clock.advance(seconds=1)
            desk.firm["require_opt_in"] = False
            desk.prepare()
            desk.firm["require_opt_in"] = True
            desk.clock.advance(seconds=1)
        return moment

    monkeypatch.setattr(firm_rules, "utc_now", now)
    demand_opt_in(desk, times=1)
    desk.run()
    assert desk.outcome(batch_id) == {"no_consent": 1}
