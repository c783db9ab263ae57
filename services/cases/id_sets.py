"""Sets of ids as one parameter of a statement, however many: SQLite takes a limited number of parameters."""

from __future__ import annotations

from collections.abc import Iterable

import orjson
from sqlalchemy import ARRAY, Select, Text, bindparam, cast, column, func, select
from sqlalchemy.orm import Session

from chassis.columns import Id


def is_postgresql(session: Session) -> bool:
    """Which of the two databases this is."""
    return session.get_bind().dialect.name == "postgresql"


def id_rows(session: Session, ids: Iterable[str]) -> Select[tuple[str]]:
    """A subquery of one column `id`: `Case.id.in_(id_rows(session, ids))`."""
    wanted = list(dict.fromkeys(ids))
    if is_postgresql(session):
        array = cast(bindparam(None, wanted, type_=ARRAY(Text)), ARRAY(Id))
        return select(func.unnest(array, type_=Id).label("id"))
    # SQLite keeps an Id as 32 hexadecimal digits.
    packed = orjson.dumps([wanted_id.replace("-", "") for wanted_id in wanted]).decode()
    values = func.json_each(bindparam(None, packed, type_=Text)).table_valued(column("value", Id))
    return select(values.c.value.label("id"))
