"""A firm with clients for the tests of clients: its database, its files, and `tasks` as its contract promises it."""

from __future__ import annotations

import csv
import datetime as dt
import io
from typing import Any

import pytest

from chassis.columns import new_id
from chassis.context import Context, use
from chassis.database import Database
from chassis.files import FolderFiles
from chassis.firm_days import Zones
from chassis.imports import errors
from chassis.testing import FakeCalls, deliver, make_service, outbox_events, received
from chassis.wire import strict
from contracts import accounts, cases, messaging, tasks
from contracts.base import Event
from contracts.clients import IMPORT_REQUESTED, Client
from services.clients import custom_fields, facts, importing, records
from services.clients.imports import running
from services.clients.imports.store import IMPORTS
from services.clients.models import Base
from services.clients.models import Client as ClientRow
from services.clients.search import searching
from services.clients.service import ClientsService

NOW = dt.datetime(2026, 11, 21, 15, 0, tzinfo=dt.UTC)


class Desk:
    """What a firm's staff, another service and the bus do with clients, in a database bound to the firm."""

    def __init__(self, database: Database, folder: Any) -> None:
        self.everywhere = database
        self.firm_id = new_id()
        self.context = Context(firm_id=self.firm_id, actor_id=new_id(), actor_kind="staff", sees_sensitive=True)
        self.db = Database(database.url, Base, firm_id=self.firm_id, context=self.context)
        self.files = FolderFiles(folder)
        self.answers: dict[str, dict[str, Any]] = {}
        self.on_case: dict[str, list[str]] = {}
        self.forgotten: list[dict[str, Any]] = []
        self.sought: list[dict[str, Any]] = []
        self.time_zone = "America/New_York"
        answers = {
            tasks.GET_MAPPED_ANSWERS: self._mapped_answers,
            messaging.JOIN_CONSENTS: lambda **asked: {"opted_out": []},
            cases.GET_CASE_FACTS: lambda case_ids: {
                "cases": [{"case_id": id_, "client_ids": self.on_case[id_]} for id_ in case_ids if id_ in self.on_case]
            },
            messaging.FORGET_ADDRESSES: lambda people: self.forgotten.extend(people),
            cases.FORGET_LISTS: self._forget_lists,
            accounts.GET_FIRM: lambda: {"time_zone": self.time_zone},
        }
        self.calls = FakeCalls(accounts, cases, messaging, tasks, answers=answers)
        self.service = make_service(ClientsService, db=database, files=self.files, calls=self.calls, zones=Zones())

    # Records

    def create(self, **fields: Any) -> dict[str, Any]:
        """A client, created whatever it matches; every answer is held to the contract."""
        fields.setdefault("first_name", "Ann")
        fields.setdefault("skip_duplicate_check", True)
        with use(self.context):
            return self._checked(records.create_client(self.db, NOW, **fields))

    def leave(self, client_id: str, **values: Any) -> None:
        """Values under keys that nobody defined, as an earlier release took them."""
        with self.db.unit_of_work() as uow:
            uow.update_each(ClientRow, [{"id": client_id, "custom_fields": values}])

    def define(self, *keys: str, **fields: Any) -> None:
        """Fields of the firm's own, texts unless `fields` say otherwise."""
        for key in keys:
            custom_fields.create_client_field(self.db, NOW, **{"key": key, "label": key, "type": "text", **fields})

    def get(self, client_id: str) -> dict[str, Any]:
        return self._checked(records.get_client(self.db, client_id))

    def change(self, client_id: str, expected_version: int | None = None, **changes: Any) -> dict[str, Any]:
        with use(self.context):
            return self._checked(
                records.update_client(
                    self.db, NOW, client_id=client_id, changes=changes, expected_version=expected_version
                )
            )

    def delete(self, client_id: str) -> None:
        records.delete_client(self.db, NOW, client_id=client_id)

    def listed(self, **query: Any) -> list[str]:
        return [client["id"] for client in self.page(**query)["data"]]

    def page(self, **query: Any) -> dict[str, Any]:
        with use(self.context):
            return searching.list_clients(self.db, **{"now": NOW, **query})

    def recipient(self, client_id: str) -> dict[str, Any]:
        return facts.get_recipients(self.db, client_ids=[client_id])["recipients"][0]

    @staticmethod
    def _checked(record: dict[str, Any]) -> dict[str, Any]:
        assert strict(Client).schema.validate(strict(Client).dump(record)) == {}
        return record

    # Events

    def emitted(self, event: Event) -> list[dict[str, Any]]:
        return [found.data for found in outbox_events(self.everywhere, event) if found.firm_id == self.firm_id]

    def hear(self, handler: str, event: Event, *data: dict[str, Any], **fields: Any) -> None:
        """Delivers events to a handler twice, as a bus may."""
        events = [received(event, one, firm_id=self.firm_id, subscription=handler, **fields) for one in data]
        deliver(self.service, handler, *events)
        deliver(self.service, handler, *events)

    # Mapped answers

    def answer(self, field: str, value: Any, *, client_id: str | None = None, **more: Any) -> dict[str, Any]:
        """An answer mapped to a client's field, as `tasks` has it from now on; the event's data that announces it."""
        answer = {
            "case_task_id": new_id(), "case_id": new_id(), "client_id": client_id, "primary_client_id": None,
            "link_id": None, "target": "client", "field": field, "value": value, "answer_version": 1, **more,
        }  # fmt: skip
        self.answers[answer["case_task_id"]] = answer
        return {
            "case_task_id": answer["case_task_id"], "case_id": answer["case_id"], "template_id": new_id(),
            "client_id": client_id, "answered_by": "client" if client_id else "staff", "mapped": "client",
            "answer_version": answer["answer_version"],
        }  # fmt: skip

    def complete(self, *data: dict[str, Any]) -> None:
        self.hear("follow_completed_tasks", tasks.TASK_COMPLETED, *data)

    def _mapped_answers(self, case_task_ids: list[str]) -> dict[str, Any]:
        return {"answers": [self.answers[id_] for id_ in case_task_ids if id_ in self.answers]}

    def _forget_lists(self, people: list[dict[str, Any]], after: str | None) -> dict[str, Any]:
        """All of them by two calls."""
        self.sought += people if after is None else ()
        return {"after": new_id() if after is None else None}

    # Imports

    def upload(self, content: bytes | str | list[list[str]]) -> dict[str, Any]:
        """An import of a file: bytes, text, or rows with the header first."""
        if isinstance(content, list):
            text = io.StringIO()
            csv.writer(text).writerows(content)
            content = text.getvalue()
        key = f"uploads/{new_id()}.csv"
        self.files.put(key, content.encode() if isinstance(content, str) else content)
        return importing.create_import(self.db, self.files, file_key=key, filename="clients.csv")

    def preview(self, content: Any, **settings: Any) -> dict[str, Any]:
        made = self.upload(content)
        return importing.preview_import(self.db, self.files, NOW, import_id=made["id"], **settings)

    def start(self, content: Any, **settings: Any) -> dict[str, Any]:
        made = self.preview(content, **settings)
        return running.run_import(self.db, import_id=made["id"])

    def import_all(self, content: Any, **settings: Any) -> dict[str, Any]:
        """An import from upload to its end, with its event delivered twice."""
        made = self.start(content, **settings)
        self.hear("continue_import", IMPORT_REQUESTED, {"import_id": made["id"]})
        return self.imported(made["id"])

    def imported(self, import_id: str) -> dict[str, Any]:
        found = IMPORTS.get(self.db, import_id)
        if found["state"] in ("finished", "failed"):
            counts = found["counts"]
            assert counts["read"] == sum(counts[name] for name in ("created", "updated", "skipped", "failed"))
        return found

    def error_workbook(self, import_id: str) -> bytes:
        found = errors.get_import_errors(self.db, self.files, IMPORTS, import_id=import_id, form="xlsx")
        assert found["filename"].endswith("-errors.xlsx")
        with self.files.get(found["file_key"]) as stream:
            return stream.read()

    def error_file(self, import_id: str) -> list[list[str]]:
        found = errors.get_import_errors(self.db, self.files, IMPORTS, import_id=import_id)
        with self.files.get(found["file_key"]) as stream:
            return list(csv.reader(io.StringIO(stream.read().decode("utf-8-sig"))))


@pytest.fixture
def desk(new_database: Any, tmp_path: Any) -> Desk:
    """A firm in an empty database, once on SQLite and once on PostgreSQL."""
    return Desk(new_database(Base), tmp_path)


DELIVERY = {
    "batch_id": new_id(), "case_task_id": new_id(), "case_id": new_id(), "channel": "sms", "state": "sent",
    "reason": None, "at": NOW,
}  # fmt: skip
CONSENT = {"channel": "sms", "state": "opted_out", "holds": "opted_out", "source": "reply"}
DELIVERY_EVENTS = {
    "record_sent_deliveries": messaging.DELIVERY_SENT,
    "record_delivered_deliveries": messaging.DELIVERY_DELIVERED,
    "record_failed_deliveries": messaging.DELIVERY_FAILED,
    "record_suppressed_deliveries": messaging.DELIVERY_SUPPRESSED,
}
