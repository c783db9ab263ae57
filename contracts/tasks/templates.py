"""Task templates: questions that can be asked on any case."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from contracts.base import Choice, Flag, Id, Operation, PageRequest, Stamped, Text, page_of
from contracts.errors import Conflict, Invalid, NotFound, Unavailable
from contracts.mapping import Mapping
from contracts.tasks.common import AN_ID, OWNER, QUESTION_KINDS
from contracts.tasks.due import OverdueHandling
from contracts.tasks.files import FILE_TYPES, LARGEST_FILE, MOST_FILES


class Checks(Schema):
    """Limits on an answer: figures for number, characters for text, days (ISO) for date, how many of several choices.

    Of a file upload `file_types`, the endings of what is taken (like `pdf`), `max_files`, and `max_size` of each in
    bytes. `region`: the country, by its two letters, whose phone numbers may come without a country code; US if null.
    """

    minimum = fields.Float(allow_none=True)
    maximum = fields.Float(allow_none=True)
    min_length = fields.Integer(strict=True, allow_none=True, validate=validate.Range(min=0, max=20000))
    max_length = fields.Integer(strict=True, allow_none=True, validate=validate.Range(min=1, max=20000))
    earliest = fields.Date(allow_none=True)
    latest = fields.Date(allow_none=True)
    min_choices = fields.Integer(strict=True, allow_none=True, validate=validate.Range(min=1, max=200))
    max_choices = fields.Integer(strict=True, allow_none=True, validate=validate.Range(min=1, max=200))
    file_types = fields.List(Choice(*FILE_TYPES), allow_none=True, validate=validate.Length(min=1, max=len(FILE_TYPES)))
    max_files = fields.Integer(strict=True, allow_none=True, validate=validate.Range(min=1, max=MOST_FILES))
    max_size = fields.Integer(strict=True, allow_none=True, validate=validate.Range(min=1, max=LARGEST_FILE))
    region = Text(longest=2, shortest=2, allow_none=True)


class TaskTemplateFields(Schema):
    """`sensitive`: what is answered is sealed, and shown to its client and to who has `clients.read_sensitive`. Always
    so while the mapped field is sensitive."""

    title = Text(longest=200, shortest=1)
    instructions = Text(longest=10000, allow_none=True)
    kind = Choice(*QUESTION_KINDS)
    required = Flag()
    options = fields.List(Text(longest=200, shortest=1), validate=validate.Length(max=200))
    checks = fields.Nested(Checks)
    mapping = fields.Nested(Mapping, allow_none=True)
    overdue = fields.Nested(OverdueHandling, allow_none=True)
    sensitive = Flag()


class TaskTemplate(TaskTemplateFields, Stamped):
    """`archived`: kept, and not assigned any more, but by forms that have it."""

    archived = fields.Boolean()


class CreateTaskTemplate(TaskTemplateFields):
    title = Text(longest=200, shortest=1, required=True)
    kind = Choice(*QUESTION_KINDS, required=True)


class TaskTemplateId(Schema):
    task_template_id = Id(required=True)


class TaskTemplateChanges(TaskTemplateFields):
    """A `kind`, or `options`, that a condition of a form in use does not fit any more are Conflict
    `template_in_condition`."""

    archived = Flag()


class UpdateTaskTemplate(TaskTemplateId):
    changes = fields.Nested(TaskTemplateChanges, required=True)
    expected_version = fields.Integer(load_default=None, allow_none=True)


class ListTaskTemplates(PageRequest):
    """`archived`: those that are, in place of those in use. `sort`: title, created_at."""

    archived = Flag(load_default=False)


class CopyTaskTemplate(TaskTemplateId):
    title = Text(longest=200, shortest=1, required=True)


CREATE_TASK_TEMPLATE = Operation(
    OWNER, "create_task_template", CreateTaskTemplate, TaskTemplate, (Invalid, Unavailable),
    permission="task_templates.write",
    example={"title": "Your mobile number", "kind": "phone", "mapping": {"target": "client", "field": "phone"}},
)  # fmt: skip
GET_TASK_TEMPLATE = Operation(
    OWNER, "get_task_template", TaskTemplateId, TaskTemplate, (NotFound,), permission="tasks.read",
    example={"task_template_id": AN_ID},
)  # fmt: skip
LIST_TASK_TEMPLATES = Operation(
    OWNER, "list_task_templates", ListTaskTemplates, page_of(TaskTemplate), (Invalid,), permission="tasks.read"
)
UPDATE_TASK_TEMPLATE = Operation(
    OWNER, "update_task_template", UpdateTaskTemplate, TaskTemplate, (Invalid, NotFound, Conflict, Unavailable),
    permission="task_templates.write", example={"task_template_id": AN_ID, "changes": {"mapping": None}},
)  # fmt: skip
COPY_TASK_TEMPLATE = Operation(
    OWNER, "copy_task_template", CopyTaskTemplate, TaskTemplate, (Invalid, NotFound), permission="task_templates.write",
    example={"task_template_id": AN_ID, "title": "Your other number"},
)  # fmt: skip
