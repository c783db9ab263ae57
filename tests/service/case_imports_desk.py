"""An office that takes files of cases in: its files, its staff, and clients as `match_people` promises them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import pytest

from chassis.columns import new_id
from chassis.context import Context, use
from chassis.database import Database
from chassis.files import FolderFiles
from chassis.imports import errors
from chassis.testing import deliver, make_service, received
from contracts.accounts import LIST_STAFF
from contracts.base import Event
from contracts.cases import IMPORT_REQUESTED, IMPORT_UNDO_REQUESTED
from contracts.clients import MATCH_PEOPLE
from services.cases.imports import chunks, undo
from services.cases.imports.store import IMPORTS
from services.cases.models import Base
from services.cases.service import CasesService
from tests.service.cases_office import Office, listed

HEADER = ["Number", "Name", "Client", "Email"]


def row(number: int, **cells: str) -> list[str]:
    full = {"Number": f"N{number}", "Name": f"Case {number}", "Client": f"Ann{number}", "Email": f"a{number}@x.org"}
    return list((full | cells).values())


SETTINGS: dict[str, Any] = {
    "mapping": None, "duplicates": "skip", "default_values": {}, "default_country": "US", "date_format": "auto",
    "clear_empty": False,
}  # fmt: skip
_KEYS = ("external_source_id", "email", "phone")


class ImportOffice(Office):
    """Clients are known by their email addresses, phones and external ids as they are written."""

    def __init__(self, db: Database, folder: Any) -> None:
        super().__init__(db)
        self.files = FolderFiles(folder)
        self.people: dict[str, dict[str, str]] = {}
        self.colleagues: dict[str, dict[str, Any]] = {}
        self.calls.answers |= {MATCH_PEOPLE: self._match_people, LIST_STAFF: self._list_staff}
        self.service = make_service(CasesService, db=self.db, calls=self.calls, files=self.files)

    def as_staff(self) -> Any:
        return use(Context(firm_id=self.firm_id, actor_id=self.actor_id, actor_kind="staff", sees_sensitive=True))

    def colleague(self, name: str, email: str | None = None) -> str:
        """A staff member with a name."""
        staff_id = self.staff()
        self.colleagues[staff_id] |= {"name": name, "email": email}
        return staff_id

    def person(self, **values: str) -> str:
        """A client who is there already."""
        client_id = self.client()
        self.people[client_id] = values
        return client_id

    def upload(self, rows: list[list[str]]) -> dict[str, Any]:
        """An import of these rows, the header first."""
        text = io.StringIO()
        csv.writer(text).writerows(rows)
        key = f"uploads/{new_id()}.csv"
        self.files.put(key, text.getvalue().encode())
        return self.service.create_import(file_key=key, filename="cases.csv", sheet=None)

    def preview(self, rows: list[list[str]], *, sees: bool = True, **settings: Any) -> dict[str, Any]:
        made = self.upload(rows)
        context = Context(firm_id=self.firm_id, actor_id=self.actor_id, actor_kind="staff", sees_sensitive=sees)
        with use(context):
            return self.service.preview_import(import_id=made["id"], **{**SETTINGS, **settings})

    def start(self, rows: list[list[str]], **settings: Any) -> dict[str, Any]:
        made = self.preview(rows, **settings)
        with self.as_staff():
            return self.service.run_import(made["id"])

    def import_all(self, rows: list[list[str]], **settings: Any) -> dict[str, Any]:
        """An import from upload to its end, with its event delivered twice. Its preview said the same."""
        previewed = self.preview(rows, **settings)
        with self.as_staff():
            self.service.run_import(previewed["id"])
        self.hear("continue_import", IMPORT_REQUESTED, {"import_id": previewed["id"]})
        found = IMPORTS.get(self.db, previewed["id"])
        assert found["state"] == "finished"
        counts = found["counts"]
        assert counts["read"] == sum(counts[name] for name in ("created", "updated", "skipped", "failed"))
        assert (previewed["counts"], previewed["rows"]) == (counts, found["rows"])
        return found

    def take_back(self, import_id: str) -> dict[str, Any]:
        """Its undo, from the request to its end."""
        self.service.undo_import(import_id)
        self.hear("continue_undo", IMPORT_UNDO_REQUESTED, {"import_id": import_id})
        found = IMPORTS.get(self.db, import_id)
        assert found["state"] == "undone"
        return found

    def hear(self, handler: str, event: Event, *data: dict[str, Any]) -> None:
        """Delivers events to a handler twice, as a bus may."""
        events = [received(event, one, firm_id=self.firm_id, subscription=handler) for one in data]
        deliver(self.service, handler, *events)
        deliver(self.service, handler, *events)

    def error_file(self, import_id: str) -> list[list[str]]:
        found = errors.get_import_errors(self.db, self.files, IMPORTS, import_id=import_id)
        with self.files.get(found["file_key"]) as stream:
            return list(csv.reader(io.StringIO(stream.read().decode("utf-8-sig"))))

    def by_name(self) -> dict[str, dict[str, Any]]:
        """The cases that are not archived, by name."""
        with self.as_staff():
            return {case["name"]: case for case in listed(self, archived=False)}

    def _list_staff(self, **paging: Any) -> dict[str, Any]:
        people = [
            {"id": id_, "name": facts["name"], "email": facts["email"], "role": "member", "active": facts["active"]}
            for id_, facts in self.colleagues.items()
        ]
        return {"data": people, "meta": {"next_cursor": None, "total": len(people)}}

    def _match_people(self, import_id: str, people: list[Any], default_country: str, create: bool) -> dict[str, Any]:
        kept, found, refused = dict(self.people), [], {p["row"] for p in people if "no" in p["values"].get("email", "")}
        for person in people:
            values = person["values"]
            match = {
                "client_id": None,
                "created": False,
                "errors": [],
                "keys": [values[k] for k in _KEYS if k in values],
            }
            ids = [
                id_ for id_, known in kept.items()
                if id_ == person["client_id"] or any(known.get(k) == values[k] for k in _KEYS if k in values)
            ]  # fmt: skip
            if "no" in values.get("email", ""):
                match["errors"] = ["invalid_email:email"]
            elif len(ids) > 1:
                match["errors"] = ["several_matches:client"]
            elif not ids and not any("name" in name for name in values):
                match["errors"] = ["name_required:first_name"]
            else:
                match["client_id"] = ids[0] if ids else person["client_id"]
                match["created"] = match["client_id"] == person["client_id"]
                if person["row"] not in refused:
                    kept.setdefault(str(match["client_id"]), values)
            found.append(match)
        if create:
            self.people = kept
        return {"people": found}


@pytest.fixture
def office(new_database: Any, tmp_path: Any) -> ImportOffice:
    """A firm in an empty database, once on SQLite and once on PostgreSQL."""
    return ImportOffice(new_database(Base), tmp_path)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Chunks of 3 rows, or cases."""
    monkeypatch.setattr(chunks, "CHUNK", 3)
    monkeypatch.setattr(undo, "CHUNK", 3)


def counts(found: dict[str, Any]) -> tuple[int, int, int, int]:
    """created, updated, skipped, failed"""
    return tuple(found["counts"][name] for name in ("created", "updated", "skipped", "failed"))


def failures(found: dict[str, Any]) -> list[list[str]]:
    """What is wrong with each row that failed."""
    return [row["errors"] for row in found["rows"]]
