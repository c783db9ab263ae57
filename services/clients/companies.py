"""The directory of companies, as firms read it: entries, and which of a firm's clients is which.

Every firm reads the same entries. What a firm links is its own and changes nothing that another sees.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.paging import page
from chassis.words import bare_words
from contracts.errors import NotFound
from services.clients import contact_ties
from services.clients.merges.merge_history import demand_client
from services.clients.models import ClientCompany, Company

Record = dict[str, Any]

_SORTS = {"name": Company.name_key, "created_at": Company.created_at}
_SHOWN = ("id", "version", "created_at", "updated_at", "name", "kind", "addresses", "phones")


def list_companies(
    db: Database,
    *,
    q: str | None = None,
    kind: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
    sort: str | None = None,
) -> Record:
    """A page of the directory, by name unless `sort` says otherwise. `q`: words, or parts of words, of the name."""
    statement = select(Company)
    for word in bare_words(q or "").split():
        statement = statement.where(Company.name_key.contains(word, autoescape=True))
    if kind is not None:
        statement = statement.where(Company.kind == kind)
    with db.read() as session:
        rows, meta = page(
            session, statement, model=Company, sorts=_SORTS, default_sort="name", limit=limit, cursor=cursor, sort=sort
        )
    return {"data": [record_of(row) for row in rows], "meta": meta}


def get_company(db: Database, *, company_id: str) -> Record:
    """Raises NotFound `company_not_found`."""
    with db.read() as session:
        return record_of(find_company(session, company_id))


def find_company(session: Session, company_id: str) -> Company:
    """Raises NotFound `company_not_found`."""
    found = session.scalars(select(Company).where(Company.id == company_id)).one_or_none()
    if found is None:
        raise NotFound("company_not_found", company_id=company_id)
    return found


def record_of(company: Company) -> Record:
    """An entry as every firm sees it."""
    return {name: getattr(company, name) for name in _SHOWN}


# Which client is which


def link_company(db: Database, *, client_id: str, company_id: str) -> Record:
    """Says which entry a business client is; one that was linked before is forgotten. The entry.

    Raises NotFound `client_not_found` or `company_not_found`, Gone `client_merged`, Invalid for a client that is no
    business.
    """
    with db.unit_of_work() as uow:
        contact_ties.lock_businesses(uow, [client_id], "client_id", "Only a business is a company.")
        company = find_company(uow.session, company_id)
        row = {"client_id": client_id, "company_id": company_id}
        uow.upsert(ClientCompany, [row], key=("client_id",), change=("company_id",))
        return uow.answer(record_of(company))


def get_client_company(db: Database, *, client_id: str) -> Record:
    """The entry that a client is linked to. Raises NotFound `client_not_found`, Gone `client_merged`, and NotFound
    `client_company_not_found` if to none."""
    linked = select(Company).join(ClientCompany, ClientCompany.company_id == Company.id)
    statement = linked.where(ClientCompany.client_id == client_id)
    with db.read() as session:
        demand_client(session, client_id)
        found = session.scalars(statement).one_or_none()
    if found is None:
        raise NotFound("client_company_not_found", client_id=client_id)
    return record_of(found)


def unlink_company(db: Database, *, client_id: str) -> None:
    """Raises as `get_client_company` does."""
    unlinked = delete(ClientCompany).where(ClientCompany.client_id == client_id).returning(ClientCompany.client_id)
    with db.unit_of_work() as uow:
        demand_client(uow.session, client_id, lock=True)
        if not uow.session.execute(unlinked, execution_options={"synchronize_session": False}).all():
            raise NotFound("client_company_not_found", client_id=client_id)
        uow.answer({})
