"""The sandbox: phones and inboxes in place of a provider."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from contracts.base import Choice, Count, Instant, Operation, PageRequest, Text, page_of
from contracts.errors import Conflict, Invalid, NotFound, Unavailable
from contracts.messaging.common import CHANNELS, CONSENT_STATES, OWNER


class SandboxMessage(Schema):
    """`direction` is ours: outbound is what the firm sent. `html`: an email's page. A call's `body` is what was read
    aloud. `headers`: an email's own, such as List-Unsubscribe."""

    id = fields.String()
    channel = fields.String()
    to = fields.String()
    from_ = fields.String(data_key="from", attribute="from_")
    direction = Choice("outbound", "inbound")
    subject = fields.String(allow_none=True)
    body = fields.String()
    html = fields.String(allow_none=True)
    headers = fields.Dict(keys=fields.String(), values=fields.String(), allow_none=True)
    at = Instant()
    status = fields.String(allow_none=True)


class ListSandbox(PageRequest):
    to = Text(longest=320, load_default=None, allow_none=True)
    since = Instant(load_default=None, allow_none=True)


class SandboxMessageId(Schema):
    sandbox_message_id = Text(longest=120, required=True)


class SandboxReply(Schema):
    sandbox_message_id = Text(longest=120, required=True)
    body = Text(longest=10000, required=True)


class SandboxAction(Schema):
    """What becomes of a message by hand: `deliver` or `bounce` it (whatever was announced before), `complain` about an
    email, `unsubscribe` by its one-click address, `press` a key (`value`) in a call."""

    sandbox_message_id = Text(longest=120, required=True)
    action = Choice("deliver", "bounce", "complain", "unsubscribe", "press", required=True)
    value = Text(longest=20, load_default=None, allow_none=True)


class SandboxWrite(Schema):
    """A person writes first: to any number or address of a firm's."""

    channel = Choice("sms", "email", required=True)
    from_ = Text(longest=320, required=True, data_key="from", attribute="from_")
    to = Text(longest=320, required=True)
    subject = Text(longest=300, load_default=None, allow_none=True)
    body = Text(longest=10000, shortest=1, required=True)


class SandboxAddress(Schema):
    """A phone or inbox. `behaviour` towards what is sent there from now on: `normal`, `bounce` (accepted, then reported
    as undelivered), `refuse` (with the provider's error), `delay` (the report comes after `seconds`)."""

    address = fields.String()
    channel = fields.String()
    behaviour = Choice("normal", "bounce", "refuse", "delay")
    seconds = fields.Float()
    count = Count()
    latest = fields.Nested(SandboxMessage, allow_none=True)


class SetSandboxAddress(Schema):
    address = Text(longest=320, shortest=1, required=True)
    behaviour = Choice("normal", "bounce", "refuse", "delay", required=True)
    seconds = fields.Float(load_default=30.0, validate=validate.Range(min=0, max=86400))


class ListSandboxAddresses(PageRequest):
    """`q`: a part of an address. Newest first."""

    q = Text(longest=320, load_default=None, allow_none=True)
    channel = Choice(*CHANNELS, load_default=None, allow_none=True)


class SandboxAddressId(Schema):
    address = Text(longest=320, shortest=1, required=True)


class SandboxConsent(Schema):
    """What a firm's ledger says of an address by now. `office`: the firm's number or address on that channel."""

    office = fields.String(allow_none=True)
    channel = fields.String()
    state = Choice(*CONSENT_STATES)
    at = Instant()


class SandboxProfile(SandboxAddress):
    """`consents`: of the firms that wrote to the address or were written to, where something was said."""

    consents = fields.List(fields.Nested(SandboxConsent))


class SandboxOffice(Schema):
    channel = fields.String()
    address = fields.String()


class SandboxOffices(Schema):
    """The firms' own numbers and addresses that the sandbox carries, oldest first."""

    offices = fields.List(fields.Nested(SandboxOffice))


class SandboxReplied(Schema):
    """`status` is the HTTP status that our own webhook answered with."""

    status = Count()
    provider_id = fields.String()


LIST_SANDBOX_MESSAGES = Operation(
    OWNER, "list_sandbox_messages", ListSandbox, page_of(SandboxMessage), (Invalid, NotFound), firm=False
)
GET_SANDBOX_MESSAGE = Operation(
    OWNER, "get_sandbox_message", SandboxMessageId, SandboxMessage, (NotFound,), firm=False,
    example={"sandbox_message_id": "SM1"},
)  # fmt: skip
REPLY_TO_SANDBOX_MESSAGE = Operation(
    OWNER, "reply_to_sandbox_message", SandboxReply, SandboxReplied, (Invalid, NotFound, Unavailable), deadline=15.0,
    firm=False, example={"sandbox_message_id": "SM1", "body": "STOP"},
)  # fmt: skip
ACT_ON_SANDBOX_MESSAGE = Operation(
    OWNER, "act_on_sandbox_message", SandboxAction, SandboxReplied, (Invalid, NotFound, Conflict, Unavailable),
    deadline=15.0, firm=False, example={"sandbox_message_id": "SM1", "action": "bounce"},
)  # fmt: skip
WRITE_FROM_SANDBOX = Operation(
    OWNER, "write_from_sandbox", SandboxWrite, SandboxReplied, (Invalid, Unavailable), deadline=15.0, firm=False,
    example={"channel": "sms", "from": "+12125550123", "to": "+12125550100", "body": "Hello"},
)  # fmt: skip
LIST_SANDBOX_ADDRESSES = Operation(
    OWNER, "list_sandbox_addresses", ListSandboxAddresses, page_of(SandboxAddress), (Invalid,), firm=False
)
DESCRIBE_SANDBOX_ADDRESS = Operation(
    OWNER, "describe_sandbox_address", SandboxAddressId, SandboxProfile, (), firm=False, repeatable=True,
    example={"address": "+12125550123"},
)  # fmt: skip
LIST_SANDBOX_OFFICES = Operation(OWNER, "list_sandbox_offices", response=SandboxOffices, firm=False)
SET_SANDBOX_ADDRESS = Operation(
    OWNER, "set_sandbox_address", SetSandboxAddress, SandboxAddress, (Invalid,), firm=False,
    example={"address": "+12125550123", "behaviour": "bounce"},
)  # fmt: skip
