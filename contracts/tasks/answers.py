"""Answers to case tasks: given, taken back, and mapped to fields of others."""

from __future__ import annotations

from marshmallow import Schema, fields

from contracts.base import Choice, Count, Event, Id, Operation, Text
from contracts.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from contracts.mapping import MappedAnswer
from contracts.tasks.case_tasks import CaseTask
from contracts.tasks.common import AN_ID, OWNER, CaseTaskId, CaseTaskIds

NO_DRAFT = frozenset({"file_upload", "signature", "acknowledgement"})
"""Kinds of questions that are answered at once or not at all: nothing of an answer is kept for later."""


class ReopenCaseTask(CaseTaskId):
    """`reason`: the client reads it on the page of the task."""

    reason = Text(longest=500, shortest=1, required=True)


class SubmitAnswer(CaseTaskId):
    """`answer` null or "" is a blank one, which may clear a field and so must be said. `client_id` and `link_id` when a
    client answers through a link. `answer_version`: that of the answer which the caller saw; staff correct an answer by
    naming it, and are refused if there is another one meanwhile. A client corrects what is there. Staff may name the
    client of the case whose answer they write down."""

    answer = fields.Raw(required=True, allow_none=True)
    answer_version = Count(load_default=0)
    client_id = Id(load_default=None, allow_none=True)
    link_id = Id(load_default=None, allow_none=True)


class SaveDraft(CaseTaskId):
    """What was filled in so far, of the shape of an answer; its limits do not bind it yet. Null or "" is a blank one.
    `client_id`: whose draft it is, when a client fills in a page."""

    draft = fields.Raw(load_default=None, allow_none=True)
    client_id = Id(load_default=None, allow_none=True)


class MappedAnswers(Schema):
    """Only those whose mapping is in force now. Unknown ids are left out."""

    answers = fields.List(fields.Nested(MappedAnswer))


class TaskCompleted(Schema):
    """`mapped`: who owns the field that the answer is mapped to, null if none. `answered_by`: client or staff.
    `corrected`: the task was completed already, with another answer; missing from older events."""

    case_task_id = Id(required=True)
    case_id = Id(required=True)
    template_id = Id(required=True)
    client_id = Id(required=True, allow_none=True)
    answered_by = Choice("client", "staff", required=True)
    mapped = Choice("client", "case", required=True, allow_none=True)
    answer_version = Count(required=True)
    corrected = fields.Boolean()


class CaseTaskReopened(Schema):
    case_task_id = Id(required=True)
    case_id = Id(required=True)


_COMPLETED = {
    "case_task_id": AN_ID, "case_id": AN_ID, "template_id": AN_ID, "client_id": AN_ID, "answered_by": "client",
    "mapped": "client", "answer_version": 1, "corrected": False,
}  # fmt: skip
SUBMIT_ANSWER = Operation(
    OWNER, "submit_answer", SubmitAnswer, CaseTask, (Invalid, NotFound, Forbidden, Conflict, Unavailable),
    permission="tasks.write", example={"case_task_id": AN_ID, "answer": "+12125550123"},
)  # fmt: skip
SAVE_DRAFT = Operation(
    OWNER, "save_draft", SaveDraft, CaseTask, (Invalid, NotFound, Forbidden, Conflict), permission="tasks.write",
    example={"case_task_id": AN_ID, "draft": "It was raining, and"},
)  # fmt: skip
REOPEN_CASE_TASK = Operation(
    OWNER, "reopen_case_task", ReopenCaseTask, CaseTask, (Invalid, NotFound, Conflict), permission="tasks.write",
    example={"case_task_id": AN_ID, "reason": "The picture was blurred."},
)  # fmt: skip
GET_MAPPED_ANSWERS = Operation(
    OWNER, "get_mapped_answers", CaseTaskIds, MappedAnswers, (Invalid, Unavailable), example={"case_task_ids": [AN_ID]}
)
TASK_COMPLETED = Event(OWNER, "task.completed.v1", TaskCompleted, example=_COMPLETED)
TASK_REOPENED = Event(OWNER, "task.reopened.v1", CaseTaskReopened, example={"case_task_id": AN_ID, "case_id": AN_ID})
