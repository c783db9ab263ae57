"""portal: files that a client sends through a link."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from chassis.columns import new_id
from contracts import tasks
from contracts.errors import Conflict, Gone, Invalid, NotFound
from contracts.portal import GET_PAGE, LINK_USED, PortalPage
from services.portal import uploads
from tests.service.portal_office import NOW, Office, database, office

__all__ = ["database", "office"]


@pytest.fixture
def task_id(office: Office) -> str:
    task = next(iter(office.case_tasks.values()))
    task["kind"] = "file_upload"
    return str(task["id"])


def file(office: Office, task_id: str, **facts: Any) -> dict[str, Any]:
    return {
        "id": new_id(), "case_task_id": task_id, "client_id": office.client_id, "filename": "deed.pdf", "size": 9,
        "content_type": "application/pdf", "sha256": "0" * 64, "answered": False,
        "created_at": dt.datetime(2026, 11, 21, tzinfo=dt.UTC), **facts,
    }  # fmt: skip


def attach(office: Office, link: Any, task_id: str) -> dict[str, Any]:
    sent = [{"file_key": "uploads/x", "filename": "deed.pdf"}]
    given = {"link_id": link.id, "case_task_id": task_id, "uploads": sent}
    return uploads.attach_own_files(office.everywhere, office.calls, NOW, **given)


def test_uploads_are_handed_on_as_the_clients_own(office: Office, task_id: str) -> None:
    made = {"files": [file(office, task_id)], "refused": []}
    office.calls.answers[tasks.ATTACH_FILES] = lambda **_: made
    link = office.link()
    assert attach(office, link, task_id) == made
    (asked,) = office.calls.asked(tasks.ATTACH_FILES)
    assert (asked["client_id"], asked["link_id"], asked["case_task_id"]) == (office.client_id, link.id, task_id)
    assert [used["link_id"] for used in office.emitted(LINK_USED)] == [link.id]


def test_only_for_a_task_of_the_links_page(office: Office, task_id: str) -> None:
    link = office.link()
    for other in (list(office.case_tasks)[1], new_id()):
        with pytest.raises(Invalid, match="task_not_in_link"):
            attach(office, link, other)
    office.on_case = []
    with pytest.raises(Gone, match="link_gone"):
        attach(office, link, task_id)
    office.on_case, office.client["state"] = [office.client_id], "erased"
    with pytest.raises(Gone, match="link_gone"):
        attach(office, link, task_id)
    assert office.calls.asked(tasks.ATTACH_FILES) == []


@pytest.mark.parametrize(
    ("said", "told"),
    [(NotFound("case_task_not_found"), Gone), (Conflict("task_skipped"), Conflict), (Invalid("no_files"), Invalid)],
)
def test_what_tasks_says_is_told(office: Office, task_id: str, said: Exception, told: type[Exception]) -> None:
    office.calls.answers[tasks.ATTACH_FILES] = lambda **_: (_ for _ in ()).throw(said)
    with pytest.raises(told):
        attach(office, office.link(), task_id)


def test_a_page_tells_of_answers_files_and_of_its_clients_own_uploads(office: Office, task_id: str) -> None:
    mine, answered = file(office, task_id), file(office, task_id, client_id=None, answered=True)
    anothers = file(office, task_id, client_id=new_id())
    office.calls.answers[tasks.LIST_TASK_FILES] = lambda case_task_ids: {"files": [mine, answered, anothers]}
    page = office.page(office.link())
    assert page["files"] == [mine, answered]
    assert PortalPage().validate(GET_PAGE.response().dump(page)) == {}
    assert office.calls.asked(tasks.LIST_TASK_FILES) == [{"case_task_ids": [task_id]}]


def test_files_of_more_questions_than_are_asked_about_at_once(office: Office) -> None:
    task = {**next(iter(office.case_tasks.values())), "kind": "file_upload"}
    ids = [new_id() for _ in range(tasks.MOST_ASKED + 1)]
    office.case_tasks = {id_: {**task, "id": id_} for id_ in ids}
    office.calls.answers[tasks.LIST_TASK_FILES] = lambda case_task_ids: {
        "files": [file(office, id_) for id_ in case_task_ids]
    }
    page = office.page(office.link(scope={"kind": "tasks", "case_task_id": None, "case_ids": []}))
    assert [found["case_task_id"] for found in page["files"]] == ids


def test_nobody_is_asked_about_files_where_no_question_wants_them(office: Office) -> None:
    assert office.page(office.link())["files"] == []
    assert office.calls.asked(tasks.LIST_TASK_FILES) == []
