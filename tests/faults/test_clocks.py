"""Row 15 in quick form: the embedded default under a clock of our own."""

from __future__ import annotations

from tests.faults.clocks import step_the_clock
from tests.faults.figures import demand
from tests.faults.work import Load


def test_row_15_a_clock_that_steps_and_both_nights() -> None:
    demand(step_the_clock("embedded", Load(80, 1, 40.0), print))
