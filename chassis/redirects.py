"""Records of another service that became one: what refers to the old id refers to the new one from then on, and goes
back if that is taken back.

    class ClientMerge(RedirectRow, Base): __tablename__ = "client_merge"
    class ClientMergeMove(MovedRow, Base): __tablename__ = "client_merge_move"

    following = Following(ClientMerge, ClientMergeMove, [Rows("link", Link, Link.client_id)])
    following.follow(uow, [Redirect(merge_id, old_id, new_id)])
    following.part(uow, [Redirect(merge_id, old_id, new_id)])

Which rows followed is remembered for each cause, so that exactly those go back and what was made since stays. Causes
come twice, late and in any order: one that was taken back before it was heard of moves nothing, and what is moved to an
id that has become a third one itself goes on to that. A cause that comes again takes along what was written for the old
id meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Index, PrimaryKeyConstraint, String, delete, or_, select, text, update
from sqlalchemy.orm import InstrumentedAttribute, Mapped, Session, declared_attr, mapped_column

from chassis.columns import Id, JsonOrNull
from chassis.scoping import FirmScoped
from chassis.unit_of_work import UnitOfWork
from chassis.value_sets import among

_LONGEST_CHAIN = 100
_WITHOUT_SYNC = {"synchronize_session": False}


@dataclass(frozen=True)
class Redirect:
    """`old_id` is `new_id` from now on, since `cause_id`."""

    cause_id: str
    old_id: str
    new_id: str


class RedirectRow(FirmScoped):
    """A cause that was heard of. `ended`: it was taken back."""

    cause_id: Mapped[str] = mapped_column(Id)
    old_id: Mapped[str] = mapped_column(Id)
    new_id: Mapped[str] = mapped_column(Id)
    ended: Mapped[bool] = mapped_column(default=False)

    @declared_attr.directive
    def __table_args__(cls) -> Any:
        table = cls.__tablename__  # type: ignore[attr-defined]
        in_force: dict[str, Any] = {"sqlite_where": text("NOT ended"), "postgresql_where": text("NOT ended")}
        return (
            PrimaryKeyConstraint("firm_id", "cause_id", name=f"pk_{table}"),
            Index(f"ix_{table}_old_id", "old_id", **in_force),
            Index(f"ix_{table}_new_id", "new_id", **in_force),
        )


class MovedRow(FirmScoped):
    """A row that followed a cause: of which kind, its id, and what else its kind must know to give it back."""

    cause_id: Mapped[str] = mapped_column(Id)
    kind: Mapped[str] = mapped_column(String(40))
    row_id: Mapped[str] = mapped_column(Id)
    facts: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull)

    @declared_attr.directive
    def __table_args__(cls) -> Any:
        table = cls.__tablename__  # type: ignore[attr-defined]
        return (PrimaryKeyConstraint("firm_id", "cause_id", "kind", "row_id", name=f"pk_{table}"),)


Moved = Mapping[str, dict[str, Any] | None]
"""{row id: facts}"""


class Kind(Protocol):
    """One kind of row that refers to such records."""

    @property
    def name(self) -> str: ...

    def take(self, uow: UnitOfWork, redirect: Redirect) -> Moved:
        """Makes what refers to the old id refer to the new one; returns which rows that were."""

    def give_back(self, uow: UnitOfWork, moved: Moved, redirect: Redirect) -> Collection[str]:
        """Makes those that still refer to `redirect.new_id` refer to the old one again; returns the ids of those that
        are the old one's alone."""


@dataclass(frozen=True)
class Rows:
    """Rows with an id of their own and a column that refers. `values` are set besides, either way."""

    name: str
    model: Any
    column: InstrumentedAttribute[Any]
    values: Mapping[str, Any] | None = None

    def take(self, uow: UnitOfWork, redirect: Redirect) -> Moved:
        return dict.fromkeys(self._set(uow, redirect.new_id, self.column == redirect.old_id))

    def give_back(self, uow: UnitOfWork, moved: Moved, redirect: Redirect) -> Collection[str]:
        self._set(uow, redirect.old_id, among(uow.session, self.model.id, moved), self.column == redirect.new_id)
        return moved.keys()

    def _set(self, uow: UnitOfWork, to: str, *where: Any) -> list[str]:
        statement = update(self.model).where(*where).values({self.column.key: to, **(self.values or {})})
        return list(uow.session.scalars(statement.returning(self.model.id), execution_options=_WITHOUT_SYNC))


class Following:
    """How a service's rows follow. `redirects` and `moves` are its models of `RedirectRow` and `MovedRow`."""

    def __init__(self, redirects: Any, moves: Any, kinds: Sequence[Kind]) -> None:
        self._redirects, self._moves, self._kinds = redirects, moves, kinds

    def follow(self, uow: UnitOfWork, redirects: Iterable[Redirect]) -> list[Redirect]:
        """Takes along what refers to each old id, and returns the redirects in whose name something may have been
        moved: those that are in force, and what followed from them."""
        _take_turns(uow.session)
        done: list[Redirect] = []
        for redirect in redirects:
            ended = select(self._redirects.ended).where(self._redirects.cause_id == redirect.cause_id)
            known = uow.session.scalar(ended)
            over = self._first_heard(uow, redirect) if known is None else known
            if not over:
                done += self._take_along(uow, redirect, late=known is None)
        return done

    def _first_heard(self, uow: UnitOfWork, redirect: Redirect) -> bool:
        """Notes a redirect, and returns whether it is over by now: nothing becomes itself, so that in a circle each
        cause but the last to touch a record was taken back before, which is yet to be heard of."""
        circle = [redirect]
        for hop in self._onward(uow.session, redirect.new_id, set()):
            circle.append(hop)
            if hop.new_id == redirect.old_id:
                break
        else:
            circle = []
        over = False
        for before, after in zip(circle, [*circle[1:], *circle[:1]], strict=True):
            if after.cause_id > before.cause_id:
                continue
            if after is redirect:
                over = True
            elif self._end(uow, after):
                self._give_back(uow, after)
        row = {"cause_id": redirect.cause_id, "old_id": redirect.old_id, "new_id": redirect.new_id}
        uow.insert(self._redirects, [{**row, "ended": over}])
        return over

    def part(self, uow: UnitOfWork, redirects: Iterable[Redirect]) -> list[Redirect]:
        """Gives back what followed each cause, and returns the redirects that were in force until then."""
        _take_turns(uow.session)
        done: list[Redirect] = []
        for redirect in redirects:
            row = {"cause_id": redirect.cause_id, "old_id": redirect.old_id, "new_id": redirect.new_id}
            if uow.insert(self._redirects, [{**row, "ended": True}], ignore_conflicts=True):
                continue  # it was not heard of before, and now never will be
            if self._end(uow, redirect):
                self._give_back(uow, redirect)
                done.append(redirect)
        return done

    def forget(self, uow: UnitOfWork, ids: Collection[str]) -> None:
        """Of records that are erased nothing goes back any more: what was remembered of their rows goes."""
        redirects, moves = self._redirects, self._moves
        theirs = select(redirects.cause_id).where(
            or_(among(uow.session, redirects.old_id, ids), among(uow.session, redirects.new_id, ids))
        )
        uow.session.execute(delete(moves).where(moves.cause_id.in_(theirs)), execution_options=_WITHOUT_SYNC)

    def _end(self, uow: UnitOfWork, redirect: Redirect) -> bool:
        statement = (
            update(self._redirects)
            .where(self._redirects.cause_id == redirect.cause_id, self._redirects.ended.is_(False))
            .values(ended=True)
            .returning(self._redirects.cause_id)
        )
        return uow.session.scalar(statement, execution_options=_WITHOUT_SYNC) is not None

    def _take_along(self, uow: UnitOfWork, redirect: Redirect, *, late: bool = False) -> list[Redirect]:
        onward = list(self._onward(uow.session, redirect.new_id, {redirect.cause_id}))
        if late:
            # What happened later was heard of first: it is done again in its turn.
            for hop in reversed(onward):
                self._return_rows(uow, hop, hop, [])
        hops = [redirect, *onward]
        for hop in hops:
            for kind in self._kinds:
                moved = [
                    {"cause_id": hop.cause_id, "kind": kind.name, "row_id": row_id, "facts": facts}
                    for row_id, facts in sorted(kind.take(uow, hop).items())
                ]
                uow.insert(self._moves, moved, ignore_conflicts=True)
        return hops

    def _give_back(self, uow: UnitOfWork, redirect: Redirect) -> None:
        later = list(self._onward(uow.session, redirect.new_id, {redirect.cause_id}))
        now_at = Redirect(redirect.cause_id, redirect.old_id, later[-1].new_id if later else redirect.new_id)
        self._return_rows(uow, redirect, now_at, later)
        again = next(iter(self._onward(uow.session, redirect.old_id, {redirect.cause_id})), None)
        if again is not None:
            self._take_along(uow, again)

    def _return_rows(self, uow: UnitOfWork, redirect: Redirect, now_at: Redirect, later: Sequence[Redirect]) -> None:
        moves = self._moves
        mine = select(moves.kind, moves.row_id, moves.facts).where(moves.cause_id == redirect.cause_id)
        moved: dict[str, dict[str, Any]] = {}
        for name, row_id, facts in uow.session.execute(mine):
            moved.setdefault(name, {})[row_id] = facts
        for kind in self._kinds:
            of_kind = moved.get(kind.name)
            if not of_kind:
                continue
            alone = kind.give_back(uow, of_kind, now_at)
            if later:
                # What a later cause took on is no part of it any more.
                forgotten = delete(moves).where(
                    moves.cause_id.in_([hop.cause_id for hop in later]),
                    moves.kind == kind.name,
                    among(uow.session, moves.row_id, alone),
                )
                uow.session.execute(forgotten, execution_options=_WITHOUT_SYNC)
        uow.session.execute(delete(moves).where(moves.cause_id == redirect.cause_id), execution_options=_WITHOUT_SYNC)

    def _onward(self, session: Session, record_id: str, seen: set[str]) -> Iterator[Redirect]:
        """What became of a record, one redirect after the other."""
        redirects = self._redirects
        known = set(seen)
        while len(known) < _LONGEST_CHAIN:
            # Ids of causes grow with time: where one was not heard to be taken back yet, the last one holds.
            statement = (
                select(redirects.cause_id, redirects.new_id)
                .where(redirects.old_id == record_id, redirects.ended.is_(False), redirects.cause_id.not_in(known))
                .order_by(redirects.cause_id.desc())
                .limit(1)
            )
            found = session.execute(statement).one_or_none()
            if found is None:
                return
            known.add(found.cause_id)
            yield Redirect(found.cause_id, record_id, found.new_id)
            record_id = found.new_id

    # For those who read and write beside it

    def current(self, session: Session, ids: Iterable[str]) -> dict[str, str]:
        """{old id: what it is now} of those of the ids that became another one; a query for each link of the chain."""
        asked = set(ids)
        links: dict[str, str] = {}
        wanted = asked
        while wanted and len(links) < _LONGEST_CHAIN * max(1, len(asked)):
            redirects = self._redirects
            statement = select(redirects.old_id, redirects.new_id).where(
                among(session, redirects.old_id, sorted(wanted)), redirects.ended.is_(False)
            )
            found: dict[str, str] = dict(session.execute(statement.order_by(redirects.cause_id)).all())
            links.update(found)
            wanted = set(found.values()) - links.keys()
        return {id_: _end_of(links, id_) for id_ in links.keys() & asked}

    def merged_into(self, session: Session, record_id: str) -> list[str]:
        """The ids of all records that are this one now."""
        found: list[str] = []
        latest = [record_id]
        while latest:
            redirects = self._redirects
            statement = select(redirects.old_id).where(
                among(session, redirects.new_id, latest), redirects.ended.is_(False)
            )
            latest = sorted(set(session.scalars(statement)) - {record_id, *found})
            found += latest
        return found


def _end_of(links: Mapping[str, str], record_id: str) -> str:
    seen = {record_id}
    while record_id in links and links[record_id] not in seen:
        record_id = links[record_id]
        seen.add(record_id)
    return record_id


def _take_turns(session: Session) -> None:
    """Causes of one firm are worked on one after the other, to the commit. (On SQLite one transaction writes at a
    time.)"""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('redirects ' || :firm_id, 0))"))
