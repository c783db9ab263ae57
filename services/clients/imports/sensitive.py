"""What of an import needs the permission to see what is sensitive.

As with single records: anybody may state it for a new client, and who may not see it may not change it. An import that
updates or merges changes clients that are there.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from contracts.errors import Forbidden
from services.clients import government_cells
from services.clients.models import Import
from services.clients.showing import PERMISSION, hidden_fields

_CHANGE_CLIENTS = ("update", "merge")


def refuse_sensitive_columns(session: Session, planned: Import) -> None:
    """Raises Forbidden `permission_denied` that names the columns and default values that the caller may not import."""
    hidden = hidden_fields(session) if planned.duplicates in _CHANGE_CLIENTS else set()
    paths = {f"mapping.{column}": field for column, field in (planned.mapping or {}).items()}
    paths |= {f"default_values.{field}": field for field in planned.default_values}
    named = [
        {"field": path, "message": "Sensitive: to change it in clients that are there needs another permission."}
        for path, field in paths.items()
        if (government_cells.FIELD if field in government_cells.FIELDS else field) in hidden
    ]
    if named:
        raise Forbidden("permission_denied", fields=named, permission=PERMISSION)
