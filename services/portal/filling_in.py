"""Several questions of a page that were sent in one form: answered one after another, or kept as drafts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from chassis.database import Database
from contracts.errors import Conflict, Invalid, NotFound
from contracts.tasks import NO_DRAFT
from services.portal.links import live_link, record_use
from services.portal.pages import in_the_name_of, shown_to_holder

Record = dict[str, Any]
Asked = Sequence[tuple[Record, Record]]
"""Case tasks as they are, each with the FilledInQuestion that was sent of it."""
Handing = Callable[..., Any]


def fill_in(
    db: Database, calls: Any, now: dt.datetime, *, link_id: str, questions: list[Record], later: bool, finished: bool
) -> Record:
    """`contracts.portal.FilledIn`. What the page does not show any more is passed over: an answer before it has hidden
    it, or somebody has taken it away.

    Raises Gone `link_gone`, or Unavailable; what was handed on by then is taken, and the same form can be sent again.
    """
    link = live_link(db, now, link_id)
    given = {question["case_task_id"]: question for question in questions}
    with in_the_name_of(db, link):
        asked = [(task, given[task["id"]]) for task in shown_to_holder(calls, link) if task["id"] in given]
        if not asked:
            return {"refused": [], "waiting": []}
        record_use(db.for_firm(link.firm_id), now, link.id)
        if later:
            return kept_for_later(asked, partial(calls.tasks.save_draft, client_id=link.client_id))
        submit = partial(calls.tasks.submit_answer, client_id=link.client_id, link_id=link.id)
        return answered(asked, submit, lambda: shown_to_holder(calls, link), finished=finished)


def answered(asked: Asked, submit: Handing, shown: Callable[[], list[Record]], *, finished: bool) -> Record:
    """Hands on what was filled in, in the order of the form, so that each condition is decided by the answers before
    it. A required question that was left blank is handed on too, for tasks to say so; an optional one counts as
    answered once all else is right."""
    # Not what stands already and was not changed here: of the same form sent twice, or answered elsewhere meanwhile.
    # Nor what only seems blank, since another client of the case has begun it: what they gave would be gone.
    wanted = [
        (task, given)
        for task, given in asked
        if given["touched"] or not (task["status"] == "completed" or task.get("hidden"))
    ]
    blank, filled = _split(wanted, lambda task, given: is_blank(given["answer"]) and not task["required"])
    refused = _handed_on(filled, submit, "answer")
    if refused:
        still = {task["id"] for task in shown()}
        refused = {id_: error for id_, error in refused.items() if id_ in still}
    if refused or not finished:
        return _outcome(refused, blank)
    return _outcome(_handed_on(blank, submit, "answer"), [])


def kept_for_later(asked: Asked, save: Handing) -> Record:
    """Hands on as drafts what was filled in, of what can be kept so."""
    touched = [(task, given) for task, given in asked if given["touched"]]
    done, still_open = _split(touched, lambda task, _: task["status"] == "completed")
    without, drafts = _split(still_open, lambda task, _: task["kind"] in NO_DRAFT)
    refused = {task["id"]: Invalid("answer_not_saved") for task, _ in done} | _handed_on(drafts, save, "draft")
    return _outcome(refused, without)


def _split(some: Asked, is_one: Callable[[Record, Record], bool]) -> tuple[Asked, Asked]:
    """Those that are one, and those that are not."""
    return [one for one in some if is_one(*one)], [one for one in some if not is_one(*one)]


def _handed_on(some: Asked, hand_on: Handing, name: str) -> dict[str, Invalid]:
    """Those that were refused. Each has a call of its own: what it says decides about the next one."""
    refused: dict[str, Invalid] = {}
    for task, given in some:
        try:
            hand_on(case_task_id=task["id"], **{name: given["answer"]})
        except Invalid as error:
            refused[task["id"]] = error
        except (Conflict, NotFound):
            pass  # answered, hidden or taken away meanwhile
    return refused


def is_blank(answer: Any) -> bool:
    """Whether fields held nothing but space, or nothing was chosen."""
    parts = answer if isinstance(answer, list) else [answer]
    return all(part is None or (isinstance(part, str) and not part.strip()) for part in parts)


def _outcome(refused: dict[str, Invalid], waiting: Asked) -> Record:
    named = [{"case_task_id": id_, "code": error.code, "limits": error.meta} for id_, error in refused.items()]
    return {"refused": named, "waiting": [task["id"] for task, _ in waiting]}
