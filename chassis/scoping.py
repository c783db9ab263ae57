"""Sessions that see and write the rows of one firm only.

The session adds `firm_id = :firm` to every statement over firm-scoped entities (joins, aliases, subqueries, lazy loads,
bulk updates and deletes included), stamps new objects with the firm, and refuses what it could not scope: statements on
bare tables, bulk inserts and updates past the unit of work, and SQL text that does not bind `:firm_id`. On PostgreSQL
the server holds every session to its firm besides (`chassis/walls.py`).
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Delete,
    Engine,
    FromClause,
    Insert,
    Select,
    Table,
    TextClause,
    Update,
    bindparam,
    event,
)  # fmt: skip
from sqlalchemy.orm import (
    Mapped,
    ORMExecuteState,
    Session,
    SessionTransaction,
    UOWTransaction,
    mapped_column,
    with_loader_criteria,
)  # fmt: skip
from sqlalchemy.sql import visitors
from sqlalchemy.sql.selectable import Alias, Join, SelectBase

from chassis import walls
from chassis.columns import Id
from chassis.engines import SERVICE_ROLE
from chassis.turns import say_ahead

UNGUARDED = {"casewire_unguarded": True}
"""Execution options of the chassis's own statements, which carry the firm themselves."""
BY_ID = {"casewire_by_id": True}
"""Execution options of a SELECT of many rows by ids that no two firms share, in a table with an index of the ids alone.
The firm is checked on each row, and no index can answer that: left to choose, PostgreSQL reads all that a firm has
through an index of its firm, as long as it takes the firm for a small one (ADR 0012)."""
EVERY_KIND = {"casewire_every_kind": True}
"""Execution options of a statement that has to know of rows that the actor may not see: whether a number is taken, or
what tasks there are of cases that their owner has chosen for this actor."""


_scoped: weakref.WeakKeyDictionary[Any, dict[tuple[str, bool, Limit | None], Any]] = weakref.WeakKeyDictionary()
"""SELECTs that name no bare tables, each with itself as scoped to the last firms. What a module makes once runs often,
and to look it through, and to work out the key of its compiled form, takes as long as to run it."""
_FIRMS_KEPT = 100


class ScopeError(RuntimeError):
    """A mistake in the program: work on firms' data that is not bound to one firm."""


class FirmMissing(ScopeError):
    """Firm-scoped work was begun without a firm."""


class ForeignFirm(ScopeError):
    """An object of one firm was written in a session of another."""


class Unscoped(ScopeError):
    """A statement that the session cannot scope."""


class SharedWrite(ScopeError):
    """A row that all firms share was written in a session of one firm."""


class FirmScoped:
    """Mixin of every model whose rows belong to a firm. The model's composite keys and indexes begin with `firm_id`,
    but where rows are looked up by the dozen (ADR 0012 and 0014)."""

    firm_id: Mapped[str] = mapped_column(Id, nullable=False, sort_order=-1)


class Shared:
    """Mixin of the few models whose rows belong to no firm because all firms share them. A session bound to a firm
    reads them and does not write them: what one firm writes, every other would see. They are written by
    `Database.across_firms`, in use cases that decide for the whole installation (ADR 0016)."""


class ByKind:
    """Mixin of the models whose rows are of kinds that an actor may be limited to (`Context.sees_only`): the sessions
    of such work find and change no others. Statements that have to know of all say so (`EVERY_KIND`)."""

    @classmethod
    def of_kinds(cls, kinds: Sequence[str]) -> ColumnElement[bool]:
        """Whether a row is of one of these kinds."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Limit:
    """The kinds that a session is limited to, as options of its statements. There is one for the same kinds of the
    same models."""

    options: tuple[Any, ...]


def limit_of(base: Any, kinds: tuple[str, ...] | None) -> Limit | None:
    """The limit of sessions over a service's models."""
    return None if kinds is None else _limit(base, kinds)


@functools.lru_cache(maxsize=256)
def _limit(base: Any, kinds: tuple[str, ...]) -> Limit:
    models = [mapper.class_ for mapper in base.registry.mappers if issubclass(mapper.class_, ByKind)]
    return Limit(
        tuple(
            with_loader_criteria(model, model.of_kinds(kinds), include_aliases=True, propagate_to_loaders=False)
            for model in models
        )
    )


class ScopedSession(Session):
    """A session bound to a firm; with `firm_id` None it is not scoped (see `Database.across_firms`)."""

    def __init__(self, bind: Engine, *, firm_id: str | None, writable: bool, limit: Limit | None = None) -> None:
        super().__init__(bind, expire_on_commit=False)
        self.firm_id = firm_id
        self.writable = writable
        self.limit = limit

    def connection(self, *args: Any, **kwargs: Any) -> Any:
        """The bare connection, outside scoped sessions only: nothing scopes what is run on it."""
        if self.firm_id is not None:
            raise Unscoped("a firm-scoped session does not give its connection away")
        return super().connection(*args, **kwargs)

    def bulk_save_objects(self, *args: Any, **kwargs: Any) -> None:
        raise Unscoped("use uow.insert")

    def bulk_insert_mappings(self, *args: Any, **kwargs: Any) -> None:
        raise Unscoped("use uow.insert")

    def bulk_update_mappings(self, *args: Any, **kwargs: Any) -> None:
        raise Unscoped("use uow.update_each")


@functools.lru_cache(maxsize=4096)
def _criterion(firm_id: str, by_id: bool = False) -> Any:
    # Lambdas, so that the firm is a bound parameter and the compiled statement is shared by all firms.
    checked = (lambda cls: cls.firm_id.is_not_distinct_from(firm_id)) if by_id else (lambda cls: cls.firm_id == firm_id)
    return with_loader_criteria(FirmScoped, checked, include_aliases=True, propagate_to_loaders=False)


@event.listens_for(ScopedSession, "do_orm_execute")
def _scope_statement(state: ORMExecuteState) -> None:
    session = cast(ScopedSession, state.session)
    if not session.writable and (state.is_insert or state.is_update or state.is_delete):
        raise ScopeError("a read session does not write: use unit_of_work")
    if session.firm_id is None or state.is_column_load or state.execution_options.get("casewire_unguarded"):
        return
    statement = state.statement
    if isinstance(statement, TextClause):
        state.statement = _bind_firm(statement, session.firm_id)
        return
    if isinstance(statement, Insert):
        raise Unscoped("use session.add, uow.insert or uow.upsert")
    if isinstance(statement, Update) and state.is_executemany:
        raise Unscoped("use uow.update_each")
    # Before a bulk update the ORM asks which objects it touches, with a statement of its own made from the scoped one.
    made_from_scoped = state.execution_options.get("casewire_scoped")
    if isinstance(statement, Select) and not made_from_scoped:
        by_id = "casewire_by_id" in state.execution_options
        state.statement = _scope_select(statement, session.firm_id, by_id, _limit_for(state))
        return
    if not made_from_scoped:
        _refuse_bare_tables(statement)
    if isinstance(statement, Update | Delete):
        refuse_shared(state.bind_mapper.class_ if state.bind_mapper is not None else object)
        state.update_execution_options(casewire_scoped=True)
        if not session.identity_map:
            # There is no object whose state the ORM would have to work out.
            state.update_execution_options(synchronize_session=False)
        statement = _scope_other_tables(statement, session.firm_id)
    options = getattr(statement, "options", None)
    if options is None:
        raise Unscoped(f"a {type(statement).__name__} cannot be scoped")
    limit = _limit_for(state)
    state.statement = options(_criterion(session.firm_id), *(() if limit is None else limit.options))


def _limit_for(state: ORMExecuteState) -> Limit | None:
    return None if "casewire_every_kind" in state.execution_options else cast(ScopedSession, state.session).limit


def _scope_select(statement: Select[Any], firm_id: str, by_id: bool, limit: Limit | None) -> Select[Any]:
    by_firm = _scoped.get(statement)
    if by_firm is None:
        _refuse_bare_tables(statement)
        by_firm = _scoped[statement] = {}
    scoped: Select[Any] | None = by_firm.get((firm_id, by_id, limit))
    if scoped is None:
        scoped = statement.options(_criterion(firm_id, by_id), *(() if limit is None else limit.options))
        if len(by_firm) == _FIRMS_KEPT:
            by_firm.clear()
        by_firm[firm_id, by_id, limit] = scoped
    return scoped


@event.listens_for(ScopedSession, "after_begin")
def _go_within_walls(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
    """Has the server told whose rows the session may see, with its first statement."""
    service_role = connection.info.get(SERVICE_ROLE)
    if service_role is None or transaction.nested:  # SQLite, or a savepoint within what was told
        return
    firm_id = cast(ScopedSession, session).firm_id
    say_ahead(connection, walls.across(service_role) if firm_id is None else walls.within(firm_id))


@event.listens_for(ScopedSession, "before_flush")
def _stamp_firm(session: Session, context: UOWTransaction, instances: object) -> None:
    scoped = cast(ScopedSession, session)
    if not scoped.writable:
        raise ScopeError("a read session does not write: use unit_of_work")
    if scoped.firm_id is None:
        return
    for instance in (*session.new, *session.dirty, *session.deleted):
        refuse_shared(type(instance))
        if isinstance(instance, FirmScoped):
            firm_id: str | None = instance.firm_id
            if firm_id is None:
                instance.firm_id = scoped.firm_id
            elif firm_id != scoped.firm_id:
                raise ForeignFirm(f"a {type(instance).__name__} of another firm")


def refuse_shared(model: type[Any]) -> None:
    """Raises SharedWrite for a model whose rows all firms share: in work for one firm, nothing writes them."""
    if issubclass(model, Shared):
        raise SharedWrite(f"a {model.__name__} is every firm's: write it across firms")


def _bind_firm(statement: TextClause, firm_id: str) -> TextClause:
    if "firm_id" not in statement._bindparams:
        raise Unscoped("SQL text in a firm-scoped session must bind :firm_id")
    return statement.bindparams(bindparam("firm_id", firm_id, type_=Id))


def _is_scoped_table(clause: object) -> bool:
    return isinstance(clause, Table) and "firm_id" in clause.c


def _is_bare(clause: object) -> bool:
    """Whether a FROM element is a table, or an alias of one, without its ORM entity: then nothing would scope it."""
    if isinstance(clause, Join):
        return _is_bare(clause.left) or _is_bare(clause.right)
    if isinstance(clause, Alias):
        return "parententity" not in clause._annotations and _is_bare(clause.element)
    return _is_scoped_table(clause) and "parententity" not in clause._annotations  # type: ignore[attr-defined]


def _refuse_bare_tables(statement: Any) -> None:
    entities: set[str] = set()
    columns: set[str] = set()
    for element in visitors.iterate(statement):
        bare = False
        if isinstance(element, Select):
            sources = [*element._raw_columns, *element._from_obj, *(join[0] for join in element._setup_joins)]
            bare = any(_is_bare(source) for source in sources)
        elif isinstance(element, Update | Delete):
            bare = "compile_state_plugin" not in element._propagate_attrs and _is_scoped_table(element.table)
        elif isinstance(element, Insert):
            bare = True
        elif isinstance(element, Table) and "parententity" in element._annotations:
            entities.add(element.name)
        elif type(element) is Column and _is_scoped_table(element.table):
            columns.add(element.table.name)
        if bare:
            raise Unscoped("a statement in a firm-scoped session names mapped classes, not tables")
    # The ORM itself writes bare columns of an entity's own table; those of another table would bring it in unscoped.
    if isinstance(statement, Update | Delete):
        entities.add(cast(Any, statement.table).name)
    if columns - entities:
        raise Unscoped(f"columns of {', '.join(columns - entities)} without their mapped class")


def _scope_other_tables(statement: Any, firm_id: str) -> Any:
    """Adds the criterion for `UPDATE … FROM` and `DELETE … USING`, whose other tables the loader criteria leave out."""
    target = statement.table
    others: dict[int, FromClause] = {}
    for clause in (*statement._where_criteria, *dict(getattr(statement, "_values", None) or {}).values()):
        for element in _outside_subqueries(clause):
            source: Any = getattr(element, "table", None)
            aliased = isinstance(source, Alias)
            table: Any = source.element if aliased else source
            if _is_scoped_table(table) and (aliased or table.name != target.name):
                others[hash(source)] = source
    return statement.where(*(source.c.firm_id == firm_id for source in others.values())) if others else statement


def _outside_subqueries(clause: Any) -> Iterator[Any]:
    if isinstance(clause, SelectBase) or not hasattr(clause, "get_children"):
        return
    yield clause
    for child in clause.get_children():
        yield from _outside_subqueries(child)
