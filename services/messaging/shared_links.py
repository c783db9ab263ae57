"""A message by which staff share one case task: it must hold the link to it."""

from __future__ import annotations

from collections.abc import Iterable

from services.messaging.templates import LINKS, Variant, check_text, invalid

_ENGLISH = "{{ firm.name }} has a question for you: {{ task.title }} {{ task.link }}"
_SPANISH = "{{ firm.name }} tiene una pregunta para usted: {{ task.title }} {{ task.link }}"
_TEXTS = (
    Variant("sms", "en", _ENGLISH),
    Variant("sms", "es", _SPANISH),
    Variant("email", "en", _ENGLISH, "A question for you"),
    Variant("email", "es", _SPANISH, "Una pregunta para usted"),
)


def own_texts(channel: str) -> list[Variant]:
    """What is said where staff say nothing of their own."""
    return [text for text in _TEXTS if text.channel == channel]


def demand_link(variants: Iterable[Variant], channel: str) -> None:
    """Raises Invalid `link_missing` unless each text of the channel holds the link."""
    for variant in variants:
        parts = [part for part in (variant.body, variant.html) if part]
        if variant.channel == channel and not any(LINKS & check_text(part) for part in parts):
            said = f"The text for {channel} in language {variant.language} holds no {{{{ task.link }}}}."
            raise invalid("message", said, "link_missing")
