"""How long property-based tests look. `make test` looks shortly; EXAMPLES=20 looks twenty times as long, for whoever
changes what such a test is about."""

from __future__ import annotations

import os

_FACTOR = int(os.environ.get("EXAMPLES") or 1)


def examples(quick: int) -> int:
    """How many examples a test tries, of which `quick` are enough for `make test`."""
    return quick * _FACTOR
