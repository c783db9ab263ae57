"""Rows of a file and what came of them, for the tests of imports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import func, select

from services.clients.imports import chunks
from services.clients.models import Client
from tests.service.clients_desk import Desk

HEADER = ["First name", "Last name", "Phone", "Email", "Status", "External ID", "Tags"]


def row(number: int, **cells: str) -> list[str]:
    phone = f"+1{201 + number // 9000}55{number % 9000 + 51000}"
    full = {
        "First name": f"Ann{number}", "Last name": f"Lee{number}", "Phone": phone, "Email": f"ann{number}@example.com",
        "Status": "active", "External ID": f"X{number}", "Tags": "vip;new",
    }  # fmt: skip
    return list((full | {name.replace("_", " "): cell for name, cell in cells.items()}).values())


def counts(found: dict[str, Any]) -> tuple[int, int, int, int]:
    return tuple(found["counts"][name] for name in ("created", "updated", "skipped", "failed"))


def client_count(desk: Desk) -> int:
    with desk.db.read() as session:
        return session.scalar(select(func.count()).select_from(Client).where(Client.archived_at.is_(None))) or 0


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Chunks of 10 rows, so that a small file has several."""
    monkeypatch.setattr(chunks, "CHUNK", 10)


BAD_ROWS = [
    row(90, First_name="", Last_name=""), row(91, Phone="12"), row(92, Email="no"), row(93, Status="VIP"),
    row(94)[:3], [*row(95), "more"], row(96, Phone="12", Email="no"),
]  # fmt: skip
BAD_ERRORS = [
    ["name_required:first_name"], ["invalid_phone:phone"], ["invalid_email:email"], ["unknown_status:status"],
    ["row_too_short:row"], ["row_too_long:row"], ["invalid_phone:phone", "invalid_email:email"],
]  # fmt: skip
