"""One case task shared with one client: by a message, or by a link to hand over."""

from __future__ import annotations

from marshmallow import Schema

from contracts.base import Choice, Id, Operation
from contracts.errors import Conflict, Invalid, NotFound, Unavailable
from contracts.tasks.case_tasks import CaseTask
from contracts.tasks.common import AN_ID, OWNER, CaseTaskId

SHARED_BY = ("sms", "email", "copy", "portal")
"""A message with a link; a link to copy; a link to all that the client has to do."""


class PrepareSharing(CaseTaskId):
    """`client_id` null: the primary client of the case. (Not named as a question, which a repeated request would ask
    anew.)"""

    client_id = Id(load_default=None, allow_none=True)


class ShareRecipient(Schema):
    """With whom the task can be shared."""

    case_task_id = Id()
    case_id = Id()
    client_id = Id()


class RecordSharing(CaseTaskId):
    """`message_id` of what was sent, or `link_id` of what was made."""

    channel = Choice(*SHARED_BY, required=True)
    message_id = Id(load_default=None, allow_none=True)
    link_id = Id(load_default=None, allow_none=True)


PREPARE_SHARING = Operation(
    OWNER, "prepare_sharing", PrepareSharing, ShareRecipient, (Invalid, NotFound, Conflict, Unavailable),
    permission="tasks.write", example={"case_task_id": AN_ID, "client_id": None},
)  # fmt: skip
RECORD_SHARING = Operation(
    OWNER, "record_sharing", RecordSharing, CaseTask, (NotFound,), permission="tasks.write",
    example={"case_task_id": AN_ID, "channel": "sms", "message_id": AN_ID},
)  # fmt: skip
