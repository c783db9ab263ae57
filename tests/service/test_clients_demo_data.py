"""The demonstration firm's files: written by their script, imported by the service, and fit for each other."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import phonenumbers
import pytest
from sqlalchemy import select

from chassis.testing import make_database
from deploy.demo_data import generate
from services.clients.cards import load
from services.clients.models import Base, Client
from tests.service.clients_desk import Desk

CLIENTS = generate.HERE / "clients.csv"
CASES = generate.HERE / "cases.csv"


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Desk, dict]:
    desk = Desk(make_database(Base), tmp_path_factory.mktemp("files"))
    return desk, desk.import_all(CLIENTS.read_bytes())


def test_the_script_writes_the_files_that_are_kept(tmp_path: Path) -> None:
    generate.generate(tmp_path)
    assert (tmp_path / "clients.csv").read_text() == CLIENTS.read_text()
    assert (tmp_path / "cases.csv").read_text() == CASES.read_text()


def test_the_good_clients_come_in_and_the_wrong_rows_fail_in_many_ways(imported: tuple[Desk, dict]) -> None:
    _, found = imported
    assert found["counts"] == {"read": 1246, "created": 1200, "updated": 0, "skipped": 12, "failed": 34}
    assert found["error_counts"] == {
        "name_required": 5, "invalid_phone": 7, "invalid_email": 6, "unknown_status": 5, "invalid_date": 4,
        "date_in_future": 2, "unknown_time_zone": 2, "row_too_short": 3, "row_too_long": 1, "invalid_text": 1,
    }  # fmt: skip


def test_every_number_is_fictitious_valid_and_nobody_elses(imported: tuple[Desk, dict]) -> None:
    desk, _ = imported
    with desk.db.read() as session:
        clients = load(session, session.scalars(select(Client.id)).all()).values()
    numbers = [phone["number"] for client in clients for phone in client["phones"]]
    assert len(numbers) == len(set(numbers)) > 1200
    assert all(
        number[5:10] == "55501" and phonenumbers.is_valid_number(phonenumbers.parse(number)) for number in numbers
    )
    assert len({number[2:5] for number in numbers}) > 60
    assert {email["address"].partition("@")[2] for client in clients for email in client["emails"]} == {
        "example.com", "example.org", "example.net",
    }  # fmt: skip
    assert len({client["time_zone"] for client in clients}) >= 8
    assert {client["language"] for client in clients} == {"en", "es", "fr", "vi", "zh"}


def test_the_cases_name_clients_that_came_in(imported: tuple[Desk, dict]) -> None:
    desk, _ = imported
    known: set[str] = set()
    cursor = None
    while True:
        page = desk.page(limit=200, cursor=cursor)
        known |= {client["external_source_id"] for client in page["data"]}
        cursor = page["meta"]["next_cursor"]
        if cursor is None:
            break
    with CASES.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    clients = [row["client_ids"].split(";") for row in rows]
    assert len(rows) == 600
    assert {client for of_case in clients for client in of_case} <= known
    assert all(len(set(of_case)) == len(of_case) for of_case in clients)
    assert sum(len(of_case) > 1 for of_case in clients) > 100
    assert sum(count > 1 for count in Counter(client for of_case in clients for client in of_case).values()) > 100
