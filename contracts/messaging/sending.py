"""Estimates, batches and their deliveries, single messages, and the senders they go out from."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from contracts.base import (
    Choice,
    Count,
    Event,
    Flag,
    Id,
    Instant,
    Operation,
    PageRequest,
    Progress,
    Stamped,
    Text,
    ids,
    page_of,
)
from contracts.errors import Conflict, Forbidden, Gone, Invalid, NotFound, Unavailable
from contracts.messaging.common import AN_ID, CHANNELS, DELIVERY_STATES, OWNER
from contracts.tasks import Message, NotificationEstimate, NotificationItem, Timing


class EstimateNotifications(Schema):
    """At most 500 case tasks in one call, each with all its clients: outcomes of different case tasks do not depend
    on each other, so that the caller may add up the answers, but for `waits_seconds`, which is in each. With
    `coalesce`, a client's case tasks belong into one call, or are counted as a message in each."""

    message = fields.Nested(Message, required=True)
    channels = fields.List(Choice(*CHANNELS), required=True, validate=validate.Length(min=1))
    fallback = Flag(load_default=False)
    allow_repeat = Flag(load_default=False)
    coalesce = Flag(load_default=False)
    items = fields.List(fields.Nested(NotificationItem), required=True, validate=validate.Length(max=500))


MESSAGE_KINDS = (
    "message", "notification", "opt_out_confirmation", "opt_in_confirmation", "help", "staff_notice",
)  # fmt: skip


class BatchId(Schema):
    batch_id = Id(required=True)


class Batch(Stamped):
    """`accepted` counts case tasks (or clients, where no task is meant); `counts` the deliveries by state, and their
    sum is `deliveries`. `suppressions` counts the suppressed ones by reason. `progress`: deliveries that are settled,
    of all. `segments` and `price` are those of its messages, as far as they are known once it has ended: the provider's
    own figures where it gave them. `unpriced` counts the messages it took and has named no price for, or not yet."""

    kind = Choice("notification", "message")
    channels = fields.List(fields.String())
    requested_by = Id(allow_none=True)
    group_id = Id(allow_none=True)
    state = Choice("accepted", "running", "paused", "cancelled", "finished")
    accepted = Count()
    deliveries = Count()
    counts = fields.Dict(keys=fields.String(), values=Count())
    suppressions = fields.Dict(keys=fields.String(), values=Count())
    progress = fields.Nested(Progress)
    finish_expected_at = Instant(allow_none=True)
    segments = Count(allow_none=True)
    price = fields.Decimal(places=4, as_string=True, allow_none=True)
    unpriced = Count(allow_none=True)
    currency = fields.String(allow_none=True)


class ListDeliveries(PageRequest):
    batch_id = Id(required=True)
    state = Choice(*DELIVERY_STATES, load_default=None, allow_none=True)
    reason = Text(longest=60, load_default=None, allow_none=True)


class Delivery(Stamped):
    """One row of the ledger: case task × recipient × channel. `contact_id`: the contact of a business client that it
    goes to. `attempts`: how many calls to the provider began.
    `joined_to`: the delivery whose one message tells of this case task as well (`coalesce`). `provider_segments`,
    `price`: the provider's own figures."""

    batch_id = Id(allow_none=True)
    case_task_id = Id(allow_none=True)
    case_id = Id(allow_none=True)
    client_id = Id()
    contact_id = Id(allow_none=True)
    channel = fields.String()
    state = fields.String()
    reason = fields.String(allow_none=True)
    address = fields.String(allow_none=True)
    segments = Count(allow_none=True)
    attempts = Count()
    joined_to = Id(allow_none=True)
    provider_id = fields.String(allow_none=True)
    provider_segments = Count(allow_none=True)
    price = fields.Decimal(places=6, as_string=True, allow_none=True)
    currency = fields.String(allow_none=True)
    send_after = Instant(allow_none=True)
    sent_at = Instant(allow_none=True)


class RequestMessages(Schema):
    """One message to each of many clients. Every listed channel is sent, or with `fallback` the first reachable one."""

    client_ids = ids(10_000, smallest=1, required=True)
    channels = fields.List(Choice(*CHANNELS), required=True, validate=validate.Length(min=1, max=3))
    fallback = Flag(load_default=False)
    message = fields.Nested(Message, required=True)
    timing = fields.Nested(Timing, load_default=lambda: {"mode": "now", "at": None})
    dry_run = Flag(load_default=False)


class RequestedMessages(Schema):
    """`accepted` counts the clients. `batch_id` is null on a dry run, `estimate` otherwise."""

    batch_id = Id(allow_none=True)
    accepted = Count()
    estimate = fields.Nested(NotificationEstimate, allow_none=True)


class MessagesRequested(Schema):
    """messaging's own: one chunk (about 500 clients) of a request. `accepted` is the whole request's count of clients,
    `chunk` counts from 1 to `chunks`."""

    batch_id = Id(required=True)
    chunk = Count(required=True)
    chunks = Count(required=True)
    accepted = Count(required=True)
    content_id = Id(required=True)
    channels = fields.List(fields.String(), required=True)
    fallback = fields.Boolean(required=True)
    timing = fields.Nested(Timing, required=True)
    requested_by = Id(required=True, allow_none=True)
    requested_at = Instant(required=True)
    client_ids = fields.List(Id(), required=True)


class ListBatches(PageRequest):
    """Newest first. A record of a list leaves out `finish_expected_at`, `segments`, `price`, `unpriced` and
    `currency`."""

    state = Choice("accepted", "running", "paused", "cancelled", "finished", load_default=None, allow_none=True)
    kind = Choice("notification", "message", load_default=None, allow_none=True)


class SendMessage(Schema):
    """One message to one client. `case_task_id` gives {{ task.link }} its task, and {{ form.link }} that task's form;
    with a link it is sent only while the task is open. Of a business's case each contact hears who is marked for
    notices, as with a notification in bulk, in a message of their own. `needs_link`: a text without a link is refused,
    and without a text of its own the message says that there is a question to answer."""

    client_id = Id(required=True)
    channel = Choice(*CHANNELS, required=True)
    template_id = Id(load_default=None, allow_none=True)
    body = Text(longest=20000, load_default=None, allow_none=True)
    subject = Text(longest=300, load_default=None, allow_none=True)
    html = Text(longest=200_000, load_default=None, allow_none=True)
    case_task_id = Id(load_default=None, allow_none=True)
    timing = fields.Nested(Timing, load_default=lambda: {"mode": "now", "at": None})
    needs_link = Flag(load_default=False)


class MessageId(Schema):
    message_id = Id(required=True)


class Media(Schema):
    """A picture or file that came with a message. `state`: waiting (still to be fetched), stored, refused (`reason`:
    too_large, not_allowed), failed. `content_type` is judged by the content."""

    id = Id()
    filename = fields.String(allow_none=True)
    content_type = fields.String(allow_none=True)
    size = Count(allow_none=True)
    state = Choice("waiting", "stored", "refused", "failed")
    reason = fields.String(allow_none=True)


class CallOutcome(Schema):
    """What came of a call that was made. `outcome`: `answered` by a person or a machine; null until it is known. `key`:
    9 if that was pressed in it to end our calls. `keys`: what was pressed in it, in order, the last 20; null if nothing
    was."""

    outcome = Choice("answered", "no_answer", "busy", "failed", allow_none=True)
    key = fields.String(allow_none=True)
    keys = fields.String(allow_none=True)


class MessageRecord(Stamped):
    """`to` and `from` are addresses. The body of an outbound message never holds a live link token. `client_ids`: whose
    address an inbound message came from; `client_id` only if there is one. `staff_id`: who wrote an outbound one, or
    whom a notice is for. `contact_id`: the contact of a business client whom an outbound one goes to, once that is
    decided. `call`: of a call that was made."""

    client_id = Id(allow_none=True)
    contact_id = Id(allow_none=True)
    channel = fields.String()
    direction = Choice("outbound", "inbound")
    to = fields.String(allow_none=True)
    from_ = fields.String(data_key="from", attribute="from_", allow_none=True)
    subject = fields.String(allow_none=True)
    body = fields.String(allow_none=True)
    media = fields.List(fields.Nested(Media))
    state = fields.String()
    reason = fields.String(allow_none=True)
    conversation_id = Id(allow_none=True)
    client_ids = fields.List(Id())
    batch_id = Id(allow_none=True)
    case_task_id = Id(allow_none=True)
    staff_id = Id(allow_none=True)
    kind = Choice(*MESSAGE_KINDS)
    segments = Count(allow_none=True)
    provider_segments = Count(allow_none=True)
    price = fields.Decimal(places=6, as_string=True, allow_none=True)
    currency = fields.String(allow_none=True)
    sent_at = Instant(allow_none=True)
    call = fields.Nested(CallOutcome, allow_none=True)


class ListMessages(PageRequest):
    client_id = Id(load_default=None, allow_none=True)
    address = Text(longest=320, load_default=None, allow_none=True)
    direction = Choice("outbound", "inbound", load_default=None, allow_none=True)
    batch_id = Id(load_default=None, allow_none=True)


class SenderFields(Schema):
    """A number or address that messages go out from. `rate`: messages a second, shared by all replicas."""

    channel = Choice(*CHANNELS, required=True)
    address = Text(longest=320, shortest=1, required=True)
    rate = fields.Float(load_default=1.0, validate=validate.Range(min=0.01, max=10000))
    messaging_service_sid = Text(longest=60, load_default=None, allow_none=True)


class Sender(SenderFields, Stamped):
    provider = fields.String()


class DeliveryEvent(Schema):
    """One delivery reached a state that others care about."""

    delivery_id = Id(required=True)
    batch_id = Id(required=True, allow_none=True)
    case_task_id = Id(required=True, allow_none=True)
    case_id = Id(required=True, allow_none=True)
    client_id = Id(required=True)
    channel = fields.String(required=True)
    state = fields.String(required=True)
    reason = fields.String(required=True, allow_none=True)
    at = Instant(required=True)


class BatchFinished(Schema):
    """`counts`: its deliveries by state, `suppressions` the suppressed ones by reason. What is not required is missing
    from older events."""

    batch_id = Id(required=True)
    state = fields.String(required=True)
    deliveries = Count(required=True)
    counts = fields.Dict(keys=fields.String(), values=Count())
    suppressions = fields.Dict(keys=fields.String(), values=Count())


class CaseMessageRejected(Schema):
    """The message that this run of an automation asked for was not taken: `message_template_not_found`,
    `channel_missing`, or `no_such_subject` where it names a task and the run is about none."""

    automation_run_id = Id(required=True)
    case_id = Id(required=True)
    code = fields.String(required=True)


_DELIVERY = {
    "delivery_id": AN_ID, "batch_id": AN_ID, "case_task_id": AN_ID, "case_id": AN_ID, "client_id": AN_ID,
    "channel": "sms", "state": "sent", "reason": None, "at": "2026-11-21T15:00:00Z",
}  # fmt: skip
ESTIMATE_NOTIFICATIONS = Operation(
    OWNER, "estimate_notifications", EstimateNotifications, NotificationEstimate, (Invalid, NotFound, Unavailable),
    deadline=20.0,
    example={"message": {"body": "Please: {{ task.link }}"}, "channels": ["sms"],
             "items": [{"case_task_id": AN_ID, "case_id": AN_ID, "client_ids": [AN_ID]}]},
)  # fmt: skip
GET_BATCH = Operation(
    OWNER,
    "get_batch",
    BatchId,
    Batch,
    (NotFound, Unavailable),
    permission="messages.read",
    example={"batch_id": AN_ID},
)
LIST_DELIVERIES = Operation(
    OWNER, "list_deliveries", ListDeliveries, page_of(Delivery), (Invalid, NotFound, Unavailable),
    permission="messages.read", example={"batch_id": AN_ID},
)  # fmt: skip
PAUSE_BATCH = Operation(
    OWNER, "pause_batch", BatchId, Batch, (NotFound, Conflict, Forbidden, Unavailable), permission="messages.bulk",
    example={"batch_id": AN_ID},
)  # fmt: skip
RESUME_BATCH = Operation(
    OWNER, "resume_batch", BatchId, Batch, (NotFound, Conflict, Forbidden, Unavailable), permission="messages.bulk",
    example={"batch_id": AN_ID},
)  # fmt: skip
CANCEL_BATCH = Operation(
    OWNER, "cancel_batch", BatchId, Batch, (NotFound, Conflict, Forbidden, Unavailable), permission="messages.bulk",
    example={"batch_id": AN_ID},
)  # fmt: skip
REQUEST_MESSAGES = Operation(
    OWNER, "request_messages", RequestMessages, RequestedMessages, (Invalid, NotFound, Gone, Unavailable),
    permission="messages.bulk", deadline=30.0,
    example={"client_ids": [AN_ID], "channels": ["email"], "message": {"subject": "News", "body": "We moved."}},
)  # fmt: skip
CANCEL_MESSAGE = Operation(
    OWNER, "cancel_message", MessageId, MessageRecord, (NotFound, Conflict), permission="messages.write",
    example={"message_id": AN_ID},
)  # fmt: skip
LIST_BATCHES = Operation(OWNER, "list_batches", ListBatches, page_of(Batch), (Invalid,), permission="messages.read")
SEND_MESSAGE = Operation(
    OWNER, "send_message", SendMessage, MessageRecord, (Invalid, NotFound, Gone, Unavailable),
    permission="messages.write", example={"client_id": AN_ID, "channel": "sms", "body": "See you at nine."},
)  # fmt: skip
GET_MESSAGE = Operation(
    OWNER,
    "get_message",
    MessageId,
    MessageRecord,
    (NotFound,),
    permission="messages.read",
    example={"message_id": AN_ID},
)
LIST_MESSAGES = Operation(
    OWNER, "list_messages", ListMessages, page_of(MessageRecord), (Invalid,), permission="messages.read"
)
LIST_SENDERS = Operation(OWNER, "list_senders", PageRequest, page_of(Sender), (Invalid,), permission="firm.read")
PUT_SENDER = Operation(
    OWNER, "put_sender", SenderFields, Sender, (Invalid, Conflict), permission="firm.write",
    example={"channel": "sms", "address": "+12125550100", "rate": 50.0},
)  # fmt: skip
DELIVERY_SENT = Event(OWNER, "delivery.sent.v1", DeliveryEvent, example=_DELIVERY)
DELIVERY_DELIVERED = Event(OWNER, "delivery.delivered.v1", DeliveryEvent, example={**_DELIVERY, "state": "delivered"})
DELIVERY_FAILED = Event(
    OWNER, "delivery.failed.v1", DeliveryEvent, example={**_DELIVERY, "state": "failed", "reason": "30003"}
)
DELIVERY_SUPPRESSED = Event(
    OWNER, "delivery.suppressed.v1", DeliveryEvent,
    example={**_DELIVERY, "state": "suppressed", "reason": "opted_out"},
)  # fmt: skip
MESSAGES_REQUESTED = Event(
    OWNER, "messages.requested.v1", MessagesRequested,
    example={
        "batch_id": AN_ID, "chunk": 1, "chunks": 1, "accepted": 1, "content_id": AN_ID, "channels": ["email"],
        "fallback": False, "timing": {"mode": "now"}, "requested_by": AN_ID, "requested_at": "2026-11-21T15:00:00Z",
        "client_ids": [AN_ID],
    },
)  # fmt: skip
BATCH_FINISHED = Event(
    OWNER, "batch.finished.v1", BatchFinished,
    example={
        "batch_id": AN_ID, "state": "finished", "deliveries": 3, "counts": {"sent": 2, "suppressed": 1},
        "suppressions": {"opted_out": 1},
    },
)  # fmt: skip
CASE_MESSAGE_REJECTED = Event(
    OWNER, "case_message.rejected.v1", CaseMessageRejected,
    example={"automation_run_id": AN_ID, "case_id": AN_ID, "code": "channel_missing"},
)  # fmt: skip
