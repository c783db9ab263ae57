"""Email that people write to us, on its way to messaging.

SES hands on what it received (https://docs.aws.amazon.com/ses/latest/dg/receiving-email-notifications-contents.html):
the message as it came, whose addresses were meant, and what its filters think of it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from typing import Any

from flask import g

from chassis.telemetry import log_of
from contracts import messaging
from contracts.errors import NotFound
from gateway.endpoints import call
from gateway.mime import File, read_letter

log = log_of(__name__)

Record = dict[str, Any]

MOST_FILES, LARGEST_FILE = 20, 10 * 1024 * 1024
LONGEST_BODY, LONGEST_SUBJECT, LONGEST_ADDRESS = 100_000, 998, 320
MOST_RECIPIENTS = 20


def receive(provider: str, told: Record) -> None:
    """Hands on one message for each address of ours that it was sent to. One for addresses that nobody has is left."""
    mail, receipt = told["mail"], told.get("receipt") or {}
    raw = _raw(told.get("content"), receipt)
    if raw is None:
        log.warning("inbound_email_without_content")
        return
    letter = read_letter(raw)
    envelope_sender, provider_id = str(mail.get("source") or ""), str(mail.get("messageId") or "")[:120]
    sender = letter.sender or envelope_sender
    if "@" not in sender or not provider_id:
        log.warning("inbound_email_without_sender")
        return
    hostile = _verdict(receipt, "virusVerdict") == "FAIL"
    media, fresh = ([], []) if hostile else _store(provider_id, letter.files)
    message = {
        "provider": provider,
        "provider_id": provider_id,
        "channel": "email",
        "from": sender[:LONGEST_ADDRESS],
        "subject": letter.subject[:LONGEST_SUBJECT] or None,
        "body": letter.body[:LONGEST_BODY],
        "automatic": hostile or letter.automatic or envelope_sender == "<>",
        "proven": _is_proven(receipt),
        "media": media,
    }
    recipients = list(dict.fromkeys(str(address)[:LONGEST_ADDRESS] for address in receipt.get("recipients") or []))
    taken = [_hand_on(message, recipient) for recipient in recipients[:MOST_RECIPIENTS]]
    if not any(taken):
        for key in fresh:
            g.files.delete(key)


def _hand_on(message: Record, recipient: str) -> bool:
    try:
        call(messaging.RECEIVE_INBOUND_MESSAGE, to=recipient, **message)
    except NotFound:
        # No sender of ours has this address: nothing to record, and nothing that a repeat would change.
        log.warning("inbound_for_unknown_sender")
        return False
    return True


def _raw(content: Any, receipt: Record) -> bytes | None:
    if not isinstance(content, str):
        return None
    if str((receipt.get("action") or {}).get("encoding", "")).upper() != "BASE64":
        return content.encode("utf-8", "replace")
    try:
        return base64.b64decode(content, validate=True)
    except binascii.Error:
        return None


def _is_proven(receipt: Record) -> bool:
    """Whether the message is from whom it says, as far as SES could tell. Without SES's verdicts there is no doubt."""
    dmarc, spf, dkim = (_verdict(receipt, name) for name in ("dmarcVerdict", "spfVerdict", "dkimVerdict"))
    if not (dmarc or spf or dkim) or dmarc == "PASS":
        return True
    return dmarc != "FAIL" and "PASS" in (spf, dkim)


def _verdict(receipt: Record, name: str) -> str:
    return str((receipt.get(name) or {}).get("status", ""))


def _store(provider_id: str, files: Sequence[File]) -> tuple[list[Record], list[str]]:
    """Puts attachments into the object store, under keys that are the same when the message comes again: (all of them,
    the keys that were not there before)."""
    folder = hashlib.sha256(provider_id.encode()).hexdigest()[:32]
    fitting = [file for file in files if len(file.content) <= LARGEST_FILE][:MOST_FILES]
    if len(fitting) < len(files):
        log.warning("inbound_files_left_out", count=len(files) - len(fitting))
    media: list[Record] = []
    fresh: list[str] = []
    for number, file in enumerate(fitting):
        key = f"inbound-email/{folder}/{number}"
        if not g.files.exists(key):
            g.files.put(key, file.content)
            fresh.append(key)
        media.append({"file_key": key, "filename": file.name[:255] or None, "content_type": file.content_type[:120]})
    return media, fresh
