"""What rows of an import may name of the firm's: its types of case with their statuses and fields, and its staff."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.words import bare_words
from contracts.errors import Unavailable
from services.cases.limits import may_use
from services.cases.models import CaseStatus, CaseType, CustomField
from services.cases.type_fields import fields_of
from services.cases.type_statuses import statuses_of

_ASKED_AT_ONCE = 200
_STATES = {
    "open": "open", "active": "open", "abierto": "open", "closed": "closed", "cerrado": "closed",
}  # fmt: skip
"""Words for any status of a state, where a type has none of that name."""


@dataclass(frozen=True)
class KnownType:
    """A type of case, as it is while rows are read."""

    row: CaseType
    statuses: Sequence[CaseStatus]
    fields: Sequence[CustomField]
    version: int

    def status(self, text: str | None, current: str | None = None) -> CaseStatus | None:
        """The status that a cell means: by its name, or by its state the first of that state, which a case that is in
        one of them has already. Without a text the first of all. None if it means none."""
        if text is None:
            return self.statuses[0]
        word = bare_words(text)
        named = next((status for status in self.statuses if bare_words(status.name) == word), None)
        if named is not None or word not in _STATES:
            return named
        of_state = [status for status in self.statuses if status.state == _STATES[word]]
        return next((status for status in of_state if status.name == current), next(iter(of_state), None))


class KnownTypes:
    """The types of a firm, as far as the running work may have to do with their cases."""

    def __init__(self, session: Session) -> None:
        every = session.scalars(select(CaseType).order_by(CaseType.archived, CaseType.created_at))
        rows = [row for row in every if may_use(row.id)]
        ids = [row.id for row in rows]
        statuses, fields = statuses_of(session, ids), fields_of(session, ids)
        self.by_id = {row.id: KnownType(row, statuses[row.id], fields[row.id], row.version) for row in rows}
        self._as_written = {row.name: row.id for row in rows}
        self._by_name: dict[str, str] = {}
        for row in rows:
            self._by_name.setdefault(bare_words(row.name), row.id)

    def hold(self, session: Session) -> None:
        """Before cases are locked or written: no type changes before the end of the transaction. Raises Unavailable
        `case_type_changed` if one has since rows were read by it; then they are read again."""
        held = select(CaseType.id, CaseType.version).order_by(CaseType.id).with_for_update(read=True)
        now = {row.id: row.version for row in session.execute(held)}
        if any(now.get(id_) != known.version for id_, known in self.by_id.items()):
            raise Unavailable("case_type_changed")

    def find(self, text: str) -> KnownType | None:
        """The type of that id or name; of two names that are the same bare words, the one that is written so."""
        named = self._as_written.get(text) or self._by_name.get(bare_words(text), "")
        return self.by_id.get(text.lower()) or self.by_id.get(named)

    @property
    def only(self) -> KnownType | None:
        """The one that new cases are of where nothing says which, if there is only one."""
        present = [known for known in self.by_id.values() if not known.row.archived]
        return present[0] if len(present) == 1 else None

    @property
    def fields(self) -> list[CustomField]:
        """The custom fields of all types."""
        return [field for known in self.by_id.values() for field in known.fields if field.removed_at is None]

    @property
    def keys(self) -> frozenset[str]:
        return frozenset(field.key for field in self.fields)


class KnownStaff:
    """The firm's staff by the words that a cell may name them with, those who have left included: cases of long ago are
    still theirs."""

    def __init__(self, staff: Iterable[Mapping[str, Any]] = ()) -> None:
        self._by_word: dict[str, set[str]] = {}
        for person in staff:
            words = (person["id"], (person.get("email") or "").casefold(), bare_words(person["name"]))
            for word in filter(None, words):
                self._by_word.setdefault(word, set()).add(person["id"])

    def find(self, text: str) -> set[str]:
        """The ids of those that a text may mean."""
        named = self._by_word.get(text.casefold()) or self._by_word.get(bare_words(text))
        if named is None and "," in text:
            last, _, first = text.partition(",")
            named = self._by_word.get(bare_words(f"{first} {last}"))
        return named or set()


def ask_for_staff(calls: Any) -> KnownStaff:
    """All of the firm's staff. Raises Unavailable if accounts cannot say. Not inside a transaction."""
    found: list[Mapping[str, Any]] = []
    cursor: str | None = None
    while True:
        listed = calls.accounts.list_staff(limit=_ASKED_AT_ONCE, cursor=cursor)
        found += listed["data"]
        if (cursor := listed["meta"]["next_cursor"]) is None:
            return KnownStaff(found)
