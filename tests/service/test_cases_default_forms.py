"""The forms that a type of case names, and what a new case says of them."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.columns import new_id
from contracts.cases import CASE_CHANGED, CASE_CREATED
from contracts.errors import Invalid, Unavailable
from contracts.tasks import GET_FORM_FACTS
from services.cases.models import Base
from tests.service.cases_office import Office, events, refusal


class Forms:
    """The firm's forms as tasks know them."""

    def __init__(self, office: Office) -> None:
        self.archived: dict[str, bool] = {}
        self.calls = office.calls
        office.calls.answers[GET_FORM_FACTS] = self._facts

    def make(self, *, archived: bool = False) -> str:
        form_id = new_id()
        self.archived[form_id] = archived
        return form_id

    def _facts(self, form_ids: list[str]) -> dict[str, Any]:
        known = [id_ for id_ in form_ids if id_ in self.archived]
        return {
            "forms": [{"form_id": id_, "title": "F", "version": 1, "archived": self.archived[id_]} for id_ in known]
        }


@pytest.fixture
def office(new_database: Any) -> Office:
    return Office(new_database(Base))


@pytest.fixture
def forms(office: Office) -> Forms:
    return Forms(office)


def named(office: Office, kind: str) -> list[list[str] | None]:
    """What the events of new cases of this type name."""
    return [event.get("default_form_ids") for event in events(office, CASE_CREATED) if event["case_type_id"] == kind]


def test_a_type_names_its_forms_in_order_and_a_new_case_says_them(office: Office, forms: Forms) -> None:
    ids = [forms.make() for _ in range(3)]
    kind = office.case_type(default_form_ids=ids)
    assert kind["default_form_ids"] == ids
    case = office.case(kind)
    with office.as_staff():
        office.service.update_case(case["id"], {"name": "Renamed"}, None)
    changed = office.service.update_case_type(kind["id"], {"default_form_ids": ids[:1]}, kind["version"])
    assert (changed["default_form_ids"], changed["version"]) == (ids[:1], 2)
    office.case(kind, new_client={"first_name": "Ann"})
    assert named(office, kind["id"]) == [ids, ids[:1]]
    assert "default_form_ids" not in events(office, CASE_CHANGED)[0]


def test_a_type_that_names_none_asks_nobody(office: Office) -> None:
    kind = office.case_type()
    office.case(kind)
    assert (kind["default_form_ids"], named(office, kind["id"])) == ([], [[]])
    assert office.calls.asked(GET_FORM_FACTS) == []


def test_forms_that_are_not_there_are_refused_with_their_place(office: Office, forms: Forms) -> None:
    good, gone = forms.make(), forms.make(archived=True)
    kind = office.case_type(default_form_ids=[good])
    for wanted, code, places in (
        ([good, new_id()], "form_not_found", ["default_form_ids.1"]),
        ([gone, good], "form_archived", ["default_form_ids.0"]),
        ([good, good], "invalid_input", ["default_form_ids.1"]),
    ):
        assert refusal(Invalid, office.case_type, name="Other", default_form_ids=wanted) == (code, places)
        update = office.service.update_case_type
        assert refusal(Invalid, update, kind["id"], {"default_form_ids": wanted}, None) == (code, places)
    assert office.service.get_case_type(kind["id"]) == kind


def test_a_form_that_was_archived_since_may_stay(office: Office, forms: Forms) -> None:
    old, new = forms.make(), forms.make()
    kind = office.case_type(default_form_ids=[old])
    forms.archived[old] = True
    changed = office.service.update_case_type(kind["id"], {"default_form_ids": [new, old]}, None)
    assert changed["default_form_ids"] == [new, old]


def test_while_tasks_cannot_say_nothing_is_changed(office: Office, forms: Forms) -> None:
    kind = office.case_type()

    def unavailable(form_ids: list[str]) -> Any:
        raise Unavailable("bus_unavailable")

    office.calls.answers[GET_FORM_FACTS] = unavailable
    with pytest.raises(Unavailable):
        office.service.update_case_type(kind["id"], {"default_form_ids": [new_id()]}, None)
    assert office.service.get_case_type(kind["id"]) == kind
