"""tasks forgets a client that is erased."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.columns import new_id
from chassis.testing import deliver, outbox_events, received
from contracts import cases, clients, tasks
from contracts.errors import Unavailable
from services.tasks import answers, client_merges, data_exports, erasing, facts, views
from services.tasks.models import Base
from tests.service import forms_desk
from tests.service.canaries import found_in, publish_all
from tests.service.tasks_office import NOW, Office, database, office

__all__ = ["database", "office"]


def erase(office: Office, *client_ids: str) -> list[dict[str, Any]]:
    """Each of these clients, all at once and twice; what is reported."""
    office.calls.answers[cases.GET_CLIENT_CASES] = lambda client_ids: {
        "cases": [
            {"case_id": case_id, "client_ids": sorted(on_it), "alone": len(on_it) == len(whose)}
            for case_id, whose in office.cases.clients.items()
            if (on_it := set(whose) & set(client_ids))
        ]
    }
    events = [
        received(
            clients.CLIENT_ERASED,
            {"client_id": id_, "erasure_id": new_id(), "version": 9, "client_ids": [id_]},
            firm_id=office.firm_id,
            subscription="forget_clients",
        )
        for id_ in client_ids
    ]
    deliver(office.service, "forget_clients", *events)
    deliver(office.service, "forget_clients", *events)
    wanted = {event.data["erasure_id"] for event in events}
    said = [event.data for event in outbox_events(office.everywhere, tasks.ERASURE_REPORTED)]
    return [report for report in said if report["erasure_id"] in wanted]


def question(office: Office, case_id: str) -> str:
    return str(office.assign(case_id, office.template(title="Anything else?", kind="long_text"))["id"])


def submit(office: Office, task_id: str, answer: str, client_id: str | None) -> None:
    answers.submit_answer(
        office.db, office.calls, NOW, case_task_id=task_id, answer=answer, client_id=client_id, link_id=None
    )


def test_answers_go_and_what_was_done_stays(office: Office) -> None:
    case_id = office.cases.open()
    (client_id,) = office.cases.clients[case_id]
    own, written_down = question(office, case_id), question(office, case_id)
    submit(office, own, "I live in Marzipan Row.", client_id)
    submit(office, written_down, "She told us of the Wurlitzer.", None)
    answers.reopen_case_task(office.db, NOW, case_task_id=written_down, reason="Oxenfree called again.")
    words = ["Marzipan", "Wurlitzer", "Oxenfree"]
    assert found_in(office.everywhere, words) == words
    publish_all(office.everywhere)
    (report,) = erase(office, client_id)
    assert report["counts"] == {"answers": 2, "files": 0}
    assert found_in(office.everywhere, words) == []
    shown = views.get_case_task(office.db, NOW, own)
    assert (shown["status"], shown["answer"], shown["completed_at"]) == ("completed", None, NOW)


def test_what_the_answers_showed_is_hidden_again(office: Office) -> None:
    """On a case of others too: what somebody answered on it stays where it is still asked for."""
    will = forms_desk.task(office, "will", template={"kind": "yes_no", "required": True})
    place = forms_desk.task(office, "place", condition=forms_desk.when("will", True))
    after = {"mode": "after_task", "task": "will", "days": 2, "business": False}
    date = forms_desk.task(office, "date", due=after)
    case_id = office.cases.open(clients=2)
    one, other = office.cases.clients[case_id]
    form = forms_desk.make(office, forms_desk.section("The will", will, place, date))
    made = forms_desk.assign(office, form, case_id)
    ids = {task.item_key: task.id for task in forms_desk.tasks_of(office, made["id"])}
    for key, answer, client_id in (("will", True, one), ("place", "Quahogport", other)):
        answers.submit_answer(
            office.db, office.calls, NOW, case_task_id=ids[key], answer=answer, client_id=client_id, link_id=None,
            answer_version=0, calendar=forms_desk.calendar(office),
        )  # fmt: skip
    assert forms_desk.statuses(office, made["id"]) == {"will": "completed", "place": "completed", "date": "to_do"}
    erase(office, one)
    assert forms_desk.statuses(office, made["id"]) == {"will": "completed", "place": "skipped", "date": "to_do"}
    assert found_in(office.everywhere, ["Quahogport"]) == []
    (hidden,) = office.emitted(tasks.TASKS_SKIPPED)
    assert hidden["case_task_ids"] == [ids["place"]]
    assert views.get_case_task(office.db, NOW, ids["date"])["due_at"] is not None


def test_on_a_case_of_others_too_only_the_persons_own_answers_go(office: Office) -> None:
    case_id = office.cases.open(clients=2)
    one, other = office.cases.clients[case_id]
    own, others, staffs = (question(office, case_id) for _ in range(3))
    submit(office, own, "Marzipan", one)
    submit(office, others, "Quahogport", other)
    submit(office, staffs, "Wurlitzer", None)
    (report,) = erase(office, one)
    assert report["counts"] == {"answers": 1, "files": 0}
    assert found_in(office.everywhere, ["Marzipan", "Quahogport", "Wurlitzer"]) == ["Quahogport", "Wurlitzer"]
    reports = erase(office, one, other)
    assert found_in(office.everywhere, ["Marzipan", "Quahogport", "Wurlitzer"]) == []
    assert all(report["outcome"] == "done" for report in reports)


def test_an_answer_that_is_asked_for_late_is_blank(office: Office) -> None:
    case_id = office.cases.open()
    (client_id,) = office.cases.clients[case_id]
    given = (office.db, office.calls)
    mapped = office.template(mapping={"target": "client", "field": "phone"})
    task_id = str(office.assign(case_id, mapped)["id"])
    submit(office, task_id, "+12125550142", client_id)
    (version,) = (answer["answer_version"] for answer in facts.get_mapped_answers(*given, [task_id])["answers"])
    refused = {"case_task_id": task_id, "target": "client", "field": "phone", "code": "invalid_phone",
               "answer_version": version}  # fmt: skip
    event = received(clients.FIELD_UPDATE_REJECTED, refused, firm_id=office.firm_id)
    deliver(office.service, "record_client_rejection", event)
    assert views.get_case_task(office.db, NOW, task_id)["rejection"]
    erase(office, client_id)
    assert views.get_case_task(office.db, NOW, task_id)["rejection"] is None
    (answer,) = facts.get_mapped_answers(*given, [task_id])["answers"]
    assert answer["value"] is None


def test_without_an_answer_from_cases_nothing_is_half_done(office: Office) -> None:
    case_id = office.cases.open()
    (client_id,) = office.cases.clients[case_id]
    own = question(office, case_id)
    submit(office, own, "Marzipan", client_id)

    def away(**_: Any) -> None:
        raise Unavailable("no_answer")

    office.calls.answers[cases.GET_CLIENT_CASES] = away
    event = received(
        clients.CLIENT_ERASED,
        {"client_id": client_id, "erasure_id": new_id(), "version": 9, "client_ids": [client_id]},
        firm_id=office.firm_id,
        subscription="forget_clients",
    )
    with pytest.raises(Unavailable):
        deliver(office.service, "forget_clients", event)
    assert found_in(office.everywhere, ["Marzipan"]) == ["Marzipan"]
    erase(office, client_id)
    assert found_in(office.everywhere, ["Marzipan"]) == []


def test_every_table_that_names_clients_is_known_to_what_becomes_of_them() -> None:
    """A table that is added must be thought of in an erasure, a merge and an export."""
    tables = {table.name for table in Base.metadata.tables.values() if "client_id" in table.c}
    assert tables == {kind.model.__tablename__ for kind in client_merges.following._kinds}
    for module in (erasing, data_exports):
        assert tables <= {model.__tablename__ for model in vars(module).values() if hasattr(model, "__tablename__")}
