"""Rules that name a status which is renamed: they go on naming the same one.

A rule of one type of case, and one that names what no other type has, is written anew. Where other types still have a
status of that name, what the rule says goes on for them, and `status_names` says what it means in the type that renamed
it. Renames come in any order: each is kept, and what it led to since is followed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.columns import utc_now
from chassis.database import Database
from chassis.envelope import ReceivedEvent
from chassis.filters.parsing import DEEPEST
from services.tasks.models import AutomationRule, RenamedStatus

Node = dict[str, Any]
_STATUS, _TYPE = "status", "case_type_id"


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
    else:
        _write(rule, was, name)
    if rule.filter is not None:
        change = _everywhere(was, name)
        in_type = case_type_id if only is None and elsewhere else None
        changed = _changed(rule.filter, change) if in_type is None else _changed_in_type(rule.filter, in_type, change)
        # A filter that may not grow any more goes on: its reader knows the names that statuses had.
        rule.filter = changed if _depth(changed) <= DEEPEST else rule.filter
    return before != (rule.trigger, rule.actions, rule.filter, rule.status_names)


def _note(rule: AutomationRule, case_type_id: str, was: str, name: str) -> None:
    """In this type, the status is called otherwise than in the rule."""
    before = rule.status_names.get(case_type_id, {})
    now = {said: before.get(said, said) for said in named_statuses(rule.trigger, rule.actions)}
    new = {said: name for said, called in now.items() if called == was}
    if new:
        rule.status_names = {**rule.status_names, case_type_id: {**before, **new}}


def named_statuses(trigger: Mapping[str, Any], actions: Iterable[Mapping[str, Any]]) -> set[str]:
    """The statuses that a rule names, but for its filter."""
    named = {trigger.get("to_status"), *(action.get("status") for action in actions)}
    return {status for status in named if status is not None}


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


def _changed(node: Node, change: Callable[[Node], Node]) -> Node:
    """The filter, its conditions on the status changed."""
    for word in ("and", "or"):
        if isinstance(node.get(word), list):
            return {word: [_changed(part, change) for part in node[word]]}
    if isinstance(node.get("not"), dict):
        return {"not": _changed(node["not"], change)}
    return change(node) if node.get("field") == _STATUS else node


def _changed_in_type(node: Node, case_type_id: str, change: Callable[[Node], Node]) -> Node:
    """The filter, its conditions on the status changed for cases of one type. However many types rename the same
    status, one after the other, it is no deeper than after the first."""
    if isinstance(node.get("and"), list):
        return {"and": [_changed_in_type(part, case_type_id, change) for part in node["and"]]}
    if isinstance(node.get("or"), list):
        return {"or": [new for part in node["or"] for new in _alternatives(part, case_type_id, change)]}
    if isinstance(node.get("not"), dict):
        return {"not": _changed_in_type(node["not"], case_type_id, change)}
    if node.get("field") != _STATUS or change(node) == node:
        return node
    return {"or": _apart(case_type_id, change(node), node, ())}


def _alternatives(part: Node, case_type_id: str, change: Callable[[Node], Node]) -> list[Node]:
    """What one of several alternatives becomes: one, or two where it was of several types of case."""
    types, is_of, condition = _of_types(part)
    if condition is None:
        return [_changed_in_type(part, case_type_id, change)]
    changed = change(condition)
    if (case_type_id in types) is not is_of or changed == condition:
        return [part]
    if is_of:
        # Of this type alone it says what it means; of several, whoever wrote it.
        return [{"and": [part["and"][0], changed]}] if len(types) == 1 else [
            _changed_in_type(part, case_type_id, change)
        ]  # fmt: skip
    return _apart(case_type_id, changed, condition, types)


def _apart(case_type_id: str, inside: Node, outside: Node, others: Sequence[str]) -> list[Node]:
    """`inside` for one type of case, `outside` for all but this one and the `others`."""
    return [{"and": [_type_is(case_type_id), inside]}, {"and": [{"not": _type_is(*others, case_type_id)}, outside]}]


def _type_is(*case_type_ids: str) -> Node:
    if len(case_type_ids) == 1:
        return {"field": _TYPE, "op": "eq", "value": case_type_ids[0]}
    return {"field": _TYPE, "op": "in", "value": list(case_type_ids)}


def _of_types(node: Node) -> tuple[Sequence[str], bool, Node | None]:
    """Of a condition on the status of cases of some types of case, or of all but some: (types, whether of them,
    condition). The condition is None for any other filter."""
    match node:
        case {"and": [{"field": "case_type_id", "op": "eq" | "in", "value": value}, {"field": "status"} as condition]}:
            is_of = True
        case {
            "and": [
                {"not": {"field": "case_type_id", "op": "eq" | "in", "value": value}},
                {"field": "status"} as condition,
            ]
        }:
            is_of = False
        case _:
            return (), False, None
    return value if isinstance(value, list) else [value], is_of, condition


def _depth(node: Node) -> int:
    """How deep a filter is nested."""
    parts = [part for word in ("and", "or") if isinstance(node.get(word), list) for part in node[word]]
    parts += [node["not"]] if isinstance(node.get("not"), dict) else []
    return 1 + max(map(_depth, parts), default=0)
