"""What clients answers about files: imports and exports."""

from __future__ import annotations

from typing import Any

from chassis.asking_again import EVERY
from chassis.columns import utc_now
from chassis.events import ReceivedEvent, on
from chassis.files import Files
from chassis.imports import again, errors, keeping, left_over, running
from chassis.rpc import serve
from chassis.timers import every
from contracts import cases
from contracts import clients as contract
from services.clients import exporting, importing
from services.clients.entrypoints.days import FirmDays
from services.clients.imports import people, undo
from services.clients.imports import running as import_running
from services.clients.imports.store import IMPORTS, KEEPING_TIMER


class FilesEntrypoints(FirmDays):
    """Nameko finds the entrypoints of a base class as it does the service's own."""

    files: Files

    @serve(contract.CREATE_IMPORT)
    def create_import(self, **command: Any) -> dict[str, Any]:
        return importing.create_import(self.db, self.files, **command)

    @serve(contract.PREVIEW_IMPORT)
    def preview_import(self, **command: Any) -> dict[str, Any]:
        return importing.preview_import(self.db, self.files, utc_now(), calls=self.calls, **command)

    @serve(contract.RUN_IMPORT)
    def run_import(self, import_id: str) -> dict[str, Any]:
        return import_running.run_import(self.db, import_id=import_id)

    @serve(contract.CANCEL_IMPORT)
    def cancel_import(self, import_id: str) -> dict[str, Any]:
        return running.cancel_import(self.db, IMPORTS, import_id=import_id)

    @serve(contract.UNDO_IMPORT)
    def undo_import(self, import_id: str) -> dict[str, Any]:
        return undo.undo_import(self.db, utc_now(), import_id=import_id)

    @serve(contract.GET_IMPORT)
    def get_import(self, import_id: str) -> dict[str, Any]:
        return IMPORTS.get(self.db, import_id)

    @serve(contract.LIST_IMPORTS)
    def list_imports(self, **query: Any) -> dict[str, Any]:
        return IMPORTS.list(self.db, **query)

    @serve(contract.GET_IMPORT_ERRORS)
    def get_import_errors(self, **query: Any) -> dict[str, Any]:
        return errors.get_import_errors(self.db, self.files, IMPORTS, **query)

    @on(contract.IMPORT_REQUESTED)
    def continue_import(self, event: ReceivedEvent) -> None:
        asked = (event.data["import_id"], utc_now, running.budget_of(event))
        import_running.continue_import(self.db, self.files, *asked)

    @on(contract.IMPORT_UNDO_REQUESTED)
    def continue_undo(self, event: ReceivedEvent) -> None:
        undo.continue_undo(self.db, event.data["import_id"], budget=running.budget_of(event))

    @every(EVERY, "clients: ask for imports again")
    def ask_for_imports(self) -> bool:
        events = (contract.IMPORT_REQUESTED, contract.IMPORT_UNDO_REQUESTED)
        return again.ask_for_imports(self.db, IMPORTS, *events, utc_now())

    @every(600, KEEPING_TIMER)
    def empty_imports(self) -> bool:
        return keeping.empty_due(self.db, self.files, IMPORTS, utc_now())

    @every(3600, "clients: tidy lists that were left")
    def tidy_left_lists(self) -> None:
        left_over.tidy_left_lists(self.db, self.files, IMPORTS, "clients", utc_now())

    @serve(contract.MATCH_PEOPLE)
    def match_people(self, **command: Any) -> dict[str, Any]:
        return people.match_people(self.db, utc_now(), **command)

    @on(cases.CASE_IMPORT_UNDONE)
    def take_back_people(self, event: ReceivedEvent) -> None:
        people.take_back_people(self.db, [event], utc_now())

    @serve(contract.LIST_EXPORT_COLUMNS)
    def list_export_columns(self, **query: Any) -> dict[str, Any]:
        return exporting.list_export_columns(self.db, self._now_for(query), **query)

    @serve(contract.LIST_EXPORT_ROWS)
    def list_export_rows(self, **query: Any) -> dict[str, Any]:
        return exporting.list_export_rows(self.db, self._now_for(query), **query)
