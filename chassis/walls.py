"""Walls between firms inside PostgreSQL: forced row-level security, so that even SQL text sees one firm's rows only.

Three roles share a service's database (ADR 0015):

- its *owner* migrates. Tables, policies and grants are its own, and are put up with the migrations.
- the *service* connects as a role that owns nothing and may only read and write rows. What it sees and writes are the
  rows of the firm that the transaction named (`within`); without a firm, none.
- work of all firms (the relay, what a dispatcher looks for, timers) takes the role `<service's role>_across` for one
  transaction (`across`), to which every row is open. The service's role does not inherit it: it is taken by name.

The walls follow from the models: every table with a `firm_id` gets them when the migrations end, with no further word.
"""

from __future__ import annotations

import functools
import hashlib
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, MetaData, Table, text

FIRM = "casewire.firm"
"""The setting that names the firm of a transaction."""
UPKEEP = "casewire.upkeep"
"""The setting under which the owner of the tables sees every row: while it migrates. Otherwise it is walled in too."""
SEEN_FIRM = f"(SELECT nullif(current_setting('{FIRM}', true), '')::uuid)"
"""Evaluated once for each statement, not for each row."""
SHARED = "casewire_shared"
"""Marks the tables that all firms share (`chassis.scoping.Shared`), in their `info`."""
_REVIEWED = "casewire_reviewed"
_RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE")


class Unwalled(RuntimeError):
    """A role or a database with which one firm could see another's rows. One sentence says what is wrong."""


@functools.lru_cache(maxsize=4096)
def within(firm_id: str) -> str:
    """What goes ahead of a transaction's statements so that they see and write rows of this firm only."""
    return f"SET LOCAL {FIRM} = '{uuid.UUID(firm_id)}'; "


@functools.cache
def across(service_role: str) -> str:
    """What goes ahead of a transaction's statements so that they see and write rows of every firm."""
    return f"SET LOCAL ROLE {_quoted(across_role(service_role))}; "


def across_role(service_role: str) -> str:
    """The role that work across firms takes."""
    return f"{service_role}_across"


@dataclass(frozen=True)
class Reviewed:
    """A function of PostgreSQL's that reads past the walls for one firm: see `reviewed`."""

    name: str
    arguments: str
    returns: str
    body: str

    @property
    def mark(self) -> str:
        """Tells one version from another: what the function's comment says."""
        return "casewire " + hashlib.sha256(repr((self, _FRAME)).encode()).hexdigest()[:32]


def reviewed(base: Any, *, name: str, arguments: str, returns: str, body: str) -> Reviewed:
    """Declares, beside a service's models, a function that answers one query past the walls, because under them
    PostgreSQL would not use an index: what it cannot prove to leak nothing (ILIKE, %, @>, @@) it applies to a row only
    after the policy has let the row through.

    `arguments` are PostgreSQL's, and the first is `firm uuid`; none may be called like a column. `returns` is a type,
    or `TABLE(…)`. `body` is one SELECT, without a semicolon, in which every table is restricted to `firm`; whoever
    changes it has it reviewed, for it runs with every firm's rows open. It is planned for each call's values.

    The function refuses every firm but the one that the transaction named, so that SQL text of one firm's session
    learns nothing of another by it. It is put up with the walls, owned by the role that works across firms, and only
    the service may call it.
    """
    if not arguments.startswith("firm uuid"):
        raise ValueError("a reviewed function takes the firm first: firm uuid")
    function = Reviewed(name, arguments, returns, body.strip())
    base.metadata.info.setdefault(_REVIEWED, {})[name] = function
    return function


def reviewed_functions(metadata: MetaData) -> list[Reviewed]:
    """The reviewed functions of a service's models."""
    return list(metadata.info.get(_REVIEWED, {}).values())


def walled_tables(metadata: MetaData) -> list[Table]:
    """The tables whose rows belong to firms."""
    return [table for table in metadata.sorted_tables if "firm_id" in table.c]


# Putting them up


def put_up(connection: Connection, metadata: MetaData, service_role: str) -> None:
    """Puts up, in this transaction, what is missing of walls, grants and reviewed functions. Run by the tables' owner.

    What stands already is not touched, so that a release without new tables waits for nobody. Raises Unwalled if the
    roles are not as they have to be.
    """
    owner = str(connection.exec_driver_sql("SELECT current_user").scalar_one())
    _demand_roles(connection, owner, service_role)
    schema = str(connection.exec_driver_sql("SELECT current_schema()").scalar_one())
    roles = (service_role, across_role(service_role))
    there = set(connection.scalars(text("SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(:schema)"),
                                   {"schema": _quoted(schema)}))  # fmt: skip
    _open_schema(connection, schema, roles)
    ours = [table for table in metadata.sorted_tables if table.name in there]
    shared = [table for table in ours if table.info.get(SHARED)]
    _grant(connection, schema, [table for table in ours if table not in shared], roles)
    for table in shared:
        _share(connection, table, *roles)
    standing = _standing(connection, schema)
    for table in walled_tables(metadata):
        if table.name in there:
            _wall(connection, table, owner, roles[1], standing)
    _put_up_functions(connection, schema, reviewed_functions(metadata), *roles)


def _demand_roles(connection: Connection, owner: str, service_role: str) -> None:
    if service_role == owner:
        raise Unwalled(f"{owner} owns the tables: services connect as another role, which owns nothing")
    taken = across_role(service_role)
    rows = connection.execute(
        text("SELECT rolname, rolsuper OR rolbypassrls FROM pg_roles WHERE rolname IN (:service, :taken)"),
        {"service": service_role, "taken": taken},
    )
    found: dict[str, bool] = {row[0]: row[1] for row in rows}
    for role in (service_role, taken):
        if role not in found:
            raise Unwalled(f"there is no role {role}: docs/operations.md says how to make it")
        if found[role]:
            raise Unwalled(f"the role {role} passes every wall: it must be no superuser and have no BYPASSRLS")
    for role in (owner, service_role):
        if not _is(connection, "pg_has_role(:role, :taken, 'MEMBER')", role=role, taken=taken):
            raise Unwalled(f"the role {role} may not take {taken}: GRANT {taken} TO {role}")
        if not _is_super(connection, role) and _is(
            connection, "pg_has_role(:role, :taken, 'USAGE')", role=role, taken=taken
        ):
            raise Unwalled(f"the role {role} inherits {taken}, and so always sees every firm: it must have NOINHERIT")
    if _is(connection, "pg_has_role(:role, :owner, 'MEMBER')", role=service_role, owner=owner):
        raise Unwalled(f"the role {service_role} may take {owner}, which owns the tables")


def _is(connection: Connection, condition: str, **values: str) -> bool:
    return bool(connection.execute(text(f"SELECT {condition}"), values).scalar_one())


def _is_super(connection: Connection, role: str) -> bool:
    return _is(connection, "(SELECT rolsuper FROM pg_roles WHERE rolname = :role)", role=role)


def _open_schema(connection: Connection, schema: str, roles: Iterable[str]) -> None:
    name = _quoted(schema)
    for role in roles:
        if _is(connection, "has_schema_privilege(:role, :schema, 'CREATE')", role=role, schema=schema):
            raise Unwalled(f"the role {role} may make tables: REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC, {role}")
        if not _is(connection, "has_schema_privilege(:role, :schema, 'USAGE')", role=role, schema=schema):
            connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA {name} TO {_quoted(role)}")


def _grant(connection: Connection, schema: str, tables: list[Table], roles: tuple[str, str]) -> None:
    """Rows of every table for both roles; and everything to read for the one that a dump is made by."""
    has = " AND ".join(f"has_table_privilege(r.role, c.oid, '{right}')" for right in _RIGHTS)
    lacking = connection.execute(
        text(
            f"SELECT DISTINCT c.relname FROM pg_class c, unnest(CAST(:roles AS text[])) r(role)"  # noqa: S608  # nosec B608
            f" WHERE c.relnamespace = to_regnamespace(:schema) AND c.relname = ANY(:names) AND NOT ({has})"
        ),
        {"roles": list(roles), "schema": _quoted(schema), "names": [table.name for table in tables]},
    ).scalars()
    both = ", ".join(_quoted(role) for role in roles)
    for name in sorted(lacking):
        connection.exec_driver_sql(f"GRANT {', '.join(_RIGHTS)} ON {_quoted(name)} TO {both}")
    beside = connection.execute(
        text(
            "SELECT c.relname, c.relkind = 'S' FROM pg_class c WHERE c.relnamespace = to_regnamespace(:schema)"
            " AND c.relowner = to_regrole(current_user) AND CASE c.relkind"
            "  WHEN 'r' THEN NOT has_table_privilege(:taken, c.oid, 'SELECT')"
            "  WHEN 'S' THEN NOT has_sequence_privilege(:taken, c.oid, 'USAGE') ELSE false END"
        ),
        {"schema": _quoted(schema), "taken": roles[1]},
    ).all()
    for name, is_sequence in sorted(beside):
        granted = f"USAGE, SELECT ON SEQUENCE {_quoted(name)} TO {both}"
        connection.exec_driver_sql(
            f"GRANT {granted if is_sequence else f'SELECT ON {_quoted(name)} TO {_quoted(roles[1])}'}"
        )


def _share(connection: Connection, table: Table, service_role: str, taken: str) -> None:
    """A table that all firms share: each reads it, and only work across firms writes it (ADR 0016)."""
    has = ", ".join(f"has_table_privilege(:role, :name, '{right}')" for right in _RIGHTS)
    name = _quoted(table.name)
    for role, wanted in ((service_role, _RIGHTS[:1]), (taken, _RIGHTS)):
        held = connection.execute(text(f"SELECT {has}"), {"role": role, "name": name}).one()
        for right, holds in zip(_RIGHTS, held, strict=True):
            if right in wanted and not holds:
                connection.exec_driver_sql(f"GRANT {right} ON {name} TO {_quoted(role)}")
            if right not in wanted and holds:
                connection.exec_driver_sql(f"REVOKE {right} ON {name} FROM {_quoted(role)}")


def _policies(table: Table, owner: str, taken: str) -> dict[str, str]:
    """What each policy of a table says after its name. The firm is named so that no index answers it, or PostgreSQL
    would look through all that a firm has for rows that the statement names by their ids (ADR 0014)."""
    seen = f"firm_id IS NOT DISTINCT FROM {SEEN_FIRM}"
    if table.c.firm_id.nullable:
        # Rows of no firm are for work across firms; no firm is not their name.
        seen = f"firm_id IS NOT NULL AND {seen}"
    upkeep = f"(SELECT current_setting('{UPKEEP}', true)) IS NOT DISTINCT FROM 'on'"  # noqa: S608  # nosec B608
    return {
        "casewire_firm": f"TO PUBLIC USING ({seen}) WITH CHECK ({seen})",
        "casewire_across": f"TO {_quoted(taken)} USING (true) WITH CHECK (true)",
        "casewire_upkeep": f"TO {_quoted(owner)} USING ({upkeep}) WITH CHECK ({upkeep})",
    }


def _wall(connection: Connection, table: Table, owner: str, taken: str, standing: dict[str, Any]) -> None:
    name = _quoted(table.name)
    enabled, forced, marks = standing[table.name]
    for policy, says in _policies(table, owner, taken).items():
        mark = "casewire " + hashlib.sha256(says.encode()).hexdigest()[:32]
        if marks.get(policy) != mark:
            connection.exec_driver_sql(f"DROP POLICY IF EXISTS {policy} ON {name}")
            connection.exec_driver_sql(f"CREATE POLICY {policy} ON {name} FOR ALL {says}")
            connection.exec_driver_sql(f"COMMENT ON POLICY {policy} ON {name} IS '{mark}'")
    if not (enabled and forced):
        connection.exec_driver_sql(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")


def _standing(connection: Connection, schema: str) -> dict[str, tuple[bool, bool, dict[str, str]]]:
    """Table to whether its walls are enabled, forced, and the mark of each policy."""
    rows = connection.execute(
        text(
            "SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity, coalesce("
            " (SELECT json_object_agg(p.polname, obj_description(p.oid, 'pg_policy')) FROM pg_policy p"
            "  WHERE p.polrelid = c.oid), '{}'::json)"
            " FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relnamespace = to_regnamespace(:schema)"
        ),
        {"schema": _quoted(schema)},
    )
    return {row[0]: (row[1], row[2], row[3]) for row in rows}


_FRAME = """
CREATE FUNCTION {name}({arguments}) RETURNS {returns}
LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL SAFE
SET search_path = pg_catalog, {schema}, pg_temp SET plan_cache_mode = force_custom_plan
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


def _put_up_functions(
    connection: Connection, schema: str, functions: list[Reviewed], service_role: str, taken: str
) -> None:
    wanted = {function.name: function for function in functions}
    old, restored, standing = [], [], set()
    for name, signature, mark, is_ours in connection.execute(
        text(
            "SELECT p.proname, p.oid::regprocedure::text, coalesce(obj_description(p.oid, 'pg_proc'), ''),"
            " p.proowner = to_regrole(:taken) FROM pg_proc p WHERE p.pronamespace = to_regnamespace(:schema)"
            " AND (p.proowner = to_regrole(:taken)"
            "  OR p.proowner = to_regrole(current_user) AND p.proname = ANY(:names))"
        ),
        {"taken": _quoted(taken), "schema": _quoted(schema), "names": list(wanted)},
    ):
        if not is_ours:
            # As pg_restore made it: the owner, whose own functions see nothing past the walls.
            restored.append(signature)
        elif name in wanted and mark == wanted[name].mark:
            standing.add(name)
        else:
            old.append(signature)
    new = [function for function in functions if function.name not in standing]
    for signature in restored:
        connection.exec_driver_sql(f"DROP FUNCTION {signature}")
    if not old and not new:
        return
    # Owned from the first moment by the role that sees every firm, which may make nothing else here.
    connection.exec_driver_sql(f"GRANT CREATE ON SCHEMA {_quoted(schema)} TO {_quoted(taken)}")
    connection.exec_driver_sql(f"SET LOCAL ROLE {_quoted(taken)}")
    for signature in old:
        connection.exec_driver_sql(f"DROP FUNCTION {signature}")
    for function in new:
        made = _FRAME.format(
            name=_quoted(function.name), arguments=function.arguments, returns=function.returns,
            schema=_quoted(schema), body=function.body,
        )  # fmt: skip
        connection.exec_driver_sql(made.replace("%", "%%"))
        named = f"FUNCTION {_quoted(function.name)}"
        connection.exec_driver_sql(f"REVOKE ALL ON {named} FROM PUBLIC")
        connection.exec_driver_sql(f"GRANT EXECUTE ON {named} TO {_quoted(service_role)}")
        connection.exec_driver_sql(f"COMMENT ON {named} IS '{function.mark}'")
    connection.exec_driver_sql("RESET ROLE")
    connection.exec_driver_sql(f"REVOKE CREATE ON SCHEMA {_quoted(schema)} FROM {_quoted(taken)}")


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
   AND NOT (c.relrowsecurity AND c.relforcerowsecurity))
FROM pg_roles r LEFT JOIN pg_roles a ON a.rolname = r.rolname || '_across' WHERE r.rolname = current_user
"""


def demand_walls(driver: Any) -> str:
    """The role that a driver's connection works as. Raises Unwalled if it would see rows of every firm, or could make
    itself see them, or if a table of this database has no wall."""
    cursor = driver.cursor()
    try:
        cursor.execute(_POWERS)
        role, above, owns, may, always, unwalled = cursor.fetchone()
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
    if wrong:
        raise Unwalled(f"{wrong} (see Walls between firms in docs/operations.md)")
    return str(role)


def _quoted(name: str) -> str:
    if '"' in name or "%" in name or "\0" in name:
        raise Unwalled(f"a role or schema is not called {name!r}")
    return f'"{name}"'
