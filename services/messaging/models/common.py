"""What all tables of messaging are made with."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from chassis.database import service_base

Base: Any = service_base("messaging")


def where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}
