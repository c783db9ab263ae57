"""Programs are started as they are told to be."""

from __future__ import annotations

import sys
from pathlib import Path

from deploy.processes import start


def test_a_program_stands_back_as_far_as_it_is_told(tmp_path: Path) -> None:
    log = tmp_path / "log"
    program = [sys.executable, "-c", "import os; print(os.nice(0))"]
    own = start(program, folder=tmp_path, log=log, niceness=0)
    own.wait(30)
    behind = start(program, folder=tmp_path, log=log, niceness=7)
    behind.wait(30)
    first, second = map(int, log.read_text().split())
    assert second == min(first + 7, 19)
