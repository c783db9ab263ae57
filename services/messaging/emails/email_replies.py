"""What somebody wrote into an email of their own, without our message that their program quoted below it."""

from __future__ import annotations

import re

_QUOTE_BEGINS = re.compile(
    r"^(?:"
    r"on\b.{0,200}\bwrote:?"  # Gmail, Apple Mail
    r"|el\b.{0,200}\bescribi[oó]:?"
    r"|le\b.{0,200}\ba [ée]crit ?:?"
    r"|em\b.{0,200}\bescreveu:?"
    r"|am\b.{0,200}\bschrieb\b.{0,80}:?"
    r"|-{2,} ?(?:original message|mensaje original|forwarded message|mensaje reenviado) ?-{2,}"
    r"|_{10,}"  # Outlook
    r"|(?:from|de|von): .+"
    r")$",
    re.IGNORECASE,
)
_SIGNATURE_BEGINS = re.compile(r"^(?:-- ?|(?:sent from|get outlook for|enviado desde) .{0,80})$", re.IGNORECASE)
_ANSWER_MARKS = re.compile(r"^(?:(?:re|fwd?|aw|sv|rv|res|tr|wg)(?:\[\d+\])? ?: *)+", re.IGNORECASE)


def own_words(body: str) -> str:
    """The lines before the quoted message and the signature, less those that begin with `>`."""
    kept: list[str] = []
    lines = [line.strip() for line in body.splitlines()]
    for number, line in enumerate(lines):
        # "On Monday … <office@…>" is often broken in two before its "wrote:".
        joined = f"{line} {lines[number + 1]}" if number + 1 < len(lines) else line
        if _QUOTE_BEGINS.match(line) or (len(line) > 20 and _QUOTE_BEGINS.match(joined) and "@" in joined):
            break
        if _SIGNATURE_BEGINS.match(line):
            break
        if not line.startswith(">"):
            kept.append(line)
    return "\n".join(kept).strip()


def subject_words(subject: str) -> str:
    """A subject that its writer chose: one that answers ours (`Re: …`) is ours."""
    return "" if _ANSWER_MARKS.match(subject.strip()) else subject.strip()
