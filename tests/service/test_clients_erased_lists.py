"""Whoever is erased is in no uploaded list any more, whatever became of the row."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from chassis.context import use
from chassis.imports.seeking import Seeker
from contracts import clients
from contracts.errors import Unavailable
from services.clients import cards, erasing, importing
from services.clients.erasures.erased_files import person_of
from services.clients.imports.store import IMPORTS
from services.clients.models import Import
from tests.service.clients_desk import NOW, Desk, desk
from tests.service.one_database import on_one_database

__all__ = ["desk"]

HEADER = ["First name", "Last name", "Phone", "Email", "Nr"]
PERSON: dict[str, Any] = {
    "first_name": "Zerélda", "last_name": "O'Xenfree", "phones": [{"number": "+12125550142"}],
    "emails": [{"address": "zerelda@example.org"}], "external_source": "clio", "external_source_id": "C-77",
    "government_ids": [{"kind": "ssn", "number": "123-45-6789", "country": "US"}],
}  # fmt: skip
OTHERS = ["Bea", "Fox", "+12125550143", "bea@example.org", "C-78"]


def erase(desk: Desk, client_id: str) -> None:
    with use(desk.context):
        erasing.erase_client(desk.db, NOW, client_id=client_id)
    for data in desk.emitted(clients.ERASURE_REQUESTED):
        desk.hear("continue_erasures", clients.ERASURE_REQUESTED, data)


def lists(desk: Desk) -> str:
    """All that is stored of lists."""
    texts = []
    for key in (*desk.files.keys("uploads"), *desk.files.keys("imports")):
        with desk.files.get(key) as stream:
            texts.append(stream.read().decode("utf-8-sig"))
    return "\n".join(texts)


@on_one_database
@pytest.mark.parametrize(
    "row",
    [
        ["", "", "(212) 555-0142 ext. 3", "", ""],
        ["", "", "", "ZERELDA@Example.org", ""],
        ["Zelda", "", "", "Z <zerelda@example.org>", ""],
        ["", "", "", "", "c-77"],
        ["", "", "", "", "123 45 6789"],
        ["zerelda", "Oxenfree", "nonsense", "", ""],
        ["Zerelda M. Oxenfree", "", "", "", ""],
    ],
)
@pytest.mark.parametrize("run", [True, False])
def test_a_list_goes_in_which_a_person_was_skipped_or_failed_or_never_reached(
    desk: Desk, row: list[str], run: bool
) -> None:
    client_id = desk.create(**PERSON)["id"]
    other = desk.import_all([HEADER, OTHERS])
    made = (desk.import_all if run else desk.preview)([HEADER, row, ["Cal", "Lee", "12", "", ""]])
    assert made["counts"]["created"] <= 1
    if run:
        desk.error_file(made["id"])
    erase(desk, client_id)
    assert [row for row in lists(desk).splitlines() if row] == [",".join(HEADER), ",".join(OTHERS)]
    state = IMPORTS.get(desk.db, made["id"])["state"]
    assert state == ("finished" if run else "cancelled")
    assert IMPORTS.get(desk.db, other["id"])["state"] == "finished"


def test_an_import_that_bears_a_persons_name_loses_it(desk: Desk) -> None:
    client_id = desk.create(**PERSON)["id"]
    desk.upload([["Zerelda", "Oxenfree"], ["Bea", "Fox"]])
    other = desk.import_all([HEADER, OTHERS])
    desk.files.put("uploads/x.csv", b"Name\nCal\n")
    named = importing.create_import(desk.db, desk.files, file_key="uploads/x.csv", filename="Oxenfree_Zerelda.csv")
    erase(desk, client_id)
    with desk.db.read() as session:
        kept = {row.id: (row.filename, row.columns, row.suggested_mapping) for row in session.query(Import)}
    assert kept.pop(other["id"])[:2] == ("clients.csv", HEADER)
    assert kept.pop(named["id"]) == ("clients", [], {})
    assert list(kept.values()) == [("clients", [], {})]


def test_other_firms_lists_stay(desk: Desk, tmp_path: Any) -> None:
    stranger = Desk(desk.everywhere, tmp_path)
    stranger.upload([HEADER, ["Zerelda", "Oxenfree", "+12125550142", "", ""]])
    erase(desk, desk.create(**PERSON)["id"])
    assert "Zerelda" in lists(stranger)


@on_one_database
def test_nothing_is_erased_as_long_as_lists_cannot_be_looked_at(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    client_id = desk.create(**PERSON)["id"]
    desk.upload([HEADER, ["Zerelda", "Oxenfree", "", "", ""]])

    def refuse(key: str) -> Any:
        raise Unavailable("files_unavailable")

    with monkeypatch.context() as broken:
        broken.setattr(desk.files, "get", refuse)
        with pytest.raises(Unavailable):
            erase(desk, client_id)
    with desk.db.read() as session:
        assert cards.load(session, [client_id], archived=True)
    erasing.ask_again(desk.everywhere, dt.datetime.now(dt.UTC) + dt.timedelta(minutes=2))
    for data in desk.emitted(clients.ERASURE_REQUESTED):
        desk.hear("continue_erasures", clients.ERASURE_REQUESTED, data)
    assert lists(desk) == ""


@on_one_database
def test_an_upload_that_is_gone_already_holds_nobody_up(desk: Desk) -> None:
    client_id = desk.create(**PERSON)["id"]
    made = desk.import_all([HEADER, OTHERS])
    for key in desk.files.keys("uploads"):
        desk.files.delete(key)
    erase(desk, client_id)
    assert IMPORTS.get(desk.db, made["id"])["state"] == "finished"


@on_one_database
def test_cases_looks_into_its_lists_before_it_is_forgotten_who_is_meant(desk: Desk) -> None:
    client_id = desk.create(**PERSON)["id"]
    erase(desk, client_id)
    assert desk.sought == [
        {"client_id": client_id, "name": "Zerélda O'Xenfree", "numbers": ["+12125550142"],
         "emails": ["zerelda@example.org"], "ids": [client_id, "C-77", "123-45-6789"]}
    ]  # fmt: skip


def test_people_are_told_apart(desk: Desk) -> None:
    ann = desk.create(first_name="Ann", last_name="Lee", phones=[{"number": "+442079460958"}])
    acme = desk.create(first_name=None, company_name="Acme Title Co", kind="business")
    seeker = Seeker(map(person_of, [ann, acme]))

    def found(*cells: str) -> set[str]:
        return seeker.found_in(cells)

    assert found("020 7946 0958") == found("+44 (0)20 7946 0958") == found("Lee, ANN") == {ann["id"]}
    assert found("ACME Title Co.") == {acme["id"]}
    assert found("Ann Lee of Acme Title Co") == {ann["id"], acme["id"]}
    assert found("Ann", "Acme", "020 7946 0959", "Title") == found() == set()
