"""Is this file one that may be kept as an answer? Judged by its content alone: no database, no store, no clock.

What somebody will open must be one thing, of the kind that it is kept as: no picture that is also a page or an archive,
no document that unpacks to far more than it is, reads other files or carries a program, no flood of pixels.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Iterator
from typing import IO

from PIL import Image

from chassis.file_kinds import Kind, judge
from contracts.tasks import FILE_TYPES
from services.tasks.office_files import check_office_file
from services.tasks.unfit_files import UnfitFile

_BLOCK = 256 * 1024
_OVERLAP = 64
_PICTURES = {"image/jpeg": "JPEG", "image/png": "PNG", "image/gif": "GIF", "image/webp": "WEBP"}
_MOST_PIXELS = 150_000_000
_LONGEST_SIDE = 30_000
_BEGINNING = 1024
"""Bytes among which readers of PDF look for its mark."""
_PAGE = re.compile(rb"<(?:script|html|svg|!doctype\s+html|\?php|iframe|body)\b", re.IGNORECASE)
_ARCHIVE_END = b"PK\x05\x06"
_LONGEST_COMMENT = 65_535 + 22


def examine(file: IO[bytes], wanted: Collection[str] = ()) -> Kind:
    """What a file is. `wanted`: the endings that the question takes; none: all of `contracts.tasks.FILE_TYPES`.

    Raises UnfitFile.
    """
    if not file.seek(0, 2):
        raise UnfitFile("file_empty", "The file is empty.")
    kind = judge(file)
    if kind is None or kind.extension not in (wanted or FILE_TYPES):
        taken = ", ".join(sorted(wanted or FILE_TYPES))
        raise UnfitFile("file_type_not_allowed", f"Not a file of one of these kinds: {taken}.", types=taken)
    if kind.extension in ("docx", "xlsx"):
        check_office_file(file)
    elif not kind.content_type.startswith("text/"):
        if kind.content_type in _PICTURES:
            _check_picture(file, _PICTURES[kind.content_type])
        _demand_one_thing(file, kind)
    return kind


def _check_picture(file: IO[bytes], format_: str) -> None:
    """Its size is known before a pixel is decoded."""
    file.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(file, formats=(format_,)) as image:
                width, height = image.size
    except Image.DecompressionBombError as error:
        raise _too_many_pixels() from error
    except Exception as error:
        # Pillow raises what its decoders do: OSError, SyntaxError, ValueError, struct.error and others.
        raise UnfitFile("file_damaged", "The picture cannot be read.") from error
    if max(width, height) > _LONGEST_SIDE or width * height > _MOST_PIXELS:
        raise _too_many_pixels()


def _too_many_pixels() -> UnfitFile:
    return UnfitFile("picture_too_large", "The picture has too many pixels.")


def _demand_one_thing(file: IO[bytes], kind: Kind) -> None:
    """Refuses what another program would take for a page, an archive or a PDF besides."""
    is_pdf = kind.extension == "pdf"
    file.seek(0)
    beginning = file.read(_BEGINNING)
    if is_pdf:
        # Further on, a PDF may hold pages of markup as what it is about.
        if _PAGE.search(beginning):
            raise _two_things()
        if not any(b"%%EOF" in block for block in _blocks(file)):
            raise UnfitFile("file_damaged", "The PDF is cut off.")
    elif b"%PDF-" in beginning or any(_PAGE.search(block) for block in _blocks(file)):
        raise _two_things()
    size = file.seek(0, 2)
    file.seek(max(0, size - _LONGEST_COMMENT))
    if _ends_as_archive(file.read()):
        raise _two_things()


def _ends_as_archive(tail: bytes) -> bool:
    found = tail.rfind(_ARCHIVE_END)
    return found >= 0 and len(tail) - found >= 22


def _two_things() -> UnfitFile:
    return UnfitFile("file_not_safe", "The file is more than the one thing that it begins as.")


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    """The whole of it in parts that overlap, so that nothing lies across a border."""
    file.seek(0)
    before = b""
    while block := file.read(_BLOCK):
        yield before + block
        before = block[-_OVERLAP:]
