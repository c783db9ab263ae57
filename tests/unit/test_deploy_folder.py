"""A deployment's folder: who may enter it."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.folder import UP_MODE, Folder, FolderInUse


def mode_of(folder: Path) -> int:
    return folder.stat().st_mode & 0o777


def test_who_only_reads_in_a_folder_shuts_nobody_out_of_it(tmp_path: Path) -> None:
    """PostgreSQL, as a user of its own, opens files in it long after its start."""
    held = Folder(tmp_path / "data", UP_MODE)
    held.hold()
    held.keep("api-key", "cw_1")
    assert mode_of(held.path) == UP_MODE
    other = Folder(held.path)
    assert other.kept("api-key") == "cw_1"
    with pytest.raises(FolderInUse):
        other.hold()
    assert mode_of(held.path) == UP_MODE
    held.release()
    other.hold()
    assert mode_of(held.path) == 0o700
    other.release()
