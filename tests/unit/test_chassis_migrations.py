"""Revisions that two branches add beside each other."""

from __future__ import annotations

from pathlib import Path

from chassis.migrations import disorder


def write(folder: Path, name: str, revision: str, after: str | None) -> None:
    named = "None" if after is None else f'"{after}"'
    (folder / name).write_text(f'"""A change."""\n\nrevision = "{revision}"\ndown_revision = {named}\n')


def test_two_revisions_with_one_number_or_after_the_same_one_are_told(tmp_path: Path) -> None:
    write(tmp_path, "0001_first.py", "0001", None)
    write(tmp_path, "0002_left.py", "0002", "0001")
    assert disorder(tmp_path) == []
    write(tmp_path, "0002_right.py", "0002", "0001")
    write(tmp_path, "0003_top.py", "0003", "0001")
    assert disorder(tmp_path) == [
        "0002_left.py and 0002_right.py are revision 0002",
        "0002_left.py and 0002_right.py and 0003_top.py come after 0001",
    ]
