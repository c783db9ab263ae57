"""clients: who the clients of a file of cases are, and making those who are nobody yet."""

from __future__ import annotations

from typing import Any

from chassis.columns import new_id
from chassis.context import Context, use
from contracts.cases import CASE_IMPORT_UNDONE, CASES_IMPORTED
from contracts.clients import CLIENT_DELETED, CLIENTS_IMPORTED
from services.clients import notes
from services.clients.activity import list_client_activity
from services.clients.imports import people as import_people
from tests.service.clients_desk import NOW, Desk, desk
from tests.service.imported_rows import client_count
from tests.service.merging_clients import merge

__all__ = ["desk"]

IMPORT = new_id()


def person(row: int, client_id: str | None = None, **values: str) -> dict[str, Any]:
    return {"row": row, "client_id": client_id or new_id(), "values": values}


def match(desk: Desk, *people: dict[str, Any], create: bool = True) -> list[dict[str, Any]]:
    found = import_people.match_people(
        desk.db, NOW, import_id=IMPORT, people=people, default_country="US", create=create
    )
    return [{name: one[name] for name in ("client_id", "created", "errors")} for one in found["people"]]


def found(client_id: str | None, *, created: bool = False, errors: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"client_id": client_id, "created": created, "errors": list(errors)}


def test_clients_are_found_by_id_external_id_phone_or_email(desk: Desk) -> None:
    ann = desk.create(
        external_source="clio", external_source_id="7", phones=[{"number": "+12125550101"}],
        emails=[{"address": "ann@example.com"}],
    )["id"]  # fmt: skip
    bob = desk.create(first_name="Bob", phones=[{"number": "+12125550102"}], emails=[{"address": "ann@example.com"}])[
        "id"
    ]
    asked = [
        person(1, id=ann), person(2, external_source="clio", external_source_id="7", email="other@example.com"),
        person(3, mobile_phone="(212) 555-0101"), person(4, email="ANN@example.com"), person(5, id=new_id()),
        person(6, phone="212 555 0102", external_source_id="9"),
        person(7, phone="212 555 0101", external_source_id="9"), person(8, phone="12"),
    ]  # fmt: skip
    expected = [
        found(ann), found(ann), found(ann), found(None, errors=("several_matches:client",)),
        found(None, errors=("unknown_client:id",)), found(bob),
        found(None, errors=("external_id_differs:external_source_id",)), found(None, errors=("invalid_phone:phone",)),
    ]  # fmt: skip
    assert match(desk, *asked, create=False) == match(desk, *asked) == expected
    assert client_count(desk) == 2


def test_who_is_nobody_yet_is_made_once_however_often_it_is_asked(desk: Desk) -> None:
    new, alone = person(1, full_name="Lee, Ann", email="ann@example.com"), person(2, full_name="Cy")
    again, wrong = person(3, email="Ann@example.com"), person(4, email="dee@example.com")
    asked = [new, alone, again, wrong]
    expected = [
        found(new["client_id"], created=True), found(alone["client_id"], created=True), found(new["client_id"]),
        found(None, errors=("name_required:first_name",)),
    ]  # fmt: skip
    assert match(desk, *asked, create=False) == expected
    assert client_count(desk) == 0
    assert match(desk, *asked) == match(desk, *asked) == expected
    assert client_count(desk) == 2
    made = desk.get(new["client_id"])
    assert (made["first_name"], made["last_name"], made["emails"][0]["address"]) == ("Ann", "Lee", "ann@example.com")
    [told] = desk.emitted(CLIENTS_IMPORTED)
    assert {client["client_id"] for client in told["clients"]} == {new["client_id"], alone["client_id"]}
    assert len(list_client_activity(desk.db, client_id=new["client_id"])["data"]) == 1


def test_a_name_alone_means_who_is_on_the_case_and_has_it(desk: Desk) -> None:
    ann, bob = desk.create(first_name="Ann", last_name="Lee")["id"], desk.create(first_name="Bob")["id"]
    named, other = person(1, full_name="LEE, Ann"), person(1, full_name="Cy")
    with_phone = person(2, full_name="Ann Lee", phone="212 555 0107")
    asked = [{**one, "on_case": [bob, ann]} for one in (named, other, with_phone)]
    assert match(desk, *asked) == [
        found(ann), found(other["client_id"], created=True), found(with_phone["client_id"], created=True),
    ]  # fmt: skip


def test_those_of_one_row_are_made_together_or_not_at_all(desk: Desk) -> None:
    whole, half, after = person(1, full_name="Ann"), person(1, phone="1"), person(2, full_name="Ann", email="a@x.org")
    before = person(1, full_name="Eve", email="a@x.org")
    outcomes = match(desk, before, whole, half, after)
    assert outcomes[2]["errors"] == ["invalid_phone:phone"]
    # Whom a row would have made that fails, is nobody to the next one.
    assert outcomes[3] == found(after["client_id"], created=True)
    assert desk.listed() == [after["client_id"]]


def test_those_who_are_on_no_case_any_more_are_deleted_unless_they_were_changed_or_have_more(desk: Desk) -> None:
    people = [person(number, full_name=f"Ann {number}") for number in range(4)]
    match(desk, *people)
    merge(desk, people[3]["client_id"], desk.create(first_name="Ann", last_name="3")["id"])
    kept = desk.create(first_name="Bob")["id"]
    desk.change(people[1]["client_id"], occupation="Baker")
    with use(Context(firm_id=desk.firm_id, actor_kind="staff", actor_id=new_id())):
        notes.create_client_note(desk.db, NOW, client_id=people[2]["client_id"], text="Called.")
    ids = [*(one["client_id"] for one in people), kept]
    desk.hear("take_back_people", CASE_IMPORT_UNDONE, {"import_id": IMPORT, "client_ids": ids})
    assert sorted(desk.listed()) == sorted([*(one["client_id"] for one in people[1:]), kept])
    assert [event["client_id"] for event in desk.emitted(CLIENT_DELETED)] == [people[0]["client_id"]]


def test_imported_cases_are_told_of_in_the_activity_of_their_clients(desk: Desk) -> None:
    ann = desk.create()["id"]
    case = {**CASES_IMPORTED.example["cases"][0], "client_ids": [ann]}
    desk.hear("record_imported_cases", CASES_IMPORTED, {"import_id": IMPORT, "cases": [case]})
    [entry] = [
        one for one in list_client_activity(desk.db, client_id=ann)["data"] if one["kind"] == CASES_IMPORTED.name
    ]
    assert (entry["facts"]["case_id"], entry["facts"]["state"]) == (case["case_id"], "open")
