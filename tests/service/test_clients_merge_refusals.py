"""clients: who cannot be merged, and who may not see what is merged."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from chassis.columns import new_id
from contracts.errors import Conflict, Forbidden, Invalid, NotFound
from tests.service.clients_desk import Desk, desk
from tests.service.merging_clients import fields_at_fault, merge, own_fields, undo
from tests.service.one_database import on_one_database

__all__ = ["desk", "own_fields"]


def test_a_client_is_not_merged_with_itself(desk: Desk) -> None:
    one = desk.create()["id"]
    with pytest.raises(Invalid) as caught:
        merge(desk, one, one)
    assert (caught.value.code, fields_at_fault(caught)) == ("same_client", {"duplicate_id"})


def test_nor_with_another_firms(desk: Desk, tmp_path: Any) -> None:
    other = Desk(desk.everywhere, tmp_path)
    one, foreign = desk.create()["id"], other.create()["id"]
    for client_id, duplicate_id in ((one, foreign), (foreign, one), (one, new_id())):
        for dry_run in (False, True):
            with pytest.raises(NotFound) as caught:
                merge(desk, client_id, duplicate_id, dry_run=dry_run)
            assert caught.value.code == "client_not_found"
    assert other.get(foreign)["version"] == 1


@on_one_database
def test_nor_with_one_that_was_merged_or_deleted(desk: Desk) -> None:
    one, two, three, gone = (desk.create()["id"] for _ in range(4))
    merge(desk, one, two)
    with pytest.raises(Conflict) as caught:
        merge(desk, one, two)
    assert (caught.value.code, caught.value.meta["surviving_id"]) == ("already_merged", one)
    with pytest.raises(Conflict) as caught:
        merge(desk, three, two)
    assert (caught.value.code, caught.value.meta["surviving_id"]) == ("duplicate_merged", one)
    desk.delete(gone)
    with pytest.raises(NotFound):
        merge(desk, three, gone)


def test_a_choice_that_cannot_be_made_is_named_and_nothing_is_written(desk: Desk) -> None:
    one, two = desk.create(custom_fields={"court": "North"}), desk.create()
    keep = dict.fromkeys(("tags", "shoe_size", "custom_fields.age", "custom_fields.court", "id", "version"), "this")
    with pytest.raises(Invalid) as caught:
        merge(desk, one["id"], two["id"], keep=keep)
    assert fields_at_fault(caught) == {f"keep.{name}" for name in keep if name != "custom_fields.court"}
    with pytest.raises(Invalid) as caught:
        merge(desk, one["id"], two["id"], keep={"external_source": "this", "external_source_id": "duplicate"})
    assert fields_at_fault(caught) == {"keep.external_source_id"}
    assert (desk.get(one["id"]), desk.get(two["id"])) == (one, two)


def test_somebody_must_have_a_name_left(desk: Desk) -> None:
    one, two = desk.create(first_name="Ann")["id"], desk.create(first_name=None, company_name="Lee & Co")["id"]
    with pytest.raises(Invalid) as caught:
        merge(desk, one, two, keep={"first_name": "duplicate", "company_name": "this"})
    assert fields_at_fault(caught) == {"first_name"}


def test_more_than_a_record_may_hold_is_refused(desk: Desk) -> None:
    def phones(start: int) -> list[dict[str, str]]:
        return [{"number": f"+1212555{number:04}"} for number in range(start, start + 12)]

    one, two = desk.create(phones=phones(100))["id"], desk.create(phones=phones(200))["id"]
    with pytest.raises(Invalid) as caught:
        merge(desk, one, two)
    assert fields_at_fault(caught) == {"phones"}
    assert len(desk.get(two)["phones"]) == 12


@on_one_database
def test_who_may_not_see_what_is_sensitive_neither_sees_nor_chooses_it(desk: Desk) -> None:
    one = desk.create(date_of_birth=dt.date(1980, 2, 29))["id"]
    two = desk.create(date_of_birth=dt.date(1981, 2, 28), government_ids=[{"kind": "ssn", "number": "078-05-1120"}])
    desk.context = replace(desk.context, sees_sensitive=False)
    with pytest.raises(Forbidden) as caught:
        merge(desk, one, two["id"], keep={"date_of_birth": "duplicate"})
    assert fields_at_fault(caught) == {"date_of_birth"}
    made = merge(desk, one, two["id"])
    assert (made["client"]["date_of_birth"], made["client"]["hidden"]) == (None, ["date_of_birth", "government_ids"])
    assert made["differences"] == [{"field": "date_of_birth", "this": None, "duplicate": None, "kept": "this"}]
    assert "1980" not in str(made)
    desk.context = replace(desk.context, sees_sensitive=True)
    assert desk.get(one)["date_of_birth"] == dt.date(1980, 2, 29)
    assert [entry["number"] for entry in desk.get(one)["government_ids"]] == ["078-05-1120"]
    undo(desk, made["id"])
    assert desk.get(one)["government_ids"] == []
