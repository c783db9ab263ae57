"""Each service's migrations build exactly what its models describe."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from chassis.migrations import pending_changes

SERVICES = sorted(folder.parent.name for folder in Path("services").glob("*/migrations"))


def test_there_are_services() -> None:
    assert len(SERVICES) >= 6


@pytest.mark.parametrize("service", SERVICES)
def test_migrations_and_models_agree_on_sqlite(service: str, tmp_path: Path) -> None:
    assert not pending_changes(service, f"sqlite:///{tmp_path}/new folder/{service}.db")


@pytest.mark.parametrize("service", SERVICES)
def test_migrations_and_models_agree_on_postgresql(service: str, postgres_database: Callable[[], str]) -> None:
    assert not pending_changes(service, postgres_database())
