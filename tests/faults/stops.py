"""Row 13: people say stop in the middle of a batch."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.faults.commit_times import commit_times, keep_commit_times
from tests.faults.deployments import Deployment, Distributed
from tests.faults.figures import Figure, at_least, exactly
from tests.faults.oracles import TwilioOracle, seconds_of
from tests.faults.processes import Stream
from tests.faults.work import UNDER_WAY, Firm, Load, webhook_secret

AT_ONCE = 4


def stop_in_the_middle(firm: Firm, load: Load, say: Callable[[str], None]) -> list[Figure]:
    """`load.faults` of the recipients say stop while the others are being written to.

    When a STOP was committed is PostgreSQL's own word where that is to be had, and else the time at which the webhook
    was answered, which is later.
    """
    deployment = firm.deployment
    keep_commit_times(deployment)
    if isinstance(firm.oracle, TwilioOracle):
        # It says when a request came, and must not be late in noticing because it makes requests itself.
        firm.oracle.twilio.call_back(webhook_secret(deployment.folder), statuses=[])
    stream = Stream(firm, load)
    (batch,) = stream.batches
    firm.sent_at_least(max(5, load.messages // 50), batch)
    people = random.sample(sorted(set(firm.numbers(load.messages)) - firm.stopped), load.faults)
    lasts = load.messages / load.rate * 0.8
    answered: dict[str, float] = {}
    began = time.monotonic()

    def say_stop(place: int) -> None:
        pause = began + lasts * place / len(people) - time.monotonic()
        if pause > 0:
            time.sleep(pause)
        answered[people[place]] = firm.stop(people[place])[1]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(say_stop, range(len(people))))
    firm.settled(batch)
    committed = {**answered, **commit_times(deployment, people)}
    reached = {text["to"]: text["at"] for text in firm.oracle.accepted() if batch.key in text["body"]}
    late = {number: reached[number] - committed[number] for number in people if number in reached}
    after = [seconds for seconds in late.values() if seconds > UNDER_WAY]
    suppressed = [row for row in firm.deliveries(batch).values() if row.state == "suppressed"]
    wrong = {row.address for row in suppressed} ^ (firm.stopped - set(reached))
    say(f"{len(people) - len(late)} of {len(people)} were spared; the latest call came "
        f"{1000 * max(late.values(), default=0.0):.0f} ms after a STOP's commit")  # fmt: skip
    return [
        exactly("reached the provider > 100 ms after the STOP committed", len(after), 0),
        exactly("begun after it", _begun_after(deployment, committed, batch.id), 0),
        at_least("spared by their STOP", len(people) - len(late), 1),
        exactly("suppressed wrongly or not", len(wrong), 0),
        *firm.account(batch),
    ]


def _begun_after(deployment: Deployment, committed: dict[str, float], batch_id: str) -> int:
    """Calls whose claim read the clock after the STOP's commit: none of them may have been let through."""
    rows: list[Any] = deployment.ask(
        "messaging",
        "SELECT delivery.address, attempt.begun_at FROM attempt JOIN delivery ON delivery.id = attempt.delivery_id "
        "WHERE delivery.batch_id = :id",
        id=batch_id if isinstance(deployment, Distributed) else batch_id.replace("-", ""),
    )
    return sum(seconds_of(at) > committed[address] for address, at in rows if address in committed)
