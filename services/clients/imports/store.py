"""Where imports of clients are kept."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy.orm import Session

from chassis.imports.store import ImportStore
from services.clients import government_cells
from services.clients.custom_fields import not_for_all
from services.clients.models import Import, ImportChange, ImportRow
from services.clients.showing import SENSITIVE, sees_sensitive


class _ClientImports(ImportStore):
    def hidden(self, session: Session) -> Collection[str]:
        if sees_sensitive():
            return ()
        sensitive = {f"custom_fields.{field.key}" for field in not_for_all(session) if field.sensitive}
        return {*SENSITIVE, *government_cells.FIELDS, *sensitive}


IMPORTS = _ClientImports(Import, ImportRow, ImportChange, "client_id")
KEEPING_TIMER = "clients: what imports keep"
