"""Sensitive custom fields of cases: sealed in the database, shown to those who may see them, found by equality."""

from __future__ import annotations

import datetime as dt
from typing import Any

import eventlet
import pytest
from sqlalchemy import select, update

from chassis.columns import new_id, utc_now
from chassis.context import Context, use
from chassis.sealing import OwnerKeys
from chassis.testing import deliver, outbox_events, received
from contracts.cases import CREATE_CASE, FIELD_BECAME_SENSITIVE
from contracts.errors import Conflict, Forbidden, Invalid
from contracts.tasks import GET_MAPPED_ANSWERS, TASK_COMPLETED
from services.cases.data_exports import export_client_data
from services.cases.filter_lookup import read_filter_to_save
from services.cases.models import Base, Case, CaseFieldValue, CaseKey, CustomField, SavedFilter
from services.cases.stored_values import SETTLED, reseal
from tests.service.canaries import found_in
from tests.service.cases_office import Office, listed, refusal
from tests.service.races import until_held_up
from tests.service.test_cases_erasing import erase

FIELDS: list[dict[str, Any]] = [
    {"key": "diagnosis", "label": "Diagnosis", "type": "text", "sensitive": True},
    {"key": "fee", "label": "Fee", "type": "money", "sensitive": True},
    {"key": "born", "label": "Born", "type": "date", "sensitive": True},
    {"key": "minor", "label": "Minor", "type": "yes_no", "sensitive": True},
    {"key": "topics", "label": "Topics", "type": "choices", "options": ["quarrel", "divorce"], "sensitive": True},
    {"key": "notes", "label": "Notes", "type": "text"},
]
VALUES = {"diagnosis": "Quimbyism", "fee": "1733.00", "born": "1961-07-13", "minor": True,
          "topics": ["quarrel", "divorce"], "notes": "plain"}  # fmt: skip
WORDS = ["Quimbyism", "quimbyism", "1733", "1961-07-13", "quarrel"]


@pytest.fixture
def office(new_database: Any) -> Office:
    return Office(new_database(Base))


def kind_of(office: Office, fields: list[dict[str, Any]] = FIELDS) -> dict[str, Any]:
    """A type of case, whose options say nothing of a case."""
    return office.case_type(name=new_id(), custom_fields=[{**field} for field in fields])


def member(office: Office) -> Any:
    return use(Context(firm_id=office.firm_id, actor_id=office.actor_id, actor_kind="staff"))


def supervisor(office: Office) -> Any:
    return use(Context(firm_id=office.firm_id, actor_id=office.actor_id, actor_kind="staff", sees_sensitive=True))


def made(office: Office, kind: dict[str, Any], **command: Any) -> dict[str, Any]:
    command = {"clients": [{"client_id": office.client()}], "name": "A", "new_client": None, **command}
    return office.service.create_case(case_type_id=kind["id"], **command)


def texts(office: Office) -> list[str]:
    """What of the words is anywhere but in the definitions."""
    with office.db.unit_of_work() as uow:
        uow.session.query(CustomField).update({"options": []})
    return found_in(office.db, WORDS)


def test_sensitive_values_lie_sealed_and_are_read_in_clear_by_those_who_may(office: Office) -> None:
    kind = kind_of(office)
    with supervisor(office), office.request(CREATE_CASE, "key"):
        case = made(office, kind, custom_fields=VALUES)
    assert (case["custom_fields"], case["hidden"]) == (VALUES, [])
    assert texts(office) == []
    with supervisor(office):
        assert office.service.get_case(case["id"]) == case
    hidden = [f"custom_fields.{field['key']}" for field in FIELDS if field.get("sensitive")]
    with member(office):
        for seen in (office.service.get_case(case["id"]), *listed(office)):
            assert (seen["custom_fields"], seen["hidden"]) == ({"notes": "plain"}, hidden)
    facts = office.service.get_case_facts([case["id"]])["cases"][0]
    assert facts["custom_fields"] == {"notes": "plain"}


def test_what_facts_leave_out_is_not_unsealed_for_them(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    case = made(office, kind_of(office), custom_fields=VALUES)
    unsealed: list[Any] = []
    unseal = OwnerKeys.unseal

    def noted(keys: OwnerKeys, *given: Any) -> Any:
        unsealed.append(given)
        return unseal(keys, *given)

    monkeypatch.setattr(OwnerKeys, "unseal", noted)
    assert office.service.get_case_facts([case["id"]])["cases"][0]["custom_fields"] == {"notes": "plain"}
    assert unsealed == []


def test_who_may_not_see_a_field_may_not_change_it_or_look_for_it(office: Office) -> None:
    kind = kind_of(office)
    case = made(office, kind, custom_fields=VALUES)
    update = office.service.update_case
    with member(office):
        for values in ({"diagnosis": "x"}, {"diagnosis": None, "notes": "y"}):
            refused = refusal(Forbidden, update, case["id"], {"custom_fields": values}, None)
            assert refused == ("permission_denied", ["custom_fields.diagnosis"])
        assert refusal(Forbidden, made, office, kind, custom_fields={"fee": "1.00"})[1] == ["custom_fields.fee"]
        wire = {"field": "custom_fields.diagnosis", "op": "eq", "value": "Quimbyism"}
        assert refusal(Invalid, office.selected, case_filter=wire) == ("invalid_filter", ["selector.case_filter.field"])
        assert update(case["id"], {"custom_fields": {"notes": "z"}, "name": "B"}, None)["custom_fields"] == {
            "notes": "z"
        }
    assert office.service.get_case(case["id"])["custom_fields"] == {**VALUES, "notes": "z"}


def test_a_field_that_is_gone_does_not_tell_its_value_to_who_guesses_it(office: Office) -> None:
    kind = kind_of(office)
    case = made(office, kind, custom_fields=VALUES)
    office.service.update_case_type(kind["id"], {"custom_fields": []}, None)
    with member(office):
        for guess in ("Quimbyism", "gout", None):
            wanted = {"custom_fields": {"diagnosis": guess}}
            assert refusal(Forbidden, office.service.update_case, case["id"], wanted, None)[1] == [
                "custom_fields.diagnosis"
            ]
    office.service.update_case_type(kind["id"], {"custom_fields": FIELDS}, None)
    assert office.service.get_case(case["id"])["custom_fields"] == VALUES


def test_a_change_seals_anew_only_what_changed(office: Office) -> None:
    case = made(office, kind_of(office), custom_fields=VALUES)

    def kept() -> dict[str, Any]:
        with office.db.read() as session:
            values: dict[str, Any] = session.scalars(select(Case.custom_fields)).one()
            return values

    before = kept()
    update = office.service.update_case
    assert update(case["id"], {"custom_fields": dict(VALUES)}, None)["version"] == 1
    changed = update(case["id"], {"custom_fields": {"fee": "5", "born": None}}, None)
    assert changed["custom_fields"] == {key: value for key, value in {**VALUES, "fee": "5.00"}.items() if key != "born"}
    after = kept()
    assert {key for key in before if before[key] != after.get(key)} == {"fee", "born"}
    with office.db.read() as session:
        assert len(session.scalars(select(CaseKey)).all()) == 1


@pytest.mark.parametrize(
    ("key", "value", "other"),
    [("diagnosis", "Quimbyism", "quimbyism"), ("fee", "1733", "1733.01"), ("born", "1961-07-13", "1961-07-14"),
     ("minor", True, False), ("topics", "divorce", "will")],
)  # fmt: skip
def test_a_filter_finds_equal_values_only(office: Office, key: str, value: Any, other: Any) -> None:
    kind = kind_of(office)
    wire = {"field": f"custom_fields.{key}", "op": "eq", "value": value}
    empty = {"field": f"custom_fields.{key}", "op": "is_empty"}
    none = made(office, kind)["id"]
    assert office.selected(case_filter=wire) == []
    case = made(office, kind, custom_fields=VALUES)["id"]
    assert office.selected(case_filter=wire) == [case]
    assert office.selected(case_filter={**wire, "value": other}) == []
    assert office.selected(case_filter={**wire, "op": "ne", "value": other}) == [none, case]
    assert office.selected(case_filter={**wire, "op": "ne"}) == office.selected(case_filter=empty) == [none]
    neighbour = Office(office.db)
    made(neighbour, kind_of(neighbour))
    assert neighbour.selected(case_filter=wire) == []


def test_what_one_looked_up_ahead_is_not_for_who_may_not_see_it(office: Office) -> None:
    kind = kind_of(office)
    for _ in range(3):
        made(office, kind, custom_fields=VALUES)
    wire = {"field": "custom_fields.diagnosis", "op": "eq", "value": "Quimbyism"}
    cursor = office.select(1, case_filter=wire)["meta"]["next_cursor"]
    with member(office):
        assert refusal(Invalid, office.select, 1, cursor, case_filter=wire)[0] == "invalid_filter"
    assert len(office.select(1, cursor, case_filter=wire)["data"]) == 1


def test_a_sensitive_value_is_asked_for_and_not_kept_in_a_filter(office: Office) -> None:
    kind_of(office)
    wire = {"not": {"field": "custom_fields.diagnosis", "op": "eq", "value": "Quimbyism"}}
    service = office.service
    assert refusal(Invalid, service.create_saved_filter, "D", wire) == ("sensitive_value", ["filter"])
    assert refusal(Invalid, service.create_case_list, name="D", filter=wire) == ("sensitive_value", ["filter"])
    saved = service.create_saved_filter("D", {"field": "custom_fields.diagnosis", "op": "is_empty"})
    assert refusal(Invalid, service.update_saved_filter, saved["id"], {"filter": wire}, None)[0] == "sensitive_value"


def test_a_field_of_which_a_kept_filter_names_a_value_does_not_become_sensitive(office: Office) -> None:
    plain = [{**field, "sensitive": False} for field in FIELDS]
    kind, service = kind_of(office, plain), office.service
    wire = {"not": {"field": "custom_fields.diagnosis", "op": "in", "value": ["Quimbyism"]}}
    saved = service.create_saved_filter("D", {"or": [wire, {"field": "custom_fields.fee", "op": "is_empty"}]})
    service.create_saved_filter("By the other", {"saved_filter_id": saved["id"]})
    # Nothing but a part of the name is the same.
    service.create_saved_filter("N", {"field": "custom_fields.notes", "op": "eq", "value": "custom_fields.fee"})
    kept = service.create_case_list(name="D", filter=wire)

    def becoming(*keys: str) -> list[dict[str, Any]]:
        return [{**field, "sensitive": field["key"] in keys} for field in plain]

    def seal(*keys: str) -> Any:
        return service.update_case_type(kind["id"], {"custom_fields": becoming(*keys)}, None)

    with pytest.raises(Conflict) as refused:
        seal("fee", "diagnosis")
    error = refused.value
    assert (error.code, [entry["field"] for entry in error.fields]) == (
        "field_in_saved_filter",
        ["custom_fields.0.sensitive"],
    )
    assert error.meta == {"saved_filter_ids": saved["id"], "case_list_ids": kept["id"]}
    # A type that has no such field yet is refused it as well: its key is the same field to a filter.
    assert refusal(Conflict, kind_of, office, becoming("diagnosis"))[0] == "field_in_saved_filter"
    assert seal("fee")["custom_fields"][1]["sensitive"] is True
    service.delete_case_list(kept["id"])
    service.update_saved_filter(saved["id"], {"filter": {"field": "custom_fields.diagnosis", "op": "is_empty"}}, None)
    assert seal("diagnosis")["custom_fields"][0]["sensitive"] is True
    # What was kept while it was so is no reason to refuse another change of the type.
    with office.db.unit_of_work() as uow:
        uow.session.execute(update(SavedFilter).where(SavedFilter.id == saved["id"]).values(filter=wire))
    assert seal("diagnosis", "born")["custom_fields"][2]["sensitive"] is True


def test_a_filter_that_is_being_kept_keeps_its_field_from_becoming_sensitive(office: Office) -> None:
    plain = [{**field, "sensitive": False} for field in FIELDS]
    kind_of(office, plain)
    other = kind_of(office, plain)
    wire = {"field": "custom_fields.diagnosis", "op": "eq", "value": "Quimbyism"}

    def seal() -> str:
        return refusal(Conflict, office.service.update_case_type, other["id"], {"custom_fields": FIELDS}, None)[0]

    with office.db.unit_of_work() as uow:
        read_filter_to_save(uow.session, wire, path="filter")
        uow.session.add(SavedFilter(name="D", filter=wire, created_at=utc_now(), updated_at=utc_now()))
        sealing = eventlet.spawn(seal)
        until_held_up(office.db, sealing)
    assert sealing.wait() == "field_in_saved_filter"


@pytest.mark.parametrize(
    ("key", "op", "value"),
    [("diagnosis", "contains", "Quim"), ("diagnosis", "starts_with", "Q"), ("fee", "gt", 1),
     ("born", "lt", "2000-01-01"), ("born", "older_than_days", 3), ("fee", "between", [1, 2])],
)  # fmt: skip
def test_what_needs_the_value_itself_is_refused_at_its_operator(office: Office, key: str, op: str, value: Any) -> None:
    kind_of(office)
    wire = {"and": [{"field": f"custom_fields.{key}", "op": op, "value": value}]}
    assert refusal(Invalid, office.selected, case_filter=wire) == ("invalid_filter", ["selector.case_filter.and.0.op"])


def test_an_answer_is_sealed_too(office: Office) -> None:
    case = made(office, kind_of(office), custom_fields={"notes": "plain"})
    task_id = new_id()
    answer = {"case_task_id": task_id, "case_id": case["id"], "client_id": None, "target": "case", "field": "diagnosis",
              "value": "Quimbyism", "answer_version": 1, "completed_at": utc_now()}  # fmt: skip
    office.calls.answers[GET_MAPPED_ANSWERS] = lambda case_task_ids: {"answers": [answer]}
    data = {**TASK_COMPLETED.example, "case_task_id": task_id, "case_id": case["id"], "mapped": "case"}
    event = received(TASK_COMPLETED, data, firm_id=office.firm_id)
    deliver(office.service, "apply_answers", event)
    deliver(office.service, "apply_answers", event)
    assert office.service.get_case(case["id"])["custom_fields"] == {"diagnosis": "Quimbyism", "notes": "plain"}
    assert texts(office) == []


def test_a_field_that_becomes_sensitive_has_its_values_sealed_and_back(office: Office) -> None:
    plain = [{**field, "sensitive": False} for field in FIELDS]
    kind, other = kind_of(office, plain), kind_of(office, plain)
    case, foreign = made(office, kind, custom_fields=VALUES), made(office, other, custom_fields=VALUES)
    later = utc_now() + 2 * SETTLED

    def work(now: dt.datetime) -> None:
        while reseal(office.db, now):
            pass

    office.service.update_case_type(kind["id"], {"custom_fields": FIELDS}, None)
    with member(office):  # From the change on.
        assert office.service.get_case(case["id"])["custom_fields"] == {"notes": "plain"}
    work(utc_now())
    wire = {"field": "custom_fields.diagnosis", "op": "eq", "value": "Quimbyism"}
    assert office.selected(case_filter=wire) == [case["id"], foreign["id"]]
    with office.db.read() as session:
        rows = session.execute(
            select(CaseFieldValue.text, CaseFieldValue.folded, CaseFieldValue.number, CaseFieldValue.day).where(
                CaseFieldValue.case_id == case["id"], CaseFieldValue.key != "notes"
            )
        )
        assert {tuple(row) for row in rows} == {(None, None, None, None)}
        kept = session.scalar(select(Case.custom_fields).where(Case.id == case["id"]))
        assert not any(word in str(kept) for word in WORDS)
        # A request may have begun before the change: it is looked at once more.
        assert any(session.scalars(select(CustomField.resealing)))
    work(later)
    with office.db.read() as session:
        assert not any(session.scalars(select(CustomField.resealing)))
    assert office.service.get_case(case["id"])["custom_fields"] == VALUES
    office.service.update_case_type(kind["id"], {"custom_fields": plain}, None)
    work(later)
    assert office.service.get_case(case["id"]) == {**case, "hidden": []}
    starts = {"field": "custom_fields.diagnosis", "op": "starts_with", "value": "quim"}
    assert office.selected(case_filter=starts) == [case["id"], foreign["id"]]


def test_a_person_has_the_values_handed_out_and_takes_the_key_along(office: Office) -> None:
    client_id = office.client()
    case = made(office, kind_of(office), clients=[{"client_id": client_id}], custom_fields=VALUES)
    (told,) = (
        entry["data"] for entry in export_client_data(office.db, client_id=client_id)["entries"]
        if entry["kind"] == "case"
    )  # fmt: skip
    assert told["custom_fields"] == VALUES
    erase(office, client_id)
    with office.db.read() as session:
        assert session.scalars(select(CaseKey)).all() == []
    assert office.service.get_case(case["id"])["custom_fields"] == {}


def test_what_is_sensitive_of_a_case_of_others_too_is_handed_out_to_nobody(office: Office) -> None:
    mine, other = office.client(), office.client()
    made(office, kind_of(office), clients=[{"client_id": mine}, {"client_id": other}], custom_fields=VALUES)

    def told() -> list[set[str]]:
        entries = export_client_data(office.db, client_id=mine)["entries"]
        return [set(entry["data"]["custom_fields"]) for entry in entries if entry["kind"] == "case"]

    assert told() == [{field["key"] for field in FIELDS if not field.get("sensitive")} & VALUES.keys()]
    erase(office, other)
    assert told() == [set(VALUES)]


def test_others_hear_which_fields_become_sensitive(office: Office) -> None:
    def told() -> list[str]:
        return sorted(event.data["field"] for event in outbox_events(office.db, FIELD_BECAME_SENSITIVE))

    plain = [{**field, "sensitive": False} for field in FIELDS]
    kind = kind_of(office, plain)
    assert (told(), office.service.check_mapping("diagnosis", "short_text")) == ([], {"sensitive": False})
    some = [{**field, "sensitive": field["key"] == "diagnosis"} for field in FIELDS]
    for _ in range(2):
        office.service.update_case_type(kind["id"], {"custom_fields": some}, None)
    assert (told(), office.service.check_mapping("diagnosis", "short_text")) == (["diagnosis"], {"sensitive": True})
    # Another type, whose field is none of these: answers may be written to either.
    kind_of(office, [FIELDS[0]])
    assert told() == ["diagnosis", "diagnosis"]
    office.service.update_case_type(kind["id"], {"custom_fields": []}, None)
    office.service.update_case_type(kind["id"], {"custom_fields": some}, None)
    assert told() == ["diagnosis"] * 3


def test_a_selector_that_is_kept_names_no_value_of_a_sensitive_field(office: Office) -> None:
    kind = kind_of(office)
    made(office, kind, custom_fields=VALUES)
    wire = {"field": "custom_fields.diagnosis", "op": "eq", "value": "Quimbyism"}

    def chosen(wanted: dict[str, Any], **query: Any) -> int:
        selector = {"case_filter": wanted}
        found = office.service.select_cases(selector=selector, limit=9, cursor=None, count_all=False, **query)
        return int(found["meta"]["total"])

    with supervisor(office):
        assert chosen(wire, to_keep=False) == 1
        assert refusal(Invalid, chosen, wire, to_keep=True) == ("sensitive_value", ["selector.case_filter"])
        assert chosen({"field": "custom_fields.diagnosis", "op": "is_not_empty"}, to_keep=True) == 1
