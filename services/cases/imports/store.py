"""Where imports of cases are kept, and who finds them there."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from chassis.context import kinds_seen
from chassis.imports.store import ImportStore
from contracts.errors import NotFound
from services.cases.models import CaseImport, CaseImportChange, CaseImportRow


class _CaseImports(ImportStore):
    def find(self, session: Session, import_id: str, *, lock: bool = False) -> Any:
        """Raises NotFound `import_not_found`, also to whom not all is shown that it may be about: what it read, changed
        or would take back."""
        found = super().find(session, import_id, lock=lock)
        kinds = kinds_seen()
        if kinds is not None and (found.sees_only is None or not set(found.sees_only) <= set(kinds)):
            raise NotFound("import_not_found", import_id=import_id)
        return found


IMPORTS = _CaseImports(CaseImport, CaseImportRow, CaseImportChange, "case_id", ("clients_created",))
KEEPING_TIMER = "cases: what imports keep"


def limit() -> list[str] | None:
    """The types of cases that the caller is limited to, as they are kept."""
    kinds = kinds_seen()
    return None if kinds is None else list(kinds)
