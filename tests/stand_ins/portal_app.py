"""The gateway's portal pages with a tiny portal behind them, held to its contract: all in memory."""

from __future__ import annotations

import copy
import datetime as dt
import io
from typing import Any

from flask import Flask, g

from chassis.file_kinds import clean_name, judge
from chassis.testing import FakeCalls
from chassis.tokens import hash_token
from contracts import portal
from contracts.errors import Conflict, Gone, Invalid
from gateway.portal_contact import portal_pages
from gateway.settings import EdgeSettings
from services.portal import filling_in
from services.tasks.answer_checks import Question, check_answer
from services.tasks.drafts import check_draft

Record = dict[str, Any]
NOBODY = "018f4e9a-0000-7000-8000-000000000000"


def id_of(number: int) -> str:
    """A UUID that is easy to tell apart."""
    return f"018f4e9a-0000-7000-8000-{number:012d}"


def case_task(number: int, kind: str, title: str, **values: Any) -> Record:
    """An open case task in Python values."""
    return {
        "id": id_of(number),
        "case_id": NOBODY,
        "template_id": NOBODY,
        "kind": kind,
        "title": title,
        "instructions": None,
        "required": False,
        "options": [],
        "checks": {},
        "mapping": None,
        "status": "to_do",
        "due_at": None,
        "answer": None,
        "answer_version": 0,
        "draft": None,
        "draft_at": None,
        "reopened": None,
        **values,
    }


def stored_file(number: int, case_task_id: str, filename: str, size: int) -> Record:
    """An uploaded file in Python values."""
    return {
        "id": id_of(number),
        "case_task_id": case_task_id,
        "client_id": NOBODY,
        "filename": filename,
        "content_type": "image/jpeg",
        "size": size,
        "sha256": "0" * 64,
        "answered": False,
        "created_at": dt.datetime(2026, 11, 21, tzinfo=dt.UTC),
    }


class Store:
    """Files by key, in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def put(self, key: str, content: Any) -> None:
        self.kept[key] = content.read()

    def delete(self, key: str) -> None:
        self.kept.pop(key, None)


class FakePortal:
    """`links`: token to page. `trouble`: what the next calls raise. `asked`: hashes for which a new link was wanted.
    `written`: messages, by their form's own id; `preferences`: what the client wants. `shown_if`: case tasks that are
    asked only as long as another one has an answer, {id: (id of the other, answer)}."""

    def __init__(self) -> None:
        self.links: dict[str, Record] = {}
        self.writes = 0
        self.files = Store()
        self.asked: list[str] = []
        self.shown_if: dict[str, tuple[str, Any]] = {}
        self.written: dict[str, str] = {}
        self.preferences: Record = {"sms": "opted_in", "email": None, "phone": None}
        self.trouble: Exception | None = None
        self.calls = FakeCalls(
            portal,
            answers={
                portal.OPEN_LINK: self._open,
                portal.GET_PAGE: self._get,
                portal.SUBMIT_ANSWERS: self._submit,
                portal.SAVE_DRAFT: self._save,
                portal.FILL_IN: self._fill_in,
                portal.ATTACH_OWN_FILES: self._attach,
                portal.REQUEST_NEW_LINK: self._ask,
                portal.GET_CONTACT_PAGE: self._contact,
                portal.WRITE_MESSAGE: self._write,
                portal.SET_OWN_PREFERENCES: self._prefer,
            },
            raw=True,
        )

    def add(self, token: str, *case_tasks: Record, **page: Any) -> Record:
        """A live link; the page it opens can be changed afterwards."""
        branding = {"firm_name": "Harbor & Lane", "color": None, "locale": "en", "time_zone": "America/New_York"}
        self.links[token] = {
            "link_id": id_of(900 + len(self.links)),
            "branding": branding | page.pop("branding", {}),
            "language": "en",
            "first_name": "Ana",
            "case_tasks": list(case_tasks),
            "files": [],
            **page,
        }
        return self.links[token]

    def answer_of(self, case_task_id: str) -> Any:
        """The kept answer of a case task."""
        return self._task(case_task_id)["answer"]

    def _task(self, case_task_id: str) -> Record:
        for page in self.links.values():
            for found in page["case_tasks"]:
                if found["id"] == case_task_id:
                    return found
        raise KeyError(case_task_id)

    def _open(self, token_hash: str) -> Record:
        self._maybe_fail()
        for token, page in self.links.items():
            if hash_token(token) == token_hash:
                return {"link_id": page["link_id"], "firm_id": NOBODY}
        raise Gone("link_gone")

    def _page(self, link_id: str) -> Record:
        self._maybe_fail()
        for page in self.links.values():
            if page["link_id"] == link_id:
                return page
        raise Gone("link_gone")

    def _get(self, link_id: str) -> Record:
        page = copy.deepcopy(self._page(link_id))
        page["case_tasks"] = [task for task in page["case_tasks"] if self._is_shown(task["id"])]
        return page

    def _is_shown(self, case_task_id: str) -> bool:
        other, answer = self.shown_if.get(case_task_id, (case_task_id, self.answer_of(case_task_id)))
        return self._task(case_task_id)["status"] != "skipped" and bool(self.answer_of(other) == answer)

    def _fill_in(self, link_id: str, questions: list[Record], later: bool = False, finished: bool = True) -> Record:
        """By portal's own rules, over the tasks in memory."""
        given = {question["case_task_id"]: {"touched": True, **question} for question in questions}
        asked = [(task, given[task["id"]]) for task in self._get(link_id)["case_tasks"] if task["id"] in given]

        def submit(case_task_id: str, answer: Any) -> None:
            question = _question(self._task(case_task_id))
            check_answer(question, answer)
            if not self._is_shown(case_task_id):
                raise Conflict("task_skipped")
            stands = self._task(case_task_id)
            if (stands["status"], stands["answer"]) != ("completed", check_answer(question, answer)):
                self._submit(link_id, {case_task_id: answer})

        def save(case_task_id: str, draft: Any) -> None:
            self._save(link_id, case_task_id, draft)

        if later:
            return filling_in.kept_for_later(asked, save)
        return filling_in.answered(asked, submit, lambda: self._get(link_id)["case_tasks"], finished=finished)

    def _submit(self, link_id: str, answers: Record) -> Record:
        page = self._page(link_id)
        for case_task_id, given in answers.items():
            shown = {found["id"] for found in page["case_tasks"]}
            if case_task_id not in shown:
                raise Invalid("task_not_in_link", fields=[{"field": f"answers.{case_task_id}", "message": "No."}])
            task = self._task(case_task_id)
            if task["status"] == "skipped":
                raise Conflict("task_skipped")
            task["answer"] = check_answer(_question(task), given)
            task.update(status="completed", draft=None, draft_at=None, reopened=None)
            self.writes += 1
        return copy.deepcopy(page)

    def _save(self, link_id: str, case_task_id: str, draft: Any) -> Record:
        page = self._page(link_id)
        if case_task_id not in {found["id"] for found in page["case_tasks"]}:
            raise Invalid("task_not_in_link", fields=[{"field": "case_task_id", "message": "No."}])
        task = self._task(case_task_id)
        if task["status"] == "completed":
            raise Conflict("task_completed")
        kept = check_draft(_question(task), draft)
        task.update(status="in_progress", draft=kept, draft_at=dt.datetime(2026, 11, 21, tzinfo=dt.UTC))
        self.writes += 1
        return copy.deepcopy(page)

    def _attach(self, link_id: str, case_task_id: str, uploads: list[Record]) -> Record:
        page = self._page(link_id)
        made: list[Record] = []
        refused: list[Record] = []
        for position, upload in enumerate(uploads):
            content = self.files.kept.pop(upload["file_key"])
            kind = judge(io.BytesIO(content))
            if kind is None:
                why = {"code": "file_type_not_allowed", "message": "No.", "limits": {"types": "jpg, pdf"}}
                refused.append({"position": position, **why})
                continue
            name = clean_name(upload["filename"], "file", kind)
            made.append(stored_file(500 + len(page["files"]), case_task_id, name, len(content)))
            page["files"].append(made[-1])
        return {"files": made, "refused": refused}

    def _contact(self, link_id: str) -> Record:
        page = copy.deepcopy(self._page(link_id))
        del page["case_tasks"], page["files"]
        return {**page, "channels": ["sms", "email"], "preferences": self.preferences}

    def _write(self, link_id: str, body: str, once: str) -> None:
        self._page(link_id)
        self.written.setdefault(once, body)

    def _prefer(self, link_id: str, **said: str) -> Record:
        self.preferences = {**self.preferences, **said}
        return self._contact(link_id)

    def _ask(self, token_hash: str) -> None:
        self._maybe_fail()
        self.asked.append(token_hash)

    def _maybe_fail(self) -> None:
        if self.trouble is not None:
            raise self.trouble


def _question(task: Record) -> Question:
    return Question(task["kind"], task["required"], task["options"], task["checks"])


def make_app(fake: FakePortal, public_url: str = "http://127.0.0.1") -> Flask:
    """A Flask application with the portal pages alone."""
    app = Flask("gateway.app")
    app.config["MAX_FORM_PARTS"] = 100  # as the edge's other requests may have
    app.config["CASEWIRE"] = EdgeSettings(
        public_url=public_url,
        secret_key="a key for tests only",  # pragma: allowlist secret
        twilio_auth_token=None,
        sandbox_pages=False,
        cors_origins=(),
        max_json_bytes=2 * 1024 * 1024,
        max_upload_bytes=2 * 1024 * 1024,
    )

    @app.before_request
    def _calls() -> None:
        g.calls, g.files = fake.calls, fake.files

    app.register_blueprint(portal_pages)
    return app
