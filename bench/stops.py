"""How soon a STOP is in force while two dispatchers send a batch: from its webhook to the last call to its number.

A STOP comes as Twilio posts it, signed, by the gateway. From its commit, which PostgreSQL notes, every claim of every
dispatcher sees it. What was claimed before may still be on its way to the provider then, so that the moment from which
nothing goes to the number any more is the later of the commit and the last request that the provider saw. Where nothing
went to the number after the STOP, because it came in time or because the number had its message already, it is in force
with the commit. The webhook's answer follows.
"""

from __future__ import annotations

import http.client
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from twilio.request_validator import RequestValidator

from bench.dispatchers import LATENCY, SLOTS
from bench.mailing import OFFICE, Office, office
from bench.stage import Stage
from deploy.processes import wait_until
from tests.faults.commit_times import commit_times, keep_commit_times
from tests.faults.deployments import Distributed
from tests.many_cases import Plan, number_of

PLAN = Plan(cases=10_000, couples=0, opted_out=0)
STOPS = 150
EVERY = 0.2
"""Seconds from one STOP to the next: many more than follow a real batch."""
PROMISED = 0.05
PATH = "/webhooks/twilio/sms"


@dataclass
class Stop:
    """One STOP: when its webhook was posted and answered, in seconds since the epoch."""

    number: str
    posted: float
    answered: float


def report(stage: Stage) -> list[str]:
    """The lines to print. Raises RuntimeError if a STOP was refused or a message went out after one was in force."""
    with office(SLOTS, dispatchers=2, latency=LATENCY) as firm:
        deployment = Distributed(firm.running.folder)
        keep_commit_times(deployment)
        selector = firm.add_cases(PLAN)
        _post(firm, [number_of(2 * PLAN.cases + index) for index in range(20)])  # from nobody: connections are warm
        asked = firm.ask(selector, again=False)
        wait_until(lambda: firm.twilio.counts()["accepted"] > 0, "the first is sent", 60)
        # One after the other in the order in which they are sent, and about as fast: some numbers have their message
        # already when their STOP comes, some do not, and some are being claimed.
        stops = _post(firm, [number_of(index * PLAN.recipients // STOPS) for index in range(STOPS)])
        sent_while = firm.twilio.counts()["accepted"]
        wait_until(lambda: firm.finished(asked["batch_id"]), "the batch is sent", 120, pause=0.5)
        # What holds a link is of the batch; the other texts confirm the STOPs.
        last = {request["to"]: request["at"] for request in firm.twilio.accepted() if "/p/" in request["body"]}
        committed = commit_times(deployment, {stop.number for stop in stops})
        deployment.close()
    in_force = sorted(max(committed[stop.number], last.get(stop.number, 0.0)) - stop.posted for stop in stops)
    answered = sorted(stop.answered - stop.posted for stop in stops)
    spared = sum(stop.number not in last for stop in stops)
    if sent_while >= PLAN.to_send:
        raise RuntimeError("the batch was over before the STOPs were")
    late = _at(in_force, 0.99)
    reached = "reached" if late <= PROMISED else "NOT reached"
    return [
        f"a STOP in force: {1000 * _at(in_force, 0.5):.0f} ms, 99th percentile {1000 * late:.0f} ms (promised "
        f"{1000 * PROMISED:.0f}, {reached}), longest {1000 * in_force[-1]:.0f}; answered after "
        f"{1000 * _at(answered, 0.5):.0f} and {1000 * _at(answered, 0.99):.0f} ms; {len(stops)} while two dispatchers "
        f"sent {sent_while:,}, {spared} of their numbers were spared"
    ]


def _post(firm: Office, numbers: list[str]) -> list[Stop]:
    """Posts a STOP of each number, one every `EVERY` seconds whatever becomes of those before."""
    secret = (Path(firm.running.folder) / "sandbox-token").read_text().strip()
    validator = RequestValidator(secret)
    stops: list[Stop] = []
    threads = []
    began = time.monotonic()
    for position, number in enumerate(numbers):
        time.sleep(max(0.0, began + position * EVERY - time.monotonic()))
        form = {"MessageSid": f"SMstop{number[1:]}", "AccountSid": "ACbench", "From": number, "To": OFFICE,
                "Body": "STOP", "NumMedia": "0", "NumSegments": "1"}  # fmt: skip
        signature = validator.compute_signature(firm.running.url + PATH, form)
        thread = threading.Thread(target=_post_one, args=(firm.running.port, form, signature, stops))
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join()
    if len(stops) != len(numbers):
        raise RuntimeError(f"{len(numbers) - len(stops)} STOPs were refused")
    return stops


def _post_one(port: int, form: dict[str, str], signature: str, stops: list[Stop]) -> None:
    headers = {"X-Twilio-Signature": signature, "Content-Type": "application/x-www-form-urlencoded"}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    posted = time.time()
    connection.request("POST", PATH, urlencode(form), headers)
    answer = connection.getresponse()
    answered = time.time()
    answer.read()
    connection.close()
    if answer.status == 200:
        stops.append(Stop(form["From"], posted, answered))


def _at(values: list[float], share: float) -> float:
    return values[min(int(len(values) * share), len(values) - 1)]
