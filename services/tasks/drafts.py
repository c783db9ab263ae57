"""What was filled in of a question and not sent yet: kept, so that somebody can go on later, on another device too."""

from __future__ import annotations

import datetime as dt
from typing import Any

from chassis.database import Database
from contracts.errors import Invalid, invalid_field
from contracts.tasks import NO_DRAFT
from services.tasks import flow, sealed_answers
from services.tasks.answer_checks import ADDRESS_PARTS, LONG_TEXT_LENGTH, SHORT_TEXT_LENGTH, Question, is_blank
from services.tasks.answers import question_of
from services.tasks.views import answer_case_task

MOST_CHOICES = 200


def save_draft(
    db: Database, now: dt.datetime, *, case_task_id: str, draft: Any, client_id: str | None
) -> dict[str, Any]:
    """Keeps a draft in place of the one before; the task is in progress. It is no answer: nothing follows from it.

    Raises NotFound `case_task_not_found`, Conflict `task_completed`, `task_skipped` or `case_archived`, Invalid on the
    field `draft`, and Forbidden `permission_denied` to staff who may not see what is sensitive.
    """
    with db.unit_of_work() as uow:
        _, task = flow.lock_task(uow, case_task_id)
        task.demand_present()
        sealed_answers.refuse_to_staff(task)
        checked = check_draft(question_of(task), draft)
        task.save_draft(sealed_answers.kept(uow, task, "draft", checked), client_id=client_id, now=now)
        return answer_case_task(uow, task, now)


def check_draft(question: Question, draft: Any) -> Any:
    """The draft as it is kept, None if blank: of the shape that an answer has, and no longer than one may be. What an
    answer must be besides is not asked of it yet.

    Raises Invalid.
    """
    if question.kind in NO_DRAFT:
        raise _refused("no_draft", "An answer of this kind is given at once.")
    if is_blank(question.kind, draft):
        return None
    longest = LONG_TEXT_LENGTH if question.kind == "long_text" else SHORT_TEXT_LENGTH
    if question.kind == "several_choices" and isinstance(draft, list) and len(draft) <= MOST_CHOICES:
        return [_text(choice, longest) for choice in draft]
    if question.kind == "address" and isinstance(draft, dict) and draft.keys() <= ADDRESS_PARTS.keys():
        return {part: _text(value, longest) for part, value in draft.items() if value is not None}
    if question.kind == "yes_no" and isinstance(draft, bool):
        return draft
    if question.kind == "number" and isinstance(draft, int | float):
        return _text(str(draft), longest)
    return _text(draft, longest)


def _text(draft: Any, longest: int) -> str:
    if not isinstance(draft, str):
        raise _refused("invalid_draft", "Not of the shape of an answer to this question.")
    text = draft.replace("\r\n", "\n").replace("\r", "\n")
    if any(character == "\x00" or "\ud800" <= character <= "\udfff" for character in text):
        raise _refused("invalid_text", "The text holds characters that cannot be kept.")
    if len(text) > longest:
        raise _refused("too_long", f"Please use at most {longest} characters.", longest=longest)
    return text


def _refused(code: str, message: str, **limits: object) -> Invalid:
    return invalid_field("draft", message, code, **limits)
