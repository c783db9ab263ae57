"""Rows 11 and 12: a provider that wants fewer requests, and one that fails after it has accepted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.faults.figures import Figure, at_least, exactly
from tests.faults.oracles import TwilioOracle
from tests.faults.processes import Stream
from tests.faults.work import Firm, Load, webhook_secret
from tests.stand_ins.twilio import TwilioStandIn

IN_FLIGHT = 1.0
"""Seconds after a 429 in which calls that had begun before it was recorded may still arrive."""
DELAYS = (3, 1)
"""Seconds that the provider asks for, by turns."""

Say = Callable[[str], None]


def slow_down(firm: Firm, load: Load, say: Say) -> list[Figure]:
    """Row 11: every so manyth request is answered by 429 with a delay."""
    twilio = _twilio(firm)
    twilio.take_everything()
    for place, delay in enumerate(DELAYS):
        twilio.when("refuse", status=429, retry_after=delay, every=load.faults + 7 * place)
    batches = Stream(firm, load).batches
    firm.settled(*batches)
    twilio.take_everything()
    refusals = twilio.refusals()
    arrivals = [message["at"] for message in twilio.accepted()] + [refusal["at"] for refusal in refusals]
    hasty = sum(
        refusal["at"] + IN_FLIGHT < arrival < refusal["at"] + refusal["retry_after"]
        for refusal in refusals
        for arrival in arrivals
    )
    soonest = _soonest(refusals, arrivals)
    say(f"{len(refusals)} requests refused; none came between {soonest:.2f} s after a refusal and its delay's end")
    return [
        at_least("refused by 429", len(refusals), 1),
        exactly("came before the delay was over", hasty, 0),
        *firm.account(*batches),
    ]


def _soonest(refusals: list[dict[str, float]], arrivals: list[float]) -> float:
    """The longest after a refusal that something in flight came."""
    return max(
        (
            arrival - refusal["at"]
            for refusal in refusals
            for arrival in arrivals
            if refusal["at"] < arrival < refusal["at"] + min(IN_FLIGHT, refusal["retry_after"])
        ),
        default=0.0,
    )


def fail_after_accepting(firm: Firm, load: Load, say: Say, halves: Sequence[bool] = (True, False)) -> list[Figure]:
    """Row 12: half of the batch with callbacks, which settle what is unknown, half without, so that we must ask."""
    twilio = _twilio(firm)
    batches = []
    for called_back in halves:
        twilio.take_everything()
        twilio.call_back(
            webhook_secret(firm.deployment.folder), statuses=["delivered"] if called_back else [], repeat=2
        )
        twilio.when("stall", every=max(2, load.messages // load.faults))
        twilio.when("cut", every=10)
        twilio.when("error", status=500, every=12)
        half = Stream(firm, Load(load.messages // len(halves) // 2 * 2, load.faults, load.rate)).batches
        firm.settled(*half)
        batches += half
    twilio.take_everything()
    outcomes = firm.deployment.ask("messaging", "SELECT outcome, count(*) FROM attempt GROUP BY outcome")
    unknown = firm.counts(*batches)["unknown"]
    say(f"calls by outcome: {dict(map(tuple, outcomes))}")
    return [exactly("unknown not settled", unknown, 0), *firm.account(*batches)]


def _twilio(firm: Firm) -> TwilioStandIn:
    assert isinstance(firm.oracle, TwilioOracle)
    return firm.oracle.twilio
