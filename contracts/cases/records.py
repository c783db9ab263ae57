"""Cases: one, lists, and their events."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from contracts.base import (
    Amount,
    Choice,
    Count,
    Event,
    Flag,
    Id,
    Instant,
    Operation,
    PageRequest,
    Stamped,
    Text,
    ids,
    page_of,
)
from contracts.cases.common import A_CASE, OWNER, CaseId, CasePageMeta
from contracts.clients import CreateClient
from contracts.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable


class CaseClient(Schema):
    client_id = Id(required=True)
    role = Choice("primary", "additional")
    label = Text(longest=60, allow_none=True)


class KeyDate(Schema):
    """A day that matters in a case, like its hearing."""

    label = Text(longest=120, shortest=1, required=True)
    day = fields.Date(required=True)


class CaseFields(Schema):
    number = Text(longest=60, shortest=1)
    name = Text(longest=200, shortest=1)
    status = Text(longest=60, shortest=1)
    description = Text(longest=20000, allow_none=True)
    responsible_staff_id = Id(allow_none=True)
    staff_ids = ids(50)
    clients = fields.List(fields.Nested(CaseClient), validate=validate.Length(min=1, max=100))
    custom_fields = fields.Dict(keys=Text(longest=60), values=fields.Raw(allow_none=True))
    key_dates = fields.List(fields.Nested(KeyDate), validate=validate.Length(max=50))
    source = Text(longest=120, allow_none=True)
    value = Amount(allow_none=True)
    external_source = Text(longest=60, allow_none=True)
    external_source_id = Text(longest=120, allow_none=True)


class Case(CaseFields, Stamped):
    """`state` follows from whether the status is a closed one. `pending`: its new client is still being created.
    `hidden`: names of sensitive fields with a value that the caller may not see."""

    case_type_id = Id()
    hidden = fields.List(fields.String())
    state = Choice("open", "closed", "pending")
    archived_at = Instant(allow_none=True)


class CreateCase(CaseFields):
    """`number` is given by the firm's series when left out; `status` is the type's first. Exactly one of `clients`
    and `new_client`."""

    case_type_id = Id(required=True)
    name = Text(longest=200, shortest=1, required=True)
    new_client = fields.Nested(CreateClient(exclude=("client_id",)), load_default=None, allow_none=True)


class UpdateCase(CaseId):
    changes = fields.Nested(CaseFields, required=True)
    expected_version = fields.Integer(load_default=None, allow_none=True)


class ListCases(PageRequest):
    """`filter` in the filter language. `archived`: only those. `sort`: name, number, created_at, updated_at."""

    q = Text(longest=200, load_default=None, allow_none=True)
    state = Choice("open", "closed", load_default=None, allow_none=True)
    case_type_id = Id(load_default=None, allow_none=True)
    client_id = Id(load_default=None, allow_none=True)
    filter = fields.Dict(load_default=None, allow_none=True)
    archived = Flag(load_default=False)


class CasesPage(Schema):
    data = fields.List(fields.Nested(Case))
    meta = fields.Nested(CasePageMeta)


class ListStatusChanges(PageRequest):
    """`sort`: at; the newest first unless it says otherwise."""

    case_id = Id(required=True)


class StatusChange(Schema):
    """`from_status` null: the case was created with `to_status`. `actor_id` null: the system."""

    id = Id()
    from_status = fields.String(allow_none=True)
    to_status = fields.String()
    actor_id = Id(allow_none=True)
    at = Instant()


class CaseEvent(Schema):
    """`changed` names fields; `client_ids` with the primary first; `staff_ids` those besides the responsible one.
    `previous_status` where the case moved to another status, else null: it stays in one that is renamed.
    `default_form_ids`: of a new case, the forms that its type gives it. What is not required is missing from older
    events."""

    case_id = Id(required=True)
    version = Count(required=True)
    case_type_id = Id(required=True)
    status = fields.String(required=True)
    state = fields.String(required=True)
    client_ids = fields.List(Id(), required=True)
    changed = fields.List(fields.String(), required=True)
    previous_status = fields.String(allow_none=True)
    archived = fields.Boolean()
    responsible_staff_id = Id(allow_none=True)
    staff_ids = fields.List(Id())
    default_form_ids = fields.List(Id())


CASE_EVENT_EXAMPLE = {
    "case_id": A_CASE, "version": 1, "case_type_id": A_CASE, "status": "New", "state": "open", "client_ids": [A_CASE],
    "changed": [], "previous_status": None, "archived": False, "responsible_staff_id": None, "staff_ids": [A_CASE],
}  # fmt: skip
CREATE_CASE = Operation(
    OWNER, "create_case", CreateCase, Case, (Invalid, Forbidden, NotFound, Conflict, Unavailable), deadline=10.0,
    permission="cases.write", example={"case_type_id": A_CASE, "name": "A case", "clients": [{"client_id": A_CASE}]},
)  # fmt: skip
GET_CASE = Operation(OWNER, "get_case", CaseId, Case, (NotFound,), permission="cases.read", example={"case_id": A_CASE})
UPDATE_CASE = Operation(
    OWNER, "update_case", UpdateCase, Case, (Invalid, Forbidden, NotFound, Conflict, Unavailable),
    permission="cases.write",
    example={"case_id": A_CASE, "changes": {"status": "Closed"}},
)  # fmt: skip
ARCHIVE_CASE = Operation(
    OWNER, "archive_case", CaseId, Case, (NotFound, Conflict), permission="cases.write", example={"case_id": A_CASE}
)
UNARCHIVE_CASE = Operation(
    OWNER, "unarchive_case", CaseId, Case, (NotFound,), permission="cases.write", example={"case_id": A_CASE}
)
LIST_STATUS_CHANGES = Operation(
    OWNER, "list_status_changes", ListStatusChanges, page_of(StatusChange), (Invalid, NotFound),
    permission="cases.read", example={"case_id": A_CASE},
)  # fmt: skip
LIST_CASES = Operation(
    OWNER, "list_cases", ListCases, CasesPage, (Invalid, NotFound), permission="cases.read",
    example={"state": "open"},
)  # fmt: skip
CASE_CREATED = Event(OWNER, "case.created.v1", CaseEvent, example={**CASE_EVENT_EXAMPLE, "default_form_ids": [A_CASE]})
CASE_CHANGED = Event(
    OWNER,
    "case.changed.v1",
    CaseEvent,
    example={**CASE_EVENT_EXAMPLE, "changed": ["status"], "previous_status": "Intake"},
)
