"""A dispatcher's rounds: steps that repeat side by side, survive every error, and are woken before their time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import eventlet
from eventlet.event import Event as Signal

from chassis.telemetry import log_of, log_unexpected
from contracts.errors import DeadlineExceeded, Unavailable

log = log_of(__name__)


class Rounds:
    """`repeat` runs a step again and again until `stop`; `wake` ends all pauses."""

    def __init__(self) -> None:
        self._bell = Signal()
        self.stopping = False

    def stop(self) -> None:
        """Lets every `repeat` end with the step in hand."""
        self.stopping = True
        self.wake()

    def wake(self) -> None:
        """Looks for work before its time."""
        bell, self._bell = self._bell, Signal()
        bell.send(None)

    def repeat(self, step: Callable[[], bool], pause: float) -> None:
        """A step says whether there may be more to do at once; else the next one waits for `pause` seconds."""
        while not self.stopping:
            try:
                more = step()
            except (Unavailable, DeadlineExceeded) as error:
                log.warning("dispatcher_waits", task=step.__name__, code=error.code)
                more = False
            except (Exception, eventlet.Timeout) as error:
                log_unexpected(log, error, event="dispatcher_step_failed", task=step.__name__)
                more = False
            if more:
                eventlet.sleep(0)
            else:
                self.wait(pause)

    def wait(self, seconds: float) -> None:
        """Waits, or until there may be something to do."""
        bell = self._bell
        if not self.stopping:
            with eventlet.Timeout(seconds, False):
                bell.wait()


def guarded(step: Callable[..., int], *given: Any) -> int:
    """What a step did for one firm or sender; an error of one does not keep the others waiting."""
    try:
        return step(*given)
    except (Unavailable, DeadlineExceeded) as error:
        log.warning("dispatcher_waits", task=step.__name__, code=error.code)
    except (Exception, eventlet.Timeout) as error:
        log_unexpected(log, error, event="dispatcher_step_failed", task=step.__name__)
    return 0
