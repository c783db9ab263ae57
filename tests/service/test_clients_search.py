"""clients: the search box in the database. The same answers on SQLite and PostgreSQL; what answers at all is tested
with the keys (`tests/unit/test_clients_search_keys.py`)."""

from __future__ import annotations

import datetime as dt
import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.clients.models import Base
from services.clients.search import searching
from services.clients.search.search_index import found, is_answered
from services.clients.search.search_keys import question
from services.clients.selecting import select_ids
from tests.examples import examples
from tests.service.clients_desk import NOW, Desk, desk
from tests.service.plans import counted
from tests.unit.test_clients_search_keys import answers

__all__ = ["desk"]

SOME = {"field": "first_name", "op": "ne", "value": "Ann"}
NAMES = ("Ann Lee", "Bob Li", "Änne Lie", "Jon Smith", "John Smyth", "Joan Schmidt", "Mary-Ann O'Neil", "Lee Johnson")


def all_pages(desk: Desk, **query: Any) -> list[str]:
    ids: list[str] = []
    cursor = None
    while True:
        page = desk.page(limit=2, cursor=cursor, **query)
        ids += [client["id"] for client in page["data"]]
        assert len(set(ids)) == len(ids)
        cursor = page["meta"]["next_cursor"]
        if cursor is None:
            assert page["meta"]["total"] == len(ids)
            return ids


def people(desk: Desk) -> dict[str, str]:
    made = {}
    for number, name in enumerate(NAMES):
        first, last = name.split()
        made[name] = desk.create(
            first_name=first, last_name=last, phones=[{"number": f"+1212555010{number}"}],
            emails=[{"address": f"{fold_of(name)}@example.com"}],
        )["id"]  # fmt: skip
    return made


def fold_of(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isascii() and letter.isalpha())


def test_a_typo_is_forgiven_only_where_nobody_answers(desk: Desk) -> None:
    made = people(desk)
    assert desk.listed(q="jon smith") == [made["Jon Smith"]]
    assert set(desk.listed(q="joan smith")) == {made["Jon Smith"], made["John Smyth"]}
    assert desk.listed(q="smitt") == [made["Jon Smith"]]
    assert desk.listed(q="zebedee") == desk.listed(q="5559999") == desk.listed(q="%") == []


def test_digits_are_a_names_where_no_number_holds_them(desk: Desk) -> None:
    firm = desk.create(first_name=None, company_name="10250 Constellation LLC")["id"]
    assert desk.listed(q="10250") == desk.listed(q="10250 constellation") == [firm]
    ann = desk.create(phones=[{"number": "+12125510250"}])["id"]
    assert desk.listed(q="10250") == [ann]
    assert desk.listed(q="10250 constellation") == [firm]


def test_the_pages_of_a_search_are_whole_in_every_order(desk: Desk) -> None:
    made = people(desk)
    lees = {made["Ann Lee"], made["Lee Johnson"]}
    for q in ("lee", "leee"):
        for sort in ("name", "created_at", "last_activity_at"):
            ascending = all_pages(desk, q=q, sort=sort)
            assert set(ascending) == lees | ({made["Bob Li"]} & set(ascending)), (q, sort)
            assert all_pages(desk, q=q, sort=f"-{sort}") == ascending[::-1]
    assert all_pages(desk, q="lee", sort="name") == [made["Lee Johnson"], made["Ann Lee"]]


def test_a_list_of_those_who_resemble_goes_on_so(desk: Desk) -> None:
    made = people(desk)
    first = desk.page(q="jonh", sort="name", limit=1)
    desk.create(first_name="Jonh", last_name="Doe")
    assert desk.listed(q="jonh", sort="name") != [client["id"] for client in first["data"]]
    rest = desk.page(q="jonh", sort="name", cursor=first["meta"]["next_cursor"])
    names = {client["first_name"] for client in first["data"] + rest["data"]}
    assert names == {"Jon", "John", "Joan"}
    assert made["John Smyth"] in {client["id"] for client in first["data"] + rest["data"]}


def test_a_search_is_narrowed_like_any_list(desk: Desk) -> None:
    made = people(desk)
    desk.change(made["Ann Lee"], status="inactive")
    assert desk.listed(q="lee", status="inactive") == [made["Ann Lee"]]
    assert desk.page(q="lee", status="inactive")["meta"]["total"] == 1
    # Somebody answers, though nobody who is meant: nothing is forgiven.
    assert desk.listed(q="smyth", status="inactive") == []
    with desk.db.read() as session:
        ids = session.scalars(select_ids(session, {"q": "lee", "status": "inactive"}, now=NOW))
        assert list(ids) == [made["Ann Lee"]]
        assert set(session.scalars(select_ids(session, {"q": "jonh"}, now=NOW))) >= {made["John Smyth"]}
        assert list(session.scalars(select_ids(session, {"q": "%"}, now=NOW))) == []


def test_nobody_of_another_firm_and_nobody_archived_is_found(desk: Desk, tmp_path: Path) -> None:
    made = people(desk)
    other = Desk(desk.everywhere, tmp_path)
    theirs = other.create(first_name="Ann", last_name="Lee", phones=[{"number": "+12125550100"}])["id"]
    desk.delete(made["Ann Lee"])
    assert desk.listed(q="ann lee") == desk.listed(q="5550100") == []
    assert other.listed(q="ann lee") == other.listed(q="5550100") == [theirs]


def test_the_keys_follow_the_record(desk: Desk) -> None:
    made = desk.create(first_name="Ann", phones=[{"number": "+12125550123"}], emails=[{"address": "ann@example.com"}])
    desk.change(made["id"], first_name="Bea", phones=[{"number": "+12125550199"}], emails=[{"address": "b@mail.org"}])
    for q in ("bea", "2125550199", "b@mail.org", "mail.org"):
        assert desk.listed(q=q) == [made["id"]], q
    for q in ("ann", "2125550123", "ann@example.com", "example.com"):
        assert desk.listed(q=q) == [], q


# Only on PostgreSQL does it matter how many are few, and how far the order is walked along.
@pytest.mark.parametrize(
    ("new_database", "walked", "few"),
    [("sqlite", 3, 100), *itertools.product(["postgresql"], [0, 3, 100], [0, 100])],
    indirect=["new_database"],
)
def test_many_who_answer_are_found_as_few_are(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, walked: int, few: int
) -> None:
    made = people(desk)
    desk.change(made["John Smyth"], status="inactive")
    sorts = ("name", "-created_at", "last_activity_at")
    queries = [
        # Two of the three orders each.
        {"q": q, "sort": sorts[(number + turn) % 3], **narrow}
        for number, (q, narrow) in enumerate((
            ("j", {}), ("lee", {}), ("jonh", {}), ("555010", {}), ("john s", {}), ("nobody", {}),
            ("j", {"status": "active"}), ("j", {"status": "inactive", "filter": SOME}),
        ))
        for turn in (0, 1)
    ]  # fmt: skip
    wanted = [desk.page(limit=3, **query) for query in queries]
    monkeypatch.setattr(searching, "_MOST", 1)
    monkeypatch.setattr(searching, "_FEW", few)
    monkeypatch.setattr(searching, "_WALKED", dict.fromkeys(searching._WALKED, walked))
    for query, page in zip(queries, wanted, strict=True):
        again = desk.page(limit=3, **query)
        assert again["data"] == page["data"], query
        assert again["meta"]["total"] == min(page["meta"]["total"], 1), query
        assert again["meta"].get("total_is_lower_bound", False) == (page["meta"]["total"] > 1), query
        ids: list[str] = []
        cursor = None
        while cursor or not ids:
            page_of_one = desk.page(limit=1, cursor=cursor, **query)
            ids += [client["id"] for client in page_of_one["data"]]
            cursor = page_of_one["meta"]["next_cursor"]
            if not page_of_one["data"]:
                break
        assert len(ids) == page["meta"]["total"] == len(set(ids)), query
        assert ids[:3] == [client["id"] for client in page["data"]], query


@pytest.mark.parametrize("q", ["j", "lee", "john", "555010"])
def test_a_total_is_exact_up_to_where_it_is_counted(desk: Desk, monkeypatch: pytest.MonkeyPatch, q: str) -> None:
    people(desk)
    total = desk.page(q=q)["meta"]["total"]
    for most in range(1, 10):
        monkeypatch.setattr(searching, "_MOST", most)
        meta = desk.page(q=q, limit=1)["meta"]
        assert (meta["total"], "total_is_lower_bound" in meta) == (min(total, most), total > most), most


def test_what_is_too_many_to_count_is_counted_for_the_first_page_only(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    people(desk)
    monkeypatch.setattr(searching, "_MOST", 2)
    pages = [desk.page(q="j", limit=1)]
    with counted(desk.db) as statements:
        pages += [desk.page(q="j", limit=1, cursor=pages[0]["meta"]["next_cursor"])]
    for page in pages:
        assert (page["meta"]["total"], page["meta"]["total_is_lower_bound"]) == (2, True)
    if desk.db.engines.read.dialect.name == "postgresql":
        assert not [statement for statement in statements if "count_clients" in statement]
    assert len({client["id"] for page in pages for client in page["data"]}) == 2


def test_the_last_page_tells_the_total_too(desk: Desk) -> None:
    """Whoever was last may have gone since the cursor was given."""
    made = people(desk)
    first = desk.page(q="lee", sort="name", limit=1)
    desk.delete(made["Ann Lee"])
    rest = desk.page(q="lee", sort="name", limit=1, cursor=first["meta"]["next_cursor"])
    assert (rest["data"], rest["meta"]) == ([], {"next_cursor": None, "total": 1})


def test_a_search_is_narrowed_by_all_that_narrows_a_list(desk: Desk) -> None:
    desk.define("court")
    lee = {"last_name": "Lee"}
    mine = desk.create(**lee, assigned_staff_id=desk.context.actor_id)["id"]
    flagged = desk.create(**lee, flag_reason="Owes us", tags=["vip"])["id"]
    spam = desk.create(**lee, spam=True, custom_fields={"court": "North"})["id"]
    other = desk.create(first_name="Bob", flag_reason="Owes us", spam=True, custom_fields={"court": "North"},
                        assigned_staff_id=desk.context.actor_id)["id"]  # fmt: skip
    north = {"field": "custom_fields.court", "op": "eq", "value": "North"}
    later = NOW + dt.timedelta(days=31)
    for query, wanted in (
        ({"mine": True}, {mine}),
        ({"assigned_staff_id": desk.context.actor_id}, {mine}),
        ({"assigned_staff_id": desk.context.actor_id, "mine": True}, {mine}),
        ({"flagged": True}, {flagged}),
        ({"flagged": False}, {mine, spam}),
        ({"spam": True}, {spam}),
        ({"spam": False}, {mine, flagged}),
        ({"tag": "vip"}, {flagged}),
        ({"filter": north}, {spam}),
        ({"filter": {"not": north}}, {mine, flagged}),
        ({"filter": {"and": [north, {"field": "spam", "op": "eq", "value": True}]}}, {spam}),
        ({"filter": {"and": [north, {"field": "spam", "op": "eq", "value": False}]}}, set()),
        ({"created_since": NOW}, {mine, flagged, spam}),
        ({"created_since": later}, set()),
        ({"new": True}, {mine, flagged, spam}),
        ({"new": True, "now": later}, set()),
        ({"new": False, "now": later}, {mine, flagged, spam}),
        ({"new": True, "created_since": NOW + dt.timedelta(seconds=1)}, set()),
    ):
        assert set(desk.listed(q="lee", **query)) == wanted, query
    assert set(desk.listed(filter=north)) == {spam, other}


def test_what_is_typed_is_never_a_broken_statement(desk: Desk) -> None:
    for q in (
        "'", '"', "\\", "a:*", "!a & b", "a | b", "(", "NEAR(a b)", "a*", "^a", "~ann", "#123", "=x", "@", ".", "a.b",
        "-", "+", "--", "AND", "OR NOT", "%_", "''--", "\U0001d4d0nn", "\u200d", "\ufb01", "ß", "İ", "王小明", "שרה",
    ):  # fmt: skip
        desk.listed(q=q)


@settings(max_examples=examples(30), deadline=None)
@given(q=st.one_of(st.text("abmil jon'@.5-+ é", max_size=12), st.sampled_from(NAMES), st.text(max_size=20)))
def test_the_database_answers_as_the_keys_say(keyed: tuple[Desk, dict[str, dict[str, Any]]], q: str) -> None:
    desk, records = keyed
    with desk.db.read() as session:
        for forgiving in (False, True):
            asked = question(q, forgiving=forgiving)
            if asked is None:
                continue
            rows = session.execute(found_ids(session, asked)).scalars()
            assert set(rows) == {id_ for id_, record in records.items() if answers(record, q, forgiving=forgiving)}
            assert is_answered(session, asked) == any(answers(one, q, forgiving=forgiving) for one in records.values())


def found_ids(session: Any, asked: Any) -> Any:
    from sqlalchemy import select

    return select(found(session, asked).c.client_id)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def keyed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    desk = Desk(request.getfixturevalue(f"emptied_{request.param}")(Base), tmp_path_factory.mktemp("files"))
    return desk, {id_: desk.get(id_) for id_ in people(desk).values()}
