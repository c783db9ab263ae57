"""Requests to notify the clients of many cases."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from contracts.base import Choice, Count, Event, Flag, Id, Instant, Operation, Text, ids
from contracts.cases import Selector
from contracts.errors import Invalid, NotFound, Unavailable
from contracts.tasks.common import A_SELECTOR, AN_ID, CHANNELS, OPEN_STATUSES, OWNER


class Timing(Schema):
    """`at`: when to send in the mode `at`, and in no other; at most 366 days ahead. A moment that has passed is now."""

    mode = Choice("now", "at", "business_hours", load_default="now")
    at = Instant(load_default=None, allow_none=True)


class Message(Schema):
    """What to say: a stored template, or a text of its own (`subject` and `html` for email)."""

    template_id = Id(load_default=None, allow_none=True)
    body = Text(longest=20000, load_default=None, allow_none=True)
    subject = Text(longest=300, load_default=None, allow_none=True)
    html = Text(longest=200_000, load_default=None, allow_none=True)


class RequestNotifications(Schema):
    """Work is counted by case task. Every listed channel is sent, or with `fallback` the first reachable one."""

    selector = fields.Nested(Selector, required=True)
    statuses = fields.List(Choice(*OPEN_STATUSES, "completed"), load_default=lambda: list(OPEN_STATUSES),
                           validate=validate.Length(min=1))  # fmt: skip
    template_ids = ids(100, load_default=list)
    channels = fields.List(Choice(*CHANNELS), required=True, validate=validate.Length(min=1, max=3))
    fallback = Flag(load_default=False)
    message = fields.Nested(Message, required=True)
    timing = fields.Nested(Timing, load_default=lambda: {"mode": "now", "at": None})
    dry_run = Flag(load_default=False)
    coalesce = Flag(load_default=False)
    allow_repeat = Flag(load_default=False)


class NotificationEstimate(Schema):
    """Recipients by outcome (`send`, `joined` to another's message, or a suppression reason), segments, cost in
    `currency`, and the seconds until the last would have gone out at the senders' rates; `waits_seconds` of them go by
    with what waits there already."""

    recipients = fields.Dict(keys=fields.String(), values=Count())
    segments = Count()
    cost = fields.Decimal(places=4, as_string=True)
    currency = fields.String()
    seconds = fields.Float()
    waits_seconds = fields.Float()


class NotificationRequest(Schema):
    """`accepted` counts the case tasks queued, not messages delivered. `batch_id` is null on a dry run."""

    batch_id = Id(allow_none=True)
    accepted = Count()
    estimate = fields.Nested(NotificationEstimate, allow_none=True)
    created_at = Instant(allow_none=True)


class NotificationRequestId(Schema):
    batch_id = Id(required=True)


class NotificationItem(Schema):
    """One case task to notify about; `client_ids` are its case's clients, the primary first."""

    case_task_id = Id(required=True)
    case_id = Id(required=True)
    client_ids = fields.List(Id(), required=True)


class NotificationRequested(Schema):
    """One chunk (about 500 case tasks) of a request. `content_id` names the message that messaging keeps. `accepted`
    is the whole request's count of case tasks, `chunk` counts from 1 to `chunks`."""

    batch_id = Id(required=True)
    chunk = Count(required=True)
    chunks = Count(required=True)
    accepted = Count(required=True)
    content_id = Id(required=True)
    channels = fields.List(fields.String(), required=True)
    fallback = fields.Boolean(required=True)
    coalesce = fields.Boolean(required=True)
    allow_repeat = fields.Boolean(required=True)
    statuses = fields.List(fields.String(), required=True)
    timing = fields.Nested(Timing, required=True)
    requested_by = Id(required=True, allow_none=True)
    requested_at = Instant(required=True)
    items = fields.List(fields.Nested(NotificationItem), required=True)


REQUEST_NOTIFICATIONS = Operation(
    OWNER, "request_notifications", RequestNotifications, NotificationRequest, (Invalid, NotFound, Unavailable),
    deadline=60.0, permission="messages.bulk",
    example={"selector": A_SELECTOR, "channels": ["sms"], "message": {"body": "Please: {{ task.link }}"}},
)  # fmt: skip
GET_NOTIFICATION_REQUEST = Operation(
    OWNER, "get_notification_request", NotificationRequestId, NotificationRequest, (NotFound,),
    permission="messages.read", example={"batch_id": AN_ID},
)  # fmt: skip
NOTIFICATION_REQUESTED = Event(
    OWNER, "notification.requested.v1", NotificationRequested,
    example={
        "batch_id": AN_ID, "chunk": 1, "chunks": 1, "accepted": 1, "content_id": AN_ID, "channels": ["sms"],
        "fallback": False, "coalesce": False, "allow_repeat": False, "statuses": ["to_do"], "timing": {"mode": "now"},
        "requested_by": AN_ID, "requested_at": "2026-11-21T15:00:00Z",
        "items": [{"case_task_id": AN_ID, "case_id": AN_ID, "client_ids": [AN_ID]}],
    },
)  # fmt: skip
