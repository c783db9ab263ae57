"""clients: the directory of companies that all firms share."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, update

from chassis.columns import new_id
from chassis.database import SharedWrite
from chassis.wire import strict
from contracts import clients as contract
from contracts.errors import CasewireError, Conflict, Invalid, NotFound
from deploy.companies import act as act_as_operator
from services.clients import companies, company_proposals, contacts
from services.clients.models import Company, CompanyProposal
from tests.service.clients_desk import NOW, Desk, desk

__all__ = ["desk"]

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


# Proposals and decisions


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


# The directory


def test_the_directory_is_searched_by_name_and_paged(desk: Desk) -> None:
    for name, kind in (("Zions Bank", "bank"), ("Élan Title", "title_company"), ("First Title", "title_company")):
        entry(desk, name=name, kind=kind)
    assert named(desk) == ["Élan Title", "First Title", "Zions Bank"]
    assert named(desk, q="title ELAN") == ["Élan Title"]
    assert named(desk, q="itl", kind="title_company") == ["Élan Title", "First Title"]
    assert named(desk, kind="bank") == ["Zions Bank"]
    first = companies.list_companies(desk.db, limit=2)
    checked(contract.LIST_COMPANIES.response, first)
    assert first["meta"]["total"] == 3
    assert named(desk, limit=2, cursor=first["meta"]["next_cursor"]) == ["Zions Bank"]
    with pytest.raises(NotFound, match="company_not_found"):
        companies.get_company(desk.db, company_id=new_id())


def test_a_business_is_linked_to_an_entry(desk: Desk, other: Desk) -> None:
    company, second = entry(desk), entry(desk, name="Second Title")
    acme = business(desk)
    assert companies.link_company(desk.db, client_id=acme, company_id=company["id"]) == company
    companies.link_company(desk.db, client_id=acme, company_id=second["id"])
    assert companies.get_client_company(desk.db, client_id=acme) == second
    companies.unlink_company(desk.db, client_id=acme)
    for attempt in (companies.get_client_company, companies.unlink_company):
        with pytest.raises(NotFound, match="client_company_not_found"):
            attempt(desk.db, client_id=acme)
    with pytest.raises(NotFound, match="company_not_found"):
        companies.link_company(desk.db, client_id=acme, company_id=new_id())
    with pytest.raises(NotFound, match="client_not_found"):
        companies.link_company(desk.db, client_id=business(other), company_id=company["id"])
    with pytest.raises(Invalid, match="not_a_business"):
        companies.link_company(desk.db, client_id=desk.create()["id"], company_id=company["id"])


def test_work_for_one_firm_writes_no_entry(desk: Desk) -> None:
    company = entry(desk)
    row = {**company, "name_key": "x", "id": new_id()}
    by_id = Company.id == company["id"]

    def change(uow: Any) -> None:
        uow.session.get_one(Company, company["id"]).name = "Mine"
        uow.session.flush()

    for write in (
        lambda uow: uow.session.add(Company(**row)) or uow.session.flush(),
        lambda uow: uow.insert(Company, [row]),
        lambda uow: uow.upsert(Company, [row], key=("id",), change=("name",)),
        lambda uow: uow.update_each(Company, [{"id": company["id"], "name": "Mine"}]),
        lambda uow: uow.session.execute(update(Company).where(by_id).values(name="Mine")),
        lambda uow: uow.session.execute(delete(Company).where(by_id)),
        change,
    ):
        with pytest.raises(SharedWrite), desk.db.unit_of_work() as uow:
            write(uow)
    assert companies.list_companies(desk.db)["data"] == [company]


# No leak between firms

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["propose", "correct", "link", "unlink", "search", "read", "contact", "withdrawn"]),
        st.integers(0, 2),
        st.sampled_from(["First Title", "Acme secret", "O'Neil & Co", "zzz"]),
    ),
    max_size=8,
)


def everything(desk: Desk, entries: list[str], client_id: str) -> bytes:
    """All that a firm is told of the directory, as it goes over the wire."""
    answers: list[Any] = [
        strict(contract.LIST_COMPANIES.response).dump(companies.list_companies(desk.db, **query))
        for query in ({}, {"q": "title"}, {"q": "secret"}, {"kind": "lender"}, {"sort": "-created_at", "limit": 1})
    ]
    answers += [strict(contract.Company).dump(companies.get_company(desk.db, company_id=id_)) for id_ in entries]
    answers.append(strict(contract.Company).dump(companies.get_client_company(desk.db, client_id=client_id)))
    proposals = company_proposals.list_company_proposals(desk.db)
    answers.append(strict(contract.LIST_COMPANY_PROPOSALS.response).dump(proposals))
    return orjson.dumps(answers)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps=STEPS)
def test_whatever_a_firm_does_another_firms_answers_are_the_same_bytes(
    desk: Desk, other: Desk, steps: list[tuple[str, int, str]]
) -> None:
    entries = [entry(desk, name=f"Title {number}")["id"] for number in range(3)]
    mine, theirs = business(desk), business(other)
    companies.link_company(other.db, client_id=theirs, company_id=entries[0])
    propose(other, **FIRST)
    before = everything(other, entries, theirs)
    for action, number, word in steps:
        try:
            act(desk, action, entries[number], mine, word)
        except CasewireError:
            pass
        assert everything(other, entries, theirs) == before


def act(desk: Desk, action: str, company_id: str, client_id: str, word: str) -> None:
    """Something that a firm does with the directory, short of what the operator accepts."""
    if action == "propose":
        propose(desk, name=word, kind="lender", phones=[{"number": "+12125550188"}])
    elif action == "correct":
        propose(desk, company_id=company_id, name=word)
    elif action == "link":
        companies.link_company(desk.db, client_id=client_id, company_id=company_id)
    elif action == "unlink":
        companies.unlink_company(desk.db, client_id=client_id)
    elif action == "search":
        companies.list_companies(desk.db, q=word)
    elif action == "read":
        companies.get_company(desk.db, company_id=company_id)
    elif action == "contact":
        contacts.create_contact(desk.db, NOW, client_ids=[client_id], first_name=word)
    else:
        reject(desk, propose(desk, company_id=company_id, name=word))


def test_nothing_of_the_firm_that_proposed_is_in_an_entry(desk: Desk, other: Desk) -> None:
    company = entry(desk)
    shown = orjson.dumps(companies.get_company(other.db, company_id=company["id"])).decode()
    for private in (desk.firm_id, str(desk.context.actor_id), "olga"):
        assert private not in shown
