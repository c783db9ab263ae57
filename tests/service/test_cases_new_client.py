"""A case together with a new client: whatever ends when, both are there in the end, or neither."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import func, select

from chassis.columns import new_id, utc_now
from chassis.idempotency import AlreadyAnswered
from chassis.rpc import RemoteFault
from chassis.testing import outbox_events
from contracts.cases import CASE_CHANGED, CASE_CREATED, CREATE_CASE
from contracts.clients import CREATE_CLIENT
from contracts.errors import Conflict, DeadlineExceeded, Invalid, NotFound, Unavailable
from services.cases import new_client
from services.cases.models import Base, Case, CaseClient, CaseFieldValue, ClientFacts, NewClientRequest, StatusChange
from tests.service.cases_office import Office, refusal
from tests.service.one_database import on_one_database

ANN = {
    "first_name": "Ann",
    "phones": [{"number": "+12125550123"}],
    "date_of_birth": dt.date(1980, 2, 3),
    "tags": ["vip"],
    "skip_duplicate_check": False,
}


class Crash(BaseException):
    """The process ended here."""


@pytest.fixture
def office(new_database: Any) -> Office:
    return Office(new_database(Base))


@pytest.fixture
def kind(office: Office) -> dict[str, Any]:
    return office.case_type()


def answer_once(office: Office, outcome: BaseException) -> None:
    """The next call to create a client ends so; those after it are answered."""
    usual = office._create_client

    def answer(**command: Any) -> Any:
        office.calls.answers[CREATE_CLIENT] = usual
        raise outcome

    office.calls.answers[CREATE_CLIENT] = answer


def later(office: Office, seconds: float = 60) -> int:
    across = office.db.across_firms("a timer's database is bound to no firm")
    return new_client.finish_due(across, office.calls, now=utc_now() + dt.timedelta(seconds=seconds))


def rows(office: Office, *models: Any) -> list[int]:
    with office.db.read() as session:
        return [session.scalar(select(func.count()).select_from(model)) for model in models]


def the_request(office: Office) -> NewClientRequest:
    with office.db.read() as session:
        return session.scalars(select(NewClientRequest)).one()


def test_a_case_with_a_new_client_is_active_at_once(office: Office, kind: dict[str, Any]) -> None:
    case = office.case(kind, new_client=ANN, custom_fields={"heirs": 1})
    (asked,) = office.calls.asked(CREATE_CLIENT)
    assert (asked["first_name"], asked["date_of_birth"]) == ("Ann", dt.date(1980, 2, 3))
    assert case["state"] == "open"
    assert case["clients"] == [{"client_id": asked["client_id"], "role": "primary", "label": None}]
    (event,) = outbox_events(office.db, CASE_CREATED)
    assert event.data["client_ids"] == [asked["client_id"]]
    assert the_request(office).client_data is None
    assert office.selected(case_filter={"field": "clients.tags", "op": "eq", "value": "vip"}) == [case["id"]]
    assert later(office) == 0


@pytest.mark.parametrize(
    "outcome", [Unavailable("bus_unavailable"), DeadlineExceeded("deadline_exceeded"), RemoteFault("internal_error")]
)
def test_while_clients_cannot_be_asked_the_case_is_pending_and_a_timer_finishes_it(
    office: Office, kind: dict[str, Any], outcome: Exception
) -> None:
    answer_once(office, outcome)
    case = office.case(kind, new_client=ANN)
    assert case["state"] == "pending"
    assert outbox_events(office.db, CASE_CREATED) == []
    assert office.selected(case_filter={"field": "name", "op": "is_not_empty"}) == []
    assert later(office, seconds=0) == 0  # the request's own time is not over
    assert later(office) == 1
    assert later(office) == 0
    finished = office.service.get_case(case["id"])
    assert (finished["state"], finished["clients"]) == ("open", case["clients"])
    # Whoever asked about it meanwhile was told that it waits: it has changed since.
    assert finished["version"] == case["version"] + 1
    assert len({asked["client_id"] for asked in office.calls.asked(CREATE_CLIENT)}) == 1
    assert len(outbox_events(office.db, CASE_CREATED)) == 1


@pytest.mark.parametrize("client_was_created", [False, True])
def test_a_crash_in_between_is_finished_by_the_timer(
    office: Office, kind: dict[str, Any], client_was_created: bool
) -> None:
    usual = office._create_client

    def crash(**command: Any) -> Any:
        office.calls.answers[CREATE_CLIENT] = usual
        if client_was_created:
            usual(**command)
        raise Crash

    office.calls.answers[CREATE_CLIENT] = crash
    with pytest.raises(Crash):
        office.case(kind, new_client=ANN)
    assert rows(office, Case) == [1]
    assert later(office) == 1
    (case,) = _listed(office)
    assert (case["state"], [entry["client_id"] for entry in case["clients"]]) == ("open", list(office.clients))


def _listed(office: Office) -> list[dict[str, Any]]:
    plain = dict.fromkeys(("q", "state", "case_type_id", "client_id", "filter", "cursor", "sort"))
    found: list[dict[str, Any]] = office.service.list_cases(**plain, limit=50)["data"]
    return found


def test_the_same_key_after_a_crash_finds_the_same_case(office: Office, kind: dict[str, Any]) -> None:
    answer_once(office, Crash())
    with pytest.raises(Crash), office.request(CREATE_CASE, "k", "body"):
        office.case(kind, new_client=ANN)
    with pytest.raises(Invalid) as reused, office.request(CREATE_CASE, "k", "other body"):
        office.case(kind, new_client=ANN)
    assert reused.value.code == "idempotency_key_reused"
    with office.request(CREATE_CASE, "k", "body"):
        case = office.case(kind, new_client=ANN)
    assert case["state"] == "open"
    assert rows(office, Case) == [1]
    with pytest.raises(AlreadyAnswered) as answered, office.request(CREATE_CASE, "k", "body"):
        office.case(kind, new_client=ANN)
    assert answered.value.answer["id"] == case["id"]


def test_the_same_key_after_the_timer_finds_the_same_case(office: Office, kind: dict[str, Any]) -> None:
    answer_once(office, Unavailable("bus_unavailable"))
    with office.request(CREATE_CASE, "k", "body"):
        pending = office.case(kind, new_client=ANN)
    assert later(office) == 1
    with office.request(CREATE_CASE, "k", "body"):
        assert office.case(kind, new_client=ANN)["id"] == pending["id"]
    assert rows(office, Case) == [1]
    assert len(outbox_events(office.db, CASE_CREATED)) == 1
    assert later(office, seconds=25 * 3600) == 0
    assert rows(office, NewClientRequest) == [0]


def test_the_same_key_finds_the_same_case_though_its_staff_has_left(office: Office, kind: dict[str, Any]) -> None:
    staff_id = office.staff()
    answer_once(office, Unavailable("bus_unavailable"))
    with office.request(CREATE_CASE, "k", "body"):
        pending = office.case(kind, new_client=ANN, staff_ids=[staff_id])
    office.colleagues[staff_id]["active"] = False
    with office.request(CREATE_CASE, "k", "body"):
        assert office.case(kind, new_client=ANN, staff_ids=[staff_id])["id"] == pending["id"]


@pytest.mark.parametrize("by_timer", [False, True])
@pytest.mark.parametrize(
    ("outcome", "fields"),
    [
        (Conflict("external_id_taken", client_id="c1"), []),
        (Invalid("invalid_phone", fields=[{"field": "phones.0.number", "message": "Not a phone number."}]),
         ["new_client.phones.0.number"]),
    ],
)  # fmt: skip
def test_a_client_that_is_refused_leaves_nothing(
    office: Office, kind: dict[str, Any], outcome: Any, fields: list[str], by_timer: bool
) -> None:
    if by_timer:
        answer_once(office, Unavailable("bus_unavailable"))
        pending = office.case(kind, new_client=ANN, custom_fields={"heirs": 1})
        office.service.create_case_list(name="L", include_ids=[pending["id"]])
        answer_once(office, outcome)
        assert later(office) == 0
        with pytest.raises(NotFound):
            office.service.get_case(pending["id"])
    else:
        answer_once(office, outcome)
        with pytest.raises(type(outcome)) as refused:
            office.case(kind, new_client=ANN, custom_fields={"heirs": 1})
        assert (refused.value.code, refused.value.meta) == (outcome.code, outcome.meta)
        assert [entry["field"] for entry in refused.value.fields] == fields
    assert rows(office, Case, CaseClient, CaseFieldValue, StatusChange, NewClientRequest) == [0] * 5
    assert outbox_events(office.db, CASE_CREATED) == []


def test_a_case_that_was_said_to_wait_is_not_lost_to_a_duplicate(office: Office, kind: dict[str, Any]) -> None:
    def of_known_people(**command: Any) -> Any:
        if not command["skip_duplicate_check"]:
            raise Conflict("duplicate_client", candidates="c1")
        return office._create_client(**command)

    answer_once(office, Unavailable("bus_unavailable"))
    pending = office.case(kind, new_client=ANN)
    office.calls.answers[CREATE_CLIENT] = of_known_people
    assert later(office) == 1
    finished = office.service.get_case(pending["id"])
    assert (finished["state"], finished["clients"]) == ("open", pending["clients"])


def test_a_repeat_is_not_refused_what_is_finished_meanwhile(office: Office, kind: dict[str, Any]) -> None:
    def finished_meanwhile(**command: Any) -> Any:
        office.calls.answers[CREATE_CLIENT] = office._create_client
        assert later(office) == 1
        raise Conflict("duplicate_client", candidates="c1")

    answer_once(office, Unavailable("bus_unavailable"))
    pending = office.case(kind, new_client=ANN)
    office.calls.answers[CREATE_CLIENT] = finished_meanwhile
    again = new_client.finish(office.db, office.calls, pending["id"], now=utc_now())
    assert (again["id"], again["state"]) == (pending["id"], "open")


def test_a_refused_request_may_be_corrected_under_its_key(office: Office, kind: dict[str, Any]) -> None:
    answer_once(office, Conflict("duplicate_client", candidates="c1"))
    with pytest.raises(Conflict), office.request(CREATE_CASE, "k", "body"):
        office.case(kind, new_client=ANN)
    with office.request(CREATE_CASE, "k", "body, to be created all the same"):
        assert office.case(kind, new_client={**ANN, "skip_duplicate_check": True})["state"] == "open"


@on_one_database
def test_a_turn_that_fails_waits_longer_before_the_next(office: Office, kind: dict[str, Any]) -> None:
    def unavailable(**command: Any) -> Any:
        raise Unavailable("bus_unavailable")

    office.calls.answers[CREATE_CLIENT] = unavailable
    office.case(kind, new_client=ANN)
    waits = []
    for _ in range(11):
        before = the_request(office).due_at
        across = office.db.across_firms("a timer's database is bound to no firm")
        new_client.finish_due(across, office.calls, now=before)
        waits.append((the_request(office).due_at - before).total_seconds())
    assert waits[:3] == [10, 20, 40]
    assert waits[-1] == 3600
    office.calls.answers[CREATE_CLIENT] = office._create_client
    assert later(office, seconds=10 * 3600) == 1


@on_one_database
def test_a_case_that_cannot_be_finished_keeps_no_other_waiting(
    office: Office, kind: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for _ in range(2):
        answer_once(office, Unavailable("bus_unavailable"))
        made.append(office.case(kind, new_client={**ANN, "skip_duplicate_check": True})["id"])
    finish = new_client.finish

    def failing(db: Any, calls: Any, case_id: str, **given: Any) -> Any:
        if case_id == made[0]:
            raise ZeroDivisionError
        return finish(db, calls, case_id, **given)

    monkeypatch.setattr(new_client, "finish", failing)
    with pytest.raises(ZeroDivisionError):
        later(office)
    with office.db.read() as session:
        states = {row.id: row.state for row in session.execute(select(Case.id, Case.state))}
    assert states == {made[0]: "pending", made[1]: "open"}


def test_a_pending_case_does_not_change(office: Office, kind: dict[str, Any]) -> None:
    answer_once(office, Unavailable("bus_unavailable"))
    pending = office.case(kind, new_client=ANN)
    assert refusal(Conflict, office.service.update_case, pending["id"], {"name": "B"}, None)[0] == "case_pending"
    assert refusal(Conflict, office.service.archive_case, pending["id"])[0] == "case_pending"
    assert outbox_events(office.db, CASE_CHANGED) == []


@on_one_database
def test_the_key_of_a_case_that_waits_for_its_client_is_no_other_requests(office: Office, kind: dict[str, Any]) -> None:
    answer_once(office, Unavailable("bus_unavailable"))
    with office.request(CREATE_CASE, "k", "body"):
        pending = office.case(kind, new_client=ANN)
    with office.request(CREATE_CASE, "k", "a client that exists"):
        assert refusal(Invalid, office.case, kind)[0] == "idempotency_key_reused"
    with office.request(CREATE_CASE, "k", "body"):
        assert office.case(kind, new_client=ANN)["id"] == pending["id"]
    assert rows(office, Case) == [1]


@on_one_database
def test_a_client_that_was_merged_meanwhile_is_known_as_the_survivor(office: Office, kind: dict[str, Any]) -> None:
    survivor = office.client(tags=["survivor"], version=7)

    def merged(client_id: str, **command: Any) -> dict[str, Any]:
        return {"id": survivor, **{name: office.clients[survivor][name] for name in new_client._FACTS}}

    office.calls.answers[CREATE_CLIENT] = merged
    case = office.case(kind, new_client=ANN)
    with office.db.read() as session:
        known = session.execute(select(ClientFacts.client_id, ClientFacts.version)).all()
    assert [tuple(row) for row in known] == [(survivor, 7)]
    assert case["state"] == "open"


def test_clients_and_a_new_client_exclude_each_other(office: Office, kind: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        office.case(kind, new_client=ANN, clients=[{"client_id": new_id()}])
    assert [entry["field"] for entry in refused.value.fields] == ["clients"]
    assert office.calls.calls == []
