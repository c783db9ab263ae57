"""Finding clients: the search box, each filter and each order, over 10,000 and over 1,000,000 clients of one firm.

Ours is the service's function with its database, whole records and the total included. The peers are in the same
database: the same rows by hand-written SQL over bare psycopg2 on our indexes, without walls and sessions, and, for what
is typed, the plain `ILIKE '%…%'` over names, addresses and numbers.

`FIND_KINDS` chooses kinds, their names parted by semicolons: all take ten minutes.
"""

from __future__ import annotations

import os
import random
import secrets
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import psycopg2
from psycopg2.errors import QueryCanceled
from sqlalchemy import text

from bench import load
from bench.find_asks import COMBINED, LIMIT, Ask, Kind, kinds
from bench.many_clients import NOW, Firm, fill
from bench.stage import Stage
from bench.system import system
from chassis.run import spare_the_collector
from chassis.scoping import UNGUARDED
from chassis.testing import make_database
from services.clients.models import Base
from services.clients.search.searching import list_clients

FEW, MANY = 10_000, 1_000_000
OTHER_FIRMS = 100
RUNS, RUNS_OF_FEW, UNTIMED = 120, 12, 3
MOST_ILIKE_MS = 10_000
"""What the plain way is given: of one letter it takes minutes."""
MOST_RAW_MS = 1_000
"""What the raw query is given, which is not repeated where it takes longer: for everybody called Smith by name it walks
along all names."""
PROMISED_MS = 50.0
PROMISED_RATIO = 3.0


@dataclass
class Timed:
    """Milliseconds of each run. `ilike`: of the one run of the plain way, None where nothing is typed."""

    ours: list[float]
    raw: list[float]
    ilike: float | None = None


def report(stage: Stage) -> Iterator[str]:
    """The lines to print, each when it has been measured."""
    chosen = _chosen()
    few, superuser = _firm(stage, FEW)
    small = {name: _time(few, superuser, kind, RUNS_OF_FEW) for name, kind in chosen.items()}
    few.db.engines.dispose()
    many, superuser = _firm(stage, MANY)
    yield f"find, {MANY:,} clients: copied into the database in {many.seconds:.0f} s"
    _warm_ours(many)
    spare_the_collector()
    timed: dict[str, Timed] = {}
    for name, kind in chosen.items():
        timed[name] = _time(many, superuser, kind, RUNS)
        timed[name].ilike = _time_of_ilike(many, superuser, kind)
        yield _line(name, small[name], timed[name])
    many.db.engines.dispose()
    yield from _all_together("one by one", {name: one for name, one in timed.items() if not name.startswith(COMBINED)})
    yield from _all_together("combined", {name: one for name, one in timed.items() if name.startswith(COMBINED)})
    yield _through_the_gateway()


def _chosen() -> dict[str, Kind]:
    names = os.environ.get("FIND_KINDS")
    known = kinds()
    return known if names is None else {name: known[name] for name in names.split("; ")}


def _firm(stage: Stage, size: int) -> tuple[Firm, str]:
    name, secret = f"find_{size}", secrets.token_urlsafe(12)
    _, owner = stage.postgres.create_service_database(name, f"find{size}", secret, secret)
    superuser = stage.postgres.url(name)
    return fill(make_database(Base, owner), superuser, size, others=OTHER_FIRMS), superuser


# How long it takes


_EVERY_PAGE = "SELECT count(*) FROM client WHERE keys IS NULL"
"""Each connection pays once for each page of the server's memory that it reaches for the first time, several times what
the page then costs; connections of a service live long."""


def _warm_ours(firm: Firm) -> None:
    with firm.db.read() as session:
        session.execute(text(_EVERY_PAGE), execution_options=UNGUARDED)


def _time(firm: Firm, superuser: str, kind: Kind, runs: int) -> Timed:
    timed = Timed([], [])
    random_ = random.Random(11)
    with _connected(superuser, MOST_RAW_MS) as cursor:
        for run in range(runs + UNTIMED):
            ask = kind(firm, random_)
            ours = _milliseconds(lambda ask=ask: list_clients(firm.db, now=NOW, limit=LIMIT, **ask.query))  # type: ignore[misc]
            if timed.raw and timed.raw[0] >= MOST_RAW_MS:
                raw = timed.raw[0]
            else:
                raw = _milliseconds(lambda ask=ask: _by_hand(cursor, firm.firm_id, ask))  # type: ignore[misc]
            if run >= UNTIMED:
                timed.ours.append(ours)
                timed.raw.append(raw)
    return timed


def _time_of_ilike(firm: Firm, superuser: str, kind: Kind) -> float | None:
    """Milliseconds, at most `MOST_ILIKE_MS`."""
    ask = kind(firm, random.Random(12))
    if set(ask.query) != {"q"}:
        return None
    with _connected(superuser, MOST_ILIKE_MS) as cursor:
        return _milliseconds(lambda: _by_ilike(cursor, firm.firm_id, ask.query["q"]))


@contextmanager
def _connected(superuser: str, most_ms: int) -> Iterator[Any]:
    connection = psycopg2.connect(superuser.replace("+psycopg2", ""))
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(_EVERY_PAGE)
            cursor.execute(f"SET statement_timeout = {most_ms}")
            yield cursor
    finally:
        connection.close()


def _milliseconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return (time.perf_counter() - began) * 1000


def _by_hand(cursor: Any, firm_id: str, ask: Ask) -> None:
    of_firm = f"FROM client {ask.beside} WHERE client.firm_id = %s AND client.archived_at IS NULL AND {ask.where}"
    values = (firm_id, *ask.values)
    condition, last = ask.after
    page = f"SELECT client.id {of_firm} AND {condition} ORDER BY {ask.order} LIMIT {LIMIT + 1}"
    with suppress(QueryCanceled):
        _count(cursor, of_firm, values)
        cursor.execute(page, (*values, *last))
        _records(cursor, firm_id, [row[0] for row in cursor.fetchall()])


def _count(cursor: Any, of_firm: str, values: tuple[Any, ...]) -> None:
    cursor.execute(f"SELECT count(*) FROM (SELECT {of_firm} LIMIT 10001) AS counted", values)  # noqa: S608
    cursor.fetchall()


def _by_ilike(cursor: Any, firm_id: str, q: str) -> None:
    of_firm = (
        "FROM client WHERE firm_id = %s AND archived_at IS NULL"
        " AND (concat_ws(' ', first_name, middle_name, last_name, company_name) ILIKE %s"
        " OR id IN (SELECT client_id FROM client_email WHERE address ILIKE %s)"
        " OR id IN (SELECT client_id FROM client_phone WHERE number ILIKE %s))"
    )
    values = (firm_id, *[f"%{q}%"] * 3)
    with suppress(QueryCanceled):
        _count(cursor, of_firm, values)
        cursor.execute(f"SELECT id {of_firm} ORDER BY created_at DESC, id DESC LIMIT {LIMIT + 1}", values)
        _records(cursor, firm_id, [row[0] for row in cursor.fetchall()])


def _records(cursor: Any, firm_id: str, ids: list[str]) -> None:
    cursor.execute("SELECT * FROM client WHERE firm_id = %s AND id = ANY(%s::uuid[])", (firm_id, ids))
    cursor.fetchall()
    for table in ("client_phone", "client_email", "client_address", "client_tag", "last_activity"):
        cursor.execute(f"SELECT * FROM {table} WHERE firm_id = %s AND client_id = ANY(%s::uuid[])", (firm_id, ids))  # noqa: S608
        cursor.fetchall()


# What is told of it


def _p99(runs: list[float]) -> float:
    return sorted(runs)[min(int(len(runs) * 0.99), len(runs) - 1)]


def _ratio(timed: Timed) -> float:
    return statistics.median(mine / theirs for mine, theirs in zip(timed.ours, timed.raw, strict=True))


def _line(name: str, few: Timed, many: Timed) -> str:
    p50, p99, ratio = statistics.median(many.ours), _p99(many.ours), _ratio(many)
    ilike = ""
    if many.ilike is not None:
        more = "more than " if many.ilike >= MOST_ILIKE_MS else ""
        ilike = f"; plain ILIKE {more}{many.ilike:,.0f} ms, {more}{many.ilike / p50:,.0f} x ours"
    over = "more than " if statistics.median(many.raw) >= MOST_RAW_MS else ""
    in_time = _reached(p99 <= PROMISED_MS)
    return (
        f"find, {name}: p50 {p50:.1f} ms, p99 {p99:.1f} ms (promised {PROMISED_MS:.0f}, {in_time});"
        f" {ratio:.1f} x the raw query's {over}{statistics.median(many.raw):.1f} ms (promised {PROMISED_RATIO:.0f},"
        f" {_reached(ratio <= PROMISED_RATIO)}){ilike}; grown from {FEW:,}: {p50 / statistics.median(few.ours):.1f} x"
    )


def _all_together(which: str, timed: dict[str, Timed]) -> Iterator[str]:
    """What is reached of either promise, and by what it is not."""
    if not timed:
        return
    for what, figure_of, promised, unit in (
        ("p99", lambda one: _p99(one.ours), PROMISED_MS, " ms"),
        ("ratio to the raw query", _ratio, PROMISED_RATIO, " x"),
    ):
        figures = {name: figure_of(one) for name, one in timed.items()}
        worst = max(figures, key=lambda name: figures[name])
        over = [f"{name} ({figure:.1f})" for name, figure in figures.items() if figure > promised]
        reached = f"reached by all {len(timed)}" if not over else f"NOT reached by {len(over)} of {len(timed)}"
        yield (
            f"find, {which}, {what}: the largest is {figures[worst]:.1f}{unit}, {worst} (promised {promised:.0f},"
            f" {reached}{': ' if over else ''}{', '.join(over)})"
        )


def _reached(it_is: bool) -> str:
    return "reached" if it_is else "NOT reached"


def _through_the_gateway() -> str:
    with system() as running:
        for number in range(100):
            client = {
                "first_name": "Ann",
                "last_name": f"Smith {number}",
                "emails": [{"address": f"a{number}@example.com"}],
            }
            running.api.post("/v1/clients", client)
        path = f"/v1/clients?{urlencode({'q': 'smith', 'limit': LIMIT})}"
        told = load.run("127.0.0.1", running.port, path, {"X-API-Key": running.key}, 2, 5.0)
    return f"find, through the gateway, {LIMIT} of 100 clients, 2 connections: p50 {told['p50']}, p99 {told['p99']} ms"
