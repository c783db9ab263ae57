"""Row 10 in quick form, on both buses."""

from __future__ import annotations

import pytest

from tests.faults.figures import demand
from tests.faults.matrix import BOTH
from tests.faults.poison import bus_of, poison
from tests.faults.work import Load


@pytest.mark.parametrize("backend", BOTH)
def test_row_10_five_kinds_of_poison(backend: str) -> None:
    with bus_of(backend) as bus:
        demand(poison(bus, Load(200, 1, 0.0), print, retries=[0.1, 0.2, 0.3]))
