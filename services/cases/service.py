"""The cases service: what it answers and what it listens to, by capability."""

from __future__ import annotations

from contracts.cases import OWNER
from services.cases.entrypoints.activity import ActivityEntrypoints
from services.cases.entrypoints.clients import ClientEntrypoints
from services.cases.entrypoints.imports import ImportEntrypoints
from services.cases.entrypoints.lists import ListEntrypoints
from services.cases.entrypoints.records import RecordEntrypoints


class CasesService(RecordEntrypoints, ListEntrypoints, ClientEntrypoints, ActivityEntrypoints, ImportEntrypoints):
    """Case types, cases, filters, case lists, selectors, activity and import."""

    name = OWNER
