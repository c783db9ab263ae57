"""clients: the fields that a firm adds, what they take, and what becomes of values when they change."""

from __future__ import annotations

from typing import Any

import eventlet
import pytest
from sqlalchemy import select

from chassis.columns import new_id
from chassis.context import Context, use
from chassis.testing import make_service
from chassis.wire import strict
from contracts.clients import CLIENT_FIELD_RESEALING, CREATE_CLIENT_FIELD
from contracts.errors import Conflict, Forbidden, Invalid, NotFound
from services.clients import cards, custom_fields, records, resealing
from services.clients.filter_lookup import read_filter_to_save
from services.clients.groups import create_client_group, delete_client_group
from services.clients.models import Client, SavedFilter
from services.clients.saved_filters import SAVED_FILTERS
from services.clients.search import searching
from services.clients.service import ClientsService
from tests.service.clients_desk import NOW, Desk, desk
from tests.service.races import until_held_up
from tests.service.test_clients_sealing import everything_kept

__all__ = ["desk"]


def define(desk: Desk, key: str = "court", **fields: Any) -> dict[str, Any]:
    return custom_fields.create_client_field(desk.db, NOW, **{"key": key, "label": "Court", "type": "text", **fields})


def change(desk: Desk, field: dict[str, Any], version: int | None = None, **changes: Any) -> dict[str, Any]:
    return custom_fields.update_client_field(
        desk.db, NOW, client_field_id=field["id"], changes=changes, expected_version=version
    )


def remove(desk: Desk, field: dict[str, Any]) -> None:
    custom_fields.delete_client_field(desk.db, NOW, client_field_id=field["id"])


def at_fault(caught: Any) -> dict[str, str]:
    return {entry["field"]: entry["message"] for entry in caught.value.fields}


def test_fields_are_listed_in_their_order_and_found_by_id(desk: Desk) -> None:
    court, room = define(desk), define(desk, "room", type="choice", options=["a", "b"], position=0)
    assert (court["position"], court["version"], court["required"]) == (0, 1, False)
    assert custom_fields.get_client_field(desk.db, client_field_id=room["id"]) == room
    moved = change(desk, court, position=5, label="  The court ")
    assert (moved["label"], moved["version"]) == ("The court", 2)
    listed = custom_fields.list_client_fields(desk.db)["data"]
    assert [field["key"] for field in listed] == ["room", "court"]
    with pytest.raises(Conflict, match="stale_version"):
        change(desk, court, 1, label="x")
    with pytest.raises(Conflict, match="client_field_exists"):
        define(desk)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"type": "choice"}, "options"), ({"options": ["a"]}, "options"), ({"label": " "}, "label"),
        ({"type": "choices", "options": ["a", "a"]}, "options.1"), ({"type": "choice", "options": [" "]}, "options.0"),
        ({"label": "Co\u202eurt"}, "label"), ({"type": "choice", "options": ["a\u200b"]}, "options.0"),
    ],
)  # fmt: skip
def test_a_definition_is_checked(desk: Desk, wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        define(desk, **wrong)
    assert field in at_fault(caught)
    assert custom_fields.list_client_fields(desk.db)["data"] == []


def test_only_defined_fields_take_values_of_their_type(desk: Desk) -> None:
    define(desk, "age", type="number")
    made = desk.create(custom_fields={"age": "41"})
    assert made["custom_fields"] == {"age": 41}
    for attempt in (
        lambda: desk.create(custom_fields={"aeg": 41, "age": "old"}),
        lambda: desk.change(made["id"], custom_fields={"aeg": 41, "age": "old"}),
    ):
        with pytest.raises(Invalid) as caught:
            attempt()
        assert set(at_fault(caught)) == {"custom_fields.aeg", "custom_fields.age"}
    assert desk.get(made["id"])["version"] == 1


def test_a_value_that_no_field_was_ever_defined_for_can_be_sent_back_and_cleared(desk: Desk) -> None:
    made = desk.create()
    with desk.db.unit_of_work() as uow:
        uow.update_each(Client, [{"id": made["id"], "custom_fields": {"old": 1}}])
    assert desk.get(made["id"])["custom_fields"] == {"old": 1}
    assert desk.change(made["id"], custom_fields={"old": 1}, occupation="Baker")["custom_fields"] == {"old": 1}
    with pytest.raises(Invalid):
        desk.change(made["id"], custom_fields={"old": 2})
    assert desk.change(made["id"], custom_fields={"old": None})["custom_fields"] == {}


def test_a_required_field_binds_new_clients_and_the_change_that_names_it(desk: Desk) -> None:
    field = define(desk)
    old, full = desk.create(), desk.create(custom_fields={"court": "North"})
    change(desk, field, required=True)
    with pytest.raises(Invalid) as caught:
        desk.create()
    assert set(at_fault(caught)) == {"custom_fields.court"}
    assert desk.change(old["id"], occupation="Baker")["occupation"] == "Baker"
    for client in (old, full):
        with pytest.raises(Invalid):
            desk.change(client["id"], custom_fields={"court": ""})
    done = desk.import_all([["Name", "custom_fields.court"], ["Bo", ""], ["Cy", "South"]])
    assert (done["counts"]["created"], done["counts"]["failed"]) == (1, 1)
    assert done["rows"] == [{"row": 1, "errors": ["required:custom_fields.court"]}]


def test_an_option_taken_away_stays_where_it_is_and_comes_to_nobody_else(desk: Desk) -> None:
    field = define(desk, type="choice", options=["North", "South"])
    made = desk.create(custom_fields={"court": "North"})
    change(desk, field, options=["South"])
    assert (
        desk.change(made["id"], custom_fields={"court": "North"}, occupation="x")["custom_fields"]["court"] == "North"
    )
    with pytest.raises(Invalid):
        desk.create(custom_fields={"court": "North"})


@pytest.mark.parametrize("sensitive", [False, True])
def test_the_type_changes_only_while_nobody_has_a_value(desk: Desk, sensitive: bool) -> None:
    field = define(desk, sensitive=sensitive)
    made = desk.create(custom_fields={"court": "12"})
    with pytest.raises(Conflict, match="client_field_in_use"):
        change(desk, field, type="number")
    desk.change(made["id"], custom_fields={"court": None})
    assert change(desk, field, type="number")["type"] == "number"
    assert desk.create(custom_fields={"court": "12"})["custom_fields"] == {"court": 12}


@pytest.mark.parametrize("new", [True, False])
def test_the_type_does_not_change_while_a_value_is_being_written(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, new: bool
) -> None:
    field, ann, real = define(desk), desk.create(), records.checked_fields
    others: list[Any] = []

    def make_a_number() -> str:
        try:
            return str(change(desk, field, type="number")["type"])
        except Conflict as refused:
            return refused.code

    def checked_fields(*given: Any, **more: Any) -> Any:
        checked = real(*given, **more)
        others.append(eventlet.spawn(make_a_number))
        until_held_up(desk.db, *others)
        return checked

    monkeypatch.setattr(records, "checked_fields", checked_fields)
    values = {"custom_fields": {"court": "North"}}
    written = desk.create(**values) if new else desk.change(ann["id"], **values)
    assert others[0].wait() == "client_field_in_use"
    assert desk.get(written["id"])["custom_fields"] == {"court": "North"}


def test_a_removed_field_hides_its_values_until_it_comes_back(desk: Desk) -> None:
    field = define(desk)
    made = desk.create(custom_fields={"court": "North"})
    remove(desk, field)
    assert desk.get(made["id"])["custom_fields"] == {}
    assert desk.change(made["id"], occupation="Baker")["custom_fields"] == {}
    with pytest.raises(Invalid):
        desk.change(made["id"], custom_fields={"court": "South"})
    for attempt in (lambda: change(desk, field, label="x"), lambda: remove(desk, field)):
        with pytest.raises(NotFound, match="client_field_not_found"):
            attempt()
    with pytest.raises(Conflict, match="client_field_in_use"):
        define(desk, type="number")
    back = define(desk, label="Again")
    assert (back["id"], back["label"]) == (field["id"], "Again")
    assert desk.get(made["id"])["custom_fields"] == {"court": "North"}


def test_an_import_defines_what_it_is_told_to_fill(desk: Desk) -> None:
    rows = [["Name", "custom_fields.court_room"], ["Ann", "12"]]
    assert desk.preview(rows)["counts"]["created"] == 1
    assert custom_fields.list_client_fields(desk.db)["data"] == []
    assert desk.import_all(rows)["counts"]["created"] == 1
    [field] = custom_fields.list_client_fields(desk.db)["data"]
    assert (field["key"], field["label"], field["type"]) == ("court_room", "Court room", "text")
    assert desk.get(desk.listed()[0])["custom_fields"] == {"court_room": "12"}


def test_the_values_of_a_sensitive_field_lie_sealed(desk: Desk) -> None:
    define(desk, "ssn", sensitive=True)
    define(desk, "codes", type="choices", options=["alpha-7", "beta-7"], sensitive=True)
    define(desk)
    values = {"ssn": "123-45-6789", "codes": ["alpha-7"], "court": "North"}
    made = desk.create(custom_fields=values, government_ids=[{"kind": "passport", "number": "X99-31", "country": "US"}])
    assert desk.get(made["id"])["custom_fields"] == values
    kept = everything_kept(desk)
    assert "123-45-6789" not in kept
    assert "alpha-7'}" not in kept.replace("'alpha-7', 'beta-7'", "")
    assert "X99" not in kept
    assert "North" in kept
    changed = desk.change(made["id"], custom_fields={"ssn": None, "court": "South"})
    assert changed["custom_fields"] == {"codes": ["alpha-7"], "court": "South"}


def hear_all(desk: Desk) -> int:
    """Delivers the events of resealing, each twice, as long as there are new ones."""
    heard = 0
    while heard < len(events := desk.emitted(CLIENT_FIELD_RESEALING)):
        desk.hear("continue_resealing", CLIENT_FIELD_RESEALING, events[heard])
        heard += 1
    return heard


def test_a_value_that_is_being_written_as_its_field_becomes_sensitive_is_sealed_too(desk: Desk) -> None:
    field = define(desk)

    def become_sensitive() -> None:
        change(desk, field, sensitive=True)
        hear_all(desk)

    with desk.db.unit_of_work() as uow:
        given = {"kind": "individual", "first_name": "Ann", "custom_fields": {"court": "Secret"}}
        cards.insert(uow, [cards.new_record(new_id(), given, NOW)])
        becoming = eventlet.spawn(become_sensitive)
        until_held_up(desk.db, becoming)
    becoming.wait()
    assert "Secret" not in everything_kept(desk)


def test_a_field_that_becomes_sensitive_has_its_values_sealed_and_opened_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resealing, "BATCH", 2)
    field = define(desk)
    made = [desk.create(custom_fields={"court": f"Secret{number}"}) for number in range(5)]
    desk.create()
    desk.delete(made[4]["id"])
    values = {client["id"]: client["custom_fields"] for client in made[:4]}

    def read() -> dict[str, Any]:
        return {id_: desk.get(id_)["custom_fields"] for id_ in values}

    change(desk, field, sensitive=True)
    with use(Context(firm_id=desk.firm_id)):
        assert records.get_client(desk.db, made[0]["id"])["custom_fields"] == {}
    assert read() == values
    assert hear_all(desk) == 3
    assert "Secret" not in everything_kept(desk)
    assert read() == values
    assert {desk.get(id_)["version"] for id_ in values} == {1}
    change(desk, field, sensitive=False)
    hear_all(desk)
    assert read() == values
    with desk.db.read() as session:
        assert set(session.scalars(select(Client.custom_fields["court"].as_string()))) == {
            None, *(f"Secret{number}" for number in range(5)),
        }  # fmt: skip


def test_who_may_not_see_what_is_sensitive_neither_sees_nor_changes_it(desk: Desk) -> None:
    define(desk, "ssn", sensitive=True)
    define(desk)
    sensitive: dict[str, Any] = {
        "date_of_birth": NOW.date().replace(year=1980), "government_ids": [{"kind": "ssn", "number": "1"}],
    }  # fmt: skip
    member = Context(firm_id=desk.firm_id, actor_kind="staff")
    with use(member):
        # What somebody states of a new client is theirs to state.
        made = records.create_client(
            desk.db, NOW, first_name="Ann", custom_fields={"ssn": "1", "court": "N"}, **sensitive
        )
        assert made["hidden"] == ["date_of_birth", "government_ids", "custom_fields.ssn"]
        seen = [
            made,
            records.get_client(desk.db, made["id"]),
            records.update_client(desk.db, NOW, client_id=made["id"], changes={"occupation": "x"}),
            *searching.list_clients(desk.db, now=NOW)["data"],
        ]
        for record in seen:
            assert (record["date_of_birth"], record["government_ids"]) == (None, None)
            assert record["custom_fields"] == {"court": "N"}
        for name, value in {**sensitive, "custom_fields": {"ssn": None}}.items():
            with pytest.raises(Forbidden, match="permission_denied") as caught:
                records.update_client(desk.db, NOW, client_id=made["id"], changes={name: value})
            assert set(at_fault(caught)) == {"custom_fields.ssn" if name == "custom_fields" else name}
        assert records.update_client(desk.db, NOW, client_id=made["id"], changes={"custom_fields": {"court": "S"}})
        assert records.create_client(desk.db, NOW, first_name="Bo")["hidden"] == []
    shown = desk.get(made["id"])
    assert (shown["date_of_birth"], shown["custom_fields"]["ssn"]) == (sensitive["date_of_birth"], "1")
    assert shown["hidden"] == []


def test_the_answer_kept_for_a_repeat_holds_nothing_sensitive(desk: Desk) -> None:
    from chassis.idempotency import KeyedRequest, answering
    from contracts.clients import Client as ClientSchema

    def dump(answer: Any) -> Any:
        return strict(ClientSchema).dump(answer)

    with answering(KeyedRequest("clients.create_client", "k", "0", dump)):
        made = desk.create(first_name="Ann", date_of_birth=NOW.date().replace(year=1980))
    assert made["date_of_birth"] is not None
    assert "1980" not in everything_kept(desk)


def test_two_fields_of_one_key_are_never_made_at_once(desk: Desk) -> None:
    service = make_service(ClientsService, db=desk.db)

    def create() -> str:
        try:
            return str(service.create_client_field(key="a", label="A", type="text")["id"])
        except Conflict as refused:
            return refused.code

    outcomes = sorted(thread.wait() for thread in [eventlet.spawn(create) for _ in range(3)])
    [field] = service.list_client_fields()["data"]
    assert outcomes == [field["id"], "client_field_exists", "client_field_exists"]


def test_sealed_and_removed_fields_cannot_be_asked_for(desk: Desk) -> None:
    define(desk, "ssn", sensitive=True)
    court = define(desk)
    made = desk.create(custom_fields={"ssn": "1", "court": "North"})

    def filtered(key: str) -> list[str]:
        return desk.listed(filter={"field": f"custom_fields.{key}", "op": "is_not_empty"})

    assert filtered("court") == [made["id"]]
    remove(desk, court)
    for key in ("ssn", "court"):
        with pytest.raises(Invalid) as caught:
            filtered(key)
        assert set(at_fault(caught)) == {"filter.field"}


def test_a_position_fits_into_the_database(desk: Desk) -> None:
    body = strict(CREATE_CLIENT_FIELD.request)
    for position in (2**31, 1_000_001):
        assert "position" in body.schema.validate({"key": "far", "label": "Far", "type": "text", "position": position})
    desk.define("far", position=1_000_000)
    desk.define("next")


def test_a_field_of_which_a_kept_filter_names_a_value_does_not_become_sensitive(desk: Desk) -> None:
    court, room = define(desk), define(desk, "room")
    wire = {"and": [{"field": "custom_fields.court", "op": "ne", "value": "North"}]}
    saved = SAVED_FILTERS.create(desk.db, NOW, name="North", filter=wire)["id"]
    SAVED_FILTERS.create(desk.db, NOW, name="By the other", filter={"saved_filter_id": saved})
    SAVED_FILTERS.create(desk.db, NOW, name="Room", filter={"field": "custom_fields.room", "op": "is_empty"})
    group = create_client_group(desk.db, NOW, name="North", kind="filter", filter=wire)["id"]
    with pytest.raises(Conflict, match="field_in_saved_filter") as refused:
        change(desk, court, sensitive=True)
    assert list(at_fault(refused)) == ["sensitive"]
    assert refused.value.meta == {"saved_filter_ids": saved, "client_group_ids": group}
    assert change(desk, room, sensitive=True)["sensitive"] is True
    remove(desk, court)
    with pytest.raises(Conflict, match="field_in_saved_filter"):
        define(desk, sensitive=True)
    court = define(desk)
    delete_client_group(desk.db, group_id=group)
    now_empty = {"filter": {"field": "custom_fields.court", "op": "is_empty"}}
    SAVED_FILTERS.update(desk.db, NOW, saved_filter_id=saved, changes=now_empty)
    assert change(desk, court, sensitive=True)["sensitive"] is True
    assert change(desk, court, sensitive=True, label="The court")["label"] == "The court"


def test_a_filter_that_is_being_kept_keeps_its_field_from_becoming_sensitive(desk: Desk) -> None:
    court = define(desk)
    wire = {"field": "custom_fields.court", "op": "eq", "value": "North"}

    def seal() -> str:
        with pytest.raises(Conflict) as refused:
            change(desk, court, sensitive=True)
        return str(refused.value.code)

    with desk.db.unit_of_work() as uow:
        read_filter_to_save(uow.session, wire, path="filter")
        row = {"id": new_id(), "name": "North", "filter": wire, "created_at": NOW, "updated_at": NOW}
        uow.insert(SavedFilter, [row])
        sealing = eventlet.spawn(seal)
        until_held_up(desk.db, sealing)
    assert sealing.wait() == "field_in_saved_filter"
