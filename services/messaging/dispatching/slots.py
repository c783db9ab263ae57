"""The calls that one dispatcher may make at once, how many of them one claim may begin, and when enough of them have
ended for a claim to be worth it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import eventlet
from eventlet.event import Event as Signal

WORTH_CLAIMING = 32
"""Free slots from which on a claim does not wait for more, or half of all if they are fewer."""
CLAIM_AT_ONCE = 64
"""The most that one claim begins: its last call begins after all the others."""
GATHER = 0.1
"""The longest that free slots wait for more calls to end, in seconds: claims of one cost the most."""


class Slots:
    """`size` slots, each for one call on a green thread of its own. `at_once`: how many one claim may begin."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.at_once = CLAIM_AT_ONCE
        self._pool = eventlet.GreenPool(size)
        self._enough = min(WORTH_CLAIMING, max(1, size // 2))
        self._late_alone = False
        self._promised = 0
        self._few_since: float | None = None
        self._ended = Signal()

    def free(self) -> int:
        """Slots that no call has and no round of sending has been promised: a claimed delivery never waits for one."""
        return self._pool.free() - self._promised

    def begins_here(self) -> bool:
        """Whether a call that was claimed alone is to begin before anybody else has a turn: two are too many, or the
        last one alone was late as well."""
        here, self._late_alone = self.at_once == 1 or self._late_alone, False
        return here

    @contextmanager
    def promised(self, count: int) -> Iterator[None]:
        """Keeps slots for calls that are being claimed; once they are called, they have their slots."""
        self._promised += count
        try:
            yield
        finally:
            self._promised -= count

    def call(self, action: Callable[..., None], *given: Any) -> None:
        """Runs a call that a slot is free for."""
        self._pool.spawn_n(self._run, action, *given)

    def too_many(self, claimed: int) -> None:
        """Of so many calls that were claimed together, one had no time left to begin."""
        if claimed > 1:
            self.at_once = min(self.at_once, claimed // 2)
        else:
            self._late_alone = True

    def try_more(self, claimed: int) -> None:
        """So many were claimed together: if no more were allowed, some more are tried the next time."""
        if claimed >= self.at_once:
            self.at_once = min(claimed + 1 + claimed // 4, CLAIM_AT_ONCE)

    def worth_claiming(self) -> bool:
        """Whether enough calls may begin for a claim to be worth it, or some, and no more have ended for a while."""
        free = self.free()
        if free <= 0:
            self._few_since = None
            return False
        if free >= self._enough:
            self._few_since = None
            return True
        if self._few_since is None:
            self._few_since = time.monotonic()
        if time.monotonic() - self._few_since < GATHER:
            return False
        self._few_since = None
        return True

    def gather(self) -> None:
        """Waits until enough calls have ended, though not for long."""
        ended = self._ended
        with eventlet.Timeout(GATHER, False):
            ended.wait()

    def wait_all(self) -> None:
        """Waits for the calls under way."""
        self._pool.waitall()

    def _run(self, action: Callable[..., None], *given: Any) -> None:
        try:
            action(*given)
        finally:
            if self.free() + 1 >= self._enough:  # this call's own slot is about to be free
                ended, self._ended = self._ended, Signal()
                ended.send(None)
