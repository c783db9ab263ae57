"""Where imports of clients are kept."""

from __future__ import annotations

from chassis.imports.store import ImportStore
from services.clients.models import Import, ImportChange, ImportRow

IMPORTS = ImportStore(Import, ImportRow, ImportChange, "client_id")
KEEPING_TIMER = "clients: what imports keep"
