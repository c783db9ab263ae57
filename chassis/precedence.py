"""Calls go before bulk work.

In one process one thing runs at a time. Somebody waits for the answer to a call, and a STOP is in force only with its
answer; nobody waits for the next part of a large batch. So bulk work steps aside between its parts while calls are
being answered, for a moment at most, so that it comes on however many calls there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import eventlet
from eventlet.event import Event as Signal

LONGEST = 0.05
"""Seconds that bulk work steps aside at once."""


class Precedence:
    """How many calls a process is answering."""

    def __init__(self) -> None:
        self._answering = 0
        self._none_left = Signal()

    @contextmanager
    def call(self) -> Iterator[None]:
        """While a call is answered."""
        self._answering += 1
        try:
            yield
        finally:
            self._answering -= 1
            if not self._answering:
                signal, self._none_left = self._none_left, Signal()
                signal.send(None)

    def step_aside(self, longest: float = LONGEST) -> None:
        """Waits while calls are answered, `longest` seconds at most. Not for a call's own work, nor within a
        transaction on SQLite, which keeps all others from writing."""
        eventlet.sleep(0)  # whatever has come in meanwhile is begun
        if self._answering:
            with eventlet.Timeout(longest, False):
                self._none_left.wait()


precedence = Precedence()
"""This process's."""
