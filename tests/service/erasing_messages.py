"""Clients whom messaging has something of, and their erasing."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.columns import new_id
from chassis.files import FolderFiles
from chassis.testing import deliver, received
from contracts import clients, messaging
from services.messaging import communications
from tests.service.conversing import say
from tests.service.messaging_desk import Desk

NUMBER = "+12125550142"
WORDS = ["Zerelda", "Marzipan", "Quahogport", "Wurlitzer", "Lamplighter"]
PICTURE = b"\x89PNG\r\n\x1a\n" + b"\x00" * 64


@pytest.fixture(autouse=True)
def files(desk: Desk, tmp_path: Any) -> FolderFiles:
    desk.service.files = FolderFiles(tmp_path)
    return desk.service.files


def somebody(desk: Desk, number: str = NUMBER) -> str:
    return desk.person(number, first_name="Zerelda", last_name="Oxenfree", display_name="Zerelda Oxenfree")


def erased(desk: Desk, *client_ids: str) -> list[dict[str, Any]]:
    """Each of these clients, all at once and twice; what is reported."""
    for client_id in client_ids:
        desk.people[client_id] = {"client_id": client_id, "state": "erased"}
    events = [
        received(
            clients.CLIENT_ERASED,
            {"client_id": id_, "erasure_id": new_id(), "version": 9, "client_ids": [id_]},
            firm_id=desk.firm_id,
            subscription="forget_clients",
        )
        for id_ in client_ids
    ]
    deliver(desk.service, "forget_clients", *events)
    deliver(desk.service, "forget_clients", *events)
    wanted = {event.data["erasure_id"] for event in events}
    return [report for report in desk.emitted(messaging.ERASURE_REPORTED) if report["erasure_id"] in wanted]


def has_a_history(desk: Desk) -> str:
    """A client who was written to in bulk and one by one, wrote back, and was called."""
    client_id = somebody(desk)
    desk.ask([desk.item(client_id)])
    desk.run()
    say(desk, client_id, "The Wurlitzer is in Quahogport.")
    desk.run()
    desk.write(NUMBER, "I moved to Marzipan Row.")
    communications.log_communication(
        desk.db, desk.calls, client_id=client_id, actor_id=desk.staff_id, kind="call", subject="Lamplighter",
        notes="Ask about the Wurlitzer.", now=desk.clock(),
    )  # fmt: skip
    return client_id
