"""What is said in calls, in English and Spanish, and with which voice."""

from __future__ import annotations

from dataclasses import dataclass

KEYS = frozenset("0123456789*#")
OPT_OUT_KEY = "9"
KEY_SECONDS = 6
"""Seconds that a key is waited for."""

_TEXTS = {
    "menu": {
        "en": "To get no more calls from us, press 9.",
        "es": "Para no recibir más llamadas nuestras, marque 9.",
    },
    "farewell": {
        "en": "You can also call this number and press 9 to get no more calls. Goodbye.",
        "es": "También puede llamar a este número y marcar 9 para no recibir más llamadas. Adiós.",
    },
    "stopped": {
        "en": "{firm}You will get no more calls from us. Goodbye.",
        "es": "{firm}No le llamaremos más. Adiós.",
    },
    "greeting": {
        "en": "{firm}Nobody answers here. To get no more calls from us, press 9. Else please call the office.",
        "es": "{firm}Aquí no contesta nadie. Para no recibir más llamadas nuestras, marque 9. Si no, llame a la "
        "oficina, por favor.",
    },
    "no_number": {
        "en": "{firm}We cannot see your number, and so cannot note it. Please call our office.",
        "es": "{firm}No vemos su número y por eso no podemos anotarlo. Por favor, llame a nuestra oficina.",
    },
    "goodbye": {"en": "Goodbye.", "es": "Adiós."},
}
_VOICES = {
    "de": "de-DE", "en": "en-US", "es": "es-US", "fr": "fr-FR", "it": "it-IT", "ko": "ko-KR", "pl": "pl-PL",
    "pt": "pt-BR", "ru": "ru-RU", "zh": "zh-CN",
}  # fmt: skip


@dataclass(frozen=True)
class Script:
    """What a call says: the message, what to press, and what comes last if nobody pressed anything. `voice` reads the
    message, `own_voice` our own texts."""

    message: str
    menu: str
    farewell: str
    voice: str
    own_voice: str


def script_of(message: str, language: str | None) -> Script:
    """The script of a call that reads a message."""
    own = own_language(language)
    return Script(message, said("menu", own), said("farewell", own), voice_of(language), voice_of(own))


def said(kind: str, language: str | None, firm_name: str | None = None) -> str:
    """One of our own texts, in the language if there is one of it, else in English. A firm whose name is not known
    introduces itself without it."""
    text = _TEXTS[kind][own_language(language)]
    return text.replace("{firm}", f"{firm_name}. " if firm_name else "")


def own_language(language: str | None) -> str:
    """The language of our own texts for somebody who speaks `language`."""
    short = _short(language)
    return short if short in _TEXTS["menu"] else "en"


def voice_of(language: str | None) -> str:
    """The language that a text is read in, with the region that its voice is of: `es-US`."""
    return _VOICES.get(_short(language), _VOICES["en"])


def _short(language: str | None) -> str:
    return (language or "en").partition("-")[0].lower()
