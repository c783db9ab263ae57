"""A firm with as many cases as a measurement needs, made in a database: four types, statuses, custom fields, key dates,
clients with tags and consents, and lists. About a tenth of the cases answer each thing that is asked for."""

from __future__ import annotations

import json
import secrets
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import psycopg2

from bench.many_clients import NOW, SPAN, START
from bench.settled import settle
from bench.stage import Stage
from chassis.database import Database
from chassis.testing import make_database
from services.cases.models import Base

OTHER_FIRMS = 100
_OF_OTHERS = 100
TYPES = 4
STATUSES = (("New", 0.1), ("In court", 0.4), ("Waiting", 0.1), ("Closed", 0.4))
LISTED = 10_000
"""Members that a list takes, and ids that a selector does."""
_TABLES = (
    "cases", "case_client", "case_field_value", "case_key_date", "client_facts", "client_tag", "client_consent",
    "case_list_member",
)  # fmt: skip


@dataclass
class Firm:
    """A firm's cases in a database. `some_ids`: of cases, each time others. `seconds`: what making them took."""

    db: Database
    superuser: str
    firm_id: str
    type_ids: list[str] = field(default_factory=list)
    dynamic_list_id: str = ""
    mixed_list_id: str = ""
    small_mixed_list_id: str = ""
    some_ids: list[list[str]] = field(default_factory=list)
    seconds: float = 0.0


def make(stage: Stage, size: int) -> Firm:
    """A firm of `size` cases in a database of its own, and others of 100 cases each beside it."""
    began = time.perf_counter()
    name, secret = f"select_{size}", secrets.token_urlsafe(12)
    _, owner = stage.postgres.create_service_database(name, f"select{size}", secret, secret)
    firm_id = str(uuid.uuid4())
    firm = Firm(make_database(Base, owner).for_firm(firm_id), stage.postgres.url(name), firm_id)
    plain = psycopg2.connect(firm.superuser.replace("+psycopg2", ""))
    with plain, plain.cursor() as cursor:
        # As a restore does: constraints hold, and indexes are made once at the end.
        cursor.execute("SET session_replication_role = replica; SET synchronous_commit = off; SELECT setseed(0.5)")
        cursor.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = ANY(%s) AND indexname LIKE 'ix%%'",
            (list(_TABLES),),
        )
        indexes = cursor.fetchall()
        for index, _ in indexes:
            cursor.execute(f'DROP INDEX "{index}"')
        firm.type_ids = _make(cursor, firm_id, size)
        for _ in range(OTHER_FIRMS):
            _make(cursor, str(uuid.uuid4()), _OF_OTHERS)
        firm.dynamic_list_id = _list(cursor, firm_id, "New", _filter("New", firm.type_ids[0]))
        firm.mixed_list_id = _list(cursor, firm_id, "In court", _filter("In court", firm.type_ids[1]))
        firm.small_mixed_list_id = _list(cursor, firm_id, "Waiting", _filter("Waiting", firm.type_ids[2]))
        most = min(LISTED, size // 20)
        for list_id in (firm.mixed_list_id, firm.small_mixed_list_id):
            for included, residue in ((True, 3), (False, 5)):
                cursor.execute(_MEMBERS, (firm_id, list_id, included, firm_id, residue, most))
        for residue in (7, 11, 13):
            cursor.execute(_SOME, (firm_id, residue, most))
            firm.some_ids.append([row[0] for row in cursor.fetchall()])
        cursor.execute("SET maintenance_work_mem = '512MB'")
        for _, definition in indexes:
            cursor.execute(definition)
    settle(plain, ("cases",))
    plain.close()
    firm.seconds = time.perf_counter() - began
    return firm


def _filter(status: str, type_id: str) -> str:
    wanted = (("status", status), ("case_type_id", type_id))
    return json.dumps({"and": [{"field": field_, "op": "eq", "value": value} for field_, value in wanted]})


_SOME = "SELECT id::text FROM cases WHERE firm_id = %s AND number::int %% 20 = %s ORDER BY id LIMIT %s"
_MEMBERS = (
    "INSERT INTO case_list_member (firm_id, case_list_id, included, case_id)"
    " SELECT %s, %s, %s, id FROM cases WHERE firm_id = %s AND number::int %% 20 = %s ORDER BY id LIMIT %s"
)

_CLIENTS = """
CREATE TEMPORARY TABLE made_client ON COMMIT DROP AS
SELECT n, gen_random_uuid() AS client_id, random() AS chance FROM generate_series(0, %(clients)s - 1) AS n;
INSERT INTO client_facts (firm_id, client_id, version, status, language)
SELECT %(firm)s::uuid, client_id, 1, CASE WHEN chance < 0.1 THEN 'prospective' ELSE 'active' END,
       CASE WHEN n %% 12 = 0 THEN 'es' ELSE 'en' END FROM made_client;
INSERT INTO client_tag (firm_id, client_id, tag)
SELECT %(firm)s::uuid, client_id, tag FROM made_client, (VALUES ('vip', 0.077), ('newsletter', 0.3)) AS t (tag, share)
-- The number has each client drawn for by itself.
WHERE random() < share + 0 * n;
INSERT INTO client_consent (firm_id, client_id, channel, state, consent_id)
SELECT %(firm)s::uuid, client_id, 'sms', CASE WHEN random() < 0.1 THEN 'opted_out' ELSE 'opted_in' END,
       gen_random_uuid() FROM made_client WHERE random() < 0.5
"""
"""Of a hundred clients 77 are on one case, and cases have 1.3 clients: a tenth of the cases has one that is `vip`."""

_CASES = """
CREATE TEMPORARY TABLE made_case ON COMMIT DROP AS
SELECT n, at, random() AS chance, (%(types)s::uuid[])[1 + n %% %(many)s] AS case_type_id,
       (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(random()::text), 1, 3)
        || '8' || substr(md5(random()::text), 1, 15))::uuid AS id
FROM (SELECT n, %(start)s + %(span)s * (n / %(size)s::float) AS at FROM generate_series(0, %(size)s - 1) AS n) AS each;
INSERT INTO cases (firm_id, id, version, created_at, updated_at, number, number_folded, name, name_folded, case_type_id,
                   status, state, value, custom_fields, archived_at)
SELECT %(firm)s::uuid, id, 1, at, at, lpad(n::text, 7, '0'), lpad(n::text, 7, '0'), 'Estate of ' || n,
       'estate of ' || n, case_type_id, status, CASE WHEN status = 'Closed' THEN 'closed' ELSE 'open' END,
       round((random() * 100000)::numeric, 2) * 1000000, '{}', CASE WHEN random() < 0.02 THEN at END
FROM (SELECT *, CASE WHEN chance < 0.1 THEN 'New' WHEN chance < 0.5 THEN 'In court' WHEN chance < 0.6 THEN 'Waiting'
                     ELSE 'Closed' END AS status FROM made_case) AS each;
INSERT INTO case_client (firm_id, case_id, client_id, role, position)
SELECT %(firm)s::uuid, id, client_id, CASE WHEN place = 0 THEN 'primary' ELSE 'additional' END, place
FROM (SELECT c.id, 0 AS place, (c.n * 7919::bigint) %% %(clients)s AS who FROM made_case c
      UNION ALL SELECT c.id, 1, (c.n * 7919::bigint + 1) %% %(clients)s FROM made_case c WHERE c.n %% 10 < 3) AS each
JOIN made_client ON made_client.n = each.who;
INSERT INTO case_field_value (firm_id, case_id, key, position, text, folded, start)
SELECT %(firm)s::uuid, id, 'court', 0, court, lower(court), lower(court)
FROM (SELECT id, CASE WHEN chance < 0.1 THEN 'North' WHEN chance < 0.6 THEN 'South' ELSE 'East' END AS court
      FROM (SELECT id, random() AS chance FROM made_case) AS drawn) AS each;
INSERT INTO case_field_value (firm_id, case_id, key, position, number)
SELECT %(firm)s::uuid, id, 'estate', 0, floor(random() * 1000000)::bigint * 1000000 FROM made_case;
INSERT INTO case_key_date (firm_id, case_id, id, position, label, label_folded, day)
SELECT %(firm)s::uuid, id, gen_random_uuid(), 0, 'Hearing', 'hearing',
       (%(now)s + interval '1 day' * floor((random() - 0.5) * 600))::date FROM made_case WHERE n %% 2 = 0
"""


def _make(cursor: Any, firm_id: str, size: int) -> list[str]:
    """Cases over six years up to now, in the order of their ids as in life, 2 % of them archived."""
    types = [str(uuid.uuid4()) for _ in range(TYPES)]
    for number, type_id in enumerate(types):
        cursor.execute(
            "INSERT INTO case_type (firm_id, id, version, created_at, updated_at, name)"
            " VALUES (%s, %s, 1, now(), now(), %s)",
            (firm_id, type_id, f"Type {number}"),
        )
        for position, (status, _) in enumerate(STATUSES):
            cursor.execute(
                "INSERT INTO case_status (firm_id, case_type_id, name, position, closed) VALUES (%s, %s, %s, %s, %s)",
                (firm_id, type_id, status, position, status == "Closed"),
            )
        for position, (key, kind) in enumerate((("court", "choice"), ("estate", "money"))):
            cursor.execute(
                "INSERT INTO custom_field (firm_id, case_type_id, key, position, label, type, required, sensitive,"
                ' options) VALUES (%s, %s, %s, %s, %s, %s, false, false, \'["North", "South", "East"]\')',
                (firm_id, type_id, key, position, key, kind),
            )
    given = {
        "firm": firm_id, "size": size, "clients": size, "types": types, "many": TYPES, "start": START, "span": SPAN,
        "now": NOW,
    }  # fmt: skip
    cursor.execute(_CLIENTS, given)
    cursor.execute("CREATE INDEX ON made_client (n)")
    cursor.execute("ANALYZE made_client")
    cursor.execute(_CASES, given)
    cursor.execute("DROP TABLE made_case; DROP TABLE made_client")
    return types


def _list(cursor: Any, firm_id: str, name: str, wire: str) -> str:
    list_id = str(uuid.uuid4())
    cursor.execute(
        "INSERT INTO case_list (firm_id, id, version, created_at, updated_at, name, filter)"
        " VALUES (%s, %s, 1, now(), now(), %s, %s)",
        (firm_id, list_id, name, wire),
    )
    return list_id
