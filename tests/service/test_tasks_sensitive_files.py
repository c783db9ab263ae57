"""Files that answer sensitive questions, or are another client's: for those who may see them, and told to no other."""

from __future__ import annotations

from typing import Any

import pytest

from contracts import cases
from contracts.errors import Forbidden
from services.tasks import task_files, views
from tests.hostile_files import pdf
from tests.service.tasks_office import NOW, Office
from tests.service.test_tasks_erasing import erase
from tests.service.test_tasks_files import attach, one
from tests.service.test_tasks_sensitive import answer, asked, client, office, seen, supervisor

__all__ = ["office"]


def test_a_file_that_answers_a_sensitive_question_is_for_those_who_may_see_it(office: Office) -> None:
    _, client_id, task_id = asked(office, title="Your passport", kind="file_upload")
    with client(office, client_id):
        file_id = one(office, task_id, client_id=client_id)
    with pytest.raises(Forbidden, match="permission_denied"):
        task_files.get_task_file(office.db, file_id)
    with supervisor(office):
        assert task_files.get_task_file(office.db, file_id)["case_task_id"] == task_id


def test_files_of_a_sensitive_question_or_of_another_client_are_not_even_told_of(office: Office) -> None:
    case_id = office.cases.open(clients=2)
    mine, other = office.cases.clients[case_id]
    passport = office.template(title="Your passport", kind="file_upload", sensitive=True)
    deed = office.template(title="Your deed", kind="file_upload")
    of_passport, of_deed = (office.assign(case_id, template)["id"] for template in (passport, deed))
    with client(office, mine):
        files = [one(office, task_id, client_id=mine) for task_id in (of_passport, of_deed)]

    def told() -> list[str]:
        return [file["id"] for file in task_files.list_task_files(office.db, [of_passport, of_deed])["files"]]

    assert told() == files[1:]
    with supervisor(office):
        assert told() == files
    with client(office, mine):
        for task_id, file_id in zip((of_passport, of_deed), files, strict=True):
            answer(office, task_id, [file_id], mine)
        assert told() == files
    with client(office, other):
        assert told() == []


def test_a_client_who_sends_files_leaves_those_of_the_other_client_of_the_case(office: Office) -> None:
    case_id = office.cases.open(clients=2)
    people = office.cases.clients[case_id]
    task_id = office.assign(case_id, office.template(title="Your deed", kind="file_upload", sensitive=True))["id"]

    def send(client_id: str, *file_ids: str) -> Any:
        with client(office, client_id):
            given = answer(office, task_id, list(file_ids), client_id)["answer"]
            shown = task_files.list_task_files(office.db, [task_id])["files"]
        assert [file["id"] for file in shown] == list(file_ids)
        return given

    def upload(client_id: str) -> str:
        with client(office, client_id):
            return one(office, task_id, pdf(b"the same"), client_id=client_id)

    files = [upload(people[0])]
    assert send(people[0], files[0]) == files
    files.append(upload(people[1]))
    assert send(people[1], files[1]) == files
    version = views.get_case_task(office.db, NOW, task_id)["answer_version"]
    assert send(people[1], files[1]) == files
    assert views.get_case_task(office.db, NOW, task_id)["answer_version"] == version
    assert send(people[1]) == [files[0]]
    assert send(people[1], upload(people[1]))[0] == files[0]
    office.calls.answers[cases.GET_CLIENT_CASES] = lambda client_ids: {"cases": []}
    erase(office, people[0])
    with supervisor(office):
        (left,) = task_files.list_task_files(office.db, [task_id])["files"]
        assert seen(office, task_id)[0] == [left["id"]]
    with client(office, people[1]):
        assert answer(office, task_id, None, people[1])["answer"] is None


def test_staff_who_may_not_see_answers_neither_add_nor_remove_their_files(office: Office) -> None:
    _, client_id, task_id = asked(office, title="Your passport", kind="file_upload")
    with client(office, client_id):
        file_id = one(office, task_id, client_id=client_id)
    with pytest.raises(Forbidden, match="permission_denied"):
        attach(office, task_id, pdf(b"a guess"))
    with pytest.raises(Forbidden, match="permission_denied"):
        task_files.delete_task_file(office.db, file_id)
    with supervisor(office):
        one(office, task_id)
        task_files.delete_task_file(office.db, file_id)
