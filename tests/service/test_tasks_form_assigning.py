"""Forms on cases: in order, as they were, with what is known, to many at once, and taken away."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import select

from chassis.columns import new_id
from contracts.cases import GET_CASE_FACTS
from contracts.errors import Conflict, Invalid, NotFound, Unavailable
from contracts.tasks import TASK_COMPLETED, TASKS_ASSIGNED, TASKS_SKIPPED, Due
from services.tasks import answers, assigning, case_forms, form_assigning, forms, known_cases, sharing, templates
from services.tasks.form_assigning import LeftOut
from services.tasks.freezing import Frozen, freeze
from services.tasks.models import CaseForm, CaseTask, KnownCase, TaskFile
from tests.service.forms_desk import (
    assign,
    calendar,
    intake,
    listed,
    make,
    open_keys,
    section,
    statuses,
    task,
    tasks_of,
)
from tests.service.tasks_office import NOW, Office, a_case, database, office

__all__ = ["database", "office"]

END_OF_TODAY = dt.datetime(2026, 11, 22, 4, 59, 59, tzinfo=dt.UTC)
IN_A_WEEK = Due().load({"mode": "relative", "days": 7})


def answer(office: Office, case_task_id: str, given: Any) -> None:
    answers.submit_answer(
        office.db, office.calls, NOW, case_task_id=case_task_id, answer=given, client_id=None, link_id=None,
        calendar=calendar(office),
    )  # fmt: skip


def frozen_of(office: Office, *form_ids: str, templates: tuple[str, ...] = (), **given: Any) -> Frozen:
    with office.db.read() as session:
        return freeze(session, form_ids, templates, calendar=calendar(office), now=NOW, **given)


def add(office: Office, frozen: Frozen, case_ids: list[str], once: bool | str = True) -> form_assigning.Added:
    with office.db.unit_of_work() as uow:
        return form_assigning.add(uow, frozen, case_ids, once=once, now=NOW)


def case_forms_of(office: Office) -> list[tuple[str, str]]:
    with office.db.read() as session:
        return sorted((found.case_id, found.form_id) for found in session.scalars(select(CaseForm)))


def test_a_form_brings_its_tasks_in_order_and_hides_those_whose_condition_does_not_hold(office: Office) -> None:
    form, case_id = intake(office), office.cases.open()
    made = assign(office, form, case_id)
    found = tasks_of(office, made["id"])
    assert [(each.item_key, each.section, each.status) for each in found] == [
        ("phone", "About you", "to_do"),
        ("will", "About you", "to_do"),
        ("known", "The will", "skipped"),
        ("place", "The will", "skipped"),
    ]
    assert {each.case_id for each in found} == {case_id}
    assert open_keys(office, case_id) == ["phone", "will"]
    assert (made["form_id"], made["form_version"], made["title"]) == (form["id"], 1, "Intake")
    assert made["progress"] == {"done": 0, "total": 2}
    assert listed(office, case_id) == [made]
    assert office.emitted(TASKS_ASSIGNED) == [
        {
            "case_task_ids": [each.id for each in found],
            "case_ids": [case_id],
            "template_id": None,
            "form_id": form["id"],
            "case_form_id": made["id"],
        }
    ]


def test_what_the_form_says_goes_before_what_the_assignment_says(office: Office) -> None:
    other = new_id()
    office.staff[other] = True
    form = make(
        office,
        section(
            "A",
            task(office, "a", required=True, due={**IN_A_WEEK, "days": 0}, assignee_id=other),
            task(office, "b", template={"required": True}, required=False),
            task(office, "c", template={"required": True}),
        ),
    )
    made = assign(office, form, due=IN_A_WEEK, assignee_id=office.staff_id)
    in_a_week = END_OF_TODAY + dt.timedelta(days=7)
    assert [(each.required, each.due_at, each.assignee_id) for each in tasks_of(office, made["id"])] == [
        (True, END_OF_TODAY, other),
        (False, in_a_week, office.staff_id),
        (True, in_a_week, office.staff_id),
    ]


def test_dates_count_from_the_start_that_is_given(office: Office) -> None:
    form = make(office, section("A", task(office, "a", due=IN_A_WEEK)))
    made = assign(office, form, start=NOW + dt.timedelta(days=10))
    assert tasks_of(office, made["id"])[0].due_at == END_OF_TODAY + dt.timedelta(days=17)


def test_a_date_after_another_task_comes_with_its_time_or_when_it_is_finished(office: Office) -> None:
    after = {**IN_A_WEEK, "mode": "after_task", "days": 1, "task": "first"}
    form = make(
        office,
        section(
            "A",
            task(office, "last", due={**after, "task": "then", "from_": "due"}),
            task(office, "first", due=IN_A_WEEK),
            task(office, "then", due={**after, "from_": "due"}),
            task(office, "finished", due={**after, "from_": "finished"}),
        ),
    )
    in_a_week = END_OF_TODAY + dt.timedelta(days=7)
    one = dt.timedelta(days=1)
    made = assign(office, form)
    found = {each.item_key: each for each in tasks_of(office, made["id"])}
    assert {key: each.due_at for key, each in found.items()} == {
        "first": in_a_week, "then": in_a_week + one, "last": in_a_week + 2 * one, "finished": None
    }  # fmt: skip
    assert found["finished"].due_anchor_id == found["then"].due_anchor_id == found["first"].id
    answer(office, found["first"].id, "x")
    assert tasks_of(office, made["id"])[3].due_at == END_OF_TODAY + one
    known = assign(office, form, answers={"first": "x"})
    assert tasks_of(office, known["id"])[3].due_at == END_OF_TODAY + one, "known is finished at once"


def test_a_form_whose_tasks_another_task_follows_stays(office: Office) -> None:
    made = assign(office, intake(office))
    first = tasks_of(office, made["id"])[0]
    follows = {**IN_A_WEEK, "mode": "after_task", "case_task_id": first.id}
    office.assign(made["case_id"], due=follows)
    with pytest.raises(Conflict, match="form_depended_on"):
        case_forms.remove_case_form(office.db, made["id"])
    assert len(tasks_of(office, made["id"])) == 4


def test_a_case_keeps_the_form_and_the_templates_as_they_were(office: Office) -> None:
    form = intake(office)
    made = assign(office, form)
    before = [(each.title, each.condition, each.template_version) for each in tasks_of(office, made["id"])]
    template_id = form["sections"][1]["tasks"][1]["template_id"]
    templates.update_template(
        office.db, office.calls, NOW, task_template_id=template_id, changes={"title": "New"}, expected_version=None
    )
    forms.update_form(
        office.db, office.calls, NOW, form_id=form["id"], expected_version=None,
        changes={"title": "Changed", "sections": form["sections"][:1]},
    )  # fmt: skip
    assert [(each.title, each.condition, each.template_version) for each in tasks_of(office, made["id"])] == before
    assert listed(office, made["case_id"])[0]["title"] == "Intake"
    again = assign(office, form, made["case_id"])
    assert (again["form_version"], again["title"], again["progress"]["total"]) == (2, "Changed", 2)
    assert [entry["form_version"] for entry in listed(office, made["case_id"])] == [1, 2]


def test_answers_that_are_known_complete_their_tasks_and_show_what_they_call_for(office: Office) -> None:
    form = intake(office)
    made = assign(office, form, answers={"phone": "(212) 555-0123", "will": "yes", "known": None})
    assert statuses(office, made["id"]) == {
        "phone": "completed", "will": "completed", "known": "to_do", "place": "skipped"
    }  # fmt: skip
    assert made["progress"] == {"done": 2, "total": 3}
    phone = tasks_of(office, made["id"])[0]
    assert (phone.answer, phone.answered_by, phone.answer_version, phone.completed_at) == (
        "+12125550123", "staff", 1, NOW
    )  # fmt: skip
    completed = {event["case_task_id"]: event for event in office.emitted(TASK_COMPLETED)}
    assert completed[phone.id]["mapped"] == "client", "mapped as any other answer"
    assert len(completed) == 2


@pytest.mark.parametrize(
    ("known", "code", "places"),
    [
        ({"nobody": 1}, "unknown_task", ["answers.nobody"]),
        ({"will": "perhaps"}, "invalid_yes_no", ["answers.will"]),
        ({"will": "no", "known": "yes"}, "task_skipped", ["answers.known"]),
        ({"known": "yes"}, "task_skipped", ["answers.known"]),
        ({"known": "yes", "place": "Home"}, "task_skipped", ["answers.known", "answers.place"]),
        ({"nobody": 1, "phone": "12", "will": "yes"}, "answers_refused", ["answers.nobody", "answers.phone"]),
    ],
)
def test_known_answers_that_do_not_fit_are_refused_and_nothing_is_assigned(
    office: Office, known: dict[str, Any], code: str, places: list[str]
) -> None:
    form, case_id = intake(office), office.cases.open()
    with pytest.raises(Invalid) as refused:
        assign(office, form, case_id, answers=known)
    assert (refused.value.code, [entry["field"] for entry in refused.value.fields]) == (code, places)
    assert (listed(office, case_id), tasks_of(office), office.emitted(TASKS_ASSIGNED)) == ([], [], [])


def test_a_file_or_a_signature_is_given_on_the_task_itself(office: Office) -> None:
    form = make(office, section("A", *(task(office, kind, template={"kind": kind}) for kind in ("signature", "phone"))))
    signed = {"name": "Ann Lee", "agreed": True}
    with pytest.raises(Invalid) as refused:
        assign(office, form, answers={"signature": signed})
    assert (refused.value.code, refused.value.fields[0]["field"]) == ("answered_on_the_task", "answers.signature")


def test_what_cannot_be_assigned(office: Office) -> None:
    form, empty = intake(office), make(office, section("Nothing yet"))
    with pytest.raises(NotFound, match="case_not_found"):
        assign(office, form, new_id())
    with pytest.raises(NotFound, match="form_not_found"):
        assign(office, {"id": new_id()})
    with pytest.raises(Invalid, match="form_empty"):
        assign(office, empty)
    with pytest.raises(Invalid, match="unknown_staff"):
        assign(office, form, assignee_id=new_id())
    with pytest.raises(Invalid, match="incomplete_due_rule"):
        assign(office, form, due={**IN_A_WEEK, "days": None})
    for start in (dt.datetime(1, 1, 1, tzinfo=dt.UTC), dt.datetime(9999, 12, 31, 23, tzinfo=dt.UTC)):
        with pytest.raises(Invalid, match="start_too_far"):
            assign(office, form, start=start)
    with pytest.raises(Invalid, match="due_needs_one_case"):
        assign(office, form, due={**IN_A_WEEK, "mode": "after_task", "task": "will"})
    with pytest.raises(Unavailable, match="calendar_unavailable"):
        case_forms.assign_form(
            office.db, office.calls, NOW, case_id=office.cases.open(), form_id=form["id"], answers={}, due=None,
            assignee_id=None, start=None, calendar=None,
        )  # fmt: skip
    forms.update_form(
        office.db, office.calls, NOW, form_id=form["id"], changes={"archived": True}, expected_version=None
    )
    with pytest.raises(Conflict, match="form_archived"):
        assign(office, form)
    assert tasks_of(office) == []


@pytest.mark.parametrize("state", ["archived", "pending"])
def test_a_case_that_is_archived_or_pending_gets_nothing(office: Office, state: str) -> None:
    case_id, form, template_id = office.cases.open(), intake(office), office.template()
    told = office.calls.answers[GET_CASE_FACTS]
    office.calls.answers[GET_CASE_FACTS] = lambda case_ids: {
        "cases": [{**case, "state": state} for case in told(case_ids)["cases"]]
    }
    with pytest.raises(Conflict, match=f"case_{state}"):
        assign(office, form, case_id)
    with pytest.raises(Conflict, match=f"case_{state}"):
        office.assign(case_id, template_id)


def test_a_form_with_an_archived_template_goes_on_and_the_template_alone_does_not(office: Office) -> None:
    template_id = office.template(kind="short_text")
    form = make(office, section("A", task(office, "a", template_id=template_id)))
    templates.update_template(
        office.db, office.calls, NOW, task_template_id=template_id, changes={"archived": True}, expected_version=None
    )
    assert assign(office, form)["progress"]["total"] == 1
    with pytest.raises(Conflict, match="template_archived"):
        office.assign(template_id=template_id)
    with pytest.raises(Conflict, match="template_archived"):
        frozen_of(office, templates=(template_id,))
    with pytest.raises(Conflict, match="template_archived"):
        office.service.bulk_assign(
            selector={"case_ids": list(office.cases.clients)}, template_ids=[template_id], due=None
        )


def test_many_cases_get_forms_and_templates_once(office: Office) -> None:
    form, template_id = intake(office), office.template()
    cases = [office.cases.open() for _ in range(3)]
    frozen = frozen_of(office, form["id"], templates=(template_id,))
    assert (frozen.tasks_per_case, frozen.ids) == (5, [form["id"], template_id])
    added = add(office, frozen, cases)
    assert (added.added, len(added.case_forms), added.left_out) == (15, 3, [])
    assert case_forms_of(office) == sorted((case_id, form["id"]) for case_id in cases)
    another = office.cases.open()
    again = add(office, frozen, [*cases, another])
    assert (again.added, len(again.case_forms)) == (5, 1)
    assert sorted(again.left_out) == sorted(
        LeftOut(case_id, what_id, "already_assigned") for case_id in cases for what_id in (form["id"], template_id)
    )
    assert len(tasks_of(office)) == 20


def test_a_case_that_got_archived_meanwhile_gets_its_tasks_as_archived_ones(office: Office) -> None:
    case_id, open_id = office.cases.open(), office.cases.open()
    with office.db.unit_of_work() as uow:
        known_cases.keep(uow, [{**a_case(case_id), "version": 2, "archived": True}])
    add(office, frozen_of(office, intake(office)["id"], templates=(office.template(),)), [case_id, open_id])
    assert {(each.case_id, each.archived) for each in tasks_of(office)} == {(case_id, True), (open_id, False)}
    with office.db.read() as session:
        linked = dict(session.execute(select(KnownCase.case_id, KnownCase.linked)).all())
    assert linked == {case_id: True, open_id: True}, "answers settle what follows from them"


def test_what_came_by_hand_is_there_already_but_a_forms_task_is_not_its_template(office: Office) -> None:
    template_id = office.template(kind="short_text")
    form = make(office, section("A", task(office, "a", template_id=template_id)))
    case_id = assign(office, form)["case_id"]
    added = add(office, frozen_of(office, form["id"], templates=(template_id,)), [case_id])
    assert (added.added, added.left_out) == (1, [LeftOut(case_id, form["id"], "already_assigned")])


def test_a_faster_rival_is_left_out_by_the_constraint(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    form, template_id, case_id = intake(office), office.template(), office.cases.open()
    frozen = frozen_of(office, form["id"], templates=(template_id,))
    add(office, frozen, [case_id])
    monkeypatch.setattr(form_assigning, "already_there", lambda *_: set())
    added = add(office, frozen, [case_id])
    assert (added.added, added.case_forms, len(added.left_out)) == (0, [], 2)
    assert len(tasks_of(office)) == 5


def test_the_work_of_an_id_adds_once_and_another_again(office: Office) -> None:
    first, second = intake(office), make(office, section("A", task(office, "a")))
    case_id, run = office.cases.open(), new_id()
    frozen = frozen_of(office, first["id"], second["id"], templates=(office.template(),))
    assert add(office, frozen, [case_id], once=run).added == 6
    assert add(office, frozen, [case_id], once=run).added == 0
    assert add(office, frozen, [case_id], once=new_id()).added == 6


def test_what_is_frozen_can_be_kept_and_stays_what_it_is(office: Office) -> None:
    form = intake(office)
    frozen = frozen_of(office, form["id"], templates=(office.template(),), due=IN_A_WEEK, answers={"will": True})
    kept = Frozen.of_json(frozen.to_json())
    assert kept == frozen
    assert {row["due_at"] for row in kept.templates} == {END_OF_TODAY + dt.timedelta(days=7)}
    forms.update_form(
        office.db, office.calls, NOW, form_id=form["id"], changes={"archived": True}, expected_version=None
    )
    assert add(office, kept, [office.cases.open()]).added == 5


def test_events_name_at_most_500_tasks_of_one_form_or_template(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(form_assigning, "EVENT_SIZE", 4)
    form, template_id = intake(office), office.template()
    cases = sorted(office.cases.open() for _ in range(2))
    add(office, frozen_of(office, form["id"], templates=(template_id,)), cases)
    told = office.emitted(TASKS_ASSIGNED)
    assert [(event["form_id"], event["template_id"], event["case_ids"]) for event in told] == [
        (form["id"], None, cases[:1]),
        (form["id"], None, cases[1:]),
        (None, template_id, cases),
    ]
    assert sorted(id_ for event in told for id_ in event["case_task_ids"]) == sorted(
        each.id for each in tasks_of(office)
    )


def test_a_form_nobody_has_begun_can_be_taken_away(office: Office) -> None:
    form, case_id = intake(office), office.cases.open()
    stays = assign(office, form, case_id)
    made = assign(office, form, case_id)
    moved = tasks_of(office, made["id"])[0]
    assigning.update_case_task(
        office.db, office.calls, NOW, case_task_id=moved.id, changes={"due": IN_A_WEEK}, expected_version=None
    )
    ids = [each.id for each in tasks_of(office, made["id"])]
    assert case_forms.remove_case_form(office.db, made["id"]) == {}
    (gone,) = office.emitted(TASKS_SKIPPED)
    assert (gone["case_id"], sorted(gone["case_task_ids"])) == (case_id, sorted(ids)), "nobody is asked for them"
    assert [entry["id"] for entry in listed(office, case_id)] == [stays["id"]]
    assert len(tasks_of(office)) == 4
    with pytest.raises(NotFound, match="case_form_not_found"):
        case_forms.remove_case_form(office.db, made["id"])
    with pytest.raises(NotFound, match="case_form_not_found"):
        case_forms.remove_case_form(office.foreign_db, stays["id"])


def test_a_form_of_an_archived_case_stays(office: Office) -> None:
    made = assign(office, intake(office))
    with office.db.unit_of_work() as uow:
        known_cases.keep(uow, [{**a_case(made["case_id"]), "version": 2, "archived": True}])
    with pytest.raises(Conflict, match="case_archived"):
        case_forms.remove_case_form(office.db, made["id"])
    assert len(tasks_of(office, made["id"])) == 4


@pytest.mark.parametrize("how", ["answered", "reopened", "started", "notified", "shared", "uploaded"])
def test_a_form_that_was_begun_stays(office: Office, how: str) -> None:
    made = assign(office, intake(office))
    first = tasks_of(office, made["id"])[0]
    if how in ("answered", "reopened"):
        answer(office, first.id, "")
    if how == "reopened":
        answers.reopen_case_task(office.db, NOW, case_task_id=first.id, reason="x", calendar=calendar(office))
    if how == "started":
        assigning.update_case_task(
            office.db, office.calls, NOW, case_task_id=first.id, changes={"status": "in_progress"},
            expected_version=None, firm=calendar(office),
        )  # fmt: skip
    if how == "notified":
        with office.db.unit_of_work() as uow:
            uow.update_each(CaseTask, [{"id": first.id, "notified_at": NOW}])
    if how == "uploaded":
        about = {"filename": "a.pdf", "content_type": "application/pdf", "size": 1, "sha256": "0" * 64}
        with office.db.unit_of_work() as uow:
            uow.insert(TaskFile, [{"case_task_id": first.id, **about}])
    if how == "shared":
        sharing.record_sharing(office.db, NOW, case_task_id=first.id, channel="copy", message_id=None, link_id=new_id())
    with pytest.raises(Conflict, match="form_begun"):
        case_forms.remove_case_form(office.db, made["id"])
    assert len(tasks_of(office, made["id"])) == 4


def test_a_condition_that_no_longer_fits_its_question_hides_nothing(office: Office) -> None:
    form = make(
        office,
        section("A", task(office, "a", template={"kind": "number"})),
        section("B", task(office, "b"), condition={"field": "answers.a", "op": "gt", "value": 3}),
    )
    template_id = form["sections"][0]["tasks"][0]["template_id"]
    with office.db.unit_of_work() as uow:
        # As it could be changed before such a change was refused.
        templates.load_template(uow.session, template_id).kind = "yes_no"
    assert statuses(office, assign(office, form)["id"]) == {"a": "to_do", "b": "to_do"}


def test_forms_of_another_firms_case_are_not_found(office: Office) -> None:
    made = assign(office, intake(office))
    page = {"limit": 50, "cursor": None, "sort": None}
    found = case_forms.list_case_forms(office.foreign_db, office.calls, case_id=made["case_id"], **page)
    assert found["data"] == []
    with pytest.raises(NotFound, match="case_not_found"):
        case_forms.list_case_forms(office.db, office.calls, case_id=new_id(), **page)


def test_two_forms_of_one_moment_are_seen_one_after_the_other(office: Office) -> None:
    form = make(office, section("A", task(office, "a"), task(office, "b")), section("B", task(office, "c")))
    case_id = office.cases.open()
    assign(office, form, case_id)
    assign(office, form, case_id)
    assert open_keys(office, case_id) == ["a", "b", "c", "a", "b", "c"]
