"""One embedded system for the tests that only ask it things."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.systems import Embedded, embedded


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """A running embedded system, shared by the tests of this folder."""
    folder: Path = tmp_path_factory.mktemp("system") / "data"
    with embedded(folder) as running:
        yield running
