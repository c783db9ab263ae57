"""Whatever form is accepted can be assigned, and whatever is assigned can be completed to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from chassis.context import use
from chassis.database import Database
from chassis.files import FolderFiles
from contracts.errors import Invalid
from contracts.tasks import Due
from services.tasks import answers, views
from services.tasks.models import Base
from tests.examples import examples
from tests.service.forms_desk import assign, calendar, listed, make, section, task, tasks_of
from tests.service.tasks_office import NOW, Office

KEYS = [f"k{number}" for number in range(6)]


@pytest.fixture
def office(emptied_sqlite: Callable[[Any], Database], tmp_path: Path) -> Iterator[Office]:
    office = Office(emptied_sqlite(Base), FolderFiles(tmp_path))
    with use(office.context):
        yield office


def conditions(keys: list[str]) -> st.SearchStrategy[Any]:
    """On any task of the form, also on one that may not be looked at."""
    one = st.builds(
        lambda key, op, value: {
            "field": f"answers.{key}",
            "op": op,
            **({"value": value} if op in ("eq", "ne") else {}),
        },
        st.sampled_from(keys),
        st.sampled_from(["eq", "ne", "is_empty", "is_not_empty"]),
        st.booleans(),
    )
    some = st.lists(one, min_size=1, max_size=2)
    return st.none() | one | some.map(lambda parts: {"or": parts}) | some.map(lambda parts: {"not": {"and": parts}})


def dues(keys: list[str]) -> st.SearchStrategy[Any]:
    """After any task of the form, also in a circle."""
    after = st.builds(
        lambda key, days: Due().load({"mode": "after_task", "days": days, "task": key}),
        st.sampled_from(keys),
        st.integers(0, 5),
    )
    return st.none() | after


def shapes() -> st.SearchStrategy[list[Any]]:
    """Of a form's tasks. Most look at earlier ones, and follow those; some at whatever there is."""

    def one(index: int) -> st.SearchStrategy[Any]:
        earlier = KEYS[:index]
        looks = conditions(earlier) | conditions(earlier) | conditions(KEYS) if earlier else st.none()
        follows = dues(earlier) | dues(earlier) | dues(KEYS) if earlier else st.none()
        return st.fixed_dictionaries({"required": st.booleans(), "condition": looks, "due": follows})

    return st.integers(1, len(KEYS)).flatmap(lambda count: st.tuples(*map(one, range(count))).map(list))


@settings(max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data(), shapes(), st.integers(1, len(KEYS)), conditions(KEYS[:1]))
def test_every_form_ends(office: Office, data: st.DataObject, asked: list[Any], first: int, second: Any) -> None:
    template_id = office.template(kind="yes_no")
    tasks = [task(office, key, template_id=template_id, **shape) for key, shape in zip(KEYS, asked, strict=False)]
    parts = [section("A", *tasks[:first]), section("B", *tasks[first:], condition=second)]
    try:
        form = make(office, *parts)
    except Invalid as refused:
        event(f"refused: {refused.code}")
        return
    made = assign(office, form)
    case_id = made["case_id"]
    for _ in range(4 * len(KEYS)):
        still_open = views.list_open_tasks(office.db, NOW, [case_id])["case_tasks"]
        if not still_open:
            break
        chosen = data.draw(st.sampled_from(still_open))
        given_answer = data.draw(st.booleans() if chosen["required"] else st.none() | st.booleans())
        answers.submit_answer(
            office.db, office.calls, NOW, case_task_id=chosen["id"], answer=given_answer, client_id=None, link_id=None,
            calendar=calendar(office),
        )  # fmt: skip
    statuses = [found.status for found in tasks_of(office, made["id"])]
    assert set(statuses) <= {"completed", "skipped"}
    (ended,) = listed(office, case_id)
    assert ended["progress"] == {"done": statuses.count("completed"), "total": statuses.count("completed")}
