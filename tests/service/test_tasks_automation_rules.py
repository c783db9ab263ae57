"""Automation rules: kept, listed, changed, and refused where they name what there is not."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update as sql_update

from chassis.columns import new_id
from chassis.testing import deliver, received
from contracts import cases
from contracts.errors import CasewireError, Conflict, Invalid, NotFound
from contracts.tasks import AutomationRule as AutomationRuleSchema
from services.tasks import forms, templates
from services.tasks.automation import rules
from services.tasks.models import AutomationRule
from tests.service import forms_desk
from tests.service.automation_desk import Desk, desk
from tests.service.tasks_office import NOW, database

__all__ = ["database", "desk"]

OPEN = {"field": "state", "op": "eq", "value": "open"}
COURT = {"kind": "change_status", "status": "In court"}
MOVED = {"kind": "case_status_changed"}


def update(desk: Desk, rule: dict[str, Any], version: int | None = None, **changes: Any) -> dict[str, Any]:
    return rules.update_rule(
        desk.db, desk.calls, NOW, automation_rule_id=rule["id"], changes=changes, expected_version=version
    )


def listed(desk: Desk, **query: Any) -> list[str]:
    found = rules.list_rules(desk.db, **{"active": None, "limit": 50, "cursor": None, "sort": None, **query})
    return [rule["name"] for rule in found["data"]]


def refused(error: type[CasewireError], call: Any, *args: Any, **kwargs: Any) -> tuple[str, list[str]]:
    with pytest.raises(error) as caught:
        call(*args, **kwargs)
    return caught.value.code, [entry["field"] for entry in caught.value.fields]


def test_a_rule_is_kept_as_it_was_given(desk: Desk) -> None:
    template_id = desk.template()
    due = {"mode": "relative", "days": 3, "business": True}
    assigning = {"kind": "assign_task", "template_id": template_id, "due": due, "assignee_id": desk.staff_id}
    trigger = {"kind": "task_completed", "template_id": template_id}
    rule = desk.rule(assigning, COURT, desk.tell(), on=trigger, filter=OPEN, name="To court")
    kept = rules.get_rule(desk.db, rule["id"])
    assert kept == rule
    assert (kept["name"], kept["active"], kept["filter"], kept["version"]) == ("To court", True, OPEN, 1)
    assert kept["trigger"] == trigger
    assert kept["actions"][0].items() >= {**assigning, "due": kept["actions"][0]["due"]}.items()
    assert kept["actions"][0]["due"].items() >= due.items()
    assert kept["actions"][1:] == [COURT, desk.tell()]


def test_rules_are_listed_by_name_and_those_that_are_off_on_their_own(desk: Desk) -> None:
    desk.rule(name="b")
    off = desk.rule(name="a")
    update(desk, off, active=False)
    assert listed(desk) == ["a", "b"]
    assert listed(desk, active=True) == ["b"]
    assert listed(desk, active=False) == ["a"]


def test_a_change_is_checked_as_a_whole_and_against_the_version_that_was_seen(desk: Desk) -> None:
    rule = desk.rule(COURT, name="x")
    assert update(desk, rule, 1, filter=OPEN)["version"] == 2
    assert refused(Conflict, update, desk, rule, 1, name="y")[0] == "stale_version"
    assert refused(Invalid, update, desk, rule, trigger={**MOVED, "template_id": new_id()}) == (
        "not_of_this_kind",
        ["trigger.template_id"],
    )
    assert rules.get_rule(desk.db, rule["id"])["trigger"] == {"kind": "task_completed"}


def test_a_rule_that_names_somebody_who_left_can_be_stopped_and_not_started_again(desk: Desk) -> None:
    rule = desk.rule()
    desk.staff[desk.staff_id] = False
    assert update(desk, rule, active=False)["active"] is False
    assert refused(Invalid, update, desk, rule, active=True) == ("inactive_staff", ["actions.0.staff_ids.0"])
    assert rules.get_rule(desk.db, rule["id"])["active"] is False


def test_two_rules_of_one_name_are_refused(desk: Desk) -> None:
    desk.rule(name="x")
    other = desk.rule(name="y")
    assert refused(Conflict, desk.rule, name="x") == ("name_taken", ["name"])
    assert refused(Conflict, update, desk, other, name="x") == ("name_taken", ["name"])


def test_a_rule_of_another_firm_is_not_there(desk: Desk) -> None:
    rule = desk.rule()
    with pytest.raises(NotFound):
        rules.get_rule(desk.foreign_db, rule["id"])
    assert rules.list_rules(desk.foreign_db, active=None, limit=50, cursor=None, sort=None)["data"] == []


@pytest.mark.parametrize(
    ("given", "code", "field"),
    [
        ({"name": "  "}, "invalid_input", "name"),
        ({"actions": [{"kind": "assign_task"}]}, "incomplete_action", "actions.0.template_id"),
        ({"actions": [COURT, {"kind": "change_status"}]}, "incomplete_action", "actions.1.status"),
        ({"actions": [{"kind": "notify_staff", "title": "x"}]}, "incomplete_action", "actions.0.staff_ids"),
        ({"actions": [{**COURT, "title": "x"}]}, "not_of_this_kind", "actions.0.title"),
        ({"actions": [COURT, {**COURT, "status": "New"}]}, "two_statuses", "actions.1"),
        (
            {"actions": [{"kind": "send_template", "channels": ["sms"]}]},
            "incomplete_action",
            "actions.0.message_template_id",
        ),
        ({"trigger": {"kind": "overdue_handling", "template_id": new_id()}}, "not_of_this_kind", "trigger.template_id"),
        ({"actions": [{**COURT, "status": "Nowhere"}]}, "unknown_status", "actions.0.status"),
        ({"trigger": {**MOVED, "to_status": "Nowhere"}}, "unknown_status", "trigger.to_status"),
        ({"trigger": {**MOVED, "template_id": new_id()}}, "not_of_this_kind", "trigger.template_id"),
        (
            {"actions": [{"kind": "notify_staff", "title": "x", "staff_ids": [new_id()]}]},
            "unknown_staff",
            "actions.0.staff_ids.0",
        ),
        (
            {"actions": [{"kind": "assign_task", "template_id": new_id(), "due": {"mode": "relative"}}]},
            "incomplete_due_rule",
            "actions.0.due.days",
        ),
        ({"filter": {"field": "colour", "op": "eq", "value": "red"}}, "invalid_filter", "filter.field"),
    ],
)
def test_what_cannot_be_done_is_refused_with_its_place(desk: Desk, given: Any, code: str, field: str) -> None:
    command = {"name": "x", "trigger": {"kind": "task_completed"}, "filter": None, "actions": [desk.tell()], **given}
    assert refused(Invalid, rules.create_rule, desk.db, desk.calls, NOW, active=True, **command) == (code, [field])
    assert listed(desk) == []


@pytest.mark.parametrize(
    "given",
    [
        {"on": {"kind": "task_completed", "template_id": new_id()}},
        {"on": {**MOVED, "case_type_id": new_id()}},
        {"on": {"kind": "form_completed", "form_id": new_id()}},
        {"actions": [{"kind": "assign_task", "template_id": new_id()}]},
        {"actions": [{"kind": "assign_form", "form_id": new_id()}]},
    ],
)
def test_a_record_that_is_not_there_is_not_found(desk: Desk, given: Any) -> None:
    command = {"trigger": given.get("on", {"kind": "task_completed"}), "actions": given.get("actions", [desk.tell()])}
    with pytest.raises(NotFound):
        rules.create_rule(desk.db, desk.calls, NOW, name="x", active=True, filter=None, **command)
    assert listed(desk) == []


def test_what_is_archived_is_assigned_by_no_new_rule_and_may_trigger_one(desk: Desk) -> None:
    form_id, template_id = forms_desk.intake(desk)["id"], desk.template()
    archived: Any = {"changes": {"archived": True}, "expected_version": None}
    forms.update_form(desk.db, desk.calls, NOW, form_id=form_id, **archived)
    templates.update_template(
        desk.db, desk.calls, NOW, task_template_id=template_id, changes={"archived": True}, expected_version=None
    )
    assert refused(Conflict, desk.rule, {"kind": "assign_form", "form_id": form_id})[0] == "form_archived"
    assert refused(Conflict, desk.rule, {"kind": "assign_task", "template_id": template_id})[0] == "template_archived"
    desk.rule(on={"kind": "form_completed", "form_id": form_id})
    desk.rule(on={"kind": "overdue", "template_id": template_id})


PASSPORT = {"field": "custom_fields.passport", "op": "in", "value": ["N1234567"]}
ELSE = {"field": "custom_fields.passports", "op": "eq", "value": "N1234567"}


def with_filter(desk: Desk, wire: dict[str, Any]) -> str:
    made = desk.rule()
    with desk.db.unit_of_work() as uow:
        uow.session.execute(sql_update(AutomationRule).where(AutomationRule.id == made["id"]).values(filter=wire))
    return str(made["id"])


def test_a_rule_that_names_a_value_of_a_field_that_becomes_sensitive_is_switched_off_without_it(desk: Desk) -> None:
    empty = {"field": "custom_fields.passport", "op": "is_not_empty"}
    naming = with_filter(desk, {"or": [{"not": PASSPORT}, {"and": [empty, ELSE]}]})
    kept = {id_: rules.get_rule(desk.db, id_) for id_ in (with_filter(desk, {"and": [empty, ELSE]}), desk.rule()["id"])}
    told = {"case_type_id": desk.case_type_id, "field": "passport"}
    event = received(cases.FIELD_BECAME_SENSITIVE, told, firm_id=desk.firm_id, subscription="follow_sensitive_fields")
    deliver(desk.service, "follow_sensitive_fields", event)
    deliver(desk.service, "follow_sensitive_fields", event)

    shown = rules.get_rule(desk.db, naming)
    assert (shown["active"], shown["inactive_because"], shown["version"]) == (False, "sensitive_value", 2)
    # A filter that nobody takes as it is: whoever switches the rule on again decides what is asked for.
    assert shown["filter"] == {"or": [{"not": {**PASSPORT, "value": None}}, {"and": [empty, ELSE]}]}
    AutomationRuleSchema().dump(shown)
    assert {id_: rules.get_rule(desk.db, id_) for id_ in kept} == kept

    def change(**changes: Any) -> dict[str, Any]:
        return rules.update_rule(
            desk.db, desk.calls, NOW, automation_rule_id=naming, changes=changes, expected_version=None
        )

    assert change(name="Passports")["inactive_because"] == "sensitive_value"
    with pytest.raises(Invalid, match="invalid_filter"):
        change(active=True)
    back = change(active=True, filter={"field": "state", "op": "eq", "value": "open"})
    assert (back["active"], back["inactive_because"]) == (True, None)
