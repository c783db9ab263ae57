"""A process of the pet shop, for tests that send it signals: `python -m tests.service.running <bus> <services…>`.

Prints `ready` when it takes work and `status <n>` when it ends; with `load` among the services it keeps calling.
"""

from __future__ import annotations

import eventlet

eventlet.monkey_patch()

import sys  # noqa: E402
from typing import Any  # noqa: E402

from chassis.columns import new_id  # noqa: E402
from chassis.context import Context, use  # noqa: E402
from chassis.rpc import serve  # noqa: E402
from chassis.run import run_services  # noqa: E402
from tests.service.pet_shop import NAP, Customer, Pets, Shop  # noqa: E402


class DatalessPets:
    """The part of `Pets` that needs no database."""

    name = "pets"

    @serve(NAP)
    def nap(self, seconds: float) -> None:
        print("began", flush=True)
        eventlet.sleep(seconds)
        print("ended", flush=True)


class StuckPets:
    """Never lets go."""

    name = "pets"

    @serve(NAP)
    def nap(self, seconds: float) -> None:
        print("began", flush=True)
        eventlet.sleep(3600)


CLASSES: dict[str, Any] = {"pets": DatalessPets, "stuck": StuckPets, "shop": Shop, "customer": Customer, "all": Pets}


def started(runner: Any) -> None:
    print("ready", flush=True)
    if "customer" in runner.service_map and "call" in sys.argv:
        calls = next(iter(runner.service_map["customer"].dependencies)).get_dependency(None)
        with use(Context(firm_id=new_id())):
            for _ in range(3):
                calls.pets.nap.start(seconds=0.5)


if __name__ == "__main__":
    names = [name for name in sys.argv[2:] if name in CLASSES]
    config = {"AMQP_URI": sys.argv[1], "HEARTBEAT": 5, "LOG_FORMAT": "text"}
    status = run_services(
        [CLASSES[name] for name in names], config, on_started=started, grace=2.0 if "stuck" in names else 7.5
    )
    print(f"status {status}", flush=True)
    sys.exit(status)
