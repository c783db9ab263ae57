"""Two who do something at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import eventlet
from sqlalchemy import text

from chassis.context import Context, use
from chassis.database import Database
from chassis.testing import eventually
from contracts import portal
from tests.service.messaging_desk import Desk


def until_held_up(db: Database, *threads: Any) -> None:
    """Returns when each of these green threads has ended, or waits for a row that another transaction of this database
    holds. On SQLite they get no further than their beginning while another transaction writes."""
    eventlet.sleep(0)
    if not db.engines.is_sqlite:
        eventually(lambda: sum(not thread.dead for thread in threads) <= _waiting(db), what="the others")


def _waiting(db: Database) -> int:
    waiting = text("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")
    with db.engines.read.connect() as connection:
        return int(connection.execute(waiting).scalar_one())


def race(desk: Desk, batch_id: str, opt_out: Callable[[str], Any]) -> tuple[set[str], set[str]]:
    """Sends a batch a few at a time, while every third client opts out just as theirs is about to be claimed. To whom
    it was sent, and whose no claim had begun when they had opted out: client ids."""
    waited: set[str] = set()
    leaving: list[Any] = []

    def leave(client_id: str) -> None:
        with use(Context(firm_id=desk.firm_id)):
            opt_out(client_id)
        (delivery,) = [row for row in desk.deliveries(batch_id) if row.client_id == client_id]
        if delivery.attempts == 0:
            waited.add(client_id)

    register = desk.calls.answers[portal.REGISTER_LINKS]

    def register_and_leave(links: list[dict[str, Any]]) -> Any:
        leaving.extend(eventlet.spawn(leave, link["client_id"]) for link in links[::3])
        return register(links)

    desk.calls.answers[portal.REGISTER_LINKS] = register_and_leave
    few = desk.dispatcher(concurrency=4)
    for _ in desk.people:
        desk.send(few)
        desk.clock.advance(seconds=1)
    for thread in leaving:
        thread.wait()
    return {row.client_id for row in desk.deliveries(batch_id) if row.state == "sent"}, waited
