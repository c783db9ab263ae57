"""One request over 10,000 case tasks and 20,000 recipients, against Twilio's bare client in a loop.

Both send to one stand-in for Twilio, a process of its own that answers at once.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys

from bench.mailing import Sent, office
from bench.stage import Comparison, Stage, memory_line
from tests.many_cases import Plan

ROUNDS = 5
CONCURRENCY = 256
PEER_MESSAGES = 5_000
PROMISED_ACCEPTED = 5_000.0
PROMISED_SENT = 0.9
WORTH_TELLING = 0.005
"""Milliseconds of processor time a message from which on a process is named."""


def report(stage: Stage) -> list[str]:
    """The lines to print. Raises RuntimeError if a ledger does not add up."""
    plan, batches, looped = Plan(), [], []
    with office(CONCURRENCY) as firm:
        selector = firm.add_cases(plan)
        for number in range(ROUNDS):
            looped.append(bare_client(firm.twilio.url))
            batches.append(firm.send(selector, plan, again=number > 0))
        memory = firm.running.peak_megabytes()
    note = f"; {CONCURRENCY} calls at once, one dispatcher process, no status callbacks"
    sent = Comparison("a bulk request, sent", [batch.rate for batch in batches], looped, PROMISED_SENT, note)
    return [_accepted_line(batches, plan), sent.line(), _ledger_line(plan), cpu_line(batches), memory_line(memory)]


def bare_client(url: str) -> float:
    """Messages a second of Twilio's bare client, in a process of its own."""
    arguments = [sys.executable, "-W", "ignore", "-m", "bench.peers.twilio_loop", url]
    arguments += [str(PEER_MESSAGES), str(CONCURRENCY)]
    told = json.loads(subprocess.run(arguments, check=True, capture_output=True).stdout)
    return float(told["rate"])


def _accepted_line(batches: list[Sent], plan: Plan) -> str:
    rates = [plan.cases / batch.accepted_after for batch in batches]
    median = statistics.median(rates)
    reached = "reached" if median >= PROMISED_ACCEPTED else "NOT reached"
    return (
        f"a bulk request, accepted: {median:,.0f} case tasks/s (promised {PROMISED_ACCEPTED:,.0f}, {reached}); "
        f"rounds {', '.join(f'{rate:,.0f}' for rate in rates)}"
    )


def _ledger_line(plan: Plan) -> str:
    return (
        f"the ledger of each round: {plan.cases:,} case tasks, {plan.recipients:,} deliveries = {plan.to_send:,} sent "
        f"+ {plan.opted_out:,} opted out + {plan.couples:,} duplicates; one request each at the provider"
    )


def cpu_line(batches: list[Sent]) -> str:
    """What a message costs each process: the median of the batches, the most first."""
    names = batches[0].cpu
    costs = {
        name: statistics.median(1000 * batch.cpu.get(name, 0.0) / len(batch.requests) for batch in batches)
        for name in names
    }
    told = sorted(((cost, name) for name, cost in costs.items() if cost >= WORTH_TELLING), reverse=True)
    each = ", ".join(f"{name} {cost:.2f}" for cost, name in told)
    return f"processor time of a message sent: {sum(costs.values()):.2f} ms: {each}"
