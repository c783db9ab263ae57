"""How people write on a phone: emoji, abbreviations and slips, brought to the words that the rules know."""

from __future__ import annotations

import re
import unicodedata

from rapidfuzz.distance import OSA

REFUSING_EMOJI = frozenset("🛑🚫⛔👎🖕🔕📵🙅❌🤬")
"""Alone, they may well mean "no more": blocked, and shown to a person."""

_ABBREVIATIONS = {
    "u": "you", "ur": "your", "youre": "you are", "r": "are", "plz": "please", "pls": "please", "plse": "please",
    "txt": "text", "txts": "texts", "txting": "texting", "msg": "message", "msgs": "messages", "msging": "messaging",
    "dnt": "dont", "dunt": "dont", "wnt": "want", "wanna": "want to", "gonna": "going to", "mor": "more", "w": "with",
    "ppl": "people", "thx": "thanks", "ty": "thanks", "nvr": "never", "nomore": "no more", "stp": "stop",
    "unsub": "unsubscribe", "num": "number", "numb": "number", "nbr": "number", "lemme": "let me", "yall": "you all",
    "q": "que", "xq": "porque", "porfa": "por favor", "porfabor": "por favor", "xfa": "por favor",
    "mensage": "mensaje", "mensages": "mensajes", "qiero": "quiero", "kiero": "quiero",
}  # fmt: skip
_KNOWN = (
    "texts", "texting", "message", "messages", "messaging", "number", "remove", "leave", "alone", "contact",
    "contacting", "sending", "wrong", "please", "cancel", "unsubscribe", "calling", "emailing", "reminders",
    "notifications", "alerts", "bothering", "harassing", "spamming", "optout", "permission", "consent",
    "mensaje", "mensajes", "enviar", "manden", "escriban", "molesten", "equivocado", "quitenme", "borrenme",
)  # fmt: skip
_REAL_WORDS = frozenset({
    "tests", "tents", "texas", "taxes", "testing", "taxing", "massage", "massages", "messenger", "passage", "passages",
    "numbers", "numbered", "removed", "removes", "remote", "leaves", "lease", "leased", "leaver", "heave", "along",
    "aloe", "atone", "clone", "contract", "contracts", "contacts", "contracting", "content", "spending", "lending",
    "tending", "mending", "vending", "bending", "pending", "seeding", "wring", "prong", "wrongs", "pleas",
    "pleased", "cancer", "cancels", "falling", "filling", "selling", "mailing", "billing", "reminder", "remainders",
    "notification", "alters", "alert", "consents", "enviara", "mandan", "mandes", "envia", "enviaron",
    "escribas", "escriben", "molestan", "equivocada", "permissions", "mandado", "manda",
})  # fmt: skip
_DROPPED_G = re.compile(r"\b(text|send|messag|call|contact|bother|spam|harass|bugg|keep|gett|receiv)in\b")
_DRAWN_OUT = re.compile(r"([a-z])\1{2,}")
_LONGEST_FOR_TWO = 9
"""From this length on, two slips in a word are forgiven."""


def normalise(text: str) -> str:
    """Lower case, accents and apostrophes removed, everything that is not a letter or a digit a single space."""
    folded = unicodedata.normalize("NFKD", text.casefold().replace("#", " number "))
    plain = "".join(mark for mark in folded if not unicodedata.combining(mark)).replace("đ", "d").replace("ł", "l")
    plain = re.sub(r"['\u2018\u2019\u02bc`\u00b4]", "", plain)
    return re.sub(r"[^\w]+|_+", " ", plain).strip()


def only_refusing_emoji(text: str) -> bool:
    """Whether a message has no words, and an emoji that refuses."""
    return not normalise(text) and any(mark in REFUSING_EMOJI for mark in text)


def spelled_out(plain: str) -> str:
    """Normalised text with its abbreviations spelled out, and no letter more than twice."""
    short = _DRAWN_OUT.sub(r"\1", plain)
    words = (_ABBREVIATIONS.get(word, word) for word in short.split())
    return _DROPPED_G.sub(r"\1ing", " ".join(words))


def corrected(plain: str) -> str:
    """Spelled-out text with slips in the words that matter put right: a letter too many, too few, wrong, or two that
    changed places. Words that exist stay."""
    return " ".join(_nearest(word) for word in plain.split())


def _nearest(word: str) -> str:
    if len(word) < 4 or word in _KNOWN or word in _REAL_WORDS or word.isdigit():
        return word
    for known in _KNOWN:
        allowed = 2 if len(known) >= _LONGEST_FOR_TWO else 1
        if abs(len(word) - len(known)) <= allowed and OSA.distance(word, known, score_cutoff=allowed) <= allowed:
            return known
    return word
