"""A firm for which nothing can be written, for the tests of what is done for all firms in one round."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.database import Database


def fail_for(monkeypatch: pytest.MonkeyPatch, firm_id: str, error: Exception) -> None:
    """From now on whatever would write for the firm raises `error`."""
    usual = Database.unit_of_work

    def unit_of_work(db: Database, *given: Any, **named: Any) -> Any:
        if db.firm_id == firm_id:
            raise error
        return usual(db, *given, **named)

    monkeypatch.setattr(Database, "unit_of_work", unit_of_work)
