"""Bulk messages over HTTP, with every part in place: a newsletter, ten open tasks in one text, a message taken back."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any
from urllib.parse import urlsplit

import requests

from tests.systems import Embedded, eventually


def new_client(system: Embedded, number: int) -> dict[str, Any]:
    phone = f"+1212555{number:04d}"
    body = {"first_name": "Ann", "phones": [{"number": phone, "kind": "mobile", "primary": True}]}
    made: dict[str, Any] = system.api.post("/v1/clients", body, headers={"X-Skip-Duplicate-Check": "true"})
    return {**made, "phone": phone}


def finished(system: Embedded, batch_id: str) -> dict[str, Any]:
    def done() -> dict[str, Any] | None:
        batch: dict[str, Any] = system.api.get(f"/v1/message-batches/{batch_id}")
        return batch if batch["state"] == "finished" else None

    found: dict[str, Any] = eventually(done, "the batch is finished")
    return found


def texts_to(system: Embedded, phone: str) -> list[str]:
    return [message["body"] for message in system.api.get(f"/sandbox/messages?to={phone.replace('+', '%2B')}")["data"]]


def test_a_newsletter_is_asked_for_once_and_reaches_each_client(system: Embedded) -> None:
    people = [new_client(system, 3000 + number) for number in range(3)]
    request = {
        "client_ids": [person["id"] for person in people],
        "channels": ["sms"],
        "message": {"body": "{{ firm.name }}: we moved, {{ client.first_name }}."},
    }
    estimate = system.api.post("/v1/message-batches", {**request, "dry_run": True})
    assert (estimate["batch_id"], estimate["estimate"]["recipients"]) == (None, {"send": 3})
    key = {"Idempotency-Key": uuid.uuid4().hex}
    first = system.api.post("/v1/message-batches", request, headers=key)
    assert system.api.post("/v1/message-batches", request, headers=key) == first
    batch = finished(system, first["batch_id"])
    assert (batch["kind"], batch["channels"], batch["accepted"], batch["deliveries"]) == ("message", ["sms"], 3, 3)
    assert [len(texts_to(system, person["phone"])) for person in people] == [1, 1, 1]
    listed = system.api.get("/v1/message-batches?kind=message&state=finished")["data"]
    assert first["batch_id"] in [row["id"] for row in listed]


def test_ten_open_tasks_are_one_text(system: Embedded) -> None:
    person = new_client(system, 3100)
    template = system.api.post("/v1/task-templates", {"title": "Sign here", "kind": "short_text"})
    statuses = [{"name": "Open", "closed": False}]
    kind = system.api.post("/v1/case-types", {"name": f"Claim {uuid.uuid4().hex[:6]}", "statuses": statuses})
    clients = [{"client_id": person["id"], "role": "primary"}]
    case = system.api.post("/v1/cases", {"name": "Doe", "case_type_id": kind["id"], "clients": clients})
    for _ in range(10):
        system.api.post(f"/v1/cases/{case['id']}/tasks", {"template_id": template["id"]})
    request = {
        "selector": {"case_ids": [case["id"]]},
        "channels": ["sms"],
        "message": {"body": "{{ task.count }} tasks: {{ task.link }}"},
        "coalesce": True,
    }
    estimate = system.api.post("/v1/case-tasks/bulk-notify", {**request, "dry_run": True})["estimate"]
    assert estimate["recipients"] == {"send": 1, "joined": 9}
    batch = finished(system, system.api.post("/v1/case-tasks/bulk-notify", request)["batch_id"])
    assert (batch["accepted"], batch["deliveries"]) == (10, 10)
    (text,) = texts_to(system, person["phone"])
    assert text.startswith("10 tasks: ")
    link = text.partition(": ")[2]
    page = requests.Session().get(f"{system.url}{urlsplit(link).path}", timeout=10)
    assert (page.status_code, page.text.count('name="task"')) == (200, 10)


def test_a_message_that_waits_is_taken_back(system: Embedded) -> None:
    person = new_client(system, 3200)
    at = (dt.datetime.now(dt.UTC) + dt.timedelta(days=2)).isoformat()
    told = {"client_id": person["id"], "channel": "sms", "body": "Hello", "timing": {"mode": "at", "at": at}}
    message = system.api.post("/v1/messages", told)
    assert system.api.post(f"/v1/messages/{message['id']}/cancel", {})["state"] == "cancelled"
    assert system.api.get(f"/v1/messages/{message['id']}")["state"] == "cancelled"
