"""How long the supervisor waits before it starts again what keeps dying."""

from __future__ import annotations

import pytest

from deploy.supervisor import LONGEST_PAUSE, pause_after


@pytest.mark.parametrize(("failures", "seconds"), [(0, 0.5), (1, 1.0), (2, 2.0), (50, LONGEST_PAUSE)])
def test_what_keeps_dying_waits_longer_each_time(failures: int, seconds: float) -> None:
    assert pause_after(failures) == seconds


def test_what_has_died_for_days_is_still_started_again() -> None:
    assert pause_after(100_000) == LONGEST_PAUSE
