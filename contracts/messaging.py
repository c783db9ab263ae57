"""messaging: consent, templates, batches and their deliveries, single messages, what comes in, and the sandbox."""

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
    page_of,
)
from contracts.errors import Conflict, Invalid, NotFound, Unavailable
from contracts.tasks import Message, NotificationEstimate, NotificationItem, Timing

OWNER = "messaging"
CHANNELS = ("sms", "email")
CONSENT_CHANNELS = ("sms", "email", "phone")
CONSENT_STATES = ("opted_in", "opted_out")
SUPPRESSIONS = (
    "opted_out", "no_consent", "no_address", "invalid_address", "duplicate", "task_closed", "client_erased",
    "client_blocked", "repeated",
)  # fmt: skip
DELIVERY_STATES = (
    "accepted", "queued", "sending", "sent", "delivered", "failed", "undelivered", "suppressed", "cancelled", "unknown",
)  # fmt: skip


class TemplateVariant(Schema):
    """`body` with variables such as {{ client.first_name }} and {{ task.link }}; `subject` only for email."""

    channel = Choice(*CHANNELS, required=True)
    language = fields.String(load_default="en", validate=validate.Regexp(r"^[a-z]{2,3}$", error="Like en."))
    subject = Text(longest=300, load_default=None, allow_none=True)
    body = Text(longest=20000, shortest=1, required=True)


class MessageTemplateFields(Schema):
    name = Text(longest=120, shortest=1)
    variants = fields.List(fields.Nested(TemplateVariant), validate=validate.Length(min=1, max=20))


class MessageTemplate(MessageTemplateFields, Stamped):
    """`version` is also the version of the texts: a batch keeps the one that it was asked with."""


class CreateMessageTemplate(MessageTemplateFields):
    name = Text(longest=120, shortest=1, required=True)
    variants = fields.List(fields.Nested(TemplateVariant), required=True, validate=validate.Length(min=1, max=20))


class MessageTemplateId(Schema):
    message_template_id = Id(required=True)


class UpdateMessageTemplate(MessageTemplateId):
    changes = fields.Nested(MessageTemplateFields, required=True)
    expected_version = fields.Integer(load_default=None, allow_none=True)


class SaveContent(Schema):
    """Checks a message against the channels it is for, and keeps it as it is now."""

    message = fields.Nested(Message, required=True)
    channels = fields.List(Choice(*CHANNELS), required=True, validate=validate.Length(min=1))


class SavedContent(Schema):
    content_id = Id()


class EstimateNotifications(Schema):
    """At most 500 case tasks in one call, each with all its clients: outcomes of different case tasks do not depend
    on each other, so that the caller may add up the answers."""

    message = fields.Nested(Message, required=True)
    channels = fields.List(Choice(*CHANNELS), required=True, validate=validate.Length(min=1))
    fallback = Flag(load_default=False)
    allow_repeat = Flag(load_default=False)
    items = fields.List(fields.Nested(NotificationItem), required=True, validate=validate.Length(max=500))


class BatchId(Schema):
    batch_id = Id(required=True)


class Batch(Stamped):
    """`accepted` counts case tasks; `counts` the deliveries by state, and their sum is `deliveries`. `suppressions`
    counts the suppressed ones by reason. `progress`: deliveries that are settled, of all."""

    state = Choice("accepted", "running", "paused", "cancelled", "finished")
    accepted = Count()
    deliveries = Count()
    counts = fields.Dict(keys=fields.String(), values=Count())
    suppressions = fields.Dict(keys=fields.String(), values=Count())
    progress = fields.Nested(Progress)
    finish_expected_at = Instant(allow_none=True)


class ListDeliveries(PageRequest):
    batch_id = Id(required=True)
    state = Choice(*DELIVERY_STATES, load_default=None, allow_none=True)
    reason = Text(longest=60, load_default=None, allow_none=True)


class Delivery(Stamped):
    """One row of the ledger: case task × recipient × channel. `attempts`: how many calls to the provider began."""

    batch_id = Id(allow_none=True)
    case_task_id = Id(allow_none=True)
    case_id = Id(allow_none=True)
    client_id = Id()
    channel = fields.String()
    state = fields.String()
    reason = fields.String(allow_none=True)
    address = fields.String(allow_none=True)
    segments = Count(allow_none=True)
    attempts = Count()
    provider_id = fields.String(allow_none=True)
    send_after = Instant(allow_none=True)
    sent_at = Instant(allow_none=True)


class SendMessage(Schema):
    """One message to one client. `case_task_id` gives {{ task.link }} its task."""

    client_id = Id(required=True)
    channel = Choice(*CHANNELS, required=True)
    template_id = Id(load_default=None, allow_none=True)
    body = Text(longest=20000, load_default=None, allow_none=True)
    subject = Text(longest=300, load_default=None, allow_none=True)
    case_task_id = Id(load_default=None, allow_none=True)
    timing = fields.Nested(Timing, load_default=lambda: {"mode": "now", "at": None})


class MessageId(Schema):
    message_id = Id(required=True)


class MessageRecord(Stamped):
    """`to` and `from` are addresses. The body of an outbound message never holds a live link token."""

    client_id = Id(allow_none=True)
    channel = fields.String()
    direction = Choice("outbound", "inbound")
    to = fields.String(allow_none=True)
    from_ = fields.String(data_key="from", attribute="from_", allow_none=True)
    body = fields.String(allow_none=True)
    state = fields.String()
    reason = fields.String(allow_none=True)
    batch_id = Id(allow_none=True)
    case_task_id = Id(allow_none=True)
    kind = Choice("message", "notification", "opt_out_confirmation", "opt_in_confirmation", "help")


class ListMessages(PageRequest):
    client_id = Id(load_default=None, allow_none=True)
    address = Text(longest=320, load_default=None, allow_none=True)
    direction = Choice("outbound", "inbound", load_default=None, allow_none=True)
    batch_id = Id(load_default=None, allow_none=True)


class ConsentEntry(Schema):
    """One entry of the append-only ledger. `evidence`: the exact words and the provider's id."""

    id = Id()
    at = Instant()
    channel = fields.String()
    address = fields.String(allow_none=True)
    client_id = Id(allow_none=True)
    state = Choice(*CONSENT_STATES)
    source = Choice("reply", "webhook", "portal", "staff", "import", "provider", "merge")
    evidence = fields.Dict()
    rule_version = fields.String()


class ListConsents(PageRequest):
    address = Text(longest=320, load_default=None, allow_none=True)
    client_id = Id(load_default=None, allow_none=True)


class SetPreferences(Schema):
    """What a client wants, on each channel that is named."""

    client_id = Id(required=True)
    sms = Choice(*CONSENT_STATES)
    email = Choice(*CONSENT_STATES)
    phone = Choice(*CONSENT_STATES)
    source = Choice("staff", "portal", load_default="staff")


class ClientIdOnly(Schema):
    client_id = Id(required=True)


class Preferences(Schema):
    """null: nothing was ever said on that channel."""

    client_id = Id()
    sms = Choice(*CONSENT_STATES, allow_none=True)
    email = Choice(*CONSENT_STATES, allow_none=True)
    phone = Choice(*CONSENT_STATES, allow_none=True)


class ConsentReview(Stamped):
    """A reply that was taken as a revocation without being sure: it blocks, and a person decides."""

    channel = fields.String()
    address = fields.String()
    words = fields.String()
    rule = fields.String()
    decision = Choice("opted_out", "opted_in", allow_none=True)


class DecideReview(Schema):
    consent_review_id = Id(required=True)
    decision = Choice("opted_out", "opted_in", required=True)


class SenderFields(Schema):
    """A number or address that messages go out from. `rate`: messages a second, shared by all replicas."""

    channel = Choice(*CHANNELS, required=True)
    address = Text(longest=320, shortest=1, required=True)
    rate = fields.Float(load_default=1.0, validate=validate.Range(min=0.01, max=10000))
    messaging_service_sid = Text(longest=60, load_default=None, allow_none=True)


class Sender(SenderFields, Stamped):
    provider = fields.String()


class InboundMedia(Schema):
    url = Text(longest=2000, required=True)
    content_type = Text(longest=120, load_default="application/octet-stream")


class InboundMessage(Schema):
    """What a provider's webhook said, after the gateway checked its signature. `to` finds the firm by its sender.
    `opt_out_type`: Twilio's own Advanced Opt-Out has answered already (STOP, START, HELP)."""

    provider = Text(longest=30, required=True)
    provider_id = Text(longest=120, shortest=1, required=True)
    channel = Choice(*CHANNELS, required=True)
    from_ = Text(longest=320, required=True, data_key="from", attribute="from_")
    to = Text(longest=320, required=True)
    body = Text(longest=100000, load_default="")
    messaging_service_sid = Text(longest=60, load_default=None, allow_none=True)
    opt_out_type = Text(longest=20, load_default=None, allow_none=True)
    media = fields.List(fields.Nested(InboundMedia), load_default=list, validate=validate.Length(max=20))


class InboundReceived(Schema):
    """`effect`: what it was taken for. `repeated`: the provider's id was known already."""

    message_id = Id()
    effect = Choice("opted_out", "opted_in", "help", "none")
    repeated = fields.Boolean()


class DeliveryStatus(Schema):
    """A provider's status callback. `token` is the delivery's own, from the callback's address."""

    provider = Text(longest=30, required=True)
    provider_id = Text(longest=120, shortest=1, required=True)
    status = Text(longest=40, shortest=1, required=True)
    error_code = Text(longest=20, load_default=None, allow_none=True)
    token = Text(longest=120, load_default=None, allow_none=True)


class StatusRecorded(Schema):
    """`applied` is false for a repeat, a status that would go back, or a delivery that is not known."""

    applied = fields.Boolean()


class SandboxMessage(Schema):
    id = fields.String()
    channel = fields.String()
    to = fields.String()
    from_ = fields.String(data_key="from", attribute="from_")
    direction = Choice("outbound", "inbound")
    subject = fields.String(allow_none=True)
    body = fields.String()
    at = Instant()
    status = fields.String(allow_none=True)


class ListSandbox(PageRequest):
    to = Text(longest=320, load_default=None, allow_none=True)
    since = Instant(load_default=None, allow_none=True)


class SandboxReply(Schema):
    sandbox_message_id = Text(longest=120, required=True)
    body = Text(longest=10000, required=True)


class SandboxReplied(Schema):
    """`status` is the HTTP status that our own webhook answered with."""

    status = Count()
    provider_id = fields.String()


class ConsentChanged(Schema):
    """`client_ids`: whose address it is, as far as messaging knows when it happens."""

    consent_id = Id(required=True)
    channel = fields.String(required=True)
    state = fields.String(required=True)
    source = fields.String(required=True)
    client_ids = fields.List(Id(), required=True)


class MessageReceived(Schema):
    message_id = Id(required=True)
    channel = fields.String(required=True)
    client_ids = fields.List(Id(), required=True)
    effect = fields.String(required=True)


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
    batch_id = Id(required=True)
    state = fields.String(required=True)
    deliveries = Count(required=True)


_ID = "018f4e9a-0000-7000-8000-000000000040"
_DELIVERY = {
    "delivery_id": _ID, "batch_id": _ID, "case_task_id": _ID, "case_id": _ID, "client_id": _ID, "channel": "sms",
    "state": "sent", "reason": None, "at": "2026-11-21T15:00:00Z",
}  # fmt: skip

CREATE_MESSAGE_TEMPLATE = Operation(
    OWNER, "create_message_template", CreateMessageTemplate, MessageTemplate, (Invalid, Conflict),
    permission="message_templates.write",
    example={"name": "Ask", "variants": [{"channel": "sms", "body": "Hi {{ client.first_name }}: {{ task.link }}"}]},
)  # fmt: skip
GET_MESSAGE_TEMPLATE = Operation(
    OWNER, "get_message_template", MessageTemplateId, MessageTemplate, (NotFound,), permission="messages.read",
    example={"message_template_id": _ID},
)  # fmt: skip
LIST_MESSAGE_TEMPLATES = Operation(
    OWNER, "list_message_templates", PageRequest, page_of(MessageTemplate), (Invalid,), permission="messages.read"
)
UPDATE_MESSAGE_TEMPLATE = Operation(
    OWNER, "update_message_template", UpdateMessageTemplate, MessageTemplate, (Invalid, NotFound, Conflict),
    permission="message_templates.write", example={"message_template_id": _ID, "changes": {"name": "Ask again"}},
)  # fmt: skip
SAVE_CONTENT = Operation(
    OWNER, "save_content", SaveContent, SavedContent, (Invalid, NotFound),
    example={"message": {"body": "Please: {{ task.link }}"}, "channels": ["sms"]},
)  # fmt: skip
ESTIMATE_NOTIFICATIONS = Operation(
    OWNER, "estimate_notifications", EstimateNotifications, NotificationEstimate, (Invalid, NotFound, Unavailable),
    deadline=20.0,
    example={"message": {"body": "Please: {{ task.link }}"}, "channels": ["sms"],
             "items": [{"case_task_id": _ID, "case_id": _ID, "client_ids": [_ID]}]},
)  # fmt: skip
GET_BATCH = Operation(
    OWNER, "get_batch", BatchId, Batch, (NotFound, Unavailable), permission="messages.read", example={"batch_id": _ID}
)
LIST_DELIVERIES = Operation(
    OWNER, "list_deliveries", ListDeliveries, page_of(Delivery), (Invalid, NotFound, Unavailable),
    permission="messages.read", example={"batch_id": _ID},
)  # fmt: skip
PAUSE_BATCH = Operation(
    OWNER, "pause_batch", BatchId, Batch, (NotFound, Conflict, Unavailable), permission="messages.bulk",
    example={"batch_id": _ID},
)  # fmt: skip
RESUME_BATCH = Operation(
    OWNER, "resume_batch", BatchId, Batch, (NotFound, Conflict, Unavailable), permission="messages.bulk",
    example={"batch_id": _ID},
)  # fmt: skip
CANCEL_BATCH = Operation(
    OWNER, "cancel_batch", BatchId, Batch, (NotFound, Conflict, Unavailable), permission="messages.bulk",
    example={"batch_id": _ID},
)  # fmt: skip
SEND_MESSAGE = Operation(
    OWNER, "send_message", SendMessage, MessageRecord, (Invalid, NotFound, Unavailable), permission="messages.write",
    example={"client_id": _ID, "channel": "sms", "body": "See you at nine."},
)  # fmt: skip
GET_MESSAGE = Operation(
    OWNER, "get_message", MessageId, MessageRecord, (NotFound,), permission="messages.read", example={"message_id": _ID}
)
LIST_MESSAGES = Operation(
    OWNER, "list_messages", ListMessages, page_of(MessageRecord), (Invalid,), permission="messages.read"
)
LIST_CONSENTS = Operation(
    OWNER, "list_consents", ListConsents, page_of(ConsentEntry), (Invalid,), permission="consents.read",
    example={"address": "+12125550123"},
)  # fmt: skip
GET_PREFERENCES = Operation(
    OWNER, "get_preferences", ClientIdOnly, Preferences, (NotFound, Unavailable), permission="consents.read",
    example={"client_id": _ID},
)  # fmt: skip
SET_PREFERENCES = Operation(
    OWNER, "set_preferences", SetPreferences, Preferences, (Invalid, NotFound, Unavailable),
    permission="consents.write", example={"client_id": _ID, "sms": "opted_out"},
)  # fmt: skip
LIST_CONSENT_REVIEWS = Operation(
    OWNER, "list_consent_reviews", PageRequest, page_of(ConsentReview), (Invalid,), permission="consents.read"
)
DECIDE_CONSENT_REVIEW = Operation(
    OWNER, "decide_consent_review", DecideReview, ConsentReview, (NotFound, Conflict), permission="consents.write",
    example={"consent_review_id": _ID, "decision": "opted_out"},
)  # fmt: skip
LIST_SENDERS = Operation(OWNER, "list_senders", PageRequest, page_of(Sender), (Invalid,), permission="firm.read")
PUT_SENDER = Operation(
    OWNER, "put_sender", SenderFields, Sender, (Invalid, Conflict), permission="firm.write",
    example={"channel": "sms", "address": "+12125550100", "rate": 50.0},
)  # fmt: skip
RECEIVE_INBOUND_MESSAGE = Operation(
    OWNER, "receive_inbound_message", InboundMessage, InboundReceived, (Invalid, NotFound), firm=False,
    example={"provider": "twilio", "provider_id": "SM1", "channel": "sms", "from": "+12125550123",
             "to": "+12125550100", "body": "STOP"},
)  # fmt: skip
RECORD_DELIVERY_STATUS = Operation(
    OWNER, "record_delivery_status", DeliveryStatus, StatusRecorded, (Invalid,), firm=False,
    example={"provider": "twilio", "provider_id": "SM1", "status": "delivered", "token": "t"},
)  # fmt: skip
LIST_SANDBOX_MESSAGES = Operation(
    OWNER, "list_sandbox_messages", ListSandbox, page_of(SandboxMessage), (Invalid, NotFound), firm=False
)
REPLY_TO_SANDBOX_MESSAGE = Operation(
    OWNER, "reply_to_sandbox_message", SandboxReply, SandboxReplied, (Invalid, NotFound, Unavailable), deadline=15.0,
    firm=False, example={"sandbox_message_id": "SM1", "body": "STOP"},
)  # fmt: skip

CONSENT_CHANGED = Event(
    OWNER, "consent.changed.v1", ConsentChanged,
    example={"consent_id": _ID, "channel": "sms", "state": "opted_out", "source": "reply", "client_ids": [_ID]},
)  # fmt: skip
MESSAGE_RECEIVED = Event(
    OWNER, "message.received.v1", MessageReceived,
    example={"message_id": _ID, "channel": "sms", "client_ids": [_ID], "effect": "none"},
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
BATCH_FINISHED = Event(
    OWNER, "batch.finished.v1", BatchFinished, example={"batch_id": _ID, "state": "finished", "deliveries": 3}
)
