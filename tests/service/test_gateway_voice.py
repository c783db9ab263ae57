"""The voice webhook: signed, told apart by what it carries, and answered with what is said next."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import pytest

from contracts.base import Operation
from contracts.errors import NotFound, Unavailable
from contracts.messaging import RECEIVE_INBOUND_CALL, RECORD_DELIVERY_STATUS, RECORD_KEY_PRESS
from gateway import webhooks
from tests.service.test_gateway_edge import PUBLIC, Edge, edge, problem, signed

__all__ = ["edge"]

OURS, THEIRS = "/webhooks/twilio/voice?token=t-1", "/webhooks/twilio/voice"
CALL = {"CallSid": "CA1", "From": "+12125550100", "To": "+12125550123", "AccountSid": "AC1"}
INBOUND = {"CallSid": "CA2", "From": "+12125550123", "To": "+12125550100", "Direction": "inbound"}


def post(edge: Edge, path: str, form: dict[str, str], **headers: str) -> Any:
    return edge.http.post(path, data=form, headers={**signed(path, form), **headers})


def spoken(answer: Any) -> ET.Element:
    assert (answer.status_code, answer.mimetype) == (200, "text/xml")
    return ET.fromstring(answer.get_data(as_text=True))  # noqa: S314 - our own code wrote it


def says(text: str, *, awaits_key: bool) -> Any:
    return lambda **told: {"text": text, "language": "en-US", "awaits_key": awaits_key}


def test_a_key_in_our_call_is_handed_on_and_answered_aloud(edge: Edge) -> None:
    edge.answer(RECORD_KEY_PRESS, says("No more <calls> & bye.", awaits_key=False))
    response = spoken(post(edge, OURS, {**CALL, "CallStatus": "in-progress", "Digits": "9"}))
    assert [(part.tag, part.text) for part in response] == [("Say", "No more <calls> & bye."), ("Hangup", None)]
    assert edge.calls.asked(RECORD_KEY_PRESS) == [
        {"provider": "twilio", "provider_id": "CA1", "digits": "9", "token": "t-1", "event_id": None}
    ]
    assert edge.calls.asked(RECORD_DELIVERY_STATUS) == []


@pytest.mark.parametrize(
    ("header", "event_id"),
    [("a3f0-1", "a3f0-1"), ("x" * 120, "x" * 120), ("", None), ("x" * 121, None), ("a b", None), ("\xe9", None)],
)
def test_a_key_is_told_with_what_tells_a_repeat_where_that_can_be_one(
    edge: Edge, header: str, event_id: str | None
) -> None:
    edge.answer(RECORD_KEY_PRESS, says("Hello.", awaits_key=True))
    spoken(post(edge, OURS, {**CALL, "Digits": "1"}, **{"I-Twilio-Idempotency-Token": header}))
    assert [told["event_id"] for told in edge.calls.asked(RECORD_KEY_PRESS)] == [event_id]


def test_what_became_of_our_call_is_a_status(edge: Edge) -> None:
    edge.answer(RECORD_DELIVERY_STATUS, lambda **told: {"applied": True})
    assert post(edge, OURS, {**CALL, "CallStatus": "no-answer"}).status_code == 204
    (told,) = edge.calls.asked(RECORD_DELIVERY_STATUS)
    assert (told["provider_id"], told["status"], told["token"]) == ("CA1", "no-answer", "t-1")


def test_who_calls_us_hears_a_greeting_and_may_press_a_key(edge: Edge) -> None:
    edge.answer(RECEIVE_INBOUND_CALL, says("Hello.", awaits_key=True))
    gather = spoken(post(edge, THEIRS, {**INBOUND, "CallStatus": "ringing"}))[0]
    assert (gather.tag, gather.get("numDigits"), gather.get("action")) == ("Gather", "1", PUBLIC + THEIRS)
    spoken(post(edge, THEIRS, {**INBOUND, "CallStatus": "in-progress", "Digits": "9"}))
    told = edge.calls.asked(RECEIVE_INBOUND_CALL)
    assert [(one["from_"], one["to"], one["digits"]) for one in told] == [
        ("+12125550123", "+12125550100", None),
        ("+12125550123", "+12125550100", "9"),
    ]


def test_the_end_of_a_call_to_us_asks_for_nothing(edge: Edge) -> None:
    assert post(edge, THEIRS, {**INBOUND, "CallStatus": "completed"}).status_code == 204
    assert edge.calls.asked(RECEIVE_INBOUND_CALL) == []


@pytest.mark.parametrize(
    ("path", "form", "operation"), [(OURS, CALL, RECORD_KEY_PRESS), (THEIRS, INBOUND, RECEIVE_INBOUND_CALL)]
)
def test_a_key_waits_for_a_service_that_is_just_restarting(
    edge: Edge, monkeypatch: pytest.MonkeyPatch, path: str, form: dict[str, str], operation: Operation
) -> None:
    monkeypatch.setattr(webhooks, "_PAUSE", 0.0)

    def away(**told: Any) -> Any:
        edge.answer(operation, says("No more calls.", awaits_key=False))
        raise Unavailable("database_unavailable")

    edge.answer(operation, away)
    assert [part.tag for part in spoken(post(edge, path, {**form, "Digits": "9"}))] == ["Say", "Hangup"]
    assert [told["digits"] for told in edge.calls.asked(operation)] == ["9", "9"]


def test_a_call_that_is_not_known_ends(edge: Edge) -> None:
    def unknown(**told: Any) -> Any:
        raise NotFound("call_not_found")

    edge.answer(RECORD_KEY_PRESS, unknown)
    edge.answer(RECEIVE_INBOUND_CALL, unknown)
    for path, form in ((OURS, {**CALL, "Digits": "9"}), (THEIRS, {**INBOUND, "CallStatus": "ringing"})):
        assert [part.tag for part in spoken(post(edge, path, form))] == ["Hangup"]


@pytest.mark.parametrize(
    ("path", "form", "signed_path"),
    [
        (OURS, {**CALL, "Digits": "9"}, "/webhooks/twilio/voice?token=t-2"),
        (OURS, {**CALL, "Digits": "9"}, THEIRS),
        (THEIRS, INBOUND, "/webhooks/twilio/sms"),
    ],
)
def test_a_forged_call_is_403_and_has_no_effect(edge: Edge, path: str, form: dict[str, str], signed_path: str) -> None:
    problem(edge.http.post(path, data=form, headers=signed(signed_path, form)), 403, "signature_invalid")
    problem(edge.http.post(path, data=form), 403, "signature_missing")
    assert edge.calls.asked(RECORD_KEY_PRESS) == edge.calls.asked(RECEIVE_INBOUND_CALL) == []


@pytest.mark.parametrize(
    ("path", "form"), [(OURS, {"CallStatus": "ringing"}), (OURS, CALL), (THEIRS, {"CallSid": "CA1", "To": "+1"})]
)
def test_what_lacks_its_parameters_is_422(edge: Edge, path: str, form: dict[str, str]) -> None:
    problem(post(edge, path, form), 422, "parameter_missing")
