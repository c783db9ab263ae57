"""The rows in quick forms on RabbitMQ and PostgreSQL, every service in its process, two dispatchers."""

from __future__ import annotations

from tests.faults import assigning, broker, databases, erasures, events, importing, poison, processes, stops
from tests.faults.deployments import Distributed
from tests.faults.figures import demand
from tests.faults.work import Firm, Load

SLACK = 3.0
QUICK = Load(messages=120, faults=1, rate=40.0, slack=SLACK)


def test_row_1_processes_killed_at_random(on_servers: Firm) -> None:
    demand(processes.kill_at_random(on_servers, Load(120, 4, 30.0, slack=SLACK), print))


def test_row_2_processes_killed_at_named_points(on_servers: Firm) -> None:
    demand(processes.kill_at_points(on_servers, Load(120, 1, 20.0, slack=SLACK), print))


def test_row_3_processes_asked_to_end_in_mid_work(on_servers: Firm) -> None:
    demand(processes.end_in_the_middle(on_servers, Load(120, 4, 30.0, slack=SLACK), print))


def test_row_4_the_broker_killed_and_restarted(on_servers: Firm) -> None:
    demand(broker.kill_the_broker(on_servers, QUICK, print))


def test_row_5_the_broker_frozen(on_servers: Firm) -> None:
    demand(broker.freeze_the_broker(on_servers, QUICK, print, seconds=6.0))


def test_row_6_no_room_on_the_brokers_disk(on_servers: Firm) -> None:
    # Slow enough that some are left when the alarm goes off: to ask for it takes the broker's own tool some seconds.
    demand(broker.fill_the_disk(on_servers, Load(120, 1, 12.0, slack=SLACK), print, seconds=3.0))


def test_row_7_the_database_stopped_at_once_and_restarted(on_servers: Firm) -> None:
    demand(databases.stop_the_database(on_servers, QUICK, print))


def test_row_8_every_event_three_times_and_shuffled(on_servers: Firm) -> None:
    demand(events.repeat_everything(on_servers, QUICK, print))


def test_row_9_a_newer_version_before_an_older(on_servers: Firm) -> None:
    demand(events.send_the_older_last(on_servers, Load(20, 1, 40.0, slack=SLACK), print))


def test_row_10_five_kinds_of_poison(on_servers: Firm) -> None:
    """Services of its own, on the same servers."""
    assert isinstance(on_servers.deployment, Distributed)
    bus = poison.bus_beside(on_servers.deployment)
    demand(poison.poison(bus, Load(200, 1, 0.0), print, retries=poison.QUICK_RETRIES))


def test_row_16_erased_in_mid_batch(on_servers: Firm) -> None:
    demand(erasures.erase_in_the_middle(on_servers, Load(60, 6, 15.0, slack=SLACK), print))


def test_row_13_a_stop_in_mid_batch(on_servers: Firm) -> None:
    """The last that writes to people, since these stay stopped."""
    demand(stops.stop_in_the_middle(on_servers, Load(120, 20, 30.0, slack=SLACK), print))


def test_row_18_killed_while_tasks_are_assigned_in_bulk(on_servers: Firm) -> None:
    """After all that write to people, since its tasks stay open."""
    demand(assigning.kill_while_assigning(on_servers, Load(120, 2, 0.0, slack=SLACK), print))


def test_row_19_killed_while_cases_are_imported_and_taken_back(on_servers: Firm) -> None:
    demand(importing.kill_while_importing(on_servers, Load(600, 2, 0.0, slack=SLACK), print))
