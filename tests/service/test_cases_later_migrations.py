"""What the later migrations of cases make of the rows there."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from chassis.columns import new_id
from tests.service.old_rows import (
    NOW,
    OldDatabase,
    check_imports_asked_again,
    old,
    versions_postgresql,
    versions_sqlite,
)

__all__ = ["old", "versions_postgresql", "versions_sqlite"]

Old = Callable[[str, str], OldDatabase]


def test_the_series_there_is_the_firms_and_types_go_on_with_it(old: Old) -> None:
    database = old("cases", "0005")
    firm_id, kind_id = new_id(), new_id()
    database.put("case_type", firm_id=firm_id, id=kind_id, name="Probate")
    database.put("number_series", firm_id=firm_id, last=41)
    before = sorted(database.columns("case_type"))
    kept = database.rows("case_type", *before)
    database.to("0006")
    assert database.rows("number_series", "firm_id", "key", "last") == [(firm_id, "", 41)]
    columns = ("number_prefix", "number_digits", "number_yearly", "archived")
    assert database.rows("case_type", "id", *columns) == [(kind_id, None, 6, False, False)]
    # A second series of the firm is another row.
    database.put("number_series", firm_id=firm_id, key="PR-", last=7)
    database.back_to("0005")
    assert database.rows("number_series", "firm_id", "last") == [(firm_id, 41)]
    assert sorted(database.columns("case_type")) == before
    assert database.rows("case_type", *before) == kept


def test_key_dates_there_are_found_by_their_labels(old: Old) -> None:
    database = old("cases", "0012")
    firm_id = new_id()
    database.put("case_type", firm_id=firm_id, id=(kind_id := new_id()), name="Probate")
    database.put("case_status", firm_id=firm_id, case_type_id=kind_id, name="New")
    database.put("cases", firm_id=firm_id, id=(case_id := new_id()), case_type_id=kind_id, status="New")
    for number, label in enumerate((" HEARING", "Straße")):
        database.put("case_key_date", firm_id=firm_id, case_id=case_id, id=new_id(), label=label, position=number)
    database.to("0013")
    assert database.rows("case_key_date", "label", "label_folded") == [(" HEARING", "hearing"), ("Straße", "strasse")]
    database.put("case_status_former", firm_id=firm_id, case_type_id=kind_id, name="Old", status="New")
    database.back_to("0012")
    assert database.rows("case_key_date", "label") == [(" HEARING",), ("Straße",)]


def test_values_there_of_sensitive_fields_are_waiting_to_be_sealed(old: Old) -> None:
    database = old("cases", "0009")
    firm_id, kind_id = new_id(), new_id()
    database.put("case_type", firm_id=firm_id, id=kind_id, name="Probate")
    for key, sensitive in (("notes", False), ("diagnosis", True)):
        database.put("custom_field", firm_id=firm_id, case_type_id=kind_id, key=key, type="text", sensitive=sensitive)
    database.to("0010")
    assert database.rows("custom_field", "key", "resealing") == [("diagnosis", True), ("notes", False)]
    database.back_to("0009")
    assert database.rows("custom_field", "key", "sensitive") == [("diagnosis", True), ("notes", False)]


def test_imports_there_that_go_on_are_asked_for_again(old: Old) -> None:
    check_imports_asked_again(old("cases", "0013"), "0014")


def test_imports_there_are_everybodys(old: Old) -> None:
    database = old("cases", "0014")
    database.put("file_import", firm_id=new_id(), id=new_id(), state="running")
    columns = sorted(database.columns("file_import"))
    kept = database.rows("file_import", *columns)
    database.to("0015")
    assert database.rows("file_import", *columns, "sees_only") == [(*row, None) for row in kept]
    database.back_to("0014")
    assert database.rows("file_import", *columns) == kept


def test_types_there_of_one_name_stay_as_they_are(old: Old) -> None:
    database = old("cases", "0016")
    firm_id, other_id = new_id(), new_id()
    for age, (whose, name) in enumerate(
        [(firm_id, "Divorce"), (firm_id, "divorce "), (firm_id, "Probate"), (other_id, "DIVORCE")]
    ):
        made = NOW + dt.timedelta(days=age)
        database.put("case_type", firm_id=whose, id=new_id(), name=name, created_at=made)
    database.to("0017")
    keyed = [("DIVORCE", "divorce"), ("Divorce", "divorce"), ("Probate", "probate"), ("divorce ", None)]
    assert database.rows("case_type", "name", "name_key") == keyed
    database.back_to("0016")
    assert database.rows("case_type", "name") == [(name,) for name, _ in keyed]
