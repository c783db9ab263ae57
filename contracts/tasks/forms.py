"""Forms: questions in sections, in versions, and what of them is assigned to cases."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validate

from contracts.base import (
    Count,
    Empty,
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
from contracts.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from contracts.tasks.common import AN_ID, OWNER, Due

MOST_SECTIONS = 50
MOST_FORM_TASKS = 300
"""In all sections of one form."""


def form_key(**kwargs: Any) -> Text:
    """What a form calls one of its tasks: lower-case letters, figures and underscores, a letter first."""
    shape = validate.Regexp(r"[a-z][a-z0-9_]{0,59}\Z", error="Lower-case letters, figures and _; a letter first.")
    return Text(longest=60, validate=[shape], **kwargs)


class FormTask(Schema):
    """One question of a form. `required` null: as its template says. `condition`: asked only if it holds, in the filter
    language over `answers.<key>` of earlier tasks. `due`: unless null, in place of what the assignment says. `prefill`:
    the client's page fills in what is known (see `KnownAnswer`), for the client to check and send."""

    key = form_key(required=True)
    template_id = Id(required=True)
    required = Flag(load_default=None, allow_none=True)
    condition = fields.Dict(load_default=None, allow_none=True)
    due = fields.Nested(Due, load_default=None, allow_none=True)
    assignee_id = Id(load_default=None, allow_none=True)
    prefill = Flag(load_default=False)


class FormSection(Schema):
    """`condition` binds each of its tasks, besides their own."""

    title = Text(longest=200, shortest=1, required=True)
    condition = fields.Dict(load_default=None, allow_none=True)
    tasks = fields.List(fields.Nested(FormTask), load_default=list, validate=validate.Length(max=MOST_FORM_TASKS))


class FormFields(Schema):
    """Keys are unique in the form, which has at most 300 tasks."""

    title = Text(longest=200, shortest=1)
    description = Text(longest=10000, allow_none=True)
    sections = fields.List(fields.Nested(FormSection), validate=validate.Length(max=MOST_SECTIONS))


class Form(FormFields, Stamped):
    """`archived`: kept, and not assigned any more. Every version stays readable."""

    archived = fields.Boolean()


class CreateForm(FormFields):
    title = Text(longest=200, shortest=1, required=True)
    description = Text(longest=10000, load_default=None, allow_none=True)
    sections = fields.List(fields.Nested(FormSection), load_default=list, validate=validate.Length(max=MOST_SECTIONS))


class FormId(Schema):
    form_id = Id(required=True)


class GetForm(FormId):
    """`version` null: the newest."""

    version = fields.Integer(load_default=None, allow_none=True, validate=validate.Range(min=1, max=2**31 - 1))


class ListForms(PageRequest):
    """`archived`: those that are, in place of those in use. `sort`: title, created_at."""

    archived = Flag(load_default=False)


class FormSummary(Stamped):
    """`tasks`: how many its newest version has."""

    title = fields.String()
    description = fields.String(allow_none=True)
    archived = fields.Boolean()
    tasks = Count()


class FormChanges(FormFields):
    archived = Flag()


class UpdateForm(FormId):
    changes = fields.Nested(FormChanges, required=True)
    expected_version = fields.Integer(load_default=None, allow_none=True)


class CopyForm(FormId):
    title = Text(longest=200, shortest=1, required=True)


class ListFormVersions(FormId, PageRequest):
    """`sort`: version, newest first unless it says otherwise."""


class FormVersion(Schema):
    version = Count()
    title = fields.String()
    tasks = Count()
    created_at = Instant()


class FormIds(Schema):
    form_ids = ids(1000, smallest=1, required=True)


class FormFacts(Schema):
    form_id = Id()
    title = fields.String()
    version = Count()
    archived = fields.Boolean()


class FormFactsList(Schema):
    """Unknown ids are left out."""

    forms = fields.List(fields.Nested(FormFacts))


class AssignForm(Schema):
    """`answers`: what is known already, by the key of its task; those tasks are completed at once, by staff. `due` and
    `assignee_id`: of the tasks for which the form says nothing. `start`: what relative due dates count from, now if
    null."""

    case_id = Id(required=True)
    form_id = Id(required=True)
    answers = fields.Dict(
        keys=Text(longest=60), values=fields.Raw(allow_none=True), load_default=dict,
        validate=validate.Length(max=MOST_FORM_TASKS),
    )  # fmt: skip
    due = fields.Nested(Due, load_default=None, allow_none=True)
    assignee_id = Id(load_default=None, allow_none=True)
    start = Instant(load_default=None, allow_none=True)


class CaseForm(Schema):
    """A form as it was when it was assigned to a case. `progress` counts its tasks but for the skipped ones.
    `completed_at`: since when nothing required is open, null while something is, and
    before anything was answered. Where nothing is required, all that is asked must be answered."""

    id = Id()
    case_id = Id()
    form_id = Id()
    form_version = Count()
    title = fields.String()
    progress = fields.Nested(Progress)
    created_at = Instant()
    completed_at = Instant(allow_none=True)


class ListCaseForms(PageRequest):
    """`sort`: created_at, title."""

    case_id = Id(required=True)


class CaseFormId(Schema):
    case_form_id = Id(required=True)


_A_FORM = {
    "title": "Intake",
    "sections": [{"title": "About you", "tasks": [{"key": "phone", "template_id": AN_ID}]}],
}
CREATE_FORM = Operation(
    OWNER, "create_form", CreateForm, Form, (Invalid, Unavailable), permission="task_templates.write", example=_A_FORM
)
GET_FORM = Operation(OWNER, "get_form", GetForm, Form, (NotFound,), permission="tasks.read", example={"form_id": AN_ID})
LIST_FORMS = Operation(OWNER, "list_forms", ListForms, page_of(FormSummary), (Invalid,), permission="tasks.read")
UPDATE_FORM = Operation(
    OWNER, "update_form", UpdateForm, Form, (Invalid, NotFound, Conflict, Unavailable),
    permission="task_templates.write", example={"form_id": AN_ID, "changes": {"title": "Intake of 2027"}},
)  # fmt: skip
COPY_FORM = Operation(
    OWNER, "copy_form", CopyForm, Form, (Invalid, NotFound), permission="task_templates.write",
    example={"form_id": AN_ID, "title": "Intake, short"},
)  # fmt: skip
LIST_FORM_VERSIONS = Operation(
    OWNER, "list_form_versions", ListFormVersions, page_of(FormVersion), (Invalid, NotFound), permission="tasks.read",
    example={"form_id": AN_ID},
)  # fmt: skip
GET_FORM_FACTS = Operation(OWNER, "get_form_facts", FormIds, FormFactsList, (Invalid,), example={"form_ids": [AN_ID]})
ASSIGN_FORM = Operation(
    OWNER, "assign_form", AssignForm, CaseForm, (Invalid, NotFound, Forbidden, Conflict, Unavailable),
    permission="tasks.write", example={"case_id": AN_ID, "form_id": AN_ID, "answers": {"phone": "+12125550123"}},
)  # fmt: skip
LIST_CASE_FORMS = Operation(
    OWNER, "list_case_forms", ListCaseForms, page_of(CaseForm), (Invalid, NotFound, Unavailable),
    permission="tasks.read", example={"case_id": AN_ID},
)  # fmt: skip
REMOVE_CASE_FORM = Operation(
    OWNER, "remove_case_form", CaseFormId, Empty, (NotFound, Conflict), permission="tasks.write",
    example={"case_form_id": AN_ID},
)  # fmt: skip


class FormCompleted(Schema):
    """Nothing required of it is open any more; once more when that comes true again after a task was reopened."""

    case_form_id = Id(required=True)
    form_id = Id(required=True)
    case_id = Id(required=True)


FORM_COMPLETED = Event(
    OWNER, "form.completed.v1", FormCompleted, example={"case_form_id": AN_ID, "form_id": AN_ID, "case_id": AN_ID}
)
