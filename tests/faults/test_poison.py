"""Row 10 in quick form, on the embedded bus; on RabbitMQ it is with the others on servers."""

from __future__ import annotations

from tests.faults.figures import demand
from tests.faults.poison import QUICK_RETRIES, bus_of, poison
from tests.faults.work import Load


def test_row_10_five_kinds_of_poison() -> None:
    with bus_of("embedded") as bus:
        demand(poison(bus, Load(200, 1, 0.0), print, retries=QUICK_RETRIES))
