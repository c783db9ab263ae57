"""What the supervisor starts again, and what a server's folder keeps."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deploy import postgres, supervisor
from deploy.supervisor import LONGEST_PAUSE, Supervisor, pause_after


@pytest.mark.parametrize(("failures", "seconds"), [(0, 0.5), (1, 1.0), (2, 2.0), (50, LONGEST_PAUSE)])
def test_what_keeps_dying_waits_longer_each_time(failures: int, seconds: float) -> None:
    assert pause_after(failures) == seconds


def test_what_has_died_for_days_is_still_started_again() -> None:
    assert pause_after(100_000) == LONGEST_PAUSE


def test_a_server_that_is_slow_to_come_back_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor.time, "sleep", lambda _: None)
    tries: list[str] = []

    def start() -> None:
        tries.append("")
        raise TimeoutError("PostgreSQL serves: not within 60 s")

    tending: Any = Supervisor.__new__(Supervisor)
    tending.postgres, tending.rabbitmq, tending.children = (
        SimpleNamespace(pid=None, start=start),
        SimpleNamespace(pid=1),
        [],
    )
    tending._write_state = lambda: None
    tending._tend()
    tending._tend()
    assert len(tries) == 2


@pytest.mark.parametrize(
    ("data", "left", "stays"), [("kept/data", True, True), ("else", True, True), ("else", False, False)]
)
def test_data_whose_password_is_lost_stays_unless_its_folder_was_emptied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: str, left: bool, stays: bool
) -> None:
    monkeypatch.setattr(postgres, "_unprivileged_user", lambda: None)
    monkeypatch.setattr(postgres.Postgres, "_data_folder", lambda _: tmp_path / data)
    (tmp_path / "kept").mkdir()
    if left:
        (tmp_path / "kept" / "server.log").touch()
    version = tmp_path / data / "PG_VERSION"
    version.parent.mkdir()
    version.touch()
    postgres.Postgres(tmp_path / "kept", port=1)
    assert version.exists() is stays
