"""A form of several questions on the client's page: those of one section, filled in and sent together.

    POST /p   csrf_token, section, task (the case tasks' ids, in the form's order), save (to go on later) or change (the
              id of an answered one that is to be changed; what else is filled in is kept); and of each task, with its
              id: answer-ID, file-ID, signed_name-ID, agreed-ID (as in portal_uploads.py), shown-ID (a mark of what
              the fields began with)

What was filled in is answered, in the form's order; what was refused comes back with its error and with what was typed,
and what was left blank is answered once all else is right. The same form once more answers nothing twice.
"""

from __future__ import annotations

import uuid
from typing import Any

from flask import g
from werkzeug.datastructures import FileStorage, MultiDict

from contracts.errors import Conflict, Invalid
from contracts.tasks import MOST_FORM_TASKS
from gateway.portal_forms import mark_of, suffix_of, typed_answer
from gateway.portal_uploads import kept_fields, send_files

Fields = list[tuple[str, str]]


class SeveralAnswers:
    """A form of several questions as it was sent. `typed`: what each held, by case task; `unsent`: files that were not
    handed on."""

    def __init__(self, form: MultiDict[str, str], files: MultiDict[str, FileStorage]) -> None:
        self.ids = list(dict.fromkeys(form.getlist("task")))
        self.change = form.get("change")
        self.later = "save" in form or self.change is not None
        self.typed: dict[str, Any] = {id_: typed_answer(form, suffix_of(id_)) for id_ in self.ids}
        self.unsent = {id_: sent for id_ in self.ids if (sent := _chosen(files, id_))}
        self._shown = {id_: form.get(f"shown{suffix_of(id_)}") for id_ in self.ids}

    @property
    def is_whole(self) -> bool:
        """Whether it is a form as the page has them."""
        named = (*self.ids, *([] if self.change is None else [self.change]))
        return 0 < len(self.ids) <= MOST_FORM_TASKS and all(map(is_id, named))

    def send(self, link_id: str) -> tuple[dict[str, Invalid], list[str]]:
        """Hands on the files, and then the answers or drafts: what was refused, and what waits for that to be right.

        Raises Gone, Unavailable, DeadlineExceeded or RemoteFault.
        """
        refused = self._send_files(link_id)
        questions = [
            {"case_task_id": id_, "answer": typed, "touched": mark_of(typed) != self._shown[id_]}
            for id_, typed in self.typed.items()
            if id_ not in refused
        ]
        if not questions:
            return refused, []
        outcome = g.calls.portal.fill_in(link_id=link_id, questions=questions, later=self.later, finished=not refused)
        for one in outcome["refused"]:
            refused[one["case_task_id"]] = Invalid(one["code"], **one["limits"])
        return refused, outcome["waiting"]

    def fields_again(self) -> Fields:
        """The fields that say the same once more. Files that were not handed on are missing, and then it is saved."""
        how = [("save", "later")] if self.unsent or (self.later and self.change is None) else []
        if self.change is not None and not how:
            how = [("change", self.change)]
        fields = [("section", "yes"), *how]
        for id_ in self.ids:
            suffix = suffix_of(id_)
            fields += [("task", id_), (f"shown{suffix}", self._shown[id_] or ""), *kept_fields(self.typed[id_], suffix)]
        return fields

    def _send_files(self, link_id: str) -> dict[str, Invalid]:
        refused: dict[str, Invalid] = {}
        for id_, sent in list(self.unsent.items()):
            try:
                self.typed[id_], unfit = send_files(link_id, id_, self.typed[id_], sent)
            except Conflict:
                unfit = None  # hidden or put away meanwhile: the page does not ask for it any more
            except Invalid as error:
                unfit = None if error.code == "task_not_in_link" else error
            del self.unsent[id_]
            if unfit is not None:
                refused[id_] = unfit
        return refused


def is_id(text: str) -> bool:
    """Whether it is an id as ours are written."""
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def _chosen(files: MultiDict[str, FileStorage], case_task_id: str) -> list[FileStorage]:
    return [file for file in files.getlist(f"file{suffix_of(case_task_id)}") if file.filename]
