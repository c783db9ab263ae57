"""What a broken constraint means. The constraint decides, not a check before the insert."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.exc import IntegrityError

from chassis.database import violates
from contracts.errors import CasewireError, Conflict, invalid_field
from services.cases.models import Base, Case, CaseList, CaseType, NewClientRequest


def _named(model: type, name: str) -> UniqueConstraint | Index:
    table = Base.metadata.tables[model.__tablename__]  # type: ignore[attr-defined]
    for entry in (*table.constraints, *table.indexes):
        if entry.name == name and isinstance(entry, UniqueConstraint | Index):
            return entry
    raise KeyError(name)


NUMBER_TAKEN = "number_taken"
MEANINGS: Mapping[UniqueConstraint | Index, tuple[str, str]] = {
    _named(Case, "uq_cases_number"): (NUMBER_TAKEN, "number"),
    _named(Case, "uq_cases_external_source_id"): ("external_source_id_taken", "external_source_id"),
    _named(CaseType, "uq_case_type_name"): ("name_taken", "name"),
    _named(CaseType, "uq_case_type_name_key"): ("name_taken", "name"),
    _named(CaseList, "uq_case_list_name"): ("name_taken", "name"),
    _named(NewClientRequest, "uq_new_client_request_key"): ("idempotency_key_in_use", ""),
}


@contextmanager
def typed_clashes() -> Iterator[None]:
    """Turns a broken constraint inside the block into the error that it means, which names the field."""
    try:
        yield
    except IntegrityError as error:
        raise meaning_of(error) or error from error


def meaning_of(error: IntegrityError) -> CasewireError | None:
    """The error that a broken constraint means, or None."""
    # A record that was found and is gone at the commit. (On SQLite one transaction writes at a time, and none is.)
    reference = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
    if reference == "fk_cases_status":
        return invalid_field("status", "Not a status of this type of case.", code="unknown_status")
    for constraint, (code, field) in MEANINGS.items():
        if violates(error, constraint):
            return Conflict(code, fields=[{"field": field, "message": "Taken already."}] if field else None)
    return None
