"""What a broken uniqueness means. The constraint decides, not a check before the insert."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.exc import IntegrityError

from chassis.database import violates
from contracts.errors import Conflict
from services.clients.models import Base


@contextmanager
def typed_clash(name: str, code: str, field: str) -> Iterator[None]:
    """Turns the breaking of the uniqueness `name` inside the block into a Conflict that names the field."""
    try:
        yield
    except IntegrityError as error:
        if violates(error, _named(name)):
            raise Conflict(code, fields=[{"field": field, "message": "Taken already."}]) from error
        raise


def _named(name: str) -> UniqueConstraint | Index:
    for table in Base.metadata.tables.values():
        for entry in (*table.constraints, *table.indexes):
            if entry.name == name and isinstance(entry, UniqueConstraint | Index):
                return entry
    raise KeyError(name)
