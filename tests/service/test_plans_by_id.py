"""How PostgreSQL finds what is named by the dozen, where it has counted none of a firm's rows yet."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from chassis.columns import new_id, utc_now
from chassis.database import Database
from chassis.testing import received
from contracts.messaging import DELIVERY_SENT
from services.clients import facts as client_facts
from services.clients.imports.matching import find_stored
from services.clients.models import Base as ClientsBase
from services.clients.models import Client, ClientEmail, ClientPhone, Contact, ContactTie
from services.tasks import client_tasks, outcomes, overdue, views
from services.tasks import facts as task_facts
from services.tasks.models import Base as TasksBase
from services.tasks.models import CaseTask, TaskTemplate
from tests.service.plans import plan_of, undisturbed

MANY = 3_000
NAMED = 12


def sent(db: Database, **about: Any) -> Any:
    """A delivery that was sent."""
    facts = {"delivery_id": new_id(), "batch_id": new_id(), "case_id": new_id(), "channel": "sms"}
    told = {
        **facts,
        "case_task_id": None,
        "client_id": new_id(),
        "state": "sent",
        "reason": None,
        "at": utc_now(),
        **about,
    }
    return received(DELIVERY_SENT, told, firm_id=str(db.firm_id))


def test_clients_are_found_by_their_ids_alone(postgres_database: Callable[[], str]) -> None:
    db = undisturbed(ClientsBase, postgres_database()).for_firm(new_id())
    ids = [new_id() for _ in range(MANY)]
    with db.unit_of_work() as uow:
        uow.insert(Client, [{"id": id_, "first_name": "Ann", "sort_name": "ann", "name_key": "ann"} for id_ in ids])

    def ask() -> None:
        told = client_facts.get_recipients(db, client_ids=ids[:NAMED])
        assert {one["state"] for one in told["recipients"]} == {"found"}

    assert "uq_client_id" in plan_of(db, "SELECT client.id", ask)
    db.engines.dispose()


def test_the_clients_of_rows_are_found_by_what_the_rows_say(postgres_database: Callable[[], str]) -> None:
    db = undisturbed(ClientsBase, postgres_database()).for_firm(new_id())
    ids = [new_id() for _ in range(MANY)]
    with db.unit_of_work() as uow:
        uow.insert(
            Client,
            [
                {"id": id_, "first_name": "Ann", "name_key": f"ann {at}", "external_source": "import",
                 "external_source_id": str(at)}
                for at, id_ in enumerate(ids)
            ],
        )  # fmt: skip
        own = [{"client_id": id_, "position": 0, "is_primary": True} for id_ in ids]
        uow.insert(ClientPhone, [{**row, "number": f"+{at}", "kind": "home"} for at, row in enumerate(own)])
        uow.insert(ClientEmail, [{**row, "address": f"{at}@a.com", "key": f"{at}@a.com"} for at, row in enumerate(own)])

    def ask() -> None:
        keys = [("external", "import", "7"), ("phone", "+8"), ("email", "9@a.com"), ("person", "ann 7", "2000-01-01")]
        with db.read() as session:
            assert [client_id for _, client_id in find_stored(session, keys)] == ids[7:10]

    for index, asked in {
        "uq_client_external": "anon_1.wanted, same.id \nFROM unnest(%(wanted)s::VARCHAR(120)[])",
        "ix_client_phone_number": "anon_1.wanted, same.client_id \nFROM unnest(%(wanted)s::VARCHAR(20)[])",
        "ix_client_email_key": "anon_1.wanted, same.client_id \nFROM unnest(%(wanted)s::VARCHAR(320)[])",
        "ix_client_name_key": "anon_1.wanted, same.id, same.birth_key",
    }.items():
        plan = plan_of(db, f"SELECT {asked}", ask)
        assert f"using {index} " in plan
        assert "Sort" not in plan
    db.engines.dispose()


def test_the_contacts_of_businesses_are_found_by_the_businesses_alone(postgres_database: Callable[[], str]) -> None:
    db = undisturbed(ClientsBase, postgres_database()).for_firm(new_id())
    ids = [new_id() for _ in range(MANY)]
    business = {"kind": "business", "company_name": "Acme", "sort_name": "acme", "name_key": "acme"}
    contact_ids = [new_id() for _ in ids]
    with db.unit_of_work() as uow:
        uow.insert(Client, [{"id": id_, **business} for id_ in ids])
        uow.insert(
            Contact, [{"id": id_, "first_name": "Ann", "sort_name": "", "search_text": ""} for id_ in contact_ids]
        )
        pairs = zip(ids, contact_ids, strict=True)
        uow.insert(ContactTie, [{"client_id": one, "contact_id": other, "notify": True} for one, other in pairs])

    def ask() -> None:
        told = client_facts.get_recipients(db, client_ids=ids[:NAMED])
        assert [len(one["contacts"]) for one in told["recipients"]] == [1] * NAMED

    assert "ix_contact_tie_notify" in plan_of(db, "SELECT contact_tie.client_id", ask)
    assert "uq_contact_id" in plan_of(db, "SELECT contact.id", ask)
    db.engines.dispose()


def test_case_tasks_are_found_by_their_ids_or_their_cases_alone(postgres_database: Callable[[], str]) -> None:
    db = undisturbed(TasksBase, postgres_database()).for_firm(new_id())
    ids = [new_id() for _ in range(MANY)]
    asked = {"title": "Your county", "kind": "short_text", "required": True, "options": [], "checks": {}}
    template_id = new_id()
    with db.unit_of_work() as uow:
        uow.insert(TaskTemplate, [{"id": template_id, **asked}])
        uow.insert(CaseTask, [{"id": id_, "case_id": new_id(), "template_id": template_id, **asked} for id_ in ids])

    def ask() -> None:
        assert len(task_facts.get_case_task_facts(db, utc_now(), ids[:NAMED])["case_tasks"]) == NAMED

    assert "uq_case_task_id" in plan_of(db, "SELECT case_task", ask)
    events = [sent(db, case_task_id=id_) for id_ in ids[:NAMED]]

    def follow() -> None:
        outcomes.record_deliveries(db, events, utc_now())

    assert "uq_case_task_id" in plan_of(db, "SELECT case_task", follow)
    case_ids = [facts["case_id"] for facts in task_facts.get_case_task_facts(db, utc_now(), ids[:NAMED])["case_tasks"]]

    def show() -> None:
        assert len(views.list_open_tasks(db, utc_now(), case_ids)["case_tasks"]) == NAMED

    def tell() -> None:
        told = client_tasks.list_client_tasks(db, None, utc_now(), client_id=new_id(), case_ids=case_ids)
        assert told["open"] == NAMED

    theirs = "SELECT case_task.firm_id, case_task.id"
    progress = "SELECT case_task.case_id, case_task.case_form_id, case_task.section"
    for beginning, action in ((theirs, show), (progress, show), (theirs, tell)):
        assert "uq_case_task_case_id_assigned_once_key_firm_id" in plan_of(db, beginning, action)
    db.engines.dispose()


def test_deadlines_to_announce_are_found_without_those_that_are_told_or_to_come(
    postgres_database: Callable[[], str],
) -> None:
    db = undisturbed(TasksBase, postgres_database()).for_firm(new_id())
    now, day = utc_now(), dt.timedelta(days=1)
    asked = {"title": "Your county", "kind": "short_text", "required": True, "options": [], "checks": {}}
    template_id = new_id()
    dates = [
        {"due_at": now - day, "announced_due_at": now - day},
        {"due_at": now + day, "announced_due_at": None},
        {"due_at": None, "announced_due_at": None},
    ]
    with db.unit_of_work() as uow:
        uow.insert(TaskTemplate, [{"id": template_id, **asked}])
        same = {"template_id": template_id, **asked}
        rows = [{"case_id": new_id(), **same, **dates[number % len(dates)]} for number in range(MANY)]
        uow.insert(CaseTask, rows)
    everywhere = Database(db.url, db.base)

    def look() -> None:
        assert overdue.announce_due(everywhere, None, now) is False

    plan = plan_of(everywhere, "SELECT case_task.firm_id, case_task.id \nFROM", look)
    assert "ix_case_task_due_to_tell" in plan
    assert "Sort" not in plan
    db.engines.dispose()
