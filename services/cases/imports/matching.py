"""Which known case each row of a chunk is, and what becomes of it: created, updated, skipped or failed."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from chassis.columns import new_id
from chassis.imports.seen import SeenKeys
from services.cases.imports.joining import filled, joined
from services.cases.imports.known import KnownType
from services.cases.imports.loading import find_stored, load, seen_of
from services.cases.imports.people import placed
from services.cases.imports.rows import MOST_KEY_DATES, Key, Record, Row, RowReader

_EMPTY: Record = {
    "number": None, "description": None, "responsible_staff_id": None, "source": None, "value": None,
    "external_source": None, "external_source_id": None, "archived": False, "clients": [], "staff_ids": [],
    "key_dates": [], "custom_fields": {},
}  # fmt: skip
_MOST = {"staff_ids": ("staff", 50), "key_dates": ("key_dates", MOST_KEY_DATES), "clients": ("clients", 100)}
_TAKEN = {"number": "number_taken:number", "external": "external_id_taken:external_source_id"}


@dataclass
class Draft:
    """A case that rows of this chunk found or make. `before` is the stored record, None for a new one."""

    id: str
    known: KnownType
    record: Record
    before: Record | None = None
    keys: list[Key] = field(default_factory=list)
    last_row: Row | None = None
    """That it was last made of."""


@dataclass
class Outcome:
    """What became of one row. `draft` is the case it went into."""

    row: int
    kind: str
    errors: list[str] = field(default_factory=list)
    draft: Draft | None = None


class EarlierRows:
    """The cases that earlier chunks would have made, by their keys, for a preview. To be closed."""

    def __init__(self) -> None:
        self.cases, self.people = SeenKeys(), SeenKeys()
        self._last_rows = array("q")

    def close(self) -> None:
        """Forgets all."""
        self.cases.close()
        self.people.close()

    def add(self, row: Row, keys: Iterable[Key]) -> None:
        """Remembers a case that would have been created, by the row that it was last made of."""
        self._last_rows.append(_hash_of(row))
        for key in keys:
            self.cases.add(key, len(self._last_rows) - 1)

    def changes(self, number: int, row: Row) -> bool:
        """Whether a later row changes a case, which it does unless it repeats the last one, and remembers it."""
        for key in row.keys:
            self.cases.add(key, number)
        known, self._last_rows[number] = self._last_rows[number], _hash_of(row)
        return known != self._last_rows[number]


def _hash_of(row: Row) -> int:
    return hash(str((row.fields, row.custom, row.status, [person.values for person in row.people])))


class Matching:
    """Decides on the rows of one chunk, in their order, so that duplicates inside the file are seen. With `lock`, the
    cases that they are of stay as they are to the end of the transaction."""

    def __init__(
        self, session: Session, reader: RowReader, policy: str, *, lock: bool = False,
        earlier: EarlierRows | None = None,
    ) -> None:  # fmt: skip
        self._session = session
        self._reader = reader
        self._policy = policy
        self._lock = lock
        self._earlier = earlier
        self._by_key: dict[Key, list[str]] = defaultdict(list)
        self._hidden: set[Key] = set()
        """Of cases that the import may not see: they are taken, and that is all it learns."""
        self.drafts: dict[str, Draft] = {}

    def decide(self, rows: Sequence[Row]) -> list[Outcome]:
        """The outcome of each row; the drafts hold what is to be written."""
        wanted = {key for row in rows for key in row.keys}
        if self._earlier is not None:
            self._earlier.cases.look_up(wanted)
        stored = list(find_stored(self._session, wanted))
        seen = seen_of(self._session, {case_id for _, case_id in stored})
        for key, case_id in stored:
            if case_id in seen:
                self._by_key[key].append(case_id)
            else:
                self._hidden.add(key)
        if self._policy in ("update", "merge"):
            found = {case_id for ids in self._by_key.values() for case_id in ids}
            for case_id, record in load(self._session, found, lock=self._lock).items():
                known = self._reader.types.by_id[record["case_type_id"]]
                self.drafts[case_id] = Draft(case_id, known, record, record)
        outcomes = [self._decide(row) for row in rows]
        if self._earlier is not None:
            for draft in self.drafts.values():
                if draft.before is None and draft.last_row is not None:
                    self._earlier.add(draft.last_row, draft.keys)
            self._earlier.cases.keep()
        return outcomes

    def _decide(self, row: Row) -> Outcome:
        if row.errors:
            return Outcome(row.number, "failed", row.errors)
        if hidden := [_TAKEN[key[0]] for key in row.keys if key in self._hidden]:
            return Outcome(row.number, "failed", hidden)
        ids = list(dict.fromkeys(case_id for key in row.keys for case_id in self._by_key[key]))
        if self._policy == "create":
            taken = [_TAKEN[key[0]] for key in row.keys if self._by_key[key] or self._earlier_number([key]) is not None]
            return Outcome(row.number, "failed", taken) if taken else self._create(row)
        if not ids:
            number = self._earlier_number(row.keys)
            return self._create(row) if number is None else self._repeats_earlier(row, number)
        if self._policy == "skip":
            return Outcome(row.number, "skipped", draft=self.drafts.get(ids[0]))
        if len(ids) > 1:
            return Outcome(row.number, "failed", ["several_matches:row"])
        return self._update(row, self.drafts[ids[0]])

    def _earlier_number(self, keys: Iterable[Key]) -> int | None:
        if self._earlier is None:
            return None
        return next((number for key in keys if (number := self._earlier.cases.find(key)) is not None), None)

    def _repeats_earlier(self, row: Row, number: int) -> Outcome:
        assert self._earlier is not None
        if self._policy == "skip":
            return Outcome(row.number, "skipped")
        if row.people_errors:
            return Outcome(row.number, "failed", row.people_errors)
        return Outcome(row.number, "updated" if self._earlier.changes(number, row) else "skipped")

    def _create(self, row: Row) -> Outcome:
        known = row.case_type or self._reader.types.only
        errors = list(row.people_errors)
        if known is None:
            errors.append("required:case_type")
        elif known.row.archived:
            errors.append("case_type_archived:case_type")
        errors += [f"required:{name}" for name in ("name",) if not row.fields.get(name)]
        errors += [] if row.people else ["required:client"]
        status = known.status(row.status) if known is not None else None
        if known is not None and status is None:
            errors.append("unknown_status:status")
        values, problems = self._reader.custom_values(row, known, {}, new=True) if known is not None else ({}, [])
        errors += problems
        if errors or known is None or status is None:
            return Outcome(row.number, "failed", errors)
        given = {name: value for name, value in row.fields.items() if value is not None}
        record = {
            **_EMPTY, **given, "id": new_id(), "version": 1, "case_type_id": known.row.id, "status": status.name,
            "state": status.state, "custom_fields": values, "clients": placed(row.people),
        }  # fmt: skip
        draft = Draft(record["id"], known, record)
        self.drafts[draft.id] = draft
        self._add_keys(draft, row)
        return Outcome(row.number, "created", draft=draft)

    def _update(self, row: Row, draft: Draft) -> Outcome:
        record, known = draft.record, draft.known
        errors = self._clashes(row, draft)
        status = known.status(row.status, record["status"]) if row.status is not None else None
        if row.status is not None and status is None:
            errors.append("unknown_status:status")
        row_for_values = row if self._policy == "update" else _of_lacking(row, record)
        values, problems = self._reader.custom_values(row_for_values, known, record["custom_fields"], new=False)
        errors += [*problems, *row.people_errors]
        if errors:
            return Outcome(row.number, "failed", errors)
        fields = dict(row.fields)
        if self._policy == "merge":
            after = filled(record, fields, row.people)
        else:
            after = joined(record, fields, row.people, row.cleared_dates)
            if status is not None:
                after |= {"status": status.name, "state": status.state}
        after["custom_fields"] = values
        too_many = [f"too_many:{name}" for key, (name, most) in _MOST.items() if len(after[key]) > most]
        if too_many:
            return Outcome(row.number, "failed", too_many)
        draft.record = after
        self._add_keys(draft, row)
        return Outcome(row.number, "skipped" if after == record else "updated", draft=draft)

    def _clashes(self, row: Row, draft: Draft) -> list[str]:
        """Why this row cannot change the case that it is of."""
        record, fields = draft.record, row.fields
        errors = []
        if record["state"] == "pending":
            errors.append("case_pending:row")
        if record["archived"] and fields.get("archived") is not False:
            errors.append("case_archived:row")
        if row.case_type is not None and row.case_type.row.id != record["case_type_id"]:
            errors.append("case_type_differs:case_type")
        external = (record["external_source"], record["external_source_id"])
        given = (fields.get("external_source"), fields.get("external_source_id"))
        if given[1] is not None and record["external_source_id"] is not None and external != given:
            errors.append("external_id_differs:external_source_id")
        return errors

    def _add_keys(self, draft: Draft, row: Row) -> None:
        draft.last_row = row
        for key in row.keys:
            if draft.id not in self._by_key[key]:
                self._by_key[key].append(draft.id)
                draft.keys.append(key)


def _of_lacking(row: Row, record: Record) -> Row:
    """The row with those custom fields alone that the case lacks."""
    lacking = {key: text for key, text in row.custom.items() if record["custom_fields"].get(key) in (None, "", [])}
    return Row(row.number, custom=dict(lacking))
