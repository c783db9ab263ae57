"""What other services need to know of cases."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from contracts.base import Amount, Count, Id, Operation, ids
from contracts.cases.common import A_CASE, OWNER
from contracts.cases.records import Case
from contracts.clients import ClientIds
from contracts.errors import Invalid


class ClientCase(Schema):
    """`client_ids`: those of the asked ones that are on the case. `alone`: nobody but them and erased clients is.
    `open`: neither closed nor archived."""

    case_id = Id()
    open = fields.Boolean()
    client_ids = fields.List(Id())
    alone = fields.Boolean()


OPEN_CASES = 1000
"""The most open cases of a client that a summary names."""


class SummarizeClientCases(Schema):
    client_id = Id(required=True)
    limit = fields.Integer(strict=True, load_default=20, validate=validate.Range(min=1, max=100))


class ClientCasesSummary(Schema):
    """How many of a client's cases are open and closed, archived ones left out, what they are worth together, and those
    that were changed last. `open_case_ids`: all that are in the state `open`, null if they are more than 1,000."""

    open = Count()
    closed = Count()
    total_value = Amount()
    open_case_ids = ids(OPEN_CASES, allow_none=True)
    cases = fields.List(fields.Nested(Case))


class ClientCases(Schema):
    """Every case that one of the clients is on, once; archived ones too."""

    cases = fields.List(fields.Nested(ClientCase))


class CaseIds(Schema):
    case_ids = ids(1000, smallest=1, required=True)


class CaseFacts(Schema):
    """What tasks and messaging need of a case. `state`: open, closed, pending or archived. `version`: as events of the
    case have it. `client_ids`: the primary client first. `staff_ids`: those besides the responsible one."""

    case_id = Id()
    case_type_id = Id()
    number = fields.String()
    name = fields.String()
    status = fields.String()
    state = fields.String()
    archived = fields.Boolean()
    version = Count()
    responsible_staff_id = Id(allow_none=True)
    staff_ids = fields.List(Id())
    client_ids = fields.List(Id())
    custom_fields = fields.Dict()


class CaseFactsList(Schema):
    """Unknown ids are left out."""

    cases = fields.List(fields.Nested(CaseFacts))


class AfterCase(Schema):
    """The last firm and case of the page before; null: the first page."""

    after_firm_id = Id(load_default=None, allow_none=True)
    after_case_id = Id(load_default=None, allow_none=True)
    limit = fields.Integer(strict=True, load_default=1000, validate=validate.Range(min=1, max=5000))


class TypeOfCase(Schema):
    """`version`: as events of the case have it."""

    firm_id = Id()
    case_id = Id()
    case_type_id = Id()
    version = Count()


class TypesOfCases(Schema):
    """Of all firms, archived cases too, by firm and case; fewer than `limit` are the last ones."""

    cases = fields.List(fields.Nested(TypeOfCase))


GET_CASE_FACTS = Operation(OWNER, "get_case_facts", CaseIds, CaseFactsList, (Invalid,), example={"case_ids": [A_CASE]})
LIST_TYPES_OF_CASES = Operation(
    OWNER, "list_types_of_cases", AfterCase, TypesOfCases, (Invalid,), deadline=10.0, firm=False, example={}
)
SUMMARIZE_CLIENT_CASES = Operation(
    OWNER, "summarize_client_cases", SummarizeClientCases, ClientCasesSummary, (Invalid,), permission="cases.read",
    repeatable=True, example={"client_id": A_CASE},
)  # fmt: skip
GET_CLIENT_CASES = Operation(
    OWNER, "get_client_cases", ClientIds, ClientCases, (Invalid,), deadline=10.0, example={"client_ids": [A_CASE]}
)
