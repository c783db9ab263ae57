"""Finding clients: the search box, each filter and each order, over 10,000 and over 1,000,000 clients of one firm.

Ours is the service's function with its database, whole records and the total included. The peers are in the same
database: the same rows by hand-written SQL over bare psycopg2 on our indexes, without walls and sessions, and, for what
is typed, the plain `ILIKE '%…%'` over names, addresses and numbers.
"""

from __future__ import annotations

import datetime as dt
import random
import secrets
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import psycopg2

from bench import load
from bench.many_clients import NOW, Firm, fill
from bench.stage import Stage
from bench.system import system
from chassis.testing import make_database
from services.clients.models import Base
from services.clients.search_index import tsquery
from services.clients.search_keys import question
from services.clients.searching import list_clients

FEW, MANY = 10_000, 1_000_000
OTHER_FIRMS = 100
RUNS, RUNS_OF_ILIKE = 60, 2
PROMISED_MS = 50.0
PROMISED_RATIO = 3.0
LIMIT = 50


@dataclass(frozen=True)
class Ask:
    """A question to ours, and the same to the peers: a condition on `client`, its values, and an order."""

    query: dict[str, Any]
    where: str = "true"
    values: tuple[Any, ...] = ()
    order: str = "client.created_at DESC, client.id DESC"
    beside: str = ""


Kind = Callable[[Firm, random.Random], Ask]


@dataclass
class Timed:
    """Milliseconds of each run."""

    ours: list[float]
    raw: list[float]
    ilike: list[float]


def report(stage: Stage) -> list[str]:
    """The lines to print."""
    lines, timed = [], {}
    for size in (FEW, MANY):
        firm, superuser = _firm(stage, size)
        lines.append(f"find, {size:,} clients: copied into the database in {firm.seconds:.0f} s")
        timed[size] = {name: _time(firm, superuser, kind) for name, kind in _kinds().items()}
        firm.db.engines.dispose()
    lines += [_line(name, timed[FEW][name], timed[MANY][name]) for name in timed[MANY]]
    worst = max(timed[MANY], key=lambda name: _p99(timed[MANY][name].ours))
    slow = [name for name, one in timed[MANY].items() if _p99(one.ours) > PROMISED_MS]
    lines.append(
        f"find, all together: slowest p99 {_p99(timed[MANY][worst].ours):.0f} ms ({worst}; promised"
        f" {PROMISED_MS:.0f}, {'reached' if not slow else 'NOT reached by ' + ', '.join(slow)})"
    )
    lines.append(_through_the_gateway())
    return lines


def _firm(stage: Stage, size: int) -> tuple[Firm, str]:
    name, secret = f"find_{size}", secrets.token_urlsafe(12)
    _, owner = stage.postgres.create_service_database(name, f"find{size}", secret, secret)
    superuser = stage.postgres.url(name)
    return fill(make_database(Base, owner), superuser, size, others=OTHER_FIRMS), superuser


# What is asked


def _typed(ask: Callable[[dict[str, Any], random.Random], str], *, forgiving: bool = False, **more: Any) -> Kind:
    def kind(firm: Firm, random_: random.Random) -> Ask:
        q = ask(random_.choice(firm.samples), random_)
        asked = question(q, forgiving=forgiving)
        assert asked is not None
        where, values = "client.keys @@ %s::tsquery", (tsquery(asked, firm.firm_id),)
        return Ask({"q": q, **more}, where, values)

    return kind


def _mistyped(word: str, random_: random.Random) -> str:
    place = random_.randrange(1, len(word) - 1)
    return f"{word[:place]}q{word[place + 1 :]}"


def _narrowed(query: dict[str, Any], where: str, *values: Any, **more: Any) -> Kind:
    return lambda firm, random_: Ask(query, where, values, **more)


def _sorted(sort: str, order: str, beside: str = "") -> Kind:
    return lambda firm, random_: Ask({"sort": sort}, order=order, beside=beside)


_ACTIVITY = "JOIN last_activity ON last_activity.client_id = client.id AND last_activity.firm_id = client.firm_id"
_CASE = "JOIN last_case ON last_case.client_id = client.id AND last_case.firm_id = client.firm_id"
_TAGGED = "client.id IN (SELECT client_id FROM client_tag WHERE firm_id = client.firm_id AND key = %s)"
_MEMBER = "client.id IN (SELECT client_id FROM client_group_member WHERE firm_id = client.firm_id AND group_id = %s)"


def _kinds() -> dict[str, Kind]:
    month, year = NOW - dt.timedelta(days=30), NOW - dt.timedelta(days=365)
    return {
        "a whole name": _typed(lambda one, _: f"{one['first_name']} {one['last_name']}"),
        "a last name": _typed(lambda one, _: one["last_name"]),
        "a first name": _typed(lambda one, _: one["first_name"]),
        "the beginning of a name": _typed(lambda one, _: one["last_name"][:4]),
        "one letter": _typed(lambda one, _: one["last_name"][:1]),
        "a typo": _typed(lambda one, r: f"{one['first_name']} {_mistyped(one['last_name'], r)}", forgiving=True),
        "an email address": _typed(lambda one, _: one["emails"][0]["address"]),
        "a phone number": _typed(lambda one, _: one["phones"][0]["number"]),
        "seven digits of a number": _typed(lambda one, _: one["phones"][0]["number"][-7:]),
        "four digits of a number": _typed(lambda one, _: one["phones"][0]["number"][-4:]),
        "no filter": _narrowed({}, "true"),
        "status, most": _narrowed({"status": "active"}, "client.status = %s", "active"),
        "status, few": _narrowed({"status": "blacklisted"}, "client.status = %s", "blacklisted"),
        "flagged": _narrowed({"flagged": True}, "client.flag_reason IS NOT NULL"),
        "spam": _narrowed({"spam": True}, "client.spam"),
        "tag, most": _narrowed({"tag": "newsletter"}, _TAGGED, "newsletter"),
        "tag, some": _narrowed({"tag": "vip"}, _TAGGED, "vip"),
        "tag, few": _narrowed({"tag": "rare"}, _TAGGED, "rare"),
        "group": lambda firm, _: Ask({"group_id": firm.group_id}, _MEMBER, (firm.group_id,)),
        "assigned staff": lambda firm, r: (
            lambda id_: Ask({"assigned_staff_id": id_}, "client.assigned_staff_id = %s", (id_,))
        )(r.choice(firm.staff)),
        "new": _narrowed({"new": True}, "client.created_at >= %s", month),
        "created since": _narrowed({"created_since": year}, "client.created_at >= %s", year),
        "no activity since": _narrowed(
            {"inactive_since": year}, "last_activity.at < %s", year, beside=_ACTIVITY,
            order="last_activity.at, client.id",
        ),
        "by name": _sorted("name", "client.sort_name, client.id"),
        "by date added": _sorted("created_at", "client.created_at, client.id"),
        "by last activity": _sorted("-last_activity_at", "last_activity.at DESC, client.id DESC", _ACTIVITY),
        "by last case": _sorted("-last_case_at", "last_case.at DESC, client.id DESC", _CASE),
    }  # fmt: skip


# How long it takes


def _time(firm: Firm, superuser: str, kind: Kind) -> Timed:
    timed = Timed([], [], [])
    random_ = random.Random(11)
    connection = psycopg2.connect(superuser.replace("+psycopg2", ""))
    connection.autocommit = True
    with connection, connection.cursor() as cursor:
        for run in range(RUNS + 3):
            ask = kind(firm, random_)
            ours = _milliseconds(lambda ask=ask: list_clients(firm.db, now=NOW, limit=LIMIT, **ask.query))  # type: ignore[misc]
            raw = _milliseconds(lambda ask=ask: _by_hand(cursor, firm.firm_id, ask))  # type: ignore[misc]
            if run >= 3:
                timed.ours.append(ours)
                timed.raw.append(raw)
        for _ in range(RUNS_OF_ILIKE if "q" in ask.query else 0):
            ask = kind(firm, random_)
            timed.ilike.append(_milliseconds(lambda ask=ask: _by_ilike(cursor, firm.firm_id, ask.query["q"])))  # type: ignore[misc]
    connection.close()
    return timed


def _milliseconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return (time.perf_counter() - began) * 1000


def _by_hand(cursor: Any, firm_id: str, ask: Ask) -> None:
    of_firm = f"FROM client {ask.beside} WHERE client.firm_id = %s AND client.archived_at IS NULL AND {ask.where}"
    values = (firm_id, *ask.values)
    _count(cursor, of_firm, values)
    cursor.execute(f"SELECT client.id {of_firm} ORDER BY {ask.order} LIMIT {LIMIT + 1}", values)
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


def _line(name: str, few: Timed, many: Timed) -> str:
    p50, p99 = statistics.median(many.ours), _p99(many.ours)
    ratio = statistics.median(mine / theirs for mine, theirs in zip(many.ours, many.raw, strict=True))
    ilike = ""
    if many.ilike:
        slow = statistics.median(many.ilike)
        ilike = f"; plain ILIKE {slow:.0f} ms, {slow / p50:.0f} x ours"
    in_time, near = p99 <= PROMISED_MS, ratio <= PROMISED_RATIO
    return (
        f"find, {name}: p50 {p50:.1f} ms, p99 {p99:.1f} ms (promised {PROMISED_MS:.0f}, {_reached(in_time)});"
        f" {ratio:.1f} x the raw query's {statistics.median(many.raw):.1f} ms (promised {PROMISED_RATIO:.0f},"
        f" {_reached(near)}){ilike}; grown from {FEW:,}: {p50 / statistics.median(few.ours):.1f} x"
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
