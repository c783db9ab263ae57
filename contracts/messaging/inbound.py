"""What providers tell us: messages, statuses, email events, key presses."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from contracts.base import Choice, Count, Event, Flag, Id, Instant, Operation, Text
from contracts.errors import Invalid, NotFound, Unavailable
from contracts.messaging.common import AN_ID, CHANNELS, OWNER


class InboundMedia(Schema):
    """Either `url`, where the provider keeps it, or `file_key`, where the gateway has put it in the object store."""

    url = Text(longest=2000, load_default=None, allow_none=True)
    file_key = Text(longest=300, load_default=None, allow_none=True)
    filename = Text(longest=255, load_default=None, allow_none=True)
    content_type = Text(longest=120, load_default="application/octet-stream")


class InboundMessage(Schema):
    """What a provider's webhook said, after the gateway checked its signature. `to` finds the firm by its sender.
    `opt_out_type`: Twilio's own Advanced Opt-Out has answered already (STOP, START, HELP). `automatic`: an
    out-of-office answer and the like, which says nothing about consent. `proven` false: who wrote it may be another
    than it says, so that it ends messages but begins none."""

    provider = Text(longest=30, required=True)
    provider_id = Text(longest=120, shortest=1, required=True)
    channel = Choice(*CHANNELS, required=True)
    from_ = Text(longest=320, required=True, data_key="from", attribute="from_")
    to = Text(longest=320, required=True)
    subject = Text(longest=998, load_default=None, allow_none=True)
    body = Text(longest=100000, load_default="")
    automatic = Flag(load_default=False)
    proven = Flag(load_default=True)
    messaging_service_sid = Text(longest=60, load_default=None, allow_none=True)
    opt_out_type = Text(longest=20, load_default=None, allow_none=True)
    media = fields.List(fields.Nested(InboundMedia), load_default=list, validate=validate.Length(max=20))


class PortalMessage(Schema):
    """What a client wrote behind a secure link. `once`: the same again is the same message."""

    client_id = Id(required=True)
    link_id = Id(required=True)
    body = Text(longest=5000, shortest=1, required=True)
    once = Text(longest=60, shortest=8, required=True)


class InboundReceived(Schema):
    """`effect`: what it was taken for. `repeated`: the provider's id was known already."""

    message_id = Id()
    effect = Choice("opted_out", "opted_in", "help", "none")
    repeated = fields.Boolean()


class DeliveryStatus(Schema):
    """A provider's status callback. `token` is the delivery's own, from the callback's address. `segments` and `price`
    are the provider's own figures."""

    provider = Text(longest=30, required=True)
    provider_id = Text(longest=120, shortest=1, required=True)
    status = Text(longest=40, shortest=1, required=True)
    error_code = Text(longest=20, load_default=None, allow_none=True)
    token = Text(longest=120, load_default=None, allow_none=True)
    segments = Count(load_default=None, allow_none=True)
    price = fields.Decimal(as_string=True, load_default=None, allow_none=True)
    currency = Text(longest=10, load_default=None, allow_none=True)


class EmailRecipient(Schema):
    """`hard`: the address does not exist, or will never take a message. `code`: the other side's own."""

    address = Text(longest=320, required=True)
    hard = Flag(load_default=False)
    code = Text(longest=60, load_default=None, allow_none=True)


class EmailEvent(Schema):
    """What became of an email, as the provider's notification says, its signature checked. `event_id` is the same when
    it comes again. `token` is the delivery's own, from the message's tags."""

    provider = Text(longest=30, required=True)
    event_id = Text(longest=120, shortest=1, required=True)
    kind = Choice("sent", "delivered", "bounced", "complained", "rejected", "delayed", required=True)
    provider_id = Text(longest=120, shortest=1, required=True)
    token = Text(longest=120, load_default=None, allow_none=True)
    recipients = fields.List(fields.Nested(EmailRecipient), load_default=list, validate=validate.Length(max=100))
    at = Instant(load_default=None, allow_none=True)


class KeyPress(Schema):
    """A key that somebody pressed during a call that we made. `token` is the delivery's own. `event_id` is the same
    when the provider tells of it again; without one, each time counts."""

    provider = Text(longest=30, required=True)
    provider_id = Text(longest=120, shortest=1, required=True)
    digits = Text(longest=20, required=True)
    token = Text(longest=120, load_default=None, allow_none=True)
    event_id = Text(longest=120, shortest=1, load_default=None, allow_none=True)


class InboundCall(Schema):
    """Somebody calls a number of ours; `digits` once a key was pressed in it."""

    provider = Text(longest=30, required=True)
    provider_id = Text(longest=120, shortest=1, required=True)
    from_ = Text(longest=320, required=True, data_key="from", attribute="from_")
    to = Text(longest=320, required=True)
    digits = Text(longest=20, load_default=None, allow_none=True)


class Spoken(Schema):
    """What is said next in a call, and whether a key is awaited after it."""

    text = fields.String()
    language = fields.String()
    awaits_key = fields.Boolean()


class StatusRecorded(Schema):
    """`applied` is false for a repeat, a status that would go back, or a delivery that is not known."""

    applied = fields.Boolean()


class MessageReceived(Schema):
    """Somebody wrote to us. `client_ids`: whose address it is, as far as messaging knew when it came."""

    message_id = Id(required=True)
    channel = fields.String(required=True)
    client_ids = fields.List(Id(), required=True)
    effect = fields.String(required=True)


RECEIVE_INBOUND_MESSAGE = Operation(
    OWNER, "receive_inbound_message", InboundMessage, InboundReceived, (Invalid, NotFound), firm=False,
    repeatable=True,
    example={"provider": "twilio", "provider_id": "SM1", "channel": "sms", "from": "+12125550123",
             "to": "+12125550100", "body": "STOP"},
)  # fmt: skip
RECEIVE_PORTAL_MESSAGE = Operation(
    OWNER, "receive_portal_message", PortalMessage, InboundReceived, (Invalid,), repeatable=True,
    example={"client_id": AN_ID, "link_id": AN_ID, "body": "When is my hearing?", "once": "0123456789abcdef"},
)  # fmt: skip
RECORD_DELIVERY_STATUS = Operation(
    OWNER, "record_delivery_status", DeliveryStatus, StatusRecorded, (Invalid,), firm=False, repeatable=True,
    example={"provider": "twilio", "provider_id": "SM1", "status": "delivered", "token": "t"},
)  # fmt: skip
RECORD_EMAIL_EVENT = Operation(
    OWNER, "record_email_event", EmailEvent, StatusRecorded, (Invalid,), firm=False, repeatable=True,
    example={"provider": "ses", "event_id": "e", "kind": "bounced", "provider_id": "m", "token": "t",
             "recipients": [{"address": "ann@example.com", "hard": True}]},
)  # fmt: skip
RECORD_KEY_PRESS = Operation(
    OWNER, "record_key_press", KeyPress, Spoken, (Invalid, NotFound, Unavailable), firm=False, repeatable=True,
    example={"provider": "twilio", "provider_id": "CA1", "digits": "9", "token": "t", "event_id": "e"},
)  # fmt: skip
RECEIVE_INBOUND_CALL = Operation(
    OWNER, "receive_inbound_call", InboundCall, Spoken, (Invalid, NotFound, Unavailable), firm=False, repeatable=True,
    example={"provider": "twilio", "provider_id": "CA1", "from": "+12125550123", "to": "+12125550100"},
)  # fmt: skip

MESSAGE_RECEIVED = Event(
    OWNER, "message.received.v1", MessageReceived,
    example={"message_id": AN_ID, "channel": "sms", "client_ids": [AN_ID], "effect": "none"},
)  # fmt: skip
