"""Walls between firms inside PostgreSQL: forced row-level security, so that even SQL text sees one firm's rows only.

Three roles share a service's database (ADR 0015):

- its *owner* migrates. Tables, policies and grants are its own, and are put up with the migrations.
- the *service* connects as a role that owns nothing and may only read and write rows. What it sees and writes are the
  rows of the firm that the transaction named (`within`); without a firm, none.
- work of all firms (the relay, what a dispatcher looks for, timers) takes the role `<service's role>_across` for one
  transaction (`across`), to which every row is open. The service's role does not inherit it: it is taken by name.

The walls follow from the models: every table with a `firm_id` gets them when the migrations end, with no further word
(`chassis/wall_building.py`).
"""

from __future__ import annotations

import functools
import hashlib
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import MetaData, Table

FIRM = "casewire.firm"
"""The setting that names the firm of a transaction."""
UPKEEP = "casewire.upkeep"
"""The setting under which the owner of the tables sees every row: while it migrates. Otherwise it is walled in too."""
SEEN_FIRM = f"(SELECT nullif(current_setting('{FIRM}', true), '')::uuid)"
"""Evaluated once for each statement, not for each row."""
SHARED = "casewire_shared"
"""Marks the tables that all firms share (`chassis.scoping.Shared`), in their `info`."""
_REVIEWED = "casewire_reviewed"


class Unwalled(RuntimeError):
    """A role or a database with which one firm could see another's rows. One sentence says what is wrong."""


@functools.lru_cache(maxsize=4096)
def within(firm_id: str) -> str:
    """What goes ahead of a transaction's statements so that they see and write rows of this firm only."""
    return f"SET LOCAL {FIRM} = '{uuid.UUID(firm_id)}'; "


@functools.cache
def across(service_role: str) -> str:
    """What goes ahead of a transaction's statements so that they see and write rows of every firm."""
    return f"SET LOCAL ROLE {quoted(across_role(service_role))}; "


def across_role(service_role: str) -> str:
    """The role that work across firms takes."""
    return f"{service_role}_across"


FRAME = """
CREATE FUNCTION {name}({arguments}) RETURNS {returns}
LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL SAFE
SET search_path = pg_catalog, {schema}, pg_temp SET plan_cache_mode = force_custom_plan {settings}
AS $reviewed$
#variable_conflict use_column
BEGIN
  IF firm IS DISTINCT FROM nullif(current_setting('casewire.firm', true), '')::uuid THEN
    RAISE insufficient_privilege USING MESSAGE = 'another firm than the one of the transaction';
  END IF;
  RETURN QUERY
{body};
END
$reviewed$
"""
"""What every reviewed function is made of, around its body."""


@dataclass(frozen=True)
class Reviewed:
    """A function of PostgreSQL's that reads past the walls for one firm: see `reviewed`."""

    name: str
    arguments: str
    returns: str
    body: str
    settings: str = ""

    @property
    def mark(self) -> str:
        """Tells one version from another: what the function's comment says."""
        return "casewire " + hashlib.sha256(repr((self, FRAME)).encode()).hexdigest()[:32]


def reviewed(base: Any, *, name: str, arguments: str, returns: str, body: str, settings: str = "") -> Reviewed:
    """Declares, beside a service's models, a function that answers one query past the walls, because under them
    PostgreSQL would not use an index: what it cannot prove to leak nothing (ILIKE, %, @>, @@) it applies to a row only
    after the policy has let the row through.

    `arguments` are PostgreSQL's, and the first is `firm uuid`; none may be called like a column. `returns` is a type,
    or `TABLE(…)`. `body` is one SELECT, without a semicolon, in which every table is restricted to `firm`; whoever
    changes it has it reviewed, for it runs with every firm's rows open. It is planned for each call's values.
    `settings`: `SET …` of PostgreSQL's, for as long as it runs.

    The function refuses every firm but the one that the transaction named, so that SQL text of one firm's session
    learns nothing of another by it. It is put up with the walls, owned by the role that works across firms, and only
    the service may call it.
    """
    if not arguments.startswith("firm uuid"):
        raise ValueError("a reviewed function takes the firm first: firm uuid")
    function = Reviewed(name, arguments, returns, body.strip(), settings)
    base.metadata.info.setdefault(_REVIEWED, {})[name] = function
    return function


def reviewed_functions(metadata: MetaData) -> list[Reviewed]:
    """The reviewed functions of a service's models."""
    return list(metadata.info.get(_REVIEWED, {}).values())


def walled_tables(metadata: MetaData) -> list[Table]:
    """The tables whose rows belong to firms."""
    return [table for table in metadata.sorted_tables if "firm_id" in table.c]


# What a service demands before it works


_POWERS = """
SELECT r.rolname, r.rolsuper OR r.rolbypassrls,
  EXISTS (SELECT FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relnamespace = to_regnamespace(current_schema())
          AND pg_has_role(c.relowner, 'MEMBER'))
  OR (SELECT pg_has_role(d.datdba, 'MEMBER') FROM pg_database d WHERE d.datname = current_database()),
  a.oid IS NOT NULL AND pg_has_role(a.oid, 'MEMBER'),
  a.oid IS NOT NULL AND pg_has_role(a.oid, 'USAGE'),
  (SELECT min(c.relname) FROM pg_class c JOIN pg_attribute f ON f.attrelid = c.oid AND f.attname = 'firm_id'
   WHERE c.relkind IN ('r', 'p') AND c.relnamespace = to_regnamespace(current_schema())
   AND NOT (c.relrowsecurity AND c.relforcerowsecurity)),
  (SELECT min(c.relname) FROM pg_class c WHERE c.relkind IN ('r', 'p')
   AND c.relnamespace = to_regnamespace(current_schema()) AND c.relrowsecurity
   AND has_table_privilege(c.oid, 'TRUNCATE, TRIGGER'))
FROM pg_roles r LEFT JOIN pg_roles a ON a.rolname = r.rolname || '_across' WHERE r.rolname = current_user
"""


def demand_walls(driver: Any) -> str:
    """The role that a driver's connection works as. Raises Unwalled if it would see rows of every firm, or could make
    itself see them, or if a table of this database has no wall."""
    cursor = driver.cursor()
    try:
        cursor.execute(_POWERS)
        role, above, owns, may, always, unwalled, given = cursor.fetchone()
    finally:
        cursor.close()
    taken = across_role(role)
    wrong = None
    if above:
        wrong = f"the role {role} passes every wall between firms (superuser or BYPASSRLS)"
    elif owns:
        wrong = f"the role {role} owns tables or the database, or may take a role that does"
    elif not may:
        wrong = f"the role {role} may not take {taken}, the role of work across firms"
    elif always:
        wrong = f"the role {role} inherits {taken}, and so always sees every firm"
    elif unwalled:
        wrong = f"the table {unwalled} has no walls between firms: run casewire migrate"
    elif given:
        wrong = f"the role {role} may do more with the table {given} than read and write rows: run casewire migrate"
    if wrong:
        raise Unwalled(f"{wrong} (see Walls between firms in docs/operations.md)")
    return str(role)


def quoted(name: str) -> str:
    """The name of a role, a schema or a table as SQL has it. Raises Unwalled for one that is none."""
    if '"' in name or "%" in name or "\0" in name:
        raise Unwalled(f"a role or schema is not called {name!r}")
    return f'"{name}"'
