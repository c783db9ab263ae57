"""Notices about work that other services ask for: a task is overdue, an automation wants somebody to know."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from chassis.database import Database
from chassis.envelope import ReceivedEvent
from services.messaging.dispatching.doorbell import ring
from services.messaging.notices import News, readers_of, tell
from services.messaging.texts import work_notice_title


def tell_staff(db: Database, calls: Any, events: Sequence[ReceivedEvent], now: dt.datetime) -> None:
    """Tells staff what these events of one firm ask for, in the firm's language. Who does not work there any more is
    not told. Raises Unavailable."""
    firm = calls.accounts.get_firm.start()
    named = {staff_id for event in events for staff_id in event.data["staff_ids"]}
    readers = {reader.staff_id: reader for reader in readers_of(calls, named)}
    language = firm.result().get("locale") or "en"
    with db.unit_of_work(once=events) as uow:
        for event in uow.fresh:
            data = event.data
            title = work_notice_title(data["kind"], language, data["title"])
            told = [readers[staff_id] for staff_id in dict.fromkeys(data["staff_ids"]) if staff_id in readers]
            tell(uow, told, News(data["kind"], title, data["about"], data["once"]), now)
        uow.after_commit(lambda: ring(db.url))
