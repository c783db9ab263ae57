"""What messaging knows of cases: told by the events of `cases`, and asked for where nothing was told. Only what members
who are limited to some types are shown depends on it; what is sent, and to whom, does not.

Events come twice, late and in any order: a case's `version` decides which is newer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import delete, literal_column, select

from chassis.context import Context, use
from chassis.database import Database, UnitOfWork
from chassis.envelope import ReceivedEvent
from chassis.scoping import BY_ID
from chassis.value_sets import among
from services.messaging.models import KnownCase

Facts = dict[str, Any]

TIMER = "messaging: ask for unknown cases"
AT_ONCE = 1_000
"""Cases that are asked for by one call."""

_KEPT = ("case_id", "version", "case_type_id")
_QUIET = {"synchronize_session": False}


def follow_cases(db: Database, events: Sequence[ReceivedEvent]) -> None:
    """`case.created.v1` and `case.changed.v1`."""
    with db.unit_of_work(once=events) as uow:
        keep(uow, [event.data for event in uow.fresh])


def follow_imports(db: Database, events: Sequence[ReceivedEvent]) -> None:
    """`cases.imported.v1`."""
    with db.unit_of_work(once=events) as uow:
        keep(uow, [case for event in uow.fresh for case in event.data["cases"]])


def ask_for_unknown(db: Database, calls: Any) -> bool:
    """Asks for a page of the cases that nothing was heard of, of all firms; whether there may be more.

    Those that `cases` does not know either are forgotten. Raises Unavailable, DeadlineExceeded.
    """
    with db.across_firms("unknown cases of every firm are asked for by a timer").read() as session:
        # The value is in the text: a partial index serves where the query says the same.
        unknown = select(KnownCase.firm_id, KnownCase.case_id).where(KnownCase.version == literal_column("0"))
        page = session.execute(unknown.order_by(KnownCase.firm_id, KnownCase.case_id).limit(AT_ONCE)).all()
    for firm_id, rows in groupby(page, lambda row: row.firm_id):
        ids = [row.case_id for row in rows]
        with use(Context(firm_id=firm_id)):
            told = calls.cases.get_case_facts(case_ids=ids)["cases"]
            with db.for_firm(firm_id).unit_of_work() as uow:
                keep(uow, told)
                gone = sorted(set(ids) - {facts["case_id"] for facts in told})
                still_unknown = (among(uow.session, KnownCase.case_id, gone), KnownCase.version == 0)
                uow.session.execute(delete(KnownCase).where(*still_unknown), execution_options=_QUIET)
    return len(page) == AT_ONCE


def expect(uow: UnitOfWork, case_ids: Iterable[str | None]) -> None:
    """Has those of these cases asked for of which nothing was heard: they may be older than what messaging hears."""
    ids = sorted({case_id for case_id in case_ids if case_id is not None})
    if not ids:
        return
    heard_of = select(KnownCase.case_id).where(among(uow.session, KnownCase.case_id, ids))
    new = set(ids) - set(uow.session.scalars(heard_of.execution_options(**BY_ID)))
    uow.insert(KnownCase, [{"case_id": case_id} for case_id in sorted(new)], ignore_conflicts=True)


def keep(uow: UnitOfWork, facts: Iterable[Facts]) -> None:
    """Keeps what is newer than what is kept: [{case_id, version, case_type_id}]."""
    latest: dict[str, Facts] = {}
    for entry in sorted(facts, key=lambda entry: entry["version"]):
        latest[entry["case_id"]] = {name: entry[name] for name in _KEPT}
    # In the order of the ids, so that two replicas wait for each other and do not deadlock.
    rows = [latest[case_id] for case_id in sorted(latest)]
    uow.upsert(KnownCase, rows, key=("case_id",), change=("version", "case_type_id"), newer="version")
