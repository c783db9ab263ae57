"""clients: the directory of companies that all firms share."""

from __future__ import annotations

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
from contracts.errors import CasewireError, Invalid, NotFound
from services.clients import companies, company_proposals, contacts
from services.clients.models import Company
from tests.examples import examples
from tests.service.clients_desk import NOW, Desk, desk
from tests.service.directory_desk import FIRST, business, checked, entry, named, other, propose, reject
from tests.service.one_database import on_one_database

__all__ = ["desk", "other"]


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


@on_one_database
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


def test_who_is_no_business_any_more_is_no_company(desk: Desk) -> None:
    acme, company = business(desk), entry(desk)
    companies.link_company(desk.db, client_id=acme, company_id=company["id"])
    desk.change(acme, kind="individual", first_name="Ann")
    desk.change(acme, kind="business")
    with pytest.raises(NotFound, match="client_company_not_found"):
        companies.get_client_company(desk.db, client_id=acme)


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


@settings(max_examples=examples(5), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
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
