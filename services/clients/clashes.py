"""What a broken uniqueness means. The constraint decides, not a check before the insert."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

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


def external_id_clash() -> AbstractContextManager[None]:
    """Turns into a Conflict `external_id_taken` that another client has the external id since it was looked for."""
    return typed_clash("uq_client_external", "external_id_taken", "external_source_id")


def _named(name: str) -> UniqueConstraint | Index:
    for table in Base.metadata.tables.values():
        for entry in (*table.constraints, *table.indexes):
            if entry.name == name and isinstance(entry, UniqueConstraint | Index):
                return entry
    raise KeyError(name)
