"""The declarations in `contracts/` hold at both ends: each operation has one server, each example loads, each
subscription names a declared event of its owner, and every permission is in the one table."""

from __future__ import annotations

import importlib
import types
from collections.abc import Iterator
from typing import Any

import pytest

from chassis import events
from chassis.rpc import served_operations
from contracts import accounts, cases, clients, messaging, portal, tasks
from contracts.base import Event, Operation, declared
from contracts.errors import TREE, CasewireError, from_wire
from services.accounts import permissions

MODULES: tuple[types.ModuleType, ...] = (accounts, clients, cases, tasks, messaging, portal)
OPERATIONS: list[Operation] = [operation for module in MODULES for operation in declared(module)[0]]
EVENTS: list[Event] = [event for module in MODULES for event in declared(module)[1] if event.owner == module.OWNER]
DEPLOYABLES = (
    "services.accounts.service:AccountsService",
    "services.clients.service:ClientsService",
    "services.cases.service:CasesService",
    "services.tasks.service:TasksService",
    "services.messaging.service:MessagingService",
    "services.messaging.dispatcher:Dispatcher",
    "services.portal.service:PortalService",
    "gateway.service:Gateway",
)


def deployables() -> list[type[Any]]:
    found = []
    for address in DEPLOYABLES:
        module, _, name = address.partition(":")
        found.append(getattr(importlib.import_module(module), name))
    return found


def subscriptions() -> Iterator[tuple[type[Any], str, Event]]:
    for cls in deployables():
        for method, event in events.subscriptions(cls).items():
            yield cls, method, event


def test_each_operation_has_exactly_one_server() -> None:
    served = [operation for cls in deployables() for operation in served_operations(cls).values()]
    assert sorted(map(str, served)) == sorted(map(str, OPERATIONS))


def test_each_operation_is_served_by_its_owner() -> None:
    for cls in deployables():
        assert {operation.owner for operation in served_operations(cls).values()} <= {cls.name}


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_an_operations_example_passes_both_ends(operation: Operation) -> None:
    schema = operation.request()
    sent = schema.dump(schema.load(operation.example))
    assert schema.validate(sent) == {}
    assert operation.response().validate(operation.answer, partial=True) == {}


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: f"{event.owner}-{event.name}")
def test_an_events_example_passes_both_ends(event: Event) -> None:
    schema = event.data()
    assert schema.validate(schema.dump(schema.load(event.example))) == {}
    noun, _, version = event.name.rpartition(".")
    assert version.startswith("v")
    assert "." in noun


def test_each_subscription_is_to_a_declared_event() -> None:
    found = list(subscriptions())
    assert found
    for cls, method, event in found:
        assert event in EVENTS, f"{cls.__name__}.{method}"


def test_a_service_subscribes_to_an_event_of_one_owner_once() -> None:
    queues = [(cls.__name__, method, event.owner, event.name) for cls, method, event in subscriptions()]
    assert len({(cls, owner, name) for cls, _, owner, name in queues}) == len(queues)


def test_every_demanded_permission_is_in_the_table() -> None:
    demanded = {operation.permission for operation in OPERATIONS if operation.permission}
    assert demanded <= permissions.ALL


@pytest.mark.parametrize("error", TREE.values(), ids=lambda error: error.__name__)
def test_an_error_survives_the_wire_as_its_type(error: type[CasewireError]) -> None:
    made = error("some_code", fields=[{"field": "a.0", "message": "No."}], client_id="1")
    back = from_wire(made.to_wire())
    assert type(back) is error
    assert back is not None
    assert (back.code, back.meta, back.fields, back.status) == (made.code, made.meta, made.fields, made.status)
