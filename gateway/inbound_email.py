"""Email that people write to us: from MIME to what messaging takes.

SES hands on what it received (https://docs.aws.amazon.com/ses/latest/dg/receiving-email-notifications-contents.html):
the message as it came, whose addresses were meant, and what its filters think of it.
"""

from __future__ import annotations

import base64
import binascii
import email.policy
import hashlib
import re
from email import message_from_bytes
from email.message import EmailMessage, MIMEPart
from email.utils import parseaddr
from html.parser import HTMLParser
from typing import Any

from flask import g

from chassis.telemetry import log_of
from contracts import messaging
from contracts.errors import NotFound
from gateway.endpoints import call

log = log_of(__name__)

Record = dict[str, Any]

MOST_FILES, LARGEST_FILE = 20, 10 * 1024 * 1024
LONGEST_BODY, LONGEST_SUBJECT = 100_000, 998
MOST_RECIPIENTS = 20
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_AUTOMATIC_SUBJECT = re.compile(
    r"\s*(automatic reply|auto(matic)?[- ]?(reply|response)|out of (the )?office|respuesta autom[aá]tica|"
    r"fuera de (la )?oficina|undeliver(able|ed)|delivery status notification|mail delivery)",
    re.I,
)


def receive(provider: str, told: Record) -> None:
    """Hands on one message for each address of ours that it was sent to. One for addresses that nobody has is left."""
    mail, receipt = told["mail"], told.get("receipt") or {}
    raw = _raw(told.get("content"), receipt)
    if raw is None:
        log.warning("inbound_email_without_content")
        return
    message = message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    sender = parseaddr(str(message.get("From", "")))[1] or str(mail.get("source") or "")
    if "@" not in sender:
        log.warning("inbound_email_without_sender")
        return
    provider_id = str(mail.get("messageId") or "")[:120]
    hostile = _verdict(receipt, "virusVerdict") == "FAIL"
    media = [] if hostile else _store_files(provider_id, message)
    taken = False
    for recipient in list(dict.fromkeys(str(address) for address in receipt.get("recipients") or []))[:MOST_RECIPIENTS]:
        try:
            call(
                messaging.RECEIVE_INBOUND_MESSAGE,
                provider=provider,
                provider_id=provider_id,
                channel="email",
                to=recipient[:320],
                subject=_one_line(str(message.get("Subject", "")))[:LONGEST_SUBJECT] or None,
                body=text_of(message)[:LONGEST_BODY],
                automatic=hostile or is_automatic(message, str(mail.get("source") or "")),
                media=media,
                **{"from": sender[:320]},
            )
            taken = True
        except NotFound:
            # No sender of ours has this address: nothing to record, and nothing that a repeat would change.
            log.warning("inbound_for_unknown_sender")
    if not taken:
        for file in media:
            g.files.delete(file["file_key"])


def _raw(content: Any, receipt: Record) -> bytes | None:
    if not isinstance(content, str):
        return None
    if str((receipt.get("action") or {}).get("encoding", "")).upper() != "BASE64":
        return content.encode("utf-8", "surrogateescape")
    try:
        return base64.b64decode(content, validate=True)
    except binascii.Error:
        return None


def _verdict(receipt: Record, name: str) -> str:
    return str((receipt.get(name) or {}).get("status", ""))


def _one_line(text: str) -> str:
    return " ".join(_CONTROLS.sub("", text).split())


def is_automatic(message: EmailMessage, envelope_sender: str) -> bool:
    """Whether a program wrote it: an out-of-office answer, a report of a failed delivery, a mailing list."""
    submitted = str(message.get("Auto-Submitted", "no")).partition(";")[0].strip().lower()
    precedence = str(message.get("Precedence", "")).strip().lower()
    return (
        submitted != "no"
        or precedence in ("bulk", "junk", "list", "auto_reply")
        or any(name in message for name in ("X-Autoreply", "X-Autorespond", "X-Auto-Response-Suppress"))
        or message.get_content_type() == "multipart/report"
        or envelope_sender == "<>"
        or _AUTOMATIC_SUBJECT.match(str(message.get("Subject", ""))) is not None
    )


def text_of(message: EmailMessage) -> str:
    """The text part; of a message that has only a page, the words of the page."""
    part = message.get_body(preferencelist=("plain", "html"))
    if part is None:
        return ""
    text = _decoded(part)
    if part.get_content_type() == "text/html":
        text = _words_of(text)
    return _CONTROLS.sub("", text.replace("\r\n", "\n")).strip()


def _decoded(part: MIMEPart) -> str:
    try:
        return str(part.get_content())
    except (LookupError, UnicodeError, KeyError):
        # A charset that nobody knows: what is ASCII in it is still readable.
        payload = part.get_payload(decode=True)
        return payload.decode("ascii", "replace") if isinstance(payload, bytes) else ""


def _store_files(provider_id: str, message: EmailMessage) -> list[Record]:
    """Puts attachments into the object store, under keys that are the same when the message comes again."""
    folder = hashlib.sha256(provider_id.encode()).hexdigest()[:32]
    media: list[Record] = []
    for part in message.iter_attachments():
        content = part.get_payload(decode=True)
        if not isinstance(content, bytes) or not content or len(media) == MOST_FILES:
            continue
        if len(content) > LARGEST_FILE:
            log.warning("inbound_file_too_large", size=len(content))
            continue
        key = f"inbound-email/{folder}/{len(media)}"
        g.files.put(key, content)
        name = _one_line(part.get_filename() or "").rpartition("/")[2].rpartition("\\")[2]
        media.append({"file_key": key, "filename": name[:255] or None, "content_type": part.get_content_type()[:120]})
    return media


class _Words(HTMLParser):
    """The text of a page, a line for each block."""

    _BLOCKS = frozenset({"p", "div", "br", "li", "tr", "h1", "h2", "h3", "h4", "table", "blockquote", "hr"})
    _SILENT = frozenset({"script", "style", "head", "title", "template"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent = 0
        self._quoted = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self._SILENT:
            self._silent += 1
        if tag == "blockquote":
            self._quoted += 1
        if tag in self._BLOCKS:
            self._break()

    def handle_endtag(self, tag: str) -> None:
        if tag in self._SILENT and self._silent:
            self._silent -= 1
        if tag in self._BLOCKS:
            if tag == "blockquote" and self._quoted:
                self._quoted -= 1
            self._break()

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(re.sub(r"\s+", " ", data))

    def _break(self) -> None:
        # As in a text part, what is quoted is marked, so that it is not taken for the writer's own words.
        self.parts.append("\n" + "> " * self._quoted)


def _words_of(page: str) -> str:
    words = _Words()
    words.feed(page)
    words.close()
    lines = (line.strip() for line in "".join(words.parts).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line for line in lines if line.strip("> ") or not line))
