"""Notices to staff: who is told of what, by the list and by email, and how often."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.columns import new_id
from chassis.testing import deliver
from contracts import accounts
from contracts.errors import NotFound, Unavailable
from contracts.messaging import DELIVERY_SENT
from services.messaging import consent, conversations, history, notices, senders
from services.messaging.models import Delivery
from tests.service.messaging_desk import Desk, desk
from tests.service.one_database import on_one_database

__all__ = ["desk"]

STRANGER = "+13055550100"


@pytest.fixture
def office(desk: Desk) -> Desk:
    """A desk that can send email, and whose owner reads it."""
    senders.put_sender(
        desk.db, provider="recording", channel="email", address="office@firm.example", rate=1000.0,
        messaging_service_sid=None,
    )  # fmt: skip
    desk.colleagues[desk.staff_id].update(role="owner", email="Owner@firm.example")
    return desk


def told(desk: Desk, staff_id: str, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = notices.list_notices(desk.db, actor_id=staff_id, **query)["data"]
    return found


def emails(desk: Desk) -> list[str]:
    desk.run()
    return [message.to for message in desk.provider.accepted if message.channel == "email"]


def test_who_looks_after_the_client_is_told(office: Desk) -> None:
    ada = office.colleague(email="ada@firm.example")
    person = office.person(assigned_staff_id=ada)
    message_id = office.write(office.number(person), "My secret is out")
    (notice,) = told(office, ada)
    assert notice["kind"] == "message_received"
    assert notice["about"]["message_id"] == message_id
    assert notice["about"]["client_id"] == person
    assert told(office, office.staff_id) == []
    assert emails(office) == ["ada@firm.example"]
    (message,) = office.provider.accepted
    assert (message.subject, message.unsubscribe_url) == ("A client has written to you.", None)
    for never in ("secret", "Ann", office.number(person)):
        assert never not in message.body + str(message.html) + str(message.subject)


def test_who_looks_after_the_conversation_goes_before(office: Desk) -> None:
    ada, bea = office.colleague(), office.colleague()
    person = office.person(assigned_staff_id=ada)
    office.write(office.number(person))
    (notice,) = told(office, ada)
    conversations.update_conversation(
        office.db, office.calls, conversation_id=notice["about"]["conversation_id"],
        changes={"assigned_staff_id": bea}, actor_id=ada,
    )  # fmt: skip
    office.write(office.number(person))
    assert [found["kind"] for found in told(office, ada)] == ["message_received"]
    assert {found["kind"] for found in told(office, bea)} == {"conversation_given", "message_received"}


def test_a_colleague_is_told_of_a_conversation_that_is_given_to_them(office: Desk) -> None:
    ada, bea = office.colleague(email="ada@firm.example"), office.colleague()
    office.firm["locale"] = "es"
    conversation_id = new_conversation(office)

    def give(staff_id: str | None, by: str = ada) -> None:
        conversations.update_conversation(
            office.db, office.calls, conversation_id=conversation_id, changes={"assigned_staff_id": staff_id},
            actor_id=by, now=office.clock(),
        )  # fmt: skip

    before = emails(office)
    give(ada, by=bea)
    give(ada, by=bea)
    (notice,) = told(office, ada)
    assert (notice["kind"], notice["about"]) == ("conversation_given", {"conversation_id": conversation_id})
    assert emails(office) == [*before, "ada@firm.example"]
    assert office.provider.accepted[-1].subject == "Se le ha asignado una conversación."
    give(bea)
    give(ada)  # by herself
    give(None)
    assert (len(told(office, ada)), len(told(office, bea))) == (1, 1)


def new_conversation(desk: Desk) -> str:
    desk.write(STRANGER)
    return str(conversations.list_conversations(desk.db)["data"][0]["id"])


@pytest.mark.parametrize("known", [True, False], ids=["client of nobody", "stranger"])
def test_where_nobody_looks_after_it_those_in_charge_are_told(office: Desk, known: bool) -> None:
    admin, gone, member = (
        office.colleague(role="admin"),
        office.colleague(role="admin", active=False),
        office.colleague(),
    )
    number = office.number(office.person()) if known else STRANGER
    office.write(number)
    expected = "message_received" if known else "unknown_message_received"
    assert [notice["kind"] for notice in told(office, admin) + told(office, office.staff_id)] == [expected] * 2
    assert told(office, gone) == told(office, member) == []


def test_one_email_for_as_long_as_a_conversation_is_unread(office: Desk) -> None:
    for _ in range(3):
        office.write(STRANGER)
    assert len(told(office, office.staff_id)) == 3
    assert emails(office) == ["owner@firm.example"]
    conversation_id = told(office, office.staff_id)[0]["about"]["conversation_id"]
    conversations.update_conversation(
        office.db, office.calls, conversation_id=conversation_id, changes={"read": True}, actor_id=office.staff_id
    )
    assert told(office, office.staff_id, unread=True) == []
    office.write(STRANGER)
    assert len(emails(office)) == 2


@on_one_database
def test_a_plain_stop_is_told_to_nobody_and_a_doubtful_one_to_be_decided(office: Desk) -> None:
    office.write(STRANGER, "STOP")
    assert told(office, office.staff_id) == []
    office.write("+13055550101", "not interested")
    (notice,) = told(office, office.staff_id)
    assert notice["kind"] == "consent_review"
    assert notice["about"]["consent_review_id"]
    assert emails(office) == ["owner@firm.example"]


def test_a_colleague_without_an_address_has_the_list(office: Desk) -> None:
    office.colleagues[office.staff_id]["email"] = None
    office.write(STRANGER)
    assert len(told(office, office.staff_id)) == 1
    assert emails(office) == []


def test_the_firms_language_is_spoken(office: Desk) -> None:
    office.firm["locale"] = "es"
    office.write(office.number(office.person()))
    assert emails(office) == ["owner@firm.example"]
    (message,) = office.provider.accepted
    assert message.subject == "Un cliente le ha escrito."
    assert "Lo encuentra en su cuenta de Harbor & Lane." in message.body


def test_an_address_that_bounced_is_not_written_to(office: Desk) -> None:
    with office.db.unit_of_work() as uow:
        change = consent.Change("email", "opted_out", "provider", {"code": "bounce"}, address="owner@firm.example")
        consent.record_changes(uow, [change], office.clock())
    office.write(STRANGER)
    assert emails(office) == []
    (delivery,) = [row for row in office.deliveries() if row.kind == "staff_notice"]
    assert (delivery.state, delivery.reason) == ("suppressed", "opted_out")


def test_no_consent_of_the_firms_clients_is_asked_of_staff_at_night(office: Desk) -> None:
    office.firm["require_opt_in"] = True
    office.clock.advance(hours=12)
    office.write(STRANGER)
    assert emails(office) == ["owner@firm.example"]


def test_a_notice_is_no_clients_business(office: Desk) -> None:
    person = office.person(email="owner@firm.example")
    office.write(office.number(person))
    emails(office)
    (delivery,) = [row for row in office.deliveries() if row.kind == "staff_notice"]
    assert (delivery.client_id, delivery.staff_id, delivery.state) == (None, office.staff_id, "sent")
    assert office.emitted(DELIVERY_SENT) == []
    (notice_email,) = history.list_messages(
        office.db, client_id=None, address="owner@firm.example", direction=None, batch_id=None, limit=50, cursor=None,
        sort=None,
    )["data"]  # fmt: skip
    assert (notice_email["kind"], notice_email["staff_id"]) == ("staff_notice", office.staff_id)
    found = history.list_messages(
        office.db, client_id=person, address=None, direction="outbound", batch_id=None, limit=50, cursor=None, sort=None
    )
    assert found["data"] == []


def test_a_message_waits_to_be_filed_until_it_is_known_who_is_told(office: Desk) -> None:
    def down(**asked: Any) -> Any:
        raise Unavailable("no_answer")

    answer = office.calls.answers[accounts.LIST_STAFF]
    office.calls.answers[accounts.LIST_STAFF] = down
    message_id = office.reply(STRANGER, "Hello")["message_id"]
    event = office.arrived(message_id)
    with pytest.raises(Unavailable):
        deliver(office.service, "file_message", *event)
    office.calls.answers[accounts.LIST_STAFF] = answer
    deliver(office.service, "file_message", *event)
    assert len(told(office, office.staff_id)) == 1


# By other services, and reading


def notify(desk: Desk, *staff_ids: str, **given: Any) -> int:
    what = {"kind": "task_overdue", "title": "{{ 7*7 }} tasks are overdue", "about": {}, "once": None, **given}
    return int(
        notices.notify_staff(desk.db, desk.calls, staff_ids=list(staff_ids), now=desk.clock(), **what)["notified"]
    )


def test_another_service_tells_staff_once(office: Desk) -> None:
    gone = office.colleague(active=False)
    assert notify(office, office.staff_id, gone, new_id(), once="overdue:1") == 1
    assert notify(office, office.staff_id, once="overdue:1") == 0
    assert emails(office) == ["owner@firm.example"]
    # Somebody's words are no template.
    assert office.provider.accepted[0].subject == "{{ 7*7 }} tasks are overdue"
    assert notify(office, office.staff_id) == notify(office, office.staff_id) == 1


def test_notices_are_read_by_those_whom_they_are_for(office: Desk) -> None:
    ada = office.colleague()
    for number in range(3):
        notify(office, office.staff_id, about={"case_task_id": str(number)})
    notify(office, ada)
    mine = [notice["id"] for notice in told(office, office.staff_id)]
    (hers,) = [notice["id"] for notice in told(office, ada)]

    def mark(*notice_ids: str) -> int:
        answer = notices.mark_notices_read(office.db, actor_id=office.staff_id, notice_ids=notice_ids)
        return int(answer["marked"])

    assert (mark(mine[0]), mark(mine[0])) == (1, 0)
    with pytest.raises(NotFound, match="notice_not_found"):
        mark(mine[1], hers)
    assert [notice["id"] for notice in told(office, office.staff_id, unread=True)] == mine[1:]
    assert mark() == 2
    assert len(told(office, ada, unread=True)) == 1
    other = office.everywhere.for_firm(new_id())
    assert notices.list_notices(other, actor_id=office.staff_id)["data"] == []


def test_a_notice_is_sent_from_its_own_row(office: Desk) -> None:
    notify(office, office.staff_id)
    (row,) = office.deliveries()
    (notice,) = told(office, office.staff_id)
    assert (row.subject_id, row.kind, row.priority) == (notice["id"], "staff_notice", 0)
    assert isinstance(row, Delivery)
