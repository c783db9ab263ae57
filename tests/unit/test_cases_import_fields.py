"""cases: which column of a file is which field of a case."""

from __future__ import annotations

import uuid

import pytest

from contracts.errors import Invalid
from services.cases.imports.fields import check_mapping, suggest_mapping
from services.cases.imports.people import id_of_new_client
from services.cases.models import CustomField

CLIO = [
    "Display Number", "Description", "Client", "Practice Area", "Status", "Responsible Attorney", "Open Date",
    "Close Date", "Statute of Limitations Date", "Originating Attorney", "Id", "Location",
]  # fmt: skip
SHEET = [
    "Case no.", "Title", "Type", "Estado", "First name", "Last name", "Correo electrónico", "Cell", "Spouse",
    "Client 2 relationship", "Additional client 2", "Key date: Hearing", "client_3.email", "Claim amount", "Court",
    "Name", "custom_fields.judge", "Title",
]  # fmt: skip


def test_the_columns_of_clio_and_of_plain_sheets_are_known() -> None:
    assert suggest_mapping(CLIO) == {
        "Display Number": "number", "Description": "name", "Client": "client.full_name", "Practice Area": "case_type",
        "Status": "status", "Responsible Attorney": "responsible_staff", "Open Date": "key_dates.Opened",
        "Close Date": "key_dates.Closed", "Statute of Limitations Date": "key_dates.Statute of limitations",
        "Originating Attorney": "staff", "Id": "external_source_id",
    }  # fmt: skip
    own = [CustomField(key="amount", label="Claim amount"), CustomField(key="court", label="Court"),
           CustomField(key="name", label="Name")]  # fmt: skip
    assert suggest_mapping(SHEET, own) == {
        "Case no.": "number", "Title": "name", "Type": "case_type", "Estado": "status",
        "First name": "client.first_name", "Last name": "client.last_name", "Correo electrónico": "client.email",
        "Cell": "client.mobile_phone", "Spouse": "client_2.full_name", "Client 2 relationship": "client_2.label",
        "Additional client 2": "client_3.full_name", "Key date: Hearing": "key_dates.Hearing",
        "client_3.email": "client_3.email", "Claim amount": "custom_fields.amount", "Court": "custom_fields.court",
        "custom_fields.judge": "custom_fields.judge",
    }  # fmt: skip


def test_a_matter_beside_its_number_is_the_name() -> None:
    assert suggest_mapping(["Matter No.", "Matter", "Description"]) == {
        "Matter No.": "number", "Matter": "name", "Description": "description",
    }  # fmt: skip
    assert suggest_mapping(["Matter", "Matter No."]) == {"Matter No.": "number", "Matter": "name"}
    assert suggest_mapping(["Matter", "Description"]) == {"Matter": "number", "Description": "name"}


@pytest.mark.parametrize(
    ("mapping", "named"),
    [
        ({"A": "name", "B": "name"}, ["mapping.B"]), ({"C": "name"}, ["mapping.C"]), ({"A": "nome"}, ["mapping.A"]),
        ({"A": "custom_fields.other"}, ["mapping.A"]), ({"A": "client_11.email"}, ["mapping.A"]),
        ({"A": "key_dates."}, ["mapping.A"]), ({}, ["mapping"]),
    ],
)  # fmt: skip
def test_a_mapping_that_cannot_be_is_refused(mapping: dict[str, str], named: list[str]) -> None:
    with pytest.raises(Invalid, match="invalid_mapping") as refused:
        check_mapping(mapping, ["A", "B"], frozenset({"judge"}))
    assert [entry["field"] for entry in refused.value.fields] == named
    right = {"A": "custom_fields.judge", "B": "key_dates.Any day"}
    assert check_mapping(right, ["A", "B"], frozenset({"judge"})) == right


def test_the_client_of_a_row_has_one_id_as_old_as_its_import() -> None:
    import_id = "01a21893-72cf-74a9-91cf-966a33a1aa94"
    made = {id_of_new_client(import_id, row, place) for row in range(50) for place in ("client", "client_2")}
    assert len(made) == 100
    assert {(uuid.UUID(id_).version, id_[:13]) for id_ in made} == {(7, import_id[:13])}
    assert id_of_new_client(import_id, 7, "client") in made
