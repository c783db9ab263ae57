"""The main job, end to end, as a new user runs it: it checks its own outcome and says so by its exit status."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("backend", ["embedded", "distributed"])
def test_the_demonstration_ends_as_it_should(backend: str, tmp_path: Path) -> None:
    """In a folder of its own, so that a demonstration that runs on this machine is left alone; with fewer cases than
    `make demo` opens, of which everything happens to some."""
    told = subprocess.run(
        [sys.executable, "-m", "deploy.cli", "demo", "--backend", backend],
        cwd=_workplace(tmp_path), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "DEMO_CASES": "120", "DEMO_EXIT": "1", "PORT": "0", "PYTHONPATH": str(ROOT)}, timeout=400,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout[-6000:]
    for said in (
        "no text was begun after a STOP was committed", "a blank answer cleared a phone", "the rule ran once",
        "the email address that was answered is in the client's record", "in Spanish", "api key",
    ):  # fmt: skip
        assert said in told.stdout
    assert "✗" not in told.stdout


def _workplace(tmp_path: Path) -> Path:
    """`var/demo` is made where the command runs. PostgreSQL's user must be able to enter the folder."""
    for folder in (tmp_path, *tmp_path.parents):
        if str(folder).startswith(os.environ.get("TMPDIR", "/tmp")) and folder.owner() == Path.home().owner():  # noqa: S108
            folder.chmod(folder.stat().st_mode | 0o011)
    return tmp_path
