"""Clients that were merged: their links are the survivor's, and go back with an undo."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import and_, or_

from chassis.database import Database
from chassis.envelope import ReceivedEvent
from chassis.redirects import Following, Redirect, Rows
from services.portal.ending import end
from services.portal.models import ClientMerge, ClientMergeMove, Link

following = Following(ClientMerge, ClientMergeMove, [Rows("link", Link, Link.client_id, {"version": Link.version + 1})])


def follow_merges(db: Database, events: Sequence[ReceivedEvent]) -> None:
    """`clients.merged.v1`: who holds a link of the merged client sees what the survivor may see."""
    with db.unit_of_work(once=events) as uow:
        following.follow(uow, map(_redirect, uow.fresh))


def follow_undone_merges(db: Database, now: dt.datetime, events: Sequence[ReceivedEvent]) -> None:
    """`clients.unmerged.v1`: the links are the merged client's again. Those that the survivor was sent meanwhile may
    have gone to the other one's address, and open nothing any more."""
    with db.unit_of_work(once=events) as uow:
        following.part(uow, map(_redirect, uow.fresh))
        in_doubt = [
            and_(
                Link.client_id == event.data["surviving_id"],
                Link.created_at > event.data["merged_at"],
                Link.created_at <= event.data["at"],
            )
            for event in uow.fresh
        ]
        end(uow, now, or_(*in_doubt), "address_changed")


def _redirect(event: ReceivedEvent) -> Redirect:
    return Redirect(event.data["merge_id"], event.data["merged_id"], event.data["surviving_id"])
