"""Deliveries that a dispatcher has reserved and rendered ahead of their claims.

Reserving, registering links and rendering take several turns of the database and of another service. They are done for
many at once and beside the calls, so that these wait only for a claim, which must be made right before them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import eventlet

from chassis.telemetry import log_of, log_unexpected
from contracts.errors import DeadlineExceeded, Unavailable
from services.messaging.deliveries import LONGEST_RESERVATION
from services.messaging.dispatching.claims import DueSender, Ready

log = log_of(__name__)

AT_ONCE = 256
AHEAD_FOR = 1.0
"""Seconds of a sender's rate that are made ready at most: for so long an urgent message may wait behind others."""
LEASE_LEFT = dt.timedelta(seconds=2)
"""What must be left of a reservation for a claim to try."""


@dataclass
class _Stock:
    """What is ready of one sender. `more`: whether the last filling brought all that was asked for."""

    sender: DueSender
    items: list[Ready] = field(default_factory=list)
    more: bool = True
    filling: Any = None


class ReadyAhead:
    """`make` reserves and renders up to a number of a sender's deliveries."""

    def __init__(self, make: Callable[[DueSender, int], list[Ready]], now: Callable[[], dt.datetime]) -> None:
        self._make = make
        self._now = now
        self._stocks: dict[str, _Stock] = {}

    def take(self, sender: DueSender, limit: int) -> list[Ready]:
        """Up to `limit`, waiting for some to be made ready if there are none. Fills up beside the caller's work."""
        stock = self._stocks.setdefault(sender.id, _Stock(sender))
        stock.sender = sender
        self._drop_late(stock)
        if not stock.items:
            self._fill(stock, limit).wait()
        taken, stock.items = stock.items[:limit], stock.items[limit:]
        if stock.more and len(stock.items) < self._wanted(stock, limit) // 2:
            self._fill(stock, limit)
        return taken

    def give_back(self, sender: DueSender, items: list[Ready]) -> None:
        """Keeps what could not be begun now; it is the next to be taken."""
        if items:
            stock = self._stocks.setdefault(sender.id, _Stock(sender, more=False))
            stock.items = [*items, *stock.items]

    def senders(self) -> Iterator[DueSender]:
        """Those that have something ready."""
        return (stock.sender for stock in list(self._stocks.values()) if stock.items)

    def empty(self) -> list[tuple[DueSender, list[Ready]]]:
        """Waits for what is being made ready, and gives everything up."""
        for stock in list(self._stocks.values()):
            if stock.filling is not None:
                stock.filling.wait()
        left = [(stock.sender, stock.items) for stock in self._stocks.values() if stock.items]
        self._stocks.clear()
        return left

    def _drop_late(self, stock: _Stock) -> None:
        """Drops what is reserved no more, or will soon not be: by the same rule as all who look for work."""
        now = self._now()
        soon, longest = now + LEASE_LEFT, now + LONGEST_RESERVATION
        stock.items = [item for item in stock.items if soon < item.reserved.lease_until <= longest]

    def _wanted(self, stock: _Stock, limit: int) -> int:
        return max(limit, min(AT_ONCE, int(stock.sender.rate * AHEAD_FOR)))

    def _fill(self, stock: _Stock, limit: int) -> Any:
        """The green thread that fills a stock: one at a time for each."""
        if stock.filling is None:  # a green thread that has not begun yet is false
            stock.filling = eventlet.spawn(self._fill_now, stock, self._wanted(stock, limit))
        return stock.filling

    def _fill_now(self, stock: _Stock, wanted: int) -> None:
        made: list[Ready] = []
        try:
            made = self._make(stock.sender, wanted)
        except (Unavailable, DeadlineExceeded) as error:
            log.warning("dispatcher_waits", task="make_ready", code=error.code)
        except (Exception, eventlet.Timeout) as error:
            log_unexpected(log, error, event="deliveries_not_made_ready")
        finally:
            stock.items += made
            stock.more = len(made) >= wanted
            stock.filling = None
