"""What becomes of a client that a firm no longer keeps: archived for 30 days, held for a legal reason, erased."""

from __future__ import annotations

from marshmallow import Schema, fields

from contracts.base import (
    Choice,
    Count,
    Event,
    Flag,
    Id,
    Instant,
    Operation,
    PageRequest,
    Progress,
    Stamped,
    Text,
    page_of,
)
from contracts.clients.common import A_CLIENT, FACTS, OWNER, ClientId
from contracts.clients.records import Client, ClientEvent
from contracts.erasing import AN_ERASURE, OUTCOMES, ClientErased
from contracts.errors import Conflict, Gone, Invalid, NotFound
from contracts.exporting import export_operation

ARCHIVED_DAYS = 30
"""How long a deleted client can be taken back."""
ERASING_SERVICES = ("clients", "cases", "tasks", "messaging", "portal")
"""Those that hold something of a client, and report that they have forgotten it."""


class ArchivedClient(Schema):
    """`erase_at`: when it is erased, if nothing holds it by then."""

    id = Id()
    display_name = fields.String(allow_none=True)
    archived_at = Instant()
    erase_at = Instant()
    held = Flag()


class LegalHold(Stamped):
    """Why a client may not be erased. In force while `released_at` is null."""

    client_id = Id()
    reason = fields.String()
    placed_by = Id(allow_none=True)
    released_at = Instant(allow_none=True)
    released_by = Id(allow_none=True)


class PlaceLegalHold(ClientId):
    reason = Text(longest=500, shortest=1, required=True)


class ReleaseLegalHold(ClientId):
    legal_hold_id = Id(required=True)


class ListLegalHolds(ClientId, PageRequest):
    """`sort`: created_at."""


class ErasureId(Schema):
    erasure_id = Id(required=True)


class ServiceReport(Schema):
    """What one service said. `waiting`: nothing yet; it is asked again until it does."""

    service = fields.String()
    outcome = Choice("waiting", *OUTCOMES)
    counts = fields.Dict(keys=fields.String(), values=Count())
    reported_at = Instant(allow_none=True)


class Erasure(Stamped):
    """The erasing of one client. `state` is `begun` until the record is gone, `running` until every service has
    reported that it has forgotten the person, then `done`. `cause`: `asked` by somebody, `archived` for its 30 days,
    or `restored`: a backup had brought the person back. `times_asked`: how often the services were told."""

    client_id = Id()
    state = Choice("begun", "running", "done")
    cause = Choice("asked", "archived", "restored")
    asked_by = Id(allow_none=True)
    erased_at = Instant(allow_none=True)
    finished_at = Instant(allow_none=True)
    times_asked = Count()
    progress = fields.Nested(Progress)
    services = fields.List(fields.Nested(ServiceReport))


class ListErasures(PageRequest):
    """`sort`: created_at."""

    state = Choice("begun", "running", "done", load_default=None, allow_none=True)


class ErasureRequested(Schema):
    """clients' own: the erasing goes on outside the request that asked for it."""

    erasure_id = Id(required=True)


class LegalHoldEvent(Schema):
    legal_hold_id = Id(required=True)
    client_id = Id(required=True)


RESTORE_CLIENT = Operation(
    OWNER, "restore_client", ClientId, Client, (NotFound, Conflict, Gone), permission="clients.delete",
    example={"client_id": A_CLIENT},
)  # fmt: skip
LIST_ARCHIVED_CLIENTS = Operation(
    OWNER, "list_archived_clients", PageRequest, page_of(ArchivedClient), (Invalid,), permission="clients.delete"
)
PLACE_LEGAL_HOLD = Operation(
    OWNER, "place_legal_hold", PlaceLegalHold, LegalHold, (Invalid, NotFound, Conflict, Gone),
    permission="clients.hold", example={"client_id": A_CLIENT, "reason": "The court asked to keep everything."},
)  # fmt: skip
RELEASE_LEGAL_HOLD = Operation(
    OWNER, "release_legal_hold", ReleaseLegalHold, LegalHold, (NotFound, Gone), permission="clients.hold",
    example={"client_id": A_CLIENT, "legal_hold_id": A_CLIENT},
)  # fmt: skip
LIST_LEGAL_HOLDS = Operation(
    OWNER, "list_legal_holds", ListLegalHolds, page_of(LegalHold), (Invalid, NotFound, Gone),
    permission="clients.read", example={"client_id": A_CLIENT},
)  # fmt: skip
ERASE_CLIENT = Operation(
    OWNER, "erase_client", ClientId, Erasure, (NotFound, Conflict, Gone), permission="clients.erase",
    example={"client_id": A_CLIENT},
)  # fmt: skip
GET_ERASURE = Operation(
    OWNER, "get_erasure", ErasureId, Erasure, (NotFound,), permission="clients.erase",
    example={"erasure_id": AN_ERASURE},
)  # fmt: skip
LIST_ERASURES = Operation(
    OWNER, "list_erasures", ListErasures, page_of(Erasure), (Invalid,), permission="clients.erase"
)
EXPORT_CLIENT_DATA = export_operation(OWNER)
CLIENT_DATA_EXPORTED = Event(OWNER, "client.data_exported.v1", ClientId, example={"client_id": A_CLIENT})
CLIENT_RESTORED = Event(OWNER, "client.restored.v1", ClientEvent, example={**FACTS, "changed": []})
CLIENT_ERASED = Event(
    OWNER, "client.erased.v1", ClientErased,
    example={"client_id": A_CLIENT, "erasure_id": AN_ERASURE, "version": 4, "client_ids": [A_CLIENT]},
)  # fmt: skip
ERASURE_REQUESTED = Event(OWNER, "erasure.requested.v1", ErasureRequested, example={"erasure_id": AN_ERASURE})
LEGAL_HOLD_PLACED = Event(
    OWNER, "legal_hold.placed.v1", LegalHoldEvent, example={"legal_hold_id": A_CLIENT, "client_id": A_CLIENT}
)
LEGAL_HOLD_RELEASED = Event(
    OWNER, "legal_hold.released.v1", LegalHoldEvent, example={"legal_hold_id": A_CLIENT, "client_id": A_CLIENT}
)
