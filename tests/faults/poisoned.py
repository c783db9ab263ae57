"""A process of two services for row 10, one of which is given poison: `python -m tests.faults.poisoned SETTINGS`.

SETTINGS is JSON: `bus`, `maker` and `taker` (databases), `fixed` (whether this is the release that can digest it all),
`retries` (seconds between attempts, those of production where it is null). Prints `ready` when it takes work.
"""

from __future__ import annotations

import eventlet

eventlet.monkey_patch()

import json  # noqa: E402
import os  # noqa: E402
import re  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
from typing import Any  # noqa: E402

from marshmallow import Schema, fields  # noqa: E402

from chassis import event_handling, topology  # noqa: E402
from chassis.database import Data  # noqa: E402
from chassis.events import ReceivedEvent, on  # noqa: E402
from chassis.queues import declare_queues  # noqa: E402
from chassis.run import run_services  # noqa: E402
from contracts.base import Event  # noqa: E402
from contracts.errors import NotFound  # noqa: E402
from tests.service.sample import THING_MADE, MakerBase, Noted, TakerBase  # noqa: E402

SETTINGS: dict[str, Any] = json.loads(sys.argv[1]) if __name__ == "__main__" else {"fixed": False, "retries": None}


class LenientMade(Schema):
    """What the fixed release takes: a number in any writing."""

    number = fields.Raw(required=True)
    note = fields.String(load_default="")


EVENT = Event("maker", THING_MADE.name, LenientMade, example=THING_MADE.example) if SETTINGS["fixed"] else THING_MADE


class Maker:
    """Publishes what is in its outbox."""

    name = "maker"
    db = Data(MakerBase)


class Taker:
    """Notes each number, unless it is poisoned by it."""

    name = "taker"
    db = Data(TakerBase)

    @on(EVENT, batch=100)
    def take(self, events: list[ReceivedEvent]) -> None:
        with self.db.unit_of_work(once=events) as uow:
            for event in events:
                if not SETTINGS["fixed"]:
                    _suffer(event.data["note"], event.subject)
            uow.insert(Noted, [{"number": _number(event.data["number"]), "handler": "take"} for event in uow.fresh])


def _suffer(kind: str, subject: str) -> None:
    if kind == "exception":
        raise LookupError("a fault of the handler")
    if kind == "refused":
        raise NotFound("thing_not_found", thing_id=subject)
    if kind == "death":
        os.kill(os.getpid(), signal.SIGKILL)


def _number(value: Any) -> int:
    return int(str(value).removeprefix("no. "))


def _read_leniently(body: bytes) -> Any:
    """JSON with a comma too many."""
    return json.loads(re.sub(rb",\s*}", b"}", body))


if __name__ == "__main__":
    if SETTINGS["retries"]:
        topology.RETRY_SECONDS = tuple(SETTINGS["retries"])
    if SETTINGS["fixed"]:
        event_handling.read_body = _read_leniently
    config = {
        "AMQP_URI": SETTINGS["bus"],
        "DATABASE_URLS": {"maker": SETTINGS["maker"], "taker": SETTINGS["taker"]},
        "HEARTBEAT": 5,
        "LOG_FORMAT": "json",
        "max_workers": 10,
    }
    declare_queues(config, [Maker, Taker])
    raise SystemExit(run_services([Maker, Taker], config, on_started=lambda _runner: print("ready", flush=True)))
