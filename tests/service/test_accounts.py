"""accounts: its use cases against a database of its own."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select

from chassis.columns import new_id
from chassis.context import Context
from chassis.database import Database
from chassis.idempotency import KeyedRequest, answering
from chassis.testing import Clock, outbox_events
from chassis.tokens import hash_token
from contracts.accounts import (
    API_KEY_REVOKED,
    CREATE_API_KEY,
    FIRM_CHANGED,
    MOST_CASE_TYPES,
    STAFF_CHANGED,
    WEEKDAYS,
    CreateStaff,
    Firm,
)
from contracts.errors import Conflict, Forbidden, Invalid, NotFound, Unauthorized
from services.accounts import credentials, firms, staff
from services.accounts.models import ApiKey, Base

NOW = dt.datetime(2026, 11, 21, 15, 0, tzinfo=dt.UTC)


@pytest.fixture
def database(new_database) -> Database:
    return new_database(Base)


class Office:
    """A firm of its own, for each test."""

    def __init__(self, database: Database, **settings) -> None:
        self.everywhere = database
        self.clock = Clock(NOW)
        made = firms.create_firm(database, NOW, credentials.new_key(), name="Harbor & Lane", **settings)
        self.firm, self.owner_id, self.key = made["firm"], made["staff_id"], made["api_key"]
        self.db = self.acting(None)

    def acting(self, staff_id: str | None) -> Database:
        """The database as a request of this staff member has it; None: of the system."""
        context = Context(
            firm_id=self.firm["id"], actor_id=staff_id, actor_kind="system" if staff_id is None else "staff"
        )
        return Database(self.everywhere.url, Base, firm_id=context.firm_id, context=context)

    def add(self, role: str, **values) -> str:
        name = values.pop("name", f"A {role}")
        return staff.create_staff(self.db, NOW, name=name, role=role, **values)["id"]

    def resolve(self, key: str | None = None):
        return credentials.resolve_api_key(self.everywhere, self.clock(), hash_token(key or self.key))

    def emitted(self, event):
        return [found for found in outbox_events(self.everywhere, event) if found.firm_id == self.firm["id"]]


@pytest.fixture
def office(database) -> Office:
    return Office(database)


# Firms


def test_a_new_firm_has_the_laws_quiet_hours_and_an_owner_whose_key_opens_it(office):
    assert office.firm["quiet_hours"] == {"opens": dt.time(8), "closes": dt.time(21)}
    assert list(office.firm["business_hours"]) == list(WEEKDAYS[:5])
    assert Firm().validate(Firm().dump(office.firm)) == {}
    credential = office.resolve()
    assert (credential["firm_id"], credential["staff_id"], credential["role"]) == (
        office.firm["id"],
        office.owner_id,
        "owner",
    )
    assert firms.get_firm(office.db) == office.firm
    assert [event.data["version"] for event in office.emitted(FIRM_CHANGED)] == [1]


def test_a_firm_may_permit_messages_at_all_hours(database):
    office = Office(database, quiet_hours=None)
    assert firms.get_firm(office.db)["quiet_hours"] is None


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"time_zone": "Factory"}, "time_zone"),
        ({"quiet_hours": {"opens": dt.time(21), "closes": dt.time(8)}}, "quiet_hours"),
        (
            {
                "business_hours": {
                    "monday": [
                        {"opens": dt.time(13), "closes": dt.time(17)},
                        {"opens": dt.time(9), "closes": dt.time(14)},
                    ]
                }
            },
            "business_hours.monday",
        ),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(office, settings, field):
    with pytest.raises(Invalid) as refused:
        firms.update_firm(office.db, NOW, settings)
    assert refused.value.fields[0]["field"] == field
    assert firms.get_firm(office.db) == office.firm


def test_a_change_of_settings_says_what_changed(office):
    changes = {"time_zone": "America/Chicago", "locale": "en", "holidays": [dt.date(2026, 12, 25)]}
    changed = firms.update_firm(office.db, office.clock.advance(hours=1), changes, expected_version=1)
    assert (changed["version"], changed["time_zone"], changed["holidays"]) == (
        2,
        "America/Chicago",
        [dt.date(2026, 12, 25)],
    )
    assert office.emitted(FIRM_CHANGED)[-1].data == {
        "firm_id": office.firm["id"],
        "changed": ["holidays", "time_zone"],
        "version": 2,
    }


def test_a_change_that_changes_nothing_is_not_announced(office):
    assert firms.update_firm(office.db, NOW, {"name": "Harbor & Lane"})["version"] == 1
    assert len(office.emitted(FIRM_CHANGED)) == 1


def test_a_change_of_an_older_version_is_refused(office):
    firms.update_firm(office.db, NOW, {"link_days": 7})
    with pytest.raises(Conflict, match="stale_version"):
        firms.update_firm(office.db, NOW, {"link_days": 8}, expected_version=1)


# Staff


def test_an_admin_cannot_make_or_unmake_an_owner(office):
    admin = office.add("admin")
    with pytest.raises(Forbidden, match="role_escalation"):
        staff.create_staff(office.acting(admin), NOW, name="Eve", role="owner")
    with pytest.raises(Forbidden, match="role_escalation"):
        staff.update_staff(office.acting(admin), NOW, admin, {"role": "owner"})
    with pytest.raises(Forbidden, match="role_escalation"):
        staff.update_staff(office.acting(admin), NOW, office.owner_id, {"name": "Not mine to change"})
    made = staff.create_staff(office.acting(admin), NOW, name="Ada", role="member", case_type_ids=[new_id()])
    assert staff.get_staff(office.db, made["id"]) == made
    assert office.emitted(STAFF_CHANGED)[-1].data == {"staff_id": made["id"], "active": True, "role": "member"}


def test_who_is_limited_to_some_types_of_cases_shows_nobody_others(office):
    ours, others = new_id(), new_id()
    admin = office.add("admin", case_type_ids=[ours])
    acting = office.acting(admin)
    for call in (
        lambda: staff.create_staff(acting, NOW, name="Ada", role="member"),
        lambda: staff.create_staff(acting, NOW, name="Ada", role="member", case_type_ids=[ours, others]),
        lambda: staff.update_staff(acting, NOW, admin, {"case_type_ids": None}),
        lambda: make_key(office, staff_id=office.add("member"), by=admin),
    ):
        with pytest.raises(Forbidden, match="case_type_escalation"):
            call()
    made = staff.create_staff(acting, NOW, name="Ada", role="member", case_type_ids=[ours, ours])
    assert made["case_type_ids"] == [ours]
    assert staff.update_staff(acting, NOW, made["id"], {"case_type_ids": []})["case_type_ids"] == []
    key = make_key(office, staff_id=made["id"], by=admin)
    assert office.resolve(key["key"])["case_type_ids"] == []
    staff.update_staff(office.db, NOW, made["id"], {"case_type_ids": [others]})
    assert office.resolve(key["key"])["case_type_ids"] == [others]


def test_a_limit_has_so_many_types_at_most():
    for count, refused in ((MOST_CASE_TYPES, []), (MOST_CASE_TYPES + 1, ["case_type_ids"])):
        made = {"name": "A", "role": "member", "case_type_ids": [new_id() for _ in range(count)]}
        assert list(CreateStaff().validate(made)) == refused


@pytest.mark.parametrize(("length", "refused"), [(320, []), (321, ["email"])])
def test_an_email_address_is_no_longer_than_what_keeps_it(office, length, refused):
    made = {"name": "A", "role": "member", "email": "a@example.com".rjust(length, "a")}
    assert list(CreateStaff().validate(made)) == refused
    if not refused:
        assert staff.create_staff(office.db, NOW, **made)["email"] == made["email"]


@pytest.mark.parametrize("changes", [{"active": False}, {"role": "admin"}, {"case_type_ids": [new_id()]}])
def test_the_last_owner_stays(office, changes):
    office.add("owner", name="Who does not see everything", case_type_ids=[new_id()])
    with pytest.raises(Conflict, match="last_owner"):
        staff.update_staff(office.db, NOW, office.owner_id, changes)
    assert office.resolve()["role"] == "owner"
    office.add("owner", name="Another owner")
    staff.update_staff(office.db, NOW, office.owner_id, changes)


def test_who_leaves_loses_every_key_at_once(office):
    office.add("owner", name="Another owner")
    staff.update_staff(office.db, NOW, office.owner_id, {"active": False})
    with pytest.raises(Unauthorized, match="invalid_api_key"):
        office.resolve()
    staff.update_staff(office.db, NOW, office.owner_id, {"active": True})
    with pytest.raises(Unauthorized):
        office.resolve()
    assert [event.data["key_hash"] for event in office.emitted(API_KEY_REVOKED)] == [hash_token(office.key)]


def test_who_left_acts_no_more(office):
    admin = office.add("admin")
    staff.update_staff(office.db, NOW, admin, {"active": False})
    with pytest.raises(Forbidden, match="unknown_actor"):
        staff.create_staff(office.acting(admin), NOW, name="Ada", role="member")


def test_two_staff_cannot_share_an_email(office):
    office.add("member", email="Ada@Example.com")
    with pytest.raises(Conflict, match="email_taken"):
        office.add("member", email="ada@example.com")


def test_nobody_supervises_in_a_circle(office):
    top = office.add("supervisor")
    middle = office.add("member", supervisor_id=top)
    low = office.add("member", supervisor_id=middle)
    for supervisor in (low, top, new_id()):
        with pytest.raises(Invalid) as refused:
            staff.update_staff(office.db, NOW, top, {"supervisor_id": supervisor})
        assert refused.value.fields[0]["field"] == "supervisor_id"


def test_facts_of_staff_tell_who_works_here_and_who_is_above(office, database):
    boss = office.add("supervisor")
    left = office.add("member", supervisor_id=boss)
    staff.update_staff(office.db, NOW, left, {"active": False})
    stranger = Office(database).add("member")
    found = staff.get_staff_facts(office.db, [left, new_id(), stranger, boss, left])
    assert found["staff"] == [
        {"staff_id": left, "active": False, "role": "member", "supervisor_id": boss},
        {"staff_id": boss, "active": True, "role": "supervisor", "supervisor_id": None},
    ]


def test_staff_of_another_firm_do_not_exist(office, database):
    other = Office(database)
    for attempt in (
        lambda: staff.get_staff(office.db, other.owner_id),
        lambda: staff.update_staff(office.db, NOW, other.owner_id, {"name": "Mine"}),
        lambda: credentials.create_api_key(
            office.db, NOW, credentials.new_key(), name="theirs", staff_id=other.owner_id
        ),
    ):
        with pytest.raises(NotFound):
            attempt()
    listed = staff.list_staff(office.db, limit=50, cursor=None, sort=None)
    assert [member["id"] for member in listed["data"]] == [office.owner_id]


# Credentials


def make_key(office, staff_id=None, by=None, **values):
    return credentials.create_api_key(
        office.acting(by or office.owner_id), office.clock(), credentials.new_key(), name="a key", staff_id=staff_id,
        **values,
    )  # fmt: skip


def test_a_key_is_shown_once_and_stored_as_a_hash(office):
    made = make_key(office, scopes=["cases.read", "clients.read"])
    assert made["key"].startswith(made["prefix"] + "_")
    with office.db.read() as session:
        row = session.scalars(select(ApiKey).where(ApiKey.id == made["id"])).one()
        assert made["key"] not in str(vars(row))
    listed = credentials.list_api_keys(office.db, limit=50, cursor=None, sort=None)["data"]
    assert "key" not in listed[0]
    assert office.resolve(made["key"])["permissions"] == ["cases.read", "clients.read"]


def test_a_repeated_request_gets_the_record_but_not_the_secret_again(office):
    schema = CREATE_API_KEY.response()
    request = KeyedRequest("create_api_key", "k-1", "hash", schema.dump)
    with answering(request):
        made = make_key(office)
    stored = office.db.stored_answer(request)
    assert stored["id"] == made["id"]
    assert "key" not in stored


@pytest.mark.parametrize("spoil", ["unknown", "expired", "revoked"])
def test_every_bad_key_gets_the_same_answer(office, spoil):
    key = make_key(office, expires_at=NOW + dt.timedelta(days=1))
    if spoil == "expired":
        office.clock.advance(days=1)
    if spoil == "revoked":
        credentials.revoke_api_key(office.db, NOW, key["id"])
    with pytest.raises(Unauthorized) as refused:
        office.resolve("cw_nothing" if spoil == "unknown" else key["key"])
    assert str(refused.value) == "invalid_api_key"


def test_a_revocation_is_announced_once_with_the_hash(office):
    key = make_key(office)
    first = credentials.revoke_api_key(office.db, NOW, key["id"])
    again = credentials.revoke_api_key(office.db, NOW + dt.timedelta(hours=1), key["id"])
    assert first == again
    assert [event.data for event in office.emitted(API_KEY_REVOKED)] == [
        {"api_key_id": key["id"], "key_hash": hash_token(key["key"])}
    ]


def test_last_use_is_written_at_most_once_a_minute(office):
    def last_use():
        return credentials.list_api_keys(office.db, limit=50, cursor=None, sort=None)["data"][0]["last_used_at"]

    office.resolve()
    office.clock.advance(seconds=59)
    office.resolve()
    assert last_use() == NOW
    office.clock.advance(seconds=1)
    office.resolve()
    assert last_use() == NOW + dt.timedelta(minutes=1)


def test_a_key_reaches_no_further_than_who_makes_it(office):
    admin = office.add("admin")
    with pytest.raises(Forbidden, match="role_escalation"):
        make_key(office, staff_id=office.owner_id, by=admin)
    assert make_key(office, by=admin)["staff_id"] == admin
    narrow = make_key(office, scopes=["api_keys.write"])
    with pytest.raises(Forbidden, match="scope_escalation"):
        make_key(office, by_api_key_id=narrow["id"])
    assert make_key(office, by_api_key_id=narrow["id"], scopes=["api_keys.write"])["scopes"] == ["api_keys.write"]
    with pytest.raises(Forbidden, match="unknown_actor"):
        make_key(office, by=admin, by_api_key_id=narrow["id"])


def test_a_key_outlives_none_that_made_it(office):
    tomorrow = NOW + dt.timedelta(days=1)
    passing = make_key(office, expires_at=tomorrow)
    for later in (None, tomorrow + dt.timedelta(seconds=1)):
        with pytest.raises(Forbidden, match="expiry_escalation"):
            make_key(office, by_api_key_id=passing["id"], expires_at=later)
    assert make_key(office, by_api_key_id=passing["id"], expires_at=tomorrow)["expires_at"] == tomorrow
    assert make_key(office)["expires_at"] is None, "who signs in otherwise may make one for ever"


@pytest.mark.parametrize(
    ("values", "field"), [({"scopes": ["everything"]}, "scopes.0"), ({"expires_at": NOW}, "expires_at")]
)
def test_a_key_that_makes_no_sense_is_refused(office, values, field):
    with pytest.raises(Invalid) as refused:
        make_key(office, **values)
    assert refused.value.fields[0]["field"] == field


def test_a_calendar_adds_its_public_holidays_to_the_firms_own() -> None:
    days = firms.closed_days(["2026-07-03"], "US-NY", 2026)
    assert dt.date(2026, 7, 3) in days
    assert dt.date(2026, 2, 12) in days, "Lincoln's Birthday, in New York"
    assert dt.date(2026, 2, 12) not in firms.closed_days([], "US", 2026)
    assert {day.year for day in days} == {2025, 2026, 2027, 2028}
    assert firms.closed_days(["2026-07-03"], None, 2026) == [dt.date(2026, 7, 3)]


@pytest.mark.parametrize("calendar", ["XX", "US-QQ"])
def test_a_calendar_that_nobody_keeps_is_refused(calendar: str) -> None:
    with pytest.raises(Invalid) as refused:
        firms.stored({"holiday_calendar": calendar})
    assert refused.value.fields[0]["field"] == "holiday_calendar"
