"""The service in a container on the bus, beside a stand-in of clients that is held to its contract."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nameko.runners import ServiceRunner
from sqlalchemy import update

from chassis.columns import new_id, utc_now
from chassis.context import Context, use
from chassis.database import Data
from chassis.rpc import Calls, serve
from chassis.testing import eventually, make_database
from contracts import cases, clients
from contracts.errors import Conflict, Invalid, Unavailable
from services.cases.models import Base, NewClientRequest
from services.cases.service import CasesService
from tests.service.cases_office import PROBATE, Office


class Desk:
    """Stands in for clients: creates whoever it is told to, and says so by the event."""

    name = clients.OWNER
    db = Data(Base)
    known: dict[str, dict[str, Any]] = {}

    @serve(clients.CREATE_CLIENT)
    def create_client(self, client_id: str | None, tags: list[str] | None = None, **command: Any) -> dict[str, Any]:
        if command.get("first_name") == "Twin":
            raise Conflict("duplicate_client", candidates="someone")
        assert client_id is not None
        facts = {"client_id": client_id, "version": 1, "status": "active", "tags": tags or [], "language": None}
        self.known[client_id] = facts
        return {**facts, "id": client_id}

    @serve(clients.GET_CLIENT_FACTS)
    def get_client_facts(self, client_ids: list[str]) -> dict[str, Any]:
        return {"clients": [self.known[client_id] for client_id in client_ids if client_id in self.known]}


class Caller:
    name = "caller"
    calls = Calls(cases)


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "keys").write_text("A" * 43)
    return {"SEALING_KEYS_URL": f"file://{tmp_path / 'keys'}", "FILES_URL": f"file://{tmp_path / 'files'}"}


@pytest.fixture
def calls(embedded_bus: str, start: Callable[..., ServiceRunner], settings: dict[str, str]) -> Any:
    url = make_database(Base).url
    runner = start(CasesService, Desk, Caller, bus=embedded_bus, DATABASE_URL=url, **settings)
    (provider,) = [entry for entry in runner.service_map["caller"].dependencies if isinstance(entry, Calls)]
    with use(Context(firm_id=new_id(), actor_id=new_id(), actor_kind="staff")):
        yield provider.get_dependency(None)


def test_a_case_with_a_new_client_over_the_bus(calls: Any) -> None:
    kind = calls.cases.create_case_type(**PROBATE)
    new_client = {"first_name": "Ann", "phones": [{"number": "+12125550123"}], "tags": ["vip"]}
    case = calls.cases.create_case(case_type_id=kind["id"], name="Estate", new_client=new_client)
    assert (case["state"], case["number"]) == ("open", "000001")
    page = calls.cases.select_cases(selector={"case_filter": {"field": "clients.tags", "op": "eq", "value": "vip"}})
    assert [row["client_ids"] for row in page["data"]] == [[case["clients"][0]["client_id"]]]
    with pytest.raises(Conflict) as refused:
        calls.cases.create_case(case_type_id=kind["id"], name="Twin", new_client={"first_name": "Twin"})
    assert (refused.value.code, refused.value.meta) == ("duplicate_client", {"candidates": "someone"})
    with pytest.raises(Invalid) as unknown:
        calls.cases.create_case(case_type_id=kind["id"], name="B", clients=[{"client_id": new_id()}])
    assert unknown.value.fields[0]["field"] == "clients.0.client_id"
    assert calls.cases.list_cases()["meta"]["total"] == 1


def test_a_pending_case_is_finished_after_a_restart(
    embedded_bus: str, start: Callable[..., ServiceRunner], settings: dict[str, str]
) -> None:
    office = Office(make_database(Base))

    def unavailable(**command: Any) -> Any:
        raise Unavailable("service_unavailable")

    office.calls.answers[clients.CREATE_CLIENT] = unavailable
    pending = office.case(office.case_type(), new_client={"first_name": "Ann", "skip_duplicate_check": False})
    with office.db.unit_of_work() as uow:
        uow.session.execute(update(NewClientRequest).values(due_at=utc_now()))
    start(Desk, bus=embedded_bus, DATABASE_URL=office.db.url)
    start(CasesService, bus=embedded_bus, DATABASE_URL=office.db.url, **settings)
    eventually(lambda: office.service.get_case(pending["id"])["state"] == "open", what="the case is active")
    assert pending["clients"][0]["client_id"] in Desk.known
