"""clients: notes about a client, and what it accepted of the firm's privacy policy."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from chassis.columns import new_id
from chassis.context import Context, use
from chassis.idempotency import KeyedRequest, answering
from contracts.clients import CLIENT_CHANGED, CLIENT_NOTED
from contracts.errors import Conflict, Forbidden, Gone, Invalid, NotFound
from services.clients import activity, merging, notes, policy_consents
from services.clients.client_keys import destroy_keys
from services.clients.merges import merge_undo
from services.clients.models import ClientMerge
from tests.service.clients_desk import NOW, Desk, desk
from tests.service.one_database import on_one_database
from tests.service.test_clients_sealing import everything_kept

__all__ = ["desk"]


@contextmanager
def member(desk: Desk) -> Iterator[Context]:
    """As somebody who may not see what is sensitive."""
    with use(Context(firm_id=desk.firm_id, actor_id=new_id(), actor_kind="staff")) as context:
        yield context


def add(desk: Desk, client_id: str, text: str = "Prefers letters.", at: dt.datetime = NOW, **fields: Any) -> Any:
    return notes.create_client_note(desk.db, at, client_id=client_id, text=text, **fields)


def listed(desk: Desk, client_id: str, **query: Any) -> list[dict[str, Any]]:
    return notes.list_client_notes(desk.db, client_id=client_id, **query)["data"]


def test_a_note_has_author_and_date_and_is_told_without_its_text(desk: Desk) -> None:
    client = desk.create()
    with use(desk.context):
        made = add(desk, client["id"], " Two \r\n lines ")
    assert (made["text"], made["author_id"], made["created_at"]) == ("Two \n lines", desk.context.actor_id, NOW)
    assert notes.get_client_note(desk.db, client_id=client["id"], note_id=made["id"]) == made
    later = add(desk, client["id"], at=NOW + dt.timedelta(hours=1))
    assert later["author_id"] is None
    assert [note["id"] for note in listed(desk, client["id"])] == [later["id"], made["id"]]
    page = notes.list_client_notes(desk.db, client_id=client["id"], limit=1)
    assert listed(desk, client["id"], limit=1, cursor=page["meta"]["next_cursor"]) == [made]
    told = activity.list_client_activity(desk.db, client_id=client["id"])["data"]
    assert "lines" not in str(told)
    assert {entry["facts"]["note_id"] for entry in told if entry["kind"] == CLIENT_NOTED.name} == {
        made["id"],
        later["id"],
    }
    assert {event["change"] for event in desk.emitted(CLIENT_NOTED)} == {"added"}


def test_a_note_is_changed_and_removed(desk: Desk) -> None:
    client = desk.create()
    with use(desk.context):
        made = add(desk, client["id"])
        same = {"client_id": client["id"], "note_id": made["id"]}
        changed = notes.update_client_note(desk.db, NOW, **same, changes={"text": "x"}, expected_version=1)
        assert (changed["text"], changed["version"]) == ("x", 2)
        assert notes.update_client_note(desk.db, NOW, **same, changes={"text": "x"})["version"] == 2
        with pytest.raises(Conflict, match="stale_version"):
            notes.update_client_note(desk.db, NOW, **same, changes={"text": "y"}, expected_version=1)
        notes.delete_client_note(desk.db, NOW, **same)
        with pytest.raises(NotFound, match="note_not_found"):
            notes.get_client_note(desk.db, **same)
    assert [event["change"] for event in desk.emitted(CLIENT_NOTED)] == ["added", "changed", "removed"]


@pytest.mark.parametrize("text", ["", " \n ", "a\u202eb", "a\x07b"])
def test_a_text_that_cannot_be_read_is_refused(desk: Desk, text: str) -> None:
    client = desk.create()
    with pytest.raises(Invalid) as caught:
        add(desk, client["id"], text)
    assert caught.value.fields[0]["field"] == "text"
    assert listed(desk, client["id"]) == []


def test_notes_are_of_one_client(desk: Desk) -> None:
    one, two = desk.create(), desk.create()
    made = add(desk, one["id"])
    with pytest.raises(NotFound, match="note_not_found"):
        notes.get_client_note(desk.db, client_id=two["id"], note_id=made["id"])
    desk.delete(one["id"])
    for attempt in (lambda: listed(desk, one["id"]), lambda: add(desk, one["id"])):
        with pytest.raises(NotFound, match="client_not_found"):
            attempt()


def test_a_confidential_note_lies_sealed_and_is_read_by_few(desk: Desk) -> None:
    client = desk.create()
    made = add(desk, client["id"], "Canary: divorce", confidential=True)
    assert made["text"] == "Canary: divorce"
    assert listed(desk, client["id"]) == [made]
    assert "Canary" not in everything_kept(desk)
    same = {"client_id": client["id"], "note_id": made["id"]}
    with member(desk):
        assert listed(desk, client["id"]) == [{**made, "text": None}]
        assert notes.get_client_note(desk.db, **same)["text"] is None
        for attempt in (
            lambda: add(desk, client["id"], confidential=True),
            lambda: notes.update_client_note(desk.db, NOW, **same, changes={"text": "x"}),
            lambda: notes.update_client_note(desk.db, NOW, **same, changes={"confidential": False}),
            lambda: notes.delete_client_note(desk.db, NOW, **same),
        ):
            with pytest.raises(Forbidden, match="permission_denied"):
                attempt()
    opened = notes.update_client_note(desk.db, NOW, **same, changes={"confidential": False})
    assert (opened["text"], opened["confidential"]) == ("Canary: divorce", False)
    with member(desk):
        assert listed(desk, client["id"])[0]["text"] == "Canary: divorce"
        with pytest.raises(Forbidden, match="permission_denied"):
            notes.update_client_note(desk.db, NOW, **same, changes={"confidential": True})
    notes.update_client_note(desk.db, NOW, **same, changes={"confidential": True})
    assert "Canary" not in everything_kept(desk)


def test_only_its_author_changes_a_note_or_who_may_see_everything(desk: Desk) -> None:
    client = desk.create()
    with member(desk) as author:
        made = add(desk, client["id"])
        same = {"client_id": client["id"], "note_id": made["id"]}
        assert notes.update_client_note(desk.db, NOW, **same, changes={"text": "mine"})["text"] == "mine"
    with member(desk):
        for attempt in (
            lambda: notes.update_client_note(desk.db, NOW, **same, changes={"text": "x"}),
            lambda: notes.delete_client_note(desk.db, NOW, **same),
        ):
            with pytest.raises(Forbidden, match="not_the_author"):
                attempt()
    # An API key without a person is nobody's author, and a client with the same id neither.
    with use(replace(author, actor_kind="client")), pytest.raises(Forbidden, match="not_the_author"):
        notes.delete_client_note(desk.db, NOW, **same)
    with use(desk.context):
        notes.delete_client_note(desk.db, NOW, **same)


def test_with_the_clients_key_destroyed_a_confidential_note_reads_null(desk: Desk) -> None:
    client = desk.create()
    made = add(desk, client["id"], confidential=True)
    with desk.db.unit_of_work() as uow:
        destroy_keys(uow, [client["id"]])
    assert listed(desk, client["id"]) == [{**made, "text": None}]


def test_the_answer_kept_for_a_repeat_holds_no_confidential_text(desk: Desk) -> None:
    client = desk.create()
    with answering(KeyedRequest("clients.create_client_note", "k", "0", lambda answer: {"text": answer["text"]})):
        assert add(desk, client["id"], "Canary", confidential=True)["text"] == "Canary"
    assert "Canary" not in everything_kept(desk)


def test_notes_and_consents_go_along_with_a_merge_and_back(desk: Desk) -> None:
    one = desk.create(first_name="Ann", date_of_birth=dt.date(1980, 2, 29))["id"]
    two = desk.create(first_name="Anne", occupation="Cook")["id"]
    own = add(desk, one, "own")
    moved = add(desk, two, "Canary", confidential=True)
    accept(desk, two)
    result = merging.merge_clients(desk.db, desk.calls, NOW, client_id=one, duplicate_id=two, keep={}, dry_run=False)
    assert result["moves"]["notes"] == result["moves"]["policy_consents"] == 1
    assert {note["id"]: note["text"] for note in listed(desk, one)} == {own["id"]: "own", moved["id"]: "Canary"}
    assert desk.get(one)["data_consent"]["policy_version"] == "2026-11"
    assert len(policy_consents.list_policy_consents(desk.db, client_id=one)["data"]) == 1
    with desk.db.read() as session:
        kept = session.scalars(select(ClientMerge)).one()
    assert "1980" not in str(kept.before) + str(kept.after)
    assert "Canary" not in everything_kept(desk)
    with pytest.raises(Gone, match="client_merged"):
        listed(desk, two)
    since = add(desk, one, "since")
    merge_undo.undo_merge(desk.db, NOW, merge_id=result["id"], resolve={})
    assert [note["id"] for note in listed(desk, one)] == [since["id"], own["id"]]
    assert listed(desk, two)[0]["text"] == "Canary"
    assert (desk.get(one)["data_consent"], desk.get(two)["data_consent"]["given"]) == (None, True)
    assert policy_consents.list_policy_consents(desk.db, client_id=two)["meta"]["total"] == 1


# Consent to data collection


def accept(desk: Desk, client_id: str, **fields: Any) -> dict[str, Any]:
    told = {"given": True, "policy_version": "2026-11", "source": "paper", **fields}
    return policy_consents.record_policy_consent(desk.db, NOW, client_id=client_id, **told)


def test_what_was_accepted_is_kept_with_date_and_source_and_the_newest_is_shown(desk: Desk) -> None:
    client = desk.create()
    assert client["data_consent"] is None
    with use(desk.context):
        made = accept(desk, client["id"])
    assert (made["at"], made["recorded_by"]) == (NOW, desk.context.actor_id)
    shown = desk.get(client["id"])
    assert shown["data_consent"] == {"given": True, "policy_version": "2026-11", "at": NOW, "source": "paper"}
    assert (shown["version"], desk.emitted(CLIENT_CHANGED)[-1]["changed"]) == (2, ["data_consent"])
    # An older paper that is found again changes nothing of what holds.
    accept(desk, client["id"], policy_version="2025-01", at=NOW - dt.timedelta(days=90))
    assert desk.get(client["id"])["data_consent"]["policy_version"] == "2026-11"
    accept(desk, client["id"], given=False, source="email", at=NOW + dt.timedelta(minutes=1))
    assert desk.get(client["id"])["data_consent"]["given"] is False
    found = policy_consents.list_policy_consents(desk.db, client_id=client["id"])["data"]
    assert [entry["given"] for entry in found] == [False, True, True]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"at": NOW + dt.timedelta(hours=1)}, "at"),
        ({"policy_version": " "}, "policy_version"),
        ({"policy_version": "a\u200b"}, "policy_version"),
    ],
)
@on_one_database
def test_a_consent_that_cannot_be_is_refused(desk: Desk, wrong: dict[str, Any], field: str) -> None:
    client = desk.create()
    with pytest.raises(Invalid) as caught:
        accept(desk, client["id"], **wrong)
    assert caught.value.fields[0]["field"] == field
    assert desk.get(client["id"])["data_consent"] is None
    with pytest.raises(NotFound):
        accept(desk, new_id())
