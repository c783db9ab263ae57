"""How tests write, answer, and read conversations."""

from __future__ import annotations

from typing import Any

from services.messaging import conversations, messages, threads
from tests.service.messaging_desk import PUBLIC_URL, Desk

STRANGER = "+13055550100"
TO = {"channel": "sms", "timing": {"mode": "now", "at": None}, "template_id": None, "subject": None}
NOTHING: dict[str, Any] = {
    "client_id": None, "address": None, "direction": None, "batch_id": None, "limit": 50, "cursor": None, "sort": None,
}  # fmt: skip


def say(desk: Desk, client_id: str, body: str = "See you at nine.", **given: Any) -> dict[str, Any]:
    return messages.send_message(
        desk.db, desk.calls, public_url=PUBLIC_URL, sandbox=("email",), actor_id=desk.staff_id, now=desk.clock(),
        **{**TO, "client_id": client_id, "body": body, **given},
    )  # fmt: skip


def listed(desk: Desk, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = conversations.list_conversations(desk.db, **query)["data"]
    return found


def only(desk: Desk, **query: Any) -> dict[str, Any]:
    (conversation,) = listed(desk, **query)
    return conversation


def thread(desk: Desk, conversation_id: str, **page: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = threads.list_conversation_messages(desk.db, conversation_id=conversation_id, **page)[
        "data"
    ]
    return found


def bodies(desk: Desk, conversation_id: str) -> list[str]:
    return [message["body"] for message in thread(desk, conversation_id)]


def assign(desk: Desk, conversation_id: str, client_id: str) -> dict[str, Any]:
    return conversations.assign_conversation(
        desk.db, desk.calls, conversation_id=conversation_id, client_id=client_id, now=desk.clock()
    )


def answer(desk: Desk, conversation_id: str, body: str = "We have it.", **given: Any) -> dict[str, Any]:
    command = {**TO, "channel": None, "body": body, **given}
    return threads.send_to_conversation(
        desk.db, desk.calls, public_url=PUBLIC_URL, sandbox=("email",), actor_id=desk.staff_id, now=desk.clock(),
        conversation_id=conversation_id, **command,
    )  # fmt: skip
