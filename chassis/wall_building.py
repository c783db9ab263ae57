"""Putting up the walls between firms (`chassis/walls.py`) at the end of every migration: the roles are looked at,
rights are given and taken back, policies and reviewed functions made, as far as they do not stand already."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, MetaData, Table, text

from chassis.walls import (
    FRAME,
    SEEN_FIRM,
    SHARED,
    UPKEEP,
    Reviewed,
    Unwalled,
    across_role,
    quoted,
    reviewed_functions,
    walled_tables,
)

_RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE")
_PAST_WALLS = "TRUNCATE, TRIGGER, REFERENCES"
"""Rights on a table that no policy holds: a `GRANT ALL` by hand gives them."""


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
                                   {"schema": quoted(schema)}))  # fmt: skip
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
    name = quoted(schema)
    for role in roles:
        if _is(connection, "has_schema_privilege(:role, :schema, 'CREATE')", role=role, schema=schema):
            raise Unwalled(f"the role {role} may make tables: REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC, {role}")
        if not _is(connection, "has_schema_privilege(:role, :schema, 'USAGE')", role=role, schema=schema):
            connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA {name} TO {quoted(role)}")


def _grant(connection: Connection, schema: str, tables: list[Table], roles: tuple[str, str]) -> None:
    """Rows of every table for both roles; and everything to read for the one that a dump is made by."""
    has = " AND ".join(f"has_table_privilege(r.role, c.oid, '{right}')" for right in _RIGHTS)
    lacking = connection.execute(
        text(
            f"SELECT DISTINCT c.relname FROM pg_class c, unnest(CAST(:roles AS text[])) r(role)"  # noqa: S608  # nosec B608
            f" WHERE c.relnamespace = to_regnamespace(:schema) AND c.relname = ANY(:names) AND NOT ({has})"
        ),
        {"roles": list(roles), "schema": quoted(schema), "names": [table.name for table in tables]},
    ).scalars()
    both = ", ".join(quoted(role) for role in roles)
    for name in sorted(lacking):
        connection.exec_driver_sql(f"GRANT {', '.join(_RIGHTS)} ON {quoted(name)} TO {both}")
    too_much = connection.execute(
        text(
            "SELECT DISTINCT c.relname FROM pg_class c, unnest(CAST(:roles AS text[])) r(role)"
            " WHERE c.relnamespace = to_regnamespace(:schema) AND c.relkind IN ('r', 'p')"
            " AND c.relowner = to_regrole(current_user) AND has_table_privilege(r.role, c.oid, :past)"
        ),
        {"roles": list(roles), "schema": quoted(schema), "past": _PAST_WALLS},
    ).scalars()
    for name in sorted(too_much):
        connection.exec_driver_sql(f"REVOKE {_PAST_WALLS} ON {quoted(name)} FROM PUBLIC, {both}")
    beside = connection.execute(
        text(
            "SELECT c.relname, c.relkind = 'S' FROM pg_class c WHERE c.relnamespace = to_regnamespace(:schema)"
            " AND c.relowner = to_regrole(current_user) AND CASE c.relkind"
            "  WHEN 'r' THEN NOT has_table_privilege(:taken, c.oid, 'SELECT')"
            "  WHEN 'S' THEN NOT has_sequence_privilege(:taken, c.oid, 'USAGE') ELSE false END"
        ),
        {"schema": quoted(schema), "taken": roles[1]},
    ).all()
    for name, is_sequence in sorted(beside):
        granted = f"USAGE, SELECT ON SEQUENCE {quoted(name)} TO {both}"
        connection.exec_driver_sql(
            f"GRANT {granted if is_sequence else f'SELECT ON {quoted(name)} TO {quoted(roles[1])}'}"
        )


def _share(connection: Connection, table: Table, service_role: str, taken: str) -> None:
    """A table that all firms share: each reads it, and only work across firms writes it (ADR 0016)."""
    has = ", ".join(f"has_table_privilege(:role, :name, '{right}')" for right in _RIGHTS)
    name = quoted(table.name)
    for role, wanted in ((service_role, _RIGHTS[:1]), (taken, _RIGHTS)):
        held = connection.execute(text(f"SELECT {has}"), {"role": role, "name": name}).one()
        for right, holds in zip(_RIGHTS, held, strict=True):
            if right in wanted and not holds:
                connection.exec_driver_sql(f"GRANT {right} ON {name} TO {quoted(role)}")
            if right not in wanted and holds:
                connection.exec_driver_sql(f"REVOKE {right} ON {name} FROM {quoted(role)}")


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
        "casewire_across": f"TO {quoted(taken)} USING (true) WITH CHECK (true)",
        "casewire_upkeep": f"TO {quoted(owner)} USING ({upkeep}) WITH CHECK ({upkeep})",
    }


def _wall(connection: Connection, table: Table, owner: str, taken: str, standing: dict[str, Any]) -> None:
    name = quoted(table.name)
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
        {"schema": quoted(schema)},
    )
    return {row[0]: (row[1], row[2], row[3]) for row in rows}


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
        {"taken": quoted(taken), "schema": quoted(schema), "names": list(wanted)},
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
    connection.exec_driver_sql(f"GRANT CREATE ON SCHEMA {quoted(schema)} TO {quoted(taken)}")
    connection.exec_driver_sql(f"SET LOCAL ROLE {quoted(taken)}")
    for signature in old:
        connection.exec_driver_sql(f"DROP FUNCTION {signature}")
    for function in new:
        made = FRAME.format(
            name=quoted(function.name), arguments=function.arguments, returns=function.returns,
            schema=quoted(schema), body=function.body, settings=function.settings,
        )  # fmt: skip
        connection.exec_driver_sql(made.replace("%", "%%"))
        named = f"FUNCTION {quoted(function.name)}"
        connection.exec_driver_sql(f"REVOKE ALL ON {named} FROM PUBLIC")
        connection.exec_driver_sql(f"GRANT EXECUTE ON {named} TO {quoted(service_role)}")
        connection.exec_driver_sql(f"COMMENT ON {named} IS '{function.mark}'")
    connection.exec_driver_sql("RESET ROLE")
    connection.exec_driver_sql(f"REVOKE CREATE ON SCHEMA {quoted(schema)} FROM {quoted(taken)}")
