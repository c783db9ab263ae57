"""What several modules of the contract of cases name."""

from __future__ import annotations

from marshmallow import Schema

from contracts.base import Id

OWNER = "cases"


class CaseId(Schema):
    case_id = Id(required=True)


A_CASE = "018f4e9a-0000-7000-8000-000000000020"
