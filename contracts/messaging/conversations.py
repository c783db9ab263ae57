"""Conversations across channels, the communications log, media, and notices to staff."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from contracts.base import Choice, Count, Event, Flag, Id, Instant, Operation, PageRequest, Stamped, Text, ids, page_of
from contracts.errors import Conflict, Gone, Invalid, NotFound, Unavailable
from contracts.messaging.common import AN_ID, CHANNELS, OWNER
from contracts.messaging.consent import Preferences
from contracts.messaging.sending import MessageRecord
from contracts.tasks import Timing

CONVERSATION_KINDS = ("client", "shared", "unmatched")
LOG_KINDS = ("call", "meeting", "other")


class Conversation(Stamped):
    """What was said with one client, over all channels; or, where an address belongs to several clients (`shared`) or
    to none that we know (`unmatched`), with that address. `unread`: inbound messages since a person looked. `preview`
    is null also where the last message is about a case that the caller may not see."""

    kind = Choice(*CONVERSATION_KINDS)
    state = Choice("open", "closed")
    client_id = Id(allow_none=True)
    client_ids = fields.List(Id())
    channel = fields.String(allow_none=True)
    address = fields.String(allow_none=True)
    assigned_staff_id = Id(allow_none=True)
    unread = Count()
    last_message_at = Instant(allow_none=True)
    last_direction = Choice("inbound", "outbound", allow_none=True)
    preview = fields.String(allow_none=True)


class ListConversations(PageRequest):
    """`sort`: last_message_at, created_at. `address`: E.164 or an email address."""

    kind = Choice(*CONVERSATION_KINDS, load_default=None, allow_none=True)
    state = Choice("open", "closed", load_default=None, allow_none=True)
    client_id = Id(load_default=None, allow_none=True)
    assigned_staff_id = Id(load_default=None, allow_none=True)
    address = Text(longest=320, load_default=None, allow_none=True)
    unread = Flag(load_default=False)


class ConversationId(Schema):
    conversation_id = Id(required=True)


class ConversationFields(Schema):
    """`read` true: everything in it has been seen."""

    state = Choice("open", "closed")
    assigned_staff_id = Id(allow_none=True)
    read = Flag()


class UpdateConversation(ConversationId):
    changes = fields.Nested(ConversationFields, required=True)
    expected_version = fields.Integer(load_default=None, allow_none=True)


class AssignConversation(ConversationId):
    """Whose conversation it is: what was said in it goes to that client's own."""

    client_id = Id(required=True)


class ListConversationMessages(ConversationId, PageRequest):
    pass


class SendToConversation(ConversationId):
    """`channel` null: the one that was written by last. With no client known yet, it goes to the address."""

    channel = Choice(*CHANNELS, load_default=None, allow_none=True)
    template_id = Id(load_default=None, allow_none=True)
    subject = Text(longest=300, load_default=None, allow_none=True)
    body = Text(longest=20000, load_default=None, allow_none=True)
    html = Text(longest=200_000, load_default=None, allow_none=True)
    timing = fields.Nested(Timing, load_default=lambda: {"mode": "now", "at": None})


class MediaId(Schema):
    message_id = Id(required=True)
    media_id = Id(required=True)


class MediaFile(Schema):
    """Where a stored file is in the object store."""

    file_key = fields.String()
    filename = fields.String()
    content_type = fields.String()
    size = Count()


class LogEntryFields(Schema):
    """`minutes`: how long it took."""

    kind = Choice(*LOG_KINDS)
    direction = Choice("inbound", "outbound", allow_none=True)
    at = Instant()
    minutes = fields.Integer(strict=True, allow_none=True, validate=validate.Range(min=0, max=10_000))
    subject = Text(longest=300, allow_none=True)
    notes = Text(longest=20000, shortest=1)
    participants = fields.List(Text(longest=200, shortest=1), validate=validate.Length(max=50))
    case_id = Id(allow_none=True)


class LogEntry(LogEntryFields, Stamped):
    client_id = Id()
    staff_id = Id(allow_none=True)


class LogCommunication(LogEntryFields):
    client_id = Id(required=True)
    kind = Choice(*LOG_KINDS, required=True)
    notes = Text(longest=20000, shortest=1, required=True)


class LogEntryId(Schema):
    log_entry_id = Id(required=True)


class UpdateLogEntry(LogEntryId):
    changes = fields.Nested(LogEntryFields, required=True)
    expected_version = fields.Integer(load_default=None, allow_none=True)


class Communication(Schema):
    """One line of the communications log: a message, or what staff wrote down about a call or a meeting."""

    id = Id()
    at = Instant()
    kind = Choice("message", *LOG_KINDS)
    message = fields.Nested(MessageRecord, allow_none=True)
    entry = fields.Nested(LogEntry, allow_none=True)


class ClientContact(Schema):
    """A page of a client's communications, and its preferences: what a card shows of both, at once."""

    communications = fields.Nested(page_of(Communication))
    preferences = fields.Nested(Preferences)


class ListCommunications(PageRequest):
    """`kind`: which of them; all if none is named. `sort`: at."""

    client_id = Id(required=True)
    kind = fields.List(Choice("message", *LOG_KINDS), load_default=list)


class Notice(Stamped):
    """Something a staff member should know. `about`: ids by their names, such as conversation_id."""

    staff_id = Id()
    kind = fields.String()
    title = fields.String()
    about = fields.Dict(keys=fields.String(), values=fields.String())
    read_at = Instant(allow_none=True)


class ListNotices(PageRequest):
    """Those of the staff member who asks, newest first."""

    unread = Flag(load_default=False)


class MarkNoticesRead(Schema):
    """`notice_ids` empty: all of the staff member who asks."""

    notice_ids = ids(200, load_default=list)


class NoticesRead(Schema):
    marked = Count()


class NotifyStaff(Schema):
    """`kind`: a word such as message_received; `once`: the same again for one staff member adds nothing."""

    staff_ids = ids(200, smallest=1, required=True)
    kind = Text(longest=60, shortest=1, required=True)
    title = Text(longest=300, shortest=1, required=True)
    about = fields.Dict(keys=Text(longest=60), values=Text(longest=120), load_default=dict)
    once = Text(longest=120, load_default=None, allow_none=True)


class NotifiedStaff(Schema):
    notified = Count()


class CommunicationLogged(Schema):
    """Staff wrote down a call, a meeting or the like with a client. `case_id`, which older events have not: the case
    that it was about."""

    log_entry_id = Id(required=True)
    client_id = Id(required=True)
    kind = fields.String(required=True)
    staff_id = Id(required=True, allow_none=True)
    case_id = Id(allow_none=True)


class ConversationAssigned(Schema):
    """A person said whose an address's conversation is; what was said in it is in the client's own now."""

    conversation_id = Id(required=True)
    client_id = Id(required=True)


LIST_CONVERSATIONS = Operation(
    OWNER, "list_conversations", ListConversations, page_of(Conversation), (Invalid,), permission="messages.read"
)
GET_CONVERSATION = Operation(
    OWNER, "get_conversation", ConversationId, Conversation, (NotFound,), permission="messages.read",
    example={"conversation_id": AN_ID},
)  # fmt: skip
UPDATE_CONVERSATION = Operation(
    OWNER, "update_conversation", UpdateConversation, Conversation, (Invalid, NotFound, Conflict, Unavailable),
    permission="messages.write", example={"conversation_id": AN_ID, "changes": {"read": True}},
)  # fmt: skip
ASSIGN_CONVERSATION = Operation(
    OWNER, "assign_conversation", AssignConversation, Conversation, (Invalid, NotFound, Gone, Conflict, Unavailable),
    permission="messages.write", example={"conversation_id": AN_ID, "client_id": AN_ID},
)  # fmt: skip
LIST_CONVERSATION_MESSAGES = Operation(
    OWNER, "list_conversation_messages", ListConversationMessages, page_of(MessageRecord), (Invalid, NotFound),
    permission="messages.read", example={"conversation_id": AN_ID},
)  # fmt: skip
SEND_TO_CONVERSATION = Operation(
    OWNER, "send_to_conversation", SendToConversation, MessageRecord, (Invalid, NotFound, Gone, Unavailable),
    permission="messages.write", example={"conversation_id": AN_ID, "body": "Thank you, we have it."},
)  # fmt: skip
GET_MEDIA = Operation(
    OWNER, "get_media", MediaId, MediaFile, (NotFound, Conflict), permission="messages.read",
    example={"message_id": AN_ID, "media_id": AN_ID},
)  # fmt: skip
LIST_COMMUNICATIONS = Operation(
    OWNER, "list_communications", ListCommunications, page_of(Communication), (Invalid,), permission="messages.read",
    example={"client_id": AN_ID},
)  # fmt: skip
GET_CLIENT_CONTACT = Operation(
    OWNER, "get_client_contact", ListCommunications, ClientContact, (Invalid, NotFound, Gone, Unavailable),
    permission="messages.read", example={"client_id": AN_ID},
)  # fmt: skip
LOG_COMMUNICATION = Operation(
    OWNER, "log_communication", LogCommunication, LogEntry, (Invalid, NotFound, Gone, Unavailable),
    permission="messages.write", example={"client_id": AN_ID, "kind": "call", "notes": "Asked for the deed."},
)  # fmt: skip
UPDATE_LOG_ENTRY = Operation(
    OWNER, "update_log_entry", UpdateLogEntry, LogEntry, (Invalid, NotFound, Conflict, Unavailable),
    permission="messages.write", example={"log_entry_id": AN_ID, "changes": {"minutes": 10}},
)  # fmt: skip
LIST_NOTICES = Operation(OWNER, "list_notices", ListNotices, page_of(Notice), (Invalid,), permission="messages.read")
MARK_NOTICES_READ = Operation(
    OWNER, "mark_notices_read", MarkNoticesRead, NoticesRead, (Invalid, NotFound), permission="messages.read"
)
NOTIFY_STAFF = Operation(
    OWNER, "notify_staff", NotifyStaff, NotifiedStaff, (Invalid, Unavailable),
    example={"staff_ids": [AN_ID], "kind": "task_overdue", "title": "A task is overdue"},
)  # fmt: skip

COMMUNICATION_LOGGED = Event(
    OWNER, "communication.logged.v1", CommunicationLogged,
    example={"log_entry_id": AN_ID, "client_id": AN_ID, "kind": "call", "staff_id": AN_ID, "case_id": AN_ID},
)  # fmt: skip
CONVERSATION_ASSIGNED = Event(
    OWNER, "conversation.assigned.v1", ConversationAssigned,
    example={"conversation_id": AN_ID, "client_id": AN_ID},
)  # fmt: skip
