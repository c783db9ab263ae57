"""What goes along when a client is merged, besides its record: each kind of row that belongs to a client.

The merged client's own rows stay where they are, for it is archived and in no list; the survivor gets its like, and an
undo takes away what it got. A group or a contact that was taken away from the survivor since comes back to neither.
Notes, and what was accepted of the privacy policy, move and come back. Activity stays: a client's activity is read with
that of those merged into it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Protocol

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from chassis.database import UnitOfWork
from chassis.value_sets import among
from contracts.errors import invalid_field
from services.clients import contact_ties
from services.clients.checking import Record
from services.clients.models import ClientCompany, ClientGroupMember, ClientMerge, Contact, ContactTie, MergeMove
from services.clients.notes import NotesMover
from services.clients.policy_consents import PolicyConsentsMover

_WITHOUT_SYNC = {"synchronize_session": False}


class Mover(Protocol):
    """One kind of row."""

    kind: str

    def of(self, session: Session, client_id: str) -> set[str]:
        """The ids of what a client has: groups, contacts, …"""

    def missing(self, session: Session, surviving_id: str, merged_id: str) -> list[str]:
        """The ids of what the survivor would get."""

    def add(self, uow: UnitOfWork, surviving_id: str, merged_id: str, row_ids: Sequence[str], now: dt.datetime) -> None:
        """Gives it to the survivor."""

    def take_away(
        self, uow: UnitOfWork, surviving_id: str, merged_id: str, row_ids: Sequence[str], now: dt.datetime
    ) -> None:
        """Takes it away again, as far as it is there; what was the merged client's alone goes back to it."""


class _Groups:
    kind = "groups"

    def of(self, session: Session, client_id: str) -> set[str]:
        return set(session.scalars(select(ClientGroupMember.group_id).where(ClientGroupMember.client_id == client_id)))

    def missing(self, session: Session, surviving_id: str, merged_id: str) -> list[str]:
        return sorted(self.of(session, merged_id) - self.of(session, surviving_id))

    def add(self, uow: UnitOfWork, surviving_id: str, merged_id: str, row_ids: Sequence[str], now: dt.datetime) -> None:
        rows = [{"group_id": group_id, "client_id": surviving_id} for group_id in row_ids]
        uow.insert(ClientGroupMember, rows, ignore_conflicts=True)

    def take_away(
        self, uow: UnitOfWork, surviving_id: str, merged_id: str, row_ids: Sequence[str], now: dt.datetime
    ) -> None:
        gone = delete(ClientGroupMember).where(
            ClientGroupMember.client_id == surviving_id, among(uow.session, ClientGroupMember.group_id, row_ids)
        )
        uow.session.execute(gone, execution_options=_WITHOUT_SYNC)


class _Contacts:
    kind = "contacts"

    def of(self, session: Session, client_id: str) -> set[str]:
        return set(session.scalars(select(ContactTie.contact_id).where(ContactTie.client_id == client_id)))

    def missing(self, session: Session, surviving_id: str, merged_id: str) -> list[str]:
        return sorted(self.of(session, merged_id) - self.of(session, surviving_id))

    def add(self, uow: UnitOfWork, surviving_id: str, merged_id: str, row_ids: Sequence[str], now: dt.datetime) -> None:
        statement = (
            select(Contact, ContactTie.notify)
            .join(ContactTie, ContactTie.contact_id == Contact.id)
            .where(ContactTie.client_id == merged_id, among(uow.session, Contact.id, row_ids))
        )
        # In the order in which they were tied: it is the order of those who hear of the business's cases.
        for contact, notify in uow.session.execute(statement.order_by(ContactTie.created_at, Contact.id)).all():
            contact_ties.tie(uow, contact, [surviving_id], notify=notify, now=now)

    def take_away(
        self, uow: UnitOfWork, surviving_id: str, merged_id: str, row_ids: Sequence[str], now: dt.datetime
    ) -> None:
        for contact_id in row_ids:
            contact_ties.end_tie(uow, surviving_id, contact_id, now)


class _Company:
    kind = "company"

    def of(self, session: Session, client_id: str) -> set[str]:
        return set(session.scalars(select(ClientCompany.company_id).where(ClientCompany.client_id == client_id)))

    def missing(self, session: Session, surviving_id: str, merged_id: str) -> list[str]:
        return [] if self.of(session, surviving_id) else sorted(self.of(session, merged_id))

    def add(self, uow: UnitOfWork, surviving_id: str, merged_id: str, row_ids: Sequence[str], now: dt.datetime) -> None:
        rows = [{"client_id": surviving_id, "company_id": company_id} for company_id in row_ids]
        uow.insert(ClientCompany, rows, ignore_conflicts=True)

    def take_away(
        self, uow: UnitOfWork, surviving_id: str, merged_id: str, row_ids: Sequence[str], now: dt.datetime
    ) -> None:
        gone = delete(ClientCompany).where(
            ClientCompany.client_id == surviving_id, ClientCompany.company_id.in_(list(row_ids))
        )
        uow.session.execute(gone, execution_options=_WITHOUT_SYNC)


MOVERS: Sequence[Mover] = (_Groups(), _Contacts(), _Company(), NotesMover(), PolicyConsentsMover())


def count(session: Session, surviving_id: str, merged_id: str) -> dict[str, int]:
    """{kind: how many the survivor would get}"""
    return {mover.kind: len(mover.missing(session, surviving_id, merged_id)) for mover in MOVERS}


def join(uow: UnitOfWork, merge_id: str, surviving_id: str, merged_id: str, now: dt.datetime) -> dict[str, int]:
    """{kind: how many the survivor got}. Both clients are held."""
    counts: dict[str, int] = {}
    for mover in MOVERS:
        row_ids = mover.missing(uow.session, surviving_id, merged_id)
        counts[mover.kind] = len(row_ids)
        if row_ids:
            mover.add(uow, surviving_id, merged_id, row_ids, now)
            uow.insert(MergeMove, [{"merge_id": merge_id, "kind": mover.kind, "row_id": row_id} for row_id in row_ids])
    return counts


def part(uow: UnitOfWork, merge_id: str, surviving_id: str, merged_id: str, now: dt.datetime) -> None:
    """Takes away from the survivor what it got by this merge, but for what another that is still merged into it has,
    too: that is as if it had come by the other's merge."""
    got: dict[str, list[str]] = {}
    statement = select(MergeMove.kind, MergeMove.row_id).where(MergeMove.merge_id == merge_id)
    for kind, row_id in uow.session.execute(statement.order_by(MergeMove.row_id)):
        got.setdefault(kind, []).append(row_id)
    _follow_since(uow, surviving_id, merged_id, got.get(_Contacts.kind, ()), now)
    others = select(ClientMerge.id, ClientMerge.merged_id).where(
        ClientMerge.surviving_id == surviving_id, ClientMerge.undone_at.is_(None)
    )
    for other_id, other in uow.session.execute(others.order_by(ClientMerge.at, ClientMerge.id)).all():
        for mover in MOVERS:
            stay = mover.of(uow.session, other).intersection(got.get(mover.kind, ()))
            rows = [{"merge_id": other_id, "kind": mover.kind, "row_id": row_id} for row_id in sorted(stay)]
            uow.insert(MergeMove, rows, ignore_conflicts=True)
            got[mover.kind] = [row_id for row_id in got.get(mover.kind, ()) if row_id not in stay]
    for mover in MOVERS:
        if row_ids := got.get(mover.kind):
            mover.take_away(uow, surviving_id, merged_id, row_ids, now)
    noted = delete(MergeMove).where(MergeMove.merge_id == merge_id)
    uow.session.execute(noted, execution_options=_WITHOUT_SYNC)


def _follow_since(
    uow: UnitOfWork, surviving_id: str, merged_id: str, contact_ids: Sequence[str], now: dt.datetime
) -> None:
    """What was taken away from the survivor since the merge is not the merged one's again, and which of its contacts
    hear of its cases stays as it was said since: nobody may get back into the portal, or be written to, by an undo."""
    for mover in (_Groups(), _Contacts()):
        ended = mover.of(uow.session, merged_id) - mover.of(uow.session, surviving_id)
        if ended:
            mover.take_away(uow, merged_id, surviving_id, sorted(ended), now)
    contact_ties.copy_notify(uow, surviving_id, merged_id, contact_ids)


def refuse_lost_business(session: Session, after: Record, merged_id: str) -> None:
    """Raises Invalid naming `keep.kind` where only a business can have what both have together."""
    if after["kind"] == "business":
        return
    ids = (after["id"], merged_id)
    linked = select(ClientCompany.client_id).where(ClientCompany.client_id.in_(ids)).limit(1)
    if any(contact_ties.has_contacts(session, id_) for id_ in ids) or session.scalar(linked) is not None:
        raise invalid_field("keep.kind", "Contacts and an entry of the directory need a business.", "needs_a_business")
