"""Companies, proposals and an operator's decisions, for the tests of the directory that all firms share."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from chassis.wire import strict
from contracts import clients as contract
from services.clients import companies, company_proposals
from tests.service.clients_desk import NOW, Desk

LATER = NOW + dt.timedelta(hours=1)
FIRST = {
    "name": " First  Title ", "kind": "title_company", "phones": [{"number": "(212) 555-0123"}],
    "addresses": [{"kind": "primary", "line1": "1 Main St", "city": "Bath", "country": "US"}],
}  # fmt: skip


@pytest.fixture
def other(desk: Desk, tmp_path: Path) -> Desk:
    """Another firm."""
    return Desk(desk.everywhere, tmp_path / "other")


def checked(schema: Any, record: dict[str, Any]) -> dict[str, Any]:
    assert strict(schema).schema.validate(strict(schema).dump(record)) == {}
    return record


def propose(desk: Desk, **given: Any) -> dict[str, Any]:
    return checked(contract.CompanyProposal, company_proposals.propose_company(desk.db, NOW, **given))


def accept(desk: Desk, proposal: dict[str, Any], now: dt.datetime = LATER) -> dict[str, Any]:
    made = company_proposals.accept_proposal(desk.everywhere, now, proposal_id=proposal["id"], operator="olga")
    return checked(contract.Company, made)


def reject(desk: Desk, proposal: dict[str, Any]) -> None:
    company_proposals.reject_proposal(desk.everywhere, LATER, proposal_id=proposal["id"], operator="olga")


def entry(desk: Desk, **given: Any) -> dict[str, Any]:
    """An entry of the directory."""
    return accept(desk, propose(desk, **{**FIRST, **given}))


def named(desk: Desk, **query: Any) -> list[str]:
    return [company["name"] for company in companies.list_companies(desk.db, **query)["data"]]


def proposal(desk: Desk, made: dict[str, Any]) -> dict[str, Any]:
    return company_proposals.get_company_proposal(desk.db, proposal_id=made["id"])


def business(desk: Desk) -> str:
    return str(desk.create(first_name=None, company_name="Acme", kind="business")["id"])
