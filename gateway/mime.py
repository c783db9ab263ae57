"""An email as it came, read: who wrote it, in which words, and what is attached.

Programs write MIME in every way there is, and the library's reader fails on some of it. A letter is never lost for
that: what cannot be taken apart is kept as the text that it is.
"""

from __future__ import annotations

import email.policy
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage, Message, MIMEPart
from email.utils import parseaddr

from chassis.telemetry import log_of

log = log_of(__name__)

_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_AUTOMATIC_SUBJECT = re.compile(
    r"\s*(automatic reply|auto(matic)?[- ]?(reply|response)|out of (the )?office|respuesta autom[aá]tica|"
    r"fuera de (la )?oficina|undeliver(able|ed)|delivery status notification|mail delivery)",
    re.I,
)


@dataclass(frozen=True)
class File:
    """An attachment. `name` has no path; `content_type` is what the sender says."""

    name: str
    content_type: str
    content: bytes


@dataclass(frozen=True)
class Letter:
    """`sender`: the address alone, empty if there is none. `automatic`: a program wrote it by itself."""

    sender: str
    subject: str
    body: str
    automatic: bool = False
    files: list[File] = field(default_factory=list)


def read_letter(raw: bytes) -> Letter:
    """An email from its source. Does not raise, whatever it holds."""
    try:
        message = message_from_bytes(raw, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        return Letter(
            sender=parseaddr(str(message.get("From", "")))[1],
            subject=_one_line(str(message.get("Subject", ""))),
            body=_text_of(message),
            automatic=_is_automatic(message),
            files=list(_files_of(message)),
        )
    except Exception as error:
        log.warning("email_not_taken_apart", error=type(error).__name__)
    plain: Message = message_from_bytes(raw)
    _, _, rest = raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    return Letter(
        sender=parseaddr(str(plain.get("From", "")))[1],
        subject=_one_line(str(plain.get("Subject", ""))),
        body=_cleaned(rest.decode("utf-8", "replace")),
    )


def _one_line(text: str) -> str:
    return " ".join(_CONTROLS.sub("", text).split())


def _cleaned(text: str) -> str:
    return _CONTROLS.sub("", text.replace("\r\n", "\n")).strip()


def _is_automatic(message: EmailMessage) -> bool:
    submitted = str(message.get("Auto-Submitted", "no")).partition(";")[0].strip().lower()
    precedence = str(message.get("Precedence", "")).strip().lower()
    return (
        submitted != "no"
        or precedence in ("bulk", "junk", "list", "auto_reply")
        or any(name in message for name in ("X-Autoreply", "X-Autorespond", "X-Auto-Response-Suppress"))
        or message.get_content_type() == "multipart/report"
        or str(message.get("Return-Path", "")).strip() == "<>"
        or _AUTOMATIC_SUBJECT.match(str(message.get("Subject", ""))) is not None
    )


def _text_of(message: EmailMessage) -> str:
    """The text part; of a message that has only a page, the words of the page."""
    part = message.get_body(preferencelist=("plain", "html"))
    if part is None:
        return ""
    text = _decoded(part)
    return _cleaned(words_of(text) if part.get_content_type() == "text/html" else text)


def _decoded(part: MIMEPart) -> str:
    try:
        return str(part.get_content())
    except (LookupError, UnicodeError):
        # A charset that nobody knows: what is ASCII in it is still readable.
        payload = part.get_payload(decode=True)
        return payload.decode("ascii", "replace") if isinstance(payload, bytes) else ""


def _files_of(message: EmailMessage) -> Iterator[File]:
    for part in message.iter_attachments():
        content = part.get_payload(decode=True)
        if isinstance(content, bytes) and content:
            name = _one_line(part.get_filename() or "").rpartition("/")[2].rpartition("\\")[2]
            yield File(name, part.get_content_type(), content)


_BLOCKS = frozenset({"p", "div", "br", "li", "tr", "h1", "h2", "h3", "h4", "table", "blockquote", "hr"})
_SILENT = frozenset({"script", "style", "title", "template"})
_TAG = re.compile(r"(/?)([a-z][^\s/>]*)", re.IGNORECASE)
_WITH_VALUES, _LONGEST_TAG = re.compile(r"""(?:[^"'>]|"[^"]*"|'[^']*')*+>"""), 1_000
"""The rest of a tag, whose values may hold a `>`; of one that is longer, the first `>` is its end."""
_CLOSING = {name: re.compile(f"</{name}", re.IGNORECASE) for name in ("script", "style")}
_MOST_QUOTED = 50
"""How deep what is quoted is marked as such."""


class _Words:
    """The text of a page, a line for each block. What is quoted is marked, as it is in a text part, so that it is not
    taken for the writer's own words.

    Anybody may send a page: it is looked through once, from one sign to the next, whatever it holds. (Python's own
    parser looks through the rest of it at each tag that does not end, and raises AssertionError at some.)
    """

    def __init__(self) -> None:
        self.parts: list[str] = []
        self._silent = 0
        self._quoted = 0

    def read(self, page: str) -> None:
        """Takes the whole of a page."""
        place = 0
        while (begin := page.find("<", place)) >= 0:
            self._add(page[place:begin])
            tag = _TAG.match(page, begin + 1)
            if tag is None and page[begin + 1 : begin + 2] not in ("!", "?", "/"):
                self._add("<")  # of a text, like 1 < 2
                place = begin + 1
                continue
            ending = "-->" if page.startswith("<!--", begin) else ">"
            end = page.find(ending, begin + 1)
            if end < 0:
                place = begin
                break
            if tag is not None and (whole := _WITH_VALUES.match(page, tag.end(), tag.end() + _LONGEST_TAG)):
                end = whole.end() - 1
            place = end + len(ending)
            if tag is not None:
                # What ends where it begins, like <title/>, holds nothing.
                by = -1 if tag[1] else 0 if page[end - 1] == "/" else 1
                self._turn(tag[2].lower(), by)
                if by > 0 and (closing := _CLOSING.get(tag[2].lower())):
                    # In programs and styles nothing is a tag.
                    found = closing.search(page, place)
                    place = len(page) if found is None else found.start()
        self._add(page[place:])

    def _turn(self, tag: str, by: int) -> None:
        self._silent = max(0, self._silent + by * (tag in _SILENT))
        self._quoted = max(0, self._quoted + by * (tag == "blockquote"))
        if tag in _BLOCKS:
            self.parts.append("\n" + "> " * min(self._quoted, _MOST_QUOTED))

    def _add(self, text: str) -> None:
        if text and not self._silent:
            self.parts.append(re.sub(r"\s+", " ", html.unescape(text)))


def words_of(page: str) -> str:
    """The words of a page, without its markup."""
    words = _Words()
    words.read(page)
    lines = (line.strip() for line in "".join(words.parts).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line for line in lines if line.strip("> ") or not line))
