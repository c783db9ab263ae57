"""What a file is, judged by its content: what its sender calls it decides nothing."""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from typing import IO

import filetype

HEAD = 8192
"""Bytes that a file is known by."""
_LONGEST_NAME = 100
_NAME = re.compile(r"[^\w. -]+")
# A page or a picture that holds a program begins with a tag, perhaps after a comment or a declaration: all with "<".
_MARKUP = re.compile(r"^\s*<")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")

EXTENSIONS = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/gif": "gif",
    "image/webp": "webp",
    "image/heic": "heic",
    "application/pdf": "pdf",
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg",
    "audio/amr": "amr",
    "audio/mp4": "m4a",
    "video/mp4": "mp4",
    "video/3gpp": "3gp",
    "text/vcard": "vcf",
    "text/plain": "txt",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
}
"""The types that are kept, each with the ending of its files."""


_OFFICE = {"word/document.xml": "docx", "xl/workbook.xml": "xlsx"}
"""The part that makes an archive a document."""


@dataclass(frozen=True)
class Kind:
    """A type that is kept."""

    content_type: str

    @property
    def extension(self) -> str:
        """The ending of its files, without the dot."""
        return EXTENSIONS[self.content_type]


def judge(file: IO[bytes]) -> Kind | None:
    """The type of a file that is kept, or None. Reads it from the beginning."""
    file.seek(0)
    head = file.read(HEAD)
    if head.startswith(b"PK"):
        return _judge_office(file)
    known = filetype.guess(head)
    if known is not None:
        return Kind(known.mime) if known.mime in EXTENSIONS else None
    file.seek(0)
    return _judge_text(file.read())


def _judge_office(file: IO[bytes]) -> Kind | None:
    """A document or a spreadsheet by its table of contents, which is all that is read; none that carries a program."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = {name.lower() for name in archive.namelist()}
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return None
    if "[content_types].xml" not in names or any(name.endswith("vbaproject.bin") for name in names):
        return None
    found = [ending for part, ending in _OFFICE.items() if part in names]
    return next((Kind(mime) for mime, ending in EXTENSIONS.items() if [ending] == found), None)


def _judge_text(content: bytes) -> Kind | None:
    """Plain text and address cards have no signature: all of it must be text, and none of it a page."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    if not text.strip() or _CONTROL.search(text) or _MARKUP.match(text):
        return None
    return Kind("text/vcard" if text.lstrip()[:11].upper() == "BEGIN:VCARD" else "text/plain")


def clean_name(given: str | None, otherwise: str, kind: Kind) -> str:
    """A file's name without folders and odd characters, with the ending of what it is."""
    last = re.split(r"[/\\]", given or "")[-1]
    stem = _NAME.sub("_", last.rpartition(".")[0] or last).strip(" ._-")[:_LONGEST_NAME]
    return f"{stem or otherwise}.{kind.extension}"
