"""A firm with as many clients as a measurement needs, copied into a database. Names are common and rare as in life."""

from __future__ import annotations

import datetime as dt
import io
import json
import random
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import psycopg2

from bench.settled import settle
from chassis.database import Database
from services.clients.names import name_key, sort_name
from services.clients.search.search_keys import stored_keys

START = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
SPAN = dt.timedelta(days=6 * 365)
NOW = START + SPAN


def _words(text: str) -> list[str]:
    return text.split()


FIRST = _words(
    "James Mary Michael Patricia Robert Jennifer John Linda David Elizabeth William Barbara Richard Susan Joseph"
    " Jessica Thomas Sarah Karen Christopher Lisa Daniel Nancy Matthew Betty Anthony Sandra Mark Margaret Donald Ashley"
    " Steven Kimberly Andrew Emily Paul Donna Joshua Michelle Kenneth Carol Kevin Amanda Brian Melissa George Deborah"
    " Timothy Stephanie Ronald Rebecca Jason Laura Edward Sharon Jeffrey Cynthia Ryan Kathleen Jacob Amy Gary Angela"
    " Nicholas Shirley Eric Anna Jonathan Brenda Stephen Pamela Larry Emma Justin Nicole Scott Helen Brandon Samantha"
    " Benjamin Katherine Samuel Christine Gregory Debra Alexander Rachel Frank Carolyn Patrick Janet Raymond Catherine"
    " José María Zoë Björn Chloé Jürgen Łukasz Søren Anaïs Renée"
)
LAST = _words(
    "Smith Johnson Williams Brown Jones Garcia Miller Davis Rodriguez Martinez Hernandez Lopez Gonzalez Wilson Anderson"
    " Thomas Taylor Moore Jackson Martin Lee Perez Thompson White Harris Sanchez Clark Ramirez Lewis Robinson Walker"
    " Young Allen King Wright Scott Torres Nguyen Hill Flores Green Adams Nelson Baker Hall Rivera Campbell Mitchell"
    " Carter Roberts Gomez Phillips Evans Turner Diaz Parker Cruz Edwards Collins Reyes Stewart Morris Morales Murphy"
    " Cook Rogers Gutierrez Ortiz Morgan Cooper Peterson Bailey Reed Kelly Howard Ramos Kim Cox Ward Richardson Watson"
    " Müller O'Neil García Fernández Peña Núñez Şahin Nowák"
)
_ONSETS = _words("B Br C Ch D F G Gr H J K L M N P R S Sch St T V W Z")
_MIDDLES = _words("a e i o u ai ea ie ou al en ar or im on")
_ENDINGS = _words("ber ton man ler son ski field well ford kins dale mont rich ley ner ster witz more burn hart")
DOMAINS = ("gmail.com", "yahoo.com", "outlook.com", "hotmail.com", "icloud.com", "aol.com", "example.org")
KINDS = ("& Sons", "Partners", "Holdings", "Group")
AREAS = (212, 305, 312, 415, 512, 617, 702, 713, 786, 818, 917, 949)
COURTS = (("North", 0.2), ("South", 0.1), ("Admiralty", 0.0005))
TAGS = (("vip", 0.02), ("newsletter", 0.25), ("referral", 0.10), ("tax", 0.15), ("estate", 0.01), ("rare", 0.0005))


@dataclass
class Firm:
    """A firm's clients in a database, and what of them a measurement can ask for. `seconds`: what copying took."""

    db: Database
    firm_id: str
    size: int
    staff: list[str]
    group_id: str
    new_group_id: str
    samples: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0


def people(size: int, staff: list[str], random_: random.Random) -> Iterator[dict[str, Any]]:
    """Records as `cards` has them, so far as they are copied."""
    surnames = [f"{a}{b}{c}" for a in _ONSETS for b in _MIDDLES for c in _ENDINGS]
    firsts = random_.choices(FIRST, [1 / (rank + 12) for rank in range(len(FIRST))], k=size)
    lasts = random_.choices(
        LAST + surnames,
        [1 / (rank + 9) for rank in range(len(LAST))] + [0.0006] * len(surnames),
        k=size,
    )
    for number, (first, last) in enumerate(zip(firsts, lasts, strict=True)):
        created = START + SPAN * (number / size)
        business = number % 20 == 0
        middle = random_.choice("ABCDEFGHJKLMNPRSTW") if number % 3 == 0 else None
        exchange = random_.randrange(200, 999)
        mailbox = f"{first[0]}{last}" if number % 2 else f"{first}.{last}{number % 97}"
        chance = random_.random()
        yield {
            "id": str(uuid.UUID(int=random_.getrandbits(128), version=4)),
            "kind": "business" if business else "individual",
            "first_name": first, "middle_name": middle, "last_name": last,
            "company_name": f"{last} {random_.choice(KINDS)} LLC" if business else None,
            "status": "blacklisted" if chance < 0.005 else "inactive" if chance < 0.15 else
                      "prospective" if chance < 0.25 else "active",
            "spam": chance > 0.997,
            "flag_reason": "Owes us" if 0.5 < chance < 0.51 else None,
            "assigned_staff_id": staff[min(int(random_.expovariate(0.1)), len(staff) - 1)],
            "language": "es" if number % 10 == 3 else "en",
            "created_at": created,
            "active_at": created + (NOW - created) * random_.random(),
            "phones": [{"number": f"+1{random_.choice(AREAS)}{exchange}{random_.randrange(10_000):04}"}],
            "emails": [{"address": f"{mailbox.replace(chr(39), '')}@{random_.choice(DOMAINS)}"}],
            "tags": [tag for tag, share in TAGS if random_.random() < share],
            "custom_fields": _own_fields(random_),
        }  # fmt: skip


def _own_fields(random_: random.Random) -> dict[str, Any]:
    place = random_.random()
    for court, share in COURTS:
        if place < share:
            return {"court": court, "fee": random_.randrange(20, 900)}
        place -= share
    return {}


def fill(db: Database, superuser_url: str, size: int, *, seed: int = 7, others: int = 0) -> Firm:
    """Copies a firm of `size` clients into an empty database, and `others` more firms of 100 each beside it."""
    began = time.perf_counter()
    random_ = random.Random(seed)
    plain = psycopg2.connect(superuser_url.replace("+psycopg2", ""))
    staff = [str(uuid.uuid4()) for _ in range(40)]
    firm_id = str(uuid.uuid4())
    firm = Firm(db.for_firm(firm_id), firm_id, size, staff, str(uuid.uuid4()), str(uuid.uuid4()))
    with plain, plain.cursor() as cursor:
        # As a restore does: constraints hold, and indexes are made once at the end.
        cursor.execute("SET session_replication_role = replica; SET synchronous_commit = off")
        cursor.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = ANY(%s) AND indexname NOT LIKE 'pk%%'",
            (list(_COLUMNS),),
        )
        indexes = cursor.fetchall()
        for name, _ in indexes:
            cursor.execute(f'DROP INDEX "{name}"')
        _copy(cursor, firm, firm_id, people(size, staff, random_), keep=True)
        for _ in range(others):
            _copy(cursor, firm, str(uuid.uuid4()), people(100, staff, random_))
        _group(cursor, firm, firm.group_id, "00%")
        for position, (key, type_) in enumerate((("court", "text"), ("fee", "number"))):
            cursor.execute(
                "INSERT INTO client_field (firm_id, id, version, created_at, updated_at, position, key, label, type,"
                " required, sensitive, options) VALUES (%s, gen_random_uuid(), 1, now(), now(), %s, %s, %s, %s, false,"
                " false, '[]')",
                (firm_id, position, key, key, type_),
            )
        cursor.execute("SET maintenance_work_mem = '512MB'")
        for _, definition in indexes:
            cursor.execute(definition)
    settle(plain, ("client",))
    with plain.cursor() as cursor:
        # A group that PostgreSQL has not counted yet: it takes what was added since for nothing.
        cursor.execute("ALTER TABLE client_group_member SET (autovacuum_enabled = off)")
        _group(cursor, firm, firm.new_group_id, "0%")
    plain.close()
    firm.seconds = time.perf_counter() - began
    return firm


def _group(cursor: Any, firm: Firm, group_id: str, which: str) -> None:
    cursor.execute(
        "INSERT INTO client_group (firm_id, id, version, created_at, updated_at, name, name_key, kind)"
        " VALUES (%s, %s, 1, now(), now(), %s, %s, 'static')",
        (firm.firm_id, group_id, group_id, group_id),
    )
    cursor.execute(
        "INSERT INTO client_group_member (firm_id, group_id, client_id)"
        " SELECT firm_id, %s, id FROM client WHERE firm_id = %s AND id::text LIKE %s",
        (group_id, firm.firm_id, which),
    )


_COLUMNS = {
    "client": "firm_id id version created_at updated_at kind first_name middle_name last_name company_name status spam"
    " flag_reason language assigned_staff_id custom_fields sort_name name_key search_text keys",
    "client_phone": "firm_id client_id position number kind is_primary",
    "client_email": "firm_id client_id position address key is_primary",
    "client_tag": "firm_id client_id position tag key",
    "last_activity": "firm_id client_id at",
    "last_case": "firm_id client_id at",
}
_AT_ONCE = 20_000


def _copy(cursor: Any, firm: Firm, firm_id: str, rows: Iterable[dict[str, Any]], *, keep: bool = False) -> None:
    iterator = iter(rows)
    every = max(firm.size // 2000, 1)
    while batch := list(islice(iterator, _AT_ONCE)):
        if keep:
            firm.samples += batch[::every]
        lines: dict[str, list[str]] = {table: [] for table in _COLUMNS}
        for record in batch:
            for table, values in _rows(firm_id, record):
                lines[table].append("\t".join("\\N" if value is None else str(value) for value in values))
        for table, columns in _COLUMNS.items():
            text = io.StringIO("\n".join(lines[table]) + "\n" if lines[table] else "")
            cursor.copy_expert(f"COPY {table} ({', '.join(columns.split())}) FROM STDIN", text)


def _rows(firm_id: str, record: dict[str, Any]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    made = record["created_at"].isoformat()
    own = (firm_id, record["id"])
    yield "client", (
        *own, 1, made, made, record["kind"], record["first_name"], record["middle_name"], record["last_name"],
        record["company_name"], record["status"], record["spam"], record["flag_reason"], record["language"],
        record["assigned_staff_id"], json.dumps(record["custom_fields"]), sort_name(record), name_key(record), "",
        stored_keys(record, firm_id),
    )  # fmt: skip
    yield "client_phone", (*own, 0, record["phones"][0]["number"], "mobile", "t")
    address = record["emails"][0]["address"]
    yield "client_email", (*own, 0, address, address.casefold(), "t")
    for position, tag in enumerate(record["tags"]):
        yield "client_tag", (*own, position, tag, tag)
    yield "last_activity", (*own, record["active_at"].isoformat())
    if record["status"] != "prospective":
        yield "last_case", (*own, record["active_at"].isoformat())
