"""A firm with case types, clients and cases for the tests of cases, and a model of what is in it."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from chassis import idempotency
from chassis.columns import new_id
from chassis.context import Context, use
from chassis.database import Database, UnitOfWork
from chassis.firm_days import Zones
from chassis.rpc_wire import Codec
from chassis.testing import FakeCalls, make_service, outbox_events
from contracts import accounts, clients, tasks
from contracts.accounts import GET_FIRM, GET_STAFF_FACTS
from contracts.base import Event, Operation
from contracts.clients import CREATE_CLIENT, GET_CLIENT_FACTS
from contracts.errors import CasewireError
from services.cases import client_facts
from services.cases.looking_ahead import KeptSelections
from services.cases.models import Case, ClientConsent
from services.cases.records import add_case
from services.cases.service import CasesService

NOW = dt.datetime(2026, 11, 21, 15, 0, tzinfo=dt.UTC)

PROBATE = {
    "name": "Probate",
    "statuses": [
        {"name": "New", "closed": False},
        {"name": "In court", "closed": False},
        {"name": "Closed", "closed": True},
    ],
    "custom_fields": [
        {"key": "court", "label": "Court", "type": "choice", "options": ["north", "south", "East Side"]},
        {"key": "notes", "label": "Notes", "type": "text"},
        {"key": "hearing", "label": "Hearing", "type": "date"},
        {"key": "heirs", "label": "Heirs", "type": "number"},
        {"key": "estate", "label": "Estate", "type": "money"},
        {"key": "contested", "label": "Contested", "type": "yes_no"},
        {"key": "topics", "label": "Topics", "type": "choices", "options": ["will", "trust", "tax"]},
    ],
}


class Office:
    """A firm, its `cases` service without a container, and the clients that the service `clients` has."""

    def __init__(self, db: Database, firm_id: str | None = None) -> None:
        self.firm_id = firm_id or new_id()
        self.db = Database(db.url, db.base, firm_id=self.firm_id)
        self.clients: dict[str, dict[str, Any]] = {}
        self.colleagues: dict[str, dict[str, Any]] = {}
        self.time_zone = "America/New_York"
        answers = {
            GET_CLIENT_FACTS: self._client_facts,
            CREATE_CLIENT: self._create_client,
            GET_STAFF_FACTS: self._staff_facts,
            GET_FIRM: lambda: {"time_zone": self.time_zone},
        }
        self.calls = FakeCalls(accounts, clients, tasks, answers=answers)
        self.service = make_service(
            CasesService, db=self.db, calls=self.calls, zones=Zones(), kept_selections=KeptSelections()
        )
        self.actor_id = new_id()

    def as_staff(self) -> Any:
        """The context of a staff member's request."""
        return use(Context(firm_id=self.firm_id, actor_id=self.actor_id, actor_kind="staff"))

    @contextmanager
    def request(self, operation: Operation, key: str, body: str = "") -> Iterator[None]:
        """A request under an idempotency key, as `serve` answers it; `body` stands for what it says."""
        dump = Codec(operation).dump_response
        keyed = idempotency.KeyedRequest(operation=operation.name, key=key, request_hash=body, dump=dump)
        with idempotency.answering(keyed):
            yield

    def client(self, **facts: Any) -> str:
        """A client that exists."""
        client_id = new_id()
        self.clients[client_id] = {
            "client_id": client_id, "status": "active", "tags": [], "language": "en", "version": 1, **facts
        }  # fmt: skip
        return client_id

    def staff(self, *, active: bool = True) -> str:
        """A staff member of the firm."""
        staff_id = new_id()
        self.colleagues[staff_id] = {"staff_id": staff_id, "active": active, "role": "member", "supervisor_id": None}
        return staff_id

    def case_type(self, **changes: Any) -> dict[str, Any]:
        """Probate, if not said otherwise."""
        return self.service.create_case_type(**{**PROBATE, **changes})

    def case(self, case_type: dict[str, Any], **command: Any) -> dict[str, Any]:
        """A case, with a client of its own if none is named."""
        command = {"name": "A case", "new_client": None, **command}
        if command["new_client"] is None and "clients" not in command:
            command["clients"] = [{"client_id": self.client()}]
        with self.as_staff():
            return self.service.create_case(case_type_id=case_type["id"], **command)

    def select(self, limit: int = 5000, cursor: str | None = None, **selector: Any) -> dict[str, Any]:
        return self.service.select_cases(selector, limit=limit, cursor=cursor)

    def selected(self, **selector: Any) -> list[str]:
        """All ids that a selector selects."""
        return [row["case_id"] for row in self.select(**selector)["data"]]

    def _client_facts(self, client_ids: list[str]) -> dict[str, Any]:
        return {"clients": [self.clients[client_id] for client_id in client_ids if client_id in self.clients]}

    def _staff_facts(self, staff_ids: list[str]) -> dict[str, Any]:
        return {"staff": [self.colleagues[staff_id] for staff_id in staff_ids if staff_id in self.colleagues]}

    def _create_client(self, client_id: str, **command: Any) -> dict[str, Any]:
        given = {name: command[name] for name in ("tags", "language") if name in command}
        facts = {"version": 1, "tags": [], "language": None, "status": "active", **given}
        self.clients.setdefault(client_id, {"client_id": client_id, **facts})
        return {"id": client_id, "first_name": command.get("first_name"), **facts}


NEWEST = {"limit": 50, "cursor": None, "sort": None}
"""The first page of a list, in its own order."""


def listed(office: Office, **query: Any) -> list[dict[str, Any]]:
    """The first page of the cases that a query finds."""
    plain = dict.fromkeys(("q", "state", "case_type_id", "client_id", "filter"))
    return office.service.list_cases(**{**plain, **NEWEST, **query})["data"]


def refusal(kind: type[CasewireError], call: Any, *args: Any, **kwargs: Any) -> tuple[str, list[str]]:
    """The code and the fields with which a call is refused."""
    with pytest.raises(kind) as refused:
        call(*args, **kwargs)
    return refused.value.code, [entry["field"] for entry in refused.value.fields]


def events(office: Office, event: Event) -> list[dict[str, Any]]:
    """What was emitted of an event, oldest first."""
    return [emitted.data for emitted in outbox_events(office.db, event)]


@dataclass
class Modelled:
    """A case as the model knows it: each field is the set of its values."""

    id: str
    values: dict[str, set[Any]]
    archived: bool = False
    pending: bool = False


class Estate:
    """Many different cases of one firm, the model of each, and every value that occurs in each field."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.cases: list[Modelled] = []
        self.pool: dict[str, list[Any]] = {}


WORDS = ["Smith", "smith & sons", "Álvarez", "ÁLVAREZ Y CÍA", "100%", "a_b", "straße", "STRASSE", "\\x", "", "Ω" * 130]


def make_estate(office: Office, count: int, seed: int = 7) -> Estate:
    """`count` cases that differ in everything a filter can see, some archived, some pending."""
    chance = random.Random(seed)
    types = [
        office.case_type(),
        # The same keys, of other types: `heirs` is a text here, and `court` is no field.
        office.case_type(
            name="Closing",
            statuses=[{"name": "New", "closed": False}, {"name": "Done", "closed": True}],
            custom_fields=[
                {"key": "heirs", "label": "Heirs", "type": "text"},
                {"key": "topics", "label": "Topics", "type": "choices", "options": ["tax", "deed"]},
            ],
        ),
    ]
    people = [
        {
            "client_id": new_id(),
            "version": 1,
            "status": chance.choice(["active", "inactive", "prospective"]),
            "language": chance.choice(["en", "es", None]),
            "tags": chance.sample(["vip", "slow", "Übersee"], chance.randint(0, 2)),
        }
        for _ in range(12)
    ]
    consents = [
        {"client_id": person["client_id"], "channel": channel, "state": chance.choice(["opted_in", "opted_out"]),
         "consent_id": new_id()}
        for person in people for channel in ("sms", "email") if chance.random() < 0.5
    ]  # fmt: skip
    estate = Estate(office)
    staff = [new_id() for _ in range(3)]
    with office.db.unit_of_work() as uow:
        client_facts.keep_facts(uow, people)
        uow.insert(ClientConsent, consents)
        for index in range(count):
            estate.cases.append(_add(uow, chance, types, people, consents, staff, index))
    for case in estate.cases:
        for name, values in case.values.items():
            known = estate.pool.setdefault(name, [])
            known.extend(value for value in values if value not in known)
    return estate


def _add(
    uow: UnitOfWork, chance: random.Random, types: list[Any], people: list[Any], consents: list[Any], staff: list[str],
    index: int,
) -> Modelled:  # fmt: skip
    case_type = chance.choice(types)
    status = chance.choice(case_type["statuses"])
    command: dict[str, Any] = {
        "case_type_id": case_type["id"],
        "name": chance.choice(WORDS) or "Unnamed",
        "status": status["name"],
        "description": chance.choice([None, *WORDS]),
        "source": chance.choice([None, "web", "Friend"]),
        "responsible_staff_id": chance.choice([None, *staff]),
        "staff_ids": chance.sample(staff, chance.randint(0, 2)),
        "value": chance.choice([None, *(Decimal(text) for text in ("0", "99.99", "100", "-5.5"))]),
        "external_source": (source := chance.choice([None, "clio"])),
        "external_source_id": f"x{index}" if source is not None and chance.random() < 0.6 else None,
        "custom_fields": _custom_values(chance, case_type),
        "key_dates": [
            {"label": f"D{number}", "day": NOW.date() + dt.timedelta(days=chance.choice([-400, -7, 0, 3, 30]))}
            for number in range(chance.choice([0, 0, 1, 2]))
        ],
    }
    members = chance.sample(people, chance.randint(1, 3))
    placed = [
        {"client_id": person["client_id"], "role": "primary" if n == 0 else "additional", "label": None}
        for n, person in enumerate(members)
    ]
    pending = chance.random() < 0.05
    created_at = NOW - dt.timedelta(days=chance.choice([0, 1, 10, 400]), seconds=chance.randint(0, 5))
    case: Case = add_case(uow, command, placed, actor_id=None, now=created_at, pending=pending)
    archived = chance.random() < 0.1
    if archived:
        case.archived_at = NOW
    ids = {person["client_id"] for person in members}
    values = {
        **{name: {value} - {None} for name, value in command.items() if not isinstance(value, dict | list)},
        **{f"custom_fields.{field['key']}": set() for kind in types for field in kind["custom_fields"]},
        **{f"custom_fields.{entry['key']}": _modelled(entry["type"], command["custom_fields"][entry["key"]])
           for entry in case_type["custom_fields"] if entry["key"] in command["custom_fields"]},
        "number": {case.number},
        "state": {"pending" if pending else "closed" if status["closed"] else "open"},
        "staff_ids": set(command["staff_ids"]),
        "key_dates": {entry["day"] for entry in command["key_dates"]},
        # Other ways to write the same labels.
        "key_dates.D0": {entry["day"] for entry in command["key_dates"] if entry["label"] == "D0"},
        "key_dates. d1": {entry["day"] for entry in command["key_dates"] if entry["label"] == "D1"},
        "client_id": ids,
        "created_at": {created_at},
        "updated_at": {created_at},
        "clients.status": {person["status"] for person in members},
        "clients.language": {person["language"] for person in members} - {None},
        "clients.tags": {tag for person in members for tag in person["tags"]},
        **{f"clients.consent.{channel}": {c["state"] for c in consents
                                          if c["client_id"] in ids and c["channel"] == channel}
           for channel in ("sms", "email", "phone")},
    }  # fmt: skip
    return Modelled(case.id, values, archived, pending)


def _custom_values(chance: random.Random, case_type: Any) -> dict[str, Any]:
    def some(kind: str, options: list[str]) -> Any:
        if chance.random() < 0.3:
            return None
        return {
            "choice": lambda: chance.choice(options),
            "choices": lambda: sorted(chance.sample(options, chance.randint(1, 2))),
            "text": lambda: chance.choice([word for word in WORDS if word]),
            "number": lambda: chance.choice([0, 2, 3.25, -1]),
            "money": lambda: chance.choice(["0.00", "100.10", "99.90"]),
            "yes_no": lambda: chance.random() < 0.5,
            "date": lambda: (NOW.date() + dt.timedelta(days=chance.choice([-400, -7, 0, 3, 30]))).isoformat(),
        }[kind]()

    fields = case_type["custom_fields"]
    drawn = {field["key"]: some(field["type"], field.get("options") or []) for field in fields}
    return {key: value for key, value in drawn.items() if value is not None}


def _modelled(kind: str, value: Any) -> set[Any]:
    if kind in ("number", "money"):
        return {Decimal(str(value))}
    if kind == "date":
        return {dt.date.fromisoformat(value)}
    return set(value) if isinstance(value, list) else {value}
