"""Row 15: a clock that steps, and the two nights in which the clocks of five time zones change."""

from __future__ import annotations

import datetime as dt
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from zoneinfo import ZoneInfo

from chassis.shifted_clock import READ_AGAIN
from tests.faults.deployments import Deployment, distributed, single
from tests.faults.figures import Figure, exactly
from tests.faults.oracles import ACCOUNT, TwilioOracle
from tests.faults.work import Batch, Firm, Load, webhook_secret
from tests.many_cases import number_of
from tests.stand_ins.twilio import TwilioStandIn
from tests.systems import eventually

ZONES = ("America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles", "America/Anchorage")
"""From east to west: it is eight o'clock in one after the other."""
OPENS, CLOSES = 8, 21
NIGHTS = {"spring": dt.date(2027, 3, 14), "autumn": dt.date(2027, 11, 7)}
HOUR = 3600.0

Say = Callable[[str], None]


class Clock:
    """The clock of a whole deployment. The provider's goes along, but for what ours is wrong by."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self._twilio: TwilioStandIn | None = None
        self._write(0.0)

    @property
    def environment(self) -> dict[str, str]:
        """What tells a process of it."""
        return {"CASEWIRE_CLOCK": str(self._file)}

    def lead(self, twilio: TwilioStandIn) -> None:
        """Has a provider's stand-in go by it."""
        self._twilio = twilio

    def set(self, moment: dt.datetime, wrong_by: float = 0.0) -> None:
        """It is this instant now; our processes believe it to be `wrong_by` seconds later."""
        ahead = moment.timestamp() - time.time()
        if self._twilio is not None:
            self._twilio.set_clock(ahead)
        self._write(ahead + wrong_by)
        time.sleep(2 * READ_AGAIN)  # by then every process goes by it

    def _write(self, ahead: float) -> None:
        draft = self._file.with_name("clock.draft")
        draft.write_text(f"{ahead:.3f}")
        os.replace(draft, self._file)


def step_the_clock(backend: str, load: Load, say: Say) -> list[Figure]:
    """`load.messages` sends, half in each night; then as many as in a night while our clock steps an hour on, back and
    back again."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="casewire-clock-")))
        folder.chmod(0o755)
        clock = Clock(folder)
        twilio = stack.enter_context(TwilioStandIn())
        environment = {**ACCOUNT, "TWILIO_API_URL": twilio.url, **clock.environment}
        deployment: Deployment = stack.enter_context(
            distributed({"dispatcher": 2}, environment) if backend == "distributed" else single(environment)
        )
        clock.lead(twilio)
        twilio.call_back(webhook_secret(deployment.folder))
        firm = Firm(deployment, TwilioOracle(twilio)).open(load.messages // 2, zones=ZONES)
        hours = {"opens": f"{OPENS:02d}:00", "closes": f"{CLOSES:02d}:00"}
        deployment.api.patch("/v1/firm", {"quiet_hours": hours})
        firm.rate(load.rate)
        figures = []
        for name, day in NIGHTS.items():
            wrong = _night(firm, clock, twilio, day, load.messages // 2)
            say(f"the night in {name}: {wrong} at another hour than {OPENS}")
            figures.append(exactly(f"at the wrong hour, {name}", wrong, 0))
        wrong = _steps(firm, clock, twilio, load.messages // 2)
        say(f"the clock an hour on and back: {wrong} outside the permitted hours")
        figures.append(exactly("outside the hours while it steps", wrong, 0))
        return [*figures, *firm.account(*firm.batches)]


def _night(firm: Firm, clock: Clock, twilio: TwilioStandIn, day: dt.date, recipients: int) -> int:
    """Asks in the night before `day`, and goes to eight o'clock in each zone. How many were sent at another time."""
    opening = {zone: dt.datetime.combine(day, dt.time(OPENS), ZoneInfo(zone)).astimezone(dt.UTC) for zone in ZONES}
    # Half past one in the easternmost zone, half past nine in the evening in the westernmost: quiet in all.
    clock.set(dt.datetime.combine(day, dt.time(1, 30), ZoneInfo(ZONES[0])).astimezone(dt.UTC))
    batch = firm.ask(recipients)
    eventually(lambda: firm.counts(batch)["queued"] == recipients, "every delivery prepared", 120)
    gone = 0
    for zone in ZONES:
        clock.set(opening[zone] - dt.timedelta(minutes=2))
        eventually(lambda gone=gone: firm.sent(batch) == gone, f"only the zones before {zone} sent", 5)
        clock.set(opening[zone])
        gone += recipients // len(ZONES)
        firm.sent_at_least(gone, batch)
    firm.settled(batch)
    sent = _hours(firm, twilio, batch)
    return recipients - sum(count for (_, hour), count in sent.items() if hour == OPENS)


def _steps(firm: Firm, clock: Clock, twilio: TwilioStandIn, recipients: int) -> int:
    """A batch in the middle of the day, slow enough that some is sent under each clock. How many were sent in hours
    that the recipient's own clock forbids."""
    noon = dt.datetime(2027, 11, 16, 12, 0, tzinfo=ZoneInfo(ZONES[-1])).astimezone(dt.UTC)
    began = time.time()

    def now() -> dt.datetime:
        return noon + dt.timedelta(seconds=time.time() - began)

    clock.set(now())
    firm.rate(recipients / 5)
    batch = firm.ask(recipients)
    for part, wrong_by in ((4, HOUR), (2, 0.0)):
        firm.sent_at_least(recipients // part // 2, batch)
        clock.set(now(), wrong_by)
    firm.sent_at_least(recipients // 2, batch)
    clock.set(now(), -HOUR)
    time.sleep(3.0)  # what happens while it is behind: it may send, and need not
    clock.set(now())
    firm.settled(batch)
    permitted = range(OPENS, CLOSES)
    return recipients - sum(count for (_, hour), count in _hours(firm, twilio, batch).items() if hour in permitted)


def _hours(firm: Firm, twilio: TwilioStandIn, batch: Batch) -> Counter[tuple[str, int]]:
    """(zone, local hour) in which the provider was called, by its own clock."""
    zones = {number_of(index): ZONES[index // 2 % len(ZONES)] for index in range(batch.recipients)}
    counted: Counter[tuple[str, int]] = Counter()
    for message in twilio.accepted():
        if batch.key in message["body"]:
            zone = zones[message["to"]]
            counted[zone, dt.datetime.fromtimestamp(message["at"], ZoneInfo(zone)).hour] += 1
    return counted
