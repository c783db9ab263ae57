"""The engine of a dispatcher: prepares, reserves, renders, claims, calls, records, and settles what is unknown.

Its loops share one process. Calls to providers run on green threads, as many at once as `concurrency`; a claim begins
no more than there are free slots, and each call starts right after its claim has committed. Every loop survives every
error: what it had reserved is free again when its lease ends.
"""

from __future__ import annotations

import datetime as dt
import time
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import eventlet

from chassis.columns import utc_now
from chassis.context import Context, use
from chassis.crash import crash_point
from chassis.database import Database
from chassis.telemetry import log_of, log_unexpected
from contracts.errors import CasewireError, DeadlineExceeded, Unavailable
from services.messaging.adapters.base import NotBegun, Provider
from services.messaging.consents.unsubscribing import UnsubscribeLinks
from services.messaging.dispatching import calling, claims, doorbell, preparation, settling
from services.messaging.dispatching.ahead import ReadyAhead
from services.messaging.dispatching.claims import DueSender, Ready
from services.messaging.dispatching.outcomes import Wish
from services.messaging.dispatching.prices import Prices
from services.messaging.dispatching.recorder import Recorder
from services.messaging.dispatching.rendering import Renderer
from services.messaging.dispatching.rounds import Rounds, guarded
from services.messaging.dispatching.slots import Slots

log = log_of(__name__)

IDLE = 0.5
"""Seconds between looks for work when there was none."""
IDLE_BESIDE = 2.0
"""The same where whoever makes work is in this process, and rings."""
HOUSEKEEPING = 2.0
BEGIN_WITHIN = 0.06
"""Seconds from the moment before a claim's commit in which its calls must have begun. A STOP may commit right after it,
and nothing may reach the provider more than 100 ms after that: the rest is for the way there."""
AT_LEAST = 0.02
"""Seconds after a claim's commit that are left for a call, however long that took: on a slow disk none would begin."""
STOP_WITHIN = 20.0
PREPARING = 2
LANES = 3
"""Rounds of preparing, and of sending, side by side: while one waits for the database or for others, another works."""
LOOK_AGAIN = 0.2
"""Seconds for which senders that had more to send are served without looking for others."""


class Sending:
    """`providers` by the name that senders carry; `calls` takes the running context's firm along; `limited` names the
    providers whose account has a rate of its own."""

    def __init__(
        self,
        db: Database,
        calls: Any,
        providers: Mapping[str, Provider],
        *,
        public_url: str,
        unsubscribing: UnsubscribeLinks,
        concurrency: int,
        sandbox: Collection[str] = (),
        limited: Collection[str] = (),
        idle: float | None = None,
        begin_within: float = BEGIN_WITHIN,
        now: Callable[[], dt.datetime] = utc_now,
    ) -> None:
        self.owner = f"dispatcher-{uuid.uuid4().hex[:12]}"
        self._db = db
        self._across = db.across_firms("a dispatcher looks for work of every firm")
        self._calls = calls
        self._providers = dict(providers)
        self._renderer = Renderer(public_url, unsubscribing)
        self._sandbox = sandbox
        self._idle = idle or (IDLE_BESIDE if db.engines.is_sqlite else IDLE)
        self._begin_within = begin_within
        self._now = now
        self.slots = Slots(concurrency)
        self.recorder = Recorder(db, self._providers, now)
        self.prices = Prices(db, self._providers, self.owner, now)
        self._ahead = ReadyAhead(self._make_ready, now)
        self._busy: dict[str, DueSender] = {}
        self._limited = frozenset(limited)
        self._free_at: dict[str, dt.datetime] = {}
        self._looked_at = 0.0
        self._rounds = Rounds()

    # Frame

    def run(self) -> None:
        """Works until `stop`, then waits for the calls under way and records them."""
        doorbell.listen(self._db.url, self._rounds.wake)
        loops = [
            *(eventlet.spawn(self._rounds.repeat, self.prepare_some, self._idle) for _ in range(PREPARING)),
            *(eventlet.spawn(self._rounds.repeat, self.send_some, self._idle) for _ in range(LANES)),
            eventlet.spawn(self._rounds.repeat, self.settle_some, HOUSEKEEPING),
            eventlet.spawn(self._rounds.repeat, self.finish_some, HOUSEKEEPING),
            eventlet.spawn(self._rounds.repeat, self.prices.ask_some, HOUSEKEEPING),
        ]
        recording = eventlet.spawn(self.recorder.run)
        for loop in loops:
            loop.wait()
        doorbell.unlisten(self._db.url, self._rounds.wake)
        with eventlet.Timeout(STOP_WITHIN, False):
            self.slots.wait_all()
        self._release_ahead()
        self.recorder.finish()
        recording.wait()

    def stop(self) -> None:
        """Begins nothing more."""
        self._rounds.stop()

    # Preparing

    def prepare_some(self) -> bool:
        """One round over the firms that have something to prepare. Returns whether there was any."""
        with self._across.read() as session:
            firms = preparation.firms_with_due(session, self._now())
        done = sum(guarded(self._prepare_firm, firm_id) for firm_id in firms if not self._rounds.stopping)
        if done:
            self._rounds.wake()
        return done > 0

    def _prepare_firm(self, firm_id: str) -> int:
        with use(Context(firm_id=firm_id)):
            db = self._db.for_firm(firm_id)
            # Of the round's own: what has changed meanwhile, another round of this dispatcher may prepare by then.
            owner = f"{self.owner}-{uuid.uuid4().hex[:12]}"
            wishes = preparation.reserve(db, owner, self._now())
            crash_point("after_prepare_reserve")
            return self._prepare(db, wishes, owner)

    def _prepare(self, db: Database, wishes: Sequence[Wish], owner: str) -> int:
        """Prepares reserved deliveries; if that is refused, in halves, so that a single bad one fails alone."""
        try:
            return preparation.prepare(db, self._calls, wishes, owner, sandbox=self._sandbox, now=self._now)
        except (Unavailable, DeadlineExceeded):
            raise
        except Exception as error:
            if len(wishes) > 1:
                half = len(wishes) // 2
                return self._prepare(db, wishes[:half], owner) + self._prepare(db, wishes[half:], owner)
            log_unexpected(log, error, event="delivery_not_prepared")
            preparation.give_up(db, wishes, owner, self._now())
            return len(wishes)

    # Sending

    def send_some(self) -> bool:
        """One round over the senders that have something to send. Returns whether there may be more at once."""
        if not self.slots.worth_claiming():
            self.slots.gather()
            return True
        due = self._due_senders()
        begun, shortest = 0, self._idle
        for sender in due:
            if self._rounds.stopping or sender.provider not in self._providers:
                continue
            rests = self._rests(sender.provider)
            if rests > 0:
                shortest = min(shortest, rests)
                continue
            allowed = sender.allowed(self._now())
            limit = min(self.slots.free(), allowed, self.slots.at_once)
            if limit <= 0:
                shortest = min(shortest, 0.002 if allowed else sender.wait(self._now()))
                continue
            with self.slots.promised(limit):
                begun += guarded(self._send, sender, limit)
        if due and not begun:
            self._rounds.wait(max(min(shortest, self._idle), 0.002))
        return bool(due)

    def _due_senders(self) -> list[DueSender]:
        if self._busy and time.monotonic() - self._looked_at < LOOK_AGAIN:
            return list(self._busy.values())
        with self._across.read() as session:
            due = claims.due_senders(session, self._now())
        self._looked_at = time.monotonic()
        self._busy = {}
        found = {sender.id for sender in due}
        return [*due, *(sender for sender in self._ahead.senders() if sender.id not in found)]

    def _send(self, sender: DueSender, limit: int) -> int:
        db = self._db.for_firm(sender.firm_id)
        provider = self._providers[sender.provider]
        self._busy.pop(sender.id, None)
        ready = self._ahead.take(sender, limit)
        if not ready:
            return 0
        now = self._now()
        lease = dt.timedelta(seconds=provider.seconds + 2.0)
        with use(Context(firm_id=sender.firm_id)):
            account = sender.provider if sender.provider in self._limited else None
            claim = claims.claim(db, self.owner, sender.id, ready, now, call_lease=lease, account=account)
        crash_point("after_claim")
        by = max(claim.committing + self._begin_within, claim.committed + min(self._begin_within, AT_LEAST))
        if len(claim.begun) == 1 and self.slots.begins_here():
            # Here, before anybody else has a turn: where those take long, a call would be late again and again.
            self._call(provider, sender, claim.begun[0], by, 1)
        else:
            for item in claim.begun:
                self.slots.call(self._call, provider, sender, item, by, len(claim.begun))
        self.slots.try_more(len(claim.begun))
        if claim.account_free_at is not None:
            self._free_at[sender.provider] = claim.account_free_at
        seen = replace(sender, tokens=claim.tokens, tokens_at=now, held_until=claim.held_until)
        self._ahead.give_back(seen, claim.held)
        if len(ready) == limit:
            self._busy[sender.id] = seen
        return len(claim.begun)

    def _rests(self, provider: str) -> float:
        """Seconds until a provider's account, whose rate is limited, takes more."""
        free_at = self._free_at.get(provider)
        return 0.0 if free_at is None else (free_at - self._now()).total_seconds()

    def _make_ready(self, sender: DueSender, limit: int) -> list[Ready]:
        db = self._db.for_firm(sender.firm_id)
        with use(Context(firm_id=sender.firm_id)):
            reserved = claims.reserve(db, self.owner, sender.id, self._now(), limit)
            if not reserved:
                return []
            crash_point("after_reserve")
            try:
                ready, broken = self._renderer.make_ready(db, self._calls, reserved)
            except CasewireError as error:
                later = self._now() + dt.timedelta(seconds=2)
                claims.release(db, self.owner, [row.id for row in reserved], due_at=later)
                log.warning("links_not_registered", code=error.code)
                return []
            if broken:
                claims.give_up(db, self.owner, broken, self._now())
        return ready

    def _release_ahead(self) -> None:
        """Lets others have at once what was made ready and is not going to be sent from here."""
        for sender, items in self._ahead.empty():
            ids = [item.reserved.id for item in items]
            guarded(self._release, self._db.for_firm(sender.firm_id), ids)

    def _release(self, db: Database, ids: list[str]) -> int:
        claims.release(db, self.owner, ids)
        return len(ids)

    def _call(self, provider: Provider, sender: DueSender, item: Ready, by: float, claimed: int) -> None:
        called = calling.call(provider, sender, item, by)
        crash_point("after_provider")
        if isinstance(called.result, NotBegun):
            self.slots.too_many(claimed)
        self.recorder.add(sender.firm_id, sender.provider, called)

    # Settling

    def settle_some(self) -> bool:
        """Finds calls that nobody reported on, and asks providers about what is unknown."""
        return settling.settle_round(self._db, self._providers, self.owner, self._now)

    def finish_some(self) -> bool:
        """Marks batches that are done, and sweeps cancelled ones that a crash left half swept."""
        settling.finish_round(self._db)
        return False
