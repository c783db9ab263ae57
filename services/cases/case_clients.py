"""Who is on a case: its clients, of whom exactly one is primary, and its staff."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, select

from chassis.database import Database, UnitOfWork
from contracts.errors import Invalid
from services.cases.models import CaseClient, CaseStaff

Record = dict[str, Any]


def placed(clients: Sequence[Record], path: str = "clients") -> list[Record]:
    """The clients with their roles: the first that states none is the primary if no other says so.

    Raises Invalid that names a second primary, a client named twice, or, if all are `additional`, that one must be
    primary.
    """
    errors, seen, primaries = [], set(), 0
    for index, client in enumerate(clients):
        if client["client_id"] in seen:
            errors.append({"field": f"{path}.{index}.client_id", "message": "On the case already."})
        seen.add(client["client_id"])
        if client.get("role") == "primary":
            primaries += 1
            if primaries > 1:
                errors.append({"field": f"{path}.{index}.role", "message": "Only one client is the primary."})
    first = next((index for index, client in enumerate(clients) if not client.get("role")), None)
    if primaries == 0 and first is None:
        errors.append({"field": path, "message": "One client must be the primary."})
    if errors:
        raise Invalid("invalid_input", fields=errors)
    return [
        {
            "client_id": client["client_id"],
            "role": client.get("role") or ("primary" if primaries == 0 and index == first else "additional"),
            "label": client.get("label"),
        }
        for index, client in enumerate(clients)
    ]


def check_clients(calls: Any, clients: Sequence[Record], *, known: frozenset[str] = frozenset()) -> list[Record]:
    """The facts of the clients that are not `known`, asked of their owner, in one call.

    Raises Invalid `unknown_client` that names those it does not have, like `clients.0.client_id`.
    """
    wanted = [client["client_id"] for client in clients if client["client_id"] not in known]
    if not wanted:
        return []
    answer = calls.clients.get_client_facts(client_ids=wanted)
    facts: list[Record] = answer["clients"]
    merged = {entry["client_id"] for entry in answer.get("merged") or ()}
    found = {entry["client_id"] for entry in facts} | known
    errors = [
        {
            "field": f"clients.{index}.client_id",
            "message": "Merged into another client." if client["client_id"] in merged else "There is no such client.",
        }
        for index, client in enumerate(clients)
        if client["client_id"] not in found
    ]
    if errors:
        raise Invalid("unknown_client", fields=errors)
    return facts


def present_clients(db: Database, case_id: str) -> frozenset[str]:
    """The ids of a case's clients, read before a change of them."""
    with db.read() as session:
        return frozenset(session.scalars(select(CaseClient.client_id).where(CaseClient.case_id == case_id)))


def set_clients(uow: UnitOfWork, case_id: str, clients: Sequence[Record]) -> bool:
    """Makes `clients` (placed) those of the case; False if they were."""
    columns = (CaseClient.client_id, CaseClient.role, CaseClient.label)
    statement = select(*columns).where(CaseClient.case_id == case_id).order_by(CaseClient.position)
    before = [dict(row._mapping) for row in uow.session.execute(statement)]
    if before == list(clients):
        return False
    if before:
        uow.session.execute(delete(CaseClient).where(CaseClient.case_id == case_id))
    uow.insert(
        CaseClient, [{"case_id": case_id, "position": position, **client} for position, client in enumerate(clients)]
    )
    return True


def set_staff(uow: UnitOfWork, case_id: str, staff_ids: Sequence[str]) -> bool:
    """Makes `staff_ids` the staff of the case, each once; False if they were."""
    wanted = list(dict.fromkeys(staff_ids))
    statement = select(CaseStaff.staff_id).where(CaseStaff.case_id == case_id).order_by(CaseStaff.position)
    before = list(uow.session.scalars(statement))
    if before == wanted:
        return False
    if before:
        uow.session.execute(delete(CaseStaff).where(CaseStaff.case_id == case_id))
    uow.insert(
        CaseStaff,
        [{"case_id": case_id, "staff_id": staff_id, "position": position} for position, staff_id in enumerate(wanted)],
    )
    return True
