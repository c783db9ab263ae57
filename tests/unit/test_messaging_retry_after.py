"""The delay that a provider asks for."""

from __future__ import annotations

import datetime as dt
from email.utils import format_datetime

import pytest

from services.messaging.adapters.retry_after import seconds_of


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("7", 7.0), ("0.5", 0.5), ("-7", 0.0), ("1e300", 1e300), ("nan", None), ("inf", None), ("-inf", None),
        ("9" * 400, None), ("soon", None), ("", None), (None, None), ("Sat, 21 Nov 2020 17:00:00 GMT", 0.0),
        ("Sat, 21 Nov 2020 17:00:00 -0000", None), ("Sat, 99 Nov 2020 17:00:00 GMT", None),
    ],
)  # fmt: skip
def test_a_delay_is_seconds_that_can_be_waited_for(told: str | None, seconds: float | None) -> None:
    assert seconds_of(told) == seconds


def test_a_delay_may_be_an_instant() -> None:
    seconds = seconds_of(format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(minutes=2), usegmt=True))
    assert seconds is not None
    assert 60 < seconds <= 120
