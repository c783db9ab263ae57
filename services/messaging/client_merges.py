"""Clients that were merged: what was written to the one, and is about to be, is the survivor's, and goes back with an
undo. What waits is prepared again, so that it reaches the survivor once, at its address and by its consent."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import exists, select, update
from sqlalchemy.orm import aliased

from chassis.database import Database
from chassis.envelope import ReceivedEvent
from chassis.redirects import Following, Moved, Redirect, Rows
from chassis.unit_of_work import UnitOfWork
from chassis.value_sets import among
from services.messaging.deliveries import move, prepare_anew
from services.messaging.dispatching.doorbell import ring
from services.messaging.merges import merged_consent
from services.messaging.merges.merged_conversations import Conversations, Inbound, Sharing
from services.messaging.models import NOTIFIED, WAITING, ClientMerge, ClientMergeMove, Delivery, LogEntry

_WITHOUT_SYNC = {"synchronize_session": False}
UNTIL_HEARD = dt.timedelta(seconds=1)
"""How long a message waits for the event of a merge of which `clients` itself tells already."""


def follow_merges(db: Database, events: Sequence[ReceivedEvent], now: dt.datetime) -> None:
    """`clients.merged.v1`"""
    with db.unit_of_work(once=events) as uow:
        for event in uow.fresh:
            done = _following(now).follow(uow, [_redirect(event)])
            merged_consent.join(uow, done, event.data["at"], now)
        uow.after_commit(lambda: ring(db.url))


def follow_undone_merges(db: Database, events: Sequence[ReceivedEvent], now: dt.datetime) -> None:
    """`clients.unmerged.v1`"""
    with db.unit_of_work(once=events) as uow:
        for event in uow.fresh:
            _following(now).part(uow, [_redirect(event)])
            # Whether the merge was heard of or not: clients asked for its consents to be joined before it.
            merged_consent.part(uow, _redirect(event), now)
        uow.after_commit(lambda: ring(db.url))


def _redirect(event: ReceivedEvent) -> Redirect:
    return Redirect(event.data["merge_id"], event.data["merged_id"], event.data["surviving_id"])


def _following(now: dt.datetime) -> Following:
    stamped = {"version": LogEntry.version + 1, "updated_at": now}
    log = Rows("log_entry", LogEntry, LogEntry.client_id, stamped)
    return Following(ClientMerge, ClientMergeMove, [_Deliveries(now), log, Inbound(now), Sharing(), Conversations(now)])


def catch_up(db: Database, waiting: Mapping[str, str], now: dt.datetime) -> None:
    """What is to be prepared for clients of whom `clients` says that they were merged: {delivery: client}. It follows
    like the rest; where the merge itself has not been heard of yet, it waits for that."""
    heard = select(ClientMerge).where(ClientMerge.ended.is_(False)).order_by(ClientMerge.cause_id)
    with db.unit_of_work() as uow:
        heard = heard.where(among(uow.session, ClientMerge.old_id, sorted(set(waiting.values()))))
        redirects = [Redirect(row.cause_id, row.old_id, row.new_id) for row in uow.session.scalars(heard)]
        _following(now).follow(uow, redirects)
        followed = {redirect.old_id for redirect in redirects}
        for due_at, ids in (
            (now, [id_ for id_, client_id in waiting.items() if client_id in followed]),
            (now + UNTIL_HEARD, [id_ for id_, client_id in waiting.items() if client_id not in followed]),
        ):
            if ids:
                theirs = [among(uow.session, Delivery.id, ids), Delivery.state == "accepted"]
                move(uow, "accepted", now, where=theirs, due_at=due_at)


class _Deliveries:
    """Messages to the client. Of two of one batch about the same, the merged client's is a subject of its own from then
    on, for a client has one; `facts` then hold the `subject_id` it had."""

    name = "delivery"

    def __init__(self, now: dt.datetime) -> None:
        self._now = now

    def take(self, uow: UnitOfWork, redirect: Redirect) -> Moved:
        # What is queued was prepared for somebody else's address.
        prepare_anew(uow, self._now, Delivery.client_id == redirect.old_id)
        moved: dict[str, dict[str, Any] | None] = dict(self._apart(uow, redirect))
        for id_ in self._set(uow, redirect.new_id, Delivery.client_id == redirect.old_id):
            moved.setdefault(id_, None)
        return moved

    def give_back(self, uow: UnitOfWork, moved: Moved, redirect: Redirect) -> Collection[str]:
        mine = among(uow.session, Delivery.id, moved)
        prepare_anew(uow, self._now, mine, Delivery.client_id == redirect.new_id)
        returned = set(self._set(uow, redirect.old_id, mine, Delivery.client_id == redirect.new_id))
        subjects: dict[str, list[str]] = {}
        for id_, facts in moved.items():
            if facts and id_ in returned:
                subjects.setdefault(facts["subject_id"], []).append(id_)
        for subject_id, ids in sorted(subjects.items()):
            again = update(Delivery).where(Delivery.id.in_(ids)).values(subject_id=subject_id)
            uow.session.execute(again, execution_options=_WITHOUT_SYNC)
        return moved.keys()

    def _apart(self, uow: UnitOfWork, redirect: Redirect) -> dict[str, dict[str, Any]]:
        twin = aliased(Delivery)
        same = (
            twin.batch_id == Delivery.batch_id,
            twin.subject_id == Delivery.subject_id,
            twin.channel == Delivery.channel,
            twin.client_id == redirect.new_id,
        )
        written = exists(select(1).where(*same, twin.state.in_((*WAITING, *NOTIFIED))).correlate(Delivery))
        statement = select(Delivery.id, Delivery.subject_id, Delivery.kind, Delivery.state, written).where(
            Delivery.client_id == redirect.old_id,
            Delivery.batch_id.is_not(None),
            exists(select(1).where(*same).correlate(Delivery)),
        )
        rows = uow.session.execute(statement).all()
        if not rows:
            return {}
        # A notification is recognised by its case task when it is prepared; a batch's message by its subject, which it
        # has no more.
        repeated = [row.id for row in rows if row.kind == "message" and row.state in WAITING and row[4]]
        if repeated:
            move(uow, "suppressed", self._now, where=[among(uow.session, Delivery.id, repeated)], reason="duplicate")
        own = update(Delivery).where(among(uow.session, Delivery.id, [row.id for row in rows]))
        uow.session.execute(own.values(subject_id=Delivery.id), execution_options=_WITHOUT_SYNC)
        return {row.id: {"subject_id": row.subject_id} for row in rows}

    def _set(self, uow: UnitOfWork, client_id: str, *where: Any) -> list[str]:
        values = {"client_id": client_id, "version": Delivery.version + 1, "updated_at": self._now}
        statement = update(Delivery).where(*where).values(values).returning(Delivery.id)
        return list(uow.session.scalars(statement, execution_options=_WITHOUT_SYNC))
