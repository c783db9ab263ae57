"""tasks: files that answer a case task, from their upload to their end."""

from __future__ import annotations

import datetime as dt
import tracemalloc
import uuid
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from chassis.columns import new_id
from chassis.context import Context, use
from chassis.testing import deliver, received
from contracts import cases, clients
from contracts.errors import Conflict, Invalid, NotFound, Unavailable
from services.tasks import answers, data_exports, file_tidying, task_files, uploads, views
from services.tasks.models import TaskFile
from tests.hostile_files import HOSTILE, pdf, picture
from tests.service.canaries import found_in
from tests.service.merges import Merge
from tests.service.tasks_office import NOW, Office, database, office
from tests.service.test_tasks_condition_flow import Case, on
from tests.service.test_tasks_erasing import erase
from tests.unit.test_tasks_signatures import signed

__all__ = ["database", "office"]

DAY = dt.timedelta(days=1)


def question(office: Office, kind: str = "file_upload", case_id: str | None = None, **checks: Any) -> str:
    template = office.template(title="Your deed", kind=kind)
    task_id = str(office.assign(case_id, template)["id"])
    if checks:
        with office.db.unit_of_work() as uow:
            views.load_case_task(uow.session, task_id, lock=True).checks = checks
    return task_id


def attach(
    office: Office, task_id: str, *contents: bytes, client_id: str | None = None, **given: Any
) -> dict[str, Any]:
    """What came of these uploads. `names`: what they are called, `at`: when."""
    names = given.get("names") or ["deed.pdf"] * len(contents)
    keys = [f"uploads/{office.firm_id}/{new_id()}" for _ in contents]
    for key, content in zip(keys, contents, strict=True):
        office.files.put(key, content)
    sent = [{"file_key": key, "filename": name} for key, name in zip(keys, names, strict=True)]
    made = uploads.attach_files(
        office.db, office.files, given.get("at", NOW), case_task_id=task_id, uploads=sent, client_id=client_id,
        link_id=None,
    )  # fmt: skip
    assert not any(office.files.exists(key) for key in keys)
    return made


def one(office: Office, task_id: str, content: bytes = b"", **given: Any) -> str:
    (file,) = attach(office, task_id, content or pdf(new_id().encode()), **given)["files"]
    return str(file["id"])


def submit(office: Office, task_id: str, answer: Any, client_id: str | None = None, **given: Any) -> dict[str, Any]:
    kind = "client" if client_id else "staff"
    seen = given.get("seen", views.get_case_task(office.db, NOW, task_id)["answer_version"])
    with use(Context(firm_id=office.firm_id, actor_id=client_id or office.staff_id, actor_kind=kind)):
        return answers.submit_answer(
            office.db, office.calls, given.get("at", NOW), case_task_id=task_id, answer=answer, client_id=client_id,
            link_id=None, answer_version=seen,
        )  # fmt: skip


def stored(office: Office) -> set[str]:
    """Ids of the files whose content is there; nothing else is."""
    folder: Path = office.files._folder
    found = [path.relative_to(folder).parts for path in folder.rglob("*") if path.is_file()]
    assert all(parts[:2] == ("answers", office.firm_id) for parts in found)
    return {parts[2] for parts in found}


def tidy(office: Office, at: dt.datetime = NOW) -> None:
    while file_tidying.tidy_files(office.everywhere, office.files, at):
        pass


def listed(office: Office, task_id: str) -> dict[str, bool]:
    files = task_files.list_task_files(office.db, [task_id])["files"]
    return {file["id"]: file["answered"] for file in files}


def test_a_file_is_judged_kept_and_named_by_an_answer(office: Office) -> None:
    task_id, content = question(office), pdf(b"Quahogport")
    (file,) = attach(office, task_id, content, names=["../Dee\r\nd of\u202e house.exe"])["files"]
    assert (file["filename"], file["content_type"]) == ("Dee_d of_ house.pdf", "application/pdf")
    assert (file["size"], file["answered"]) == (len(content), False)
    assert views.get_case_task(office.db, NOW, task_id)["status"] == "in_progress"
    assert listed(office, task_id) == {file["id"]: False}
    done = submit(office, task_id, [file["id"]])
    assert (done["status"], done["answer"]) == ("completed", [file["id"]])
    assert listed(office, task_id) == {file["id"]: True}
    found = task_files.get_task_file(office.db, file["id"])
    with office.files.get(found["file_key"]) as stream:
        assert stream.read() == content
    tidy(office, NOW + 9 * DAY)
    assert stored(office) == {file["id"]}


def test_each_of_several_uploads_is_judged_by_itself(office: Office) -> None:
    task_id = question(office, max_size=2000, file_types=["pdf", "jpg"])
    made = attach(office, task_id, pdf(), b"<html>", pdf(bytes(3000)), picture(), names=["a", "b", "c", "d.gif"])
    assert [file["filename"] for file in made["files"]] == ["a.pdf", "d.jpg"]
    assert [(refused["position"], refused["code"]) for refused in made["refused"]] == [
        (1, "file_type_not_allowed"),
        (2, "file_too_large"),
    ]
    assert stored(office) == {file["id"] for file in made["files"]}


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_hostile_files_are_not_kept_and_take_little_memory(office: Office) -> None:
    task_id = question(office)
    floods = {"too large": lambda: pdf(bytes(26 * 1024 * 1024))}
    for name, made in {**HOSTILE, **floods}.items():
        content = made()
        tracemalloc.start()
        outcome = attach(office, task_id, content, names=[f"{name}.jpg"])
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert not outcome["files"], name
        assert peak < 20_000_000, name
    assert stored(office) == set()
    assert views.get_case_task(office.db, NOW, task_id)["status"] == "to_do"


def test_the_same_upload_once_more_is_the_one_that_is_there(office: Office) -> None:
    task_id, content = question(office), pdf()
    first = one(office, task_id, content)
    assert one(office, task_id, content) == first
    assert one(office, task_id, content, names=["other.pdf"]) != first
    made = attach(office, task_id, picture(), picture())
    assert made["files"][0] == made["files"][1]
    assert len(stored(office)) == 3


def test_one_upload_sent_twice_at_once_is_one_file_and_one_answer(office: Office, monkeypatch: Any) -> None:
    """As by a button that is pressed twice: both uploads are under way before either is there."""
    task_id, content, client_id = question(office), pdf(), new_id()
    store, second = office.files.put, []

    def put_after_the_other_has_come(key: str, stream: Any) -> None:
        if key.startswith("answers/") and not second:
            second.append("")
            second[0] = one(office, task_id, content, client_id=client_id)
            submit(office, task_id, [second[0]], client_id)
        store(key, stream)

    monkeypatch.setattr(office.files, "put", put_after_the_other_has_come)
    first = one(office, task_id, content, client_id=client_id)
    assert second == [first]
    done = submit(office, task_id, [first], client_id)
    assert (done["answer"], done["answer_version"]) == ([first], 1)
    assert stored(office) == {first}


def test_an_upload_that_was_interrupted_is_finished_by_the_same_once_more(office: Office, monkeypatch: Any) -> None:
    task_id, content, store = question(office), pdf(), office.files.put

    def cut_off(key: str, stream: Any) -> None:
        if key.startswith("answers/"):
            raise Unavailable("files_unavailable")
        store(key, stream)

    monkeypatch.setattr(office.files, "put", cut_off)
    with pytest.raises(Unavailable):
        one(office, task_id, content)
    monkeypatch.setattr(office.files, "put", store)
    file_id = one(office, task_id, content)
    assert stored(office) == {file_id}
    with office.db.read() as session:
        assert session.scalars(select(TaskFile.state).where(TaskFile.case_task_id == task_id)).all() == ["stored"]


def test_there_is_no_room_for_uploads_without_end(office: Office) -> None:
    task_id = question(office)
    for _ in range(2):
        assert attach(office, task_id, *(pdf(new_id().encode()) for _ in range(20)))["refused"] == []
    (refused,) = attach(office, task_id, pdf(b"one more"))["refused"]
    assert (refused["code"], refused["limits"]) == ("too_many_files", {"most": "20"})
    assert len(stored(office)) == 40


def test_what_one_client_has_uploaded_takes_no_place_from_another(office: Office) -> None:
    task_id, (one_client, other) = question(office), (new_id(), new_id())
    many = [pdf(new_id().encode()) for _ in range(40)]
    for some in (many[:20], many[20:]):
        assert attach(office, task_id, *some, client_id=one_client)["refused"] == []
    (refused,) = attach(office, task_id, pdf(b"one more"), client_id=one_client)["refused"]
    assert refused["code"] == "too_many_files"
    assert attach(office, task_id, pdf(b"of another"), client_id=other)["refused"] == []
    assert attach(office, task_id, pdf(b"of staff"))["refused"] == []


def test_who_has_more_files_than_there_is_room_for_uploads_no_more(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "_MOST_KEPT", 1)
    task_id, ann, twin = question(office), new_id(), new_id()
    for client_id in (ann, twin):
        one(office, task_id, client_id=client_id)
    Merge(office.service, office.firm_id, ann, twin).told()
    (refused,) = attach(office, task_id, pdf(b"more"), client_id=ann)["refused"]
    assert refused["code"] == "too_many_files"


def test_another_answer_lets_go_what_it_does_not_name(office: Office) -> None:
    task_id = question(office)
    kept, dropped = one(office, task_id), one(office, task_id)
    submit(office, task_id, [kept, dropped])
    added = one(office, task_id)
    submit(office, task_id, [kept, added])
    assert listed(office, task_id) == {kept: True, added: True}
    with pytest.raises(NotFound, match="task_file_not_found"):
        task_files.get_task_file(office.db, dropped)
    tidy(office)
    assert stored(office) == {kept, added}
    submit(office, task_id, None)
    tidy(office)
    assert stored(office) == set()


def test_what_no_answer_names_goes_after_a_day(office: Office) -> None:
    task_id = question(office)
    early, late = one(office, task_id), one(office, task_id, at=NOW + DAY / 2)
    tidy(office, NOW + DAY - dt.timedelta(seconds=1))
    assert stored(office) == {early, late}
    tidy(office, NOW + DAY + dt.timedelta(seconds=1))
    assert stored(office) == {late} == set(listed(office, task_id))
    with pytest.raises(Invalid, match="file_not_found"):
        submit(office, task_id, [early, late])
    assert views.get_case_task(office.db, NOW, task_id)["answer"] is None


def test_one_that_is_killed_leaves_nothing_for_ever(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the content was put and before anybody knows; and again while it is tidied away."""
    task_id = question(office)
    monkeypatch.setattr(uploads, "_settle", lambda *args: (_ for _ in ()).throw(SystemExit))
    with pytest.raises(SystemExit):
        attach(office, task_id, pdf())
    monkeypatch.undo()
    (left,) = stored(office)
    assert listed(office, task_id) == {}
    with pytest.raises(Invalid, match="file_not_found"):
        submit(office, task_id, [left])
    monkeypatch.setattr(office.files, "delete", lambda key: (_ for _ in ()).throw(Unavailable("files_unavailable")))
    with pytest.raises(Unavailable):
        tidy(office, NOW + 2 * DAY)
    monkeypatch.undo()
    tidy(office, NOW + 2 * DAY)
    assert stored(office) == set()
    with office.db.read() as session:
        assert session.scalars(select(TaskFile)).all() == []


def test_an_answer_names_only_files_of_its_own(office: Office) -> None:
    """None of another task, of another firm, of another client's uploads, or that never was."""
    case_id = office.cases.open(clients=2)
    ann, bea = office.cases.clients[case_id]
    task_id, other = question(office, case_id=case_id), question(office, case_id=case_id)
    mine, hers = one(office, task_id, client_id=ann), one(office, task_id, client_id=bea)
    for wrong in (one(office, other, client_id=ann), hers, new_id()):
        with pytest.raises(Invalid, match="file_not_found"):
            submit(office, task_id, [mine, wrong], ann)
    submit(office, task_id, [mine], ann)
    assert listed(office, task_id) == {mine: True, hers: False}
    # What is answered is the case's: another client may let it stand beside her own, and staff may name all.
    submit(office, task_id, [mine, hers], bea)
    submit(office, task_id, [mine, hers])
    assert listed(office, task_id) == {mine: True, hers: True}
    for call in (
        lambda: task_files.get_task_file(office.foreign_db, mine),
        lambda: task_files.delete_task_file(office.foreign_db, mine),
        lambda: task_files.list_task_files(office.foreign_db, [task_id]),
    ):
        with pytest.raises(NotFound):
            call()


def test_what_a_client_has_not_ticked_goes_with_the_answer(office: Office) -> None:
    task_id, client_id = question(office), new_id()
    mine, unticked = one(office, task_id, client_id=client_id), one(office, task_id, client_id=client_id)
    submit(office, task_id, [mine], client_id)
    assert listed(office, task_id) == {mine: True}
    tidy(office)
    assert stored(office) == {mine} != {unticked}


def test_an_upload_can_be_taken_back_until_it_is_answered(office: Office) -> None:
    task_id = question(office)
    wrong, right = one(office, task_id), one(office, task_id)
    submit(office, task_id, [right])
    task_files.delete_task_file(office.db, wrong)
    with pytest.raises(Conflict, match="file_answered"):
        task_files.delete_task_file(office.db, right)
    with pytest.raises(NotFound, match="task_file_not_found"):
        task_files.delete_task_file(office.db, wrong)
    tidy(office)
    assert stored(office) == {right}


def test_files_only_where_they_are_asked_for(office: Office) -> None:
    with pytest.raises(Invalid, match="no_files_wanted"):
        attach(office, str(office.assign()["id"]), pdf())
    with pytest.raises(NotFound, match="case_task_not_found"):
        attach(office, new_id(), pdf())
    task_id = question(office)
    with office.db.unit_of_work() as uow:
        views.load_case_task(uow.session, task_id, lock=True).status = "skipped"
    with pytest.raises(Conflict, match="task_skipped"):
        attach(office, task_id, pdf())
    with office.db.unit_of_work() as uow:
        views.load_case_task(uow.session, task_id, lock=True).archived = True
    for client_id in (None, new_id()):
        with pytest.raises(Conflict, match="case_archived"):
            attach(office, task_id, pdf(), client_id=client_id)
    assert stored(office) == set()


def test_a_task_that_an_answer_hides_lets_its_files_go(office: Office) -> None:
    case = Case(
        office,
        {
            "tasks": {
                "will": {},
                "deed": {"condition": on("will"), "template": {"kind": "file_upload"}},
                "id": {"template": {"kind": "file_upload"}},
            }
        },
    )
    case.answer("will", True)
    answered, left = one(office, case.ids["deed"]), one(office, case.ids["id"])
    case.answer("deed", [answered])
    one(office, case.ids["deed"])
    case.answer("will", False)
    assert case.task("deed")["status"] == "skipped"
    assert listed(office, case.ids["deed"]) == {}
    tidy(office)
    assert stored(office) == {left}
    with pytest.raises(Conflict, match="task_skipped"):
        attach(office, case.ids["deed"], pdf())


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_what_a_killed_gateway_left_goes_after_a_day(office: Office) -> None:
    def made(at: dt.datetime) -> str:
        return str(uuid.UUID(int=int(at.timestamp() * 1000) << 80 | 7 << 76 | 2 << 62))

    left, new = f"uploads/portal/{made(NOW - DAY * 1.01)}", f"uploads/x/{made(NOW - DAY * 0.99)}"
    others = ["uploads/no-id", f"uploads/{uuid.uuid4()}", f"answers/x/{made(NOW - DAY * 9)}"]
    for key in (left, new, *others):
        office.files.put(key, b"x")
    file_tidying.tidy_left_uploads(office.files, NOW)
    assert {key for key in (left, new, *others) if office.files.exists(key)} == {new, *others}


# Signatures


def test_a_signature_keeps_who_signed_and_when(office: Office) -> None:
    task_id = question(office, "signature")
    done = submit(office, task_id, {"name": "Ann Lane", "agreed": True})["answer"]
    assert done == {"name": "Ann Lane", "agreed": True, "file_id": None, "signed_at": "2026-11-21T15:00:00Z"}
    for seen in (0, 1):
        again = submit(office, task_id, {"name": "Ann Lane", "agreed": True}, at=NOW + DAY, seen=seen)
        assert again["answer"] == done
    anew = submit(office, task_id, {"name": "Ann B. Lane", "agreed": True}, at=NOW + DAY)["answer"]
    assert anew["signed_at"] == "2026-11-22T15:00:00Z"


def test_its_picture_is_drawn_anew(office: Office) -> None:
    task_id = question(office, "signature")
    made = attach(office, task_id, signed("JPEG"), pdf(), names=["me.jpg", "deed.pdf"])
    (file,), (refused,) = made["files"], made["refused"]
    assert (file["filename"], file["content_type"], refused["code"]) == ("me.png", "image/png", "not_a_picture")
    answer = {"name": "Ann Lane", "agreed": True, "file_id": file["id"]}
    assert submit(office, task_id, answer)["answer"]["file_id"] == file["id"]
    with pytest.raises(Invalid, match="file_not_found"):
        submit(office, task_id, {**answer, "file_id": new_id()})


# What becomes of a person's files


def test_an_erased_clients_files_go_and_no_others(office: Office) -> None:
    case_id, own_case = office.cases.open(clients=2), office.cases.open()
    ann, bea = office.cases.clients[case_id]
    office.cases.clients[own_case] = [ann]
    shared, staffs = question(office, case_id=case_id), question(office, case_id=own_case)
    names = {"names": ["Marzipan.pdf"]}
    waiting, answered = one(office, shared, client_id=ann, **names), one(office, shared, client_id=ann, **names)
    submit(office, shared, [answered], ann)
    waiting = one(office, shared, client_id=ann, **names)
    written_down = one(office, staffs, **names)
    submit(office, staffs, [written_down])
    hers = one(office, shared, client_id=bea, names=["Quahogport.pdf"])
    assert {waiting, answered, written_down, hers} <= stored(office)
    (report,) = erase(office, ann)
    assert report["counts"]["answers"] == 2
    assert stored(office) == {hers}
    assert found_in(office.everywhere, ["Marzipan", "Quahogport"]) == ["Quahogport"]
    assert views.get_case_task(office.db, NOW, shared)["answer"] is None


def test_what_a_client_has_uploaded_stays_its_own_where_staff_answer_with_it(office: Office) -> None:
    case_id = office.cases.open(clients=2)
    ann, bea = office.cases.clients[case_id]
    task_id = question(office, case_id=case_id)
    mine, hers = one(office, task_id, client_id=ann), one(office, task_id, client_id=bea)
    submit(office, task_id, [mine, hers])
    erase(office, ann)
    assert stored(office) == {hers}
    assert views.get_case_task(office.db, NOW, task_id)["answer"] == [hers]


def test_a_file_that_is_being_stored_meanwhile_is_not_left(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    case_id = office.cases.open()
    (client_id,) = office.cases.clients[case_id]
    task_id, put = question(office, case_id=case_id), office.files.put

    def erased_first(key: str, content: Any) -> None:
        if key.startswith("answers/"):
            erase(office, client_id)
        put(key, content)

    monkeypatch.setattr(office.files, "put", erased_first)
    with pytest.raises(NotFound, match="task_file_not_found"):
        attach(office, task_id, pdf(), client_id=client_id)
    assert stored(office) == set()


def test_one_that_comes_while_contents_are_removed_is_waited_for(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id = office.cases.open()
    (client_id,) = office.cases.clients[case_id]
    task_id = question(office, case_id=case_id)
    first, delete = one(office, task_id, client_id=client_id), office.files.delete

    def another_comes(key: str) -> None:
        delete(key)
        if key.endswith(first):
            one(office, task_id, client_id=client_id)

    monkeypatch.setattr(office.files, "delete", another_comes)
    office.calls.answers[cases.GET_CLIENT_CASES] = lambda client_ids: {"cases": []}
    data = {"client_id": client_id, "erasure_id": new_id(), "version": 9, "client_ids": [client_id]}
    event = received(clients.CLIENT_ERASED, data, firm_id=office.firm_id, subscription="forget_clients")
    with pytest.raises(Unavailable, match="files_still_coming"):
        deliver(office.service, "forget_clients", event)
    monkeypatch.undo()
    deliver(office.service, "forget_clients", event)
    assert stored(office) == set()


def test_files_are_handed_out_with_what_their_client_answered(office: Office) -> None:
    case_id = office.cases.open(clients=2)
    ann, bea = office.cases.clients[case_id]
    task_id = question(office, case_id=case_id)
    mine, _ = one(office, task_id, client_id=ann), one(office, task_id, client_id=bea)
    office.calls.answers[cases.GET_CLIENT_CASES] = lambda client_ids: {"cases": []}
    page = data_exports.export_client_data(office.db, office.calls, client_id=ann)
    assert [entry["data"]["id"] for entry in page["entries"] if entry["kind"] == "task_file"] == [mine]
    (file,) = page["files"]
    assert file["name"] == f"task_file/{mine}-deed.pdf"
    assert office.files.exists(file["file_key"])


def test_what_the_merged_client_uploaded_is_the_survivors_and_goes_back(office: Office) -> None:
    ann, twin = new_id(), new_id()
    task_id = question(office)
    file = one(office, task_id, client_id=twin)
    made = Merge(office.service, office.firm_id, ann, twin).told()
    assert task_files.get_task_file(office.db, file)["client_id"] == ann
    made.undone()
    assert task_files.get_task_file(office.db, file)["client_id"] == twin
