"""The rows in quick forms on the embedded default: one process, SQLite."""

from __future__ import annotations

from tests.faults import assigning, deadlines, erasures, events, processes, stops
from tests.faults.figures import demand
from tests.faults.work import Firm, Load

SLACK = 3.0


def test_row_1_killed_at_random(on_files: Firm) -> None:
    demand(processes.kill_at_random(on_files, Load(120, 3, 40.0, slack=SLACK), print))


def test_row_2_killed_at_named_points(on_files: Firm) -> None:
    # Those first that leave deliveries under a lease: it runs out while the others come.
    points = sorted((*processes.POINTS, *processes.MORE_POINTS), key=lambda point: point[0] != processes.IN_THE_WAY)
    demand(processes.kill_at_points(on_files, Load(40, 1, 40.0, slack=SLACK), print, points))


def test_row_3_asked_to_end_in_mid_work(on_files: Firm) -> None:
    demand(processes.end_in_the_middle(on_files, Load(80, 2, 40.0, slack=SLACK), print))


def test_row_8_every_event_three_times_and_shuffled(on_files: Firm) -> None:
    demand(events.repeat_everything(on_files, Load(60, 1, 60.0, slack=SLACK), print))


def test_row_16_erased_in_mid_batch(on_files: Firm) -> None:
    demand(erasures.erase_in_the_middle(on_files, Load(60, 6, 15.0, slack=SLACK), print))


def test_row_13_a_stop_in_mid_batch(on_files: Firm) -> None:
    """Last, since its people stay stopped."""
    demand(stops.stop_in_the_middle(on_files, Load(120, 20, 30.0, slack=SLACK), print))


# These two after all others, since their tasks stay open: what a later row sends would be sent for them as well.
def test_row_17_killed_while_deadlines_pass(on_files: Firm) -> None:
    demand(deadlines.kill_while_deadlines_pass(on_files, Load(120, 2, 0.0, slack=SLACK), print))


def test_row_18_killed_while_tasks_are_assigned_in_bulk(on_files: Firm) -> None:
    demand(assigning.kill_while_assigning(on_files, Load(120, 2, 0.0, slack=SLACK), print))
