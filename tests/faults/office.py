"""A firm that asks many clients at once, for the fault tests: everything over HTTP, the sandbox as the oracle."""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import requests
from twilio.request_validator import RequestValidator

from deploy.demo.api import Api, ApiError
from tests.systems import eventually

OFFICE = "+12125550100"
PER_CASE = 20
UNDER_WAY = 0.1
"""Seconds after a STOP's commit in which a call that had begun before it may reach the provider."""


class Office:
    """`folder` is the deployment's, where its secrets are."""

    def __init__(self, api: Api, folder: Path) -> None:
        self.api = api
        self.folder = folder

    def open(self, clients: int, *, rate: float) -> list[str]:
        """Clients with a mobile each, cases of 20 of them, one task in each case. Returns the numbers."""
        numbers = [f"+1212555{1000 + index:04d}" for index in range(clients)]
        lines = [f"Ann{index},Lee{index},{number}" for index, number in enumerate(numbers)]
        content = "\n".join(["first_name,last_name,phone", *lines]).encode()
        made = self.api.post("/v1/imports", files={"file": ("clients.csv", content)}, data={"target": "clients"})
        address = f"/v1/imports/{made['id']}"
        self.api.post(f"{address}/preview", {"mapping": made["suggested_mapping"], "duplicates": "create"})
        self.api.post(f"{address}/run")
        eventually(lambda: self.api.get(address)["state"] == "finished", "the import")
        self.api.put("/v1/senders", {"channel": "sms", "address": OFFICE, "rate": rate})
        kind = self.api.post("/v1/case-types", {"name": "Probate", "statuses": [{"name": "New"}]})
        ids = [client["id"] for client in self.api.every("/v1/clients")]
        assert len(ids) == clients
        for start in range(0, clients, PER_CASE):
            on_case = [{"client_id": client_id} for client_id in ids[start : start + PER_CASE]]
            body = {"name": f"Case {start}", "case_type_id": kind["id"], "clients": on_case}
            self.api.post("/v1/cases", body)
        template = self.api.post("/v1/task-templates", {"title": "Your county", "kind": "short_text"})
        assigned = self.api.post("/v1/case-tasks/bulk-assign", {**self._selector(), "template_ids": [template["id"]]})
        eventually(
            lambda: self.api.get(f"/v1/case-tasks/bulk-assignments/{assigned['id']}")["state"] == "finished",
            "the assignment",
        )
        return numbers

    @staticmethod
    def _selector() -> dict[str, Any]:
        return {"selector": {"case_filter": {"field": "state", "op": "eq", "value": "open"}}}

    def ask_all(self) -> str:
        """Notifies every client of every open case; the batch's id."""
        body = {**self._selector(), "channels": ["sms"], "message": {"body": "Please: {{ task.link }}"}}
        return str(self.api.post("/v1/case-tasks/bulk-notify", body, key="ask-all")["batch_id"])

    def batch(self, batch_id: str) -> dict[str, Any]:
        """The batch as the API shows it."""
        found: dict[str, Any] = self.api.get(f"/v1/message-batches/{batch_id}")
        return found

    def rows(self, batch_id: str) -> list[dict[str, Any]]:
        """The batch's ledger."""
        return list(self.api.every(f"/v1/message-batches/{batch_id}/deliveries"))

    def finished(self, batch_id: str, seconds: float = 90) -> dict[str, Any]:
        """The batch, once it is finished."""

        def look() -> dict[str, Any] | None:
            try:
                batch = self.batch(batch_id)
            except ApiError:
                return None  # the service that answers was killed just now
            return batch if batch["state"] == "finished" else None

        return dict(eventually(look, "the batch's end", seconds))

    def sent_at_least(self, count: int, batch_id: str, seconds: float = 60) -> None:
        """Waits until so many of a batch have gone out."""

        def look() -> bool:
            counts = self.batch(batch_id)["counts"]
            return sum(counts.get(state, 0) for state in ("sent", "delivered")) >= count

        eventually(look, f"{count} sent", seconds)

    def texts(self) -> list[dict[str, Any]]:
        """What the provider accepted that holds a link: the oracle."""
        return [
            message
            for message in self.api.every("/sandbox/messages")
            if message["direction"] == "outbound" and "/p/" in message["body"]
        ]

    def texts_by_number(self) -> Counter[str]:
        """How many texts with a link each number got."""
        return Counter(message["to"] for message in self.texts())

    def stop(self, number: str) -> float:
        """A STOP from a number, by a webhook that is signed as Twilio signs; when it was answered."""
        form = {
            "MessageSid": f"SM{number}{time.time_ns()}",
            "From": number,
            "To": OFFICE,
            "Body": "STOP",
            "NumMedia": "0",
        }
        address = f"{self.api.base_url}/webhooks/twilio/sms"
        token = (self.folder / "sandbox-token").read_text().strip()
        signature = RequestValidator(token).compute_signature(address, form)
        answer = requests.post(address, data=form, headers={"X-Twilio-Signature": signature}, timeout=30)
        answered = time.time()
        assert answer.status_code == 200, answer.text
        return answered

    def demand_none_after(self, stopped: dict[str, float], texts: Iterable[dict[str, Any]]) -> set[str]:
        """No number that said stop, when `stopped` says, got one of these texts later. Returns those that got one."""
        reached = {text["to"]: dt.datetime.fromisoformat(text["at"]).timestamp() for text in texts}
        waits = {number: reached[number] - at for number, at in stopped.items() if number in reached}
        assert {number: wait for number, wait in waits.items() if wait > UNDER_WAY} == {}, "seconds after the STOP"
        return set(reached)

    def demand_all_once(self, batch_id: str, numbers: list[str]) -> None:
        """Nothing lost, nothing twice, and sums that add up."""
        texts = self.texts_by_number()
        assert sorted(texts) == sorted(numbers), "every number, and no other"
        assert set(texts.values()) == {1}, "nobody got it twice"
        batch = self.batch(batch_id)
        assert sum(batch["counts"].values()) == batch["deliveries"] == len(numbers)
        settled = batch["counts"].get("sent", 0) + batch["counts"].get("delivered", 0)
        assert settled == len(numbers), batch["counts"]
