"""Email by Amazon SES, with every part in place but SES: sent, delivered, bounced, complained about, left by one POST,
and answered."""

from __future__ import annotations

import uuid
from email.message import EmailMessage
from typing import Any

import pytest
import requests

from tests.stand_ins.ses import SesStandIn
from tests.systems import Embedded, answer, eventually

OFFICE = "office@firm.example"


@pytest.fixture(scope="module")
def system(with_providers: Embedded, ses: SesStandIn) -> Embedded:
    with_providers.api.put("/v1/senders", {"channel": "email", "address": OFFICE, "rate": 100})
    ses.tell_at(f"{with_providers.url}/webhooks/ses", ["Send", "Delivery"], repeat=3)
    assert ses.subscribe() == 200
    return with_providers


def new_client(system: Embedded) -> dict[str, Any]:
    body = {"first_name": "Ann", "emails": [{"address": f"ann-{uuid.uuid4().hex[:10]}@example.com", "primary": True}]}
    made: dict[str, Any] = system.api.post("/v1/clients", body, headers={"X-Skip-Duplicate-Check": "true"})
    return made


def send(system: Embedded, ses: SesStandIn, client: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """An email to a client: as the API has it, and as SES accepted it."""
    told = {"client_id": client["id"], "channel": "email", "subject": "Hello", "body": "Hi {{ client.first_name }}"}
    message = system.api.post("/v1/messages", told)
    assert message["state"] == "accepted"

    def accepted() -> list[dict[str, Any]]:
        return [one for one in ses.accepted() if one["token"] == message["id"]]

    (taken,) = eventually(accepted, "the email is sent")
    return message, taken


def becomes(system: Embedded, message: dict[str, Any], state: str) -> dict[str, Any]:
    found: dict[str, Any] = eventually(
        lambda: next((now for now in [system.api.get(f"/v1/messages/{message['id']}")] if now["state"] == state), None),
        f"the message is {state}",
    )
    return found


def refused(system: Embedded, client: dict[str, Any]) -> str | None:
    told = {"client_id": client["id"], "channel": "email", "subject": "Hello", "body": "Again"}
    message = system.api.post("/v1/messages", told)
    return message["reason"] if message["state"] == "suppressed" else None


def ledger(system: Embedded, client: dict[str, Any]) -> list[tuple[str, str]]:
    address = client["emails"][0]["address"]
    entries = system.api.get("/v1/consents", address=address)["data"]
    return [(entry["state"], entry["source"]) for entry in entries]


def test_an_email_is_sent_once_and_its_delivery_is_known(system: Embedded, ses: SesStandIn) -> None:
    client = new_client(system)
    message, taken = send(system, ses, client)
    assert (taken["to"], taken["subject"]) == (client["emails"][0]["address"], "Hello")
    assert taken["text"].startswith("Hi Ann\n\n-- \n")
    assert "<p>Hi Ann</p>" in taken["html"]
    assert taken["headers"]["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    becomes(system, message, "delivered")
    assert [one["token"] for one in ses.accepted()].count(message["id"]) == 1


def test_a_bounce_after_the_delivery_ends_the_address(system: Embedded, ses: SesStandIn) -> None:
    client = new_client(system)
    message, taken = send(system, ses, client)
    becomes(system, message, "delivered")
    assert ses.tell(taken["id"], "Bounce") == [200, 200, 200]
    becomes(system, message, "undelivered")
    assert refused(system, client) == "invalid_address"
    assert ledger(system, client) == [("opted_out", "provider")]


def test_a_complaint_opts_out(system: Embedded, ses: SesStandIn) -> None:
    client = new_client(system)
    _, taken = send(system, ses, client)
    assert ses.tell(taken["id"], "Complaint") == [200, 200, 200]
    assert refused(system, client) == "opted_out"
    assert ledger(system, client) == [("opted_out", "provider")]


def test_a_forged_complaint_does_nothing(system: Embedded, ses: SesStandIn) -> None:
    client = new_client(system)
    _, taken = send(system, ses, client)
    assert ses.tell(taken["id"], "Complaint", TopicArn="arn:aws:sns:us-east-1:666:casewire") == [403, 403, 403]
    assert refused(system, client) is None


def test_one_post_to_the_address_in_the_header_unsubscribes(system: Embedded, ses: SesStandIn) -> None:
    client = new_client(system)
    _, taken = send(system, ses, client)
    url = taken["headers"]["List-Unsubscribe"].strip("<>")
    assert requests.get(url, timeout=10).status_code == 200
    assert ledger(system, client) == []
    for _ in range(2):
        assert requests.post(url, data={"List-Unsubscribe": "One-Click"}, timeout=10).status_code == 200
    assert refused(system, client) == "opted_out"
    assert ledger(system, client) == [("opted_out", "webhook")]


def test_a_stop_by_email_opts_out_and_what_is_quoted_does_not(system: Embedded, ses: SesStandIn) -> None:
    client = new_client(system)
    _, taken = send(system, ses, client)
    quoted = "\n".join(f"> {line}" for line in taken["text"].splitlines())
    assert answer_by_email(ses, client, f"See you on Monday.\n\nOn Monday, the office wrote:\n{quoted}") == [200] * 3
    assert refused(system, client) is None
    assert answer_by_email(ses, client, f"STOP\n\nOn Monday, the office wrote:\n{quoted}") == [200] * 3
    assert refused(system, client) == "opted_out"
    inbound = system.api.get("/v1/messages", client_id=client["id"], direction="inbound")["data"]
    assert len(inbound) == 2, "each of three copies counts once"


def answer_by_email(ses: SesStandIn, client: dict[str, Any], words: str) -> list[int]:
    email = EmailMessage()
    email["From"], email["To"], email["Subject"] = client["emails"][0]["address"], OFFICE, "Re: Hello"
    email.set_content(words)
    return ses.receive(email["From"], OFFICE, email.as_string(), uuid.uuid4().hex)


def test_throttled_email_arrives_later_and_once(system: Embedded, ses: SesStandIn) -> None:
    client = new_client(system)
    ses.when("refuse", to=client["emails"][0]["address"], times=1, status=429, code="TooManyRequestsException",
             retry_after=1)  # fmt: skip
    message, _ = send(system, ses, client)
    becomes(system, message, "delivered")
    assert answer(system.api, "GET", f"/v1/messages/{message['id']}").json()["state"] == "delivered"


def test_an_answer_that_never_comes_is_settled_by_the_event_and_nothing_is_sent_twice(
    system: Embedded, ses: SesStandIn
) -> None:
    client = new_client(system)
    ses.when("cut", to=client["emails"][0]["address"])
    message, _ = send(system, ses, client)
    becomes(system, message, "delivered")
    assert [one["token"] for one in ses.accepted()].count(message["id"]) == 1
