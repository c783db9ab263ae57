"""Lists of parameters reach PostgreSQL as they are, whatever their elements hold."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import ARRAY, Boolean, Date, Float, Integer, Numeric, Text, bindparam, select
from sqlalchemy.orm import Session

from chassis.columns import Id, Instant, Json, new_id
from tests.service.conftest import MakeDatabase
from tests.service.sample import MakerBase

ODD = ["", " ", "NULL", "null", "{}", "{a,b}", ",", '"', '""', "\\", '\\"', "'", "''", "\n\t", "%s %(x)s", "ß漢😀"]
ONE_ID = new_id()


@pytest.fixture
def session(emptied_postgresql: MakeDatabase) -> Iterator[Session]:
    with Session(emptied_postgresql(MakerBase).engines.write) as session:
        yield session


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (Text(), [*ODD, None]),
        (Text(), []),
        (Text(), [None]),
        (Id, [ONE_ID, None]),
        (Integer(), [0, -7, None]),
        (Boolean(), [True, False, None]),
        (Float(), [0.5, 1e-300, float("inf")]),
        (Numeric(12, 6), [Decimal("1.250000"), None]),
        (Date(), [dt.date(2026, 2, 28), None]),
        (Instant(), [dt.datetime(2026, 2, 28, 23, 59, 59, 999999, dt.UTC), None]),
        (Json, [{"odd": ODD}, ["a", ["b"]], "text", 1, None]),
    ],
)
@pytest.mark.parametrize("standard_strings", ["on", "off"])
def test_a_list_comes_back_as_it_went(session: Session, kind: Any, values: list[Any], standard_strings: str) -> None:
    session.connection().exec_driver_sql(f"SET LOCAL standard_conforming_strings = {standard_strings}")
    given = bindparam("given", values, type_=ARRAY(kind, dimensions=1))
    assert session.scalar(select(given)) == values


def test_a_list_of_lists_is_an_array_of_two_dimensions(session: Session) -> None:
    given = bindparam("given", [["a", "b"], ["c", None]], type_=ARRAY(Text, dimensions=2))
    assert session.scalar(select(given)) == [["a", "b"], ["c", None]]


@pytest.mark.parametrize("value", [b"bytes", object()])
def test_what_has_no_form_is_refused(session: Session, value: Any) -> None:
    with pytest.raises(TypeError, match="no array element"):
        session.connection().exec_driver_sql("SELECT %(given)s::text[]", {"given": [value]})
