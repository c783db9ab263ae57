"""`casewire import`, and an import through kill -9: the whole system from outside."""

from __future__ import annotations

import csv
import io
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook

from tests.systems import Embedded, answer, embedded, eventually

HEADER = ["First name", "Last name", "Phone", "Email"]


def rows(count: int, start: int = 0) -> list[list[str]]:
    return [
        [f"Ann{number}", "Lee", f"+1212{2000000 + number}", f"ann{number}@example.com"]
        for number in range(start, start + count)
    ]


def write(path: Path, table: list[list[str]]) -> Path:
    with path.open("w", newline="") as target:
        csv.writer(target).writerows(table)
    return path


def casewire_import(system: Embedded, *arguments: str, key: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deploy.cli", "import", *arguments], check=False, capture_output=True, text=True,
        stdin=subprocess.DEVNULL, timeout=120, env=environment(system, key),
    )  # fmt: skip


def environment(system: Embedded, key: str | None = None) -> dict[str, str]:
    return {**os.environ, "CASEWIRE_URL": system.url, "CASEWIRE_API_KEY": key or system.api_key, "COLUMNS": "120"}


def test_a_file_is_taken_in_and_the_rows_that_failed_are_kept_beside_it(system: Embedded, tmp_path: Path) -> None:
    file = write(tmp_path / "people.csv", [HEADER, *rows(30, 100), ["Bea", "Lee", "12", ""], ["", "", "", ""]])
    told = casewire_import(system, str(file), "--yes")
    assert told.returncode == 3, told.stdout + told.stderr
    assert "Preview: 32 rows; 30 created, 0 updated, 0 skipped, 2 failed" in told.stdout
    assert "Finished: 32 rows; 30 created, 0 updated, 0 skipped, 2 failed" in told.stdout
    kept = list(csv.reader(io.StringIO((tmp_path / "people-errors.csv").read_text(encoding="utf-8-sig"))))
    assert kept[1] == ["Bea", "Lee", "12", "", "invalid_phone: Phone"]
    again = casewire_import(system, str(file), "--yes", "--duplicates", "update", "--mapping", "Email=")
    assert "0 created, 0 updated, 30 skipped, 2 failed" in again.stdout


def test_a_workbook_is_taken_in_and_its_failed_rows_are_one(system: Embedded, tmp_path: Path) -> None:
    book = Workbook()
    for cells in [HEADER, *rows(3, 200), ["Bea", "Lee", "12", ""]]:
        book.active.append(cells)
    book.save(tmp_path / "people.xlsx")
    told = casewire_import(system, str(tmp_path / "people.xlsx"), "--yes")
    assert (told.returncode, "3 created" in told.stdout) == (3, True), told.stdout + told.stderr
    assert load_workbook(tmp_path / "people-errors.xlsx").active["E2"].value == "invalid_phone: Phone"


def test_cases_are_taken_in_with_their_clients_and_taken_back(system: Embedded, tmp_path: Path) -> None:
    statuses = [{"name": "Open", "closed": False}, {"name": "Closed", "closed": True}]
    fields = [{"key": "court", "label": "Court", "type": "choice", "options": ["North", "South"]}]
    system.api.post("/v1/case-types", {"name": "Imported", "statuses": statuses, "custom_fields": fields})
    table = [
        ["Matter number", "Description", "Practice area", "Status", "Court", "Client", "Email", "Spouse"],
        ["M-1", "Lee v. City", "imported", "Closed", "north", "Ann Lee", "ann.lee@example.com", "Cy Lee"],
        ["M-2", "Lee v. State", "imported", "Open", "", "Ann Lee", "ANN.LEE@example.com", ""],
        ["M-3", "Nobody's", "imported", "Open", "", "", "", ""],
    ]
    file = write(tmp_path / "matters.csv", table)
    told = casewire_import(system, str(file), "--target", "cases", "--yes")
    assert told.returncode == 3, told.stdout + told.stderr
    assert "Finished: 3 rows; 2 created, 0 updated, 0 skipped, 1 failed; 2 new clients" in told.stdout, told.stdout
    kept = (tmp_path / "matters-errors.csv").read_text(encoding="utf-8-sig")
    assert "required: client" in kept
    cases = {case["number"]: case for case in system.api.get("/v1/cases", q="Lee v.")["data"]}
    first, second = cases["M-1"], cases["M-2"]
    assert (first["name"], first["state"], first["custom_fields"]) == ("Lee v. City", "closed", {"court": "North"})
    assert [client["role"] for client in first["clients"]] == ["primary", "additional"]
    assert second["clients"][0] == first["clients"][0]
    clients = [client["client_id"] for client in first["clients"]]
    eventually(lambda: _told_of(system, clients[1], first["id"]), "the activity of a client")
    path = f"/v1/imports/{told.stdout.partition('Watching the import ')[2].split('.')[0]}"
    system.api.post(f"{path}/undo")
    back = eventually(lambda: _state(system, path, "undone"), "the undo", 60)
    assert back["undo"]["counts"] == {"removed": 2, "restored": 0, "conflicts": 0, "gone": 0}
    eventually(lambda: system.api.get("/v1/clients", q="ann.lee@example.com")["data"] == [], "the clients to go")
    assert system.api.get("/v1/cases", q="Lee v.")["data"] == []


def _told_of(system: Embedded, client_id: str, case_id: str) -> bool:
    entries = system.api.get(f"/v1/clients/{client_id}/activity")["data"]
    return any(entry["facts"].get("case_id") == case_id for entry in entries)


def test_without_a_word_nothing_is_imported(system: Embedded, tmp_path: Path) -> None:
    file = write(tmp_path / "people.csv", [HEADER, *rows(2, 300)])
    told = casewire_import(system, str(file))
    assert (told.returncode, "--yes" in told.stdout) == (4, True), told.stdout
    assert system.api.get("/v1/clients", q="Ann300")["data"] == []


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["none.csv"], 2, "no file none.csv"), ([], 2, "name a file"), (["broken.xlsx"], 1, "file_damaged"),
        (["people.csv", "--mapping", "Phone=email"], 1, "mapping.Email"), (["people.csv", "--mapping", "x"], 2, "JSON"),
        (["--watch", "018f4e9a-0000-7000-8000-000000000010"], 1, "import_not_found"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_in_one_sentence(
    system: Embedded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], status: int, says: str
) -> None:
    write(tmp_path / "people.csv", [HEADER, *rows(1, 400)])
    (tmp_path / "broken.xlsx").write_bytes(b"PK\x03\x04 and no more")
    given = [str(tmp_path / part) if part in ("people.csv", "broken.xlsx") else part for part in arguments]
    told = casewire_import(system, *given)
    assert told.returncode == status, told.stdout + told.stderr
    assert says in told.stdout + told.stderr
    assert "Traceback" not in told.stderr


def test_a_wrong_key_is_told(system: Embedded, tmp_path: Path) -> None:
    file = write(tmp_path / "people.csv", [HEADER, *rows(1, 500)])
    told = casewire_import(system, str(file), "--yes", key="wrong")
    assert (told.returncode, "Traceback" in told.stderr) == (1, False)


def test_ctrl_c_lets_it_go_on_and_says_how_to_watch_it(system: Embedded, tmp_path: Path) -> None:
    file = write(tmp_path / "people.csv", [HEADER, *rows(3000, 10_000)])
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy.cli", "import", str(file), "--yes"], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env=environment(system), stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    watching = next((line for line in process.stdout if line.startswith("Watching the import ")), None)
    assert watching is not None, process.communicate(timeout=60)[1]
    import_id = watching.split()[3].rstrip(".")
    with system.paused():
        process.send_signal(signal.SIGINT)
        said, wrong = process.communicate(timeout=60)
    assert process.returncode == 130, said + wrong
    assert f"casewire import --watch {import_id}" in said
    found = system.api.get(f"/v1/imports/{import_id}")
    assert (found["state"], found["progress"]["total"]) == ("running", 3000), "it ended before the Ctrl-C"
    told = casewire_import(system, "--watch", import_id)
    assert "Finished: 3,000 rows; 3,000 created" in told.stdout, told.stdout + told.stderr
    assert system.api.get("/v1/clients", q="Ann12999")["meta"]["total"] == 1


def test_an_import_killed_at_any_moment_ends_without_a_second_copy(tmp_path: Path) -> None:
    """On the embedded default: every process that takes rows in is killed several times in mid-work, and so is its
    undo."""
    count = 1300
    with embedded(tmp_path / "data") as system:
        content = io.StringIO()
        csv.writer(content).writerows([HEADER, *rows(count), ["Bea", "Lee", "12", ""]])
        made = system.api.post("/v1/imports", files={"file": ("people.csv", content.getvalue().encode())})
        path = f"/v1/imports/{made['id']}"
        system.api.post(f"{path}/preview", {"duplicates": "create"})
        system.api.post(f"{path}/run")
        _kill_at(system, path, [500, 1000])
        done = eventually(lambda: _state(system, path, "finished"), "the import", 120)
        assert done["counts"] == {"read": count + 1, "created": count, "updated": 0, "skipped": 0, "failed": 1}
        assert _names(system) == sorted(row[0] for row in rows(count))
        system.api.post(f"{path}/undo")
        _kill_at(system, path, [500])
        back = eventually(lambda: _state(system, path, "undone"), "the undo", 120)
        assert back["undo"]["counts"] == {"removed": count, "restored": 0, "conflicts": 0, "gone": 0}
        assert _names(system) == []
        twice = answer(system.api, "POST", f"{path}/undo", json={})
        assert (twice.status_code, twice.json()["code"]) == (409, "import_undone")
        _import_cases_through_kills(system, 700)


def _import_cases_through_kills(system: Embedded, count: int) -> None:
    """Every second case has a client whom nothing tells but a name: a second copy of one would be seen."""
    statuses = [{"name": "Open", "closed": False}, {"name": "Closed", "closed": True}]
    system.api.post("/v1/case-types", {"name": "Imported", "statuses": statuses})
    content = io.StringIO()
    table = [
        ["", f"Case {number}", f"Ann{number} Lee", f"ann{number}@example.com" if number % 2 else "", "Imported"]
        for number in range(count)
    ]
    csv.writer(content).writerows([["Number", "Name", "Client", "Email", "Type"], *table])
    files = {"file": ("cases.csv", content.getvalue().encode())}
    made = system.api.post("/v1/imports", files=files, data={"target": "cases"})
    path = f"/v1/imports/{made['id']}"
    system.api.post(f"{path}/preview", {})
    system.api.post(f"{path}/run")
    _kill_at(system, path, [500])
    done = eventually(lambda: _state(system, path, "finished"), "the import of cases", 120)
    assert done["counts"] == {"read": count, "created": count, "updated": 0, "skipped": 0, "failed": 0}
    assert done["clients_created"] == count
    assert _names(system) == sorted(f"Ann{number}" for number in range(count))
    listed = system.api.get("/v1/cases", limit=1)["meta"]["total"]
    assert (listed, system.api.get("/v1/cases", q=f"{count:06d}")["meta"]["total"]) == (count, 1)


def _kill_at(system: Embedded, path: str, places: list[int]) -> None:
    for place in places:
        eventually(lambda place=place: system.api.get(path)["progress"]["done"] >= place, "rows", 120)
        system.kill()
        system.start()


def _state(system: Embedded, path: str, state: str) -> dict[str, Any] | None:
    found: dict[str, Any] = system.api.get(path)
    return found if found["state"] == state else None


def _names(system: Embedded) -> list[str]:
    """Everybody's first name, by the export."""
    text = answer(system.api, "GET", "/v1/clients/export.csv").content.decode("utf-8-sig")
    return sorted(row["first_name"] for row in csv.DictReader(io.StringIO(text, newline="")))
