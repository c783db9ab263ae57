"""What a file is, judged by its content: what its sender calls it decides nothing."""

from __future__ import annotations

import codecs
import re
import struct
import unicodedata
import zipfile
from dataclasses import dataclass
from typing import IO

import filetype

HEAD = 8192
"""Bytes that a file is known by."""
_LONGEST_NAME = 100
_BLOCK = 64 * 1024
_LARGEST_DIRECTORY = 1024 * 1024
"""Bytes of an archive's table of contents: to read one takes many times its size in memory."""
_END_OF_DIRECTORY = struct.Struct("<4s4H2IH")
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
    return _judge_text(file)


def _judge_office(file: IO[bytes]) -> Kind | None:
    """A document or a spreadsheet by its table of contents, which is all that is read; none that carries a program."""
    if not _is_plain_archive(file):
        return None
    try:
        with zipfile.ZipFile(file) as archive:
            names = {name.lower() for name in archive.namelist()}
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return None
    if "[content_types].xml" not in names or any(name.endswith("vbaproject.bin") for name in names):
        return None
    found = [ending for part, ending in _OFFICE.items() if part in names]
    return next((Kind(mime) for mime, ending in EXTENSIONS.items() if [ending] == found), None)


def _is_plain_archive(file: IO[bytes]) -> bool:
    """Whether an archive ends with its table of contents, of a size that can be read, and nothing stands before it."""
    size = file.seek(0, 2)
    if size < _END_OF_DIRECTORY.size:
        return False
    file.seek(size - _END_OF_DIRECTORY.size)
    mark, *_, length, begin, comment = _END_OF_DIRECTORY.unpack(file.read(_END_OF_DIRECTORY.size))
    whole: bool = mark == b"PK\x05\x06" and not comment and begin + length + _END_OF_DIRECTORY.size == size
    return whole and length <= _LARGEST_DIRECTORY


def _judge_text(file: IO[bytes]) -> Kind | None:
    """Plain text and address cards have no signature: all of it must be text, and none of it a page."""
    file.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    beginning = ""
    try:
        while block := file.read(_BLOCK):
            text = decoder.decode(block)
            if _CONTROL.search(text):
                return None
            if len(beginning) < HEAD:
                beginning = (beginning + text).lstrip()
        decoder.decode(b"", True)
    except UnicodeDecodeError:
        return None
    if not beginning or _MARKUP.match(beginning):
        return None
    return Kind("text/vcard" if beginning[:11].upper() == "BEGIN:VCARD" else "text/plain")


def clean_name(given: str | None, otherwise: str, kind: Kind) -> str:
    """A file's name without folders and odd characters, with the ending of what it is."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", given or ""))[-1]
    stem = _NAME.sub(_marks_or_underscore, last.rpartition(".")[0] or last).strip(" ._-")[:_LONGEST_NAME]
    return f"{stem or otherwise}.{kind.extension}"


def _marks_or_underscore(odd: re.Match[str]) -> str:
    """Of odd characters the signs that letters bear, as in Hindi, which are no letters by themselves."""
    return "".join(mark for mark in odd[0] if unicodedata.category(mark) in ("Mn", "Mc")) or "_"
