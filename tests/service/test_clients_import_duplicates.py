"""clients: what an import does with rows of clients who are known. Every event is delivered twice."""

from __future__ import annotations

from chassis.columns import new_id
from contracts.clients import CLIENTS_IMPORTED
from services.clients.activity import list_client_activity
from tests.service.clients_desk import Desk, desk
from tests.service.imported_rows import HEADER, client_count, counts, row, small_chunks
from tests.service.one_database import on_one_database

__all__ = ["desk", "small_chunks"]


def test_skip_leaves_known_clients_alone_and_again_imports_nothing(desk: Desk, small_chunks: None) -> None:
    content = [HEADER, *(row(number) for number in range(25))]
    desk.import_all(content)
    again = desk.import_all([*content, row(1, First_name="Changed", External_ID="Y1")], duplicates="skip")
    assert counts(again) == (0, 0, 26, 0)
    assert client_count(desk) == 25
    assert desk.listed(q="Changed") == []
    assert len(desk.emitted(CLIENTS_IMPORTED)) == 3


def test_update_changes_what_the_file_says_and_leaves_the_rest(desk: Desk) -> None:
    desk.define("court")
    ann = desk.create(
        first_name="Ann", last_name="Old", occupation="Baker", phones=[{"number": "+12125550101"}], tags=["Vip"],
        custom_fields={"court": "north"},
    )  # fmt: skip
    header = ["First name", "Last name", "Phone", "Home phone", "Tags", "custom_fields.judge", "Occupation"]
    found = desk.import_all(
        [header, ["Anna", "New", "212-555-0101", "212-555-0102", "vip,new", "Roy", ""]], duplicates="update"
    )
    assert counts(found) == (0, 1, 0, 0)
    after = desk.get(ann["id"])
    assert (after["first_name"], after["last_name"], after["occupation"], after["version"]) == (
        "Anna",
        "New",
        "Baker",
        2,
    )
    assert [(phone["number"][-1], phone["kind"], phone["primary"]) for phone in after["phones"]] == [
        ("1", "mobile", True), ("2", "home", False),
    ]  # fmt: skip
    assert (after["tags"], after["custom_fields"]) == (["Vip", "new"], {"court": "north", "judge": "Roy"})
    assert desk.emitted(CLIENTS_IMPORTED)[0]["clients"][0]["version"] == 2
    entry = list_client_activity(desk.db, client_id=ann["id"])["data"][0]["facts"]
    assert (entry["outcome"], "phones" in entry["changed"]) == ("updated", True)


@on_one_database
def test_merge_fills_only_what_is_empty_and_joins_lists(desk: Desk) -> None:
    desk.define("court")
    ann = desk.create(
        first_name="Ann", phones=[{"number": "+12125550101"}], tags=["Vip"], custom_fields={"court": "north"},
        addresses=[{"kind": "primary", "city": "Reno"}],
    )  # fmt: skip
    header = [
        "First name",
        "Last name",
        "Phone",
        "Home phone",
        "Tags",
        "custom_fields.judge",
        "custom_fields.court",
        "City",
    ]
    content = [header, ["Anna", "Lee", "212-555-0101", "212-555-0102", "vip,new", "Roy", "south", "Elko"]]
    assert counts(desk.import_all(content, duplicates="merge", clear_empty=True)) == (0, 1, 0, 0)
    after = desk.get(ann["id"])
    assert (after["first_name"], after["last_name"], after["tags"]) == ("Ann", "Lee", ["Vip", "new"])
    assert ([phone["number"][-1] for phone in after["phones"]], after["addresses"][0]["city"]) == (["1", "2"], "Reno")
    assert after["custom_fields"] == {"court": "north", "judge": "Roy"}
    assert counts(desk.import_all(content, duplicates="merge")) == (0, 0, 1, 0)
    assert desk.get(ann["id"])["version"] == 2


@on_one_database
def test_an_empty_cell_clears_only_where_it_is_told_to(desk: Desk) -> None:
    desk.define("court")
    desk.define("rate", type="number")
    ann = desk.create(
        first_name="Ann", last_name="Lee", occupation="Baker", phones=[{"number": "+12125550101"}], tags=["vip"],
        emails=[{"address": "ann@example.com"}], custom_fields={"court": "north", "rate": 5},
    )  # fmt: skip
    content = [["Phone", "First name", "Last name", "Occupation", "Email", "Tags", "custom_fields.court"],
               ["2125550101", "", "Lee", "", "", "", ""]]  # fmt: skip
    assert counts(desk.import_all(content, duplicates="update")) == (0, 0, 1, 0)
    assert counts(desk.import_all(content, duplicates="update", clear_empty=True)) == (0, 1, 0, 0)
    after = desk.get(ann["id"])
    assert (after["first_name"], after["occupation"], after["emails"], after["tags"]) == (None, None, [], [])
    assert (after["custom_fields"], len(after["phones"])) == ({"rate": 5}, 1)
    nameless = [["Phone", "Last name"], ["2125550101", ""]]
    found = desk.import_all(nameless, duplicates="update", clear_empty=True)
    assert found["rows"] == [{"row": 1, "errors": ["name_required:first_name"]}]
    assert desk.get(ann["id"])["last_name"] == "Lee"


def test_a_row_finds_its_client_by_the_clients_own_id(desk: Desk) -> None:
    one, two = (
        desk.create(first_name="Ann"),
        desk.create(first_name="Bob", external_source="import", external_source_id="B"),
    )
    header, mapping = ["id", "First name", "External ID"], {"id": "id", "First name": "first_name",
                                                           "External ID": "external_source_id"}  # fmt: skip
    content = [header, [one["id"], "Anna", ""], [one["id"], "Anna", "B"], [new_id(), "Cy", ""], ["7", "Di", ""]]
    found = desk.import_all(content, duplicates="update", mapping=mapping)
    assert counts(found) == (1, 1, 0, 2)
    assert [row["errors"] for row in found["rows"]] == [["external_id_taken:external_source_id"], ["invalid_id:id"]]
    assert (desk.get(one["id"])["first_name"], desk.get(two["id"])["version"]) == ("Anna", 1)


def test_addresses_take_the_place_of_those_of_their_kind(desk: Desk) -> None:
    ann = desk.create(
        first_name="Ann", phones=[{"number": "+12125550101"}],
        addresses=[{"kind": "mailing", "city": "Old"}, {"kind": "primary", "city": "Reno"}],
    )  # fmt: skip
    header = ["Phone", "City", "address_2_kind", "address_2_city", "address_3_kind", "address_3_city"]
    content = [header, ["2125550101", "Elko", "mailing", "New", "billing", "Ely"]]
    assert counts(desk.import_all(content, duplicates="update")) == (0, 1, 0, 0)
    assert [(found["kind"], found["city"]) for found in desk.get(ann["id"])["addresses"]] == [
        ("mailing", "New"), ("primary", "Elko"), ("billing", "Ely"),
    ]  # fmt: skip


@on_one_database
def test_a_row_without_a_name_updates_a_known_client_and_cannot_create_one(desk: Desk) -> None:
    ann = desk.create(phones=[{"number": "+12125550101"}])
    found = desk.import_all([["Phone", "Email"], ["+12125550101", "ann@example.com"], ["+12125550102", ""]],
                            duplicates="update")  # fmt: skip
    assert counts(found) == (0, 1, 0, 1)
    assert desk.get(ann["id"])["emails"] == [{"address": "ann@example.com", "primary": True}]


def test_update_does_not_guess_between_two_clients_nor_change_an_external_id(desk: Desk) -> None:
    one = desk.create(first_name="Ann", phones=[{"number": "+12125550101"}], external_source="import",
                      external_source_id="X1")  # fmt: skip
    two = desk.create(first_name="Bob", emails=[{"address": "bob@example.com"}])
    header = ["First name", "Phone", "Email", "External ID"]
    found = desk.import_all(
        [header, ["C", "+12125550101", "bob@example.com", ""], ["C", "+12125550101", "", "X2"]], duplicates="update"
    )
    assert [entry["errors"] for entry in found["rows"]] == [
        ["several_matches:row"], ["external_id_differs:external_source_id"],
    ]  # fmt: skip
    assert (desk.get(one["id"])["version"], desk.get(two["id"])["version"]) == (1, 1)


def test_create_makes_copies_but_no_second_client_with_an_external_id(desk: Desk, small_chunks: None) -> None:
    content = [
        HEADER,
        *(row(number, External_ID="") for number in range(12)),
        row(0, External_ID="X0"),
        row(0, External_ID="X0"),
    ]
    assert counts(desk.import_all(content, duplicates="create")) == (13, 0, 0, 1)
    assert client_count(desk) == 13


def test_an_export_with_the_same_person_by_name_and_birthday_is_a_duplicate(desk: Desk) -> None:
    header = ["Name", "Birthday", "ZIP"]
    found = desk.import_all(
        [header, ["José Muñoz", "1980-02-03", ""], ["Munoz, Jose", "02/03/1980", ""], ["Jose Munoz", "1981-02-03", ""]]
    )
    assert counts(found) == (2, 0, 1, 0)
