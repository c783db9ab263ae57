"""clients: one client's record."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from chassis.columns import new_id
from chassis.context import Context
from chassis.database import Database
from contracts.clients import CLIENT_CHANGED, CLIENT_CREATED, CLIENT_DELETED
from contracts.errors import Conflict, Invalid, NotFound
from services.clients import records
from services.clients.models import Base, ClientPhone
from tests.service.clients_desk import NOW, Desk, desk
from tests.service.one_database import on_one_database

__all__ = ["desk"]


def fields_at_fault(caught: Any) -> set[str]:
    return {entry["field"] for entry in caught.value.fields}


def test_a_name_and_a_phone_are_enough(desk: Desk) -> None:
    made = desk.create(first_name="  Ann ", phones=[{"number": "(212) 555-0123"}])
    assert made == desk.get(made["id"])
    assert made["first_name"] == "Ann"
    assert made["phones"] == [{"number": "+12125550123", "kind": "mobile", "primary": True}]
    assert (made["kind"], made["status"], made["version"]) == ("individual", "active", 1)
    [event] = desk.emitted(CLIENT_CREATED)
    assert (event["client_id"], event["version"], event["changed"]) == (made["id"], 1, [])


@on_one_database
def test_everything_that_was_given_is_kept(desk: Desk) -> None:
    desk.define("court")
    desk.define("age", type="number")
    desk.define("yes", type="yes_no")
    desk.define("many", type="choices", options=["a", "b"])
    given = {
        "kind": "business", "first_name": "Ann", "middle_name": "B", "last_name": "Lee", "company_name": "Lee & Co",
        "date_of_birth": dt.date(1980, 2, 29), "occupation": "Baker", "industry": "Food", "referral_source": "Radio",
        "special_requirements": "Large print,\nplease", "status": "prospective", "spam": True,
        "government_ids": [{"kind": "ssn", "number": "123-45-6789", "country": "US"}],
        "flag_reason": "Two\nlines", "language": "es", "time_zone": "America/Chicago", "assigned_staff_id": new_id(),
        "emails": [{"address": "ann@example.com", "primary": False}, {"address": "b@example.com", "primary": True}],
        "addresses": [{"kind": "primary", "line1": "1 Main St", "line2": None, "city": "Reno", "state": "NV",
                       "postal_code": "89501", "country": "US"}],
        "tags": ["vip", "Été"], "custom_fields": {"court": "North", "age": 3, "yes": True, "many": ["a", "b"]},
        "external_source": "clio", "external_source_id": "77",
    }  # fmt: skip
    made = desk.create(**given)
    assert {name: desk.get(made["id"])[name] for name in given} == given


def test_a_client_is_no_duplicate_of_itself_if_its_request_comes_twice_at_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"client_id": new_id(), "first_name": "Ann", "phones": [{"number": "+12125550123"}],
             "skip_duplicate_check": False}  # fmt: skip
    made = desk.create(**given)
    # Both looked for it before either had written it.
    monkeypatch.setattr(records, "_existing", lambda db, client_id: None)
    assert desk.create(**given) == made
    with pytest.raises(Conflict, match="duplicate_client"):
        desk.create(**{**given, "client_id": new_id()})
    assert len(desk.emitted(CLIENT_CREATED)) == 1


def test_the_kind_that_nobody_stated_follows_from_the_names(desk: Desk) -> None:
    assert desk.create(first_name=None, company_name="Acme")["kind"] == "business"
    assert desk.create(first_name="Ann", company_name="Acme")["kind"] == "individual"


def test_bad_input_names_every_field_at_fault_and_writes_nothing(desk: Desk) -> None:
    with pytest.raises(Invalid) as caught:
        desk.create(
            first_name="A\u202enn", time_zone="Mars/Olympus", date_of_birth=NOW.date() + dt.timedelta(days=2),
            phones=[{"number": "555"}, {"number": "+12125550123", "primary": True},
                    {"number": "+12125550124", "primary": True}],
            emails=[{"address": "not an address"}], external_source_id="1",
        )  # fmt: skip
    assert fields_at_fault(caught) == {
        "first_name", "time_zone", "date_of_birth", "phones.0.number", "phones.2.primary", "emails.0.address",
        "external_source",
    }  # fmt: skip
    assert desk.listed() == []


@pytest.mark.parametrize(
    "value", [{"a": 1}, [1], float("nan"), float("inf"), 2**60, "x" * 10_001, ["x"], "\ud800", "a\u200b", "a\x00"]
)
def test_a_custom_field_holds_what_every_reader_understands(desk: Desk, value: Any) -> None:
    desk.define("court")
    with pytest.raises(Invalid) as caught:
        desk.create(custom_fields={"court": value})
    assert fields_at_fault(caught) == {"custom_fields.court"}


def test_a_client_needs_a_name(desk: Desk) -> None:
    with pytest.raises(Invalid) as caught:
        desk.create(first_name="  ", phones=[{"number": "+12125550123"}])
    assert fields_at_fault(caught) == {"first_name"}


def test_the_same_id_again_answers_the_client_as_it_is(desk: Desk) -> None:
    client_id = new_id()
    made = desk.create(client_id=client_id, first_name="Ann")
    desk.change(client_id, first_name="Anna")
    again = desk.create(client_id=client_id, first_name="Ann", skip_duplicate_check=False)
    assert (again["id"], again["first_name"], again["version"]) == (client_id, "Anna", 2)
    assert len(desk.emitted(CLIENT_CREATED)) == 1
    desk.delete(made["id"])
    with pytest.raises(Conflict, match="client_deleted"):
        desk.create(client_id=client_id)


def test_an_id_is_one_clients_whatever_its_firm(desk: Desk, tmp_path: Path) -> None:
    other = Desk(desk.everywhere, tmp_path)
    client_id = new_id()
    desk.create(client_id=client_id, first_name="Ann")
    with pytest.raises(Conflict, match="client_id_taken") as refused:
        other.create(client_id=client_id, first_name="Bob")
    assert not refused.value.meta
    assert other.listed() == []
    assert desk.get(client_id)["first_name"] == "Ann"


def test_another_firms_client_does_not_exist(desk: Desk) -> None:
    made = desk.create()
    stranger = Database(desk.everywhere.url, Base, firm_id=new_id(), context=Context())
    for attempt in (
        lambda: records.get_client(stranger, made["id"]),
        lambda: records.update_client(stranger, NOW, client_id=made["id"], changes={"first_name": "X"}),
        lambda: records.delete_client(stranger, NOW, client_id=made["id"]),
    ):
        with pytest.raises(NotFound, match="client_not_found"):
            attempt()
    assert desk.get(made["id"])["first_name"] == "Ann"


def test_a_change_grows_the_version_and_names_what_changed(desk: Desk) -> None:
    made = desk.create(phones=[{"number": "+12125550123"}], tags=["vip"])
    changed = desk.change(made["id"], phones=[{"number": "+12125550123"}, {"number": "+12125550124", "primary": True}])
    assert changed == desk.get(made["id"])
    assert [(phone["number"][-4:], phone["primary"]) for phone in changed["phones"]] == [
        ("0123", False),
        ("0124", True),
    ]
    assert (changed["version"], changed["tags"]) == (2, ["vip"])
    [event] = desk.emitted(CLIENT_CHANGED)
    assert (event["version"], event["changed"], event["case_task_id"]) == (2, ["phones"], None)


def test_a_change_that_changes_nothing_is_none(desk: Desk) -> None:
    made = desk.create(phones=[{"number": "+12125550123"}])
    assert desk.change(made["id"], first_name="Ann", phones=[{"number": "212 555 0123"}])["version"] == 1
    assert desk.emitted(CLIENT_CHANGED) == []


def test_a_stale_version_is_refused(desk: Desk) -> None:
    made = desk.create()
    desk.change(made["id"], expected_version=1, first_name="Anna")
    with pytest.raises(Conflict, match="stale_version"):
        desk.change(made["id"], expected_version=1, first_name="Anne")
    assert desk.get(made["id"])["first_name"] == "Anna"


def test_custom_fields_are_set_one_by_one(desk: Desk) -> None:
    desk.define("court", "judge")
    desk.define("room", type="number")
    made = desk.create(custom_fields={"court": "north", "judge": "Roy"})
    assert desk.change(made["id"], custom_fields={"court": None, "room": 5})["custom_fields"] == {
        "judge": "Roy",
        "room": 5,
    }


def test_the_only_name_cannot_be_cleared(desk: Desk) -> None:
    made = desk.create(first_name="Ann", last_name=None)
    with pytest.raises(Invalid):
        desk.change(made["id"], first_name=None)


def test_an_external_id_belongs_to_one_client(desk: Desk) -> None:
    holder = desk.create(external_source="clio", external_source_id="7")
    other = desk.create(external_source="hubspot", external_source_id="7")
    for attempt in (
        lambda: desk.create(external_source="clio", external_source_id="7"),
        lambda: desk.change(other["id"], external_source="clio"),
    ):
        with pytest.raises(Conflict, match="external_id_taken") as caught:
            attempt()
        assert caught.value.meta["client_id"] == holder["id"]
    desk.delete(holder["id"])
    desk.create(external_source="clio", external_source_id="7")


def test_a_deleted_client_is_nowhere_found(desk: Desk) -> None:
    made = desk.create(phones=[{"number": "+12125550123"}])
    desk.delete(made["id"])
    with pytest.raises(NotFound):
        desk.get(made["id"])
    with pytest.raises(NotFound):
        desk.delete(made["id"])
    assert desk.listed() == []
    assert desk.emitted(CLIENT_DELETED) == [{"client_id": made["id"], "version": 2}]


def test_two_primaries_are_refused_by_the_database_itself(desk: Desk) -> None:
    made = desk.create(phones=[{"number": "+12125550123"}])
    row = {"client_id": made["id"], "position": 1, "number": "+12125550124", "kind": "home", "is_primary": True}
    with pytest.raises(IntegrityError), desk.db.unit_of_work() as uow:
        uow.insert(ClientPhone, [row])
    with desk.db.read() as session:
        count = text("SELECT count(*) FROM client_phone WHERE firm_id = :firm_id")
        assert session.execute(count).scalar_one() == 1


# Duplicates


def candidates(attempt: Callable[[], object]) -> list[str]:
    with pytest.raises(Conflict, match="duplicate_client") as caught:
        attempt()
    return caught.value.meta["candidates"].split(",")


def test_the_same_phone_or_email_is_a_duplicate(desk: Desk) -> None:
    one = desk.create(first_name="Bob", phones=[{"number": "+12125550123"}])
    two = desk.create(first_name="Carl", emails=[{"address": "Carl@Example.com"}])
    new = {"first_name": "Zoe", "phones": [{"number": "212-555-0123"}], "emails": [{"address": "carl@example.com"}]}
    assert candidates(lambda: desk.create(**new, skip_duplicate_check=False)) == [one["id"], two["id"]]
    assert desk.create(**new, skip_duplicate_check=True)["first_name"] == "Zoe"


@pytest.mark.parametrize(
    ("first_name", "last_name", "is_duplicate"),
    [
        ("María", "Gonzalez", True),
        ("Maria", "Gonzáles", True),
        ("Gonzalez", "Maria", True),
        ("Mario", "Fuentes", False),
    ],
)
def test_a_similar_name_needs_the_same_birthday_or_postal_code(
    desk: Desk, first_name: str, last_name: str, is_duplicate: bool
) -> None:
    address = {"kind": "primary", "line1": "1 Main St", "postal_code": "89501"}
    known = desk.create(
        first_name="Maria", last_name="Gonzalez", date_of_birth=dt.date(1980, 1, 2), addresses=[address]
    )
    name = {"first_name": first_name, "last_name": last_name, "skip_duplicate_check": False}
    for hint in ({"date_of_birth": dt.date(1980, 1, 2)}, {"addresses": [{**address, "kind": "mailing"}]}):
        if is_duplicate:
            assert candidates(lambda hint=hint: desk.create(**name, **hint)) == [known["id"]]
        else:
            desk.delete(desk.create(**name, **hint)["id"])
    desk.create(**name, date_of_birth=dt.date(1990, 1, 2))


def test_a_deleted_client_is_no_duplicate(desk: Desk) -> None:
    phone = {"phones": [{"number": "+12125550123"}]}
    desk.delete(desk.create(**phone)["id"])
    desk.create(**phone, skip_duplicate_check=False)
