"""What of a client is sealed at rest, and with which key. A value is bound to its table, column, firm and row.

- the date of birth: also a blind index of the day, by which duplicates are found, and one of month and day
- government ids: also a blind index of each number
- custom fields that the firm marks sensitive: in `custom_fields` as {"sealed": text}
- confidential notes

Privacy destroys a client's key (`destroy_keys`): what is left of these can be read by nobody, and reads as null.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import delete
from sqlalchemy.orm import Session

from chassis.database import UnitOfWork
from chassis.sealing import OwnerKeys, Sealing
from chassis.words import bare_number
from services.clients.models import ClientKey, FirmKey

SEALING = Sealing(FirmKey, ClientKey, "client_id")


def birth_key(session: Session, day: dt.date) -> str | None:
    """By what clients born on a day are found (`Client.birth_key`); None if the firm has sealed nothing yet."""
    return SEALING.blind(session, "date_of_birth", day.isoformat())


def birth_keys(keys: OwnerKeys, day: dt.date) -> dict[str, str]:
    """The blind indexes of a date of birth, as columns of `Client`."""
    return {
        "birth_key": keys.blind("date_of_birth", day.isoformat()),
        "birthday_key": keys.blind("birthday", f"{day:%m-%d}"),
    }


def government_id_key(session: Session, number: str) -> str | None:
    """By what clients with a government id are found (`ClientGovernmentId.key`); else None."""
    return SEALING.blind(session, "government_id", bare_number(number))


def government_id_keys(keys: OwnerKeys, ids: Sequence[Mapping[str, Any]]) -> list[str]:
    """The blind indexes of government ids, each once."""
    return list(dict.fromkeys(keys.blind("government_id", bare_number(entry["number"])) for entry in ids))


def destroy_keys(uow: UnitOfWork, client_ids: Collection[str]) -> None:
    """Nobody can read from now on what is sealed of these clients."""
    uow.session.execute(delete(ClientKey).where(ClientKey.client_id.in_(client_ids)))
