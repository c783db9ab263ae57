"""Two small services with contracts of their own, to try the chassis on."""

from __future__ import annotations

import datetime as dt
import types
from typing import Any, ClassVar

import eventlet
from marshmallow import Schema, fields
from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id, new_id
from chassis.context import current
from chassis.database import Data, FirmScoped, service_base
from chassis.rpc import Calls, serve
from contracts.base import Count, Empty, Instant, Operation, Text
from contracts.base import Id as WireId
from contracts.errors import Conflict, NotFound


class Pet(Schema):
    id = WireId()
    name = Text()
    born_at = Instant()


class PetId(Schema):
    pet_id = WireId(required=True)


class NewPet(Schema):
    name = Text(longest=20, required=True)
    tags = fields.List(Text(longest=5), load_default=list)


class Nap(Schema):
    seconds = fields.Float(required=True)


class Seen(Schema):
    firm_id = WireId(allow_none=True)
    actor_id = fields.String(allow_none=True)
    correlation_id = fields.String()
    idempotency_key = fields.String(allow_none=True)
    seconds_left = fields.Float()
    sees_only = fields.List(WireId(), allow_none=True)


class Total(Schema):
    pets = Count()


GET_PET = Operation("pets", "get_pet", PetId, Pet, (NotFound,))
CREATE_PET = Operation("pets", "create_pet", NewPet, Pet, (Conflict,))
COUNT_PETS = Operation("pets", "count_pets", Empty, Total)
NAP = Operation("pets", "nap", Nap, Empty, deadline=0.6)
GET_CONTEXT = Operation("pets", "get_context", Empty, Seen, firm=False)
FAIL = Operation("pets", "fail", PetId, Empty)
OVERSLEEP = Operation("pets", "oversleep", Empty, Empty)
SELL_PET = Operation("shop", "sell_pet", NewPet, Pet)
GET_CALLER = Operation("shop", "get_caller", Empty, Seen)
HAUNT = Operation("ghosts", "haunt", Empty, Empty)


def _module(owner: str, *operations: Operation) -> types.ModuleType:
    module = types.ModuleType(owner)
    vars(module).update({"OWNER": owner, **{entry.name.upper(): entry for entry in operations}})
    return module


pets = _module("pets", GET_PET, CREATE_PET, COUNT_PETS, NAP, GET_CONTEXT, FAIL, OVERSLEEP)
shop = _module("shop", SELL_PET, GET_CALLER)
ghosts = _module("ghosts", HAUNT)

Base = service_base("pets")


class PetRow(FirmScoped, Base):  # type: ignore[misc]
    __tablename__ = "pet"
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(20))


BORN = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)


def context_seen() -> dict[str, Any]:
    context = current()
    assert context is not None
    return {
        "firm_id": context.firm_id,
        "actor_id": context.actor_id,
        "correlation_id": context.correlation_id,
        "idempotency_key": context.idempotency_key,
        "seconds_left": context.remaining(99),
        "sees_only": context.sees_only,
    }


class Pets:
    name = "pets"
    db = Data(Base)
    naps_ended: ClassVar[list[float]] = []
    begun: ClassVar[list[str]] = []

    @serve(GET_PET)
    def get_pet(self, pet_id: str) -> dict[str, Any]:
        with self.db.read() as session:
            row = session.get(PetRow, pet_id)
        if row is None:
            raise NotFound("pet_not_found", pet_id=pet_id)
        return {"id": row.id, "name": row.name, "born_at": BORN}

    @serve(CREATE_PET)
    def create_pet(self, name: str, tags: list[str]) -> dict[str, Any]:
        self.begun.append(name)
        if name == "slow":
            eventlet.sleep(0.3)
        with self.db.unit_of_work() as uow:
            row = PetRow(id=new_id(), name=name)
            uow.session.add(row)
            return uow.answer({"id": row.id, "name": name, "born_at": BORN})

    @serve(COUNT_PETS)
    def count_pets(self) -> dict[str, int]:
        with self.db.read() as session:
            return {"pets": session.query(PetRow).count()}

    @serve(NAP)
    def nap(self, seconds: float) -> None:
        eventlet.sleep(seconds)
        self.naps_ended.append(seconds)

    @serve(GET_CONTEXT)
    def get_context(self) -> dict[str, Any]:
        return context_seen()

    @serve(FAIL)
    def fail(self, pet_id: str) -> None:
        raise KeyError("what nobody should read")

    @serve(OVERSLEEP)
    def oversleep(self) -> None:
        with eventlet.Timeout(0.05):
            eventlet.sleep(5)


class Shop:
    name = "shop"
    calls = Calls(pets, ghosts)

    @serve(SELL_PET)
    def sell_pet(self, name: str, tags: list[str]) -> dict[str, Any]:
        return self.calls.pets.create_pet(name=name, tags=tags)

    @serve(GET_CALLER)
    def get_caller(self) -> dict[str, Any]:
        return self.calls.pets.get_context()


class Customer:
    """Calls from outside of any worker, as the gateway does."""

    name = "customer"
    calls = Calls(pets, shop, ghosts)
    raw = Calls(pets, raw=True)
