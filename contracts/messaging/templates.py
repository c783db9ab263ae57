"""Stored message templates, and messages kept as they were when somebody asked for them."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from contracts.base import Choice, Id, Operation, PageRequest, Stamped, Text, page_of
from contracts.errors import Conflict, Invalid, NotFound
from contracts.messaging.common import AN_ID, CHANNELS, OWNER
from contracts.tasks import Message


class TemplateVariant(Schema):
    """`body` with variables such as {{ client.first_name }} and {{ task.link }}; `subject` and `html` only for email.

    `html`: the message as a web page, where values of variables are escaped; `body` is its text part. Without it the
    page is made of the text. For `phone`, `body` is read aloud and holds no link.
    """

    channel = Choice(*CHANNELS, required=True)
    language = fields.String(
        load_default="en", validate=validate.Regexp(r"^[a-z]{2,3}$", error="Not a language like en.")
    )
    subject = Text(longest=300, load_default=None, allow_none=True)
    body = Text(longest=20000, shortest=1, required=True)
    html = Text(longest=200_000, load_default=None, allow_none=True)


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
    """`uses`: the variables that it names."""

    content_id = Id()
    uses = fields.List(fields.String())


CREATE_MESSAGE_TEMPLATE = Operation(
    OWNER, "create_message_template", CreateMessageTemplate, MessageTemplate, (Invalid, Conflict),
    permission="message_templates.write",
    example={"name": "Ask", "variants": [{"channel": "sms", "body": "Hi {{ client.first_name }}: {{ task.link }}"}]},
)  # fmt: skip
GET_MESSAGE_TEMPLATE = Operation(
    OWNER, "get_message_template", MessageTemplateId, MessageTemplate, (NotFound,), permission="messages.read",
    example={"message_template_id": AN_ID},
)  # fmt: skip
LIST_MESSAGE_TEMPLATES = Operation(
    OWNER, "list_message_templates", PageRequest, page_of(MessageTemplate), (Invalid,), permission="messages.read"
)
UPDATE_MESSAGE_TEMPLATE = Operation(
    OWNER, "update_message_template", UpdateMessageTemplate, MessageTemplate, (Invalid, NotFound, Conflict),
    permission="message_templates.write", example={"message_template_id": AN_ID, "changes": {"name": "Ask again"}},
)  # fmt: skip
SAVE_CONTENT = Operation(
    OWNER, "save_content", SaveContent, SavedContent, (Invalid, NotFound),
    example={"message": {"body": "Please: {{ task.link }}"}, "channels": ["sms"]},
)  # fmt: skip
