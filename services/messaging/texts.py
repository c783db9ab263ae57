"""The texts of the service itself, in English and Spanish: answers to STOP, START and HELP, and notices to staff. No
marketing in them."""

from __future__ import annotations

from services.messaging.templates import Variant

SYSTEM_TEXTS: dict[tuple[str, str], str] = {
    ("opt_out_confirmation", "en"): (
        "{{ firm.name }}: you are opted out and will get no more messages from us here. Reply START to get them again."
    ),
    ("opt_out_confirmation", "es"): (
        "{{ firm.name }}: no le enviaremos más mensajes por este medio. Responda START para volver a recibirlos."
    ),
    ("opt_in_confirmation", "en"): (
        "{{ firm.name }}: you will get our messages here. Reply STOP to end, HELP for help."
    ),
    ("opt_in_confirmation", "es"): (
        "{{ firm.name }}: recibirá nuestros mensajes aquí. Responda ALTO para terminar, AYUDA para ayuda."
    ),
    ("help", "en"): "{{ firm.name }}: messages about your case. Reply STOP to get no more, or call our office.",
    ("help", "es"): "{{ firm.name }}: mensajes sobre su caso. Responda ALTO para no recibir más, o llame a la oficina.",
    ("staff_notice", "en"): "{{ notice.title }}\n\nYou find it in your account at {{ firm.name }}.",
    ("staff_notice", "es"): "{{ notice.title }}\n\nLo encuentra en su cuenta de {{ firm.name }}.",
}


def system_text(kind: str, channel: str, language: str | None) -> Variant:
    """The text of a kind of message of our own."""
    short = (language or "en").partition("-")[0]
    body = SYSTEM_TEXTS.get((kind, short)) or SYSTEM_TEXTS[(kind, "en")]
    subject = "Nuestros mensajes para usted" if short == "es" else "Your messages from us"
    if kind == "staff_notice":
        subject = "{{ notice.title }}"
    return Variant(channel, short, body, subject if channel == "email" else None)


_NOTICES = {
    "message_received": ("A client has written to you.", "Un cliente le ha escrito."),
    "unknown_message_received": (
        "Somebody has written whose number or address you do not know.",
        "Ha escrito alguien cuyo número o dirección no conoce.",
    ),
    "conversation_given": ("A conversation was given to you.", "Se le ha asignado una conversación."),
    "consent_review": (
        "A reply may mean that its writer wants no more messages: please decide.",
        "Una respuesta puede significar que su autor no quiere más mensajes: decida, por favor.",
    ),
}
_ABOUT_WORK = {
    "task_overdue": ("A task is overdue: {}", "Una tarea está vencida: {}"),
    "task_escalated": ("A task of your team is overdue: {}", "Una tarea de su equipo está vencida: {}"),
}


def notice_title(kind: str, language: str) -> str:
    """What a notice of our own says, without a name: an email may be read by others."""
    english, spanish = _NOTICES[kind]
    return spanish if language == "es" else english


def work_notice_title(kind: str, language: str, words: str) -> str:
    """What a notice about work says, around the firm's own `words`; those alone where it is of no kind of ours."""
    english, spanish = _ABOUT_WORK.get(kind, ("{}", "{}"))
    return (spanish if language == "es" else english).format(words)
