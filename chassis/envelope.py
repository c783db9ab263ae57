"""The CloudEvents 1.0 envelope that an event travels in, and what a subscription receives."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from marshmallow import ValidationError

from chassis.wire import lenient
from contracts.base import Event

CONTENT_TYPE = "application/cloudevents+json"


class BadEnvelope(Exception):
    """A message that is no event of ours, or whose data its schema refuses. The text names fields, never values."""


@dataclass(frozen=True)
class ReceivedEvent:
    """An event as a handler sees it.

    `data` holds Python values loaded by the event's schema. `attempt` counts from 1. `subscription` is the queue's
    name, `<service>.<event name>.<method name>`. `earlier`: deliveries before this one that ended without an answer, as
    where a process dies.
    """

    id: str
    name: str
    firm_id: str
    subject: str
    time: dt.datetime
    data: dict[str, Any]
    subscription: str
    correlation_id: str | None = None
    aggregate_version: int | None = None
    attempt: int = 1
    earlier: int = 0

    @property
    def came_before(self) -> bool:
        """Whether its handler has had it before, and failed or died."""
        return self.earlier > 0 or self.attempt > 1


def wrap(
    *,
    source: str,
    event_id: str,
    name: str,
    firm_id: str,
    subject: str,
    time: dt.datetime,
    data: Any,
    correlation_id: str | None = None,
    aggregate_version: int | None = None,
) -> dict[str, Any]:
    """The envelope as JSON primitives. `data` holds wire values; `source` is the service that owns the event."""
    envelope = {
        "specversion": "1.0",
        "id": event_id,
        "source": f"/casewire/{source}",
        "type": name,
        "subject": subject,
        "time": time.astimezone(dt.UTC).isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "firmid": firm_id,
        "data": data,
    }
    if correlation_id is not None:
        envelope["correlationid"] = correlation_id
    if aggregate_version is not None:
        envelope["aggregateversion"] = aggregate_version
    return envelope


def unwrap(envelope: Any, event: Event, subscription: str, attempt: int = 1, earlier: int = 0) -> ReceivedEvent:
    """The event in an envelope. Raises BadEnvelope."""
    try:
        if envelope["type"] != event.name:
            raise BadEnvelope(f"expected {event.name}")
        return ReceivedEvent(
            id=str(envelope["id"]),
            name=event.name,
            firm_id=str(envelope["firmid"]),
            subject=str(envelope["subject"]),
            time=dt.datetime.fromisoformat(envelope["time"]),
            data=dict(lenient(event.data).load(envelope["data"])),
            subscription=subscription,
            correlation_id=envelope.get("correlationid"),
            aggregate_version=envelope.get("aggregateversion"),
            attempt=attempt,
            earlier=earlier,
        )
    except ValidationError as error:
        raise BadEnvelope(f"{event.name} refuses {error.messages}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadEnvelope(f"no envelope of {event.name}: {type(error).__name__}") from error
