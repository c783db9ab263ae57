"""A clock that a test may set otherwise than the machine's.

`CASEWIRE_CLOCK=<file>`: the file holds the seconds by which the clock is ahead, or behind if negative. It is read
again after a tenth of a second, so that a running process sees its clock step. Nothing happens where the variable is
not set.
"""

from __future__ import annotations

import datetime as dt
import os
import time
from pathlib import Path

READ_AGAIN = 0.1

_file = os.environ.get("CASEWIRE_CLOCK")
_ahead = dt.timedelta()
_read_at = float("-inf")


def ahead() -> dt.timedelta:
    """By how much the clock is to be ahead."""
    global _ahead, _read_at
    if _file is not None and time.monotonic() - _read_at > READ_AGAIN:
        _read_at = time.monotonic()
        _ahead = dt.timedelta(seconds=float(Path(_file).read_text()))
    return _ahead
