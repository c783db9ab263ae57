"""Two dispatcher processes against one, sending to a stand-in whose answers take 50 ms as a provider's do.

Each has the same few slots in both runs. A slot is taken for 50 ms by each call, so that the slots, and not the
machine, are what bounds the rate: that is what another replica adds to. (Where the machine's cores are what bounds it,
another replica on the same cores adds nothing, and one with 128 slots fills two cores: see `bulk`.)
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from bench.bulk import cpu_line
from bench.mailing import Office, Sent, office
from bench.stage import Comparison, Stage
from tests.many_cases import Plan

PLAN = Plan(cases=2_000, couples=200, opted_out=400)
ROUNDS = 3
SLOTS = 16
"""Calls at once of each process: at most 320 messages a second."""
LATENCY = 0.05
PROMISED = 1.6


def report(stage: Stage) -> list[str]:
    """The lines to print. Raises RuntimeError if a ledger does not add up."""
    alone: list[Sent] = []
    both: list[Sent] = []
    with office(SLOTS, dispatchers=2, latency=LATENCY) as firm:
        selector = firm.add_cases(PLAN)
        for number in range(ROUNDS):
            with _without_second(firm):
                alone.append(firm.send(selector, PLAN, again=number > 0))
            both.append(firm.send(selector, PLAN, again=True))
    note = f"; {SLOTS} calls of {1000 * LATENCY:.0f} ms at once in each"
    rates = [batch.rate for batch in both], [batch.rate for batch in alone]
    line = Comparison("two dispatchers", *rates, PROMISED, note, peer_name="one").line()
    return [line, f"two dispatchers, {cpu_line(both)}"]


@contextmanager
def _without_second(firm: Office) -> Iterator[None]:
    """The second dispatcher frozen: the same system, and nothing of it but the first at work."""
    second = psutil.Process(firm.running.state()["services"]["dispatcher-2"]["pid"])
    second.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        second.send_signal(signal.SIGCONT)
