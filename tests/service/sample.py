"""A small pair of services for tests of the chassis: `maker` makes things, `taker` notes them."""

from __future__ import annotations

import datetime as dt

from marshmallow import Schema, fields
from sqlalchemy import ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from chassis.columns import Id, Json, new_id
from chassis.database import FirmScoped, service_base
from contracts.base import Event, Text

MakerBase = service_base("maker")
TakerBase = service_base("taker")


class Thing(FirmScoped, MakerBase):
    __tablename__ = "thing"
    __table_args__ = (UniqueConstraint("firm_id", "name"), UniqueConstraint("firm_id", "id"))

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    name: Mapped[str | None]
    size: Mapped[int] = mapped_column(default=1)
    made_at: Mapped[dt.datetime | None]
    facts: Mapped[dict[str, object] | None] = mapped_column(Json)
    parts: Mapped[list[Part]] = relationship(back_populates="thing")


class Part(FirmScoped, MakerBase):
    __tablename__ = "part"
    __table_args__ = (
        ForeignKeyConstraint(["firm_id", "thing_id"], ["thing.firm_id", "thing.id"]),
        Index("ix_part_thing", "firm_id", "thing_id"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    thing_id: Mapped[str] = mapped_column(Id)
    label: Mapped[str]
    thing: Mapped[Thing] = relationship(back_populates="parts")


class Noted(FirmScoped, TakerBase):
    __tablename__ = "noted"

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    number: Mapped[int]
    handler: Mapped[str]


class Made(Schema):
    number = fields.Integer(required=True, strict=True)
    note = Text(load_default="")


THING_MADE = Event("maker", "thing.made.v1", Made, example={"number": 1, "note": ""})
