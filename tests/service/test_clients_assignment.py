"""clients: to whom of the firm's staff a client is assigned, and input that nobody should be able to give."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.columns import new_id
from chassis.context import use
from chassis.testing import FakeCalls
from contracts import accounts
from contracts.clients import CreateClient, UpdateClient
from contracts.errors import Invalid, NotFound, Unavailable
from services.clients import activity, records
from services.clients.addresses import with_new_primary, without_primary
from services.clients.answers import Refused, changed_by
from services.clients.checking import normalise_fields
from tests.examples import examples
from tests.service.clients_desk import NOW, Desk, desk

__all__ = ["desk"]


def staff(*, active: bool = True, known: bool = True, reached: bool = True) -> FakeCalls:
    """accounts, as its contract promises it."""

    def get_staff(staff_id: str) -> dict[str, Any]:
        if not reached:
            raise Unavailable("accounts_unavailable")
        if not known:
            raise NotFound("staff_not_found", staff_id=staff_id)
        return {"id": staff_id, "name": "Ada", "role": "member", "active": active, "version": 1,
                "created_at": NOW, "updated_at": NOW}  # fmt: skip

    return FakeCalls(accounts, answers={accounts.GET_STAFF: get_staff})


def test_a_client_is_assigned_to_active_staff_of_the_firm(desk: Desk) -> None:
    one, two = new_id(), new_id()
    with use(desk.context):
        made = records.create_client(desk.db, NOW, calls=staff(), first_name="Ann", assigned_staff_id=one)
        changed = records.update_client(
            desk.db, NOW, calls=staff(), client_id=made["id"], changes={"assigned_staff_id": two}
        )
    assert (made["assigned_staff_id"], changed["assigned_staff_id"]) == (one, two)
    facts = activity.list_client_activity(desk.db, client_id=made["id"])["data"][0]["facts"]
    assert (facts["assigned_staff_id"], facts["assigned_before"]) == (two, one)
    assert facts["actor_id"] == desk.context.actor_id


@pytest.mark.parametrize(
    ("calls", "code"), [(staff(known=False), "unknown_staff"), (staff(active=False), "inactive_staff")]
)
def test_it_is_not_assigned_to_anybody_else(desk: Desk, calls: FakeCalls, code: str) -> None:
    known = desk.create()
    before = len(desk.listed())
    with pytest.raises(Invalid, match=code) as caught:
        records.create_client(desk.db, NOW, calls=calls, first_name="Bo", assigned_staff_id=new_id())
    assert caught.value.fields[0]["field"] == "assigned_staff_id"
    with pytest.raises(Invalid, match=code):
        records.update_client(desk.db, NOW, calls=calls, client_id=known["id"], changes={"assigned_staff_id": new_id()})
    assert desk.get(known["id"])["assigned_staff_id"] is None
    assert len(desk.listed()) == before


def test_accounts_is_asked_only_where_somebody_is_named(desk: Desk) -> None:
    calls = staff(reached=False)
    made = records.create_client(desk.db, NOW, calls=calls, first_name="Bo")
    assert records.update_client(
        desk.db, NOW, calls=calls, client_id=made["id"], changes={"occupation": "x", "assigned_staff_id": None}
    )
    with pytest.raises(Unavailable):
        records.update_client(desk.db, NOW, calls=calls, client_id=made["id"], changes={"assigned_staff_id": new_id()})


def test_an_import_assigns_to_the_firms_staff_only(desk: Desk) -> None:
    known = [new_id() for _ in range(3)]

    def list_staff(limit: int = 50, cursor: str | None = None, **_: Any) -> dict[str, Any]:
        first = int(cursor or 0)
        following = first + 2 if first + 2 < len(known) else None
        data = [
            {"id": id_, "name": "Ada", "role": "member", "active": False, "version": 1, "created_at": NOW,
             "updated_at": NOW}
            for id_ in known[first : first + 2]
        ]  # fmt: skip
        return {"data": data, "meta": {"next_cursor": str(following) if following else None, "total": len(known)}}

    calls = FakeCalls(accounts, answers={accounts.LIST_STAFF: list_staff})
    rows = [["first_name", "assigned_staff_id"], *(["Ann", id_] for id_ in (*known, new_id())), ["Bo", ""]]
    done = desk.import_all(rows, calls=calls)
    assert done["counts"] == {"read": 5, "created": 4, "updated": 0, "skipped": 0, "failed": 1}
    assert [(row["row"], row["errors"]) for row in done["rows"]] == [
        (4, ["unknown_assigned_staff_id:assigned_staff_id"])
    ]


def test_an_import_asks_for_staff_only_where_it_assigns(desk: Desk) -> None:
    def unreached(**_: Any) -> dict[str, Any]:
        raise Unavailable("accounts_unavailable")

    calls = FakeCalls(accounts, answers={accounts.LIST_STAFF: unreached})
    assert desk.import_all([["first_name"], ["Ann"]], calls=calls)["counts"]["created"] == 1
    with pytest.raises(Unavailable):
        desk.import_all([["first_name", "assigned_staff_id"], ["Bo", new_id()]], calls=calls)


# Exactly one primary, if there is any

NUMBERS = [f"+1212555010{digit}" for digit in range(4)]
EMAILS = [f"{name}@example.com" for name in "abcd"]


def entries(part: str, values: list[str]) -> Any:
    entry = st.fixed_dictionaries({part: st.sampled_from(values), "primary": st.booleans()})
    return st.lists(entry, max_size=4)


def one_primary(record: dict[str, Any]) -> bool:
    return all(
        sum(entry["primary"] for entry in record[name]) == bool(record[name]) for name in ("phones", "emails")
    )  # fmt: skip


@settings(max_examples=examples(80), suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("phones"), entries("number", NUMBERS)),
            st.tuples(st.just("emails"), entries("address", EMAILS)),
            st.tuples(st.just("phone"), st.sampled_from(["", *NUMBERS])),
            st.tuples(st.just("email"), st.sampled_from(["", *EMAILS])),
        ),
        max_size=8,
    )
)
def test_whatever_is_written_and_answered_one_phone_and_one_email_is_primary(steps: list[tuple[str, Any]]) -> None:
    record: dict[str, Any] = {"first_name": "Ann", "phones": [], "emails": [], "addresses": []}
    for field, value in steps:
        if field in ("phones", "emails"):
            normal, _ = normalise_fields({field: value}, NOW, current=record)
            record = {**record, **normal}
        else:
            held = record["phones" if field == "phone" else "emails"]
            record = {**record, **changed_by(record, field, value)}
            if not value:
                assert len(record["phones" if field == "phone" else "emails"]) == max(len(held) - 1, 0)
        assert one_primary(record)


def test_a_refused_answer_changes_nothing() -> None:
    record: dict[str, Any] = {"first_name": "Ann", "phones": [], "emails": [], "addresses": []}
    with pytest.raises(Refused, match="invalid_phone"):
        changed_by(record, "phone", "12")
    assert without_primary([]) == []
    assert with_new_primary([], {"number": "+1"}, "number") == [{"number": "+1", "primary": True}]


# What nobody should be able to give


def test_ten_thousand_phones_are_refused_before_any_is_looked_at() -> None:
    phones = [{"number": f"+1212555{number:04d}"} for number in range(10_000)]
    for schema, body in (
        (CreateClient(), {"first_name": "Ann", "phones": phones}),
        (UpdateClient(), {"client_id": new_id(), "changes": {"phones": phones}}),
    ):
        assert "phones" in str(schema.validate(body))
    assert CreateClient().validate({"first_name": "Ann", "government_ids": [{"kind": "ssn", "number": "1"}] * 11})
    assert CreateClient().validate({"first_name": "Ann", "photo_id": new_id()})
    assert CreateClient().validate({"first_name": "Ann", "data_consent": {"given": True}})


@pytest.mark.parametrize(
    "name",
    [
        "\u05d3\u05d5\u05d3",
        "\u0645\u062d\u0645\u062f",
        "\u0646\u0627\u0645 \u062e\u0627\u0646\u0648\u0627\u062f\u06af\u06cc",
    ],
)
def test_names_written_from_right_to_left_are_kept_as_they_are(desk: Desk, name: str) -> None:
    made = desk.create(first_name=name, last_name=f"  {name}")
    assert (made["first_name"], made["last_name"]) == (name, name)
    assert desk.listed(q=name) == [made["id"]]


@pytest.mark.parametrize("field", ["first_name", "industry", "referral_source", "special_requirements"])
@pytest.mark.parametrize("hidden", ["\u202e", "\u200b", "\u2066", "\x1b"])
def test_characters_that_are_not_seen_are_refused_in_every_text(desk: Desk, field: str, hidden: str) -> None:
    with pytest.raises(Invalid) as caught:
        desk.create(**{"last_name": "Lee", field: f"A{hidden}b"})
    assert caught.value.fields[0]["field"] == field
    assert desk.listed() == []


def test_a_government_id_is_named_where_it_is_wrong(desk: Desk) -> None:
    twice = {"kind": "ssn", "number": "1-2", "country": "US"}
    with pytest.raises(Invalid) as caught:
        desk.create(
            government_ids=[twice, {"kind": "passport", "number": " "}, twice, {"kind": "other", "number": "a\u200b"}]
        )
    assert [entry["field"] for entry in caught.value.fields] == [f"government_ids.{at}.number" for at in (1, 2, 3)]
