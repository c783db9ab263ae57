"""A client with something in every field, and its erasure, for the tests of clients."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from chassis.context import use
from chassis.database import Database
from chassis.wire import strict
from contracts import cases, clients, messaging, portal, tasks
from services.clients import erasing, merging
from services.clients.erasures import erasure_reports
from tests.service.canaries import found_in
from tests.service.clients_desk import NOW, Desk

CANARIES = {
    "first_name": "Zerelda", "middle_name": "Quimby", "last_name": "Oxenfree", "occupation": "Lamplighter",
    "flag_reason": "Owes for the Wurlitzer", "external_source": "Feedlewick", "external_source_id": "ROW-CANARY-7",
}  # fmt: skip
LISTS: dict[str, Any] = {
    "phones": [{"number": "+12125550142", "kind": "mobile"}],
    "emails": [{"address": "zerelda.oxenfree@example.org"}],
    "addresses": [{"kind": "primary", "line1": "9 Marzipan Row", "city": "Quahogport", "postal_code": "02871"}],
    "tags": ["Wurlitzer club"],
}
PERSON = [*CANARIES.values(), "+12125550142", "2125550142", "zerelda.oxenfree@example.org", "Marzipan", "Quahogport",
          "Wurlitzer club", "zerelda", "oxenfree"]  # fmt: skip
AFTER = NOW + dt.timedelta(days=30)
REPORTS = {
    "record_reports_of_cases": cases.ERASURE_REPORTED,
    "record_reports_of_tasks": tasks.ERASURE_REPORTED,
    "record_reports_of_messaging": messaging.ERASURE_REPORTED,
    "record_reports_of_portal": portal.ERASURE_REPORTED,
}


def person(desk: Desk) -> str:
    """A client with something in every field and table."""
    client_id = str(desk.create(**CANARIES, **LISTS)["id"])
    desk.change(client_id, status="inactive")
    return client_id


def found(db: Database, words: Iterable[str] = PERSON) -> list[str]:
    return found_in(db, words)


def erase(desk: Desk, client_id: str) -> dict[str, Any]:
    with use(desk.context):
        return checked(erasing.erase_client(desk.db, NOW, client_id=client_id, actor_id=desk.context.actor_id))


def checked(erasure: dict[str, Any]) -> dict[str, Any]:
    assert strict(clients.Erasure).schema.validate(strict(clients.Erasure).dump(erasure)) == {}
    return erasure


def go_on(desk: Desk) -> None:
    """What was asked for is done, each event delivered twice."""
    for data in desk.emitted(clients.ERASURE_REQUESTED):
        desk.hear("continue_erasures", clients.ERASURE_REQUESTED, data)


def state(desk: Desk, erasure_id: str) -> dict[str, Any]:
    return checked(erasure_reports.get_erasure(desk.db, erasure_id=erasure_id))


def report(desk: Desk, erasure: dict[str, Any], handler: str, outcome: str = "done") -> None:
    event = REPORTS[handler]
    said = {"erasure_id": erasure["id"], "client_id": erasure["client_id"], "service": event.owner,
            "outcome": outcome, "counts": {"rows": 2}}  # fmt: skip
    desk.hear(handler, event, said)


def merged(desk: Desk) -> tuple[str, str]:
    """A survivor, and the client that was merged into it."""
    surviving_id, merged_id = str(desk.create(first_name="Bea")["id"]), person(desk)
    with use(desk.context):
        merging.merge_clients(
            desk.db, desk.calls, NOW, client_id=surviving_id, duplicate_id=merged_id, keep={}, dry_run=False
        )
    return surviving_id, merged_id
