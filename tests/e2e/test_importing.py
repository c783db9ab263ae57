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
    count = 2500
    with embedded(tmp_path / "data") as system:
        content = io.StringIO()
        csv.writer(content).writerows([HEADER, *rows(count), ["Bea", "Lee", "12", ""]])
        made = system.api.post("/v1/imports", files={"file": ("people.csv", content.getvalue().encode())})
        path = f"/v1/imports/{made['id']}"
        system.api.post(f"{path}/preview", {"duplicates": "create"})
        system.api.post(f"{path}/run")
        _kill_at(system, path, [500, 1500])
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
