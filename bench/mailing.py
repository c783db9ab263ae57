"""A firm that notifies many clients at once, and how fast its messages reach a stand-in for Twilio.

The stand-in is a process of its own. It posts no status callbacks: they would come in by the gateway, and these
measurements are of what goes out.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from bench.system import System, system
from deploy.demo.api import wait_for
from deploy.processes import wait_until
from tests.many_cases import Plan, fill
from tests.stand_ins.twilio import TwilioStandIn

OFFICE = "+12125550100"
RATE = 10_000.0
"""Messages a second of the sender: more than can be reached."""
MESSAGE = "{{ firm.name }}: {{ client.first_name }}, please finish: {{ task.link }} Reply STOP to end."


@dataclass(frozen=True)
class Sent:
    """One batch: the ledger at its end, every request that the provider accepted, seconds until the 202, and seconds of
    processor time that each process used meanwhile."""

    ledger: dict[str, Any]
    requests: list[dict[str, Any]]
    accepted_after: float
    cpu: dict[str, float]

    @property
    def rate(self) -> float:
        """Messages a second, from the provider's first to its last."""
        return (len(self.requests) - 1) / (self.requests[-1]["at"] - self.requests[0]["at"])


@dataclass
class Office:
    """A firm with many cases on a running system. `twilio` is the oracle of what was sent; its answers take
    `latency` seconds."""

    running: System
    twilio: TwilioStandIn
    latency: float = 0.0

    def add_cases(self, plan: Plan) -> dict[str, Any]:
        """Fills the databases, gives each case its task, and returns the selector of the cases."""
        api = self.running.api
        api.put("/v1/senders", {"channel": "sms", "address": OFFICE, "rate": RATE})
        case_type = api.post("/v1/case-types", {"name": f"{plan.cases} cases", "statuses": [{"name": "Open"}]})
        plan = replace(plan, zones=(_zone_at_noon(),))
        fill(self.running.database_urls(), self.running.folder, api.get("/v1/firm")["id"], case_type, plan)
        template = api.post("/v1/task-templates", {"title": "Confirm your address", "kind": "short_text"})
        selector = {"case_filter": {"field": "case_type_id", "op": "eq", "value": case_type["id"]}}
        made = api.post("/v1/case-tasks/bulk-assign", {"selector": selector, "template_ids": [template["id"]]})
        address = f"/v1/case-tasks/bulk-assignments/{made['id']}"
        wait_for("the bulk assignment", lambda: api.get(address)["state"] == "finished", seconds=180)
        self.settle()
        return selector

    def settle(self) -> None:
        """Waits until every event is handled."""
        wait_until(self.running.quiet, "all events are handled", 180, pause=0.5)

    def ask(self, selector: dict[str, Any], *, again: bool) -> dict[str, Any]:
        """Asks for a notification of everybody. `again`: what went out before is no reason to leave it."""
        body = {"selector": selector, "channels": ["sms"], "message": {"body": MESSAGE}, "allow_repeat": again}
        asked: dict[str, Any] = self.running.api.post("/v1/case-tasks/bulk-notify", body)
        return asked

    def send(self, selector: dict[str, Any], plan: Plan, *, again: bool) -> Sent:
        """One batch, from asking until all is sent and told. Raises RuntimeError if its ledger does not add up."""
        self.twilio.reset()
        self.twilio.answer_after(self.latency)
        before = self.running.cpu_seconds()
        began = time.perf_counter()
        asked = self.ask(selector, again=again)
        accepted_after = time.perf_counter() - began
        # The stand-in is asked, and not the API, so that watching costs next to nothing.
        wait_until(lambda: self.twilio.counts()["accepted"] >= plan.to_send, "all is sent", 300, pause=0.5)
        ledger = wait_for("the batch", lambda: self.finished(asked["batch_id"]), seconds=60)
        self.settle()
        after = self.running.cpu_seconds()
        used = {name: after[name] - before.get(name, 0.0) for name in after}
        sent = Sent(ledger, self.twilio.accepted(), accepted_after, used)
        check(sent, plan)
        return sent

    def finished(self, batch_id: str) -> dict[str, Any] | None:
        """The batch, if it is finished."""
        batch: dict[str, Any] = self.running.api.get(f"/v1/message-batches/{batch_id}")
        return batch if batch["state"] == "finished" else None


@contextmanager
def office(concurrency: int, *, dispatchers: int = 1, latency: float = 0.0) -> Iterator[Office]:
    """A system that sends by a stand-in whose answers take `latency` seconds, `concurrency` calls at once in each
    dispatcher."""
    with TwilioStandIn() as twilio:
        settings: Mapping[str, str] = {
            "PROVIDER": "twilio",
            "TWILIO_ACCOUNT_SID": "ACbench",
            "TWILIO_API_URL": twilio.url,
            "DISPATCH_CONCURRENCY": str(concurrency),
        }
        with system({"dispatcher": dispatchers}, settings) as running:
            yield Office(running, twilio, latency)


def _zone_at_noon() -> str:
    """A time zone where it is about noon: quiet hours must not stop a measurement."""
    west = dt.datetime.now(dt.UTC).hour - 12
    return f"Etc/GMT{west:+d}"


def check(sent: Sent, plan: Plan) -> None:
    """The ledger adds up, and is what the plan and the provider say."""
    wanted = {"sent": plan.to_send, "suppressed": plan.couples + plan.opted_out}
    expected = {state: count for state, count in wanted.items() if count}
    suppressions = {"duplicate": plan.couples, "opted_out": plan.opted_out}
    ledger, requests = sent.ledger, sent.requests
    told = (ledger["accepted"], ledger["deliveries"], ledger["counts"], ledger["suppressions"])
    if told != (plan.cases, plan.recipients, expected, {name: count for name, count in suppressions.items() if count}):
        raise RuntimeError(f"the ledger says {told}")
    if not len(requests) == len({request["to"] for request in requests}) == plan.to_send:
        raise RuntimeError(f"the provider accepted {len(requests)} requests")
