"""What is known already of what a client is asked, for the fields of the client's page."""

from __future__ import annotations

from marshmallow import Schema, fields

from contracts.base import Id, Operation
from contracts.errors import Invalid
from contracts.tasks.common import AN_ID, OWNER, CaseTaskIds


class GetKnownAnswers(CaseTaskIds):
    """`client_id`: whose page it is."""

    client_id = Id(required=True)


class KnownAnswer(Schema):
    """What the field of a case task begins with. It is no answer: nobody has given it. `value` is of the shape that an
    answer to the question has."""

    case_task_id = Id()
    value = fields.Raw()


class KnownAnswers(Schema):
    """Of the tasks that are asked with `prefill`, are open, and have neither answer nor draft: those of which something
    is known that fits the question."""

    answers = fields.List(fields.Nested(KnownAnswer))


GET_KNOWN_ANSWERS = Operation(
    OWNER, "get_known_answers", GetKnownAnswers, KnownAnswers, (Invalid,), deadline=3.0,
    example={"case_task_ids": [AN_ID], "client_id": AN_ID},
    answer={"answers": [{"case_task_id": AN_ID, "value": "+12125550123"}]},
)  # fmt: skip
