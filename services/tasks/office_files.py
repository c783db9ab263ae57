"""Word documents and Excel workbooks that somebody uploads: archives of parts, none of which is believed."""

from __future__ import annotations

import re
import stat
import zipfile
import zlib
from typing import IO

from services.tasks.unfit_files import UnfitFile

_BLOCK = 64 * 1024
_MOST_PARTS = 5000
_MOST_UNPACKED = 300 * 1024 * 1024
_HIGHEST_RATIO = 250
_SMALL_PART = 8 * 1024 * 1024
"""Up to this size a part may be packed as tightly as it likes."""
_PROGRAMS = (
    ".exe", ".dll", ".com", ".scr", ".bat", ".cmd", ".ps1", ".vbs", ".js", ".jse", ".wsf", ".hta", ".jar", ".lnk",
    ".msi", "vbaproject.bin",
)  # fmt: skip
_MARKUP = (".xml", ".rels", ".vml")
_ENTITIES = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_OUTSIDE = re.compile(r"^[/\\]|^[a-z]:|(?:^|[/\\])\.\.(?:[/\\]|$)|[\x00-\x1f\\]", re.IGNORECASE)
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OSError, RuntimeError)
"""What reading an archive raises that is not what it says."""


def check_office_file(file: IO[bytes]) -> None:
    """Unpacks it once, to count what it really holds. Raises UnfitFile."""
    file.seek(0)
    try:
        with zipfile.ZipFile(file) as archive:
            _check_names(archive)
            _check_contents(archive)
    except UnfitFile:
        raise
    except _DAMAGE as error:
        raise UnfitFile("file_damaged", "The document is damaged or was cut off.") from error


def _check_names(archive: zipfile.ZipFile) -> None:
    parts = archive.infolist()
    names = [part.filename for part in parts]
    if len(parts) > _MOST_PARTS:
        raise _unpacks_too_large()
    if any(part.flag_bits & 1 for part in parts):
        raise UnfitFile("file_encrypted", "The document is protected by a password.")
    if (
        len(set(names)) < len(names)
        or any(_OUTSIDE.search(name) for name in names)
        or any(stat.S_ISLNK(part.external_attr >> 16) for part in parts)
        or any(part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for part in parts)
    ):
        raise UnfitFile("file_damaged", "The document's parts are not as they should be.")
    if any(name.lower().endswith(_PROGRAMS) for name in names):
        raise UnfitFile("file_not_safe", "The document carries a program.")


def _check_contents(archive: zipfile.ZipFile) -> None:
    total = 0
    for part in archive.infolist():
        size, before = 0, b""
        is_markup = part.filename.lower().endswith(_MARKUP)
        with archive.open(part) as content:
            # Counted, not read off the part's header: that is the sender's claim.
            while block := content.read(_BLOCK):
                size += len(block)
                total += len(block)
                too_dense = size > _SMALL_PART and size > _HIGHEST_RATIO * max(part.compress_size, 1)
                if too_dense or total > _MOST_UNPACKED:
                    raise _unpacks_too_large()
                # In UTF-16 every other byte is none.
                if is_markup and _ENTITIES.search((before + block).replace(b"\x00", b"")):
                    raise UnfitFile("file_not_safe", "The document declares entities, which no document needs.")
                before = block[-32:]


def _unpacks_too_large() -> UnfitFile:
    return UnfitFile("file_unpacks_too_large", "The document unpacks to far more than it is.")
