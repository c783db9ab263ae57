"""What the sandbox's pages make of messages: days, words for what became of them, links, and what was done."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from gateway import sandbox_view as view

NOW = dt.datetime(2026, 11, 25, 12, 0, tzinfo=dt.UTC)


def message(**given: Any) -> dict[str, Any]:
    return {
        "id": "SM1", "channel": "sms", "direction": "outbound", "to": "+12125550123", "from": "+12125550100",
        "subject": None, "body": "Hi", "html": None, "headers": None, "at": "2026-11-25T09:05:00Z", "status": "queued",
        **given,
    }  # fmt: skip


def test_messages_stand_under_their_days_oldest_first() -> None:
    days = view.days_of(
        [
            message(id="c", at="2026-11-25T00:00:00Z"),
            message(id="b", at="2026-11-24T23:59:59Z"),
            message(id="a", at="2026-11-20T08:00:00Z"),
        ],
        NOW,
    )
    assert [(day, [one.id for one in some]) for day, some in days] == [
        ("Friday 20 November 2026", ["a"]),
        ("Yesterday", ["b"]),
        ("Today", ["c"]),
    ]


@pytest.mark.parametrize(
    ("given", "state", "words"),
    [
        ({"status": "queued"}, "on-its-way", "On its way"),
        ({"status": "delivered"}, "arrived", "Delivered"),
        ({"status": "undelivered"}, "failed", "Not delivered"),
        ({"channel": "phone", "status": "queued"}, "on-its-way", "Ringing"),
        ({"channel": "phone", "status": "completed"}, "arrived", "Answered"),
        ({"channel": "phone", "status": "no-answer"}, "failed", "No answer"),
        ({"channel": "email", "status": "bounced"}, "failed", "Bounced"),
        ({"direction": "inbound", "status": "received"}, "", ""),
        ({"status": "something new"}, "", ""),
    ],
)
def test_what_became_of_a_message_has_a_word(given: dict[str, Any], state: str, words: str) -> None:
    shown = view.shown(message(**given))
    assert (shown.state, shown.outcome) == (state, words)


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({}, "text"),
        ({"channel": "email"}, "email"),
        ({"channel": "phone"}, "call"),
        ({"channel": "phone", "status": "spoken"}, "spoken"),
        ({"channel": "phone", "direction": "inbound"}, "key"),
    ],
)
def test_a_call_is_told_from_its_keys(given: dict[str, Any], kind: str) -> None:
    assert view.shown(message(**given)).kind == kind


def test_only_web_addresses_become_links_and_all_else_is_escaped() -> None:
    said = 'See <b> https://a.example/p/x?y=1&z="2" or javascript:alert(1), data:text/html,x (http://b.example/c).'
    html = str(view.linked(said))
    assert "<b>" not in html
    assert html.count("<a ") == 2
    assert 'href="https://a.example/p/x?y=1&amp;z="' in html
    assert 'href="http://b.example/c"' in html


@pytest.mark.parametrize(
    ("said", "kind", "part"),
    [
        (("reply", "200", "sms", None), "arrived", "POST /webhooks/twilio/sms answered 200"),
        (("reply", "200", "email", None), "arrived", "POST /webhooks/ses answered 200"),
        (("press", "200", "phone", None), "arrived", "POST /webhooks/twilio/voice answered 200"),
        (("bounce", "204", "sms", None), "arrived", "POST /webhooks/twilio/status answered 204"),
        (("unsubscribe", "200", "email", None), "arrived", "POST /u/"),
        (("reply", "503", "sms", None), "failed", "answered 503"),
        (("reply", None, "sms", "gateway_unreachable"), "failed", "could not be reached"),
        (("reply", None, "sms", "<script>"), "failed", "cannot be done"),
    ],
)
def test_what_was_done_says_what_our_webhook_answered(said: tuple[Any, ...], kind: str, part: str) -> None:
    told = view.told(*said)
    assert told is not None
    assert told[0] == kind
    assert part in told[1]


@pytest.mark.parametrize(("did", "status"), [("reply", "<b>"), ("<b>", "200"), (None, None), ("reply", None)])
def test_what_nobody_did_is_not_told(did: str | None, status: str | None) -> None:
    assert view.told(did, status, "sms", None) is None


def test_the_command_names_the_address_and_no_key() -> None:
    command = view.proof_command("https://firm.example", "+12125550123")
    assert command == 'curl -H "X-API-Key: $KEY" "https://firm.example/v1/consents?address=%2B12125550123"'
    hostile = view.proof_command("https://firm.example", '";rm -rf "@x')
    assert hostile.count('"') == 4
