"""How each database looks for the keys of clients (`Client.keys`, made by `services.clients.search_keys`).

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

reviewed(
    Base,
    name="find_clients",
    arguments="firm uuid, wanted text, numbers text[], most integer",
    returns="TABLE (client_id uuid, sort_name text, created_at timestamptz)",
    # Stops at the `most`th. `numbers` are parts of numbers, as regular expressions.
    body="""
SELECT client.id, client.sort_name::text, client.created_at
FROM client WHERE client.firm_id = firm AND client.archived_at IS NULL AND client.keys @@ wanted::tsquery
AND NOT EXISTS (
    SELECT FROM unnest(numbers) AS part WHERE NOT EXISTS (
        SELECT FROM client_phone AS phone
        WHERE phone.firm_id = firm AND phone.client_id = client.id AND phone.number ~ part
    )
)
LIMIT most
""",
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
