"""Under which keys clients are found (`services.clients.search_keys`), and how each database looks for them.

PostgreSQL has an index of the keys that begins with the firm, so that the clients of other firms cost nothing, and one
function that reads it: `find_clients`. SQLite has a full-text table that follows the keys by triggers.
"""

from __future__ import annotations

from sqlalchemy import DDL, Index, PrimaryKeyConstraint, Text, event
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id
from chassis.database import FirmScoped
from services.clients.models.common import Base, of_client

FULL_TEXT = "client_find_fts"
"""SQLite's full-text table. A row holds a client's keys, and `=` with the ids of the firm and of the client."""


class ClientFind(FirmScoped, Base):
    """The keys of a client, a blank apart. They are names and addresses: they go when the client goes."""

    __tablename__ = "client_find"
    __table_args__ = (
        PrimaryKeyConstraint("client_id", "firm_id"),
        of_client("client_find"),
        Index("ix_client_find_keys", "firm_id", "keys", postgresql_using="gin").ddl_if(dialect="postgresql"),
    )

    firm_id: Mapped[str] = mapped_column(Id)
    client_id: Mapped[str] = mapped_column(Id)
    keys: Mapped[str] = mapped_column(Text().with_variant(TSVECTOR(), "postgresql"))


POSTGRESQL = (
    """
CREATE FUNCTION find_clients(firm uuid, wanted text, numbers text[], most integer)
RETURNS TABLE (client_id uuid, sort_name text, created_at timestamptz)
LANGUAGE plpgsql STABLE
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT alive.id, alive.sort_name::text, alive.created_at
    FROM client_find AS held
    CROSS JOIN LATERAL (
        SELECT client.id, client.sort_name, client.created_at FROM client
        WHERE client.id = held.client_id AND client.firm_id IS NOT DISTINCT FROM held.firm_id
        AND client.archived_at IS NULL
        OFFSET 0
    ) AS alive
    WHERE held.firm_id = firm AND held.keys @@ wanted::tsquery
    AND NOT EXISTS (
        SELECT FROM unnest(numbers) AS part WHERE NOT EXISTS (
            SELECT FROM client_phone AS phone
            WHERE phone.firm_id = firm AND phone.client_id = held.client_id AND phone.number ~ part
        )
    )
    LIMIT most;
END
$$
""",
)

_FORGET = (
    f"DELETE FROM {FULL_TEXT} WHERE rowid IN"  # noqa: S608
    f" (SELECT rowid FROM {FULL_TEXT} WHERE {FULL_TEXT} MATCH '\"=' || OLD.client_id || '\"');"
)
_KEEP = (
    f"INSERT INTO {FULL_TEXT} (keys, client_id)"  # noqa: S608
    " VALUES (NEW.keys || ' =' || NEW.firm_id || ' =' || NEW.client_id, NEW.client_id);"
)
SQLITE = (
    f"CREATE VIRTUAL TABLE {FULL_TEXT} USING fts5(keys, client_id UNINDEXED, detail = none,"
    " tokenize = \"unicode61 remove_diacritics 0 tokenchars '^@.-#~='\")",
    f"CREATE TRIGGER client_find_added AFTER INSERT ON client_find BEGIN {_KEEP} END",
    f"CREATE TRIGGER client_find_changed AFTER UPDATE ON client_find BEGIN {_FORGET} {_KEEP} END",
    f"CREATE TRIGGER client_find_gone AFTER DELETE ON client_find BEGIN {_FORGET} END",
)

Base.metadata.info["beside"] = (FULL_TEXT,)
event.listen(
    ClientFind.__table__, "before_create",
    DDL("CREATE EXTENSION IF NOT EXISTS btree_gin").execute_if(dialect="postgresql"),
)  # fmt: skip
for statement in POSTGRESQL:
    event.listen(ClientFind.__table__, "after_create", DDL(statement).execute_if(dialect="postgresql"))
for statement in SQLITE:
    event.listen(ClientFind.__table__, "after_create", DDL(statement).execute_if(dialect="sqlite"))
