"""For tests of what Python decides: every statement that they have a database carry out is carried out by PostgreSQL
in other tests, so that `make test` has them on SQLite alone. EXAMPLES above 1 has them on both again."""

from __future__ import annotations

import pytest

from tests.examples import examples

on_one_database = pytest.mark.parametrize(
    "new_database", ["sqlite"] if examples(1) == 1 else ["sqlite", "postgresql"], indirect=True
)
