"""Events from the outbox to a committed effect, on the chassis."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields
from nameko.web.handlers import http
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id, new_id
from chassis.database import Data, FirmScoped, service_base
from chassis.events import ReceivedEvent, on
from contracts.base import Event

OWNER = "bench_producer"
FIRM = "018f4e9a-0000-7000-8000-000000000001"
CHUNK = 500


class Done(Schema):
    number = fields.Integer(required=True)


THING_DONE = Event(OWNER, "thing.done.v1", Done, example={"number": 1})

ProducerBase = service_base("bench_producer")
ConsumerBase = service_base("bench_consumer")


class Effect(FirmScoped, ConsumerBase):  # type: ignore[misc, valid-type]
    __tablename__ = "effect"

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    number: Mapped[int]


class Producer:
    """Emits `count` events, in transactions of 500 as a use case would."""

    name = OWNER
    db = Data(ProducerBase)

    @http("POST", "/produce/<int:count>")
    def produce(self, request: Any, count: int) -> str:
        db = self.db.for_firm(FIRM)
        for first in range(0, count, CHUNK):
            with db.unit_of_work() as uow:
                numbers = range(first, min(first + CHUNK, count))
                uow.emit_many(THING_DONE, [(new_id(), {"number": number}) for number in numbers])
        return "done"


class Consumer:
    """Writes a row for each event, once."""

    name = "bench_consumer"
    db = Data(ConsumerBase)

    @on(THING_DONE, batch=500)
    def note(self, events: list[ReceivedEvent]) -> None:
        with self.db.unit_of_work(once=events) as uow:
            uow.insert(Effect, [{"number": event.data["number"]} for event in uow.fresh])
