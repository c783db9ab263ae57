"""The reference of the events says what a consumer gets: each example there is an event to whoever receives it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chassis.envelope import unwrap
from deploy.documents import render
from tests.contract.test_contracts import EVENTS

REFERENCE: dict[str, Any] = json.loads(render()["asyncapi.json"])


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: f"{event.owner}-{event.name}")
def test_an_events_example_is_a_whole_message(event: Any) -> None:
    message = REFERENCE["components"]["messages"][f"{event.owner}.{event.name}"]
    assert message["summary"].endswith(".") or message["summary"] == event.data.__name__
    (example,) = message["examples"]
    envelope = example["payload"]
    assert unwrap(envelope, event, "test").data
    assert set(message["payload"]["required"]) <= set(envelope) <= set(message["payload"]["properties"])
    for name, schema in message["payload"]["properties"].items():
        if name in envelope and "const" in schema:
            assert envelope[name] == schema["const"]


def test_every_event_is_in_the_channel_of_its_owner() -> None:
    for event in EVENTS:
        channel = REFERENCE["channels"][event.owner]
        assert event.name in channel["messages"]
        assert channel["address"] == f"{event.owner}.events"
