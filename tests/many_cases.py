"""A firm with many cases, each with two clients, put straight into the services' databases in sets.

Measurements and faults concern asking for a notification and sending it, not importing: the rows are those that the
services would have written, made by their own functions, without the events that would have announced them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chassis.columns import new_id, utc_now
from chassis.database import Database
from chassis.sealing import key_store_at, use_key_store
from chassis.texts import fold
from services.cases.models import Base as Cases
from services.cases.models import Case, CaseClient
from services.clients import cards
from services.clients.models import Base as Clients
from services.messaging import address_keys, consent
from services.messaging.models import Base as Messaging

AT_ONCE = 2000
OPTED_OUT_AT_ONCE = 250


@dataclass(frozen=True)
class Plan:
    """`couples` of the cases have two clients who share a number; of the others' clients `opted_out` have said stop.
    The cases' clients, `clients_each` of them, live in `zones` by turns."""

    cases: int = 10_000
    couples: int = 1_000
    opted_out: int = 2_000
    zones: tuple[str, ...] = ("America/New_York",)
    clients_each: int = 2

    @property
    def recipients(self) -> int:
        return self.clients_each * self.cases

    @property
    def to_send(self) -> int:
        return self.recipients - self.couples - self.opted_out


def number_of(index: int) -> str:
    """The mobile number of the client with this index: all different, and of the form of real ones."""
    return f"+1917{2_000_000 + index}"


def fill(urls: Mapping[str, str], folder: Path, firm_id: str, case_type: dict[str, Any], plan: Plan) -> list[str]:
    """Writes the plan's clients, cases and opt-outs, and returns the cases' ids. `urls`: each service's database, as
    it connects to it. `folder`: of the deployment, by whose keys opt-outs are found."""
    now = utc_now()
    pairs = [tuple(new_id() for _ in range(plan.clients_each)) for _ in range(plan.cases)]
    clients = Database(urls["clients"], Clients, firm_id=firm_id)
    for part in _parts(list(_clients(pairs, plan, now)), AT_ONCE):
        with clients.unit_of_work() as uow:
            cards.insert(uow, part)
    cases = Database(urls["cases"], Cases, firm_id=firm_id)
    case_ids: list[str] = []
    for part in _parts(list(enumerate(pairs)), AT_ONCE):
        rows = [_case(index, case_type, now) for index, _ in part]
        case_ids += [row["id"] for row in rows]
        with cases.unit_of_work() as uow:
            uow.insert(Case, rows)
            uow.insert(
                CaseClient, [link for row, (_, pair) in zip(rows, part, strict=True) for link in _links(row, pair)]
            )
    messaging = Database(urls["messaging"], Messaging, firm_id=firm_id)
    # One client of a case, beginning after the couples, so that no opt-out meets a shared number.
    if plan.opted_out:
        use_key_store(key_store_at(f"file://{folder / 'sealing-keys'}"))
        address_keys.load(messaging)
    stopped = [number_of(2 * (plan.couples + index)) for index in range(plan.opted_out)]
    for part in _parts(stopped, OPTED_OUT_AT_ONCE):
        with messaging.unit_of_work() as uow:
            said = ("sms", consent.OPTED_OUT, "import", {"list": "bench"})
            consent.record_changes(uow, [consent.Change(*said, address=number) for number in part])
    for database in (clients, cases, messaging):
        database.engines.dispose()
    return case_ids


def _parts(rows: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _clients(pairs: list[tuple[str, ...]], plan: Plan, now: dt.datetime) -> Iterator[dict[str, Any]]:
    for index, pair in enumerate(pairs):
        for place, client_id in enumerate(pair):
            shared = index < plan.couples
            number = number_of(2 * index + (0 if shared else place))
            fields = {
                "first_name": ("Ann", "Robin")[place],
                "last_name": f"Number{index}",
                "time_zone": plan.zones[index % len(plan.zones)],
                "language": "en",
                "phones": [{"number": number, "kind": "mobile", "primary": True}],
            }
            yield cards.new_record(client_id, fields, now)


def _case(index: int, case_type: dict[str, Any], now: dt.datetime) -> dict[str, Any]:
    # Of several fillings of one firm, each has numbers of its own.
    number, name = f"{case_type['id'][-6:]}-{index:06d}", f"Case {index}"
    return {
        "id": new_id(), "number": number, "number_folded": fold(number), "name": name, "name_folded": fold(name),
        "case_type_id": case_type["id"], "status": case_type["statuses"][0]["name"], "state": "open",
        "custom_fields": {}, "version": 1, "created_at": now, "updated_at": now,
    }  # fmt: skip


def _links(case: dict[str, Any], pair: tuple[str, ...]) -> list[dict[str, Any]]:
    return [
        {"case_id": case["id"], "client_id": client_id, "role": role, "label": None, "position": position}
        for position, (client_id, role) in enumerate(zip(pair, ("primary", "additional"), strict=False))
    ]
