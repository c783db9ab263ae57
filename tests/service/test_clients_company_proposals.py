"""clients: what firms propose for the directory of companies, and what is decided."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.columns import new_id
from contracts import clients as contract
from contracts.errors import Conflict, Invalid, NotFound
from deploy.companies import act as act_as_operator
from services.clients import companies, company_proposals
from services.clients.models import CompanyProposal
from tests.service.clients_desk import Desk, desk
from tests.service.directory_desk import FIRST, LATER, accept, checked, entry, named, other, proposal, propose, reject

__all__ = ["desk", "other"]


def test_an_accepted_proposal_is_an_entry_for_every_firm(desk: Desk, other: Desk) -> None:
    made = propose(desk, **FIRST)
    assert (made["name"], made["state"], made["company_id"], made["decided_at"]) == (
        "First Title",
        "pending",
        None,
        None,
    )
    assert named(desk) == named(other) == []
    company = accept(desk, made)
    assert (company["name"], company["kind"], company["version"]) == ("First Title", "title_company", 1)
    assert company["phones"] == [{"number": "+12125550123", "kind": "mobile", "primary": True}]
    for firm in (desk, other):
        assert companies.get_company(firm.db, company_id=company["id"]) == company
        assert named(firm) == ["First Title"]
    decided = proposal(desk, made)
    assert (decided["state"], decided["company_id"], decided["decided_at"]) == ("accepted", company["id"], LATER)


def test_a_correction_changes_what_it_names(desk: Desk, other: Desk) -> None:
    company = entry(desk)
    renamed = propose(other, company_id=company["id"], name="First National Title")
    moved = propose(desk, company_id=company["id"], addresses=[])
    assert companies.get_company(other.db, company_id=company["id"]) == company
    accept(desk, renamed)
    changed = accept(desk, moved)
    assert changed == {
        **company, "name": "First National Title", "addresses": [], "version": 3, "updated_at": LATER,
    }  # fmt: skip
    assert companies.get_company(desk.db, company_id=company["id"]) == changed
    assert named(desk, q="national") == ["First National Title"]


def test_a_rejected_proposal_changes_nothing(desk: Desk) -> None:
    company = entry(desk)
    made = propose(desk, company_id=company["id"], name="Worst Title")
    reject(desk, made)
    assert companies.get_company(desk.db, company_id=company["id"]) == company
    assert (proposal(desk, made)["state"], proposal(desk, made)["company_id"]) == ("rejected", company["id"])


def test_a_proposal_is_decided_once_and_by_whom_is_kept(desk: Desk) -> None:
    made = propose(desk, **FIRST)
    accept(desk, made)
    for again in (accept, reject):
        with pytest.raises(Conflict, match="proposal_decided"):
            again(desk, made)
    with desk.db.read() as session:
        kept = session.get_one(CompanyProposal, (desk.firm_id, made["id"]))
        assert (kept.decided_by, kept.decided_at) == ("olga", LATER)
    assert named(desk) == ["First Title"]
    with pytest.raises(NotFound, match="company_proposal_not_found"):
        accept(desk, {"id": new_id()})


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"kind": "lender"}, "name"),
        ({"name": "First Title"}, "kind"),
        ({"name": " ", "kind": "lender"}, "name"),
        ({"name": "a\u202eb", "kind": "lender"}, "name"),
        ({"name": "A", "kind": "lender", "phones": [{"number": "12"}]}, "phones.0.number"),
        ({"name": "A", "kind": "lender", "addresses": [{"kind": "primary"}]}, "addresses.0.line1"),
    ],
)
def test_a_bad_proposal_is_refused_and_leaves_nothing(desk: Desk, given: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        propose(desk, **given)
    assert refused.value.fields[0]["field"] == field
    assert company_proposals.list_company_proposals(desk.db)["data"] == []


def test_a_correction_is_of_an_entry_and_says_something(desk: Desk) -> None:
    with pytest.raises(NotFound, match="company_not_found"):
        propose(desk, company_id=new_id(), name="A")
    with pytest.raises(Invalid):
        propose(desk, company_id=entry(desk)["id"])


def test_a_firm_has_so_many_proposals_waiting_at_most(desk: Desk, other: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(company_proposals, "MOST_PENDING", 2)
    first, _ = propose(desk, **FIRST), propose(desk, **FIRST)
    with pytest.raises(Conflict, match="too_many_proposals"):
        propose(desk, **FIRST)
    propose(other, **FIRST)
    reject(desk, first)
    propose(desk, **FIRST)


def test_the_operator_sees_what_waits_of_all_firms_oldest_first(desk: Desk, other: Desk) -> None:
    first, second, third = propose(desk, **FIRST), propose(other, **FIRST), propose(desk, **FIRST)
    reject(desk, third)
    found = company_proposals.list_pending(desk.everywhere, limit=1)
    found = [*found, *company_proposals.list_pending(desk.everywhere, after=found[-1]["id"])]
    assert [(row["id"], row["firm_id"]) for row in found] == [
        (first["id"], desk.firm_id), (second["id"], other.firm_id)
    ]  # fmt: skip


def test_a_firm_lists_its_own_proposals_newest_first(desk: Desk, other: Desk) -> None:
    first, second = propose(desk, **FIRST), propose(desk, **FIRST)
    theirs = propose(other, **FIRST)
    reject(desk, first)
    page = company_proposals.list_company_proposals(desk.db)
    checked(contract.LIST_COMPANY_PROPOSALS.response, page)
    assert [row["id"] for row in page["data"]] == [second["id"], first["id"]]
    waiting = company_proposals.list_company_proposals(desk.db, state="pending")["data"]
    assert [row["id"] for row in waiting] == [second["id"]]
    with pytest.raises(NotFound, match="company_proposal_not_found"):
        proposal(desk, theirs)


def test_the_operator_decides_on_the_command_line(desk: Desk, other: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    url = desk.everywhere.url
    first, second = propose(desk, **FIRST), propose(other, name="Lendwell", kind="lender")
    assert act_as_operator("list", url, []) == 0
    shown = capsys.readouterr().out
    assert all(text in shown for text in (first["id"], f"firm {other.firm_id}", '"Lendwell"', "2 to be decided"))
    assert act_as_operator("accept", url, [first["id"]]) == 0
    assert act_as_operator("reject", url, [second["id"], new_id()]) == 1
    told = capsys.readouterr()
    assert f"{first['id']} accepted" in told.out
    assert f"{second['id']} rejected" in told.out
    assert "company_proposal_not_found" in told.err
    assert named(other) == ["First Title"]
    assert act_as_operator("accept", url, [first["id"]]) == 1
    assert "proposal_decided" in capsys.readouterr().err
