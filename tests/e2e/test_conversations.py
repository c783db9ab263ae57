"""Conversations in the whole system: a client and a stranger write, staff are told, answer, and say who the stranger
is; a picture is fetched from the provider."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
import requests
from twilio.request_validator import RequestValidator

from deploy.demo.api import Api
from tests.e2e.conftest import TWILIO_TOKEN
from tests.stand_ins.twilio import TwilioStandIn
from tests.systems import Embedded, eventually

OFFICE = "+12125550100"
PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452") + b"\x00" * 64


@pytest.fixture(scope="module")
def system(with_providers: Embedded) -> Embedded:
    with_providers.api.put("/v1/senders", {"channel": "sms", "address": OFFICE, "rate": 100})
    return with_providers


def write(system: Embedded, number: str, body: str, **media: str) -> None:
    """A text to the office, as Twilio tells of it: twice."""
    form = {"MessageSid": f"SM{uuid.uuid4().hex}", "From": number, "To": OFFICE, "Body": body, "NumMedia": "0", **media}
    url = f"{system.url}/webhooks/twilio/sms"
    signature = RequestValidator(TWILIO_TOKEN).compute_signature(url, form)
    for _ in range(2):
        answer = requests.post(url, data=form, headers={"X-Twilio-Signature": signature}, timeout=30)
        assert answer.status_code == 200, answer.text


def thread(api: Api, conversation: dict[str, Any]) -> list[str]:
    return [message["body"] for message in api.get(f"/v1/conversations/{conversation['id']}/messages")["data"]]


def test_a_client_and_a_stranger_write_and_are_answered(system: Embedded, twilio: TwilioStandIn) -> None:
    api, number, other = system.api, "+12125550142", "+12125550143"
    phones = [{"number": number, "kind": "mobile"}]
    client = api.post("/v1/clients", {"first_name": "Ann", "phones": phones})
    write(system, number, "When is my hearing?")
    (own,) = eventually(lambda: api.get("/v1/conversations", client_id=client["id"])["data"], "the conversation")
    assert (own["kind"], own["unread"], own["preview"]) == ("client", 1, "When is my hearing?")
    sent = api.post(f"/v1/conversations/{own['id']}/messages", {"body": "On Monday at nine."})
    eventually(lambda: [one for one in twilio.accepted() if one["token"] == sent["id"]], "the answer at Twilio")

    write(system, other, "This is Ann's new phone.")
    (unknown,) = eventually(lambda: api.get("/v1/conversations", kind="unmatched")["data"], "the stranger's")
    noticed = [notice["kind"] for notice in api.get("/v1/notifications", unread=True)["data"]]
    assert noticed == ["unknown_message_received", "message_received"]
    assigned = api.post(f"/v1/conversations/{unknown['id']}/assign", {"client_id": client["id"]})
    assert (assigned["id"], assigned["unread"]) == (own["id"], 2)
    assert thread(api, own) == ["This is Ann's new phone.", "On Monday at nine.", "When is my hearing?"]

    api.post(f"/v1/clients/{client['id']}/communications", {"kind": "call", "notes": "She knows."})
    log = api.get(f"/v1/clients/{client['id']}/communications")["data"]
    assert [line["kind"] for line in log] == ["call", "message", "message", "message"]
    eventually(
        lambda: (
            "communication.logged.v1"
            in [entry["kind"] for entry in api.get(f"/v1/clients/{client['id']}/activity")["data"]]
        ),
        "the call in the client's activity",
    )
    read = api.patch(f"/v1/conversations/{own['id']}", {"read": True, "state": "closed"})
    assert (read["unread"], read["state"]) == (0, "closed")


def test_a_picture_is_fetched_and_handed_out(system: Embedded, twilio: TwilioStandIn) -> None:
    address = twilio.keep_media("ME1", PNG)
    write(system, "+12125550144", "See this.", NumMedia="1", MediaUrl0=address, MediaContentType0="text/html")
    (message,) = eventually(
        lambda: system.api.get("/v1/messages", address="+12125550144", direction="inbound")["data"], "the message"
    )

    def stored() -> list[dict[str, Any]]:
        media = system.api.get(f"/v1/messages/{message['id']}")["media"]
        return [one for one in media if one["state"] == "stored"]

    (picture,) = eventually(stored, "the picture")
    answer = system.api.session.get(f"{system.url}/v1/messages/{message['id']}/media/{picture['id']}", timeout=30)
    assert (answer.status_code, answer.content) == (200, PNG)
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
    assert twilio.fetched() == [{"name": "ME1", "authorized": True}]
