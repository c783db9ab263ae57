"""Rules that name a status which is renamed: they go on naming the same one.

A rule of one type of case, and one that names what no other type has, is written anew. Where other types still have a
status of that name, what the rule says goes on for them, and `status_names` says what it means in the type that renamed
it. Renames come in any order: each is kept, and what it led to since is followed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.columns import utc_now
from chassis.database import Database
from chassis.envelope import ReceivedEvent
from services.tasks.models import AutomationRule, RenamedStatus

Node = dict[str, Any]


def follow_renamed_status(db: Database, event: ReceivedEvent) -> None:
    """`case_status.renamed.v1`"""
    told = event.data
    with db.unit_of_work(once=event) as uow:
        kept = {name: told[name] for name in ("case_type_id", "was", "name")}
        uow.insert(RenamedStatus, [{**kept, "renamed_at": event.time}], ignore_conflicts=True)
        name = _name_now(uow.session, event)
        for rule in uow.session.scalars(select(AutomationRule).order_by(AutomationRule.id).with_for_update()):
            if rename(rule, told["case_type_id"], told["was"], name, elsewhere=told["elsewhere"]):
                rule.touch(utc_now())


def _name_now(session: Session, event: ReceivedEvent) -> str:
    """What the status is called after this rename and all that are known to have followed it."""
    of_type = select(RenamedStatus).where(RenamedStatus.case_type_id == event.data["case_type_id"])
    later = of_type.where(RenamedStatus.renamed_at > event.time).order_by(RenamedStatus.renamed_at)
    name: str = event.data["name"]
    for renamed in session.scalars(later):
        if renamed.was == name:
            name = renamed.name
    return name


def rename(rule: AutomationRule, case_type_id: str, was: str, name: str, *, elsewhere: bool) -> bool:
    """Whether the rule names the status, which then it does by its new name."""
    only = rule.trigger.get("case_type_id")
    if only not in (None, case_type_id):
        return False
    before = (rule.trigger, rule.actions, rule.filter, rule.status_names)
    if only is None and elsewhere:
        _note(rule, case_type_id, was, name)
        change = _in_type(case_type_id, was, name)
    else:
        _write(rule, was, name)
        change = _everywhere(was, name)
    if rule.filter is not None:
        rule.filter = _changed(rule.filter, change)
    return before != (rule.trigger, rule.actions, rule.filter, rule.status_names)


def _note(rule: AutomationRule, case_type_id: str, was: str, name: str) -> None:
    """In this type, the status is called otherwise than in the rule."""
    named = [rule.trigger.get("to_status"), *(action.get("status") for action in rule.actions)]
    before = rule.status_names.get(case_type_id, {})
    now = {said: before.get(said, said) for said in named if said is not None}
    new = {said: name for said, called in now.items() if called == was}
    if new:
        rule.status_names = {**rule.status_names, case_type_id: {**before, **new}}


def _write(rule: AutomationRule, was: str, name: str) -> None:
    if rule.trigger.get("to_status") == was:
        rule.trigger = {**rule.trigger, "to_status": name}
    if any(action.get("status") == was for action in rule.actions):
        rule.actions = [
            {**action, "status": name} if action.get("status") == was else action for action in rule.actions
        ]
    if rule.status_names:
        rule.status_names = {
            case_type_id: {name if said == was else said: name if now == was else now for said, now in names.items()}
            for case_type_id, names in rule.status_names.items()
        }


def _everywhere(was: str, name: str) -> Callable[[Node], Node]:
    def change(condition: Node) -> Node:
        value = condition.get("value")
        if isinstance(value, list):
            return {**condition, "value": [name if entry == was else entry for entry in value]}
        return {**condition, "value": name} if value == was else condition

    return change


def _in_type(case_type_id: str, was: str, name: str) -> Callable[[Node], Node]:
    of_type = {"field": "case_type_id", "op": "eq", "value": case_type_id}

    def change(condition: Node) -> Node:
        inside = _everywhere(was, name)(condition)
        if inside == condition:
            return condition
        return {"or": [{"and": [of_type, inside]}, {"and": [{"not": of_type}, condition]}]}

    return change


def _changed(node: Node, change: Callable[[Node], Node]) -> Node:
    """The filter, its conditions on the status changed."""
    for word in ("and", "or"):
        if isinstance(node.get(word), list):
            return {word: [_changed(part, change) for part in node[word]]}
    if isinstance(node.get("not"), dict):
        return {"not": _changed(node["not"], change)}
    return change(node) if node.get("field") == "status" else node
