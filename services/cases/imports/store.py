"""Where imports of cases are kept, and who finds them there."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from chassis.context import kinds_seen
from chassis.imports.store import ImportStore
from chassis.value_sets import among
from services.cases.models import CaseImport, CaseImportChange, CaseImportRow, CustomField
from services.cases.sealed_values import sees_sensitive


class _CaseImports(ImportStore):
    def shown(self, session: Session) -> Select[Any]:
        """Those of which all is shown to the caller that they may be about: what they read, changed or would take
        back."""
        statement = super().shown(session)
        kinds = kinds_seen()
        if kinds is None:
            return statement
        begun = session.execute(select(CaseImport.id, CaseImport.sees_only))
        shown = [id_ for id_, types in begun if types is not None and set(types) <= set(kinds)]
        return statement.where(among(session, CaseImport.id, shown))

    def hidden(self, session: Session) -> Collection[str]:
        if sees_sensitive():
            return ()
        sensitive = session.scalars(select(CustomField.key).where(CustomField.sensitive).distinct())
        return {f"custom_fields.{key}" for key in sensitive}


IMPORTS = _CaseImports(CaseImport, CaseImportRow, CaseImportChange, "case_id", ("clients_created",))
KEEPING_TIMER = "cases: what imports keep"


def limit() -> list[str] | None:
    """The types of cases that the caller is limited to, as they are kept."""
    kinds = kinds_seen()
    return None if kinds is None else list(kinds)
