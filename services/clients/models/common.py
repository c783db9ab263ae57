"""What all tables of clients are made with."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CheckConstraint, ForeignKeyConstraint

from chassis.database import service_base

Base: Any = service_base("clients")


def one_of(column: str, options: tuple[str, ...], name: str) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(option) for option in options)})", name=name)


def of_client(table: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["firm_id", "client_id"], ["client.firm_id", "client.id"], name=f"fk_{table}_client", ondelete="CASCADE"
    )
