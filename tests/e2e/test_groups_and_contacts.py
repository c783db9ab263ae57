"""Groups and contacts over HTTP, with every part in place: a message to a group while the system is killed, and a
contact who loses sight of a business."""

from __future__ import annotations

import datetime as dt
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from tests.e2e.test_bulk_messages import finished, new_client, texts_to
from tests.systems import Embedded, answer, embedded, eventually

MANY = 600
"""More than go into one event."""


def imported(system: Embedded, count: int) -> None:
    rows = ["first_name,mobile_phone,tags", *(f"Ann{number},+1212555{number:04d},news" for number in range(count))]
    made = system.api.post("/v1/imports", files={"file": ("clients.csv", "\n".join(rows).encode())})
    path = f"/v1/imports/{made['id']}"
    system.api.post(f"{path}/preview", {"mapping": None, "duplicates": "create"})
    system.api.post(f"{path}/run", {})
    eventually(lambda: system.api.get(path)["state"] == "finished", "the clients are there", seconds=60)


def test_a_message_to_a_group_outlives_a_kill(tmp_path: Path) -> None:
    with embedded(tmp_path / "data") as system:
        imported(system, MANY)
        tagged = {"field": "tags", "op": "eq", "value": "news"}
        group = system.api.post("/v1/client-groups", {"name": "News", "kind": "filter", "filter": tagged})
        assert group["member_count"] == MANY
        path = f"/v1/client-groups/{group['id']}/messages"
        at = (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).isoformat()
        request = {"channels": ["sms"], "message": {"body": "We moved."}, "timing": {"mode": "at", "at": at}}
        estimate = system.api.post(path, {**request, "dry_run": True})
        assert (estimate["accepted"], estimate["estimate"]["recipients"]) == (MANY, {"send": MANY})
        key = {"Idempotency-Key": uuid.uuid4().hex}
        first = system.api.post(path, request, headers=key)
        system.kill()
        system.start()
        assert system.api.post(path, request, headers=key) == first
        batch = f"/v1/message-batches/{first['batch_id']}"
        eventually(lambda: system.api.get(batch)["deliveries"] >= MANY, "every member has a delivery", seconds=60)
        (figures,) = system.api.get(path)["data"]
        assert (figures["accepted"], figures["deliveries"], figures["counts"]) == (MANY, MANY, {"accepted": MANY})
        ledger = list(system.api.every(f"{batch}/deliveries"))
        assert len({row["client_id"] for row in ledger}) == MANY


def test_a_group_has_its_figures(system: Embedded) -> None:
    people = [new_client(system, 3400 + number) for number in range(3)]
    ids = [person["id"] for person in people]
    group = system.api.post("/v1/client-groups", {"name": uuid.uuid4().hex, "client_ids": ids[:2]})
    path = f"/v1/client-groups/{group['id']}"
    changed = system.api.post(f"{path}/members", {"add": ids, "remove": ids[:1]})
    assert changed == {"added": 1, "removed": 1, "member_count": 2}
    request = {"channels": ["sms"], "message": {"body": "{{ firm.name }}: we moved, {{ client.first_name }}."}}
    finished(system, system.api.post(f"{path}/messages", request)["batch_id"])
    assert [len(texts_to(system, person["phone"])) for person in people] == [0, 1, 1]
    (text,) = system.api.get(f"/sandbox/messages?to={people[1]['phone'].replace('+', '%2B')}")["data"]
    answer(system.api, "POST", f"/sandbox/messages/{text['id']}/reply", json={"body": "STOP"})
    finished(system, system.api.post(f"{path}/messages", request)["batch_id"])
    second, first = system.api.get(f"{path}/messages")["data"]
    assert (first["opted_out_after"], second["opted_out_after"]) == (1, 0)
    assert second["suppressions"] == {"opted_out": 1}
    assert system.api.get(f"/v1/clients?group_id={group['id']}")["meta"]["total"] == 2
    assert answer(system.api, "DELETE", path).status_code == 204
    assert answer(system.api, "GET", f"{path}/messages").status_code == 404
    assert system.api.get(f"/v1/clients/{ids[1]}")["id"] == ids[1]


def test_a_contact_hears_of_the_case_and_loses_sight_of_it_with_the_tie(system: Embedded) -> None:
    office = new_client(system, 3300)
    acme: dict[str, Any] = system.api.post(
        "/v1/clients", {"kind": "business", "company_name": "Acme", "phones": [{"number": office["phone"]}]},
        headers={"X-Skip-Duplicate-Check": "true"},
    )  # fmt: skip
    person = {"first_name": "Bea", "email": f"{uuid.uuid4().hex}@example.com", "phone": "+12125553301"}
    bea = system.api.post(f"/v1/clients/{acme['id']}/contacts", {**person, "notify": True})
    assert (bea["portal_access"], bea["phone"]) == (True, "+12125553301")
    template = system.api.post("/v1/task-templates", {"title": "Sign here", "kind": "short_text"})
    statuses = [{"name": "Open", "closed": False}]
    kind = system.api.post("/v1/case-types", {"name": f"Claim {uuid.uuid4().hex[:6]}", "statuses": statuses})
    clients = [{"client_id": acme["id"], "role": "primary"}]
    case = system.api.post("/v1/cases", {"name": "Doe", "case_type_id": kind["id"], "clients": clients})
    task = system.api.post(f"/v1/cases/{case['id']}/tasks", {"template_id": template["id"]})
    request = {
        "selector": {"case_ids": [case["id"]]}, "channels": ["sms"],
        "message": {"body": "{{ client.first_name }}: {{ task.link }}"},
    }  # fmt: skip
    batch = finished(system, system.api.post("/v1/case-tasks/bulk-notify", request)["batch_id"])
    assert (batch["accepted"], batch["deliveries"]) == (1, 1)
    assert texts_to(system, office["phone"]) == []
    (text,) = texts_to(system, "+12125553301")
    assert text.startswith("Bea: ")
    link = f"{system.url}{urlsplit(text.partition(': ')[2]).path}"
    page = requests.Session().get(link, timeout=10)
    assert (page.status_code, "Sign here" in page.text) == (200, True)
    thanks = {"client_id": acme["id"], "channel": "sms", "body": "Thanks, {{ client.first_name }}."}
    sent = system.api.post("/v1/messages", {**thanks, "case_task_id": task["id"]})
    assert (sent["contact_id"], sent["to"]) == (bea["id"], "+12125553301")
    eventually(lambda: "Thanks, Bea." in texts_to(system, "+12125553301"), "one message is the contact's too")
    activity = f"/v1/clients/{acme['id']}/activity?kind=delivery.delivered.v1"
    eventually(lambda: system.api.get(activity)["meta"]["total"] == 2, "both arrived, and the business shows it")
    gone = answer(system.api, "DELETE", f"/v1/clients/{acme['id']}/contacts/{bea['id']}")
    assert gone.status_code == 204
    assert "Sign here" not in requests.Session().get(link, timeout=10).text
    assert system.api.get(f"/v1/contacts/{bea['id']}")["portal_access"] is False
    written = f"/v1/messages?client_id={acme['id']}"
    assert len([message for message in system.api.get(written)["data"] if message["body"]]) == 2
    assert answer(system.api, "DELETE", f"/v1/contacts/{bea['id']}").status_code == 204
    forgotten = {(None, None)}
    eventually(
        lambda: {(message["to"], message["body"]) for message in system.api.get(written)["data"]} == forgotten,
        "what was written to a contact who is deleted is forgotten",
    )
    assert texts_to(system, "+12125553301") == []
