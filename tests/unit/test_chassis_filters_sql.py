"""Filters in SQL, on a small table that has each kind of field and each way to it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import ForeignKey, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from chassis.columns import Exact, Folded, Instant
from chassis.filters.fields import CUSTOM, Catalogue, Field, Kind, Reading
from chassis.filters.parsing import Vocabulary, parse
from chassis.filters.sql import Column, Rows, TypedColumns, TypedRows, condition
from chassis.texts import START_LENGTH, fold

NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


class Base(DeclarativeBase):
    pass


class Boat(Base):
    __tablename__ = "boat"
    name: Mapped[str] = mapped_column(primary_key=True)
    sails: Mapped[bool]
    insured: Mapped[bool | None]
    launched: Mapped[dt.date | None]
    seen_at: Mapped[dt.datetime] = mapped_column(Instant)


class Nickname(Base):
    __tablename__ = "nickname"
    boat: Mapped[str] = mapped_column(ForeignKey("boat.name"), primary_key=True)
    text: Mapped[str] = mapped_column(primary_key=True)
    folded: Mapped[str] = mapped_column(Folded)


class Value(Base):
    __tablename__ = "value"
    boat: Mapped[str] = mapped_column(ForeignKey("boat.name"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str | None]
    folded: Mapped[str | None] = mapped_column(Folded)
    start: Mapped[str | None] = mapped_column(Folded)
    number: Mapped[Any] = mapped_column(Exact, nullable=True)
    day: Mapped[dt.date | None]


NICKNAMES = Rows(select(1).where(Nickname.boat == Boat.name).correlate(Boat), Column(Nickname.text, Nickname.folded))
VALUES = TypedColumns(text=Value.text, folded=Value.folded, start=Value.start, number=Value.number, day=Value.day)
CATALOGUE = Catalogue(
    "boats",
    Field("sails", "flag", Column(Boat.sails)),
    Field("insured", "flag", Column(Boat.insured)),
    Field("launched", "day", Column(Boat.launched)),
    Field("seen_at", "instant", Column(Boat.seen_at)),
    Field("nicknames", "text", NICKNAMES),
)
LONG = "a" * START_LENGTH


def custom(key: str, kind: Kind) -> Field:
    held = select(1).where(Value.boat == Boat.name, Value.key == key).correlate(Boat)
    return Field(CUSTOM + key, kind, TypedRows(held, VALUES))


VOCABULARY = Vocabulary(CATALOGUE, {"note": [custom("note", "text")], "raced": [custom("raced", "flag")]})


def value(boat: str, key: str, **typed: Any) -> Value:
    text = typed.get("text")
    folded = {} if text is None else {"folded": fold(text), "start": fold(text)[:START_LENGTH]}
    return Value(boat=boat, key=key, position=0, **typed, **folded)


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as opened:
        opened.add_all(
            [
                Boat(name="Ada", sails=True, insured=True, launched=NOW.date(), seen_at=NOW),
                Boat(name="Bo", sails=False, insured=None, launched=None, seen_at=NOW - dt.timedelta(days=3)),
                Boat(name="Cy", sails=True, insured=False, launched=None, seen_at=NOW + dt.timedelta(days=3)),
                *(Nickname(boat="Ada", text=text, folded=fold(text)) for text in ("Straße", "Old Lady")),
                value("Ada", "note", text=LONG + "x"),
                value("Bo", "note", text=LONG + "y"),
                value("Ada", "raced", number=1),
                value("Bo", "raced", number=0),
            ]
        )
        opened.flush()
        yield opened
    engine.dispose()


@pytest.mark.parametrize(
    ("field", "op", "wanted", "expected"),
    [
        ("sails", "eq", True, "Ada Cy"),
        ("sails", "ne", True, "Bo"),
        ("insured", "eq", False, "Cy"),
        ("insured", "ne", False, "Ada Bo"),
        ("insured", "is_empty", None, "Bo"),
        ("launched", "within_next_days", 0, "Ada"),
        ("launched", "older_than_days", 0, ""),
        ("launched", "is_not_empty", None, "Ada"),
        ("seen_at", "older_than_days", 2, "Bo"),
        ("seen_at", "within_next_days", 3, "Ada Cy"),
        ("nicknames", "contains", "LAD", "Ada"),
        ("nicknames", "starts_with", "STRASS", "Ada"),
        ("nicknames", "ne", "Old Lady", "Bo Cy"),
        ("nicknames", "is_empty", None, "Bo Cy"),
        ("custom_fields.note", "eq", LONG + "x", "Ada"),
        ("custom_fields.note", "starts_with", LONG.upper() + "Y", "Bo"),
        ("custom_fields.note", "not_in", [LONG + "x"], "Bo Cy"),
        ("custom_fields.note", "is_empty", None, "Cy"),
        ("custom_fields.raced", "eq", False, "Bo"),
        ("custom_fields.raced", "ne", False, "Ada Cy"),
    ],
)
def test_each_way_reaches_its_values(session: Session, field: str, op: str, wanted: Any, expected: str) -> None:
    wire = {"field": field, "op": op, "value": wanted}
    test = condition(parse(wire, VOCABULARY), now=NOW)
    assert list(session.scalars(select(Boat.name).where(test).order_by(Boat.name))) == expected.split()
    # Never NULL: the complement is everything else.
    others = session.scalars(select(Boat.name).where(condition(parse({"not": wire}, VOCABULARY), now=NOW)))
    assert set(others) == {"Ada", "Bo", "Cy"} - set(expected.split())


AT_HOME = dt.datetime(2026, 11, 1, 20, 0, tzinfo=ZoneInfo("America/New_York"))
"""The day on which summer time ends there. It has 25 hours and is the second of November elsewhere."""
ITS_DAY, NEXT_DAY = "2026-11-01", "2026-11-02"
MOMENTS = {
    "last": "2026-11-01T03:59:59Z", "first": "2026-11-01T04:00:00Z", "noon": "2026-11-01T17:00:00Z",
    "end": "2026-11-02T04:59:59Z", "next": "2026-11-02T05:00:00Z",
}  # fmt: skip


@pytest.mark.parametrize(
    ("op", "wanted", "expected"),
    [
        ("eq", ITS_DAY, "first noon end"),
        ("ne", ITS_DAY, "last next"),
        ("gt", ITS_DAY, "next"),
        ("gte", ITS_DAY, "first noon end next"),
        ("lt", ITS_DAY, "last"),
        ("lte", ITS_DAY, "last first noon end"),
        ("between", [ITS_DAY, ITS_DAY], "first noon end"),
        ("between", [ITS_DAY, NEXT_DAY], "first noon end next"),
        ("between", [MOMENTS["noon"], ITS_DAY], "noon end"),
        # A moment of its own zone's next day is one of this day.
        ("between", [MOMENTS["end"], ITS_DAY], "end"),
        ("between", [ITS_DAY, MOMENTS["noon"]], "first noon"),
        ("eq", MOMENTS["noon"], "noon"),
        ("gt", MOMENTS["noon"], "end next"),
        ("lte", MOMENTS["noon"], "last first noon"),
        ("older_than_days", 0, "last"),
        ("older_than_days", 1, ""),
        ("within_next_days", 0, "first noon end"),
        ("within_next_days", 1, "first noon end next"),
        ("gte", "0001-01-01", "last first noon end next"),
        ("gt", "9999-12-31", ""),
        ("lte", "9999-12-31", "last first noon end next"),
    ],
)
def test_an_instant_is_on_the_day_that_the_zones_clocks_show(
    moments: Session, op: str, wanted: Any, expected: str
) -> None:
    wire = {"field": "seen_at", "op": op, "value": wanted}
    test = condition(parse(wire, VOCABULARY), now=AT_HOME)
    found = moments.scalars(select(Boat.name).where(test).order_by(Boat.seen_at))
    assert list(found) == expected.split()


@pytest.fixture(scope="module")
def moments() -> Iterator[Session]:
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as opened:
        opened.add_all(
            Boat(name=name, sails=True, seen_at=dt.datetime.fromisoformat(at)) for name, at in MOMENTS.items()
        )
        opened.flush()
        yield opened
    engine.dispose()


@pytest.mark.parametrize(("zone", "day"), [("Asia/Tokyo", "0001-01-01"), ("America/New_York", "9999-12-31")])
def test_the_first_and_the_last_day_have_a_beginning_and_an_end(moments: Session, zone: str, day: str) -> None:
    wire = {"field": "seen_at", "op": "eq", "value": day}
    test = condition(parse(wire, VOCABULARY), now=AT_HOME.astimezone(ZoneInfo(zone)))
    assert list(moments.scalars(select(Boat.name).where(test))) == []


def test_a_text_without_its_folded_column_is_a_mistake_in_the_catalogue() -> None:
    field = Field("name", "text", Column(Boat.name))
    with pytest.raises(TypeError, match="name has no folded column"):
        field.reach.test(Reading(field, "contains", ("a",)), NOW)
