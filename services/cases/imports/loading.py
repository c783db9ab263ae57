"""The cases that rows of a file may be of, as whole records: a constant number of queries for any number of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from chassis.context import kinds_seen
from chassis.scoping import EVERY_KIND
from chassis.value_sets import ByValue, among
from services.cases.case_events import staff_ids_of
from services.cases.imports.rows import Key, Record
from services.cases.key_dates import key_dates_of
from services.cases.models import Case, CaseClient
from services.cases.sealed_values import opened

PLAIN = (
    "number", "name", "case_type_id", "status", "description", "responsible_staff_id", "source", "value",
    "external_source", "external_source_id",
)  # fmt: skip
_STAMPS = ("id", "version", "state")
# A number that a hidden case has is taken too.
_BY_NUMBER = ByValue(Case.number, Case.id, options=EVERY_KIND)
_BY_EXTERNAL_ID = ByValue(
    Case.external_source_id, Case.id, where=[Case.external_source == bindparam("source")], options=EVERY_KIND
)


def find_stored(session: Session, keys: Iterable[Key]) -> Iterator[tuple[Key, str]]:
    """(key, case id) of the stored cases that have one of the keys, those that may not be seen too: a query for
    numbers, and one for each source."""
    numbers: list[str] = []
    by_source: dict[str, list[str]] = defaultdict(list)
    for key in keys:
        if key[0] == "number":
            numbers.append(key[1])
        else:
            by_source[key[1]].append(key[2])
    for number, case_id in _BY_NUMBER.rows(session, numbers):
        yield ("number", number), case_id
    for source, values in by_source.items():
        for value, case_id in _BY_EXTERNAL_ID.rows(session, values, source=source):
            yield ("external", source, value), case_id


def seen_of(session: Session, case_ids: Collection[str]) -> set[str]:
    """Those of the cases that may be seen."""
    if kinds_seen() is None or not case_ids:
        return set(case_ids)
    return set(session.scalars(select(Case.id).where(among(session, Case.id, case_ids))))


def load(session: Session, case_ids: Collection[str], *, lock: bool = False) -> dict[str, Record]:
    """The records of cases by id, values in clear. With `lock` they stay as they are to the end of the transaction."""
    ids = sorted(case_ids)
    if not ids:
        return {}
    if lock:
        # In the order of their ids, so that two transactions wait for each other and do not deadlock.
        held = select(Case.id).where(among(session, Case.id, ids)).order_by(Case.id).with_for_update()
        ids = list(session.scalars(held))
    columns = [getattr(Case, name) for name in (*_STAMPS, *PLAIN, "custom_fields", "archived_at")]
    rows = session.execute(select(*columns).where(among(session, Case.id, ids))).all()
    clients: dict[str, list[Record]] = defaultdict(list)
    on_cases = (
        select(CaseClient.case_id, CaseClient.client_id, CaseClient.role, CaseClient.label)
        .where(among(session, CaseClient.case_id, ids))
        .order_by(CaseClient.case_id, CaseClient.position)
    )
    for case_id, client_id, role, label in session.execute(on_cases):
        clients[case_id].append({"client_id": client_id, "role": role, "label": label})
    staff, dates = staff_ids_of(session, ids), key_dates_of(session, ids)
    values = opened(session, {row.id: row.custom_fields for row in rows})
    return {
        row.id: {
            **{name: getattr(row, name) for name in (*_STAMPS, *PLAIN)},
            "archived": row.archived_at is not None,
            "clients": clients[row.id],
            "staff_ids": staff[row.id],
            "key_dates": dates[row.id],
            "custom_fields": values[row.id],
        }
        for row in rows
    }
