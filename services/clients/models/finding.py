"""How each database looks for the keys of clients (`Client.keys`, made by `services.clients.search.search_keys`).

PostgreSQL has an index of the keys, which begin with the firm, so that the clients of other firms cost nothing, and a
function that reads it past the walls between firms. SQLite has a full-text table that follows the keys by triggers.
"""

from __future__ import annotations

from sqlalchemy import DDL, event

from chassis.walls import reviewed
from services.clients.models.common import Base
from services.clients.models.records import Client

FULL_TEXT = "client_fts"
"""SQLite's full-text table. A row holds a client's keys, and `=` with its id."""
GLANCED = 20_000
"""About how many of those who answer PostgreSQL collects at a glance: enough that 10,000 are among them."""

# What PostgreSQL is asked past the walls is narrowed by all that it has an index for. What is NULL does not narrow: it
# is gone before the rest is planned. `numbers` are parts of numbers, as regular expressions; `own_fields` is what a
# client's must contain. Tags and groups are looked up for each client: for EXISTS, PostgreSQL would first read all
# of a group that it has not counted yet.
_NARROWED = (
    "firm uuid, wanted text, numbers text[], own_fields jsonb, in_status text, of_staff uuid, is_flagged boolean,"
    " is_spam boolean, since timestamptz, until timestamptz, with_tag text, of_group uuid"
)
_MEANT = """client.firm_id = firm AND client.archived_at IS NULL
AND (wanted IS NULL OR client.keys @@ wanted::tsquery)
AND (own_fields IS NULL OR client.custom_fields <> '{}' AND client.custom_fields @> own_fields)
AND (in_status IS NULL OR client.status = in_status)
AND (of_staff IS NULL OR client.assigned_staff_id = of_staff)
AND (is_flagged IS NULL OR CASE WHEN is_flagged THEN client.flag_reason IS NOT NULL ELSE client.flag_reason IS NULL END)
AND (is_spam IS NULL OR CASE WHEN is_spam THEN client.spam ELSE NOT client.spam END)
AND (since IS NULL OR client.created_at >= since)
AND (until IS NULL OR client.created_at < until)
AND (with_tag IS NULL OR (
    SELECT true FROM client_tag AS tagged
    WHERE tagged.firm_id = firm AND tagged.client_id = client.id AND tagged.key = with_tag
))
AND (of_group IS NULL OR (
    SELECT true FROM client_group_member AS member
    WHERE member.firm_id = firm AND member.group_id = of_group AND member.client_id = client.id
))
AND (numbers IS NULL OR NOT EXISTS (
    SELECT FROM unnest(numbers) AS part WHERE NOT EXISTS (
        SELECT FROM client_phone AS phone
        WHERE phone.firm_id = firm AND phone.client_id = client.id AND phone.number ~ part
    )
))"""
_COUNTED = f"SELECT count(*) FROM (SELECT FROM client WHERE {_MEANT} LIMIT most) AS meant"  # noqa: S608  # nosec B608

reviewed(
    Base,
    name="find_clients",
    arguments=f"{_NARROWED}, most integer",
    returns="TABLE (client_id uuid)",
    body=f"SELECT client.id FROM client WHERE {_MEANT} LIMIT most",  # noqa: S608  # nosec B608
)
reviewed(
    Base,
    name="count_clients",
    arguments=f"{_NARROWED}, most integer",
    returns="TABLE (total bigint)",
    body=_COUNTED,
)
# What most of a firm's clients have is mostly spent on collecting all of them from the index. This collects some, at
# random: each is looked at, so that there are at least as many as it counts.
reviewed(
    Base,
    name="glance_at_clients",
    arguments=f"{_NARROWED}, most integer",
    returns="TABLE (total bigint)",
    body=_COUNTED,
    settings=f"SET gin_fuzzy_search_limit = {GLANCED}",
)


def _in_order(value: str, ids: str) -> str:
    """As the argument `down` says. What is no order by then is a constant, which PostgreSQL leaves out."""
    return (
        f"ORDER BY CASE WHEN down THEN {value} END DESC, CASE WHEN down THEN {ids} END DESC,"
        f" CASE WHEN NOT down THEN {value} END, CASE WHEN NOT down THEN {ids} END"
    )


def _after(value: str, ids: str) -> str:
    """The first comparison is in the others: as it stands, an index begins where the page does."""
    return (
        "(after_id IS NULL OR CASE WHEN down"
        f" THEN {value} <= after_value AND ({value} < after_value OR {ids} < after_id)"
        f" ELSE {value} >= after_value AND ({value} > after_value OR {ids} > after_id) END)"
    )


def _pages_of(order: str, type_: str, *, beside: str, value: str, walked: str) -> None:
    """Two functions that give a page in an order. `found_by_…` finds all who are meant, `most` at most, and counts them
    and puts them in order. `walked_by_…` looks through the next `far` of the order, whoever they are."""
    arguments = f"{_NARROWED}, down boolean, after_value {type_}, after_id uuid, page integer"
    after = _after("found.value", "found.client_id")
    reviewed(
        Base,
        name=f"found_by_{order}",
        arguments=f"{arguments}, most integer",
        returns=f"TABLE (client_id uuid, value {type_}, total bigint)",
        body=f"""
WITH found AS MATERIALIZED (
    SELECT client.id AS client_id, {value}::{type_} AS value FROM client {beside} WHERE {_MEANT} LIMIT most
)
SELECT found.client_id, found.value, (SELECT count(*) FROM found) FROM found
WHERE {after} {_in_order("found.value", "found.client_id")} LIMIT page""",  # noqa: S608  # nosec B608
    )
    reviewed(
        Base,
        name=f"walked_by_{order}",
        arguments=f"{arguments}, far integer",
        returns=f"TABLE (client_id uuid, value {type_})",
        # Left to choose how far, PostgreSQL walks to the end where those who are meant have their place there: all who
        # are called Smith, in the order of names.
        body=f"""
SELECT client.id, {value}::{type_} FROM {walked}
WHERE {_MEANT} {_in_order(value, "client.id")} LIMIT page""",  # noqa: S608  # nosec B608
    )


def _own_order(order: str, column: str, type_: str) -> None:
    value = f"client.{column}"
    walked = (
        f"(SELECT client.* FROM client WHERE client.firm_id = firm AND {_after(value, 'client.id')}"  # noqa: S608  # nosec B608
        f" {_in_order(value, 'client.id')} LIMIT far) AS client"
    )
    _pages_of(order, type_, beside="", value=value, walked=walked)


_own_order("created_at", "created_at", "timestamptz")
_own_order("name", "sort_name", "text")
_pages_of(
    "last_activity_at",
    "timestamptz",
    beside="JOIN last_activity ON last_activity.client_id = client.id AND last_activity.firm_id = firm",
    value="last_activity.at",
    walked=(
        "(SELECT client_id, at FROM last_activity WHERE last_activity.firm_id = firm"  # noqa: S608  # nosec B608
        f" AND {_after('last_activity.at', 'last_activity.client_id')}"
        f" {_in_order('last_activity.at', 'last_activity.client_id')} LIMIT far) AS last_activity"
        " JOIN client ON client.id = last_activity.client_id"
    ),
)

_FORGET = (
    f"DELETE FROM {FULL_TEXT} WHERE rowid IN"  # noqa: S608  # nosec B608
    f" (SELECT rowid FROM {FULL_TEXT} WHERE {FULL_TEXT} MATCH '\"=' || OLD.id || '\"');"
)
_KEEP = (
    f"INSERT INTO {FULL_TEXT} (keys, client_id)"  # noqa: S608  # nosec B608
    " VALUES (NEW.keys || ' =' || NEW.id, NEW.id);"
)
SQLITE = (
    f"CREATE VIRTUAL TABLE IF NOT EXISTS {FULL_TEXT} USING fts5(keys, client_id UNINDEXED, detail = none,"
    " tokenize = \"unicode61 remove_diacritics 0 tokenchars '^@.-#~='\")",
    f"CREATE TRIGGER IF NOT EXISTS {FULL_TEXT}_added AFTER INSERT ON client BEGIN {_KEEP} END",
    f"CREATE TRIGGER IF NOT EXISTS {FULL_TEXT}_changed AFTER UPDATE OF keys ON client"
    f" WHEN OLD.keys <> NEW.keys BEGIN {_FORGET} {_KEEP} END",
    f"CREATE TRIGGER IF NOT EXISTS {FULL_TEXT}_gone AFTER DELETE ON client BEGIN {_FORGET} END",
)

Base.metadata.info["beside"] = (FULL_TEXT,)
# A migration that copies the table, as SQLite must to change one, loses its triggers.
Base.metadata.info["sqlite_at_last"] = {"client.keys": SQLITE}
for statement in SQLITE:
    event.listen(Client.__table__, "after_create", DDL(statement).execute_if(dialect="sqlite"))
