"""Gathers what came of calls to providers and records it in sets, so that a call does not wait for the database."""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import eventlet
from eventlet.event import Event as Signal

from chassis.context import Context, use
from chassis.database import Database
from chassis.telemetry import log_of, log_unexpected
from contracts.errors import Unavailable
from services.messaging.adapters.base import Called, Provider, Unknown
from services.messaging.dispatching import results

log = log_of(__name__)

AT_ONCE = 250
GATHERED_FOR = 0.3
"""Seconds that results are gathered for. What is recorded together costs each service that hears of it one transaction;
what is not recorded when the process dies must be asked for at the provider."""
PAUSE = 0.5
"""Seconds before what could not be recorded is tried again."""
UNREADABLE = Unknown("unreadable")
"""What an answer is taken for that cannot be kept."""


class Recorder:
    """`add` what came of a call; `run` records until `finish`."""

    def __init__(self, db: Database, providers: Mapping[str, Provider], now: Callable[[], dt.datetime]) -> None:
        self._db = db
        self._providers = providers
        self._now = now
        self._waiting: deque[tuple[str, str, Called]] = deque()
        self._signal = Signal()
        self._finishing = False

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, firm_id: str, provider: str, called: Called) -> None:
        """Takes the outcome of one call."""
        self._waiting.append((firm_id, provider, called))
        self._wake()

    def finish(self) -> None:
        """Lets `run` end when everything is recorded."""
        self._finishing = True
        self._wake()

    def run(self) -> None:
        """Records what comes in."""
        while self._waiting or not self._finishing:
            if not self._waiting:
                self._signal.wait()
                self._signal = Signal()
                if not self._finishing:
                    eventlet.sleep(GATHERED_FOR)
                continue
            self.record_some()
            eventlet.sleep(0 if len(self._waiting) >= AT_ONCE else GATHERED_FOR)

    def record_some(self) -> None:
        """Records what has come in; what cannot be recorded now, as without the database, is kept and tried again."""
        taken = [self._waiting.popleft() for _ in range(min(len(self._waiting), AT_ONCE))]
        groups: dict[tuple[str, str], list[Called]] = {}
        for firm_id, provider, called in taken:
            groups.setdefault((firm_id, provider), []).append(called)
        for (firm_id, provider), of_firm in groups.items():
            with use(Context(firm_id=firm_id)):
                self._record(firm_id, provider, of_firm)

    def _record(self, firm_id: str, provider: str, of_firm: Sequence[Called]) -> None:
        """Records calls of one firm; if that is refused, in halves, so that a single bad one keeps no other waiting:
        its fate is unknown then, as without an answer."""
        ask_after = self._providers[provider].ask_after[0]
        try:
            db = self._db.for_firm(firm_id)
            results.record(db, of_firm, self._now(), provider=provider, ask_after=ask_after)
        except (Unavailable, eventlet.Timeout) as error:
            log_unexpected(log, error, event="results_not_recorded")
            self._waiting.extend((firm_id, provider, called) for called in of_firm)
            eventlet.sleep(PAUSE)
        except Exception as error:
            if len(of_firm) > 1:
                half = len(of_firm) // 2
                self._record(firm_id, provider, of_firm[:half])
                self._record(firm_id, provider, of_firm[half:])
                return
            (called,) = of_firm
            log_unexpected(log, error, event="result_not_recorded")
            # If not even that can be recorded, it is what a killed dispatcher leaves: its lease ends.
            if called.result != UNREADABLE:
                self._record(firm_id, provider, [replace(called, result=UNREADABLE)])

    def _wake(self) -> None:
        if not self._signal.ready():
            self._signal.send(None)
