"""One request over 10,000 case tasks and 20,000 recipients, against Twilio's bare client in a loop.

Both send to one stand-in for Twilio, a process of its own that answers at once. It posts no status callbacks: they
would come in by the gateway, and this measures what goes out.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import Any

from bench.stage import Comparison, Stage
from bench.system import System, system
from deploy.demo.api import wait_for
from deploy.processes import wait_until
from tests.many_cases import Plan, fill
from tests.stand_ins.twilio import TwilioStandIn

ROUNDS = 3
CONCURRENCY = 128
PEER_MESSAGES = 5_000
RATE = 10_000.0
"""Messages a second of the sender: more than can be reached."""
PROMISED_ACCEPTED = 5_000.0
LARGEST = 300.0
"""MB that no process of ours may pass."""
MESSAGE = "{{ firm.name }}: {{ client.first_name }}, please finish: {{ task.link }} Reply STOP to end."


@dataclass
class Outcome:
    """What the rounds came to: case tasks accepted a second, messages sent a second, and Twilio's client's."""

    accepted: list[float] = field(default_factory=list)
    sent: list[float] = field(default_factory=list)
    looped: list[float] = field(default_factory=list)


def report(stage: Stage) -> list[str]:
    """The lines to print. Raises RuntimeError if a ledger does not add up."""
    plan = Plan()
    with TwilioStandIn() as twilio:
        settings = {
            "PROVIDER": "twilio",
            "TWILIO_ACCOUNT_SID": "ACbench",
            "TWILIO_API_URL": twilio.url,
            "DISPATCH_CONCURRENCY": str(CONCURRENCY),
        }
        with system(settings=settings) as running:
            selector = _make_firm(running, plan)
            outcome = Outcome()
            for number in range(ROUNDS):
                outcome.looped.append(_peer(twilio.url))
                _round(running, twilio, selector, plan, outcome, again=number > 0)
            memory = running.peak_megabytes()
    return [_accepted_line(outcome.accepted), _sent_line(outcome), _ledger_line(plan), _memory_line(memory)]


def _make_firm(running: System, plan: Plan) -> dict[str, Any]:
    """Fills the databases, gives each case its task, and returns the selector of the cases."""
    api = running.api
    api.put("/v1/senders", {"channel": "sms", "address": "+12125550100", "rate": RATE})
    case_type = api.post("/v1/case-types", {"name": "Bench", "statuses": [{"name": "Open"}]})
    firm_id = api.get("/v1/firm")["id"]
    fill(running.database_urls(), firm_id, case_type, plan)
    template = api.post("/v1/task-templates", {"title": "Confirm your address", "kind": "short_text"})
    selector = {"case_filter": {"field": "case_type_id", "op": "eq", "value": case_type["id"]}}
    made = api.post("/v1/case-tasks/bulk-assign", {"selector": selector, "template_ids": [template["id"]]})
    address = f"/v1/case-tasks/bulk-assignments/{made['id']}"
    wait_for("the bulk assignment", lambda: api.get(address)["state"] == "finished", seconds=120)
    _settle(running)
    return selector


def _settle(running: System) -> None:
    wait_until(running.quiet, "all events are handled", 120, pause=0.5)


def _peer(url: str) -> float:
    arguments = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "bench.peers.twilio_loop",
        url,
        str(PEER_MESSAGES),
        str(CONCURRENCY),
    ]
    told = json.loads(subprocess.run(arguments, check=True, capture_output=True).stdout)
    return float(told["rate"])


def _round(
    running: System, twilio: TwilioStandIn, selector: dict[str, Any], plan: Plan, outcome: Outcome, *, again: bool
) -> None:
    """One request, from asking until all is sent and told. `again`: what went out before is no reason to leave it."""
    twilio.reset()
    body = {"selector": selector, "channels": ["sms"], "message": {"body": MESSAGE}, "allow_repeat": again}
    began = time.perf_counter()
    asked = running.api.post("/v1/case-tasks/bulk-notify", body)
    outcome.accepted.append(asked["accepted"] / (time.perf_counter() - began))
    # The stand-in is asked, and not the API, so that watching costs next to nothing.
    wait_until(lambda: twilio.counts()["accepted"] >= plan.to_send, "all is sent", 300, pause=0.5)
    address = f"/v1/message-batches/{asked['batch_id']}"

    def finished() -> Any:
        batch = running.api.get(address)
        return batch if batch["state"] == "finished" else None

    batch = wait_for("the batch", finished, seconds=60)
    _settle(running)
    requests = twilio.accepted()
    outcome.sent.append((len(requests) - 1) / (requests[-1]["at"] - requests[0]["at"]))
    _check(batch, requests, plan)


def _check(batch: dict[str, Any], requests: list[dict[str, Any]], plan: Plan) -> None:
    """The ledger adds up, and is what the plan and the provider say."""
    expected = {"sent": plan.to_send, "suppressed": plan.couples + plan.opted_out}
    suppressions = {"duplicate": plan.couples, "opted_out": plan.opted_out}
    told = (batch["accepted"], batch["deliveries"], batch["counts"], batch["suppressions"])
    if told != (plan.cases, plan.recipients, expected, suppressions):
        raise RuntimeError(f"the ledger says {told}")
    if not len(requests) == len({request["to"] for request in requests}) == plan.to_send:
        raise RuntimeError(f"the provider accepted {len(requests)} requests")


def _accepted_line(rates: list[float]) -> str:
    median = statistics.median(rates)
    reached = "reached" if median >= PROMISED_ACCEPTED else "NOT reached"
    return (
        f"a bulk request, accepted: {median:,.0f} case tasks/s (promised {PROMISED_ACCEPTED:,.0f}, {reached}); "
        f"rounds {', '.join(f'{rate:,.0f}' for rate in rates)}"
    )


def _sent_line(outcome: Outcome) -> str:
    note = f"; {CONCURRENCY} calls at once, one dispatcher process, no status callbacks"
    return Comparison("a bulk request, sent", outcome.sent, outcome.looped, promised=0.7, note=note).line()


def _ledger_line(plan: Plan) -> str:
    return (
        f"the ledger of each round: {plan.cases:,} case tasks, {plan.recipients:,} deliveries = {plan.to_send:,} sent "
        f"+ {plan.opted_out:,} opted out + {plan.couples:,} duplicates; one request each at the provider"
    )


def _memory_line(memory: dict[str, float]) -> str:
    name, largest = max(memory.items(), key=lambda entry: entry[1])
    reached = "reached" if largest < LARGEST else f"NOT reached by {name}"
    each = ", ".join(f"{name} {size:.0f}" for name, size in memory.items())
    return f"memory, the peak of each process in MB (promised under {LARGEST:.0f}, {reached}): {each}"
