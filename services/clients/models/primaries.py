"""Of a client's numbers, and of its email addresses, one is the primary: not two, and not none.

That there are not two says a unique index. That there is one is seen when the transaction ends, for in between a list
is taken away and written anew: PostgreSQL then refuses a client with entries and no primary. It looks only after what
can end so: an entry that is added and is not the primary, or a primary that goes. SQLite can put off no trigger; there
it holds because each list that is written comes from `services.clients.addresses.with_primary`.

(A postal address needs no such look: the primary is the one of the kind `primary`, else the first of the list.)
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table, event

from services.clients.models.records import ClientEmail, ClientPhone

TABLES = (ClientPhone.__tablename__, ClientEmail.__tablename__)

# Locked is the client of an entry that went, and not of one that came: who adds an entry holds its client by the
# foreign key, so that of two at once the later one sees what the other did.
_FUNCTION = """
CREATE FUNCTION {table}_primary() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, {schema}, pg_temp
AS $primary$
DECLARE
  its {table};
BEGIN
  FOREACH its IN ARRAY CASE TG_OP WHEN 'INSERT' THEN ARRAY[NEW] WHEN 'DELETE' THEN ARRAY[OLD] ELSE ARRAY[OLD, NEW] END
  LOOP
    IF TG_OP <> 'INSERT' THEN
      PERFORM 1 FROM client WHERE firm_id = its.firm_id AND id = its.client_id FOR UPDATE;
    END IF;
    IF EXISTS (SELECT FROM {table} WHERE firm_id = its.firm_id AND client_id = its.client_id)
      AND NOT EXISTS (SELECT FROM {table} WHERE firm_id = its.firm_id AND client_id = its.client_id AND is_primary)
    THEN
      RAISE check_violation USING MESSAGE = 'none of the client''s entries is the primary',
        TABLE = '{table}', CONSTRAINT = '{table}_primary';
    END IF;
  END LOOP;
  RETURN NULL;
END
$primary$
"""
_TRIGGER = (
    "CREATE CONSTRAINT TRIGGER {table}_primary_{name} AFTER {when} ON {table} DEFERRABLE INITIALLY DEFERRED"
    " FOR EACH ROW WHEN ({looked_at}) EXECUTE FUNCTION {table}_primary()"
)
_TRIGGERS = (
    ("added", "INSERT", "NOT NEW.is_primary"),
    (
        "changed",
        "UPDATE",
        "(OLD.firm_id, OLD.client_id, OLD.is_primary) IS DISTINCT FROM (NEW.firm_id, NEW.client_id, NEW.is_primary)",
    ),
    ("gone", "DELETE", "OLD.is_primary"),
)


def demand_primaries(connection: Connection, table: str) -> None:
    """Makes PostgreSQL refuse a client with rows of a table and no primary among them. There is nothing of it yet."""
    schema = connection.dialect.identifier_preparer.quote_identifier(
        str(connection.exec_driver_sql("SELECT current_schema()").scalar_one())
    )
    connection.exec_driver_sql(_FUNCTION.format(table=table, schema=schema))
    for name, when, looked_at in _TRIGGERS:
        connection.exec_driver_sql(_TRIGGER.format(table=table, name=name, when=when, looked_at=looked_at))


def let_go(connection: Connection, table: str) -> None:
    """Takes it back."""
    for name, *_ in _TRIGGERS:
        connection.exec_driver_sql(f"DROP TRIGGER {table}_primary_{name} ON {table}")
    connection.exec_driver_sql(f"DROP FUNCTION {table}_primary()")


def _made(table: Table, connection: Connection, **_: Any) -> None:
    if connection.dialect.name == "postgresql":
        demand_primaries(connection, table.name)


for model in (ClientPhone, ClientEmail):
    event.listen(model.__table__, "after_create", _made)
