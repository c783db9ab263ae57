"""What an inbound text asks for: stop, start, help, or nothing of the kind. Pure rules, English and Spanish.

Four layers, the surest first: a keyword alone in the message; a sentence whose plain meaning is a revocation; a
sentence that only might be one; a message that no rule knows, but that is much like revocations that people have
labelled. The last two are not `confident`: the caller blocks first and asks a person afterwards.
The rules lean towards blocking, since a message sent to somebody who said stop is the worse mistake; but a message that
uses a stop word for something else ("stop by the office at 3") is no revocation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from rapidfuzz.distance import OSA

from services.messaging.revocations.likeness import LIKENESS, Likeness
from services.messaging.revocations.rules import find_revocation
from services.messaging.revocations.spelling import normalise

RULE_VERSION = "2026-3"
"""Kept with every ledger entry that these rules produced. Grows whenever a rule or a labelled message changes."""

Kind = Literal["stop", "start", "help", "none"]

STOP_WORDS = frozenset({
    "stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout", "alto", "parar", "pare",
    "baja", "cancelar",
})  # fmt: skip
START_WORDS = frozenset(["start", "unstop"])
YES_WORDS = frozenset(["yes", "si"])
HELP_WORDS = frozenset(["help", "info", "ayuda"])

_COURTESY = frozenset({
    "please", "pls", "plz", "now", "thanks", "thank", "you", "ok", "okay", "all", "just", "sms", "texts",
    "por", "favor", "gracias", "ya",
})  # fmt: skip
_NOT_TYPOS = frozenset(
    ("shop", "step", "stoop", "stops", "band", "send", "bend", "tend", "lend", "quite", "quiet", "suit", "bajo")
)


_OUR_MESSAGES = (
    r"(?:\w+ ){0,4}?(?:texts?|text messages?|messages|sms|reminders|updates|notifications|alerts|emails?|calls)\b"
)
_NUESTROS_MENSAJES = r"(?:\w+ ){0,4}?(?:mensajes?|textos?|sms|recordatorios|avisos|correos?|llamadas|notificaciones)\b"
_ASKS_TO_START = re.compile(
    r"\b(?:reply|replying|text|respond|answer|send|say) (?:back )?(?:with )?(?:the word )?(?:yes|start)\b"
    r"(?: or \w+)? (?:if you (?:would like|want|agree|wish) |in order )?to (?:get|receive|start|begin|allow|accept|"
    rf"keep|continue|opt in|sign up|subscribe|agree|consent|turn on) {_OUR_MESSAGES}"
    r"|\b(?:may|can|could) we (?:text|message|email|call|contact) you\b(?: \w+){0,20} (?:yes|start)\b"
    rf"|\b(?:would you like|do you (?:want|agree|consent)) to {_OUR_MESSAGES}(?: \w+){{0,20}} (?:yes|start)\b"
    r"|\b(?:responda|conteste|envie|escriba|diga) (?:con )?(?:la palabra )?(?:si|start)\b(?: o \w+)? (?:si (?:desea|"
    rf"quiere|acepta) |para )(?:recibir|aceptar|empezar|autorizar|permitir|seguir) {_NUESTROS_MENSAJES}"
)


@dataclass(frozen=True)
class Context:
    """What is known of the sender when the message came in."""

    opted_out: bool = False
    """The address is opted out of this channel now."""
    asked_to_start: bool = False
    """Our last message to this address asked whether it wants messages."""


@dataclass(frozen=True)
class Classification:
    """`rule` names the rule that decided, for the ledger. `confident` is false where a person should look at it."""

    kind: Kind
    rule: str
    confident: bool = True


LIKE_OTHERS = "likeness"
"""How a rule's name begins that is none: likeness to labelled messages."""

NOTHING = Classification("none", "none")


def asks_to_start(text: str) -> bool:
    """Whether a message of ours asks its reader to say yes to messages, and not to something else."""
    return _ASKS_TO_START.search(normalise(text)) is not None


def classify(text: str, context: Context = Context(), likeness: Likeness = LIKENESS) -> Classification:
    """What `text` asks for. A message of many words is judged by its plain meaning, a short one by its keyword."""
    plain = normalise(text)
    if not plain:
        return _plain_language(text) or NOTHING
    return _keyword(plain, context) or _plain_language(text) or _like_others(text, likeness) or NOTHING


def _keyword(plain: str, context: Context) -> Classification | None:
    words = plain.split()
    joined = "".join(words)
    if joined in STOP_WORDS or joined in {"stopstop", "optmeout"}:
        return Classification("stop", f"keyword:{joined}")
    if joined in START_WORDS:
        return Classification("start", f"keyword:{joined}")
    if joined in HELP_WORDS:
        return Classification("help", f"keyword:{joined}")
    if joined in YES_WORDS:
        asked = context.opted_out or context.asked_to_start
        return Classification("start", f"keyword:{joined}") if asked else None
    core = [word for word in words if word not in _COURTESY]
    if core and len(words) <= 6 and len(set(core)) == 1 and _ceases(core[0]):
        return Classification("stop", f"keyword:{core[0]}")
    if core[:2] == ["opt", "out"] and len(words) <= 5:
        return Classification("stop", "keyword:optout")
    return _typo(words)


def _ceases(word: str) -> bool:
    """Only the words that keep their meaning among courtesies: "cancel please" may well be about an appointment."""
    return word in {"stop", "stopall", "unsubscribe", "quit", "revoke", "optout", "alto", "parar", "pare", "baja"}


def _typo(words: list[str]) -> Classification | None:
    """A mistyped stop word alone ("stopp", "sotp", "unsuscribe"): blocked, and shown to a person."""
    if len(words) > 2 or len("".join(words)) < 4:
        return None
    joined = "".join(words)
    word = re.sub(r"(.)\1+", r"\1", joined)
    if word in STOP_WORDS:
        return Classification("stop", f"typo:{word}", confident=False)
    if joined in _NOT_TYPOS:
        return None
    for target, allowed in (("unsubscribe", 3), ("stopall", 1), ("optout", 1), ("cancelar", 1)):
        if OSA.distance(word, target, score_cutoff=allowed) <= allowed:
            return Classification("stop", f"typo:{target}", confident=False)
    if sorted(word) == sorted("stop") and OSA.distance(word, "stop") == 1:
        return Classification("stop", "typo:stop", confident=False)
    return None


def _plain_language(text: str) -> Classification | None:
    found = find_revocation(text)
    if found is None:
        return None
    rule, confident = found
    return Classification("stop", f"plain:{rule}", confident)


def _like_others(text: str, likeness: Likeness) -> Classification | None:
    """Never sure. The rule names how strongly it is like other revocations, in whole numbers."""
    score = likeness.doubt(text)
    return None if score is None else Classification("stop", f"{LIKE_OTHERS}:{score:.0f}", confident=False)
