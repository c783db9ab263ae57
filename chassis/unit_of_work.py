"""One transaction of a use case: its own changes, the events that follow from them, and the marks of what caused it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
from sqlalchemy import CursorResult, Row, text
from sqlalchemy.orm import Session

from chassis import bulk, idempotency, inbox, mentions
from chassis.columns import new_id, utc_now
from chassis.crash import crash_point
from chassis.precedence import precedence
from chassis.scoping import UNGUARDED, FirmMissing, refuse_shared
from chassis.turns import LAST
from chassis.wire import event_data
from contracts.base import Event

if TYPE_CHECKING:
    from chassis.database import Database
    from chassis.envelope import ReceivedEvent

Answer = TypeVar("Answer")

LARGEST_STATEMENT = 1_000_000
"""Characters of events that are written together: to send a statement takes several times its size in memory."""

_open: ContextVar[bool] = ContextVar("unit_of_work_open", default=False)


class AlreadyDone(Exception):
    """Every event of `once` was applied before. The subscription takes it for success."""


class NestedUnitOfWork(RuntimeError):
    """A unit of work was begun, or a call made, inside another unit of work."""


def in_transaction() -> bool:
    """Whether this green thread is inside a unit of work, where nothing may wait for another service."""
    return _open.get()


class UnitOfWork:
    """What a use case works with inside `db.unit_of_work()`.

    `session` is scoped to the firm. `fresh` holds the events of `once` that were not applied before.
    """

    def __init__(self, db: Database, session: Session) -> None:
        self.session = session
        self.fresh: list[ReceivedEvent] = []
        self._db = db
        self._outbox: list[dict[str, Any]] = []
        self._outbox_size = 0
        self._emitted = False
        self._together: list[Any] | None = None
        self._at_end: list[Any] = []
        self._after_commit: list[Callable[[], object]] = []

    def step_aside(self) -> None:
        """Between the parts of bulk work: lets the calls that this process is answering go first, by
        `chassis.precedence`. On SQLite they would wait for the end of this transaction, so that it goes on."""
        if self._dialect == "postgresql":
            precedence.step_aside()

    def plan_anew(self) -> None:
        """For a part of work that makes tables many times larger: on PostgreSQL, a connection keeps the plans by which
        foreign keys are checked, and what was planned for a table with few rows reads it whole for each row."""
        if self._dialect == "postgresql":
            self.session.execute(text("DISCARD PLANS"), execution_options=UNGUARDED)

    # Writing

    def write_together(self) -> None:
        """From here on `insert` and `upsert` write with the events, on PostgreSQL by one statement and so in one turn.

        For a few rows that are not read any more in this unit of work. What breaks a uniqueness then says so at its
        end; `upsert` returns nothing.
        """
        self._together = []

    def insert(
        self,
        model: type[Any],
        rows: Iterable[bulk.Row],
        *,
        ignore_conflicts: bool = False,
        same: bulk.Row | None = None,
    ) -> int:
        """Inserts rows (attribute name to value) set-based and returns how many were really inserted.

        The firm is added, and Python-side defaults apply. With `ignore_conflicts`, rows that break any uniqueness are
        left out. `same`: what all the rows have besides, which on PostgreSQL is sent and read once.
        """
        if ignore_conflicts:
            return len(self.insert_returning(model, rows, *_primary_key(model), ignore_conflicts=True, same=same))
        new = self._rows(model, rows, same=same)
        if self._together is not None:
            self._together += [bulk.dialect_insert(self._dialect, new.table).values(row) for row in new.as_rows()]
        elif new.given:
            self.session.flush()
            self._run(*bulk.insert_of(self._dialect, new))
        return len(new.given)

    def insert_returning(
        self,
        model: type[Any],
        rows: Iterable[bulk.Row],
        *names: str,
        ignore_conflicts: bool = False,
        same: bulk.Row | None = None,
    ) -> Sequence[Row[Any]]:
        """Like `insert`, but returns the named attributes of the rows really inserted, in no certain order."""
        new = self._rows(model, rows, same=same)
        if not new.given:
            return []
        self.session.flush()
        statement, parameters = bulk.insert_of(self._dialect, new)
        if ignore_conflicts:
            statement = statement.on_conflict_do_nothing()
        return self._run(statement.returning(*bulk.columns_of(model, names)), parameters).all()

    def upsert(
        self,
        model: type[Any],
        rows: Iterable[bulk.Row],
        *,
        key: Sequence[str],
        change: Sequence[str],
        newer: str | None = None,
        returning: Sequence[str] = (),
    ) -> Sequence[Row[Any]]:
        """Inserts rows set-based; where one with the same `key` exists, its `change` attributes are set instead.

        `key` names a unique constraint without its `firm_id`, which is added. One call names each key once. `newer`
        names an attribute that must be greater than what is stored, or the row stays as it is: so that what comes late
        never overwrites. Returns the `key` attributes of the rows that were written, or those of `returning`, in no
        certain order.
        """
        new = self._rows(model, rows)
        if not new.given:
            return []
        statement, parameters = bulk.insert_of(self._dialect, new)
        scope = ["firm_id"] if "firm_id" in new.table.c and "firm_id" not in key else []
        columns = bulk.columns_of(model, [*scope, *key])
        changed = {column.key: statement.excluded[column.key] for column in bulk.columns_of(model, change)}
        guard = None
        if newer is not None:
            (column,) = bulk.columns_of(model, [newer])
            guard = statement.excluded[column.key] > column
        conflict: dict[str, Any] = {"index_elements": columns, "set_": changed, "where": guard}
        if self._together is not None:
            plain = bulk.dialect_insert(self._dialect, new.table)
            self._together += [plain.values(row).on_conflict_do_update(**conflict) for row in new.as_rows()]
            return []
        self.session.flush()
        statement = statement.on_conflict_do_update(**conflict)
        return self._run(statement.returning(*bulk.columns_of(model, returning or key)), parameters).all()

    def update_each(self, model: type[Any], rows: Iterable[bulk.Row], *, key: Sequence[str] = ("id",)) -> None:
        """Sets, for each row, the attributes it names on the record with its `key`. All rows name the same ones."""
        changed = self._rows(model, rows, defaults=False)
        if changed.given:
            self.session.flush()
            named = {*changed.names, *changed.fixed}
            keys = {column.key for column in bulk.columns_of(model, key)} | ({"firm_id"} & named)
            self._run(*bulk.update_of(self._dialect, changed, keys))

    def end_with(self, statement: Any) -> None:
        """Runs a statement after all others but what is written together, and without reading its result: where no
        events follow, COMMIT travels with it."""
        self._at_end.append(statement)

    # What follows from it

    def emit(
        self,
        event: Event,
        subject: str,
        data: dict[str, Any],
        *,
        aggregate_version: int | None = None,
        firm_id: str | None = None,
        correlation_id: str | None = None,
    ) -> str:
        """Puts an event into the outbox and returns its id. `subject` is the id of the record it is about.

        `data` holds Python values of the event's schema; a value or a name that the schema refuses is a `ValueError`.
        `firm_id` is for work across firms only; `correlation_id` for a chain in place of the request's or event's own.
        """
        firm = self._db.firm_id or firm_id
        if event.owner != self._db.base.service_name:
            raise ValueError(f"{event.name} belongs to {event.owner}")
        if firm is None:
            raise FirmMissing(f"{event.name} needs a firm")
        event_id = new_id()
        payload = orjson.dumps(event_data(event, data)).decode()
        self._outbox.append(
            {
                "id": event_id,
                "firm_id": firm,
                "aggregate_id": subject,
                "aggregate_version": aggregate_version,
                "event": event.name,
                "payload": payload,
                "correlation_id": correlation_id or self._db.correlation_id or event_id,
                "created_at": utc_now(),
                "attempts": 0,
            }
        )
        self._outbox_size += len(payload)
        if self._outbox_size > LARGEST_STATEMENT:
            self._write_outbox()
        return event_id

    def emit_many(self, event: Event, items: Iterable[tuple[str, dict[str, Any]]]) -> list[str]:
        """`emit` for each (subject, data); the events of a unit of work are written by one statement, if they are not
        very large."""
        return [self.emit(event, subject, data) for subject, data in items]

    def answer(self, value: Answer, *, kept: Callable[[], Answer] | None = None) -> Answer:
        """Stores the use case's answer under the request's idempotency key, if it has one, and returns it unchanged.

        `value` is what the use case returns: Python values, dumped by the operation's response schema to be stored.
        `kept` makes what is stored in its place, where the table must not hold, and a repeat not be told, all of it.
        """
        request = idempotency.running()
        if request is not None and self._db.firm_id is not None:
            stored = value if kept is None else kept()
            idempotency.store_answer(self.session, self._db.tables, self._db.firm_id, request, stored)
        return value

    def forget_mentions(self, ids: Sequence[str]) -> int:
        """Removes what the bookkeeping keeps of records with these ids: answers, published events, settled messages."""
        if self._db.firm_id is None:
            raise FirmMissing("what is forgotten is one firm's")
        return mentions.forget_mentions(self.session, self._db.tables, self._db.firm_id, ids)

    def after_commit(self, action: Callable[[], object]) -> None:
        """Calls `action` once the transaction is committed; not at all if it is rolled back."""
        self._after_commit.append(action)

    # The frame, for `Database` alone

    def _begin(self, once: ReceivedEvent | Sequence[ReceivedEvent] | None) -> None:
        request = idempotency.running()
        if request is not None and self._db.firm_id is not None:
            idempotency.claim_key(self.session, self._db.tables, self._db.firm_id, request)
        if once is not None:
            events = list(once) if isinstance(once, Sequence) else [once]
            self.fresh = inbox.mark_received(self.session, self._db.tables.inbox, events)
            if not self.fresh:
                raise AlreadyDone

    def _complete(self) -> None:
        self.session.flush()
        for number, statement in enumerate(self._at_end, 1):
            last = number == len(self._at_end) and not self._together and not self._outbox
            self.session.execute(statement, execution_options=LAST if last else {})
        if self._together:
            self._write_all(self._together)
        self._write_outbox(last=True)
        self.session.commit()

    def _committed(self) -> None:
        crash_point("after_commit")
        if self._emitted:
            self._db.engines.announce_outbox()
        for action in self._after_commit:
            action()

    def _write_all(self, inserts: list[Any]) -> None:
        """What was to be written together, with as many events as there are."""
        events = bulk.dialect_insert(self._dialect, self._db.tables.outbox)
        inserts += [events.values(row) for row in self._outbox]
        self._emitted = self._emitted or bool(self._outbox)
        self._outbox, self._outbox_size = [], 0
        if self._dialect == "postgresql":
            self._run(bulk.in_one_turn(inserts), None, last=True)
        else:
            for statement in inserts:
                self._run(statement, None)

    def _write_outbox(self, *, last: bool = False) -> None:
        if self._outbox:
            events = bulk.plain_rows(self._db.tables.outbox, self._outbox)
            self._run(*bulk.insert_of(self._dialect, events), last=last)
            self._outbox, self._outbox_size, self._emitted = [], 0, True

    def _rows(
        self, model: type[Any], rows: Iterable[bulk.Row], defaults: bool = True, same: bulk.Row | None = None
    ) -> bulk.TableRows:
        if self._db.firm_id is not None:
            refuse_shared(model)
        scoped = "firm_id" in model.__table__.c and self._db.firm_id is not None
        firm = {"firm_id": self._db.firm_id} if scoped else {}
        return bulk.table_rows(model, rows, defaults=defaults, **{**(same or {}), **firm})

    @property
    def _dialect(self) -> str:
        return self.session.get_bind().dialect.name

    def _run(self, statement: Any, rows: bulk.Row | list[bulk.Row] | None, *, last: bool = False) -> CursorResult[Any]:
        options = UNGUARDED | LAST if last else UNGUARDED
        return self.session.execute(statement, rows, execution_options=options)  # type: ignore[return-value]


def _primary_key(model: type[Any]) -> list[str]:
    return [column.key for column in model.__table__.primary_key]
