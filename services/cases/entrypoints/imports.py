"""Entrypoints for cases from files."""

from __future__ import annotations

from typing import Any

from chassis.asking_again import EVERY
from chassis.columns import utc_now
from chassis.events import ReceivedEvent, on
from chassis.files import FilesProvider
from chassis.imports import again, errors, keeping, left_over
from chassis.imports.running import budget_of
from chassis.rpc import serve
from chassis.timers import every
from contracts import cases
from services.cases.dependencies import Dependencies, Record
from services.cases.imports import lists, previewing, running, undo
from services.cases.imports.store import IMPORTS, KEEPING_TIMER


class ImportEntrypoints(Dependencies):
    """Files of cases: taken in, taken back, and kept for a while."""

    files = FilesProvider()

    @serve(cases.CREATE_IMPORT)
    def create_import(self, **command: Any) -> Record:
        return previewing.create_import(self.db, self.files, **command)

    @serve(cases.PREVIEW_IMPORT)
    def preview_import(self, **command: Any) -> Record:
        return previewing.preview_import(self.db, self.files, self.calls, utc_now(), **command)

    @serve(cases.RUN_IMPORT)
    def run_import(self, import_id: str) -> Record:
        return running.run_import(self.db, import_id=import_id, actor_id=self._actor)

    @serve(cases.CANCEL_IMPORT)
    def cancel_import(self, import_id: str) -> Record:
        return running.cancel_import(self.db, import_id=import_id)

    @serve(cases.UNDO_IMPORT)
    def undo_import(self, import_id: str) -> Record:
        return undo.undo_import(self.db, utc_now(), import_id=import_id)

    @serve(cases.GET_IMPORT)
    def get_import(self, import_id: str) -> Record:
        return IMPORTS.get(self.db, import_id)

    @serve(cases.LIST_IMPORTS)
    def list_imports(self, **query: Any) -> Record:
        return IMPORTS.list(self.db, **query)

    @serve(cases.GET_IMPORT_ERRORS)
    def get_import_errors(self, **query: Any) -> Record:
        return errors.get_import_errors(self.db, self.files, IMPORTS, **query)

    @serve(cases.FORGET_LISTS)
    def forget_lists(self, **command: Any) -> Record:
        return lists.forget_lists(self.db, self.files, **command)

    @on(cases.IMPORT_REQUESTED)
    def continue_import(self, event: ReceivedEvent) -> None:
        asked = (event.data["import_id"], utc_now, budget_of(event))
        running.continue_import(self.db, self.files, self.calls, *asked)

    @on(cases.IMPORT_UNDO_REQUESTED)
    def continue_undo(self, event: ReceivedEvent) -> None:
        undo.continue_undo(self.db, event.data["import_id"], budget=budget_of(event))

    @every(EVERY, "cases: ask for imports again")
    def ask_for_imports(self) -> bool:
        events = (cases.IMPORT_REQUESTED, cases.IMPORT_UNDO_REQUESTED)
        return again.ask_for_imports(self.db, IMPORTS, *events, utc_now())

    @every(600, KEEPING_TIMER)
    def empty_imports(self) -> bool:
        return keeping.empty_due(self.db, self.files, IMPORTS, utc_now())

    @every(3600, "cases: tidy lists that were left")
    def tidy_left_lists(self) -> None:
        left_over.tidy_left_lists(self.db, self.files, IMPORTS, "cases", utc_now())
