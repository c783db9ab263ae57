"""The way of an erasure: clients announces it, every service that holds something of the person forgets it and says so.

Nothing here holds personal data: ids, words of ours and figures.
"""

from __future__ import annotations

from marshmallow import Schema, fields

from contracts.base import Choice, Count, Id, ids

OUTCOMES = ("done", "held", "failed")

AN_ERASURE = "018f4e9a-0000-7000-8000-0000000000e1"
AN_ERASED_CLIENT = "018f4e9a-0000-7000-8000-000000000010"


class ClientErased(Schema):
    """`client_ids`: every id that the person was ever known by, `client_id` first: it and those that were merged into
    it. Sent again, under another event id, to who has not reported; what is forgotten already stays so."""

    client_id = Id(required=True)
    erasure_id = Id(required=True)
    version = Count(required=True)
    client_ids = ids(1000, smallest=1, required=True)


class ErasureReported(Schema):
    """What one service did about it. `held`: something of it has to wait, such as a message that is being sent right
    now; the service is asked again. `counts`: what was forgotten, by its kind."""

    erasure_id = Id(required=True)
    client_id = Id(required=True)
    service = fields.String(required=True)
    outcome = Choice(*OUTCOMES, required=True)
    counts = fields.Dict(keys=fields.String(), values=Count(), required=True)


def a_report(service: str) -> dict[str, object]:
    """An example of a service's report."""
    return {
        "erasure_id": AN_ERASURE, "client_id": AN_ERASED_CLIENT, "service": service, "outcome": "done",
        "counts": {"links": 1},
    }  # fmt: skip
