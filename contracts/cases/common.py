"""What several modules of the contract of cases name."""

from __future__ import annotations

from marshmallow import Schema, fields

from contracts.base import Id, Instant, PageMeta

OWNER = "cases"


class CaseId(Schema):
    case_id = Id(required=True)


class ClientFactsFreshness(Schema):
    """How fresh what a filter knows of clients is. `as_of`: when the newest change that was heard of happened, of the
    clients or of their consents, whichever is older; `delay_seconds`: how long after it that was applied. Both null if
    nothing was heard yet. While nothing changes nothing is heard, so that an old `as_of` alone is not a stale one."""

    as_of = Instant(allow_none=True)
    delay_seconds = fields.Float(allow_none=True)


class CasePageMeta(PageMeta):
    """`client_facts` where the filter asks about clients."""

    client_facts = fields.Nested(ClientFactsFreshness)


A_CASE = "018f4e9a-0000-7000-8000-000000000020"
