"""A deployment's folder on this machine: its secrets, its lock, and what it tells the programs that use it."""

from __future__ import annotations

import fcntl
import secrets
from pathlib import Path
from typing import IO

UP_MODE = 0o711
"""PostgreSQL's own user must reach its folder inside."""


class FolderInUse(Exception):
    """Another process serves from this folder; the message is one sentence."""


class Folder:
    """A folder whose files only its owner can list; `mode` UP_MODE lets others enter a folder in it that they know. It
    is the mode of whoever holds the folder: who only reads in it must not shut out a database that runs there."""

    def __init__(self, path: Path, mode: int = 0o700) -> None:
        self.path = path.resolve()
        self.path.mkdir(mode, parents=True, exist_ok=True)
        self._mode = mode
        self._lock: IO[str] | None = None

    def hold(self) -> None:
        """Keep every other process from serving from this folder, until this one ends. Raises FolderInUse."""
        self._lock = (self.path / "lock").open("a")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.release()
            raise FolderInUse(f"Casewire runs already on {self.path}: end it, or choose another folder.") from None
        self.path.chmod(self._mode)

    def release(self) -> None:
        """Let the folder go."""
        if self._lock:
            self._lock.close()
            self._lock = None

    def secret(self, name: str) -> str:
        """A random text that is made once and kept in a file of this name."""
        return self.kept(name) or self.keep(name, secrets.token_urlsafe(32))

    def kept(self, name: str) -> str | None:
        """What was kept under this name."""
        file = self.path / name
        return file.read_text().strip() if file.exists() else None

    def keep(self, name: str, text: str) -> str:
        """Write a file that only its owner can read; it is there whole or not at all."""
        draft = self.path / f".{name}.draft"
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        draft.write_text(text + "\n")
        draft.replace(self.path / name)
        return text
