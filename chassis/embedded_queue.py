"""What the embedded broker is made of: queues, the copies of messages in them, and publications that wait for their
copies."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

PUBLICATION_HEADER = "x-publication"


class Subscriber(Protocol):
    """What a queue knows of its consumers."""

    def wake(self) -> None:
        """The queue holds a message that may be taken."""


class Publication:
    """One publish, settled when every copy of it is: acknowledged, dropped, or dead-lettered for good.

    A copy that waits in a retry queue is not settled, nor is one that was published again with the headers of a
    delivered copy (`PUBLICATION_HEADER` travels in them), so a consumer that moves a message to a retry queue and then
    acknowledges it keeps the publication open.
    """

    __slots__ = ("_number", "_on_settled", "_open", "_registry")
    _numbers = itertools.count(1)

    def __init__(self, on_settled: Callable[[], None], registry: dict[int, Publication]) -> None:
        self._on_settled = on_settled
        self._open = 0
        self._number = next(self._numbers)
        self._registry = registry
        registry[self._number] = self

    @property
    def number(self) -> int:
        return self._number

    def open_copy(self) -> None:
        self._open += 1

    def settle_copy(self) -> None:
        self._open -= 1
        if self._open == 0:
            del self._registry[self._number]
            self._on_settled()


@dataclass(slots=True, eq=False)
class Copy:
    """One message in one queue. `message` is Kombu's prepared dict and is shared by all copies: never changed."""

    message: dict[str, Any]
    exchange: str
    routing_key: str
    headers: dict[str, Any]
    publication: Publication | None
    expires_at: float | None = None
    deliveries: int = 0

    def expired(self, now: float) -> bool:
        return self.expires_at is not None and self.expires_at <= now

    def settle(self) -> None:
        publication, self.publication = self.publication, None
        if publication is not None:
            publication.settle_copy()


@dataclass(slots=True, eq=False)
class Queue:
    """`arguments` as RabbitMQ's: `x-message-ttl`, `x-dead-letter-exchange`, `x-dead-letter-routing-key`,
    `x-delivery-limit` and `x-expires` act; others (queue type, overflow, strategy) are accepted and change nothing."""

    name: str
    durable: bool
    auto_delete: bool
    arguments: dict[str, Any]
    ready: deque[Copy] = field(default_factory=deque)
    subscribers: list[Subscriber] = field(default_factory=list)
    unacknowledged: int = 0
    timer: Any = None

    def same_as(self, durable: bool, auto_delete: bool, arguments: dict[str, Any]) -> bool:
        return (self.durable, self.auto_delete, self.arguments) == (durable, auto_delete, arguments)


@dataclass(slots=True)
class Exchange:
    type: str
    bindings: dict[tuple[str, str], None] = field(default_factory=dict)  # (routing key, queue name), in order

    def targets(self, routing_key: str) -> list[str]:
        """The names of the queues that a message with this key goes to, each once."""
        words = routing_key.split(".")
        return list(
            dict.fromkeys(
                name
                for pattern, name in self.bindings
                if self.type == "fanout"
                or (pattern == routing_key if self.type == "direct" else _matches(pattern.split("."), words))
            )
        )


def _matches(pattern: list[str], words: list[str]) -> bool:
    """AMQP topic match: `*` is one word, `#` any number."""
    if not pattern:
        return not words
    if pattern[0] == "#":
        return any(_matches(pattern[1:], words[skip:]) for skip in range(len(words) + 1))
    return bool(words) and pattern[0] in ("*", words[0]) and _matches(pattern[1:], words[1:])
