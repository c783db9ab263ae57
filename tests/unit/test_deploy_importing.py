"""`casewire import`: what it shows while the system looks what a run would do."""

from __future__ import annotations

import io
import threading
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from deploy import importing


class SlowApi:
    """A system that answers a preview only when it was asked twice how far it is, or was told to end it."""

    def __init__(self, *, interrupted: bool = False) -> None:
        self._interrupted = interrupted
        self._ends = threading.Event()
        self.asked = 0
        self.cancelled = False

    def upload(self, file: Path, target: str, sheet: str | None) -> dict[str, Any]:
        return {
            "id": "1", "columns": ["A"], "suggested_mapping": {"A": "first_name"}, "filename": file.name,
            "progress": {"done": 0, "total": 9},
        }  # fmt: skip

    def preview(self, import_id: str, settings: Any) -> dict[str, Any]:
        assert self._ends.wait(30)
        if self.cancelled:
            raise importing.Refused("It ended. (import_ended)")
        counts = {"read": 9, "created": 9, "updated": 0, "skipped": 0, "failed": 0}
        return {"counts": counts, "error_counts": {}, "rows": []}

    def get(self, import_id: str) -> dict[str, Any]:
        self.asked += 1
        if self._interrupted:
            raise KeyboardInterrupt
        if self.asked == 2:
            self._ends.set()
        return {"progress": {"done": self.asked * 3, "total": 9}, "state": "previewing"}

    def cancel(self, import_id: str) -> None:
        self.cancelled = True
        self._ends.set()


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch) -> Console:
    """A terminal of its own, asked for how far it is without a pause."""
    monkeypatch.setattr(importing, "_PAUSE", 0.01)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    return Console(file=io.StringIO(), force_terminal=True, width=100, highlight=False)


def said(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_how_far_a_preview_is_is_shown(console: Console, tmp_path: Path) -> None:
    api: Any = SlowApi()
    assert importing.take_in(api, tmp_path / "people.csv", console=console) == importing.DECLINED
    assert api.asked >= 2
    assert "6/9" in said(console)
    assert "Preview: 9 rows; 9 created" in said(console)


def test_ctrl_c_ends_a_preview(console: Console, tmp_path: Path) -> None:
    api: Any = SlowApi(interrupted=True)
    assert importing.take_in(api, tmp_path / "people.csv", console=console, sure=True) == importing.DECLINED
    assert api.cancelled
    assert "Nothing was imported." in said(console)


def test_rows_that_failed_and_may_not_be_seen_leave_an_import_that_ended_well(console: Console, tmp_path: Path) -> None:
    class Api(SlowApi):
        def get(self, import_id: str) -> dict[str, Any]:
            counts = {"read": 9, "created": 7, "updated": 0, "skipped": 0, "failed": 2}
            return {"progress": {"done": 9, "total": 9}, "state": "finished", "counts": counts, "error_counts": {},
                    "rows": [], "filename": "people.csv"}  # fmt: skip

        def save_errors(self, found: Any, folder: Path, name: str) -> Path:
            raise importing.Refused("Sensitive. (permission_denied)")

    status = importing.watch(Api(), "1", folder=tmp_path, console=console)  # type: ignore[arg-type]
    assert status == importing.SOME_ROWS_FAILED
    assert "The rows that failed were not handed out: Sensitive. (permission_denied)" in said(console)


def test_what_an_empty_cell_means_is_said_by_field() -> None:
    assert importing.read_defaults(["case_type=Probate", "client.external_source=a=b"]) == {
        "case_type": "Probate", "client.external_source": "a=b",
    }  # fmt: skip
    with pytest.raises(importing.Refused, match="FIELD=VALUE, not Probate"):
        importing.read_defaults(["Probate"])
