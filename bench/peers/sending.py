"""What both task queues do for one message: the same questions and writes as ours, in plain SQLAlchemy.

One transaction asks whether the address or the client has opted out, holding both rows, and marks the delivery as being
sent with an attempt; Twilio's own client makes the call outside of any; a second transaction records the result and an
event row, which stands for what others hear of it.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import uuid
from functools import cache
from typing import Any

from sqlalchemy import (
    Column,
    DateTime,
    Engine,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    Uuid,
    create_engine,
    insert,
    select,
    update,
)
from twilio.rest import Client

metadata = MetaData()
consents = Table("consent", metadata, Column("key", String(330), primary_key=True), Column("state", String(20)))
deliveries = Table(
    "delivery", metadata,
    Column("id", Uuid(as_uuid=False), primary_key=True), Column("batch_id", Uuid(as_uuid=False), nullable=False),
    Column("client_id", Uuid(as_uuid=False), nullable=False), Column("address", String(320), nullable=False),
    Column("state", String(20), nullable=False), Column("reason", String(60)), Column("body", Text, nullable=False),
    Column("provider_id", String(120)), Column("begun_at", DateTime(timezone=True)),
    Column("sent_at", DateTime(timezone=True)),
    Index("ix_delivery_batch_state", "batch_id", "state"),
)  # fmt: skip
attempts = Table(
    "attempt", metadata,
    Column("delivery_id", Uuid(as_uuid=False), primary_key=True), Column("number", Integer, primary_key=True),
    Column("begun_at", DateTime(timezone=True), nullable=False), Column("ended_at", DateTime(timezone=True)),
    Column("outcome", String(20)),
)  # fmt: skip
events = Table(
    "event", metadata,
    Column("id", Uuid(as_uuid=False), primary_key=True), Column("name", String(60), nullable=False),
    Column("payload", Text, nullable=False), Column("created_at", DateTime(timezone=True), nullable=False),
)  # fmt: skip

TEXT = "Harbor & Pine: Ann, please finish: https://casewire.example/p/{} Reply STOP to end."


@cache
def _engine() -> Engine:
    slots = int(os.environ["PEER_CONCURRENCY"])
    return create_engine(os.environ["PEER_DATABASE_URL"], pool_size=slots, max_overflow=0)


@cache
def _client() -> Any:
    client = Client("ACbench", "token")
    client.api.base_url = os.environ["PEER_TWILIO_URL"]
    return client


def fill(url: str, count: int) -> list[str]:
    """Empties the tables and writes `count` deliveries with the consent rows of their recipients; returns their ids."""
    engine = create_engine(url)
    metadata.drop_all(engine)
    metadata.create_all(engine)
    batch, ids = str(uuid.uuid4()), [str(uuid.uuid4()) for _ in range(count)]
    rows = [
        {"id": id_, "batch_id": batch, "client_id": str(uuid.uuid4()), "address": f"+1917{2_000_000 + number}",
         "state": "queued", "body": TEXT.format(id_)}
        for number, id_ in enumerate(ids)
    ]  # fmt: skip
    keys = [key for row in rows for key in (f"a:{row['address']}", f"c:{row['client_id']}")]
    with engine.begin() as connection:
        connection.execute(insert(deliveries), rows)
        connection.execute(insert(consents), [{"key": key, "state": None} for key in keys])
    engine.dispose()
    return ids


def send(delivery_id: str) -> None:
    """Sends one delivery, unless its recipient has opted out or it is no longer queued."""
    now = dt.datetime.now(dt.UTC)
    with _engine().begin() as connection:
        delivery = connection.execute(
            select(deliveries).where(deliveries.c.id == delivery_id, deliveries.c.state == "queued").with_for_update()
        ).one_or_none()
        if delivery is None:
            return
        keys = (f"a:{delivery.address}", f"c:{delivery.client_id}")
        said = connection.execute(
            select(consents.c.state).where(consents.c.key.in_(keys)).order_by(consents.c.key).with_for_update(read=True)
        ).scalars()
        if "opted_out" in said.all():
            _move(connection, delivery_id, "suppressed", reason="opted_out")
            return
        connection.execute(
            update(deliveries).where(deliveries.c.id == delivery_id).values(state="sending", begun_at=now)
        )
        connection.execute(insert(attempts).values(delivery_id=delivery_id, number=1, begun_at=now))
    created = _client().messages.create(
        to=delivery.address,
        from_="+12125550100",
        body=delivery.body,
        status_callback=f"https://casewire.example/webhooks/twilio/status?token={delivery_id}",
    )
    now = dt.datetime.now(dt.UTC)
    with _engine().begin() as connection:
        _move(connection, delivery_id, "sent", provider_id=created.sid, sent_at=now)
        connection.execute(
            update(attempts).where(attempts.c.delivery_id == delivery_id).values(ended_at=now, outcome="sent")
        )


def _move(connection: Any, delivery_id: str, state: str, **values: Any) -> None:
    connection.execute(update(deliveries).where(deliveries.c.id == delivery_id).values(state=state, **values))
    connection.execute(
        insert(events).values(
            id=str(uuid.uuid4()),
            name=f"delivery.{state}.v1",
            payload=json.dumps({"delivery_id": delivery_id, "state": state}),
            created_at=dt.datetime.now(dt.UTC),
        )
    )
