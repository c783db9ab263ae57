"""Case types and cases: what is kept, what is refused, and what they say about it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import eventlet
import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from chassis.columns import new_id
from chassis.database import Database
from chassis.idempotency import AlreadyAnswered
from contracts.cases import CASE_CHANGED, CASE_CREATED, CREATE_CASE, SUMMARIZE_CLIENT_CASES
from contracts.clients import GET_CLIENT_FACTS
from contracts.errors import Conflict, Invalid, NotFound
from services.cases import client_summaries, records
from services.cases.case_types import find_case_type
from services.cases.models import Base, Case, CaseClient, ClientFacts, StatusChange
from services.cases.reading import find_case
from services.cases.type_fields import replace_fields
from services.cases.uniqueness import meaning_of
from tests.service.cases_office import NEWEST, NOW, PROBATE, Office, events, listed, refusal
from tests.service.one_database import on_one_database
from tests.service.plans import counted
from tests.service.races import until_held_up


@pytest.fixture
def office(new_database: Any) -> Office:
    return Office(new_database(Base))


@pytest.fixture
def small_office(emptied_sqlite: Callable[[Any], Database]) -> Office:
    """On SQLite only: for what is refused before SQL could differ."""
    return Office(emptied_sqlite(Base))


# Case types


def test_a_case_type_is_read_as_it_was_written(office: Office) -> None:
    made = office.case_type()
    assert made == office.service.get_case_type(made["id"])
    assert [status["name"] for status in made["statuses"]] == ["New", "In court", "Closed"]
    assert made["custom_fields"][0] == {
        "key": "court", "label": "Court", "type": "choice", "required": False, "sensitive": False,
        "options": ["north", "south", "East Side"],
    }  # fmt: skip
    assert office.service.list_case_types(limit=10, cursor=None, sort=None)["data"] == [made]
    assert refusal(Conflict, office.case_type) == ("name_taken", ["name"])


@on_one_database
def test_two_case_types_have_two_names_however_they_are_written(office: Office) -> None:
    first = office.case_type(name="Cafe\u0301  Probate")
    other = office.case_type(name="Other")
    for name in ("caf\u00e9 probate", " CAF\u00c9 Probate "):
        assert refusal(Conflict, office.case_type, name=name) == ("name_taken", ["name"])
        renaming = (office.service.update_case_type, other["id"], {"name": name}, None)
        assert refusal(Conflict, *renaming) == ("name_taken", ["name"])
    renamed = office.service.update_case_type(first["id"], {"name": "CAF\u00c9 PROBATE"}, None)
    assert renamed["name"] == "CAF\u00c9 PROBATE"
    office.service.update_case_type(first["id"], {"name": "Estate"}, None)
    assert office.case_type(name="Caf\u00e9 probate")["name"] == "Caf\u00e9 probate"


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"statuses": [{"name": "A", "closed": False}, {"name": "a", "closed": True}]}, "statuses.1.name"),
        ({"custom_fields": [{"key": "k", "label": "K", "type": "text"}] * 2}, "custom_fields.1.key"),
        ({"name": "  "}, "name"),
        ({"statuses": [{"name": " ", "closed": False}]}, "statuses.0.name"),
        ({"custom_fields": [{"key": "k", "label": " ", "type": "text"}]}, "custom_fields.0.label"),
        ({"custom_fields": [{"key": "k", "label": "K", "type": "choice"}]}, "custom_fields.0.options"),
        ({"custom_fields": [{"key": "k", "label": "K", "type": "text", "options": ["a"]}]}, "custom_fields.0.options"),
        (
            {"custom_fields": [{"key": "k", "label": "K", "type": "choices", "options": ["a", "a"]}]},
            "custom_fields.0.options.1",
        ),
    ],
)
def test_a_wrong_case_type_is_refused(small_office: Office, changes: dict[str, Any], place: str) -> None:
    assert refusal(Invalid, small_office.case_type, **changes) == ("invalid_input", [place])


def test_a_status_with_cases_cannot_go_but_can_change_its_state(office: Office) -> None:
    kind = office.case_type()
    case = office.case(kind, status="In court")
    fewer = [status for status in PROBATE["statuses"] if status["name"] != "In court"]
    with pytest.raises(Conflict) as refused:
        office.service.update_case_type(kind["id"], {"statuses": fewer}, None)
    assert (refused.value.code, refused.value.meta["status"]) == ("status_in_use", "In court")
    assert office.service.get_case_type(kind["id"]) == kind

    turned = [
        {"name": "Closed", "closed": True},
        {"name": "In court", "closed": True},
        {"name": "Done", "closed": True},
    ]
    changed = office.service.update_case_type(kind["id"], {"statuses": turned}, kind["version"])
    assert changed["statuses"] == turned
    assert changed["version"] == 2
    assert office.service.get_case(case["id"])["state"] == "closed"
    (event,) = events(office, CASE_CHANGED)
    assert (event["case_id"], event["state"], event["version"], event["changed"]) == (
        case["id"], "closed", 2, ["state"]
    )  # fmt: skip


def test_the_last_reference_to_a_status_is_a_constraint(office: Office) -> None:
    kind = office.case_type()
    case = office.case(kind)
    statement = update(Case).where(Case.id == case["id"]).values(status="No such status")
    with pytest.raises(IntegrityError) as broken, office.db.unit_of_work() as uow:
        uow.session.execute(statement)
    if "postgresql" in office.db.url:
        meaning = meaning_of(broken.value)
        assert meaning is not None
        assert meaning.code == "unknown_status"


def test_a_removed_field_hides_its_values_and_shows_them_again(office: Office) -> None:
    kind = office.case_type()
    case = office.case(kind, custom_fields={"court": "north", "heirs": 2})
    without = [field for field in PROBATE["custom_fields"] if field["key"] != "court"]
    office.service.update_case_type(kind["id"], {"custom_fields": without}, None)
    assert office.service.get_case(case["id"])["custom_fields"] == {"heirs": 2}
    assert refusal(Invalid, office.selected, case_filter={"field": "custom_fields.court", "op": "is_empty"}) == (
        "invalid_filter", ["selector.case_filter.field"],
    )  # fmt: skip
    # Changing something else leaves what is hidden.
    office.service.update_case(case["id"], {"custom_fields": {"heirs": 3}}, None)
    other = [{"key": "court", "label": "Court", "type": "text"}, *without]
    assert refusal(Conflict, office.service.update_case_type, kind["id"], {"custom_fields": other}, None) == (
        "custom_field_in_use", ["custom_fields.0.type"],
    )  # fmt: skip
    office.service.update_case_type(kind["id"], {"custom_fields": PROBATE["custom_fields"]}, None)
    assert office.service.get_case(case["id"])["custom_fields"] == {"court": "north", "heirs": 3}


NOTES_AS_NUMBER = [
    {**field, "type": "number" if field["key"] == "notes" else field["type"]} for field in PROBATE["custom_fields"]
]


def test_a_field_does_not_change_its_type_under_a_value_that_is_being_written(office: Office) -> None:
    kind = office.case_type()
    case = office.case(kind)
    with office.db.unit_of_work() as uow:
        found = find_case(uow.session, case["id"], lock=True)
        assert records.apply_changes(uow, found, {"custom_fields": {"notes": "a text"}}, None, NOW)
        changing = eventlet.spawn(office.service.update_case_type, kind["id"], {"custom_fields": NOTES_AS_NUMBER}, None)
        until_held_up(office.db, changing)
    assert refusal(Conflict, changing.wait)[0] == "custom_field_in_use"
    assert office.service.get_case(case["id"])["custom_fields"] == {"notes": "a text"}


@pytest.mark.parametrize("new", [False, True])
def test_a_value_is_read_by_the_type_that_its_field_is_being_given(office: Office, new: bool) -> None:
    kind = office.case_type()
    case = office.case(kind)
    text = {"custom_fields": {"notes": "a text"}}
    with office.db.unit_of_work() as uow:
        find_case_type(uow.session, kind["id"], lock=True)
        replace_fields(uow, kind["id"], NOTES_AS_NUMBER, NOW)
        uow.session.flush()
        if new:
            writing = eventlet.spawn(office.case, kind, **text)
        else:
            writing = eventlet.spawn(office.service.update_case, case["id"], text, None)
        until_held_up(office.db, writing)
    assert refusal(Invalid, writing.wait) == ("invalid_input", ["custom_fields.notes"])


def test_a_hidden_value_is_not_found_where_another_type_has_the_field(office: Office) -> None:
    kind, other = office.case_type(), office.case_type(name="Estates")
    case = office.case(kind, custom_fields={"court": "north"})
    also = office.case(other, custom_fields={"court": "north"})
    wire = {"field": "custom_fields.court", "op": "eq", "value": "north"}
    assert office.selected(case_filter=wire) == [case["id"], also["id"]]
    office.service.update_case_type(kind["id"], {"custom_fields": []}, None)
    assert office.selected(case_filter=wire) == [also["id"]]
    assert office.selected(case_filter={"field": "custom_fields.court", "op": "is_empty"}) == [case["id"]]


def test_a_stale_case_type_is_not_written(office: Office) -> None:
    kind = office.case_type()
    office.service.update_case_type(kind["id"], {"name": "Estates"}, 1)
    assert refusal(Conflict, office.service.update_case_type, kind["id"], {"name": "B"}, 1)[0] == "stale_version"
    assert office.service.update_case_type(kind["id"], {"name": "Estates"}, None)["version"] == 2


# Cases


def test_a_case_is_read_as_it_was_written(office: Office) -> None:
    kind = office.case_type()
    ann, bob = office.client(tags=["vip"]), office.client()
    staff = office.staff()
    made = office.case(
        kind,
        name="Estate of X",
        clients=[{"client_id": ann, "label": "widow"}, {"client_id": bob}],
        staff_ids=[staff, staff],
        responsible_staff_id=staff,
        description="Long",
        value=Decimal("10.50"),
        custom_fields={"estate": "1000", "topics": ["tax", "will"], "hearing": None},
    )
    assert made == office.service.get_case(made["id"])
    assert made["number"] == "000001"
    assert (made["status"], made["state"], made["version"]) == ("New", "open", 1)
    assert made["clients"] == [
        {"client_id": ann, "role": "primary", "label": "widow"},
        {"client_id": bob, "role": "additional", "label": None},
    ]
    assert made["staff_ids"] == [staff]
    assert made["value"] == Decimal("10.50")
    assert made["custom_fields"] == {"estate": "1000.00", "topics": ["will", "tax"]}
    (event,) = events(office, CASE_CREATED)
    assert (event["case_id"], event["client_ids"], event["version"]) == (made["id"], [ann, bob], 1)
    assert office.calls.asked(GET_CLIENT_FACTS) == [{"client_ids": [ann, bob]}]
    # What the owner said of the clients is kept for filters, before any event comes.
    assert office.selected(case_filter={"field": "clients.tags", "op": "contains", "value": "vip"}) == [made["id"]]
    with office.db.read() as session:
        assert session.scalar(select(StatusChange.to_status)) == "New"
        assert session.scalar(select(StatusChange.actor_id)) == office.actor_id


@pytest.mark.parametrize(
    ("command", "code", "places"),
    [
        ({"status": "Done"}, "unknown_status", ["status"]),
        ({"value": Decimal("1E12")}, "invalid_input", ["value"]),
        ({"name": " ", "number": "\u2003"}, "invalid_input", ["name", "number"]),
        ({"custom_fields": {"court": "west"}}, "invalid_input", ["custom_fields.court"]),
        ({"custom_fields": {"nothing": 1}}, "invalid_input", ["custom_fields.nothing"]),
        ({"clients": [{"client_id": "u"}]}, "unknown_client", ["clients.0.client_id"]),
        ({"clients": [{"client_id": "a"}, {"client_id": "u"}]}, "unknown_client", ["clients.1.client_id"]),
        ({"clients": [{"client_id": "a"}, {"client_id": "a"}]}, "invalid_input", ["clients.1.client_id"]),
        (
            {"clients": [{"client_id": "a", "role": "primary"}, {"client_id": "b", "role": "primary"}]},
            "invalid_input",
            ["clients.1.role"],
        ),
        ({"clients": [{"client_id": "a", "role": "additional"}]}, "invalid_input", ["clients"]),
        ({"clients": None}, "invalid_input", ["clients"]),
    ],
)
def test_a_wrong_case_is_refused_and_nothing_is_half_done(
    small_office: Office, command: dict[str, Any], code: str, places: list[str]
) -> None:
    kind = small_office.case_type()
    ids = {"a": small_office.client(), "b": small_office.client(), "u": new_id()}
    if command.get("clients"):
        command = {"clients": [{**client, "client_id": ids[client["client_id"]]} for client in command["clients"]]}
    assert refusal(Invalid, small_office.case, kind, **command) == (code, places)
    assert events(small_office, CASE_CREATED) == []
    with small_office.db.read() as session:
        assert session.scalars(select(ClientFacts)).all() == []
    assert small_office.case(kind)["number"] == "000001"


def test_a_required_field_is_required(office: Office) -> None:
    kind = office.case_type(custom_fields=[{"key": "court", "label": "Court", "type": "text", "required": True}])
    assert refusal(Invalid, office.case, kind)[1] == ["custom_fields.court"]
    case = office.case(kind, custom_fields={"court": "north"})
    blank = {"custom_fields": {"court": " "}}
    assert refusal(Invalid, office.service.update_case, case["id"], blank, None)[1] == ["custom_fields.court"]


@on_one_database
def test_numbers_are_the_firms_own_and_unique(office: Office) -> None:
    kind = office.case_type()
    assert office.case(kind, number="000002")["number"] == "000002"
    assert [office.case(kind)["number"] for _ in range(2)] == ["000001", "000003"]
    assert refusal(Conflict, office.case, kind, number="000003") == ("number_taken", ["number"])
    neighbour = Office(office.db)
    assert neighbour.case(neighbour.case_type())["number"] == "000001"


def test_the_series_gives_each_number_once_to_cases_made_at_once(office: Office) -> None:
    kind = office.case_type()
    made = list(eventlet.GreenPool(10).imap(lambda _: office.case(kind)["number"], range(30)))
    assert sorted(made) == [f"{number:06}" for number in range(1, 31)]


def test_external_ids_are_unique_together(office: Office) -> None:
    kind = office.case_type()
    office.case(kind, external_source="clio", external_source_id="1")
    office.case(kind, external_source="mycase", external_source_id="1")
    office.case(kind, external_source="clio")
    office.case(kind, external_source="clio")
    again = {"external_source": "clio", "external_source_id": "1"}
    assert refusal(Conflict, office.case, kind, **again) == ("external_source_id_taken", ["external_source_id"])


def test_an_external_id_needs_its_source(office: Office) -> None:
    kind = office.case_type()
    needed = ("invalid_input", ["external_source"])
    assert refusal(Invalid, office.case, kind, external_source_id="1") == needed
    assert refusal(Invalid, office.case, kind, external_source="", external_source_id="1") == needed
    change = partial(office.service.update_case, office.case(kind)["id"])
    assert refusal(Invalid, change, {"external_source_id": "1"}, None) == needed
    both = {"external_source": "clio", "external_source_id": "1"}
    assert change(both, None)["external_source_id"] == "1"
    assert change({"external_source_id": "2"}, None)["external_source"] == "clio"
    assert refusal(Invalid, change, {"external_source": None}, None) == needed
    assert change(dict.fromkeys(both), None)["external_source_id"] is None
    # As an earlier release took it: nothing else is refused for it.
    with office.db.unit_of_work() as uow:
        uow.session.query(Case).update({"external_source_id": "3"})
    assert change({"name": "B"}, None)["external_source_id"] == "3"


def test_a_change_names_what_changed_and_only_that(office: Office) -> None:
    kind = office.case_type()
    case = office.case(kind, custom_fields={"heirs": 2, "court": "north"})
    update = office.service.update_case
    with office.as_staff():
        changed = update(
            case["id"],
            {"name": "B", "status": "Closed", "source": None, "custom_fields": {"heirs": None, "court": "north"}},
            1,
        )
    assert (changed["name"], changed["state"], changed["version"]) == ("B", "closed", 2)
    assert changed["custom_fields"] == {"court": "north"}
    (event,) = events(office, CASE_CHANGED)
    assert event["changed"] == ["name", "status", "custom_fields.heirs"]
    assert event["version"] == 2
    assert office.selected(case_filter={"field": "custom_fields.heirs", "op": "is_empty"}) == [case["id"]]
    with office.db.read() as session:
        history = session.scalars(select(StatusChange).order_by(StatusChange.id)).all()
    assert [(entry.from_status, entry.to_status) for entry in history] == [(None, "New"), ("New", "Closed")]

    assert update(case["id"], {"name": "B"}, 2)["version"] == 2
    assert len(events(office, CASE_CHANGED)) == 1
    assert refusal(Conflict, update, case["id"], {"name": "C"}, 1)[0] == "stale_version"


def test_every_event_tells_who_looks_after_the_case_and_where_it_stands(office: Office) -> None:
    kind, staff = office.case_type(), [office.staff() for _ in range(3)]
    case = office.case(kind, responsible_staff_id=staff[0], staff_ids=staff[1:])
    change = office.service.update_case
    change(case["id"], {"status": "In court", "responsible_staff_id": staff[1], "staff_ids": [staff[2]]}, None)
    change(case["id"], {"name": "B"}, None)
    statuses = [{"name": "New", "closed": False}, {"name": "In court", "closed": True}]
    office.service.update_case_type(kind["id"], {"statuses": statuses}, None)
    office.service.archive_case(case["id"])
    told = [*events(office, CASE_CREATED), *events(office, CASE_CHANGED)]
    names = ("status", "previous_status", "state", "archived", "responsible_staff_id", "staff_ids")
    assert [tuple(event[name] for name in names) for event in told] == [
        ("New", None, "open", False, staff[0], staff[1:]),
        ("In court", "New", "open", False, staff[1], [staff[2]]),
        ("In court", None, "open", False, staff[1], [staff[2]]),
        ("In court", None, "closed", False, staff[1], [staff[2]]),
        ("In court", None, "closed", True, staff[1], [staff[2]]),
    ]


def test_clients_of_a_case_are_replaced_and_the_new_ones_checked(office: Office) -> None:
    kind = office.case_type()
    ann, bob = office.client(), office.client()
    case = office.case(kind, clients=[{"client_id": ann}])
    del office.clients[ann]  # deleted since: no reason to refuse what was there
    swapped = [{"client_id": ann, "role": "additional", "label": "heir"}, {"client_id": bob, "role": "primary"}]
    changed = office.service.update_case(case["id"], {"clients": swapped}, None)
    assert [(entry["client_id"], entry["role"]) for entry in changed["clients"]] == [
        (ann, "additional"), (bob, "primary")
    ]  # fmt: skip
    (event,) = events(office, CASE_CHANGED)
    assert (event["client_ids"], event["changed"]) == ([bob, ann], ["clients"])
    assert office.calls.asked(GET_CLIENT_FACTS)[-1] == {"client_ids": [bob]}
    second = {"case_id": case["id"], "client_id": new_id(), "role": "primary", "label": None, "position": 9}
    with pytest.raises(IntegrityError), office.db.unit_of_work() as uow:
        uow.insert(CaseClient, [second])


def test_cases_are_listed_searched_filtered_and_sorted(office: Office) -> None:
    kind, other = office.case_type(), office.case_type(name="Closing")
    client = office.client()
    b = office.case(kind, name="Álvarez", status="Closed")
    a = office.case(other, name="alpha 50%", clients=[{"client_id": client}])
    assert [row["id"] for row in listed(office)] == [a["id"], b["id"]]
    assert listed(office, sort="name")[0]["id"] == a["id"]
    assert [row["id"] for row in listed(office, q="ÁLVA")] == [b["id"]]
    assert [row["id"] for row in listed(office, q=" 50% ")] == [a["id"]]
    assert [row["id"] for row in listed(office, q="000001")] == [b["id"]]
    assert [row["id"] for row in listed(office, state="closed")] == [b["id"]]
    assert [row["id"] for row in listed(office, case_type_id=other["id"])] == [a["id"]]
    assert [row["id"] for row in listed(office, client_id=client)] == [a["id"]]
    assert [row["id"] for row in listed(office, filter={"field": "name", "op": "starts_with", "value": "AL"})] == [
        a["id"]
    ]
    assert listed(office, client_id=office.client()) == []
    assert refusal(NotFound, listed, office, client_id=new_id())[0] == "client_not_found"
    assert refusal(NotFound, listed, office, case_type_id=new_id())[0] == "case_type_not_found"
    assert refusal(Invalid, listed, office, sort="colour")[1] == ["sort"]
    assert refusal(Invalid, listed, office, filter={"field": "colour", "op": "eq", "value": 1})[1] == ["filter.field"]


def test_a_repeated_request_gives_the_first_answer(office: Office) -> None:
    kind = office.case_type()
    client = office.client()
    with office.request(CREATE_CASE, "key-1", "body"):
        first = office.case(kind, clients=[{"client_id": client}])
    with pytest.raises(AlreadyAnswered) as answered, office.request(CREATE_CASE, "key-1", "body"):
        office.case(kind, clients=[{"client_id": client}])
    assert answered.value.answer["id"] == first["id"]
    assert len(events(office, CASE_CREATED)) == 1


def test_facts_of_many_cases_take_a_constant_number_of_queries(office: Office) -> None:
    kind = office.case_type()
    responsible, others = office.staff(), [office.staff(), office.staff()]
    staff = {"responsible_staff_id": responsible, "staff_ids": others}
    cases = [office.case(kind, custom_fields={"heirs": number}, **staff) for number in range(5)]
    office.service.archive_case(cases[4]["id"])
    ids = [case["id"] for case in cases]
    with counted(office.db) as few:
        office.service.get_case_facts(ids[:1])
    with counted(office.db) as many:
        facts = office.service.get_case_facts([*reversed(ids), new_id()])["cases"]
    assert len(few) == len(many) == 4
    assert [entry["case_id"] for entry in facts] == list(reversed(ids))
    assert (facts[0]["state"], facts[0]["archived"], facts[0]["version"]) == ("archived", True, 2)
    assert facts[1] == {
        "case_id": ids[3], "case_type_id": kind["id"], "number": "000004", "name": "A case", "status": "New",
        "state": "open", "archived": False, "version": 1, "responsible_staff_id": responsible, "staff_ids": others,
        "client_ids": [cases[3]["clients"][0]["client_id"]],
        "custom_fields": {"heirs": 3},
    }  # fmt: skip


def test_another_firms_records_are_not_there(office: Office) -> None:
    kind = office.case_type()
    case = office.case(kind)
    neighbour = Office(Database(office.db.url, Base))
    service = neighbour.service
    for call in (
        lambda: service.get_case_type(kind["id"]),
        lambda: service.update_case_type(kind["id"], {"name": "X"}, None),
        lambda: neighbour.case(kind),
        lambda: service.get_case(case["id"]),
        lambda: service.update_case(case["id"], {"name": "X"}, None),
        lambda: service.archive_case(case["id"]),
        lambda: service.unarchive_case(case["id"]),
        lambda: service.list_status_changes(case["id"], **NEWEST),
    ):
        with pytest.raises(NotFound):
            call()
    assert service.get_case_facts([case["id"]]) == {"cases": []}
    assert listed(neighbour) == []


@on_one_database
def test_a_clients_cases_at_a_glance_count_what_is_not_archived(office):
    kind, client_id = office.case_type(), office.client()
    theirs = [{"client_id": client_id}]
    values = ["100.10", None, "99.90"]
    made = [office.case(kind, clients=theirs, value=value and Decimal(value)) for value in values]
    office.service.update_case(made[0]["id"], {"status": "Closed"}, None)
    gone = office.case(kind, clients=theirs, value=Decimal("5"))
    office.service.archive_case(gone["id"])
    office.case(kind)
    found = office.service.summarize_client_cases(client_id=client_id, limit=2)
    assert (found["open"], found["closed"], found["total_value"]) == (2, 1, Decimal("200.00"))
    assert found["cases"][0]["id"] == made[0]["id"]
    assert len(found["cases"]) == 2
    assert set(found["open_case_ids"]) == {made[1]["id"], made[2]["id"]}
    every = office.service.summarize_client_cases(client_id=client_id, limit=3)
    assert set(every["open_case_ids"]) == {made[1]["id"], made[2]["id"]}
    none = office.service.summarize_client_cases(client_id=office.client(), limit=2)
    assert none == {"open": 0, "closed": 0, "total_value": 0, "open_case_ids": [], "cases": []}
    assert SUMMARIZE_CLIENT_CASES.response().dump(none)["total_value"] == "0.00"


def test_more_open_cases_than_a_summary_names_are_not_named(office, monkeypatch):
    kind, client_id = office.case_type(), office.client()
    for _ in range(3):
        office.case(kind, clients=[{"client_id": client_id}])
    monkeypatch.setattr(client_summaries, "OPEN_CASES", 2)
    for limit in (2, 3):
        found = office.service.summarize_client_cases(client_id=client_id, limit=limit)
        assert (found["open"], found["open_case_ids"]) == (3, None)
