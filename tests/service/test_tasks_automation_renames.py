"""Rules that name a status which is renamed go on naming the same one."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from chassis.columns import new_id
from chassis.envelope import ReceivedEvent
from chassis.filters.parsing import DEEPEST
from chassis.testing import deliver, received
from contracts.cases import CASE_STATUS_RENAMED
from contracts.tasks import CASE_CHANGE_REQUESTED
from services.tasks.automation import rules
from tests.service.automation_desk import Desk, desk
from tests.service.tasks_office import NOW, database
from tests.service.test_tasks_automation_runs import COURT, MOVED, complete, completed, logged, move, moved

__all__ = ["database", "desk"]

IN_COURT = {"field": "status", "op": "eq", "value": "In court"}
TRIAL = {"field": "status", "op": "eq", "value": "Trial"}


def renamed(desk: Desk, was: str, name: str, *, elsewhere: bool = False, after: int = 0) -> ReceivedEvent:
    data = {"case_type_id": desk.case_type_id, "was": was, "name": name, "elsewhere": elsewhere}
    return received(CASE_STATUS_RENAMED, data, firm_id=desk.firm_id, time=NOW + dt.timedelta(minutes=after))


def follow(desk: Desk, *events: ReceivedEvent) -> None:
    for event in events:
        deliver(desk.service, "follow_renamed_status", event)
        deliver(desk.service, "follow_renamed_status", event)


def get(desk: Desk, rule: dict[str, Any]) -> dict[str, Any]:
    return rules.get_rule(desk.db, rule["id"])


@pytest.mark.parametrize("bound", [True, False])
def test_a_rule_is_written_anew_where_no_other_type_is_meant(desk: Desk, bound: bool) -> None:
    on = {**MOVED, "to_status": "In court", **({"case_type_id": desk.case_type_id} if bound else {})}
    node = {"and": [{"not": {**IN_COURT, "op": "in", "value": ["In court", "New"]}}, {"field": "state", "op": "eq",
            "value": "open"}]}  # fmt: skip
    rule = desk.rule({**COURT}, on=on, filter=None)
    other = desk.rule(desk.tell(), on={**MOVED, "to_status": "New"})
    with desk.db.unit_of_work() as uow:
        rules.load_rule(uow.session, rule["id"]).filter = node
    follow(desk, renamed(desk, "In court", "Trial", elsewhere=bound))
    changed = get(desk, rule)
    assert changed["trigger"] == {**on, "to_status": "Trial"}
    assert changed["actions"] == [{**COURT, "status": "Trial"}]
    assert changed["filter"]["and"][0]["not"]["value"] == ["Trial", "New"]
    assert (changed["version"], get(desk, other)["version"]) == (2, 1)


def test_where_other_types_keep_the_name_it_is_the_new_one_in_this_type_alone(desk: Desk) -> None:
    rule = desk.rule(COURT, on={**MOVED, "to_status": "In court"})
    acting = desk.rule(COURT)
    with desk.db.unit_of_work() as uow:
        rules.load_rule(uow.session, acting["id"]).filter = None
    follow(desk, renamed(desk, "In court", "Trial", elsewhere=True))
    assert get(desk, rule)["trigger"]["to_status"] == "In court"
    case_id, foreign = desk.cases.open(), desk.cases.open()
    move(
        desk,
        moved(desk, case_id, "Trial"),
        moved(desk, foreign, "In court", case_type_id=new_id()),
        moved(desk, desk.cases.open(), "Trial", case_type_id=new_id()),
        moved(desk, desk.cases.open(), "In court"),
    )
    assert {run["case_id"] for run in desk.runs()} == {case_id, foreign}
    before = len(desk.emitted(CASE_CHANGE_REQUESTED))
    complete(desk, completed(desk, case_id))
    # The desk's cases are all of its type.
    assert [asked["status"] for asked in desk.emitted(CASE_CHANGE_REQUESTED)[before:]] == ["Trial"]


def test_a_filter_means_both_where_other_types_keep_the_name(desk: Desk) -> None:
    rule = desk.rule()
    with desk.db.unit_of_work() as uow:
        rules.load_rule(uow.session, rule["id"]).filter = {"or": [IN_COURT]}
    follow(desk, renamed(desk, "In court", "Trial", elsewhere=True))
    of_type = {"field": "case_type_id", "op": "eq", "value": desk.case_type_id}
    assert get(desk, rule)["filter"] == {
        "or": [{"or": [{"and": [of_type, TRIAL]}, {"and": [{"not": of_type}, IN_COURT]}]}]
    }


def test_a_filter_grows_no_deeper_with_each_type_that_renames_its_status(desk: Desk) -> None:
    rule = desk.rule()
    with desk.db.unit_of_work() as uow:
        rules.load_rule(uow.session, rule["id"]).filter = IN_COURT
    types = [desk.case_type_id, *(new_id() for _ in range(7))]
    for number, case_type_id in enumerate(types):
        event = renamed(desk, "In court", "Trial", elsewhere=True, after=number)
        event.data["case_type_id"] = case_type_id
        follow(desk, event)
    again = renamed(desk, "Trial", "Hearing", elsewhere=True, after=9)
    follow(desk, again)
    of = [{"field": "case_type_id", "op": "eq", "value": case_type_id} for case_type_id in types]
    others = {"field": "case_type_id", "op": "in", "value": types}
    assert get(desk, rule)["filter"] == {
        "or": [
            {"and": [of[0], {**TRIAL, "value": "Hearing"}]},
            *({"and": [type_, TRIAL]} for type_ in of[1:]),
            {"and": [{"not": others}, IN_COURT]},
        ]
    }


def test_a_filter_that_may_be_no_deeper_stays_as_it_is(desk: Desk) -> None:
    deep: dict[str, Any] = IN_COURT
    for _ in range(DEEPEST - 1):
        deep = {"not": deep}
    rule = desk.rule()
    with desk.db.unit_of_work() as uow:
        rules.load_rule(uow.session, rule["id"]).filter = deep
    follow(desk, renamed(desk, "In court", "Trial", elsewhere=True))
    assert get(desk, rule)["filter"] == deep


@pytest.mark.parametrize("elsewhere", [True, False])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_renames_come_in_any_order(desk: Desk, elsewhere: bool, order: tuple[int, int]) -> None:
    desk.rule(COURT)
    events = [
        renamed(desk, "In court", "Trial", elsewhere=elsewhere, after=1),
        renamed(desk, "Trial", "Hearing", after=2),
    ]
    follow(desk, *(events[number] for number in order))
    complete(desk, completed(desk, desk.cases.open()))
    assert [asked["status"] for asked in desk.emitted(CASE_CHANGE_REQUESTED)] == ["Hearing"]


def test_what_is_said_anew_means_what_it_says(desk: Desk) -> None:
    rule = desk.rule(COURT)
    follow(desk, renamed(desk, "In court", "Trial", elsewhere=True))
    actions = ([COURT, desk.tell()], [{**COURT, "status": "Closed"}], [COURT])
    for changes in ({"name": "Another"}, *({"actions": anew} for anew in actions)):
        rules.update_rule(
            desk.db, desk.calls, NOW, automation_rule_id=rule["id"], changes=changes, expected_version=None
        )
        complete(desk, completed(desk, desk.cases.open()))
    asked = [data["status"] for data in desk.emitted(CASE_CHANGE_REQUESTED)]
    assert asked == ["Trial", "Trial", "Closed", "In court"]
    assert logged(desk) == [("done", None)] * 4


def test_a_rename_of_another_firm_changes_nothing(desk: Desk) -> None:
    rule = desk.rule(COURT)
    event = renamed(desk, "In court", "Trial")
    foreign = received(CASE_STATUS_RENAMED, event.data, firm_id=new_id())
    deliver(desk.service, "follow_renamed_status", foreign)
    assert get(desk, rule)["actions"] == [COURT]
