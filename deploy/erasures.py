"""`casewire erasures apply`: after a restore, whoever was erased since the backup is erased again."""

from __future__ import annotations

from chassis.columns import utc_now
from chassis.database import Database
from chassis.files import files_at
from services.clients.erasures.erasure_journal import apply_journal
from services.clients.models import Base


def apply(url: str, files_url: str) -> int:
    """Ask for every erasure in the journal once more; the running services do the rest. Returns the exit status."""
    count = apply_journal(Database(url, Base), files_at(files_url), utc_now(), everything=True)
    print(f"{count} erasures are applied again by the running services; GET /v1/erasures shows how far they are")
    return 0
