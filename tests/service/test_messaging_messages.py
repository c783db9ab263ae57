"""Stored templates, single messages, the list of what was said, and the dry run."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from chassis.columns import new_id
from contracts.errors import Conflict, Invalid, NotFound
from services.messaging import contents, estimates, history, messages, queues, senders
from tests.service.messaging_desk import NOW, PUBLIC_URL, Desk, desk
from tests.service.one_database import on_one_database

__all__ = ["desk"]

PAGE = {"limit": 50, "cursor": None, "sort": None}
NOW_TIMING = {"mode": "now", "at": None}


def variant(body: str, **given: Any) -> dict[str, Any]:
    return {"channel": "sms", "language": "en", "subject": None, "body": body, **given}


def say(desk: Desk, client_id: str, body: str | None = "See you at nine.", **given: Any) -> dict[str, Any]:
    command = {"channel": "sms", "timing": NOW_TIMING, "template_id": None, "subject": None, "case_task_id": None}
    return messages.send_message(
        desk.db, desk.calls, public_url=PUBLIC_URL, sandbox=(), actor_id=desk.staff_id, now=desk.clock(),
        **{**command, "client_id": client_id, "body": body, **given},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("body", "code", "named"),
    [
        ("{{ client.frist_name }}", "unknown_variable", "client.frist_name"),
        ("{{ secrets }}", "unknown_variable", "secrets"),
        ("{{ client.first_name.__class__ }}", "unknown_variable", "client.first_name.__class__"),
        ("{% for x in client %}{% endfor %}", "invalid_template", "for is not allowed"),
        ("{{ client.first_name", "invalid_template", "Line 1"),
        ("{{ client.first_name | attr('x') }}", "invalid_template", "filter attr"),
        ("{{ ''.join('x') }}", "invalid_template", "call is not allowed"),
        ("{{ client.first_name | truncate(2) }}", "invalid_template", "Line 1: the filter cannot be used so"),
        ("{% if task.count > 9 %}\n{{ case.name | upper(1) }}{% endif %}", "invalid_template", "Line 2: the filter"),
        ("{% if client.first_name > 2 %}x{% endif %}", "invalid_template", "the comparison cannot be used so"),
        (f"{{{{ {'(' * 400}case.name{')' * 400} }}}}", "invalid_template", "nested too deep"),
        (f"{{{{ case.name{' | trim' * 400} }}}}", "invalid_template", "nested too deep"),
        (f"{{{{ {'9' * 5000} }}}}", "invalid_template", "too many digits"),
        ("x" * 1601, "too_long", "1600"),
    ],
)
def test_a_text_that_cannot_be_sent_cannot_be_saved(desk: Desk, body: str, code: str, named: str) -> None:
    with pytest.raises(Invalid) as refused:
        contents.create_template(desk.db, name="Ask", variants=[variant("fine"), variant(body, language="es")])
    assert refused.value.code == code
    (field,) = refused.value.fields
    assert field["field"] == "variants.1.body"
    assert named in field["message"]


def test_a_template_keeps_its_versions_apart(desk: Desk) -> None:
    made = contents.create_template(desk.db, name="Ask", variants=[variant("old")])
    asked = contents.save_content(desk.db, message={"template_id": made["id"]}, channels=["sms"])
    changed = contents.update_template(
        desk.db, message_template_id=made["id"], changes={"variants": [variant("new")]}, expected_version=1
    )
    assert (changed["version"], changed["variants"][0]["body"]) == (2, "new")
    desk.ask([desk.item(desk.person())], content_id=asked["content_id"])
    desk.run()
    assert [message.body for message in desk.provider.accepted] == ["old"]
    with pytest.raises(Conflict, match="stale_version"):
        contents.update_template(desk.db, message_template_id=made["id"], changes={"name": "x"}, expected_version=1)
    with pytest.raises(Conflict, match="template_name_taken"):
        contents.create_template(desk.db, name="Ask", variants=[variant("x")])


def test_a_template_must_speak_every_channel_it_is_asked_for(desk: Desk) -> None:
    made = contents.create_template(desk.db, name="Ask", variants=[variant("hi")])
    with pytest.raises(Invalid, match="channel_missing"):
        contents.save_content(desk.db, message={"template_id": made["id"]}, channels=["sms", "email"])
    for message in ({}, {"template_id": made["id"], "body": "x"}):
        with pytest.raises(Invalid, match="message_required"):
            contents.save_content(desk.db, message=message, channels=["sms"])
    with pytest.raises(NotFound):
        contents.save_content(desk.db, message={"template_id": new_id()}, channels=["sms"])


def test_a_single_message_goes_out_before_a_batch(desk: Desk) -> None:
    desk.sender(rate=4.0)
    desk.ask([desk.item(desk.person()) for _ in range(5)])
    person = desk.person()
    answer = say(desk, person)
    assert (answer["state"], answer["to"], answer["body"]) == ("accepted", desk.number(person), "See you at nine.")
    desk.prepare()
    desk.send()
    assert desk.provider.accepted[0].body == "See you at nine."
    assert history.get_message(desk.db, message_id=answer["id"])["state"] == "sent"


def test_a_single_message_to_one_who_stopped_says_so_at_once(desk: Desk) -> None:
    person = desk.person()
    desk.reply(desk.number(person), "STOP")
    answer = say(desk, person)
    assert (answer["state"], answer["reason"]) == ("suppressed", "opted_out")
    desk.run()
    assert "See you" not in str(desk.provider.accepted)


def test_the_same_words_may_be_sent_twice_by_a_person(desk: Desk) -> None:
    person = desk.person()
    say(desk, person)
    say(desk, person)
    desk.run()
    assert len(desk.provider.accepted) == 2


def test_a_single_message_with_a_tasks_link(desk: Desk) -> None:
    task = desk.task()
    answer = say(desk, desk.person(), "{{ task.title }}: {{ task.link }}", case_task_id=task)
    assert answer["body"].startswith(f"Your number: {PUBLIC_URL}/p/\u2026")
    desk.run()
    assert [link["scope"]["case_task_id"] for link in desk.links] == [task]
    with pytest.raises(Invalid, match="case_task_required"):
        say(desk, desk.person(), "{{ task.link }}")
    with pytest.raises(NotFound):
        say(desk, desk.person(), "{{ task.link }}", case_task_id=new_id())
    with pytest.raises(NotFound):
        say(desk, new_id())


def test_a_message_for_later_waits(desk: Desk) -> None:
    at = NOW + dt.timedelta(hours=3)
    say(desk, desk.person(), timing={"mode": "at", "at": at})
    desk.run()
    assert desk.provider.accepted == []
    desk.clock.now = at
    desk.run()
    assert len(desk.provider.accepted) == 1


def test_an_answer_to_somebody_who_just_wrote_is_not_held_for_the_night(desk: Desk) -> None:
    desk.firm["quiet_hours"] = {"opens": dt.time(8), "closes": dt.time(21)}
    desk.clock.now = NOW + dt.timedelta(hours=10)  # 22:00 in New York
    wrote, silent = desk.person(), desk.person()
    desk.reply(desk.number(wrote), "Are you still there?")
    say(desk, wrote)
    say(desk, silent)
    desk.run()
    assert [message.to for message in desk.provider.accepted] == [desk.number(wrote)]


def listed(desk: Desk, **query: Any) -> dict[str, Any]:
    given = {"client_id": None, "address": None, "direction": None, "batch_id": None, **PAGE, **query}
    return history.list_messages(desk.db, **given)


def test_what_was_said_is_listed_both_ways_newest_first(desk: Desk) -> None:
    person, other = desk.person(), desk.person()
    for number in range(3):
        say(desk, person, f"out {number}")
        desk.run()
        desk.reply(desk.number(person), f"in {number}")
        desk.clock.advance(seconds=1)
    say(desk, other, "to another")
    want = ["in 2", "out 2", "in 1", "out 1", "in 0", "out 0"]
    assert [row["body"] for row in listed(desk, client_id=person)["data"]] == want
    assert [row["body"] for row in listed(desk, client_id=person, direction="inbound")["data"]] == want[::2]
    seen: list[str] = []
    cursor = None
    while True:
        page = listed(desk, address=desk.number(person), limit=2, cursor=cursor)
        assert page["meta"]["total"] == 6
        seen += [row["body"] for row in page["data"]]
        cursor = page["meta"]["next_cursor"]
        if cursor is None:
            break
    assert seen == want
    incoming = listed(desk, client_id=person)["data"][0]
    assert (incoming["from_"], incoming["to"], incoming["direction"]) == (desk.number(person), desk.office, "inbound")


def test_the_dry_run_says_what_the_batch_then_does(desk: Desk) -> None:
    stopped, fine, twin = desk.person(), desk.person(), desk.person()
    desk.people[twin]["sms"] = desk.number(fine)
    desk.reply(desk.number(stopped), "STOP")
    task = desk.task()
    items = [
        desk.item(fine, twin, case_task_id=task),
        desk.item(stopped, desk.person(number=None)),
        desk.item(desk.person(first_name="\U0001f600")),
    ]
    settings = replace(
        desk.service.settings, provider="recording", segment_cost=Decimal("0.01"), call_cost=Decimal("0.02")
    )
    estimate = estimates.estimate(
        desk.db, desk.calls, settings, coalesce=False,
        message={"template_id": None, "body": "Hi {{ client.first_name }}: {{ task.link }}"}, channels=["sms"],
        fallback=False, allow_repeat=False, items=items, now=desk.clock(),
    )  # fmt: skip
    assert estimate["recipients"] == {"send": 2, "duplicate": 1, "opted_out": 1, "no_address": 1}
    assert (estimate["segments"], estimate["cost"]) == (3, Decimal("0.0300"))
    # Behind the confirmation of the STOP.
    assert (estimate["seconds"], estimate["waits_seconds"]) == (3 / 1000, 1 / 1000)
    batch_id = desk.ask(items)
    desk.run()
    assert desk.outcome(batch_id) == {"sent": 2, "duplicate": 1, "opted_out": 1, "no_address": 1}


def test_a_number_belongs_to_one_firm(desk: Desk) -> None:
    other = desk.everywhere.for_firm(new_id())
    given = {"channel": "sms", "rate": 1.0, "messaging_service_sid": None, "provider": "recording"}
    with pytest.raises(Conflict, match="sender_taken"):
        senders.put_sender(other, address=desk.office, **given)
    made = senders.put_sender(other, address="+1 (212) 555-0177", **given)
    assert made["address"] == "+12125550177"
    assert [row["address"] for row in senders.list_senders(other, **PAGE)["data"]] == ["+12125550177"]


def test_a_real_number_goes_before_the_sandboxs_and_the_sandboxs_can_become_one(desk: Desk) -> None:
    firm = desk.everywhere.for_firm(new_id())
    given = {"channel": "sms", "messaging_service_sid": None, "provider": "recording"}
    with firm.unit_of_work() as uow:
        made_up = str(senders.make_sandbox_sender(uow, str(firm.firm_id), "sms").address)
    real = senders.put_sender(firm, address="+12125550177", rate=3.0, **given)
    with firm.read() as session:
        assert senders.sender_for(session, "sms").id == real["id"]
        assert queues.rates_of(session, ["sms"], sandbox=["sms"]) == {"sms": 3.0}
    assert senders.put_sender(firm, address=made_up, rate=5.0, **given)["provider"] == "recording"
    with firm.read() as session:
        assert senders.sender_for(session, "sms").address == made_up


def test_a_message_that_waits_can_be_taken_back(desk: Desk) -> None:
    at = {"mode": "at", "at": NOW + dt.timedelta(hours=1)}
    waiting = say(desk, desk.person(), timing=at)
    for _ in range(2):
        taken_back = messages.cancel_message(desk.db, message_id=waiting["id"], now=desk.clock())
        assert (taken_back["id"], taken_back["state"]) == (waiting["id"], "cancelled")
    sent = say(desk, desk.person())
    desk.clock.advance(hours=2)
    desk.run()
    assert len(desk.provider.accepted) == 1
    with pytest.raises(Conflict, match="message_state"):
        messages.cancel_message(desk.db, message_id=sent["id"], now=desk.clock())
    desk.ask([desk.item(desk.person())], timing=at)
    of_batch = desk.deliveries()[-1]
    with pytest.raises(Conflict, match="message_of_batch"):
        messages.cancel_message(desk.db, message_id=of_batch.id, now=desk.clock())
    with pytest.raises(NotFound):
        messages.cancel_message(desk.db, message_id=new_id(), now=desk.clock())
    other = desk.everywhere.for_firm(new_id())
    with pytest.raises(NotFound):
        messages.cancel_message(other, message_id=waiting["id"], now=desk.clock())


def test_a_time_that_has_gone_by_means_at_once_and_one_too_far_is_refused(desk: Desk) -> None:
    past = say(desk, desk.person(), timing={"mode": "at", "at": NOW - dt.timedelta(days=3)})
    desk.run()
    assert history.get_message(desk.db, message_id=past["id"])["state"] == "sent"
    with pytest.raises(Invalid, match="timing_too_far"):
        say(desk, desk.person(), timing={"mode": "at", "at": NOW + dt.timedelta(days=400)})


@on_one_database
def test_a_shared_task_is_told_with_its_link_in_the_clients_language(desk: Desk) -> None:
    task = desk.task()
    for language, said in (("en", "has a question for you: Your number"), ("es", "tiene una pregunta para usted")):
        shared = say(desk, desk.person(language=language), None, case_task_id=task, needs_link=True)
        assert said in shared["body"]
    desk.run()
    assert [link["scope"]["case_task_id"] for link in desk.links] == [task, task]
    assert all("/p/" in message.body for message in desk.provider.accepted)


def test_a_shared_task_that_is_closed_by_then_is_not_told_of(desk: Desk) -> None:
    at = {"mode": "at", "at": NOW + dt.timedelta(hours=1)}
    task, client_id = desk.task(), desk.person()
    shared = say(desk, client_id, None, case_task_id=task, needs_link=True, timing=at)
    about = say(desk, client_id, "Thank you for {{ task.title }}.", case_task_id=task, timing=at)
    desk.tasks[task]["status"] = "completed"
    desk.clock.advance(hours=2)
    desk.run()
    states = [history.get_message(desk.db, message_id=one["id"]) for one in (shared, about)]
    assert [(one["state"], one["reason"]) for one in states] == [("suppressed", "task_closed"), ("sent", None)]


def test_a_text_may_lead_to_the_whole_form(desk: Desk) -> None:
    of_form, alone, form_id = desk.task(), desk.task(), new_id()
    desk.tasks[of_form]["case_form_id"] = form_id
    for task in (of_form, alone):
        said = say(desk, desk.person(), "Our form: {{ form.link }}", case_task_id=task, needs_link=True)
        assert "/p/" in said["body"]
    desk.run()
    scopes = {link["scope"]["kind"]: link["scope"] for link in desk.links}
    assert (scopes["form"]["case_form_id"], scopes["task"]["case_task_id"]) == (form_id, alone)
    assert all("/p/" in message.body for message in desk.provider.accepted)
    with pytest.raises(Invalid, match="case_task_required"):
        say(desk, desk.person(), "Our form: {{ form.link }}")


def test_a_task_is_not_shared_without_its_link(desk: Desk) -> None:
    task, client_id = desk.task(), desk.person()
    stored = contents.create_template(
        desk.db, name="Ask", variants=[variant("{{ task.link }}"), variant("Hola", language="es")]
    )
    for said in ({"body": "Please answer."}, {"body": None, "template_id": stored["id"]}):
        with pytest.raises(Invalid, match="link_missing"):
            say(desk, client_id, said.pop("body"), case_task_id=task, needs_link=True, **said)
    assert say(desk, client_id, "Here: {{ task.link }}", case_task_id=task, needs_link=True)["state"] == "accepted"
    assert (
        len(
            history.list_messages(desk.db, client_id=client_id, address=None, direction=None, batch_id=None, **PAGE)[
                "data"
            ]
        )
        == 1
    )
