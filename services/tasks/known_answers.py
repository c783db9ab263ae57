"""What is known already of what a client is asked: what the fields of the client's page begin with.

It is looked up when the page is shown, and nothing of it is kept: what the client sends is the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session, selectinload

from chassis.context import Context, current, use
from chassis.database import Database
from chassis.rpc import RemoteFault
from chassis.scoping import BY_ID
from chassis.value_sets import among
from contracts.clients import SYSTEM_FIELDS
from contracts.errors import DeadlineExceeded, Invalid, Unavailable
from services.tasks.answer_checks import Question, check_answer
from services.tasks.models import OPEN, CaseTask
from services.tasks.sealed_answers import is_sensitive

SECONDS = 2.0
"""How long others are asked. The page that waits for them can do without."""
_NEVER = ("file_upload", "signature", "acknowledgement")
"""What a client does and says anew each time."""

Values = Mapping[str, Any]


def get_known_answers(db: Database, calls: Any, *, case_task_ids: list[str], client_id: str) -> dict[str, Any]:
    """`contracts.tasks.KnownAnswers`: what stands in the mapped field of the client or of the case, else the newest
    answer that this client, or staff in nobody's name, gave to the same question on the same case.

    Nothing of a sensitive question is told, nothing that would be refused as an answer, and nothing of a mapped
    question whose field cannot be asked for just now. Clients and cases are asked at most once each.
    """
    with db.read() as session:
        tasks = _asked_with_prefill(session, case_task_ids)
        earlier = _earlier_answers(session, tasks, client_id) if tasks else {}
    record = _ask(calls, tasks, client_id)
    known = {task.id: _as_answer(task, record.known_of(task, earlier)) for task in tasks}
    return {"answers": [{"case_task_id": id_, "value": value} for id_, value in known.items() if value is not None]}


def _asked_with_prefill(session: Session, case_task_ids: Sequence[str]) -> Sequence[CaseTask]:
    """The open ones that nobody has answered or begun to fill in, but for sensitive questions, with their templates."""
    wanted = (
        select(CaseTask)
        .where(
            among(session, CaseTask.id, case_task_ids),
            CaseTask.prefill,
            CaseTask.status.in_(OPEN),
            CaseTask.answered_by.is_(None),
            CaseTask.draft_at.is_(None),
            CaseTask.kind.not_in(_NEVER),
        )
        .options(selectinload(CaseTask.template))
        .execution_options(**BY_ID)
    )
    return [task for task in session.scalars(wanted) if not is_sensitive(task)]


_Question = tuple[str, str, str]
"""What is asked on a case: the case's id, the template's, and the kind of question, which a template may change."""


def _question(task: Any) -> _Question:
    return task.case_id, task.template_id, task.kind


def _earlier_answers(session: Session, tasks: Sequence[CaseTask], client_id: str) -> dict[_Question, Any]:
    """The newest answer to each question; None if that was a blank one. What is sealed is left out."""
    by_staff = and_(CaseTask.client_id.is_(None), CaseTask.answered_by == "staff")
    answered = (
        select(CaseTask.case_id, CaseTask.template_id, CaseTask.kind, CaseTask.answer)
        .where(
            among(session, CaseTask.case_id, sorted({task.case_id for task in tasks})),
            among(session, CaseTask.template_id, sorted({task.template_id for task in tasks})),
            CaseTask.status == "completed",
            CaseTask.sealed.is_(False),
            or_(CaseTask.client_id == client_id, by_staff),
        )
        .order_by(CaseTask.completed_at, CaseTask.id)
        .execution_options(**BY_ID)
    )
    return {_question(row): row.answer for row in session.execute(answered)}


@dataclass(frozen=True)
class _Record:
    """What clients and cases have of the fields that questions are mapped to: None if they could not be asked."""

    client: Values | None = None
    cases: Mapping[str, Values] | None = None

    def known_of(self, task: CaseTask, earlier: Mapping[_Question, Any]) -> Any:
        """Of one question, as it is on record; None if nothing is."""
        mapping = task.template.mapping
        # A mapping is of what the template asks now, which may be of another kind than what this task asks.
        if mapping is not None and task.kind == task.template.kind:
            values = self.client if mapping["target"] == "client" else self._of_case(task.case_id)
            if values is None:
                return None
            if (value := values.get(mapping["field"])) is not None:
                return value
        return earlier.get(_question(task))

    def _of_case(self, case_id: str) -> Values | None:
        return None if self.cases is None else self.cases.get(case_id, {})


def _ask(calls: Any, tasks: Sequence[CaseTask], client_id: str) -> _Record:
    targets = {task.template.mapping_target for task in tasks}
    of_cases = sorted({task.case_id for task in tasks if task.template.mapping_target == "case"})
    with use((current() or Context()).with_deadline(SECONDS)):
        client = _begin(calls.clients.get_recipients, client_ids=[client_id]) if "client" in targets else None
        cases = _begin(calls.cases.get_case_facts, case_ids=of_cases) if of_cases else None
    told, facts = _result(client), _result(cases)
    return _Record(
        None if told is None else {name: told["recipients"][0].get(name) for name in SYSTEM_FIELDS},
        None if facts is None else {case["case_id"]: case["custom_fields"] for case in facts["cases"]},
    )


_AWAY = (Unavailable, DeadlineExceeded, RemoteFault)


def _begin(operation: Any, **arguments: Any) -> Any:
    try:
        return operation.start(**arguments)
    except _AWAY:
        return None


def _result(reply: Any) -> Any:
    try:
        return None if reply is None else reply.result()
    except _AWAY:
        return None


def _as_answer(task: CaseTask, value: Any) -> Any:
    """As an answer to the task's question would be kept; None if it is none. Of several choices, those that are options
    still."""
    if task.kind == "several_choices" and isinstance(value, list):
        value = [choice for choice in value if choice in task.options]
    try:
        return check_answer(Question(task.kind, False, task.options, task.checks), value)
    except Invalid:
        return None
