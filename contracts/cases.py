"""cases: case types, cases, the filter language, case lists, and the selectors that every bulk action takes."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from contracts import saved_filters
from contracts.base import (
    Choice,
    Count,
    Empty,
    Event,
    Flag,
    Id,
    Instant,
    Operation,
    PageMeta,
    PageRequest,
    Stamped,
    Text,
    ids,
    page_of,
)
from contracts.clients import ClientIds, CreateClient
from contracts.custom_fields import FIELD_TYPES as FIELD_TYPES
from contracts.custom_fields import CustomField
from contracts.erasing import ErasureReported, a_report
from contracts.errors import Conflict, Invalid, NotFound, Unavailable
from contracts.exporting import export_operation
from contracts.mapping import FieldUpdateRejected

OWNER = "cases"


class Status(Schema):
    name = Text(longest=60, shortest=1, required=True)
    closed = Flag(load_default=False)


class CaseTypeFields(Schema):
    name = Text(longest=120, shortest=1)
    statuses = fields.List(fields.Nested(Status), validate=validate.Length(min=1, max=50))
    custom_fields = fields.List(fields.Nested(CustomField), validate=validate.Length(max=100))


class CaseType(CaseTypeFields, Stamped):
    pass


class CreateCaseType(CaseTypeFields):
    name = Text(longest=120, shortest=1, required=True)
    statuses = fields.List(fields.Nested(Status), required=True, validate=validate.Length(min=1, max=50))


class CaseTypeId(Schema):
    case_type_id = Id(required=True)


class UpdateCaseType(CaseTypeId):
    changes = fields.Nested(CaseTypeFields, required=True)
    expected_version = fields.Integer(load_default=None, allow_none=True)


class CaseClient(Schema):
    client_id = Id(required=True)
    role = Choice("primary", "additional")
    label = Text(longest=60, allow_none=True)


class CaseFields(Schema):
    number = Text(longest=60, shortest=1)
    name = Text(longest=200, shortest=1)
    status = Text(longest=60, shortest=1)
    description = Text(longest=20000, allow_none=True)
    responsible_staff_id = Id(allow_none=True)
    staff_ids = ids(50)
    clients = fields.List(fields.Nested(CaseClient), validate=validate.Length(min=1, max=100))
    custom_fields = fields.Dict(keys=Text(longest=60), values=fields.Raw(allow_none=True))
    source = Text(longest=120, allow_none=True)
    value = fields.Decimal(places=2, as_string=True, allow_none=True)
    external_source = Text(longest=60, allow_none=True)
    external_source_id = Text(longest=120, allow_none=True)


class Case(CaseFields, Stamped):
    """`state` follows from whether the status is a closed one. `pending`: its new client is still being created."""

    case_type_id = Id()
    state = Choice("open", "closed", "pending")
    archived_at = Instant(allow_none=True)


class CreateCase(CaseFields):
    """`number` is given by the firm's series when left out; `status` is the type's first. Exactly one of `clients`
    and `new_client`."""

    case_type_id = Id(required=True)
    name = Text(longest=200, shortest=1, required=True)
    new_client = fields.Nested(CreateClient(exclude=("client_id",)), load_default=None, allow_none=True)


class CaseId(Schema):
    case_id = Id(required=True)


class UpdateCase(CaseId):
    changes = fields.Nested(CaseFields, required=True)
    expected_version = fields.Integer(load_default=None, allow_none=True)


class ListCases(PageRequest):
    """`filter` in the filter language. `sort`: name, number, created_at, updated_at."""

    q = Text(longest=200, load_default=None, allow_none=True)
    state = Choice("open", "closed", load_default=None, allow_none=True)
    case_type_id = Id(load_default=None, allow_none=True)
    client_id = Id(load_default=None, allow_none=True)
    filter = fields.Dict(load_default=None, allow_none=True)


class CaseListFields(Schema):
    """Static by `include_ids`, dynamic by `filter`, or both, with `exclude_ids` taken away."""

    name = Text(longest=120, shortest=1)
    description = Text(longest=2000, allow_none=True)
    filter = fields.Dict(allow_none=True)
    include_ids = ids(10000)
    exclude_ids = ids(10000)


class CaseList(CaseListFields, Stamped):
    """`case_count` null: the filter names a field that has been taken away since, and selects nothing any more."""

    case_count = Count(allow_none=True)


class CreateCaseList(CaseListFields):
    name = Text(longest=120, shortest=1, required=True)


class CaseListId(Schema):
    case_list_id = Id(required=True)


class UpdateCaseList(CaseListId):
    changes = fields.Nested(CaseListFields, required=True)
    expected_version = fields.Integer(load_default=None, allow_none=True)


class Selector(Schema):
    """Which cases. The union of the first three; `include_case_ids` then limits it (alone, it is the set);
    `exclude_case_ids` is taken away last. Empty, only excluding, or with an empty list: refused, never "all"."""

    case_ids = ids(10000)
    case_filter = fields.Dict()
    case_list_ids = ids(200)
    include_case_ids = ids(10000)
    exclude_case_ids = ids(10000)


class ClientCase(Schema):
    """`client_ids`: those of the asked ones that are on the case. `alone`: nobody but them and erased clients is.
    `open`: neither closed nor archived."""

    case_id = Id()
    open = fields.Boolean()
    client_ids = fields.List(Id())
    alone = fields.Boolean()


class SummarizeClientCases(Schema):
    client_id = Id(required=True)
    limit = fields.Integer(strict=True, load_default=20, validate=validate.Range(min=1, max=100))


class ClientCasesSummary(Schema):
    """How many of a client's cases are open and closed, archived ones left out, what they are worth together, and those
    that were changed last."""

    open = Count()
    closed = Count()
    total_value = fields.Decimal(as_string=True)
    cases = fields.List(fields.Nested(Case))


class ClientCases(Schema):
    """Every case that one of the clients is on, once; archived ones too."""

    cases = fields.List(fields.Nested(ClientCase))


class SelectCases(Schema):
    """Pages are in order of case id, and stable while cases change."""

    selector = fields.Nested(Selector, required=True)
    limit = fields.Integer(strict=True, load_default=1000, validate=validate.Range(min=1, max=5000))
    cursor = Text(longest=2000, load_default=None, allow_none=True)


class SelectedCase(Schema):
    """`client_ids`: the primary client first."""

    case_id = Id()
    case_type_id = Id()
    client_ids = fields.List(Id())


class SelectedCases(Schema):
    data = fields.List(fields.Nested(SelectedCase))
    meta = fields.Nested(PageMeta)


class CaseIds(Schema):
    case_ids = ids(1000, smallest=1, required=True)


class CaseFacts(Schema):
    """What tasks and messaging need of a case. `state`: open, closed, pending or archived. `client_ids`: the primary
    client first."""

    case_id = Id()
    case_type_id = Id()
    number = fields.String()
    name = fields.String()
    state = fields.String()
    responsible_staff_id = Id(allow_none=True)
    client_ids = fields.List(Id())
    custom_fields = fields.Dict()


class CaseFactsList(Schema):
    """Unknown ids are left out."""

    cases = fields.List(fields.Nested(CaseFacts))


class CheckMapping(Schema):
    """May an answer of this question kind be written to this custom field of these case types (null: any)?"""

    field = Text(longest=60, required=True)
    question_kind = Text(longest=30, required=True)


class CaseEvent(Schema):
    """`changed` names fields; `client_ids` with the primary first."""

    case_id = Id(required=True)
    version = Count(required=True)
    case_type_id = Id(required=True)
    status = fields.String(required=True)
    state = fields.String(required=True)
    client_ids = fields.List(Id(), required=True)
    changed = fields.List(fields.String(), required=True)


_ID = "018f4e9a-0000-7000-8000-000000000020"
_SELECT = {"selector": {"case_filter": {"field": "state", "op": "eq", "value": "open"}}}
_CASE_EVENT = {
    "case_id": _ID, "version": 1, "case_type_id": _ID, "status": "New", "state": "open", "client_ids": [_ID],
    "changed": [],
}  # fmt: skip

CREATE_CASE_TYPE = Operation(
    OWNER, "create_case_type", CreateCaseType, CaseType, (Invalid, Conflict), permission="case_types.write",
    example={"name": "Probate", "statuses": [{"name": "New"}, {"name": "Closed", "closed": True}]},
)  # fmt: skip
GET_CASE_TYPE = Operation(
    OWNER, "get_case_type", CaseTypeId, CaseType, (NotFound,), permission="cases.read", example={"case_type_id": _ID}
)
LIST_CASE_TYPES = Operation(
    OWNER, "list_case_types", PageRequest, page_of(CaseType), (Invalid,), permission="cases.read"
)
UPDATE_CASE_TYPE = Operation(
    OWNER, "update_case_type", UpdateCaseType, CaseType, (Invalid, NotFound, Conflict), permission="case_types.write",
    example={"case_type_id": _ID, "changes": {"name": "Estates"}},
)  # fmt: skip
CREATE_CASE = Operation(
    OWNER, "create_case", CreateCase, Case, (Invalid, NotFound, Conflict, Unavailable), deadline=10.0,
    permission="cases.write", example={"case_type_id": _ID, "name": "A case", "clients": [{"client_id": _ID}]},
)  # fmt: skip
GET_CASE = Operation(OWNER, "get_case", CaseId, Case, (NotFound,), permission="cases.read", example={"case_id": _ID})
UPDATE_CASE = Operation(
    OWNER, "update_case", UpdateCase, Case, (Invalid, NotFound, Conflict), permission="cases.write",
    example={"case_id": _ID, "changes": {"status": "Closed"}},
)  # fmt: skip
ARCHIVE_CASE = Operation(
    OWNER, "archive_case", CaseId, Case, (NotFound,), permission="cases.write", example={"case_id": _ID}
)
LIST_CASES = Operation(
    OWNER, "list_cases", ListCases, page_of(Case), (Invalid, NotFound), permission="cases.read",
    example={"state": "open"},
)  # fmt: skip
SELECT_CASES = Operation(
    OWNER, "select_cases", SelectCases, SelectedCases, (Invalid, NotFound), deadline=30.0, permission="cases.read",
    example=_SELECT,
)  # fmt: skip
GET_CASE_FACTS = Operation(OWNER, "get_case_facts", CaseIds, CaseFactsList, (Invalid,), example={"case_ids": [_ID]})
CHECK_MAPPING = Operation(
    OWNER, "check_mapping", CheckMapping, Empty, (Invalid,), example={"field": "court", "question_kind": "short_text"}
)
(
    CREATE_SAVED_FILTER,
    GET_SAVED_FILTER,
    LIST_SAVED_FILTERS,
    UPDATE_SAVED_FILTER,
    DELETE_SAVED_FILTER,
) = saved_filters.operations(OWNER, {"field": "state", "op": "eq", "value": "open"})
CREATE_CASE_LIST = Operation(
    OWNER, "create_case_list", CreateCaseList, CaseList, (Invalid, NotFound, Conflict), permission="cases.write",
    example={"name": "Hearing next week", "include_ids": [_ID]},
)  # fmt: skip
GET_CASE_LIST = Operation(
    OWNER, "get_case_list", CaseListId, CaseList, (NotFound,), permission="cases.read", example={"case_list_id": _ID}
)
LIST_CASE_LISTS = Operation(
    OWNER, "list_case_lists", PageRequest, page_of(CaseList), (Invalid,), permission="cases.read"
)
UPDATE_CASE_LIST = Operation(
    OWNER, "update_case_list", UpdateCaseList, CaseList, (Invalid, NotFound, Conflict), permission="cases.write",
    example={"case_list_id": _ID, "changes": {"name": "Hearings"}},
)  # fmt: skip
DELETE_CASE_LIST = Operation(
    OWNER, "delete_case_list", CaseListId, Empty, (NotFound,), permission="cases.write", example={"case_list_id": _ID}
)

SUMMARIZE_CLIENT_CASES = Operation(
    OWNER, "summarize_client_cases", SummarizeClientCases, ClientCasesSummary, (Invalid,), permission="cases.read",
    example={"client_id": _ID},
)  # fmt: skip
GET_CLIENT_CASES = Operation(
    OWNER, "get_client_cases", ClientIds, ClientCases, (Invalid,), deadline=10.0, example={"client_ids": [_ID]}
)
CASE_CREATED = Event(OWNER, "case.created.v1", CaseEvent, example=_CASE_EVENT)
CASE_CHANGED = Event(OWNER, "case.changed.v1", CaseEvent, example={**_CASE_EVENT, "changed": ["status"]})
FIELD_UPDATE_REJECTED = Event(
    OWNER, "field_update.rejected.v1", FieldUpdateRejected,
    example={"case_task_id": _ID, "target": "case", "field": "court", "code": "not_an_option", "answer_version": 1},
)  # fmt: skip
EXPORT_CLIENT_DATA = export_operation(OWNER)
ERASURE_REPORTED = Event(OWNER, "erasure.reported.v1", ErasureReported, example=a_report(OWNER))
