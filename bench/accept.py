"""One request over 100,000 case tasks: until it is answered, and what it takes in memory beside one over 10,000.

Each case has one client, so that there are as many recipients. The smaller batch is sent to its end. Of the larger one
every delivery is written and prepared, sending goes on beside, and its progress is asked for as an app would; it is
cancelled when all is prepared, because sending the rest shows nothing that `bulk` does not.
"""

from __future__ import annotations

import statistics
import time

from bench.mailing import Office, office
from bench.stage import Stage, memory_line
from deploy.demo.api import wait_for
from tests.many_cases import Plan

FEW = Plan(cases=10_000, couples=0, opted_out=0, clients_each=1)
MANY = Plan(cases=100_000, couples=0, opted_out=0, clients_each=1)
CONCURRENCY = 128
PROMISED = 10.0
"""Seconds until the answer."""
FLAT = 1.25
"""How much more a process may take for ten times as many."""
POLL_SECONDS = 1.0
PREPARED_WITHIN = 400.0


def report(stage: Stage) -> list[str]:
    """The lines to print. Raises RuntimeError if a ledger does not add up."""
    with office(CONCURRENCY) as firm:
        few = firm.add_cases(FEW)
        many = firm.add_cases(MANY)
        firm.send(few, FEW, again=False)
        memory_of_few = firm.running.peak_megabytes()
        began = time.perf_counter()
        asked = firm.ask(many, again=False)
        took = time.perf_counter() - began
        polls = _until_prepared(firm, asked["batch_id"])
        _cancel(firm, asked["batch_id"])
        memory_of_many = firm.running.peak_megabytes()
    reached = "reached" if took <= PROMISED else "NOT reached"
    grown = max(memory_of_many, key=lambda name: memory_of_many[name] / memory_of_few[name])
    ratio = memory_of_many[grown] / memory_of_few[grown]
    return [
        f"{asked['accepted']:,} case tasks in one request: answered after {took:.1f} s (promised {PROMISED:.0f}, "
        f"{reached}); progress asked for meanwhile: {statistics.median(polls):.2f} s, longest {max(polls):.2f} s",
        memory_line(memory_of_few, f"memory with {FEW.recipients:,} recipients"),
        memory_line(memory_of_many, f"memory with {MANY.recipients:,} recipients"),
        f"memory, flat: {grown} grew most, to {ratio:.2f} x (promised {FLAT}, "
        f"{'reached' if ratio <= FLAT else 'NOT reached'})",
    ]


def _until_prepared(firm: Office, batch_id: str) -> list[float]:
    """Asks for the progress until every delivery is prepared; the seconds that each answer took."""
    polls: list[float] = []

    def prepared() -> bool:
        began = time.perf_counter()
        batch = firm.running.api.get(f"/v1/message-batches/{batch_id}")
        polls.append(time.perf_counter() - began)
        time.sleep(POLL_SECONDS)
        return bool(batch["deliveries"] == MANY.recipients and not batch["counts"].get("accepted"))

    wait_for("all is prepared", prepared, seconds=PREPARED_WITHIN)
    return polls


def _cancel(firm: Office, batch_id: str) -> None:
    """Cancels the rest, waits until all is told, and adds up the ledger."""
    api = firm.running.api
    api.post(f"/v1/message-batches/{batch_id}/cancel")
    wait_for("the calls under way", lambda: not _open_of(firm, batch_id), seconds=60)
    firm.settle()
    counts = api.get(f"/v1/message-batches/{batch_id}")["counts"]
    accepted = firm.twilio.counts()["accepted"] - FEW.to_send
    if sum(counts.values()) != MANY.recipients or counts.get("sent", 0) != accepted:
        raise RuntimeError(f"the ledger says {counts}, and the provider accepted {accepted}")


def _open_of(firm: Office, batch_id: str) -> int:
    counts = firm.running.api.get(f"/v1/message-batches/{batch_id}")["counts"]
    return sum(counts.get(state, 0) for state in ("accepted", "queued", "sending", "unknown"))
