"""The roles of a service's database on PostgreSQL (ADR 0015), made by a superuser or another role that may make roles.

docs/operations.md shows the same statements for a database that somebody else administers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from psycopg2 import sql

from chassis.migrations import OWNER
from chassis.walls import across_role

_ACTIVITY = "pg_stat_get_activity(integer), pg_stat_get_backend_activity(integer)"
"""What `pg_stat_activity` reads."""

Ask = Callable[..., list[tuple[Any, ...]]]
"""`ask(database, statement, *values)`: one statement outside any transaction, and its rows."""


def make_roles(ask: Ask, role: str, password: str, owner_password: str) -> str:
    """Makes a service's three roles where they are not there, and sets the two passwords. Returns the owner's name."""
    owner, taken = role + OWNER, across_role(role)
    for name, options in ((owner, "LOGIN NOINHERIT"), (role, "LOGIN NOINHERIT"), (taken, "NOLOGIN NOINHERIT")):
        named = sql.Identifier(name)
        if not ask("postgres", "SELECT 1 FROM pg_roles WHERE rolname = %s", name):
            ask("postgres", sql.SQL("CREATE ROLE {}").format(named))
        ask("postgres", sql.SQL("ALTER ROLE {} " + options).format(named))
    for name, secret in ((owner, owner_password), (role, password)):
        ask("postgres", sql.SQL("ALTER ROLE {} PASSWORD %s").format(sql.Identifier(name)), secret)
        if not ask("postgres", "SELECT 1 WHERE pg_has_role(%s, %s, 'MEMBER')", name, taken):
            ask("postgres", sql.SQL("GRANT {} TO {}").format(sql.Identifier(taken), sql.Identifier(name)))
    return owner


def make_service_database(ask: Ask, name: str, role: str) -> None:
    """Makes a database that is not there yet, in which the role's owner may make tables; what an earlier release left
    to the service's own role is taken from it."""
    owner, database = sql.Identifier(role + OWNER), sql.Identifier(name)
    found = ask("postgres", "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s", name)
    if not found:
        ask("postgres", sql.SQL("CREATE DATABASE {}").format(database))
    elif found[0][0] == role:
        ask("postgres", sql.SQL("ALTER DATABASE {} OWNER TO CURRENT_USER").format(database))
        ask(name, sql.SQL("REASSIGN OWNED BY {} TO {}").format(sql.Identifier(role), owner))
    # Each service's data is its own.
    ask("postgres", sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
    ask("postgres", sql.SQL("GRANT CONNECT, CREATE ON DATABASE {} TO {}").format(database, owner))
    ask("postgres", sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, sql.Identifier(role)))
    ask(name, "REVOKE ALL ON SCHEMA public FROM PUBLIC")
    ask(name, sql.SQL("GRANT ALL ON SCHEMA public TO {} WITH GRANT OPTION").format(owner))
    if ask(name, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user")[0][0]:
        # All firms' work is one role's, and a role sees what its own connections are asking.
        ask(name, f"REVOKE EXECUTE ON FUNCTION {_ACTIVITY} FROM PUBLIC")
        ask(name, f"GRANT EXECUTE ON FUNCTION {_ACTIVITY} TO pg_monitor")
