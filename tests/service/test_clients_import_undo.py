"""clients: an import taken back. Every event is delivered twice."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from sqlalchemy import func, select

from chassis.context import Context, use
from chassis.imports import running, undoing
from contracts.cases import CASE_CREATED
from contracts.clients import CLIENT_DELETED, CLIENTS_IMPORTED, IMPORT_UNDO_REQUESTED
from contracts.errors import Conflict, NotFound
from contracts.importing import Import
from services.clients import contacts, custom_fields, notes
from services.clients.activity import list_client_activity
from services.clients.client_keys import destroy_keys
from services.clients.imports import running as import_running
from services.clients.imports import undo as import_undo
from services.clients.imports.store import IMPORTS
from services.clients.models import ImportChange
from tests.service.clients_desk import NOW, Desk, desk
from tests.service.imported_rows import HEADER, client_count, counts, row, small_chunks
from tests.service.merging_clients import merge
from tests.service.one_database import on_one_database

__all__ = ["desk", "small_chunks"]


@pytest.fixture
def small_undo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Chunks of 10 clients."""
    monkeypatch.setattr(import_undo, "CHUNK", 10)


def undo(desk: Desk, import_id: str) -> dict[str, Any]:
    """Takes an import back, from the request to its end."""
    begun = import_undo.undo_import(desk.db, NOW, import_id=import_id)
    assert (begun["state"], begun["progress"]["done"]) == ("undoing", 0)
    desk.hear("continue_undo", IMPORT_UNDO_REQUESTED, {"import_id": import_id})
    found = desk.imported(import_id)
    assert found["state"] == "undone"
    assert Import().validate(Import().dump(found)) == {}
    done = sum(found["undo"]["counts"].values())
    assert found["progress"] == {"done": done, "total": done}
    assert done == begun["progress"]["total"]
    return found


def undone(found: dict[str, Any]) -> tuple[int, int, int, int]:
    return tuple(found["undo"]["counts"][name] for name in ("removed", "restored", "conflicts", "gone"))


@on_one_database
def test_clients_that_it_made_are_deleted_as_one_by_one(desk: Desk, small_chunks: None, small_undo: None) -> None:
    before = desk.create(first_name="Known")
    found = desk.import_all([HEADER, *(row(number) for number in range(25)), row(40, Phone="1")])
    made = [id_ for id_ in desk.listed() if id_ != before["id"]]
    back = undo(desk, found["id"])
    assert (undone(back), counts(back)) == ((25, 0, 0, 0), (25, 0, 0, 1))
    assert desk.listed() == [before["id"]]
    assert {event["client_id"] for event in desk.emitted(CLIENT_DELETED)} == set(made)
    assert {event["version"] for event in desk.emitted(CLIENT_DELETED)} == {2}
    # The same rows can be imported again.
    assert counts(desk.import_all([HEADER, *(row(number) for number in range(25))])) == (25, 0, 0, 0)


FULL = {
    "first_name": "Ann", "last_name": "Old", "date_of_birth": dt.date(1980, 1, 2), "tags": ["vip"],
    "phones": [{"number": "+12125550101"}], "addresses": [{"kind": "primary", "city": "Reno"}],
    "custom_fields": {"court": "north"},
}  # fmt: skip
CHANGES = [
    ["First name", "Last name", "Phone", "Home phone", "Tags", "City", "Birthday", "custom_fields.court",
     "custom_fields.judge"],
    ["Anna", "New", "212-555-0101", "212-555-0102", "new", "Elko", "1981-02-03", "south", "Roy"],
]  # fmt: skip


@on_one_database
def test_clients_that_it_changed_get_their_earlier_values(desk: Desk) -> None:
    desk.define("court", "judge")
    ann = desk.create(**FULL)
    found = desk.import_all(CHANGES, duplicates="update")
    changed = desk.get(ann["id"])
    assert (changed["first_name"], changed["custom_fields"]) == ("Anna", {"court": "south", "judge": "Roy"})
    assert undone(undo(desk, found["id"])) == (0, 1, 0, 0)
    after = desk.get(ann["id"])
    stamps = ("version", "updated_at", "last_activity_at")
    assert {**after, **{name: ann[name] for name in stamps}} == ann
    assert after["version"] == 3
    assert desk.emitted(CLIENTS_IMPORTED)[-1]["clients"][0]["version"] == 3
    entry = list_client_activity(desk.db, client_id=ann["id"])["data"][0]["facts"]
    assert (entry["outcome"], entry["undone"], "phones" in entry["changed"]) == ("restored", True, True)


@on_one_database
def test_what_was_changed_since_stays_and_is_shown(desk: Desk) -> None:
    desk.define("court", "judge")
    ann = desk.create(**FULL)
    bob = desk.create(first_name="Bob", phones=[{"number": "+12125550109"}])
    found = desk.import_all(
        [*CHANGES, ["Bobby", "", "2125550109", "", "", "", "", "", ""], ["Cy", "", "2125550110", *[""] * 6],
         ["Di", "", "2125550111", *[""] * 6]], duplicates="update",
    )  # fmt: skip
    [cy] = desk.listed(q="Cy")
    [di] = desk.listed(q="Di")
    desk.change(ann["id"], last_name="Newer", custom_fields={"court": "east"}, occupation="Baker")
    desk.change(cy, occupation="Cook")
    desk.delete(bob["id"])
    back = undo(desk, found["id"])
    assert undone(back) == (1, 0, 2, 1)
    assert {entry["client_id"]: entry["kept"] for entry in back["undo"]["conflicts"]} == {
        ann["id"]: ["custom_fields.court", "last_name"], cy: ["id"],
    }  # fmt: skip
    after = desk.get(ann["id"])
    assert (after["first_name"], after["last_name"], after["occupation"]) == ("Ann", "Newer", "Baker")
    assert (after["custom_fields"], after["date_of_birth"]) == ({"court": "east"}, dt.date(1980, 1, 2))
    assert (desk.get(cy)["occupation"], desk.listed(q="Di")) == ("Cook", [])
    with pytest.raises(NotFound):
        desk.get(di)


@on_one_database
def test_a_value_that_its_field_takes_no_more_is_left_out_and_shown(desk: Desk) -> None:
    desk.define("court", "room")
    values = {"court": "north", "room": "12"}
    ann = desk.create(first_name="Ann", phones=[{"number": "+12125550101"}], custom_fields=values)["id"]
    header = ["First name", "Phone", "custom_fields.court", "custom_fields.room"]
    found = desk.import_all([header, ["Anna", "2125550101", "", ""]], duplicates="update", clear_empty=True)
    assert desk.get(ann)["custom_fields"] == {}
    for field in custom_fields.list_client_fields(desk.db)["data"]:
        custom_fields.update_client_field(desk.db, NOW, client_field_id=field["id"], changes={"type": "number"})
    back = undo(desk, found["id"])
    assert back["undo"]["conflicts"] == [{"client_id": ann, "kept": ["custom_fields.court"]}]
    assert (desk.get(ann)["first_name"], desk.get(ann)["custom_fields"]) == ("Ann", {"room": 12})


@on_one_database
def test_a_business_with_contacts_since_stays_one(desk: Desk) -> None:
    phone = {"phones": [{"number": "+12125550101"}]}
    ann = desk.create(first_name="Ann", company_name="Ann Inc", **phone)["id"]
    found = desk.import_all([["First name", "Phone", "Kind"], ["Anna", "2125550101", "business"]], duplicates="update")
    contacts.create_contact(desk.db, NOW, client_ids=[ann], first_name="Cy", email="cy@example.com")
    back = undo(desk, found["id"])
    assert back["undo"]["conflicts"] == [{"client_id": ann, "kept": ["kind"]}]
    assert (desk.get(ann)["first_name"], desk.get(ann)["kind"]) == ("Ann", "business")


@on_one_database
def test_whoever_is_used_since_stays_and_is_shown(desk: Desk) -> None:
    names = ["Cal", "Con", "Mia", "Nora", "Una"]
    other = desk.create(first_name=None, company_name="Mia")["id"]
    kinds = {"Con": "business"}
    found = desk.import_all([["Company", "Kind"], *([name, kinds.get(name, "")] for name in names)])
    cal, con, mia, nora, _ = (next(id_ for id_ in desk.listed(q=name) if id_ != other) for name in names)
    merge(desk, mia, other)
    opened = {"case_id": cal, "client_ids": [cal]}
    desk.hear("record_created_cases", CASE_CREATED, {**CASE_CREATED.example, **opened})
    contacts.create_contact(desk.db, NOW, client_ids=[con], first_name="Ann", email="ann@example.com")
    with use(Context(firm_id=desk.firm_id, actor_kind="staff", actor_id=cal)):
        notes.create_client_note(desk.db, NOW, client_id=nora, text="Called.")
    desk.change(nora, occupation="Cook")
    back = undo(desk, found["id"])
    assert undone(back) == (1, 0, 4, 0)
    assert {entry["client_id"]: entry["kept"] for entry in back["undo"]["conflicts"]} == {
        cal: ["cases"], con: ["contacts"], mia: ["merges"], nora: ["id", "notes"],
    }  # fmt: skip
    assert sorted(desk.listed()) == sorted([cal, con, mia, nora])


@on_one_database
def test_whoever_was_merged_or_deleted_since_is_counted(desk: Desk) -> None:
    other = desk.create(first_name=None, company_name="Mia")["id"]
    found = desk.import_all([["Company"], ["Cal"], ["Dan"], ["Mia"]])
    cal, dan, mia = (next(id_ for id_ in desk.listed(q=name) if id_ != other) for name in ("Cal", "Dan", "Mia"))
    merge(desk, other, mia)
    desk.delete(dan)
    back = undo(desk, found["id"])
    assert (counts(back), undone(back)) == ((3, 0, 0, 0), (1, 0, 0, 2))
    assert [event["client_id"] for event in desk.emitted(CLIENT_DELETED)] == [dan, cal]
    assert desk.listed() == [other]


def test_a_client_changed_by_several_rows_gets_what_it_had_at_first(desk: Desk, small_chunks: None) -> None:
    ann = desk.create(first_name="Ann", occupation="Baker", phones=[{"number": "+12125550101"}])
    header = ["Phone", "First name", "Occupation"]
    filler = [[f"21255502{number:02d}", f"F{number}", ""] for number in range(10)]
    # The last one is made by one chunk, and changed by another.
    content = [header, ["2125550101", "A2", ""], ["2125550200", "G", ""], *filler, ["2125550101", "A3", "Cook"],
               ["2125550205", "H", ""]]  # fmt: skip
    found = desk.import_all(content, duplicates="update")
    assert desk.get(ann["id"])["first_name"] == "A3"
    assert undone(undo(desk, found["id"])) == (10, 1, 0, 0)
    after = desk.get(ann["id"])
    assert (after["first_name"], after["occupation"]) == ("Ann", "Baker")
    assert client_count(desk) == 1


@on_one_database
def test_a_value_that_cannot_go_back_is_a_conflict(desk: Desk) -> None:
    ann = desk.create(first_name=None, company_name="Lee Ltd", kind="individual", phones=[{"number": "+12125550101"}])
    found = desk.import_all([["Phone", "First name"], ["2125550101", "Ann"]], duplicates="update")
    desk.change(ann["id"], company_name=None)
    back = undo(desk, found["id"])
    assert back["undo"]["conflicts"] == [{"client_id": ann["id"], "kept": ["first_name"]}]
    assert desk.get(ann["id"])["first_name"] == "Ann"


def test_a_restart_goes_on_where_it_ended(desk: Desk, small_chunks: None, small_undo: None) -> None:
    known = [desk.create(first_name="K", phones=[{"number": f"+1212555{number:04d}"}]) for number in range(15)]
    header = ["Phone", "First name"]
    content = [header, *([f"212555{number:04d}", f"New{number}"] for number in range(40))]
    found = desk.import_all(content, duplicates="update")
    assert counts(found) == (25, 15, 0, 0)
    import_undo.undo_import(desk.db, NOW, import_id=found["id"])
    for done in (10, 20, 25, 35):
        # A budget of nothing ends after each chunk, as a kill would.
        import_undo.continue_undo(desk.db, found["id"], budget=0)
        assert desk.imported(found["id"])["progress"] == {"done": done, "total": 40}
    assert len(desk.emitted(IMPORT_UNDO_REQUESTED)) == 5
    desk.hear("continue_undo", IMPORT_UNDO_REQUESTED, {"import_id": found["id"]})
    assert undone(desk.imported(found["id"])) == (25, 15, 0, 0)
    assert {desk.get(client["id"])["first_name"] for client in known} == {"K"}
    assert client_count(desk) == 15


@on_one_database
def test_it_is_taken_back_once_and_when_it_has_ended(desk: Desk, small_chunks: None) -> None:
    started = desk.start([HEADER, *(row(number) for number in range(25))])
    with pytest.raises(Conflict, match="import_not_finished"):
        import_undo.undo_import(desk.db, NOW, import_id=started["id"])
    import_running.continue_import(desk.db, desk.files, started["id"], lambda: NOW, budget=0)
    running.cancel_import(desk.db, IMPORTS, import_id=started["id"])
    assert undone(undo(desk, started["id"])) == (10, 0, 0, 0)
    for attempt in (partial(import_running.run_import, desk.db), partial(running.cancel_import, desk.db, IMPORTS)):
        with pytest.raises(Conflict):
            attempt(import_id=started["id"])
    with pytest.raises(Conflict, match="import_undone"):
        import_undo.undo_import(desk.db, NOW, import_id=started["id"])


def test_after_thirty_days_it_stays(desk: Desk) -> None:
    found = desk.import_all([HEADER, row(1)])
    later = IMPORTS.get(desk.db, found["id"])["updated_at"] + dt.timedelta(days=30, seconds=1)
    with pytest.raises(Conflict, match="import_too_old"):
        import_undo.undo_import(desk.db, later, import_id=found["id"])


def test_another_firms_import_is_not_taken_back(desk: Desk, tmp_path: Any) -> None:
    found = desk.import_all([HEADER, row(1)])
    stranger = Desk(desk.everywhere, tmp_path / "other")
    with pytest.raises(NotFound, match="import_not_found"):
        import_undo.undo_import(stranger.db, NOW, import_id=found["id"])


def test_earlier_values_lie_sealed_and_cannot_be_read_without_the_clients_key(desk: Desk) -> None:
    desk.define("court", "judge")
    ann = desk.create(**FULL)
    found = desk.import_all(CHANGES, duplicates="update")
    with desk.db.read() as session:
        kept = session.scalar(select(ImportChange.values).where(ImportChange.client_id == ann["id"]))
    assert not any(word in kept for word in ("Old", "Anna", "1980", "Reno", "north", "5550101"))
    with desk.db.unit_of_work() as uow:
        destroy_keys(uow, [ann["id"]])
    assert undone(undo(desk, found["id"])) == (0, 1, 0, 0)
    assert desk.get(ann["id"])["first_name"] == "Anna"


def test_an_import_that_changed_nothing_is_soon_taken_back(desk: Desk) -> None:
    desk.import_all([HEADER, row(1)])
    again = desk.import_all([HEADER, row(1)], duplicates="update")
    assert counts(again) == (0, 0, 1, 0)
    assert undone(undo(desk, again["id"])) == (0, 0, 0, 0)
    assert client_count(desk) == 1
    with desk.db.read() as session:
        assert session.scalar(select(func.count()).select_from(ImportChange)) == 0


def test_two_at_once_take_each_client_back_once(desk: Desk, small_undo: None, monkeypatch: pytest.MonkeyPatch) -> None:
    found = desk.import_all([HEADER, *(row(number) for number in range(25))])
    import_undo.undo_import(desk.db, NOW, import_id=found["id"])
    real, others = undoing._undo_chunk, iter([True])

    def overtaken_once(*arguments: Any) -> Any:
        if next(others, False):
            import_undo.continue_undo(desk.db, found["id"], budget=0)
        return real(*arguments)

    monkeypatch.setattr(undoing, "_undo_chunk", overtaken_once)
    import_undo.continue_undo(desk.db, found["id"])
    assert undone(desk.imported(found["id"])) == (25, 0, 0, 0)
    assert len(desk.emitted(CLIENT_DELETED)) == 25
