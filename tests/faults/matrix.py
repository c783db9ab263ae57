"""The rows of the fault matrix: what each does, on which backends, and at which load it is run in full."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.faults import (
    assigning,
    broker,
    clocks,
    databases,
    deadlines,
    erasures,
    events,
    importing,
    poison,
    processes,
    providers,
    stops,
)
from tests.faults.figures import Figure
from tests.faults.work import Firm, Load

Say = Callable[[str], None]
BOTH = ("distributed", "embedded")


@dataclass(frozen=True)
class Row:
    """`loads`: the full load on each backend that the row is promised on. `run` disturbs a firm at work; `run_alone`
    makes a system of its own, and is told the backend."""

    number: int
    fault: str
    loads: dict[str, Load]
    run: Callable[[Firm, Load, Say], list[Figure]] | None = None
    run_alone: Callable[[str, Load, Say], list[Figure]] | None = None


def _on(distributed: Load, embedded: Load | None = None) -> dict[str, Load]:
    return {"distributed": distributed} | ({"embedded": embedded} if embedded else {})


ROWS = (
    Row(1, "kill each process at random",
        _on(Load(10_000, 20, 150.0), Load(2_000, 20, 40.0)), processes.kill_at_random),
    Row(2, "kill at named points",
        _on(Load(2_000, 50, 30.0, "5 points, 50 kills each"), Load(2_000, 20, 30.0, "5 points, 20 kills each")),
        processes.kill_at_points),
    Row(3, "SIGTERM in mid-work",
        _on(*[Load(2_000, 20, 40.0)] * 2), processes.end_in_the_middle),
    Row(4, "broker killed and restarted",
        _on(Load(10_000, 10, 120.0)), broker.kill_the_broker),
    Row(5, "broker frozen for 30 s",
        _on(Load(5_000, 5, 100.0)), broker.freeze_the_broker),
    Row(6, "broker's disk alarm",
        _on(Load(2_000, 1, 80.0)), broker.fill_the_disk),
    Row(7, "PostgreSQL stopped at once and restarted",
        _on(Load(10_000, 10, 150.0)), databases.stop_the_database),
    Row(8, "every message three times, shuffled",
        _on(Load(10_000, 1, 200.0, "10,000 messages"), Load(2_000, 1, 80.0, "2,000 messages")),
        events.repeat_everything),
    Row(9, "a newer version before an older",
        _on(Load(1_000, 1, 100.0, "1,000 records")), events.send_the_older_last),
    Row(10, "poison: 5 kinds",
        _on(*[Load(2_000, 20, 0.0, "5 kinds × 20 among 2,000")] * 2), run_alone=poison.poison_on),
    Row(11, "provider 429",
        _on(Load(2_000, 150, 200.0, "2,000 messages")), providers.slow_down),
    Row(12, "provider 500, time-out, cut after accepting",
        _on(Load(2_000, 20, 200.0, "2,000 messages")), providers.fail_after_accepting),
    Row(13, "STOP in mid-batch",
        _on(Load(10_000, 500, 150.0, "10,000 recipients, 500 stop"),
            Load(2_000, 100, 40.0, "2,000 recipients, 100 stop")), stops.stop_in_the_middle),
    Row(15, "clock ±1 h, both daylight-saving nights, 5 zones",
        _on(Load(500, 1, 50.0, "500 sends")), run_alone=clocks.step_the_clock),
    Row(16, "erase in mid-batch, then a replay and a restore",
        _on(*[Load(1_000, 200, 50.0, "200 clients among 1,200")] * 2), erasures.erase_in_the_middle),
    Row(17, "kill while deadlines pass, and between a rule's run and its actions",
        _on(Load(10_000, 5, 0.0, "5,000 deadlines, 5 times"), Load(2_000, 5, 0.0, "1,000 deadlines, 5 times")),
        deadlines.kill_while_deadlines_pass),
    Row(18, "kill while tasks are assigned in bulk",
        _on(Load(10_000, 20, 0.0, "15,000 tasks of 5,000 cases at a time, 20 kills"),
            Load(2_000, 20, 0.0, "3,000 tasks of 1,000 cases at a time, 20 kills")),
        assigning.kill_while_assigning),
    Row(19, "kill while cases are imported, and while that is taken back",
        _on(Load(10_000, 20, 0.0, "10,000 cases with new clients, 20 kills"),
            Load(2_000, 6, 0.0, "2,000 cases with new clients, 6 kills")),
        importing.kill_while_importing),
)  # fmt: skip
