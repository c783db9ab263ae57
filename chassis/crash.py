"""Points at which a test may kill the process, as a power cut would.

`CASEWIRE_CRASH_AT=after_claim` kills it when the point is passed first, `after_claim:50` when it is passed for the 50th
time. Nothing happens where the variable is not set.
"""

from __future__ import annotations

import os
import signal

_point, _, _count = os.environ.get("CASEWIRE_CRASH_AT", "").partition(":")
_left = int(_count or 1)


def crash_point(name: str) -> None:
    """Kills this process with SIGKILL if the test asked for it here."""
    global _left
    if name != _point:
        return
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
