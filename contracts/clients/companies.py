"""The directory of companies (title companies, lenders, …) that all firms share, and what they propose for it."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from contracts.base import Choice, Empty, Id, Instant, Operation, PageRequest, Stamped, Text, page_of
from contracts.clients.common import A_CLIENT, OWNER, ClientId
from contracts.clients.records import Address, Phone
from contracts.errors import Conflict, Gone, Invalid, NotFound

COMPANY_KINDS = (
    "title_company", "lender", "escrow", "real_estate", "insurer", "court", "government", "bank", "other",
)  # fmt: skip
_A_COMPANY = "018f4e9a-0000-7000-8000-000000000013"


class CompanyFields(Schema):
    name = Text(longest=200, shortest=1)
    kind = Choice(*COMPANY_KINDS)
    addresses = fields.List(fields.Nested(Address), validate=validate.Length(max=20))
    phones = fields.List(fields.Nested(Phone), validate=validate.Length(max=20))


class Company(CompanyFields, Stamped):
    """The same for every firm."""


class CompanyId(Schema):
    company_id = Id(required=True)


class ListCompanies(PageRequest):
    """`q`: words of the name. `sort`: name, created_at."""

    q = Text(longest=200, load_default=None, allow_none=True)
    kind = Choice(*COMPANY_KINDS, load_default=None, allow_none=True)


class ProposeCompany(CompanyFields):
    """A new entry, which needs a name and a kind; or with `company_id` a correction of one: only the fields that are
    wrong. Who proposed is told to nobody, and nothing of a proposal is seen by other firms unless it is accepted."""

    company_id = Id(load_default=None, allow_none=True)


class CompanyProposal(CompanyFields, Stamped):
    """`company_id`: the entry that is to be corrected; of a new one, the entry that it has become."""

    company_id = Id(allow_none=True)
    state = Choice("pending", "accepted", "rejected")
    decided_at = Instant(allow_none=True)


class CompanyProposalId(Schema):
    proposal_id = Id(required=True)


class ListCompanyProposals(PageRequest):
    """The firm's own, newest first."""

    state = Choice("pending", "accepted", "rejected", load_default=None, allow_none=True)


class LinkCompany(ClientId):
    company_id = Id(required=True)


LIST_COMPANIES = Operation(
    OWNER, "list_companies", ListCompanies, page_of(Company), (Invalid,), permission="clients.read",
    example={"q": "first title", "kind": "title_company"},
)  # fmt: skip
GET_COMPANY = Operation(
    OWNER, "get_company", CompanyId, Company, (NotFound,), permission="clients.read",
    example={"company_id": _A_COMPANY},
)  # fmt: skip
PROPOSE_COMPANY = Operation(
    OWNER, "propose_company", ProposeCompany, CompanyProposal, (Invalid, NotFound, Conflict),
    permission="clients.write", example={"name": "First Title", "kind": "title_company"},
)  # fmt: skip
GET_COMPANY_PROPOSAL = Operation(
    OWNER, "get_company_proposal", CompanyProposalId, CompanyProposal, (NotFound,), permission="clients.read",
    example={"proposal_id": _A_COMPANY},
)  # fmt: skip
LIST_COMPANY_PROPOSALS = Operation(
    OWNER, "list_company_proposals", ListCompanyProposals, page_of(CompanyProposal), (Invalid,),
    permission="clients.read",
)  # fmt: skip
GET_CLIENT_COMPANY = Operation(
    OWNER, "get_client_company", ClientId, Company, (NotFound, Gone), permission="clients.read",
    example={"client_id": A_CLIENT},
)  # fmt: skip
LINK_COMPANY = Operation(
    OWNER, "link_company", LinkCompany, Company, (Invalid, NotFound, Gone), permission="clients.write",
    example={"client_id": A_CLIENT, "company_id": _A_COMPANY},
)  # fmt: skip
UNLINK_COMPANY = Operation(
    OWNER, "unlink_company", ClientId, Empty, (NotFound, Gone), permission="clients.write",
    example={"client_id": A_CLIENT},
)  # fmt: skip
