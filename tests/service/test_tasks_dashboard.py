"""The dashboard and a case's tasks, with views, counts, groups, orders and pages, against plain lists in memory."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from chassis.columns import new_id
from chassis.context import Context, use
from contracts.errors import Invalid
from contracts.tasks import STATUSES, VIEWS, CaseTaskListing, ListCaseTasks
from services.tasks import known_cases
from services.tasks.listing import by_assignee, counting
from services.tasks.listing.lists import list_case_tasks
from services.tasks.listing.request import Listing
from services.tasks.listing.slots import Clock, Slot
from services.tasks.models import CaseTask, KnownCaseStaff
from tests.examples import examples
from tests.service.tasks_office import NOW, Office, database, office

__all__ = ["database", "office"]

Task = dict[str, Any]
TICK, SECOND, DAY = dt.timedelta(microseconds=1), dt.timedelta(seconds=1), dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)
EDGES = (-SECOND, dt.timedelta(), DAY, 7 * DAY)
DATES = (
    None,
    NOW - 30 * DAY,
    NOW + 30 * DAY,
    *(NOW + edge + step for edge in EDGES for step in (-TICK, 0 * TICK, TICK)),
)
RANKS = ("overdue", "in_progress", "to_do", "completed", "skipped")
DUES = ("overdue", "due_today", "due_this_week", "later", "no_due_date", "completed", "skipped")
MINE, THEIRS, ARCHIVED = range(3)
"""Cases: the asking person's, another's, and one that is archived and the asking person's as well."""

tasks_drawn = st.lists(
    st.fixed_dictionaries(
        {
            "status": st.sampled_from(["to_do", "in_progress", "completed", "skipped"]),
            "due_at": st.sampled_from(DATES),
            "created_at": st.integers(0, 3).map(lambda days: NOW - days * DAY),
            "case": st.sampled_from([MINE, MINE, THEIRS, THEIRS, ARCHIVED]),
            "assignee": st.sampled_from(["me", "other", None]),
            "template": st.sampled_from([0, 1]),
            "title": st.sampled_from(["a", "B", "c"]),
            "section": st.sampled_from([None, "First", "Second"]),
        }
    ),
    max_size=12,
)
narrowed = {
    "template": st.sampled_from([None, None, None, 0, 1]),
    "assignee": st.sampled_from([None, None, None, "me", "other"]),
    "status": st.sampled_from([[], [], [], ["overdue"], ["to_do"], ["in_progress", "skipped"], ["to_do", "overdue"],
                               ["overdue", "in_progress", "to_do"], list(STATUSES)]),
    "due_from": st.sampled_from([None, None, NOW, NOW + DAY]),
    "due_to": st.sampled_from([None, None, NOW + DAY, NOW + 7 * DAY]),
    "view": st.sampled_from(VIEWS),
}  # fmt: skip
SORTS = ("created_at", "due_at", "status")
BOTH_WAYS = [f"{sign}{name}" for name in SORTS for sign in ("", "-")]
over_all = st.fixed_dictionaries(
    {
        **narrowed,
        "order": st.one_of(
            st.tuples(st.none(), st.sampled_from([None, *BOTH_WAYS])),
            st.tuples(st.sampled_from(["status", "due"]), st.sampled_from([None, "due_at", "-due_at"])),
            st.tuples(st.just("assignee"), st.sampled_from([None, "due_at"])),
        ),
    }
)
of_case = st.fixed_dictionaries(
    {
        **narrowed,
        "order": st.tuples(
            st.sampled_from([None, "section", "status", "due", "assignee"]),
            st.sampled_from([*BOTH_WAYS, "title", "-title", "assignee", "-assignee", "position"]),
        ),
    }
)
quickly = settings(
    max_examples=examples(15), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


class Firm:
    """A firm of its own within the office's database, with tasks and what is known of them."""

    def __init__(self, office: Office, drawn: list[Task]) -> None:
        self.firm_id, self.me, self.other = new_id(), new_id(), new_id()
        self.db, self.calls = office.everywhere.for_firm(self.firm_id), office.calls
        self.cases = [office.cases.open() for _ in range(3)]
        self.templates = [self._template(office) for _ in range(2)]
        self.tasks = [self._task(task) for task in drawn]
        with self.db.unit_of_work() as uow:
            uow.insert(
                CaseTask, [{name: task[name] for name in task if name in CaseTask.__table__.c} for task in self.tasks]
            )
            uow.insert(
                KnownCaseStaff, [{"case_id": self.cases[case], "staff_id": self.me} for case in (MINE, ARCHIVED)]
            )
            uow.insert(KnownCaseStaff, [{"case_id": self.cases[THEIRS], "staff_id": self.other}])

    def _template(self, office: Office) -> str:
        from services.tasks import templates

        made: str = templates.create_template(self.db, office.calls, NOW, title="Name", kind="short_text")["id"]
        return made

    def _task(self, drawn: Task) -> Task:
        people = {"me": self.me, "other": self.other, None: None}
        return {
            **drawn,
            "id": new_id(),
            "case_id": self.cases[drawn["case"]],
            "template_id": self.templates[drawn["template"]],
            "assignee_id": people[drawn["assignee"]],
            "archived": drawn["case"] == ARCHIVED,
            "kind": "short_text", "required": True, "options": [], "checks": {},
        }  # fmt: skip

    def ask(self, asked: dict[str, Any], **more: Any) -> dict[str, Any]:
        group, sort = asked["order"]
        query = {
            **ListCaseTasks().load({}),
            **{name: asked[name] for name in ("status", "due_from", "due_to", "view")},
            "template_id": None if asked["template"] is None else self.templates[asked["template"]],
            "assignee_id": {"me": self.me, "other": self.other, None: None}[asked["assignee"]],
            "group": group,
            "sort": sort,
            **more,
        }
        return list_case_tasks(self.db, self.calls, query.pop("now", NOW), staff_id=self.me, **query)


# The model


def shown(task: Task) -> str:
    open_ = task["status"] in ("to_do", "in_progress")
    passed = task["due_at"] is not None and NOW - task["due_at"] >= SECOND
    return "overdue" if open_ and passed else str(task["status"])


def due_of(task: Task) -> str:
    status = shown(task)
    if status in ("overdue", "completed", "skipped"):
        return status
    if task["due_at"] is None:
        return "no_due_date"
    left = task["due_at"] - NOW
    return "due_today" if left <= DAY else "due_this_week" if left <= 7 * DAY else "later"


def in_view(firm: Firm, view: str, task: Task) -> bool:
    return {
        "all": True,
        "mine": task["case"] != THEIRS or task["assignee_id"] == firm.me,
        "overdue": due_of(task) == "overdue",
        "due_today": due_of(task) == "due_today",
        "due_this_week": due_of(task) in ("due_today", "due_this_week"),
    }[view]


def meant(asked: dict[str, Any], task: Task) -> bool:
    due = task["due_at"]
    return (
        asked["template"] in (None, task["template"])
        and asked["assignee"] in (None, task["assignee"])
        and (asked["due_from"] is None or (due is not None and due >= asked["due_from"]))
        and (asked["due_to"] is None or (due is not None and due < asked["due_to"]))
    )


def in_order(tasks: list[Task], sort: str) -> list[Task]:
    """Sorted, what has no value last."""
    down = sort.startswith("-")
    if sort.endswith("status"):
        ranks = RANKS[::-1] if down else RANKS
        return [
            task
            for rank in ranks
            for task in in_order([one for one in tasks if shown(one) == rank], "-due_at" if down else "due_at")
        ]
    values: dict[str, Callable[[Task], Any]] = {
        "title": lambda task: task["title"].casefold(),
        "assignee": lambda task: task["assignee_id"],
        "position": lambda task: task["created_at"],
    }
    name = sort.removeprefix("-")
    value = values.get(name, lambda task: task[name])
    with_value = [task for task in tasks if value(task) is not None]
    without = [task for task in tasks if value(task) is None]
    return [
        *sorted(with_value, key=lambda task: (value(task), task["id"]), reverse=down),
        *sorted(without, key=lambda task: task["id"], reverse=down),
    ]


def groups(tasks: list[Task], group: str, everything: list[Task]) -> list[tuple[str | None, list[Task]]]:
    key: Callable[[Task], str | None]
    if group == "status":
        keys: list[str | None] = list(RANKS)
        key = shown
    elif group == "due":
        keys, key = list(DUES), due_of
    elif group == "assignee":
        keys, key = [*sorted({task["assignee_id"] for task in tasks} - {None}), None], lambda task: task["assignee_id"]
    else:
        key = lambda task: task["section"]  # noqa: E731
        keys = list(dict.fromkeys(key(task) for task in sorted(everything, key=lambda task: (
            task["section"] is None, task["created_at"], task["section"] or ""))))  # fmt: skip
    parted = [(one, [task for task in tasks if key(task) == one]) for one in keys]
    return [(one, theirs) for one, theirs in parted if theirs]


def check(firm: Firm, asked: dict[str, Any], everything: list[Task], *, limit: int = 3, **more: Any) -> None:
    base = [task for task in everything if meant(asked, task)]
    view = [task for task in base if in_view(firm, asked["view"], task)]
    group, sort = asked["order"]
    wanted = asked["status"] or RANKS
    if group == "assignee" and not more:
        # Over all cases, of what is open.
        wanted = [status for status in wanted if status in RANKS[:3]] or ["to_do"]
        asked = {**asked, "status": asked["status"] and wanted}
    listed = [task for task in view if shown(task) in wanted]
    by_date = group or asked["status"] or asked["view"] not in ("all", "mine")
    expected = groups(listed, group, everything) if group else [(None, listed)]
    ids = [
        task["id"]
        for _, theirs in expected
        for task in in_order(theirs, sort or ("due_at" if by_date else "-created_at"))
    ]

    found, cursor = [], None
    while True:
        page = firm.ask(asked, limit=limit, cursor=cursor, **more)
        assert CaseTaskListing().validate(CaseTaskListing().dump(page)) == {}
        assert len(page["data"]) <= limit
        assert page["meta"]["total"] == len(listed)
        assert all(
            entry["status"] == shown(task) for entry in page["data"] for task in base if task["id"] == entry["id"]
        )
        found += [entry["id"] for entry in page["data"]]
        cursor = page["meta"]["next_cursor"]
        if cursor is None:
            break
    assert found == ids
    counts = {name: {key: one["total"] for key, one in by.items()} for name, by in page["counts"].items()}
    assert counts["views"] == {name: sum(in_view(firm, name, task) for task in base) for name in VIEWS}
    assert counts["statuses"] == {status: sum(shown(task) == status for task in view) for status in STATUSES}
    if group is None:
        assert page["groups"] is None
        return
    assert [(one["key"], one["total"], one["completed"], one["skipped"]) for one in page["groups"]] == [
        (key, len(theirs), *(sum(task["status"] == status for task in theirs) for status in ("completed", "skipped")))
        for key, theirs in expected
    ]


@quickly
@given(drawn=tasks_drawn, asked=over_all)
def test_the_dashboard_is_what_a_plain_list_would_be(office: Office, drawn: list[Task], asked: dict[str, Any]) -> None:
    firm = Firm(office, drawn)
    check(firm, asked, [task for task in firm.tasks if not task["archived"]])


@quickly
@given(drawn=tasks_drawn, asked=of_case, case=st.sampled_from([MINE, THEIRS, ARCHIVED]))
def test_a_cases_tasks_are_what_a_plain_list_would_be(
    office: Office, drawn: list[Task], asked: dict[str, Any], case: int
) -> None:
    drawn = [{**task, "case": case} for task in drawn] or [{"status": "completed", "due_at": None, "created_at": NOW,
        "case": case, "assignee": None, "template": 0, "title": "a", "section": None}]  # fmt: skip
    firm = Firm(office, drawn)
    check(firm, asked, firm.tasks, case_id=firm.cases[case])
    progress = firm.ask(asked, case_id=firm.cases[case])["progress"]
    assert progress["completed"] == sum(task["status"] == "completed" for task in firm.tasks)
    assert progress["total"] == sum(task["status"] != "skipped" for task in firm.tasks)


# By example


def one(**facts: Any) -> Task:
    return {"status": "to_do", "due_at": None, "created_at": NOW, "case": MINE, "assignee": None, "template": 0,
            "title": "a", "section": None, **facts}  # fmt: skip


def test_every_order_of_every_view_takes_the_edges_of_the_clock_exactly(office: Office) -> None:
    stored = ("to_do", "in_progress", "completed", "skipped")
    drawn = [
        one(status=status, due_at=due_at, title=f"{at % 7}") for status in stored for at, due_at in enumerate(DATES)
    ]
    firm = Firm(office, [task for at, task in enumerate(drawn) for _ in range(1 + at % 2)])
    for view in VIEWS:
        for order in ((None, "due_at"), (None, "-due_at"), (None, "status"), (None, "-status"), ("due", "due_at")):
            for more in ({}, {"case_id": firm.cases[MINE]}):
                check(firm, asking(*order, view=view), firm.tasks, limit=40, **more)


PLAIN = {"template": None, "assignee": None, "status": [], "due_from": None, "due_to": None, "view": "all"}


def asking(group: str | None = None, sort: str | None = None, **more: Any) -> dict[str, Any]:
    return {**PLAIN, "order": (group, sort), **more}


def test_a_cases_tasks_of_nobody_are_last_either_way(office: Office) -> None:
    firm = Firm(office, [one(assignee=who) for who in (None, "me", "other", None, "me")])
    for sort in ("assignee", "-assignee"):
        check(firm, asking(None, sort), firm.tasks, limit=2, case_id=firm.cases[MINE])


def test_who_leaves_a_case_does_not_see_its_tasks_among_their_own(office: Office) -> None:
    firm = Firm(office, [one(), one(case=THEIRS, assignee="me"), one(case=THEIRS)])

    def mine() -> int:
        found = firm.ask(asking(view="mine"))
        assert found["counts"]["views"]["mine"]["total"] == len(found["data"])
        return len(found["data"])

    assert mine() == 2
    with firm.db.unit_of_work() as uow:
        theirs = (KnownCaseStaff.case_id == firm.cases[MINE], KnownCaseStaff.staff_id == firm.me)
        uow.session.execute(delete(KnownCaseStaff).where(*theirs))
    assert mine() == 1


def test_the_tasks_of_an_archived_case_leave_the_dashboard_and_stay_with_the_case(office: Office) -> None:
    firm = Firm(office, [one(), one(case=THEIRS)])
    facts = {"case_id": firm.cases[MINE], "case_type_id": new_id(), "status": "open", "state": "open",
             "responsible_staff_id": firm.me, "staff_ids": []}  # fmt: skip
    for version, archived, left in ((1, False, 2), (2, True, 1), (3, False, 2)):
        with firm.db.unit_of_work() as uow:
            known_cases.keep(uow, [{**facts, "version": version, "archived": archived}])
        found = firm.ask(asking())
        assert len(found["data"]) == found["counts"]["views"]["all"]["total"] == left
        assert len(firm.ask(asking(), case_id=firm.cases[MINE])["data"]) == 1


def test_nobody_of_the_staff_has_no_tasks_of_their_own(office: Office) -> None:
    task = office.assign()
    with use(Context(firm_id=office.firm_id, actor_id=office.staff_id, actor_kind="api_key")):
        found = office.service.list_case_tasks(**ListCaseTasks().load({"view": "mine"}))
        assert (found["data"], found["meta"]["total"]) == ([], 0)
        assert found["counts"]["views"]["all"]["total"] == 1
        in_case = office.service.list_case_tasks(**ListCaseTasks().load({"view": "mine", "case_id": task["case_id"]}))
        assert in_case["data"] == []


def test_another_firms_tasks_are_neither_listed_nor_counted(office: Office) -> None:
    firm = Firm(office, [one(), one(status="completed"), one(due_at=NOW)])
    firm.db = office.foreign_db
    for asked in (asking(), asking(view="mine"), asking(assignee="me"), asking("status"), asking(view="due_today")):
        found = firm.ask(asked)
        assert found["data"] == []
        assert {each["total"] for by in found["counts"].values() for each in by.values()} == {0}


def test_what_is_too_much_to_look_at_is_counted_as_far_as_it_goes(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "MOST_READ", 2)
    firm = Firm(office, [one(), one(), one(status="completed"), one(status="completed")])
    found = firm.ask(asking(template=0, status=["completed"]))
    assert found["meta"]["total"] == len(found["data"]) == 2
    assert found["counts"]["views"]["all"] == {"total": 3, "total_is_lower_bound": True}
    exact = firm.ask(asking())["counts"]["views"]
    assert exact["all"] == {"total": 4, "total_is_lower_bound": False}
    assert exact["mine"]["total_is_lower_bound"]


def test_a_slot_with_far_more_than_is_counted_is_not_counted_again_for_a_while(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "MOST_COUNTED", 2)
    monkeypatch.setattr(counting, "CROWD", 4)
    crowded, full, few = (
        [one(status="completed")] * 5,
        [one(due_at=NOW - dt.timedelta(days=1))] * 4,
        [one(status="skipped")] * 2,
    )
    firm = Firm(office, [*crowded, *full, *few])

    def slots(at: dt.datetime = NOW) -> tuple[int, int, int]:
        with firm.db.read() as session:
            counts, _ = counting.count_slots(
                session, Listing(clock=Clock(at), staff_id=None, **ListCaseTasks().load({}))
            )
        of = counts.by_slot
        return of[Slot("completed", "")], of[Slot("to_do", "overdue")], of[Slot("skipped", "")]

    def leave(*statuses: str) -> None:
        with firm.db.unit_of_work() as uow:
            uow.session.query(CaseTask).filter(CaseTask.status.in_(statuses)).update({"archived": True})

    assert slots() == (3, 3, 2)
    leave("completed", "to_do", "skipped")
    assert slots() == (3, 0, 0)
    # What is read by another moment has other tasks in its slots, and says nothing of those that come after it.
    assert slots(NOW - HOUR) == (0, 0, 0)
    assert slots() == (3, 0, 0)
    counting._crowded.clear()  # as when its time is over
    assert slots() == (0, 0, 0)


def test_the_more_people_there_are_the_less_of_each_is_counted(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_assignee, "MOST_COUNTED", 6)
    monkeypatch.setattr(by_assignee, "FEWEST", 1)
    firm = Firm(office, [one(assignee=who) for who in ("me", "me", "me", "other", "other", None, None, None, None)])
    found = {group["key"]: group for group in firm.ask(asking("assignee"))["groups"]}
    assert [found[who]["total"] for who in (firm.me, firm.other, None)] == [2, 2, 2]
    assert [found[who]["total_is_lower_bound"] for who in (firm.me, firm.other, None)] == [True, False, True]
    for enough in (len(firm.tasks), 12):
        monkeypatch.setattr(by_assignee, "MOST_COUNTED", enough)
        check(firm, asking("assignee"), firm.tasks)


def test_each_persons_group_is_exact_where_the_list_is(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_assignee, "MOST_COUNTED", 5)
    monkeypatch.setattr(by_assignee, "FEWEST", 1)
    firm = Firm(office, [one(assignee=who) for who in ("me", "me", "me", "me", "other")])
    check(firm, asking("assignee"), firm.tasks)


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ({"sort": "title"}, "sort", "sort_needs_case"),
        ({"sort": "position"}, "sort", "sort_needs_case"),
        ({"sort": "answer"}, "sort", "invalid_sort"),
        ({"group": "section"}, "group", "group_needs_case"),
        ({"group": "assignee", "status": ["to_do", "completed"]}, "status", "group_needs_case"),
        ({"group": "assignee", "sort": "-due_at"}, "sort", "sort_needs_case"),
        ({"group": "assignee", "cursor": "nobody.none"}, "cursor", "invalid_cursor"),
        ({"group": "assignee", "cursor": "somebody.none"}, "cursor", "invalid_cursor"),
        ({"group": "status", "sort": "created_at"}, "sort", "sort_needs_case"),
        ({"due_from": NOW, "due_to": NOW - DAY}, "due_from", "invalid_input"),
        ({"cursor": "none"}, "cursor", "invalid_cursor"),
        ({"cursor": "all.none", "sort": "due_at"}, "cursor", "invalid_cursor"),
    ],
)
def test_what_cannot_be_listed_is_refused_by_its_name(
    office: Office, query: dict[str, Any], field: str, code: str
) -> None:
    firm = Firm(office, [one()])
    with pytest.raises(Invalid, match=code) as refused:
        list_case_tasks(firm.db, None, NOW, **{**ListCaseTasks().load({}), **query})
    assert [entry["field"] for entry in refused.value.fields] == [field]


def test_a_cursor_is_good_for_its_own_list_only(office: Office) -> None:
    firm = Firm(office, [one(due_at=NOW + DAY) for _ in range(3)] + [one(status="completed", due_at=NOW)] * 2)
    case = {"case_id": firm.cases[MINE]}
    lists = [
        (asking(), {}), (asking(sort="due_at"), {}), (asking(sort="-due_at"), {}), (asking(sort="status"), {}),
        (asking(view="due_today"), {}), (asking(view="mine", sort="due_at"), {}), (asking("status"), {}),
        (asking("due"), {}), (asking("assignee"), {}), (asking(), case), (asking(sort="title"), case),
        (asking("section"), case),
    ]  # fmt: skip
    cursors = [firm.ask(asked, limit=1, **more)["meta"]["next_cursor"] for asked, more in lists]
    assert all(cursors)
    for at, (asked, more) in enumerate(lists):
        for of, cursor in enumerate(cursors):
            if at == of:
                assert firm.ask(asked, limit=1, cursor=cursor, **more)["data"]
            else:
                with pytest.raises(Invalid, match="invalid_cursor"):
                    firm.ask(asked, limit=1, cursor=cursor, **more)


def test_a_page_goes_on_where_the_last_one_ended_when_its_last_task_has_gone(office: Office) -> None:
    firm = Firm(office, [one(due_at=NOW + at * DAY, title=str(at)) for at in range(1, 5)])
    for asked, more in ((asking(sort="due_at"), {}), (asking(sort="title"), {"case_id": firm.cases[MINE]})):
        page = firm.ask(asked, limit=2, **more)
        with firm.db.unit_of_work() as uow:
            uow.session.execute(delete(CaseTask).where(CaseTask.id == page["data"][-1]["id"]))
        rest = firm.ask(asked, limit=1, cursor=page["meta"]["next_cursor"], **more)
        assert rest["data"][0]["title"] == ("3" if not more else "4")


@pytest.mark.parametrize(
    ("asked", "in_case"),
    [
        ({"group": "due"}, False),
        ({"group": "status"}, False),
        ({"sort": "status"}, False),
        ({"sort": "-status"}, False),
        ({"view": "due_today"}, False),
        ({"view": "due_today", "sort": "created_at"}, False),
        ({"view": "due_today", "group": "assignee"}, False),
        ({"group": "due"}, True),
        ({"sort": "status"}, True),
    ],
)
def test_who_crosses_an_edge_of_the_clock_between_two_pages_is_on_one_of_them(
    office: Office, asked: dict[str, Any], in_case: bool
) -> None:
    firm = Firm(office, [one(due_at=NOW + hours * HOUR) for hours in range(1, 7)])
    wanted = asking(asked.get("group"), sort=asked.get("sort"), view=asked.get("view", "all"))
    more = {"case_id": firm.cases[MINE]} if in_case else {}
    seen, cursor = [], None
    for page in range(3):
        # One of a page that was seen and one that was not have become overdue at each.
        found = firm.ask(wanted, limit=2, cursor=cursor, now=NOW + page * 3 * HOUR, **more)
        seen += [task["id"] for task in found["data"]]
        cursor = found["meta"]["next_cursor"]
    assert (sorted(seen), cursor) == (sorted(task["id"] for task in firm.tasks), None)


def test_a_page_is_read_by_the_moment_of_the_first_for_a_day_and_shows_each_task_as_it_is(office: Office) -> None:
    firm = Firm(office, [one(due_at=NOW + hours * HOUR) for hours in (1, 2, 23, 25)])
    first = firm.ask(asking("due"), limit=1)
    second = firm.ask(asking("due"), limit=1, cursor=first["meta"]["next_cursor"], now=NOW + 5 * HOUR)
    assert [group["key"] for group in second["groups"]] == ["due_today", "due_this_week"]
    assert second["data"][0]["status"] == "overdue"
    cursor = second["meta"]["next_cursor"]
    assert firm.ask(asking("due"), limit=1, cursor=cursor, now=NOW + DAY)["data"][0]["id"] == firm.tasks[2]["id"]
    late = firm.ask(asking("due"), limit=1, cursor=cursor, now=NOW + DAY + SECOND)
    assert [group["key"] for group in late["groups"]] == ["overdue", "due_today"]


@pytest.mark.parametrize("moment", ["", "x", "9" * 30, "-1", "1.5"])
def test_a_cursor_without_a_moment_is_none(office: Office, moment: str) -> None:
    firm = Firm(office, [one(due_at=NOW + HOUR), one(due_at=NOW + HOUR)])
    _, _, place = firm.ask(asking(sort="due_at"), limit=1)["meta"]["next_cursor"].partition("~")
    assert place
    with pytest.raises(Invalid, match="invalid_cursor"):
        firm.ask(asking(sort="due_at"), limit=1, cursor=f"{moment}~{place}")
