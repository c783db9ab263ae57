"""The work that faults disturb: a firm with many cases that asks its clients, and the account that is given of it."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import requests
from twilio.request_validator import RequestValidator

from deploy.demo.api import ApiError
from tests.faults.deployments import Deployment
from tests.faults.figures import Figure, below, exactly
from tests.faults.oracles import Oracle, by_delivery
from tests.many_cases import Plan, fill, number_of
from tests.systems import eventually

OFFICE = "+12125550100"
PER_CASE = 2
UNDER_WAY = 0.1
"""Seconds after a STOP's commit in which a call that had begun before it may reach the provider."""
EMPTY_WITHIN = 60.0

T = TypeVar("T")


def patiently(action: Callable[[], T], seconds: float = 90) -> T:
    """What the action gives, once nothing is in its way: as a client of ours would do it, under one idempotency key."""
    give_up = time.monotonic() + seconds
    while True:
        try:
            return action()
        except (ApiError, requests.RequestException):
            if time.monotonic() > give_up:
                raise
        time.sleep(0.3)


@dataclass(frozen=True)
class Batch:
    """One request to notify, and to how many."""

    id: str
    recipients: int
    key: str


@dataclass
class Firm:
    """A firm at work on a deployment. `stopped`: who has said stop, by number."""

    deployment: Deployment
    oracle: Oracle
    case_ids: list[str] = field(default_factory=list)
    case_type: dict[str, Any] = field(default_factory=dict)
    template: dict[str, Any] = field(default_factory=dict)
    stopped: set[str] = field(default_factory=set)
    batches: list[Batch] = field(default_factory=list)

    def open(self, recipients: int, zones: tuple[str, ...] = ("America/New_York",)) -> Firm:
        """Makes the cases, two clients in each, and their tasks."""
        api = self.deployment.api
        self.rate(100.0)
        case_type = api.post("/v1/case-types", {"name": "Probate", "statuses": [{"name": "New"}]})
        plan = Plan(cases=recipients // PER_CASE, couples=0, opted_out=0, zones=zones)
        self.case_ids = fill(self.deployment.urls, self.deployment.folder, api.get("/v1/firm")["id"], case_type, plan)
        template = api.post("/v1/task-templates", {"title": "Your county", "kind": "short_text"})
        self.case_type, self.template = case_type, template
        selector = {"case_filter": {"field": "case_type_id", "op": "eq", "value": case_type["id"]}}
        made = api.post("/v1/case-tasks/bulk-assign", {"selector": selector, "template_ids": [template["id"]]})
        address = f"/v1/case-tasks/bulk-assignments/{made['id']}"
        eventually(lambda: api.get(address)["state"] == "finished", "the assignment", 120)
        eventually(lambda: not self.deployment.unapplied(), "its events applied", 120)
        return self

    def rate(self, rate: float) -> None:
        """How many messages a second may go out."""
        body = {"channel": "sms", "address": OFFICE, "rate": rate}
        patiently(lambda: self.deployment.api.put("/v1/senders", body))

    def numbers(self, recipients: int) -> list[str]:
        """The mobile numbers of the first so many recipients."""
        return [number_of(index) for index in range(recipients)]

    def ask(self, recipients: int, timing: dict[str, Any] | None = None) -> Batch:
        """Notifies the first so many recipients."""
        key = f"request {len(self.batches)} {random.getrandbits(64):x}"
        body = {
            "selector": {"case_ids": self.case_ids[: recipients // PER_CASE]},
            "channels": ["sms"],
            "message": {"body": f"{key}: {{{{ task.link }}}}"},
            "allow_repeat": True,
            **({"timing": timing} if timing else {}),
        }
        asked = patiently(lambda: self.deployment.api.post("/v1/case-tasks/bulk-notify", body, key=key))
        batch = Batch(str(asked["batch_id"]), recipients, key)
        self.batches.append(batch)
        return batch

    # What the ledger says

    def counts(self, *batches: Batch) -> Counter[str]:
        """Deliveries by state, of all these batches."""
        counted: Counter[str] = Counter()
        for batch in batches:
            statement = "SELECT state, count(*) FROM delivery WHERE batch_id = :id GROUP BY state"
            for state, number in self.deployment.ask("messaging", statement, id=self.as_kept(batch.id)):
                counted[state] += number
        return counted

    def sent(self, *batches: Batch) -> int:
        """How many have gone out."""
        counts = self.counts(*batches)
        return counts["sent"] + counts["delivered"]

    def sent_at_least(self, number: int, *batches: Batch, seconds: float = 120) -> None:
        """Waits until so many have gone out."""
        eventually(lambda: self.sent(*batches) >= number, f"{number} sent", seconds)

    def settled(self, *batches: Batch, seconds: float = 240) -> float:
        """Waits until nothing of these batches waits or is unknown; the seconds that it took."""
        wanted = sum(batch.recipients for batch in batches)
        final = ("sent", "delivered", "suppressed", "failed", "undelivered", "cancelled")
        began = time.monotonic()

        def look() -> bool:
            counts = self.counts(*batches)
            return sum(counts[state] for state in final) >= wanted

        try:
            eventually(look, "every delivery settled", seconds)
        except AssertionError:
            print(f"   not settled: {dict(self.counts(*batches))}", flush=True)
        return time.monotonic() - began

    def waiting(self, *batches: Batch) -> int:
        """How many have not been called for yet."""
        wanted = sum(batch.recipients for batch in batches)
        counts = self.counts(*batches)
        return wanted - sum(counts.values()) + counts["accepted"] + counts["queued"]

    def untaken(self, *batches: Batch) -> int:
        """How many wait that no process has taken: what a dead one took waits for its lease to end."""
        taken = sum(
            self.deployment.ask(
                "messaging",
                "SELECT count(*) FROM delivery WHERE batch_id = :id AND state IN ('accepted', 'queued') "
                "AND lease_until IS NOT NULL",
                id=self.as_kept(batch.id),
            )[0][0]
            for batch in batches
        )
        return self.waiting(*batches) - int(taken)

    def deliveries(self, *batches: Batch) -> dict[str, Any]:
        """Delivery id, without dashes, to its row: state, reason, address, client_id, attempts."""
        statement = "SELECT id, state, reason, address, client_id, attempts FROM delivery WHERE batch_id = :id"
        return {
            str(row.id).replace("-", ""): row
            for batch in batches
            for row in self.deployment.ask("messaging", statement, id=self.as_kept(batch.id))
        }

    def account(self, *batches: Batch, parked: int = 0) -> list[Figure]:
        """What must hold after each row, once the batches are settled: accepted = applied + parked; at most one request
        accepted by the provider per delivery; the ledger says what the provider says; the outboxes are empty."""
        emptied = self.deployment.outbox_empty()
        ledger = self.deliveries(*batches)
        requests_accepted = by_delivery(self.oracle, set(ledger))
        told = {id_ for id_, row in ledger.items() if row.state in ("sent", "delivered")}
        silenced = sum(row.state == "suppressed" and row.reason == "opted_out" for row in ledger.values())
        wanted = sum(batch.recipients for batch in batches)
        return [
            exactly("messages lost", wanted - silenced - len(told), 0),
            exactly("sent twice", sum(count - 1 for count in requests_accepted.values()), 0),
            exactly("ledger and provider differ", len(told ^ set(requests_accepted)), 0),
            exactly("events lost", self.deployment.events_lost(400), 0),
            exactly("parked", self.deployment.parked(), parked),
            below("outbox empty, s", emptied, EMPTY_WITHIN),
        ]

    def stop(self, number: str) -> tuple[float, float]:
        """A STOP from a number, by a webhook that is signed as Twilio signs: when it was posted, and answered."""
        form = {
            "MessageSid": f"SM{number}{time.time_ns()}",
            "From": number,
            "To": OFFICE,
            "Body": "STOP",
            "NumMedia": "0",
        }
        address = f"{self.deployment.api.base_url}/webhooks/twilio/sms"
        signature = RequestValidator(webhook_secret(self.deployment.folder)).compute_signature(address, form)
        posted = time.time()
        answer = requests.post(address, data=form, headers={"X-Twilio-Signature": signature}, timeout=30)
        answered = time.time()
        assert answer.status_code == 200, answer.text
        self.stopped.add(number)
        return posted, answered

    def as_kept(self, id_: str) -> str:
        """An id as the database holds it."""
        return id_.replace("-", "") if self.deployment.backend == "embedded" else id_


def webhook_secret(folder: Path) -> str:
    """What webhooks to a deployment are signed with."""
    return (folder / "sandbox-token").read_text().strip()


@dataclass(frozen=True)
class Load:
    """How hard a row is run. `faults` is how often its fault is made, `text` says it in words. `slack`: how much longer
    everything may take than is promised, where other tests run on the same machine."""

    messages: int
    faults: int
    rate: float
    text: str = ""
    slack: float = 1.0

    def __str__(self) -> str:
        return self.text or f"{self.messages:,} messages, {self.faults} times"
