"""The files in the object store that hold something of a client: its own, and lists that it came in with."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from chassis.value_sets import among
from services.clients.models import Client, Import, ImportChange

ENDED = ("finished", "failed", "cancelled", "undone")
"""States of an import in which its file is read no more, but to make its file of errors."""


def files_of(session: Session, client_ids: Collection[str], models: Sequence[Any]) -> dict[str, set[str]]:
    """By client: the keys of its files. A table whose rows say where a file is has an attribute `file_key`.

    An uploaded list holds many people. It goes as a whole with the first of those it brought or changed: it has been
    taken in, and what is left of its use is the file of errors.
    """
    found: dict[str, set[str]] = {}
    for model in models:
        if hasattr(model, "file_key"):
            for row in session.scalars(select(model).where(among(session, model.client_id, client_ids))):
                if row.file_key:
                    found.setdefault(row.client_id, set()).add(row.file_key)
    changed = select(ImportChange.client_id, ImportChange.import_id).where(
        among(session, ImportChange.client_id, client_ids)
    )
    made = select(Client.id, Client.import_id).where(
        among(session, Client.id, client_ids), Client.import_id.is_not(None)
    )
    lists: dict[str, set[str]] = {}
    for client_id, import_id in (*session.execute(changed), *session.execute(made)):
        lists.setdefault(str(import_id), set()).add(client_id)
    for entry in session.scalars(select(Import).where(among(session, Import.id, lists))):
        keys = {key for key in (entry.file_key, entry.table_key) if key}
        keys |= {f"imports/{entry.id}/errors.{form}" for form in ("csv", "xlsx")}
        for client_id in lists[entry.id]:
            found.setdefault(client_id, set()).update(keys)
    return found


def still_read(session: Session, keys: Collection[str]) -> set[str]:
    """Those of the keys whose import goes on: its file is needed to its end."""
    statement = select(Import.file_key, Import.table_key).where(
        or_(among(session, Import.file_key, keys), among(session, Import.table_key, keys)), Import.state.not_in(ENDED)
    )
    return {key for row in session.execute(statement) for key in row if key}
