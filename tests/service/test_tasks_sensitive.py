"""Answers to sensitive questions: sealed in the database, shown to those who may see them and to whom they are of."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from chassis import idempotency
from chassis.columns import new_id
from chassis.context import Context, use
from chassis.files import FolderFiles
from chassis.rpc_wire import Codec
from chassis.sealing import key_store
from chassis.testing import deliver, received
from contracts import cases, tasks
from contracts.errors import Forbidden, Invalid
from services.tasks import (
    answers,
    bulk_assigning,
    client_tasks,
    data_exports,
    drafts,
    facts,
    sealing_up,
    templates,
    views,
)
from services.tasks.models import AnswerKey, Base, BulkAssignment, CaseTask, NotificationRequest, TaskTemplate
from tests.service.canaries import found_in
from tests.service.forms_desk import assign, make, section, task
from tests.service.tasks_office import NOW, Office
from tests.service.test_tasks_condition_flow import Case, on
from tests.service.test_tasks_erasing import erase
from tests.service.test_tasks_files import one
from tests.service.test_tasks_notifications import request

PASSPORT = {"title": "Your passport's number", "kind": "short_text"}
MAPPED = {**PASSPORT, "mapping": {"target": "case", "field": "passport"}}
NUMBER, OTHER = "X-4711-Quimby", "Y-0815-Zeppelin"
LATER = NOW + dt.timedelta(hours=1)
"""After all that the tests do at once."""


@pytest.fixture
def office(new_database: Any, tmp_path: Path) -> Iterator[Office]:
    """With a database of its own: it is looked through as a whole."""
    office = Office(new_database(Base), FolderFiles(tmp_path))
    with use(office.context):
        yield office


def supervisor(office: Office) -> Any:
    return use(Context(firm_id=office.firm_id, actor_id=office.staff_id, actor_kind="staff", sees_sensitive=True))


def client(office: Office, client_id: str) -> Any:
    return use(Context(firm_id=office.firm_id, actor_id=client_id, actor_kind="client"))


def answer(office: Office, task_id: str, given: Any, client_id: str | None = None, version: int = 0) -> dict[str, Any]:
    return answers.submit_answer(
        office.db, office.calls, NOW, case_task_id=task_id, answer=given, client_id=client_id, link_id=None,
        answer_version=version,
    )  # fmt: skip


def draft(office: Office, task_id: str, given: Any, client_id: str | None = None) -> dict[str, Any]:
    return drafts.save_draft(office.db, NOW, case_task_id=task_id, draft=given, client_id=client_id)


def seen(office: Office, task_id: str) -> tuple[Any, Any, list[str]]:
    task = views.get_case_task(office.db, NOW, task_id)
    return task["answer"], task["draft"], task["hidden"]


def asked(office: Office, **template: Any) -> tuple[str, str, str]:
    """A task on a case of one client: (case, client, task)."""
    case_id = office.cases.open()
    task = office.assign(case_id, office.template(**{**PASSPORT, "sensitive": True, **template}))
    return case_id, office.cases.clients[case_id][0], task["id"]


def settle(office: Office) -> None:
    while sealing_up.keep_as_defined(office.everywhere, office.calls, LATER):
        pass


def test_an_answer_lies_sealed_and_is_seen_by_its_client_and_by_those_who_may(office: Office) -> None:
    case_id, client_id, task_id = asked(office)
    with client(office, client_id):
        assert draft(office, task_id, OTHER, client_id)["draft"] == OTHER
        assert answer(office, task_id, NUMBER, client_id)["answer"] == NUMBER
        draft_of_a_correction(office, task_id, client_id)
        assert seen(office, task_id) == (NUMBER, OTHER, [])
    assert found_in(office.db, [NUMBER, OTHER]) == []
    assert seen(office, task_id) == (None, None, ["answer", "draft"])
    assert views.get_case_task(office.db, NOW, task_id)["sensitive"] is True
    (listed,) = client_tasks.list_client_tasks(office.db, office.calls, NOW, client_id=client_id, case_ids=[case_id])[
        "case_tasks"
    ]
    assert (listed["answer"], listed["draft"]) == (None, None)
    with supervisor(office):
        assert seen(office, task_id) == (NUMBER, OTHER, [])
    with client(office, new_id()):
        assert seen(office, task_id) == (None, None, ["answer", "draft"])


def draft_of_a_correction(office: Office, task_id: str, client_id: str, given: Any = OTHER) -> None:
    with use(office.context):
        answers.reopen_case_task(office.db, NOW, case_task_id=task_id, reason="Which country?")
    draft(office, task_id, given, client_id)


def test_a_blank_answer_is_no_secret(office: Office) -> None:
    _, client_id, task_id = asked(office)
    with client(office, client_id):
        answer(office, task_id, "", client_id)
    assert seen(office, task_id) == (None, None, [])


def test_staff_who_may_not_see_answers_neither_write_nor_guess_them(office: Office) -> None:
    _, client_id, task_id = asked(office)
    with client(office, client_id):
        answer(office, task_id, NUMBER, client_id)
    for guess in (NUMBER, "Z"):
        with pytest.raises(Forbidden, match="permission_denied"):
            answer(office, task_id, guess, version=1)
    answers.reopen_case_task(office.db, NOW, case_task_id=task_id, reason="Which country?")
    with pytest.raises(Forbidden, match="permission_denied"):
        draft(office, task_id, "Z")
    with supervisor(office):
        assert answer(office, task_id, OTHER, version=1)["answer"] == OTHER


def test_what_a_repeat_is_told_holds_no_answer(office: Office) -> None:
    _, client_id, task_id = asked(office)
    dump = Codec(tasks.SUBMIT_ANSWER).dump_response
    keyed = idempotency.KeyedRequest(tasks.SUBMIT_ANSWER.name, "key", "", dump)
    with client(office, client_id), idempotency.answering(keyed):
        assert answer(office, task_id, NUMBER, client_id)["answer"] == NUMBER
    assert found_in(office.db, [NUMBER]) == []
    assert found_in(office.db, [tasks.SUBMIT_ANSWER.name]) != []


def test_another_clients_answer_and_draft_are_no_clients_business(office: Office) -> None:
    case_id = office.cases.open(clients=2)
    mine, other = office.cases.clients[case_id]
    task_id = office.assign(case_id, office.template(title="What happened?", kind="long_text"))["id"]
    with client(office, mine):
        draft(office, task_id, "It rained.", mine)
    with client(office, other):
        (task,) = views.list_open_tasks(office.db, NOW, [case_id], client_id=other)["case_tasks"]
        assert (task["draft"], task["hidden"]) == (None, ["draft"])
    with client(office, mine):
        assert seen(office, task_id)[1] == "It rained."
    assert seen(office, task_id)[1] == "It rained."


def test_conditions_and_mapped_fields_are_told_the_answer(office: Office) -> None:
    office.cases.custom_fields["passport"] = "short_text"
    _, client_id, task_id = asked(office, **MAPPED)
    with client(office, client_id):
        answer(office, task_id, NUMBER, client_id)
    (told,) = facts.get_mapped_answers(office.db, office.calls, [task_id])["answers"]
    assert told["value"] == NUMBER


def test_a_question_is_sensitive_as_long_as_its_field_is(office: Office) -> None:
    office.cases.custom_fields["passport"] = "short_text"
    office.cases.sensitive.add("passport")
    template_id = office.template(**MAPPED)
    template = templates.get_template(office.db, template_id)
    assert template["sensitive"] is True

    def change(**changes: Any) -> bool:
        return bool(
            templates.update_template(
                office.db, office.calls, NOW, task_template_id=template_id, changes=changes, expected_version=None
            )["sensitive"]
        )

    assert change(sensitive=False) is True
    assert change(mapping=None) is True
    assert change(sensitive=False) is False
    assert change(mapping=MAPPED["mapping"]) is True
    copied = templates.copy_template(office.db, NOW, task_template_id=template_id, title="Another")
    assert copied["sensitive"] is True


def test_answers_are_sealed_when_their_field_becomes_sensitive_and_hidden_at_once(office: Office) -> None:
    office.cases.custom_fields["passport"] = "short_text"
    _, client_id, task_id = asked(office, **MAPPED, sensitive=False)
    with client(office, client_id):
        answer(office, task_id, NUMBER, client_id)
    draft_of_a_correction(office, task_id, client_id)
    version = views.get_case_task(office.db, NOW, task_id)["version"]
    event = received(
        cases.FIELD_BECAME_SENSITIVE, {"case_type_id": new_id(), "field": "passport"}, firm_id=office.firm_id,
        subscription="follow_sensitive_fields",
    )  # fmt: skip
    deliver(office.service, "follow_sensitive_fields", event)
    assert seen(office, task_id) == (None, None, ["answer", "draft"])
    assert found_in(office.db, [NUMBER, OTHER]) == [NUMBER, OTHER]
    settle(office)
    assert found_in(office.db, [NUMBER, OTHER]) == []
    with supervisor(office):
        assert seen(office, task_id) == (NUMBER, OTHER, [])
        assert views.get_case_task(office.db, NOW, task_id)["version"] == version
    template_id = views.get_case_task(office.db, NOW, task_id)["template_id"]
    templates.update_template(
        office.db, office.calls, NOW, task_template_id=template_id, changes={"sensitive": False}, expected_version=None
    )
    # As it was given: in confidence, until it is kept otherwise.
    assert seen(office, task_id) == (None, None, ["answer", "draft"])
    settle(office)
    assert seen(office, task_id) == (NUMBER, OTHER, [])


def test_templates_of_an_earlier_release_are_asked_about(office: Office) -> None:
    office.cases.custom_fields["passport"] = "short_text"
    _, client_id, task_id = asked(office, **MAPPED, sensitive=False)
    with client(office, client_id):
        answer(office, task_id, NUMBER, client_id)
    with office.db.unit_of_work() as uow:
        uow.session.query(TaskTemplate).update({"resealing": True})
    settle(office)
    assert seen(office, task_id) == (NUMBER, None, [])
    with office.db.unit_of_work() as uow:
        assert uow.session.query(TaskTemplate).filter_by(resealing=True).count() == 0
        uow.session.query(TaskTemplate).update({"resealing": True})
    office.cases.sensitive.add("passport")
    settle(office)
    assert found_in(office.db, [NUMBER]) == []


def test_the_selector_of_what_is_done_names_no_value_of_a_field_that_becomes_sensitive(office: Office) -> None:
    office.cases.open()
    node = {"not": {"field": "custom_fields.passport", "op": "eq", "value": NUMBER}}
    wanted = {"selector": {"case_filter": {"and": [node, {"field": "state", "op": "eq", "value": OTHER}]}}}
    given = {**wanted, "template_ids": [office.template()]}
    running, of_release_before = (
        bulk_assigning.bulk_assign(office.db, office.calls, office.raw_calls, NOW, **given)["id"] for _ in range(2)
    )
    with office.db.unit_of_work() as uow:
        uow.session.query(BulkAssignment).filter_by(id=of_release_before).update({"state": "finished"})
    request(office, **wanted)
    became_sensitive(office, "passport")
    kept = selectors(office, BulkAssignment)
    assert kept.pop(running) == wanted["selector"]
    for selector in (*kept.values(), *selectors(office, NotificationRequest).values()):
        assert (NUMBER in str(selector), OTHER in str(selector)) == (False, True)
    bulk_assigning.cancel_bulk_assignment(office.db, NOW, running)
    assert selectors(office, BulkAssignment)[running] == {}


def selectors(office: Office, model: type[BulkAssignment | NotificationRequest]) -> dict[str, Any]:
    with office.db.read() as session:
        return {row.id: row.selector for row in session.scalars(select(model))}


def became_sensitive(office: Office, field: str) -> None:
    event = received(
        cases.FIELD_BECAME_SENSITIVE, {"case_type_id": new_id(), "field": field}, firm_id=office.firm_id,
        subscription="follow_sensitive_fields",
    )  # fmt: skip
    deliver(office.service, "follow_sensitive_fields", event)


def test_one_template_that_fails_keeps_no_other_waiting(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        template_id = office.template(**PASSPORT)
        answer(office, office.assign(template_id=template_id)["id"], NUMBER)
        templates.update_template(
            office.db, office.calls, NOW, task_template_id=template_id, changes={"sensitive": True},
            expected_version=None,
        )  # fmt: skip
    seal, failing = sealing_up.seal_up, [True]

    def broken(*arguments: Any) -> None:
        if failing and failing.pop():
            raise ZeroDivisionError
        seal(*arguments)

    monkeypatch.setattr(sealing_up, "seal_up", broken)
    with pytest.raises(ZeroDivisionError):
        settle(office)
    assert found_in(office.db, [NUMBER]) == [NUMBER]
    with office.db.read() as session:
        assert len(session.scalars(select(CaseTask.id).where(CaseTask.sealed)).all()) == 1
    settle(office)
    assert found_in(office.db, [NUMBER]) == []


def test_keys_are_at_hand_before_anything_is_held(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    template_id = office.template(**PASSPORT)
    answer(office, office.assign(template_id=template_id)["id"], NUMBER)
    templates.update_template(
        office.db, office.calls, NOW, task_template_id=template_id, changes={"sensitive": True}, expected_version=None
    )
    done: list[str] = []
    store, find = key_store(), sealing_up.load_template
    monkeypatch.setattr(store, "wrap", lambda *given: done.append("asked") or type(store).wrap(store, *given))
    monkeypatch.setattr(sealing_up, "load_template", lambda *given, **how: done.append("held" if how else "read")
                        or find(*given, **how))  # fmt: skip
    settle(office)
    assert done[:4] == ["read", "asked", "asked", "held"]
    assert "asked" not in done[4:]


def test_many_answers_are_sealed_in_batches(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing_up, "BATCH", 2)
    template_id = office.template(**PASSPORT)
    for _ in range(5):
        answer(office, office.assign(template_id=template_id)["id"], NUMBER)
    templates.update_template(
        office.db, office.calls, NOW, task_template_id=template_id, changes={"sensitive": True}, expected_version=None
    )
    assert sealing_up.keep_as_defined(office.everywhere, office.calls, LATER) is True
    settle(office)
    assert found_in(office.db, [NUMBER]) == []
    with office.db.read() as session:
        assert len(session.scalars(select(AnswerKey.case_task_id)).all()) == 5


def test_an_erased_answer_has_no_key_any_more_and_a_data_export_is_in_clear(office: Office) -> None:
    _, client_id, task_id = asked(office)
    with client(office, client_id):
        answer(office, task_id, NUMBER, client_id)
    office.calls.answers[cases.GET_CLIENT_CASES] = lambda client_ids: {"cases": []}
    exported = data_exports.export_client_data(office.db, office.calls, client_id=client_id)["entries"]
    (told,) = [entry["data"] for entry in exported if entry["kind"] == "case_task"]
    assert told["answer"] == NUMBER
    assert "sealed" not in told
    erase(office, client_id)
    with office.db.read() as session:
        assert session.scalars(select(AnswerKey.case_task_id).where(AnswerKey.case_task_id == task_id)).all() == []
        assert session.scalars(select(CaseTask.answer).where(CaseTask.id == task_id)).one() is None


def test_what_a_form_is_assigned_with_is_sealed_and_given_by_those_who_may(office: Office) -> None:
    form = make(office, section("Part", task(office, "passport", template={**PASSPORT, "sensitive": True})))
    with pytest.raises(Forbidden) as refused:
        assign(office, form, answers={"passport": NUMBER})
    assert [entry["field"] for entry in refused.value.fields] == ["answers.passport"]
    with supervisor(office):
        assign(office, form, answers={"passport": NUMBER})
        with office.db.read() as session:
            assert seen(office, session.scalars(select(CaseTask.id)).one())[0] == NUMBER
    assert found_in(office.db, [NUMBER]) == []


def test_an_answer_that_a_condition_hides_has_no_key_any_more(office: Office) -> None:
    passport = {"kind": "short_text", "sensitive": True}
    case = Case(office, {"tasks": {"abroad": {}, "passport": {"template": passport, "condition": on("abroad")}}})

    def keys() -> list[str]:
        with office.db.read() as session:
            return list(session.scalars(select(AnswerKey.id)))

    with supervisor(office):
        case.answer("abroad", True)
    case.answer("passport", NUMBER, client_id=new_id())
    (key,) = keys()
    case.answer("abroad", False)
    assert keys() == []
    case.answer("abroad", True)
    case.answer("passport", OTHER, client_id=new_id())
    assert keys() != [key]
    with supervisor(office):
        assert seen(office, case.ids["passport"])[0] == OTHER


def test_a_data_export_holds_nothing_of_a_client_who_was_on_the_case_before(office: Office) -> None:
    case_id, before, task_id = asked(office)
    upload = office.assign(case_id, office.template(title="Your deed", kind="file_upload"))["id"]
    with client(office, before):
        answer(office, task_id, NUMBER, before)
        answer(office, upload, [one(office, upload, client_id=before)], before)
    now_alone = new_id()
    theirs = {"case_id": case_id, "open": True, "client_ids": [now_alone], "alone": True}
    office.calls.answers[cases.GET_CLIENT_CASES] = lambda client_ids: {"cases": [theirs]}
    exported = data_exports.export_client_data(office.db, office.calls, client_id=now_alone)
    assert exported["files"] == []
    assert NUMBER not in str(exported["entries"])
    assert before not in str(exported["entries"])


def test_a_field_that_becomes_sensitive_as_a_template_is_mapped_to_it_is_not_overlooked(office: Office) -> None:
    office.cases.custom_fields["passport"] = "short_text"
    _, client_id, task_id = asked(office, **MAPPED, sensitive=False)
    template_id = views.get_case_task(office.db, NOW, task_id)["template_id"]
    copied = templates.copy_template(office.db, NOW, task_template_id=template_id, title="Another")
    with client(office, client_id):
        answer(office, task_id, NUMBER, client_id)
    # It was said before these templates were there to hear it.
    office.cases.sensitive.add("passport")
    settle(office)
    assert found_in(office.db, [NUMBER]) == []
    assert templates.get_template(office.db, copied["id"])["sensitive"] is True


def test_what_a_process_of_the_release_before_writes_is_read_and_sealed_by_the_next_who_writes(office: Office) -> None:
    _, client_id, task_id = asked(office, kind="address", title="Where do you live?")
    home = {"line1": NUMBER, "city": "Springfield", "postal_code": "12345", "country": "US"}
    with client(office, client_id):
        answer(office, task_id, home, client_id)
        with office.db.unit_of_work() as uow:
            uow.session.query(CaseTask).update({"answer": home})
        assert seen(office, task_id)[0]["line1"] == NUMBER
        draft_of_a_correction(office, task_id, client_id, {"line1": OTHER})
    assert found_in(office.db, [NUMBER, OTHER]) == []


def test_what_a_repeat_is_told_holds_nothing_of_another_client(office: Office) -> None:
    case_id = office.cases.open(clients=2)
    mine, other = office.cases.clients[case_id]
    task_id = office.assign(case_id, office.template(**PASSPORT))["id"]
    with client(office, mine):
        answer(office, task_id, NUMBER, mine)
    answers.reopen_case_task(office.db, NOW, case_task_id=task_id, reason="Which country?")
    keyed = idempotency.KeyedRequest(tasks.SAVE_DRAFT.name, "key", "", Codec(tasks.SAVE_DRAFT).dump_response)
    with client(office, other), idempotency.answering(keyed):
        draft(office, task_id, OTHER, other)
    with office.db.read() as session:
        kept = idempotency.stored_answer(session, office.db.tables, office.firm_id, keyed)
    assert kept is not None
    assert (kept["draft"], kept["answer"]) == (OTHER, None)


def test_what_is_kept_may_name_no_value_of_a_sensitive_field(office: Office) -> None:
    office.cases.open()
    wanted = {"selector": {"case_filter": {"field": "custom_fields.passport", "op": "eq", "value": NUMBER}}}
    given = {**wanted, "template_ids": [office.template()]}
    bulk_assigning.bulk_assign(office.db, office.calls, office.raw_calls, NOW, **given, dry_run=True)
    assert [query["to_keep"] for query in office.calls.asked(cases.SELECT_CASES)] == [False]
    office.cases.refused = Invalid("sensitive_value")
    with pytest.raises(Invalid, match="sensitive_value"):
        bulk_assigning.bulk_assign(office.db, office.calls, office.raw_calls, NOW, **given)
