"""A member who is limited to some types of cases finds no messages, notes of calls and notices about cases of others;
what is sent, and whom consent stops, is as for everybody."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from chassis.columns import new_id, utc_now
from chassis.context import use
from chassis.testing import deliver, received
from contracts.cases import CASE_CHANGED, CASE_CREATED, CASES_IMPORTED, LIST_TYPES_OF_CASES
from contracts.errors import CasewireError, Forbidden, NotFound
from contracts.messaging import CONSENT_CHANGED
from contracts.tasks import STAFF_NOTICE_REQUESTED
from services.messaging import consent, estimates, known_cases, notices
from services.messaging.models import KnownCase
from tests.service.messaging_desk import Desk, desk

__all__ = ["desk"]

PAGE = {"limit": 50, "cursor": None, "sort": None}
LISTED = {"client_id": None, "address": None, "direction": None, "batch_id": None, **PAGE}
LEDGER = {"state": None, "reason": None, **PAGE}


def told(desk: Desk, *case_ids: str) -> None:
    """Messaging hears of the cases, each of a type of its own."""
    facts = [fact(case_id) for case_id in case_ids]
    imported = received(CASES_IMPORTED, {"import_id": new_id(), "cases": facts}, firm_id=desk.firm_id)
    deliver(desk.service, "follow_imported_cases", imported)


def fact(case_id: str, version: int = 1, case_type_id: str | None = None) -> dict[str, Any]:
    return {
        "case_id": case_id, "version": version, "case_type_id": case_type_id or case_id, "status": "New",
        "state": "open", "client_ids": [], "staff_ids": [], "archived": False, "responsible_staff_id": None,
        "changed": [], "previous_status": None,
    }  # fmt: skip


def limited(desk: Desk, *case_ids: str) -> Any:
    """To the types of these cases."""
    return use(replace(desk.context, sees_only=tuple(case_ids)))


class Two:
    """A client with a case that a limited member sees and a case that it does not, and a task on each."""

    def __init__(self, desk: Desk) -> None:
        self.client = desk.person()
        self.seen_task, self.hidden_task = desk.task(), desk.task()
        self.seen, self.hidden = (desk.tasks[task]["case_id"] for task in (self.seen_task, self.hidden_task))
        told(desk, self.seen, self.hidden)

    def send(self, desk: Desk, task: str | None, body: str = "Please call.", at: dt.datetime | None = None) -> str:
        timing = {"mode": "at", "at": at} if at else {"mode": "now", "at": None}
        return str(
            desk.service.send_message(
                client_id=self.client, channel="sms", case_task_id=task, body=body, timing=timing, template_id=None,
                subject=None, html=None, needs_link=False,
            )["id"]
        )  # fmt: skip


def code(error: type[CasewireError], call: Any, *args: Any, **given: Any) -> str:
    with pytest.raises(error) as refused:
        call(*args, **given)
    return refused.value.code


def ids(found: dict[str, Any]) -> set[str]:
    assert found["meta"]["total"] == len(found["data"])
    return {entry["id"] for entry in found["data"]}


def test_messages_about_a_case_of_another_type_are_not_there(desk: Desk) -> None:
    two, later = Two(desk), desk.clock() + dt.timedelta(days=1)
    seen, hidden, plain = (two.send(desk, task, at=later) for task in (two.seen_task, two.hidden_task, None))
    (conversation,) = desk.service.list_conversations(client_id=two.client)["data"]
    read, of_client = desk.service, {**LISTED, "client_id": two.client}
    with limited(desk, two.seen):
        assert read.get_message(seen)["id"] == seen
        for call in (read.get_message, read.cancel_message):
            assert code(NotFound, call, hidden) == "message_not_found"
        for found in (
            read.list_messages(**of_client),
            read.list_messages(**LISTED),
            read.list_conversation_messages(conversation_id=conversation["id"]),
            read.list_communications(client_id=two.client),
            read.get_client_contact(client_id=two.client)["communications"],
        ):
            assert ids(found) == {seen, plain}
        assert read.cancel_message(seen)["state"] == "cancelled"
    assert read.get_message(hidden)["state"] == "accepted"
    assert ids(read.list_messages(**of_client)) == {seen, hidden, plain}


def test_a_conversation_does_not_begin_with_the_words_of_a_hidden_case(desk: Desk) -> None:
    two = Two(desk)

    def preview() -> str | None:
        (conversation,) = desk.service.list_conversations(client_id=two.client)["data"]
        assert conversation == desk.service.get_conversation(conversation["id"])
        words: str | None = conversation["preview"]
        return words

    for task, words in ((two.hidden_task, "Your divorce"), (two.seen_task, "Your will"), (None, "Good morning")):
        two.send(desk, task, words)
        assert preview() == words
        with limited(desk, two.seen):
            assert preview() == (None if task == two.hidden_task else words)
    two.send(desk, two.hidden_task, "Your divorce")
    desk.clock.now = utc_now() + dt.timedelta(seconds=1)
    desk.write(desk.number(two.client), "Thank you")
    with limited(desk, two.seen):
        assert preview() == "Thank you"


def test_a_batch_is_everybodys_with_its_figures_and_its_ledger_of_who_may_see(desk: Desk) -> None:
    two = Two(desk)
    both = desk.ask([desk.item(two.client, case_task_id=task) for task in (two.seen_task, two.hidden_task)])
    ours = desk.ask([desk.item(two.client, case_task_id=two.seen_task)], allow_repeat=True)
    with limited(desk, two.seen):
        (row,) = desk.service.list_deliveries(batch_id=both, **LEDGER)["data"]
        assert row["case_id"] == two.seen
        for batch in (desk.service.get_batch(both), *desk.service.list_batches(state=None, kind=None, **PAGE)["data"]):
            assert batch["deliveries"] == (2 if batch["id"] == both else 1)
        for command in (desk.service.pause_batch, desk.service.resume_batch, desk.service.cancel_batch):
            assert code(Forbidden, command, both) == "limited_to_case_types"
        assert desk.service.pause_batch(ours)["state"] == "paused"
        assert desk.service.resume_batch(ours)["state"] == "running"
        assert desk.service.cancel_batch(ours)["counts"] == {"cancelled": 1}
    assert desk.service.cancel_batch(both)["counts"] == {"cancelled": 2}


def test_a_note_of_a_call_about_a_hidden_case_is_not_there(desk: Desk) -> None:
    two = Two(desk)
    note = {"client_id": two.client, "kind": "call", "notes": "Asked for the deed."}
    seen, hidden, plain = (
        desk.service.log_communication(case_id=case_id, **note)["id"] for case_id in (two.seen, two.hidden, None)
    )
    with limited(desk, two.seen):
        assert ids(desk.service.list_communications(client_id=two.client)) == {seen, plain}
        change = {"changes": {"notes": "Mine"}}
        assert code(NotFound, desk.service.update_log_entry, log_entry_id=hidden, **change) == "log_entry_not_found"
        assert desk.service.update_log_entry(log_entry_id=seen, **change)["notes"] == "Mine"


def test_notices_about_a_hidden_case_are_left_out(desk: Desk) -> None:
    two = Two(desk)
    desk.colleagues[desk.staff_id]["email"] = "ada@firm.example"
    events = [
        received(
            STAFF_NOTICE_REQUESTED,
            {"staff_ids": [desk.staff_id], "kind": "task_overdue", "title": "Deed", "once": new_id(), "about": about},
            firm_id=desk.firm_id,
        )
        for about in ({"case_id": two.seen}, {"case_id": two.hidden}, {})
    ]
    deliver(desk.service, "tell_staff", *events)
    whose = {"actor_id": desk.staff_id}
    listed = notices.list_notices(desk.db, **whose, **PAGE)["data"]
    seen, hidden, plain = (
        next(notice["id"] for notice in listed if notice["about"].get("case_id") == case_id)
        for case_id in (two.seen, two.hidden, None)
    )
    with limited(desk, two.seen):
        assert ids(notices.list_notices(desk.db, **whose, **PAGE)) == {seen, plain}
        assert desk.service.list_messages(**LISTED)["meta"]["total"] == 2
        asked = {"notice_ids": [hidden], **whose}
        assert code(NotFound, notices.mark_notices_read, desk.db, **asked) == "notice_not_found"
        assert notices.mark_notices_read(desk.db, **whose) == {"marked": 2}
    assert ids(notices.list_notices(desk.db, unread=True, **whose, **PAGE)) == {hidden}
    assert desk.service.list_messages(**LISTED)["meta"]["total"] == 3


def test_what_was_sent_about_hidden_cases_counts_for_what_is_sent(desk: Desk) -> None:
    two = Two(desk)
    first = desk.ask([desk.item(two.client, case_task_id=two.hidden_task)])
    desk.run()
    assert desk.outcome(first) == {"sent": 1}
    done, waiting = desk.batch(first), desk.ask([desk.item(two.client, case_task_id=two.hidden_task)])
    message = {"template_id": None, "body": "Hi: {{ task.link }}", "subject": None}
    items = [desk.item(person, case_task_id=two.hidden_task) for person in (two.client, desk.person())]

    def estimate() -> dict[str, Any]:
        return estimates.estimate(
            desk.db, desk.calls, desk.service.settings, message=message, channels=["sms"], fallback=False,
            allow_repeat=False, coalesce=False, items=items, now=desk.clock(),
        )  # fmt: skip

    everybodys = estimate()
    assert (everybodys["recipients"], everybodys["waits_seconds"] > 0) == ({"repeated": 1, "send": 1}, True)
    with limited(desk):
        assert estimate() == everybodys
        assert desk.batch(first) == done
        assert desk.batch(waiting)["finish_expected_at"] is not None


def test_what_somebody_says_about_consent_is_of_all_that_was_written_to_the_address(desk: Desk) -> None:
    two = Two(desk)
    number = desk.number(two.client)
    two.send(desk, two.hidden_task)
    desk.clock.now = utc_now() + dt.timedelta(seconds=1)
    desk.run()
    said = {"channel": "sms", "address": number, "state": "opted_out", "words": "By phone.", "said_at": None}
    with limited(desk):
        with desk.db.read() as session:
            assert consent.persons_of_address(session, number) == [two.client]
        desk.service.record_consents(entries=[{**said, "client_id": None}], source="staff")
    assert desk.emitted(CONSENT_CHANGED)[-1]["client_ids"] == [two.client]
    two.send(desk, two.hidden_task)
    assert desk.deliveries()[-1].reason == "opted_out"
    desk.people[two.client]["sms"] = None
    with limited(desk):
        ledger = desk.service.list_consents(
            client_id=two.client, channel=None, address=None, state=None, since=None, until=None, **PAGE
        )
    assert [entry["address"] for entry in ledger["data"]] == [number]


def test_the_newest_word_of_a_case_stands(desk: Desk) -> None:
    case_id, first, second = new_id(), new_id(), new_id()

    def event(kind: Any, version: int, case_type_id: str) -> Any:
        return received(kind, fact(case_id, version, case_type_id), firm_id=desk.firm_id)

    created, late = event(CASE_CREATED, 1, first), event(CASE_CHANGED, 2, first)
    changed = event(CASE_CHANGED, 3, second)
    for _ in range(2):
        deliver(desk.service, "follow_created_cases", created)
        deliver(desk.service, "follow_changed_cases", changed, late)
    deliver(desk.service, "follow_changed_cases", event(CASE_CHANGED, 2, first))
    assert known(desk) == {case_id: (3, second)}


def test_cases_that_are_older_than_what_is_heard_are_asked_for_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_cases, "AT_ONCE", 2)
    older = sorted(new_id() for _ in range(5))
    told(desk, older[1])
    deliver(desk.service, "follow_changed_cases", received(CASE_CHANGED, fact(older[2], 3), firm_id=desk.firm_id))
    asked: list[str | None] = []

    def page(after_firm_id: str | None, after_case_id: str | None, limit: int) -> Any:
        asked.append(after_case_id)
        assert after_firm_id == (desk.firm_id if after_case_id else None)
        left = [case_id for case_id in older if case_id > (after_case_id or "")]
        entry = {"firm_id": desk.firm_id, "version": 2}
        return {"cases": [{**entry, "case_id": id_, "case_type_id": desk.firm_id} for id_ in left[:limit]]}

    desk.calls.answers[LIST_TYPES_OF_CASES] = page
    assert [known_cases.ask_for_older(desk.everywhere, desk.calls) for _ in range(4)] == [True, True, False, False]
    assert asked == [None, older[1], older[3]]
    assert known(desk) == dict.fromkeys(older, (2, desk.firm_id)) | {older[2]: (3, older[2])}


def test_what_is_about_a_case_that_nobody_has_told_of_is_hidden(desk: Desk) -> None:
    two, untold = Two(desk), desk.task()
    message = two.send(desk, untold)
    with limited(desk, desk.tasks[untold]["case_id"]):
        assert code(NotFound, desk.service.get_message, message) == "message_not_found"
    told(desk, desk.tasks[untold]["case_id"])
    with limited(desk, desk.tasks[untold]["case_id"]):
        assert desk.service.get_message(message)["id"] == message


def known(desk: Desk) -> dict[str, tuple[int, str | None]]:
    """By case, what is kept of it."""
    with desk.db.read() as session:
        return {case.case_id: (case.version, case.case_type_id) for case in session.scalars(select(KnownCase))}
