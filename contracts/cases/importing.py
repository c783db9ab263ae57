"""Cases from a file."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from contracts.base import Event, Id, Operation, Text
from contracts.cases.common import A_CASE, OWNER
from contracts.cases.records import CASE_EVENT_EXAMPLE, CaseEvent
from contracts.errors import Invalid, Unavailable
from contracts.importing import import_operations


class CasesImported(Schema):
    """Many cases made or changed by an import, or by its undo, at most 500 in one event. `changed` of a new one is
    empty. Nothing else follows from an import: no forms of the type, no rules."""

    import_id = Id(required=True)
    cases = fields.List(fields.Nested(CaseEvent), required=True)


class CaseImportUndone(Schema):
    """Clients that an import of cases made, and that are on no case any more since it was taken back; at most 500."""

    import_id = Id(required=True)
    client_ids = fields.List(Id(), required=True)


class ListedPerson(Schema):
    """Who may be in an uploaded list. `ids` are numbers and ids of any kind by which lists may know the person."""

    client_id = Id(required=True)
    name = Text(longest=500, required=True)
    numbers = fields.List(Text(longest=40), required=True, validate=validate.Length(max=1000))
    emails = fields.List(Text(longest=320), required=True, validate=validate.Length(max=1000))
    ids = fields.List(Text(longest=120), required=True, validate=validate.Length(max=1000))


class ForgetLists(Schema):
    """Asked by clients before it deletes the last place where it is known who they are. `after`: where the answer
    before ended; null for the first."""

    people = fields.List(fields.Nested(ListedPerson), required=True, validate=validate.Length(min=1, max=500))
    after = Id(load_default=None, allow_none=True)


class ForgottenLists(Schema):
    """Many lists take several calls. `after` is null when all were looked at."""

    after = Id(allow_none=True)


(
    CREATE_IMPORT, PREVIEW_IMPORT, RUN_IMPORT, CANCEL_IMPORT, UNDO_IMPORT, GET_IMPORT, LIST_IMPORTS, GET_IMPORT_ERRORS,
    IMPORT_REQUESTED, IMPORT_UNDO_REQUESTED,
) = import_operations(OWNER, "cases.write")  # fmt: skip
FORGET_LISTS = Operation(
    OWNER, "forget_lists", ForgetLists, ForgottenLists, (Invalid, Unavailable), deadline=50.0,
    example={
        "people": [{"client_id": A_CASE, "name": "Ann Lee", "numbers": ["+12125550123"], "emails": [], "ids": ["7"]}]
    },
)  # fmt: skip
CASES_IMPORTED = Event(
    OWNER, "cases.imported.v1", CasesImported, example={"import_id": A_CASE, "cases": [CASE_EVENT_EXAMPLE]}
)
CASE_IMPORT_UNDONE = Event(
    OWNER, "case_import.undone.v1", CaseImportUndone, example={"import_id": A_CASE, "client_ids": [A_CASE]}
)
