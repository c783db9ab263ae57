"""Which known client each row of a chunk is, and what becomes of it: created, updated, skipped or failed."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from chassis.columns import new_id
from chassis.imports.cell_texts import text_of
from chassis.scoping import BY_ID
from chassis.value_sets import ByValue, among
from services.clients import cards, contact_ties, government_cells
from services.clients.addresses import Problem, with_primary
from services.clients.checking import Record, check_whole, default_kind, missing_fields, tag_key
from services.clients.client_keys import birth_key
from services.clients.imports.earlier import EarlierRows, external_id
from services.clients.imports.mapping import MOST_OF_A_LIST
from services.clients.imports.rows import MOST_TAGS, Key, Row, RowReader
from services.clients.merges import merge_history
from services.clients.models import Client, ClientAddress, ClientEmail, ClientPhone

_MOST = {
    "phones": MOST_OF_A_LIST, "emails": MOST_OF_A_LIST, "addresses": MOST_OF_A_LIST, "tags": MOST_TAGS,
    government_cells.FIELD: government_cells.MOST,
}  # fmt: skip
_DAY_LENGTH = len("2026-11-26")
OUTCOMES = ("created", "updated", "skipped", "failed")


@dataclass
class Draft:
    """A client that rows of this chunk found or make. `before` is the stored record, None for a new one."""

    id: str
    record: Record
    before: Record | None = None
    keys: list[Key] = field(default_factory=list)
    last_row: Record = field(default_factory=dict)
    """The fields of the row that it was last made of."""


@dataclass
class Outcome:
    """What became of one row. `draft` is the client it went into."""

    row: int
    kind: str
    errors: list[str] = field(default_factory=list)
    draft: Draft | None = None


class Matching:
    """Decides on the rows of one chunk, in their order, so that duplicates inside the file are seen."""

    def __init__(
        self, session: Session, reader: RowReader, duplicates: str, earlier: EarlierRows | None = None
    ) -> None:
        self._session = session
        self.reader = reader
        self._policy = duplicates
        self._earlier = earlier
        self._by_key: dict[Key, list[str]] = defaultdict(list)
        self.drafts: dict[str, Draft] = {}
        self._with_contacts: set[str] = set()

    def decide(self, rows: Sequence[Row]) -> list[Outcome]:
        """The outcome of each row; the drafts hold what is to be written."""
        wanted = {key for row in rows for key in row.keys if self._policy != "create" or key[0] == "external"}
        if self._earlier is not None:
            self._earlier.look_up(wanted)
        for key, client_id in find_stored(self._session, wanted):
            self._by_key[key].append(client_id)
        if self._policy in ("update", "merge"):
            found = {client_id for ids in self._by_key.values() for client_id in ids}
            for client_id, record in cards.load(self._session, found, lock=self._earlier is None).items():
                self.drafts[client_id] = Draft(client_id, {**record}, record)
            if any(row.fields.get("kind") == "individual" for row in rows):
                businesses = [id_ for id_, draft in self.drafts.items() if draft.record["kind"] == "business"]
                self._with_contacts = contact_ties.with_contacts(self._session, businesses)
        outcomes = [self._decide(row) for row in rows]
        if self._earlier is not None:
            for draft in self.drafts.values():
                if draft.before is None:
                    self._earlier.add(draft.record, draft.keys, draft.last_row)
            self._earlier.keep()
        return outcomes

    def _decide(self, row: Row) -> Outcome:
        if row.errors:
            return Outcome(row.number, "failed", row.errors)
        external = next((key for key in row.keys if key[0] == "external"), None)
        if self._policy == "create":
            if external and (self._by_key[external] or self._earlier_number([external]) is not None):
                return Outcome(row.number, "failed", ["external_id_taken:external_source_id"])
            return self._create(row)
        named = next((key for key in row.keys if key[0] == "id"), None)
        ids = (self._by_key[named] if named else []) or (self._by_key[external] if external else [])
        ids = ids or list(dict.fromkeys(client_id for key in row.keys for client_id in self._by_key[key]))
        if not ids:
            number = self._earlier_number(row.keys)
            return self._create(row) if number is None else self._repeats_earlier(row, number)
        if self._policy == "skip":
            return Outcome(row.number, "skipped", draft=self.drafts.get(ids[0]))
        return self._update(row, ids)

    def _earlier_number(self, keys: Iterable[Key]) -> int | None:
        if self._earlier is None:
            return None
        return next((number for key in keys if (number := self._earlier.find(key)) is not None), None)

    def _repeats_earlier(self, row: Row, number: int) -> Outcome:
        assert self._earlier is not None
        if self._policy == "skip":
            return Outcome(row.number, "skipped")
        if row.fields.get("external_source_id") and self._earlier.has_other_external_id(number, row.fields):
            return Outcome(row.number, "failed", ["external_id_differs:external_source_id"])
        return Outcome(row.number, "updated" if self._earlier.changes(number, row.keys, row.fields) else "skipped")

    def _create(self, row: Row) -> Outcome:
        record, errors = row.new or new_record(row, self.reader)
        if errors:
            return Outcome(row.number, "failed", errors)
        draft = Draft(record["id"], record, last_row=row.fields)
        self.drafts[draft.id] = draft
        self._add_keys(draft, row)
        return Outcome(row.number, "created", draft=draft)

    def _update(self, row: Row, ids: list[str]) -> Outcome:
        if len(ids) > 1:
            return Outcome(row.number, "failed", ["several_matches:row"])
        draft = self.drafts[ids[0]]
        record = draft.record
        fields = row.fields
        if fields.get("external_source_id") and external_id(record) != external_id(fields):
            holders = self._by_key[("external", *external_id(fields))]
            if draft.id in holders:
                # It is that of a record that was merged into this one, which keeps its own.
                fields = {name: value for name, value in fields.items() if name not in _EXTERNAL}
            elif holders or record["external_source_id"]:
                code = "external_id_taken" if holders else "external_id_differs"
                return Outcome(row.number, "failed", [f"{code}:external_source_id"])
        changed = filled(record, fields) if self._policy == "merge" else joined(record, fields)
        draft.record, draft.last_row = {**record, **changed}, row.fields
        problems: list[Problem] = []
        check_whole(draft.record, problems)
        if draft.id in self._with_contacts and draft.record["kind"] != "business":
            problems.append(("kind", "client_has_contacts", ""))
        problems += [(name, "too_many", "") for name, most in _MOST.items() if len(draft.record[name]) > most]
        if problems:
            draft.record = record
            return Outcome(row.number, "failed", [f"{code}:{path}" for path, code, _ in problems])
        self._add_keys(draft, row)
        return Outcome(row.number, "skipped" if draft.record == record else "updated", draft=draft)

    def _add_keys(self, draft: Draft, row: Row) -> None:
        for key in row.keys:
            if draft.id not in self._by_key[key]:
                self._by_key[key].append(draft.id)
                draft.keys.append(key)


def new_record(row: Row, reader: RowReader) -> tuple[Record, list[str]]:
    """The record that a row becomes if it is of no known client, and what is wrong with it then."""
    fields = row.fields
    if None in fields.get("custom_fields", {}).values():
        given = fields["custom_fields"]
        fields = {**fields, "custom_fields": {key: value for key, value in given.items() if value is not None}}
    record = cards.new_record(new_id(), fields, reader.now)
    if "kind" not in row.fields:
        record["kind"] = default_kind(record)
    problems = missing_fields(record, reader.own_fields, ())
    check_whole(record, problems)
    return record, [f"{code}:{path}" for path, code, _ in problems]


def joined(record: Record, fields: Record) -> Record:
    """The fields of a row over those of a record: numbers, email addresses, ids and tags are added to what there is, a
    postal address takes the place of the one of its kind, custom fields are set one by one, all else is replaced. An
    empty list empties."""
    result = dict(fields)
    for name, part in (("phones", "number"), ("emails", "address")):
        if fields.get(name):
            known = {entry[part].casefold() for entry in record[name]}
            added = [{**entry, "primary": False} for entry in fields[name] if entry[part].casefold() not in known]
            result[name] = with_primary([*record[name], *added]) if added else record[name]
    if fields.get("tags"):
        known_tags = {tag_key(tag) for tag in record["tags"]}
        result["tags"] = [*record["tags"], *(tag for tag in fields["tags"] if tag_key(tag) not in known_tags)]
    if fields.get("addresses"):
        result["addresses"] = _with_addresses(record["addresses"], fields["addresses"])
    if fields.get(government_cells.FIELD):
        known_ids = record[government_cells.FIELD]
        result[government_cells.FIELD] = government_cells.with_ids(known_ids, fields[government_cells.FIELD])
    if "custom_fields" in fields:
        result["custom_fields"] = _with_custom_fields(record["custom_fields"], fields["custom_fields"])
    return result


def filled(record: Record, fields: Record) -> Record:
    """Of the fields of a row those that the record lacks; numbers, email addresses, ids and tags are added to what
    there is, and a postal address of a kind that it lacks."""
    kinds = {address["kind"] for address in record["addresses"]}
    new = {name: value for name, value in fields.items() if name not in _ALWAYS_SET and not record[name]}
    new |= {name: fields[name] for name in ("phones", "emails", "tags", government_cells.FIELD) if name in fields}
    if "addresses" in fields:
        new["addresses"] = [address for address in fields["addresses"] if address["kind"] not in kinds]
    if "custom_fields" in fields:
        known = record["custom_fields"]
        new["custom_fields"] = {
            key: value for key, value in fields["custom_fields"].items() if known.get(key) in (None, "", [])
        }
    if not (record["external_source_id"] is None and fields.get("external_source_id")):
        new.pop("external_source", None)
    return joined(record, {name: value for name, value in new.items() if value or name == "custom_fields"})


_EXTERNAL = ("external_source", "external_source_id")
_ALWAYS_SET = ("kind", "status", "spam")


def _with_addresses(known: list[Record], given: list[Record]) -> list[Record]:
    """Each given address takes the place of the only one of its kind, or is added if it is not there yet."""
    result = list(known)
    for address in given:
        places = [place for place, other in enumerate(result) if other["kind"] == address["kind"]]
        if address in result:
            continue
        alone = sum(other["kind"] == address["kind"] for other in given) == 1
        if address["kind"] == "primary" or (alone and len(places) == 1):
            place = places[0] if places else 0
            result[place : place + len(places)] = [address]
        else:
            result.append(address)
    return result


def _with_custom_fields(known: Record, given: Record) -> Record:
    """Null takes a field away. A text that is how a value is written already leaves it as it is: 5 does not become
    `5`."""
    result = dict(known)
    for key, value in given.items():
        if value is None:
            result.pop(key, None)
        elif text_of(known.get(key)) != value:
            result[key] = value
    return result


def find_stored(session: Session, keys: Iterable[Key]) -> Iterator[tuple[Key, str]]:
    """(key, client id) of the stored clients that have one of the keys, the oldest first: a query for each sort of
    key."""
    sorts: dict[str, list[Key]] = defaultdict(list)
    for key in keys:
        sorts[key[0]].append(key)
    for sort, of_sort in sorts.items():
        yield from _FINDERS[sort](session, of_sort)


def _by_id(session: Session, keys: list[Key]) -> Iterator[tuple[Key, str]]:
    ids = [key[1] for key in keys]
    present = _present(session, ids)
    merged = merge_history.with_survivors(session, ids, present)
    there = _present(session, set(merged.values())) if merged else ()
    for client_id in ids:
        now_is = merged.get(client_id, client_id)
        if client_id in present or now_is in there:
            yield ("id", client_id), now_is


_EXTERNAL_IDS = ByValue(
    Client.external_source_id,
    Client.id,
    where=[Client.external_source == bindparam("source"), Client.archived_at.is_(None)],
)
_NAMESAKES = ByValue(Client.name_key, Client.id, Client.birth_key, Client.archived_at)
_ADDRESSES = {
    "phone": ByValue(ClientPhone.number, ClientPhone.client_id),
    "email": ByValue(ClientEmail.key, ClientEmail.client_id),
}


def _by_external_id(session: Session, keys: list[Key]) -> Iterator[tuple[Key, str]]:
    by_source: dict[str, list[str]] = defaultdict(list)
    for _, source, value in keys:
        by_source[source].append(value)
    for source, values in by_source.items():
        found = {str(value): client_id for value, client_id in _EXTERNAL_IDS.rows(session, values, source=source)}
        found = merge_history.by_former_external_id(session, source, set(values) - found.keys()) | found
        for value, client_id in found.items():
            yield ("external", source, value), client_id


def _by_address(session: Session, keys: list[Key]) -> Iterator[tuple[Key, str]]:
    sort = keys[0][0]
    found = sorted((client_id, value) for value, client_id in _ADDRESSES[sort].rows(session, [key[1] for key in keys]))
    # Of few rows of a file the client is there already: only for those more is asked.
    present = _present(session, {client_id for client_id, _ in found}) if found else ()
    for client_id, value in found:
        if client_id in present:
            yield (sort, value), client_id


def _present(session: Session, client_ids: Collection[str]) -> set[str]:
    """Those of the ids whose clients are not archived."""
    known = select(Client.id).where(among(session, Client.id, client_ids), Client.archived_at.is_(None))
    return set(session.scalars(known, execution_options=BY_ID))


def _by_person(session: Session, keys: list[Key]) -> Iterator[tuple[Key, str]]:
    by_name: dict[str, list[Key]] = defaultdict(list)
    for key in keys:
        by_name[key[1]].append(key)
    rows = _NAMESAKES.rows(session, by_name)
    # By their places: what the name is called differs between databases.
    found = sorted((client_id, name, birth) for name, client_id, birth, archived_at in rows if archived_at is None)
    # Of few rows of a file there is a namesake: only for those more is asked.
    met = [key for name in {name for _, name, _ in found} for key in by_name[name]]
    # A date of birth is sealed: known by its blind index. A postal code has none that equals it.
    births = {(key[1], birth_key(session, day)): key for key in met if (day := _day(key[2]))}
    for client_id, name, birth in found:
        if birth is not None and (born := births.get((name, birth))) is not None:
            yield born, client_id
    codes = {(key[1], key[2]) for key in met if _day(key[2]) is None}
    if not codes:
        return
    names = {client_id: name for client_id, name, _ in found}
    addresses = select(ClientAddress.client_id, ClientAddress.postal_code).where(
        among(session, ClientAddress.client_id, names), ClientAddress.postal_code.is_not(None)
    )
    for client_id, code in session.execute(addresses.order_by(ClientAddress.client_id)):
        if (names[client_id], code) in codes:
            yield ("person", names[client_id], str(code)), client_id


def _day(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text) if len(text) == _DAY_LENGTH else None
    except ValueError:
        return None


_FINDERS: dict[str, Any] = {
    "id": _by_id,
    "external": _by_external_id,
    "phone": _by_address,
    "email": _by_address,
    "person": _by_person,
}
