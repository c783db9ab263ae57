"""The PostgreSQL of `make up` and of the tests."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import psycopg2
import pytest


def test_its_log_holds_nothing_of_what_is_written(postgres: Any) -> None:
    server = postgres.server
    if not hasattr(server, "folder"):
        pytest.skip("a server of somebody else's")
    with suppress(psycopg2.Error):
        server.ask("postgres", "SELECT no_such_column, 'Zerelda Oxenfree'")
    with suppress(psycopg2.Error):
        server.ask("postgres", "CREATE TEMP TABLE once (name text PRIMARY KEY); "
                   "INSERT INTO once VALUES ('Zerelda'); INSERT INTO once VALUES ('Zerelda')")  # fmt: skip
    log = (server.folder / "server.log").read_text(errors="replace")
    assert 'column "no_such_column" does not exist' in log
    assert "duplicate key" in log
    assert "Zerelda" not in log
