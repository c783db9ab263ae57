"""What firms propose for the directory of companies, and the operator's decisions.

A proposal is its firm's own row: no other firm sees it, nor that there is one. Accepted, its content becomes part of
an entry, and nothing of the firm does.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from chassis.columns import new_id
from chassis.database import Database, UnitOfWork
from chassis.paging import page
from chassis.telemetry import log_of
from chassis.words import UnfitText, bare_words, clean_text
from contracts.errors import Conflict, Invalid, NotFound, invalid_field
from services.clients import companies
from services.clients.addresses import Problem, country_of, normalise_phones, normalise_postal
from services.clients.models import Company, CompanyProposal

Record = dict[str, Any]

MOST_PENDING = 100
"""Proposals of one firm that wait for a decision: the operator reads each."""
_CONTENT = ("name", "kind", "addresses", "phones")
_OWN = ("id", "version", "created_at", "updated_at", "company_id", "state", "decided_at")
_SORTS = {"created_at": CompanyProposal.created_at}
_ACROSS = "the operator decides about proposals of all firms"

log = log_of(__name__)


def propose_company(db: Database, now: dt.datetime, *, company_id: str | None = None, **given: Any) -> Record:
    """The proposal: of a new entry, or with `company_id` of a correction.

    Raises Invalid that names the fields at fault, NotFound `company_not_found`, Conflict `too_many_proposals` while
    `MOST_PENDING` of the firm's wait.
    """
    content = _checked(given)
    if company_id is None:
        for name in ("name", "kind"):
            if not content.get(name):
                raise invalid_field(name, "Needed for a new company.", "required")
    elif not content:
        raise invalid_field("name", "Say what is to be corrected.", "required")
    with db.unit_of_work() as uow:
        if company_id is not None:
            companies.find_company(uow.session, company_id)
        pending = select(func.count()).select_from(CompanyProposal).where(CompanyProposal.state == "pending")
        if (uow.session.scalar(pending) or 0) >= MOST_PENDING:
            raise Conflict("too_many_proposals", most=MOST_PENDING)
        proposal = CompanyProposal(
            id=new_id(), company_id=company_id, content=content, state="pending", created_at=now, updated_at=now
        )
        uow.session.add(proposal)
        uow.session.flush()
        return uow.answer(_record(proposal))


def get_company_proposal(db: Database, *, proposal_id: str) -> Record:
    """One of the firm's own. Raises NotFound `company_proposal_not_found`."""
    with db.read() as session:
        return _record(_find(session, proposal_id))


def list_company_proposals(db: Database, *, state: str | None = None, **paging: Any) -> Record:
    """A page of the firm's own, newest first."""
    statement = select(CompanyProposal)
    if state is not None:
        statement = statement.where(CompanyProposal.state == state)
    with db.read() as session:
        rows, meta = page(session, statement, model=CompanyProposal, sorts=_SORTS, default_sort="-created_at", **paging)
    return {"data": [_record(row) for row in rows], "meta": meta}


# The operator's side


def list_pending(db: Database, *, after: str | None = None, limit: int = 100) -> Sequence[Record]:
    """Proposals of all firms that wait, oldest first, after the one with the id `after`: {"id", "firm_id",
    "company_id", "created_at", "content"}."""
    names = ("id", "firm_id", "company_id", "created_at", "content")
    statement = select(*(getattr(CompanyProposal, name) for name in names)).where(CompanyProposal.state == "pending")
    if after is not None:
        statement = statement.where(CompanyProposal.id > after)
    with db.across_firms(_ACROSS).read() as session:
        return [dict(row._mapping) for row in session.execute(statement.order_by(CompanyProposal.id).limit(limit))]


def accept_proposal(db: Database, now: dt.datetime, *, proposal_id: str, operator: str) -> Record:
    """The entry that a proposal has become, or that it has corrected. Who decided is kept with the proposal.

    Raises NotFound `company_proposal_not_found`, Conflict `proposal_decided`.
    """
    with db.across_firms(_ACROSS).unit_of_work() as uow:
        proposal = _find(uow.session, proposal_id, lock=True)
        proposal.decide("accepted", operator, now)
        company = _changed(uow, proposal, now)
        # The entry first: the proposal refers to it.
        uow.session.flush()
        proposal.company_id = company.id
        accepted = companies.record_of(company)
    log.info("company_proposal_accepted", proposal_id=proposal_id, company_id=accepted["id"], operator=operator)
    return accepted


def reject_proposal(db: Database, now: dt.datetime, *, proposal_id: str, operator: str) -> None:
    """Raises NotFound `company_proposal_not_found`, Conflict `proposal_decided`."""
    with db.across_firms(_ACROSS).unit_of_work() as uow:
        _find(uow.session, proposal_id, lock=True).decide("rejected", operator, now)
    log.info("company_proposal_rejected", proposal_id=proposal_id, operator=operator)


def _changed(uow: UnitOfWork, proposal: CompanyProposal, now: dt.datetime) -> Company:
    if proposal.company_id is None:
        company = Company(id=new_id(), version=1, created_at=now, updated_at=now, addresses=[], phones=[])
        uow.session.add(company)
    else:
        # Two corrections of an entry wait for each other: each is of some fields only.
        statement = select(Company).where(Company.id == proposal.company_id).with_for_update()
        company = uow.session.scalars(statement.execution_options(populate_existing=True)).one()
        company.touch(now)
    for name, value in proposal.content.items():
        setattr(company, name, value)
    company.name_key = bare_words(company.name)[:300]
    return company


def _find(session: Session, proposal_id: str, *, lock: bool = False) -> CompanyProposal:
    statement = select(CompanyProposal).where(CompanyProposal.id == proposal_id)
    found = session.scalars(statement.with_for_update() if lock else statement).one_or_none()
    if found is None:
        raise NotFound("company_proposal_not_found", proposal_id=proposal_id)
    return found


def _checked(given: Record) -> Record:
    """The given fields in the form they are kept. Raises Invalid that names every field at fault."""
    content = {name: given[name] for name in _CONTENT if name in given}
    problems: list[Problem] = []
    if "name" in content:
        try:
            content["name"] = clean_text(content["name"])
            if not content["name"]:
                problems.append(("name", "required", "Holds no text."))
        except UnfitText as error:
            problems.append(("name", "invalid_text", str(error)))
    if "addresses" in content:
        content["addresses"], unfit = normalise_postal(content["addresses"])
        problems += unfit
    if "phones" in content:
        country = country_of(content.get("addresses") or []) or "US"
        content["phones"], unfit = normalise_phones(content["phones"], country)
        problems += unfit
    if problems:
        raise Invalid("invalid_input", fields=[{"field": path, "message": message} for path, _, message in problems])
    return content


def _record(proposal: CompanyProposal) -> Record:
    return {name: getattr(proposal, name) for name in _OWN} | proposal.content
