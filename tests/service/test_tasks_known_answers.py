"""What is known already of what a form asks: kept as wanted, and told for the client's page without being an answer."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import select

from chassis.columns import new_id
from chassis.testing import outbox_events
from contracts import cases, clients
from contracts.errors import DeadlineExceeded, Unavailable
from contracts.tasks import GET_KNOWN_ANSWERS
from services.tasks import answers, forms, known_answers, sealing_up, templates, views
from services.tasks.models import FormVersion
from tests.service import forms_desk
from tests.service import test_tasks_drafts as answering
from tests.service.forms_desk import section
from tests.service.tasks_office import NOW, Office, database, office

__all__ = ["database", "office"]

PHONE = {"kind": "phone", "mapping": {"target": "client", "field": "phone"}}
TEXT = {"kind": "short_text"}
ON_RECORD = {"first_name": "Ann", "last_name": None, "phone": "+12125550123", "email": "ann@example.com"}


class Asked:
    """A form on a case whose client is on record, each question of it with `prefill`."""

    def __init__(self, office: Office, questions: dict[str, dict[str, Any]], case_id: str | None = None) -> None:
        self.office = office
        self.case_id = case_id or office.cases.open()
        self.client_id = office.cases.clients[self.case_id][0]
        office.on_record.setdefault(self.client_id, dict(ON_RECORD))
        tasks = [forms_desk.task(office, key, template=facts, prefill=True) for key, facts in questions.items()]
        self.template_ids = {task["key"]: task["template_id"] for task in tasks}
        self.form = forms_desk.make(office, section("All", *tasks))
        self.ids = self.assigned()

    def assigned(self) -> dict[str, str]:
        """The form on the case once more: the ids of its tasks, by key."""
        case_form = forms_desk.assign(self.office, self.form, self.case_id)
        return {str(task.item_key): task.id for task in forms_desk.tasks_of(self.office, case_form["id"])}

    def known(self, ids: dict[str, str] | None = None, client_id: str | None = None) -> dict[str, Any]:
        """By key."""
        asked = ids or self.ids
        found = known_answers.get_known_answers(
            self.office.db, self.office.calls, case_task_ids=list(asked.values()), client_id=client_id or self.client_id
        )
        assert GET_KNOWN_ANSWERS.response().validate(GET_KNOWN_ANSWERS.response().dump(found)) == {}
        keys = {id_: key for key, id_ in asked.items()}
        return {keys[entry["case_task_id"]]: entry["value"] for entry in found["answers"]}


def send(office: Office, task_id: str, answer: Any, client_id: str | None = None) -> None:
    answering.send(office, task_id, answer, client_id, calendar=forms_desk.calendar(office))


def of_case(office: Office, asked: Asked, **values: Any) -> None:
    office.cases.told[asked.case_id] = {"custom_fields": values}


def mapped(office: Office, field: str, kind: str, **facts: Any) -> dict[str, Any]:
    """A question of a kind that is mapped to a field of cases."""
    office.cases.custom_fields[field] = kind
    return {"kind": kind, "mapping": {"target": "case", "field": field}, **facts}


# Kept as wanted


def test_a_case_task_keeps_whether_its_form_wanted_it(office: Office) -> None:
    wanted = forms_desk.task(office, "phone", template=PHONE, prefill=True)
    form = forms_desk.make(office, section("All", wanted, forms_desk.task(office, "street")))
    assert [task["prefill"] for task in form["sections"][0]["tasks"]] == [True, False]
    case_form = forms_desk.assign(office, form)
    changes = {"sections": [section("All", {**wanted, "prefill": False})]}
    changed = forms.update_form(
        office.db, office.calls, NOW, form_id=form["id"], changes=changes, expected_version=None
    )
    assert (changed["version"], changed["sections"][0]["tasks"][0]["prefill"]) == (2, False)
    assert forms.get_form(office.db, form["id"], version=1)["sections"][0]["tasks"][0]["prefill"] is True
    shown = [views.get_case_task(office.db, NOW, task.id) for task in forms_desk.tasks_of(office, case_form["id"])]
    assert [task["prefill"] for task in shown] == [True, False]
    assert office.assign()["prefill"] is False


def test_a_form_that_was_kept_before_there_was_prefill_is_the_same_as_one_without_it(office: Office) -> None:
    form = forms_desk.make(office, section("All", forms_desk.task(office, "street", prefill=False)))
    with office.db.read() as session:
        content = session.scalars(select(FormVersion.content).where(FormVersion.form_id == form["id"])).one()
    assert "prefill" not in content["sections"][0]["tasks"][0]
    changes = {"sections": form["sections"]}
    same = forms.update_form(office.db, office.calls, NOW, form_id=form["id"], changes=changes, expected_version=None)
    assert (same["version"], same["sections"][0]["tasks"][0]["prefill"]) == (1, False)


# From the record


def test_what_the_client_has_on_record_is_known_and_is_no_answer(office: Office) -> None:
    asked = Asked(
        office,
        {
            "phone": PHONE,
            "email": {"kind": "email", "mapping": {"target": "client", "field": "email"}},
            "first": {**TEXT, "mapping": {"target": "client", "field": "first_name"}},
            "last": {**TEXT, "mapping": {"target": "client", "field": "last_name"}},
        },
    )
    before = [views.get_case_task(office.db, NOW, id_) for id_ in asked.ids.values()]
    told = len(outbox_events(office.everywhere))
    assert asked.known() == {"phone": "+12125550123", "email": "ann@example.com", "first": "Ann"}
    assert office.calls.asked(clients.GET_RECIPIENTS) == [{"client_ids": [asked.client_id]}]
    after = [views.get_case_task(office.db, NOW, id_) for id_ in asked.ids.values()]
    assert after == before
    assert [(task["status"], task["answer"], task["draft"]) for task in after] == [("to_do", None, None)] * 4
    assert len(outbox_events(office.everywhere)) == told


@pytest.mark.parametrize(
    ("kind", "on_record", "value", "facts"),
    [
        ("number", 1500.5, "1500.5", {}),
        ("number", "1250.00", "1250.00", {}),
        ("date", "2026-04-30", "2026-04-30", {}),
        ("yes_no", False, False, {}),
        ("one_choice", "Kings", "Kings", {"options": ["Kings", "Queens"]}),
        ("one_choice", "Bronx", None, {"options": ["Kings", "Queens"]}),
        ("several_choices", ["Queens", "Bronx"], ["Queens"], {"options": ["Kings", "Queens"]}),
        ("several_choices", ["Bronx"], None, {"options": ["Kings", "Queens"]}),
        ("several_choices", ["Queens", "Bronx"], None, {"options": ["Kings", "Queens"], "checks": {"min_choices": 2}}),
        ("short_text", "Room 4\nFloor 2", "Room 4 Floor 2", {}),
        ("short_text", "x" * 501, None, {}),
        ("acknowledgement", True, None, {}),
    ],
)
def test_what_the_case_has_on_record_must_fit_the_question(
    office: Office, kind: str, on_record: Any, value: Any, facts: dict[str, Any]
) -> None:
    asked = Asked(office, {"court": mapped(office, "court", kind, **facts)})
    of_case(office, asked, court=on_record)
    assert asked.known() == ({} if value is None else {"court": value})


def test_clients_and_cases_are_asked_once_for_a_whole_page(office: Office) -> None:
    court = mapped(office, "court", "short_text")
    asked = Asked(office, {"phone": PHONE, "court": court})
    of_case(office, asked, court="Kings")
    other = Asked(office, {"phone": PHONE, "court": court, "plain": TEXT})
    of_case(office, other, court="Queens")
    office.calls.calls.clear()
    both = {f"1 {key}": id_ for key, id_ in asked.ids.items()} | {f"2 {key}": id_ for key, id_ in other.ids.items()}
    phone = "+12125550123"
    assert asked.known(both) == {"1 phone": phone, "1 court": "Kings", "2 phone": phone, "2 court": "Queens"}
    assert office.calls.asked(clients.GET_RECIPIENTS) == [{"client_ids": [asked.client_id]}]
    assert office.calls.asked(cases.GET_CASE_FACTS) == [{"case_ids": sorted([asked.case_id, other.case_id])}]
    office.calls.calls.clear()
    assert other.known({"plain": other.ids["plain"]}) == {}
    assert office.calls.calls == [], "nobody is asked where nothing is mapped"


@pytest.mark.parametrize("error", [Unavailable("bus_unavailable"), DeadlineExceeded("deadline_exceeded")])
def test_who_cannot_be_asked_leaves_its_questions_blank_and_no_others(office: Office, error: Exception) -> None:
    asked = Asked(office, {"phone": PHONE, "court": mapped(office, "court", "short_text"), "plain": TEXT})
    of_case(office, asked, court="Kings")
    for key, answer in (("phone", "+12125550199"), ("court", "Bronx"), ("plain", "Blue")):
        send(office, asked.ids[key], answer, asked.client_id)
    again = asked.assigned()

    def away(**_: Any) -> Any:
        raise error

    office.calls.answers[clients.GET_RECIPIENTS] = away
    assert asked.known(again) == {"court": "Kings", "plain": "Blue"}, "an old answer may be out of date"
    office.calls.answers[cases.GET_CASE_FACTS] = away
    assert asked.known(again) == {"plain": "Blue"}


def test_a_mapping_is_of_the_question_that_the_template_asks_now(office: Office) -> None:
    asked = Asked(office, {"number": {"kind": "number"}})
    changes = {"kind": "phone", "mapping": PHONE["mapping"]}
    templates.update_template(
        office.db, office.calls, NOW, task_template_id=asked.template_ids["number"], changes=changes,
        expected_version=None,
    )  # fmt: skip
    assert asked.known() == {}


# From earlier answers


def test_where_nothing_is_on_record_the_newest_answer_to_the_question_on_the_case_is_known(office: Office) -> None:
    asked = Asked(office, {"plain": TEXT, "phone": PHONE})
    me, other = asked.client_id, new_id()
    office.on_record[me]["phone"] = None
    send(office, asked.ids["plain"], "Blue", me)
    send(office, asked.ids["phone"], "+12125550199", me)
    assert asked.known() == {}, "what is answered is not asked"
    again = asked.assigned()
    assert asked.known(again) == {"plain": "Blue", "phone": "+12125550199"}
    assert asked.known(again, client_id=other) == {}, "another client's answer is nobody else's business"
    send(office, again["plain"], "Red")
    third = asked.assigned()
    assert asked.known(third, client_id=other) == {"plain": "Red"}, "staff gave it in nobody's name"
    move_answer(office, again["plain"], NOW - dt.timedelta(days=1))
    assert asked.known(third)["plain"] == "Blue"
    send(office, third["plain"], "", me)
    assert "plain" not in asked.known(asked.assigned()), "left blank the last time"
    elsewhere = Asked(office, {"plain": TEXT})
    assert elsewhere.known(client_id=me) == {}, "of another case"


def move_answer(office: Office, task_id: str, at: dt.datetime) -> None:
    with office.db.unit_of_work() as uow:
        views.load_case_task(uow.session, task_id, lock=True).completed_at = at


def test_an_earlier_answer_of_another_kind_is_none(office: Office) -> None:
    asked = Asked(office, {"plain": {"kind": "number"}})
    send(office, asked.ids["plain"], "42", asked.client_id)
    templates.update_template(
        office.db, office.calls, NOW, task_template_id=asked.template_ids["plain"], changes=TEXT, expected_version=None
    )
    assert asked.known(asked.assigned()) == {}


# Never


def test_nothing_is_filled_in_over_what_is_there_nor_where_nobody_wants_it(office: Office) -> None:
    questions = dict.fromkeys(("begun", "answered", "emptied", "open"), PHONE)
    asked = Asked(office, questions)
    me = asked.client_id
    answering.save(office, asked.ids["begun"], "", me)
    send(office, asked.ids["answered"], "+12125550199", me)
    send(office, asked.ids["emptied"], "", me)
    calendar = forms_desk.calendar(office)
    answers.reopen_case_task(office.db, NOW, case_task_id=asked.ids["emptied"], reason="Sure?", calendar=calendar)
    assert list(asked.known()) == ["open"]
    unwanted = office.assign(asked.case_id, asked.template_ids["open"])["id"]
    assert asked.known({"unwanted": unwanted}) == {}
    found = known_answers.get_known_answers(
        office.foreign_db, office.calls, case_task_ids=list(asked.ids.values()), client_id=me
    )
    assert found == {"answers": []}


def test_nothing_of_a_sensitive_question_is_told(office: Office) -> None:
    asked = Asked(office, {"phone": PHONE, "plain": TEXT})
    send(office, asked.ids["plain"], "Blue", asked.client_id)
    again = asked.assigned()
    assert set(asked.known(again)) == {"phone", "plain"}

    def mark(sensitive: bool) -> None:
        for template_id in asked.template_ids.values():
            templates.update_template(
                office.db, office.calls, NOW, task_template_id=template_id, changes={"sensitive": sensitive},
                expected_version=None,
            )  # fmt: skip

    mark(True)
    assert asked.known(again) == {}
    while sealing_up.keep_as_defined(office.everywhere, office.calls, NOW + dt.timedelta(hours=1)):
        pass
    mark(False)
    assert set(asked.known(again)) == {"phone"}, "the earlier answer to the other question is sealed still"


def test_files_signatures_and_acknowledgements_are_never_known(office: Office) -> None:
    asked = Asked(office, {"read": {"kind": "acknowledgement"}})
    send(office, asked.ids["read"], True, asked.client_id)
    assert asked.known(asked.assigned()) == {}
