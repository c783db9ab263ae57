"""A firm whose clients open links: portal on a database of its own, the other services as their contracts say."""

from __future__ import annotations

import datetime as dt
import types
from typing import Any

import pytest

from chassis.columns import new_id
from chassis.context import Context, current
from chassis.database import Database
from chassis.testing import (
    Clock,
    FakeCalls,
    make_service,
    outbox_events,
    received,
)
from chassis.tokens import new_token
from contracts import accounts, cases, clients, messaging, tasks
from contracts.errors import Conflict, DeadlineExceeded, Gone, Invalid, NotFound
from services.portal import filling_in, links, pages
from services.portal.firms import FirmCache
from services.portal.models import Base
from services.portal.service import PortalService

NOW = dt.datetime(2026, 11, 21, 15, 0, tzinfo=dt.UTC)


@pytest.fixture
def database(new_database) -> Database:
    return new_database(Base)


class Office:
    """A firm with one client on one case with two open tasks, and what the other services say of them."""

    def __init__(self, database: Database) -> None:
        self.everywhere = database
        self.firm_id, self.client_id, self.case_id = new_id(), new_id(), new_id()
        self.db = database.for_firm(self.firm_id)
        self.clock = Clock(NOW)
        self.firms = FirmCache()
        self.firm = {"name": "Harbor & Lane", "locale": "en", "time_zone": "America/New_York", "link_days": 14}
        self.client = {"state": "found", "first_name": "Ana", "language": "es-MX"}
        self.on_case = [self.client_id]
        self.case_tasks = {task["id"]: task for task in (self._task("Your number"), self._task("Your street"))}
        self.case_form_id, self.state = new_id(), "open"
        self.given_by: dict[str, str] = {}
        self.known: dict[str, Any] | None = {}
        """What is known, by case task; None: tasks is too slow to tell."""
        self.asked_for: list[Context | None] = []
        self.calls = FakeCalls(
            accounts,
            clients,
            cases,
            tasks,
            messaging,
            answers={
                accounts.GET_FIRM: lambda: self.firm,
                clients.GET_RECIPIENTS: self._recipients,
                clients.GET_CLIENT_FACTS: lambda client_ids: {
                    "clients": [{"client_id": self.client_id}] if self.client_id in client_ids else []
                },
                cases.GET_CASE_FACTS: self._case_facts,
                cases.LIST_CASES: lambda **_: {"data": [{"id": self.case_id}], "meta": {"next_cursor": None}},
                tasks.GET_CASE_TASK: self._case_task,
                tasks.LIST_OPEN_TASKS: lambda case_ids, client_id: {
                    "case_tasks": [task for task in self.case_tasks.values() if task["status"] == "to_do"],
                    "progress": [{"case_id": case_ids[0], "section": None, "completed": 0, "total": 2}],
                },
                tasks.LIST_FORM_TASKS: self._form_tasks,
                tasks.GET_KNOWN_ANSWERS: self._known_answers,
                tasks.SUBMIT_ANSWER: self._submit,
                tasks.SAVE_DRAFT: self._save,
                tasks.GET_MAPPED_ANSWERS: lambda case_task_ids: {
                    "answers": [
                        {"case_task_id": id_, "link_id": self.given_by[id_]}
                        for id_ in case_task_ids
                        if id_ in self.given_by
                    ]
                },
            },
        )
        self.service = make_service(PortalService, db=database, calls=self.calls, firms=self.firms)

    def link(self, **values) -> types.SimpleNamespace:
        """A registered link: `id` and `hash`."""
        token_hash = new_token()[1]
        task_id = next(iter(self.case_tasks))
        wanted = {
            "token_hash": token_hash,
            "client_id": self.client_id,
            "scope": {"kind": "task", "case_task_id": task_id, "case_ids": []},
            "channel": "sms",
            **values,
        }
        made = links.register_links(self.db, self.clock(), links=[wanted], link_days=14)["links"][0]
        return types.SimpleNamespace(id=made["link_id"], hash=token_hash, expires_at=made["expires_at"])

    def is_open(self, link) -> bool:
        try:
            opened = links.open_link(self.everywhere, self.clock(), link.hash)
        except Gone:
            return False
        assert opened == {"link_id": link.id, "firm_id": self.firm_id}
        return True

    def page(self, link):
        return pages.get_page(self.everywhere, self.calls, self.firms, self.clock(), link.id)

    def save(self, link, case_task_id, draft):
        given = (self.everywhere, self.calls, self.firms, self.clock(), link.id, case_task_id, draft)
        return pages.save_draft(*given)

    def fill_in(self, link, answers, *, later=False, finished=True, untouched=()):
        """Sends several questions in one form: {case task id: answer}."""
        questions = [
            {"case_task_id": id_, "answer": answer, "touched": id_ not in untouched} for id_, answer in answers.items()
        ]
        return filling_in.fill_in(
            self.everywhere, self.calls, self.clock(), link_id=link.id, questions=questions, later=later,
            finished=finished,
        )  # fmt: skip

    def submit(self, link, answers):
        return pages.submit_answers(self.everywhere, self.calls, self.firms, self.clock(), link.id, answers)

    def emitted(self, event):
        return [found.data for found in outbox_events(self.everywhere, event) if found.firm_id == self.firm_id]

    def changed(self, *names: str, **values):
        data = {
            "client_id": self.client_id,
            "version": 2,
            "status": "active",
            "tags": [],
            "language": "en",
            "changed": list(names),
            **values,
        }
        return received(clients.CLIENT_CHANGED, data, firm_id=self.firm_id, time=self.clock())

    def _task(self, title: str):
        return {
            "id": new_id(),
            "case_id": self.case_id,
            "title": title,
            "kind": "short_text",
            "required": False,
            "status": "to_do",
            "answer": None,
        }

    def _recipients(self, client_ids):
        self.asked_for.append(current())
        return {"recipients": [{"client_id": id_, **self.client} for id_ in client_ids]}

    def _case_facts(self, case_ids):
        found = {"case_id": self.case_id, "state": self.state, "client_ids": self.on_case}
        return {"cases": [found] if self.case_id in case_ids else []}

    def _case_task(self, case_task_id):
        if case_task_id not in self.case_tasks:
            raise NotFound("case_task_not_found")
        return self.case_tasks[case_task_id]

    def _form_tasks(self, case_form_id):
        if case_form_id != self.case_form_id:
            raise NotFound("case_form_not_found")
        progress = [
            {"case_id": self.case_id, "case_form_id": case_form_id, "section": None, "completed": 0, "total": 2}
        ]
        return {"case_id": self.case_id, "case_tasks": list(self.case_tasks.values()), "progress": progress}

    def _known_answers(self, case_task_ids, client_id):
        if self.known is None:
            raise DeadlineExceeded("deadline_exceeded")
        found = [{"case_task_id": id_, "value": self.known[id_]} for id_ in case_task_ids if id_ in self.known]
        return {"answers": found}

    def _submit(self, case_task_id, answer, client_id, link_id, answer_version):
        task = self.case_tasks[case_task_id]
        if answer == "refuse":
            raise Invalid("too_long", fields=[{"field": "answer", "message": "Too long."}], longest=5)
        if task["status"] == "skipped":
            raise Conflict("task_skipped")
        task.update(status="completed", answer=answer)
        self.given_by[case_task_id] = link_id
        return task

    def _save(self, case_task_id, draft, client_id):
        task = self.case_tasks[case_task_id]
        if draft == "refuse":
            raise Invalid("too_long", fields=[{"field": "draft", "message": "Too long."}], longest=5)
        if task["status"] == "completed":
            raise Conflict("task_completed")
        task.update(status="in_progress", draft=draft)
        return task


@pytest.fixture
def office(database) -> Office:
    return Office(database)
