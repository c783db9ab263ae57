"""Where a service keeps its imports, and what is shown of one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.imports.models import OUTCOMES, UNDO
from chassis.paging import page
from contracts.errors import Forbidden, NotFound

ROWS_SHOWN = 100
SEES_SENSITIVE = "clients.read_sensitive"
_STATED = (
    "id", "version", "created_at", "updated_at", "filename", "target", "state", "sheet", "sheets", "columns",
    "suggested_mapping", "mapping", "duplicates", "failure",
)  # fmt: skip


@dataclass(frozen=True)
class ImportStore:
    """A service's three tables (`chassis.imports.models`), the column of its changes that names the record, such as
    `client_id`, and further columns of its imports that are shown."""

    imports: Any
    rows: Any
    changes: Any
    record: str
    stated: tuple[str, ...] = ()

    def wire(
        self, found: Any, failed: Sequence[dict[str, Any]] = (), conflicts: Sequence[dict[str, Any]] = ()
    ) -> dict[str, Any]:
        """`contracts.importing.Import`: of a previewed one what a run would do, else what was done."""
        done = {
            "counts": {"read": found.position, **{name: getattr(found, name) for name in OUTCOMES}},
            "error_counts": found.error_counts,
            "rows": list(failed),
        }
        done_rows = found.preview_position if found.state == "previewing" else found.position
        return {
            **{name: getattr(found, name) for name in (*_STATED, *self.stated)},
            "progress": {"done": done_rows, "total": found.total},
            "undo": None,
            **(found.preview if found.state == "previewed" and found.preview else done),
            **(_undo_wire(found, conflicts) if found.state in UNDO else {}),
        }

    @property
    def record_id(self) -> Any:
        """The column of the changes that names the record."""
        return getattr(self.changes, self.record)

    def shown(self, session: Session) -> Select[Any]:
        """The imports that are there for the caller."""
        return select(self.imports)

    def find(self, session: Session, import_id: str, *, lock: bool = False) -> Any:
        """Raises NotFound `import_not_found`."""
        statement = self.shown(session).where(self.imports.id == import_id)
        found = session.scalar(statement.with_for_update() if lock else statement)
        if found is None:
            raise NotFound("import_not_found", import_id=import_id)
        return found

    def hidden(self, session: Session) -> Collection[str]:
        """The fields of an import whose values the caller may not see, those that are removed included."""
        raise NotImplementedError

    def refuse_cells(self, session: Session, found: Any) -> None:
        """Raises Forbidden `permission_denied` that names the columns whose cells the caller may not see: those read
        into such a field, or taken for one at first, for an error file has the cells of all columns."""
        hidden = self.hidden(session)
        both = (found.suggested_mapping or {}, found.mapping or {})
        columns = [column for column in found.columns if any(mapping.get(column) in hidden for mapping in both)]
        if columns:
            message = "Sensitive: to see its cells needs another permission."
            named = [{"field": f"mapping.{column}", "message": message} for column in columns]
            raise Forbidden("permission_denied", fields=named, permission=SEES_SENSITIVE)

    def shares_file(self, session: Session, entry: Any) -> bool:
        """Whether another import that is kept is of the same upload: one sent again under an idempotency key when the
        first answer was kept no longer."""
        imports = self.imports
        others = (imports.id != entry.id, imports.file_key == entry.file_key, imports.emptied_at.is_(None))
        return session.scalar(select(imports.id).where(*others).limit(1)) is not None

    def get(self, db: Database, import_id: str) -> dict[str, Any]:
        """The import with its progress, its counts, and the first 100 rows that failed. Raises NotFound
        `import_not_found`."""
        with db.read() as session:
            found = self.find(session, import_id)
            failed = select(self.rows).where(self.rows.import_id == import_id).order_by(self.rows.row)
            rows = [{"row": row.row, "errors": row.errors} for row in session.scalars(failed.limit(ROWS_SHOWN))]
            return self.wire(found, rows, self._conflicts(session, found) if found.state in UNDO else [])

    def list(
        self,
        db: Database,
        *,
        state: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
        sort: str | None = None,
    ) -> dict[str, Any]:
        """A page, newest first unless `sort` (created_at) says otherwise, of all imports or those in a state."""
        with db.read() as session:
            statement = self.shown(session)
            rows, meta = page(
                session,
                statement if state is None else statement.where(self.imports.state == state),
                model=self.imports,
                sorts={"created_at": self.imports.created_at},
                default_sort="-created_at",
                limit=limit,
                cursor=cursor,
                sort=sort,
            )
            return {"data": [self.wire(found) for found in rows], "meta": meta}

    def _conflicts(self, session: Session, found: Any) -> Sequence[dict[str, Any]]:
        """The first records that the undo left."""
        left = (
            select(self.record_id.label("record"), self.changes.conflicts)
            .where(self.changes.import_id == found.id, self.changes.outcome == "conflict")
            .order_by(self.record_id)
            .limit(ROWS_SHOWN)
        )
        return [{self.record: row.record, "kept": row.conflicts} for row in session.execute(left)]


def _undo_wire(found: Any, conflicts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    counted = found.undo_counts
    names = {"removed": "removed", "restored": "restored", "conflicts": "conflict", "gone": "gone"}
    return {
        "progress": {"done": sum(counted.values()), "total": max(found.undo_total, sum(counted.values()))},
        "undo": {
            "counts": {name: counted.get(outcome, 0) for name, outcome in names.items()},
            "conflicts": list(conflicts),
        },
    }
