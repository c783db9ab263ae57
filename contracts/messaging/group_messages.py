"""Messages to all members of a group of clients, and what became of them."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from contracts.base import Choice, Count, Flag, Id, Operation, PageRequest, page_of
from contracts.errors import Invalid, NotFound, Unavailable
from contracts.messaging.common import AN_ID, CHANNELS, OWNER
from contracts.messaging.sending import Batch, RequestedMessages
from contracts.tasks import Message, Timing


class RequestGroupMessages(Schema):
    """One message to each client who is in the group now; as `RequestMessages` otherwise. A newsletter is one by
    email."""

    group_id = Id(required=True)
    channels = fields.List(Choice(*CHANNELS), required=True, validate=validate.Length(min=1, max=3))
    fallback = Flag(load_default=False)
    message = fields.Nested(Message, required=True)
    timing = fields.Nested(Timing, load_default=lambda: {"mode": "now", "at": None})
    dry_run = Flag(load_default=False)


class ListGroupMessages(PageRequest):
    """Newest first."""

    group_id = Id(required=True)


class GroupMessages(Batch):
    """A batch that went to a group, as a list of batches shows it. `opted_out_after`: how many of those it reached said
    stop on that channel within seven days."""

    opted_out_after = Count()


REQUEST_GROUP_MESSAGES = Operation(
    OWNER, "request_group_messages", RequestGroupMessages, RequestedMessages, (Invalid, NotFound, Unavailable),
    permission="messages.bulk", deadline=60.0,
    example={"group_id": AN_ID, "channels": ["email"], "message": {"subject": "News", "body": "We moved."}},
)  # fmt: skip
LIST_GROUP_MESSAGES = Operation(
    OWNER, "list_group_messages", ListGroupMessages, page_of(GroupMessages), (Invalid,), permission="messages.read",
    deadline=10.0, example={"group_id": AN_ID},
)  # fmt: skip
