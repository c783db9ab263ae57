"""The survivor's record on either side of a merge, as it is kept for an undo: sealed with the survivor's own key, so
that it is gone when the client is erased."""

from __future__ import annotations

import orjson
from sqlalchemy.orm import Session

from chassis.database import UnitOfWork
from chassis.wire import lenient, strict
from contracts import clients as contract
from services.clients.checking import Record
from services.clients.client_keys import SEALING
from services.clients.models import ClientMerge

_TABLE = ClientMerge.__tablename__
_SIDES = ("before", "after")


def wire(record: Record) -> Record:
    """A record as it goes over the wire."""
    dumped: Record = strict(contract.Client).dump(record)
    return dumped


def sealed(uow: UnitOfWork, merge_id: str, before: Record, after: Record) -> dict[str, str]:
    """{"before", "after"} as columns of `ClientMerge`."""
    client_id = after["id"]
    keys = SEALING.keys_to_seal(uow, [client_id])
    texts = {"before": before, "after": after}
    return {
        side: keys.seal(client_id, orjson.dumps(wire(texts[side])).decode(), _TABLE, side, merge_id) for side in _SIDES
    }


def opened(session: Session, merge: ClientMerge) -> tuple[Record, Record] | None:
    """The records before and after; None where they can be read no more."""
    if merge.before is None or merge.after is None:
        return None
    keys = SEALING.keys_of(session, [merge.surviving_id])
    image = lenient(contract.Client)
    records: list[Record] = []
    for side in _SIDES:
        text = keys.unseal(merge.surviving_id, getattr(merge, side), _TABLE, side, merge.id)
        if text is None:
            return None
        records.append(dict(image.load(orjson.loads(text))))
    return records[0], records[1]
