"""Tells the dispatcher of the same process that there is work, so that it need not look for it all the time.

In a process of its own a dispatcher looks more often instead.
"""

from __future__ import annotations

from collections.abc import Callable

_listening: dict[str, set[Callable[[], None]]] = {}


def listen(url: str, action: Callable[[], None]) -> None:
    """Calls `action` whenever there is new work in the database at `url`."""
    _listening.setdefault(url, set()).add(action)


def unlisten(url: str, action: Callable[[], None]) -> None:
    """Calls it no more."""
    _listening.get(url, set()).discard(action)


def ring(url: str) -> None:
    """There is new work in the database at `url`: for `uow.after_commit`."""
    for action in tuple(_listening.get(url, ())):
        action()
