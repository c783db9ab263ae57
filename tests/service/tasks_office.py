"""A firm with cases for the tests of tasks: its database, and the other services as their contracts promise them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chassis.columns import new_id
from chassis.context import Context, kinds_seen, use
from chassis.database import Database
from chassis.files import FolderFiles
from chassis.testing import FakeCalls, make_service, outbox_events
from contracts import accounts, cases, clients, messaging
from contracts.base import Event
from contracts.errors import Invalid, NotFound, invalid_field
from services.tasks import assigning, templates
from services.tasks.firms import Calendars
from services.tasks.models import Base
from services.tasks.service import TasksService

NOW = dt.datetime(2026, 11, 21, 15, 0, tzinfo=dt.UTC)  # a Saturday, 10 o'clock in New York
HOLIDAY = dt.date(2026, 11, 26)


def a_case(case_id: str) -> dict[str, Any]:
    """A new case as events and facts tell it, but for its clients."""
    return {
        "case_id": case_id, "version": 1, "case_type_id": case_id, "status": "New", "state": "open", "archived": False,
        "responsible_staff_id": None, "staff_ids": [],
    }  # fmt: skip


class Cases:
    """The firm's cases as `cases` knows them. Selectors hold `case_ids`, or any filter, which selects all."""

    def __init__(self) -> None:
        self.clients: dict[str, list[str]] = {}
        self.custom_fields = {"court": "one_choice"}
        self.sensitive: set[str] = set()
        self.refused: Invalid | None = None
        """How a selector is refused that is to be kept."""
        self.told: dict[str, dict[str, Any]] = {}
        """What is said of a case besides `a_case`."""

    def open(self, clients: int = 1) -> str:
        case_id = new_id()
        self.clients[case_id] = [new_id() for _ in range(clients)]
        return case_id

    def select(
        self, selector: dict[str, Any], limit: int, cursor: str | None, count_all: bool = False, to_keep: bool = False
    ) -> dict[str, Any]:
        if to_keep and self.refused is not None:
            raise self.refused
        if not selector:
            raise invalid_field("selector", "Selects nothing.", "empty_selector")
        if "case_list_ids" in selector:
            raise NotFound("case_list_not_found")
        chosen = sorted(set(selector.get("case_ids", self.clients)) & self._seen() - self._put_away())
        left = [case_id for case_id in chosen if cursor is None or case_id > cursor]
        page = left[:limit]
        return {
            "data": [{"case_id": id_, "case_type_id": id_, "client_ids": self.clients[id_]} for id_ in page],
            "meta": {"next_cursor": page[-1] if len(left) > limit else None, "total": len(chosen)},
        }

    def _seen(self) -> set[str]:
        """The cases of the types that the running work is limited to; each is of one of its own, if nothing else is
        told of it."""
        kinds = kinds_seen()
        return {
            id_ for id_ in self.clients if kinds is None or self.told.get(id_, {}).get("case_type_id", id_) in kinds
        }

    def _put_away(self) -> set[str]:
        return {id_ for id_, told in self.told.items() if told.get("state") in ("archived", "pending")}

    def facts(self, case_ids: list[str]) -> dict[str, Any]:
        seen = self._seen()
        known = [id_ for id_ in case_ids if id_ in seen]
        return {"cases": [{**a_case(id_), "client_ids": self.clients[id_], **self.told.get(id_, {})} for id_ in known]}

    def check_mapping(self, field: str, question_kind: str, options: list[str]) -> dict[str, Any]:
        if self.custom_fields.get(field) != question_kind:
            raise Invalid("unknown_custom_field", fields=[{"field": "field", "message": "No such field."}])
        return {"sensitive": field in self.sensitive}


class Messaging:
    """Keeps what it was asked to, and estimates one message for each client: every third one is opted out."""

    def __init__(self) -> None:
        self.contents: list[dict[str, Any]] = []

    def save_content(self, message: dict[str, Any], channels: list[str]) -> dict[str, Any]:
        if "{{ nobody.knows }}" in (message["body"] or ""):
            raise invalid_field("message.body", "Unknown variable: nobody.knows.", "unknown_variable")
        self.contents.append(message)
        return {"content_id": new_id()}

    def estimate(self, items: list[dict[str, Any]], **request: Any) -> dict[str, Any]:
        clients = sum(len(item["client_ids"]) for item in items)
        outcome = {"send": clients - clients // 3, "opted_out": clients // 3}
        return {
            "recipients": {name: count for name, count in outcome.items() if count},
            "segments": outcome["send"] * 2,
            "cost": str(outcome["send"] * 0.01),
            "currency": "USD",
            "seconds": outcome["send"] / 50 + 60.0,
            "waits_seconds": 60.0,
        }


class Office:
    """One firm, and another one's staff that must not see it."""

    def __init__(self, database: Database, files: FolderFiles) -> None:
        self.everywhere, self.files = database, files
        self.firm_id, self.staff_id = new_id(), new_id()
        self.context = Context(firm_id=self.firm_id, actor_id=self.staff_id, actor_kind="staff")
        self.db = database.for_firm(self.firm_id)
        self.foreign_db = database.for_firm(new_id())
        self.cases, self.messaging = Cases(), Messaging()
        self.staff = {self.staff_id: True}
        self.supervisors: dict[str, str] = {}
        self.on_record: dict[str, dict[str, Any]] = {}
        """What clients knows of a client, by id."""
        answers = {
            accounts.GET_FIRM: lambda: {"time_zone": "America/New_York", "holidays": [HOLIDAY]},
            accounts.GET_STAFF: self._staff,
            accounts.GET_STAFF_FACTS: self._staff_facts,
            cases.SELECT_CASES: self.cases.select,
            cases.GET_CASE_FACTS: self.cases.facts,
            cases.CHECK_MAPPING: self.cases.check_mapping,
            clients.GET_RECIPIENTS: self._recipients,
            messaging.SAVE_CONTENT: self.messaging.save_content,
            messaging.ESTIMATE_NOTIFICATIONS: self.messaging.estimate,
        }
        self.calls = FakeCalls(accounts, cases, clients, messaging, answers=answers)
        self.raw_calls = FakeCalls(cases, messaging, answers=answers, raw=True)
        self.service = make_service(
            TasksService, db=self.db, files=files, calls=self.calls, raw_calls=self.raw_calls, firms=Calendars()
        )

    def _staff(self, staff_id: str) -> dict[str, Any]:
        if staff_id not in self.staff:
            raise NotFound("staff_not_found", staff_id=staff_id)
        return {"id": staff_id, "active": self.staff[staff_id]}

    def _recipients(self, client_ids: list[str]) -> dict[str, Any]:
        known = self.on_record
        states = {id_: "found" if id_ in known else "erased" for id_ in client_ids}
        return {"recipients": [{"client_id": id_, "state": states[id_], **known.get(id_, {})} for id_ in client_ids]}

    def _staff_facts(self, staff_ids: list[str]) -> dict[str, Any]:
        known = [staff_id for staff_id in staff_ids if staff_id in self.staff]
        facts = {id_: {"active": self.staff[id_], "supervisor_id": self.supervisors.get(id_)} for id_ in known}
        return {"staff": [{"staff_id": id_, "role": "member", **facts[id_]} for id_ in known]}

    def colleague(self, *, active: bool = True, supervisor: str | None = None) -> str:
        staff_id = new_id()
        self.staff[staff_id] = active
        if supervisor is not None:
            self.supervisors[staff_id] = supervisor
        return staff_id

    def template(self, **facts: Any) -> str:
        given = {"title": "Your mobile number", "kind": "phone", **facts}
        made: str = templates.create_template(self.db, self.calls, NOW, **given)["id"]
        return made

    def assign(self, case_id: str | None = None, template_id: str | None = None, **given: Any) -> dict[str, Any]:
        command = {"due": None, "assignee_id": None, **given}
        return assigning.assign_task(
            self.db,
            self.calls,
            command.pop("now", NOW),
            case_id=case_id or self.cases.open(),
            template_id=template_id or self.template(),
            **command,
        )

    def emitted(self, event: Event) -> list[dict[str, Any]]:
        return [found.data for found in outbox_events(self.everywhere, event) if found.firm_id == self.firm_id]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Database:
    """One for all tests of a file, each of which has a firm of its own."""
    emptied: Database = request.getfixturevalue(f"emptied_{request.param}")(Base)
    return emptied


@pytest.fixture
def office(database: Database, tmp_path: Path) -> Iterator[Office]:
    office = Office(database, FolderFiles(tmp_path))
    with use(office.context):
        yield office
