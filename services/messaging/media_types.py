"""What a file is, judged by its content: what its sender calls it decides nothing."""

from __future__ import annotations

import re
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
}
"""The types that are kept, each with the ending of its files."""


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
    known = filetype.guess(file.read(HEAD))
    if known is not None:
        return Kind(known.mime) if known.mime in EXTENSIONS else None
    file.seek(0)
    return _judge_text(file.read())


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
