"""Where imports of cases are kept."""

from __future__ import annotations

from chassis.imports.store import ImportStore
from services.cases.models import CaseImport, CaseImportChange, CaseImportRow

IMPORTS = ImportStore(CaseImport, CaseImportRow, CaseImportChange, "case_id", ("clients_created",))
KEEPING_TIMER = "cases: what imports keep"
