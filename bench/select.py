"""Selecting cases for bulk actions: about a tenth of 10,000 and of 1,000,000 cases of one firm, by each part of a
selector.

Ours is the service's function with its database, page after page to the end as bulk actions ask for them: ids, types
and clients. The peer is in the same database: the same by hand-written SQL over bare psycopg2 on our indexes, all of it
at once, without walls, sessions and pages.

`SELECT_KINDS` chooses kinds, their names parted by semicolons.
"""

from __future__ import annotations

import datetime as dt
import gc
import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg2
from sqlalchemy import text

from bench.many_cases import Firm, make
from bench.many_clients import NOW
from bench.stage import Stage
from chassis.run import spare_the_collector
from chassis.scoping import UNGUARDED
from services.cases.looking_ahead import KeptSelections
from services.cases.selecting import select_cases

FEW, MANY = 10_000, 1_000_000
RUNS, RUNS_OF_FEW, UNTIMED = 5, 9, 1
PAGE = 5_000
"""As bulk actions ask for (`services/tasks/selecting.py`)."""
PROMISED_SECONDS = 2.0
PROMISED_RATIO = 2.0
_HEARINGS = dt.timedelta(days=119)
"""Of the half of the cases that have one, over 600 days, a fifth."""


@dataclass(frozen=True)
class Ask:
    """A selector, and the same as hand-written SQL: a condition on `cases` with its values."""

    selector: dict[str, Any]
    where: str
    values: tuple[Any, ...]


def _and(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"and": list(parts)}


def _is(field: str, value: Any, op: str = "eq") -> dict[str, Any]:
    return {"field": field, "op": op, "value": value}


_OF_TYPE = "status = 'In court' AND case_type_id = %s"
_NORTH = (
    "SELECT case_id FROM case_field_value WHERE firm_id = %s AND key = 'court' AND start = 'north' AND text = 'North'"
)
_TAGGED = (
    "SELECT case_id FROM case_client JOIN client_tag USING (firm_id, client_id) WHERE firm_id = %s AND tag = 'vip'"
)
_MEMBERS = "SELECT case_id FROM case_list_member WHERE firm_id = %s AND case_list_id = %s AND included = %s"


def _by_status(firm: Firm) -> Ask:
    type_id = firm.type_ids[0]
    wire = _and(_is("status", "In court"), _is("case_type_id", type_id))
    return Ask({"case_filter": wire}, _OF_TYPE, (type_id,))


def _by_choice(firm: Firm) -> Ask:
    return Ask({"case_filter": _is("custom_fields.court", "North")}, f"id IN ({_NORTH})", (firm.firm_id,))


def _by_amount(firm: Firm) -> Ask:
    of_field = "SELECT case_id FROM case_field_value WHERE firm_id = %s AND key = 'estate'"
    where = f"id IN ({of_field} AND number BETWEEN %s AND %s)"
    values = (firm.firm_id, 100_000 * 10**6, 202_000 * 10**6)
    return Ask({"case_filter": _is("custom_fields.estate", [100_000, 202_000], "between")}, where, values)


def _by_tag(firm: Firm) -> Ask:
    return Ask({"case_filter": _is("clients.tags", "vip", "contains")}, f"id IN ({_TAGGED})", (firm.firm_id,))


def _by_language_and_consent(firm: Firm) -> Ask:
    wire = _and(_is("clients.language", "es"), {"not": _is("clients.consent.sms", "opted_out")})
    where = (
        "id IN (SELECT case_id FROM case_client JOIN client_facts USING (firm_id, client_id)"
        " WHERE firm_id = %s AND language = 'es')"
        " AND id NOT IN (SELECT case_id FROM case_client JOIN client_consent USING (firm_id, client_id)"
        " WHERE firm_id = %s AND channel = 'sms' AND client_consent.state = 'opted_out')"
    )
    return Ask({"case_filter": wire}, where, (firm.firm_id, firm.firm_id))


def _by_key_date(firm: Firm) -> Ask:
    of_label = "SELECT case_id FROM case_key_date WHERE firm_id = %s AND label_folded = 'hearing'"
    where = f"id IN ({of_label} AND day BETWEEN %s AND %s)"
    today = NOW.date()
    wire = _is("key_dates.Hearing", [today.isoformat(), (today + _HEARINGS).isoformat()], "between")
    return Ask({"case_filter": wire}, where, (firm.firm_id, today, today + _HEARINGS))


def _by_list(firm: Firm) -> Ask:
    where = f"(({_OF_TYPE}) OR id IN ({_MEMBERS})) AND id NOT IN ({_MEMBERS})"
    of_list = (firm.firm_id, firm.mixed_list_id)
    values = (firm.type_ids[1], *of_list, True, *of_list, False)
    return Ask({"case_list_ids": [firm.mixed_list_id]}, where, values)


def _by_union(firm: Firm) -> Ask:
    """All three that add, less ids."""
    ids, _, left_out = firm.some_ids
    north = _and(_is("custom_fields.court", "North"), _is("state", "open"))
    selector = {
        "case_ids": ids, "case_filter": north, "case_list_ids": [firm.dynamic_list_id, firm.small_mixed_list_id],
        "exclude_case_ids": left_out,
    }  # fmt: skip
    of_type = "SELECT id FROM cases WHERE firm_id = %s AND status = %s AND case_type_id = %s"
    where = (
        f"id IN ((SELECT unnest(%s::uuid[]) UNION SELECT id FROM cases WHERE state = 'open' AND id IN ({_NORTH}) UNION"  # noqa: S608
        f" {of_type} UNION ({of_type} UNION {_MEMBERS} EXCEPT {_MEMBERS})) EXCEPT SELECT unnest(%s::uuid[]))"
    )
    of_list = (firm.firm_id, firm.small_mixed_list_id)
    values = (
        ids, firm.firm_id, firm.firm_id, "New", firm.type_ids[0], firm.firm_id, "Waiting", firm.type_ids[2],
        *of_list, True, *of_list, False, left_out,
    )  # fmt: skip
    return Ask(selector, where, values)


def _by_included(firm: Firm) -> Ask:
    ids = firm.some_ids[1]
    return Ask({"case_filter": _is("state", "open"), "include_case_ids": ids},
               "state = 'open' AND id = ANY(%s::uuid[])", (ids,))  # fmt: skip


KINDS: dict[str, Callable[[Firm], Ask]] = {
    "status and type": _by_status,
    "custom field, a choice": _by_choice,
    "custom field, an amount": _by_amount,
    "tag of a client": _by_tag,
    "language and consent of clients": _by_language_and_consent,
    "key date": _by_key_date,
    "list, with ids added and left out": _by_list,
    "ids, filter and lists, less ids": _by_union,
    "filter within 10,000 ids": _by_included,
}


@dataclass
class Timed:
    """Seconds of each run, and how many cases are selected."""

    ours: list[float]
    raw: list[float]
    cases: int


def report(stage: Stage) -> Iterator[str]:
    """The lines to print, each when it has been measured."""
    names = os.environ.get("SELECT_KINDS")
    chosen = KINDS if names is None else {name: KINDS[name] for name in names.split("; ")}
    few = make(stage, FEW)
    small = {name: _time(few, kind(few), RUNS_OF_FEW) for name, kind in chosen.items()}
    few.db.engines.dispose()
    many = make(stage, MANY)
    yield f"select, {MANY:,} cases: made in {many.seconds:.0f} s"
    spare_the_collector()
    slow, far = [], []
    for name, kind in chosen.items():
        timed = _time(many, kind(many), RUNS)
        yield _line(name, small[name], timed)
        if statistics.median(timed.ours) > PROMISED_SECONDS:
            slow.append(name)
        if _ratio(timed) > PROMISED_RATIO:
            far.append(name)
    many.db.engines.dispose()
    for what, over in ((f"within {PROMISED_SECONDS:.0f} s", slow), (f"at most {PROMISED_RATIO:.0f} x the raw", far)):
        of = f"{len(over)} of {len(chosen)}: {', '.join(over)}"
        yield f"select, {what}: {'NOT reached by ' + of if over else f'reached by all {len(chosen)}'}"


def _time(firm: Firm, ask: Ask, runs: int) -> Timed:
    connection = psycopg2.connect(firm.superuser.replace("+psycopg2", ""))
    connection.autocommit = True
    timed = Timed([], [], 0)
    with firm.db.read() as session:
        session.execute(text("SELECT count(*) FROM cases WHERE version < 0"), execution_options=UNGUARDED)
    for run in range(runs + UNTIMED):
        began = time.perf_counter()
        ours = _selected(firm, ask.selector)
        between = time.perf_counter()
        raw = _by_hand(connection, firm.firm_id, ask)
        ended = time.perf_counter()
        if ours != raw:
            raise AssertionError(f"{len(ours)} cases, by hand {len(raw)}, or other clients")
        timed.cases = len(ours)
        if run >= UNTIMED:
            timed.ours.append(between - began)
            timed.raw.append(ended - between)
        del ours, raw
        gc.collect()
    connection.close()
    return timed


Found = dict[str, tuple[str, list[str]]]
"""{case id: (type, clients, the primary first)}"""


def _selected(firm: Firm, selector: dict[str, Any]) -> Found:
    found: Found = {}
    cursor: str | None = None
    kept = KeptSelections()
    while True:
        page = select_cases(firm.db, selector, limit=PAGE, cursor=cursor, now=NOW, kept=kept)
        for case in page["data"]:
            found[case["case_id"]] = (case["case_type_id"], case["client_ids"])
        cursor = page["meta"]["next_cursor"]
        if cursor is None:
            return found


def _by_hand(connection: Any, firm_id: str, ask: Ask) -> Found:
    where = f"firm_id = %s AND archived_at IS NULL AND state <> 'pending' AND created_at <= %s AND ({ask.where})"
    found: Found = {}
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id, case_type_id FROM cases WHERE {where} ORDER BY id", (firm_id, NOW, *ask.values))  # noqa: S608
        for case_id, case_type_id in cursor:
            found[case_id] = (case_type_id, [])
        cursor.execute(
            "SELECT case_id, client_id FROM case_client WHERE firm_id = %s AND case_id = ANY(%s::uuid[])"
            " ORDER BY case_id, role DESC, position",
            (firm_id, list(found)),
        )
        for case_id, client_id in cursor:
            found[case_id][1].append(client_id)
    return found


def _ratio(timed: Timed) -> float:
    return statistics.median(mine / theirs for mine, theirs in zip(timed.ours, timed.raw, strict=True))


def _line(name: str, few: Timed, many: Timed) -> str:
    ours, ratio = statistics.median(many.ours), _ratio(many)
    grown, more = ours / statistics.median(few.ours), many.cases / few.cases
    in_time = "reached" if ours <= PROMISED_SECONDS else "NOT reached"
    near = "reached" if ratio <= PROMISED_RATIO else "NOT reached"
    return (
        f"select, {name}: {many.cases:,} cases in {ours:.2f} s (promised {PROMISED_SECONDS:.0f}, {in_time});"
        f" {ratio:.2f} x the raw query's {statistics.median(many.raw):.2f} s (promised {PROMISED_RATIO:.0f}, {near});"
        f" grown from {FEW:,}: {grown:.0f} x for {more:.0f} x the cases"
    )
