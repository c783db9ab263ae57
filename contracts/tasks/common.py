"""The words of tasks, and what several of its modules name."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from contracts.base import Choice, Flag, Id, Instant, Text, ids

OWNER = "tasks"
QUESTION_KINDS = (
    "short_text", "long_text", "number", "date", "yes_no", "one_choice", "several_choices", "phone", "email", "address",
    "file_upload", "signature", "acknowledgement",
)  # fmt: skip
STATUSES = ("to_do", "in_progress", "completed", "overdue", "skipped")
VIEWS = ("all", "mine", "overdue", "due_today", "due_this_week")
GROUPS = ("section", "status", "due", "assignee")
OPEN_STATUSES = ("to_do", "in_progress", "overdue")
CHANNELS = ("sms", "email", "phone")


class Due(Schema):
    """`fixed`: `at`; `relative`: `days` after assignment; `after_task`: `days` after another task of the case is
    `finished`, or `from` its own time, `due`: there is no date until then, and it moves with it. The other task is a
    `case_task_id`, or in a form the key of a `task` there. Days are calendar or `business` days; the last one's end
    counts."""

    mode = Choice("fixed", "relative", "after_task", required=True)
    at = Instant(load_default=None, allow_none=True)
    days = fields.Integer(strict=True, load_default=None, allow_none=True, validate=validate.Range(min=0, max=3650))
    business = Flag(load_default=False)
    task = Text(longest=60, shortest=1, load_default=None, allow_none=True)
    case_task_id = Id(load_default=None, allow_none=True)
    from_ = Choice("finished", "due", data_key="from", attribute="from_", load_default=None, allow_none=True)


class CaseTaskId(Schema):
    case_task_id = Id(required=True)


MOST_ASKED = 1000
"""As many case tasks as one request names."""


class CaseTaskIds(Schema):
    case_task_ids = ids(MOST_ASKED, smallest=1, required=True)


AN_ID = "018f4e9a-0000-7000-8000-000000000030"
A_SELECTOR = {"case_filter": {"field": "state", "op": "eq", "value": "open"}}
