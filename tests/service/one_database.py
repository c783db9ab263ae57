"""For tests that need not run on SQLite and on PostgreSQL: EXAMPLES above 1 has them on both again.

`on_one_database`: tests of what Python decides. Every statement that they have a database carry out is carried out by
PostgreSQL in other tests, so that `make test` has them on SQLite alone. `on_one("database")` is the same for a fixture
of another name.

`in_turn`: tests whose values lead through the same statements, each value on one of the two databases.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import pytest

from tests.examples import examples

_BOTH = ("sqlite", "postgresql")
_SHORTLY = examples(1) == 1


def on_one(fixture: str) -> pytest.MarkDecorator:
    """Whose database `fixture` is, on SQLite alone."""
    return pytest.mark.parametrize(fixture, _BOTH[:1] if _SHORTLY else _BOTH, indirect=True)


on_one_database = on_one("new_database")


def in_turn(name: str, values: Iterable[Any]) -> pytest.MarkDecorator:
    """Each value of the argument `name` on one of the two databases."""
    pairs = zip(itertools.cycle(_BOTH), values) if _SHORTLY else itertools.product(_BOTH, values)
    return pytest.mark.parametrize(("new_database", name), list(pairs), indirect=["new_database"])
