"""cases: rows of a file."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any, cast

from chassis.imports.seeking import Person, Seeker
from services.cases.imports.known import KnownStaff
from services.cases.imports.rows import RowReader

NOW = dt.datetime(2026, 11, 21, 15, 0, tzinfo=dt.UTC)
LONG = 30_000


def test_a_long_cell_is_soon_read_and_searched() -> None:
    """Others wait meanwhile."""
    reader = RowReader(1, {"key_dates": 0}, {}, "US", NOW, cast(Any, None), KnownStaff())
    seeker = Seeker([Person("018f4e9a-0000-7000-8000-000000000001", (), ("ann@example.com",), (), "Ann Lee")])
    began = time.process_time()
    row = reader.read(1, ["Hearing" + " " * LONG + "soon"])
    found = seeker.found_in(["a" * LONG + " ann@example.com"]), seeker.found_in([f"{'a' * LONG}@ ann@example.org"])
    assert time.process_time() - began < 1
    assert row.errors == ["invalid_date:key_dates"]
    assert [len(ids) for ids in found] == [1, 0]
