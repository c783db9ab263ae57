"""What `serve` refuses at import, and which errors it lets out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from marshmallow import Schema, fields

from chassis.context import Context
from chassis.rpc import RemoteFault, serve, served_operations
from chassis.rpc_server import Served
from chassis.rpc_wire import decode_reply
from contracts.base import Empty, Operation
from contracts.errors import CasewireError, Gone, NotFound, Unavailable


class Request(Schema):
    title = fields.String(required=True)
    note = fields.String()


OPERATION = Operation("things", "make_thing", Request, Empty)


def test_a_method_must_bear_the_operations_name() -> None:
    with pytest.raises(TypeError, match="not another_name"):

        @serve(OPERATION)
        def another_name(self: Any, title: str, note: str = "") -> None: ...


def test_a_method_must_take_what_the_contract_sends() -> None:
    with pytest.raises(TypeError, match="takes no note"):

        @serve(OPERATION)
        def make_thing(self: Any, title: str) -> None: ...


def test_a_method_must_not_need_what_the_contract_does_not_send() -> None:
    with pytest.raises(TypeError, match="sends no colour"):

        @serve(OPERATION)
        def make_thing(self: Any, title: str, colour: str, note: str = "") -> None: ...


def test_a_served_method_stays_a_method() -> None:
    class Things:
        @serve(OPERATION)
        def make_thing(self, **request: Any) -> dict[str, Any]:
            return request

    assert Things().make_thing(title="x") == {"title": "x"}
    assert served_operations(Things) == {"make_thing": OPERATION}


@pytest.mark.parametrize(
    ("operation", "context", "may"),
    [
        (OPERATION, Context(firm_id="f"), False),
        (OPERATION, Context(firm_id="f", idempotency_key="k"), True),
        (replace(OPERATION, repeatable=True), Context(firm_id="f"), True),
        (replace(OPERATION, name="get_thing"), Context(firm_id="f"), True),
    ],
    ids=["command", "keyed", "repeatable", "read"],
)
def test_what_was_perhaps_carried_out_is_repeated_only_where_that_does_no_harm(
    operation: Operation, context: Context, may: bool
) -> None:
    def method(self: Any, **request: Any) -> None: ...

    method.__name__ = operation.name
    assert Served(operation, method).may_repeat(context) is may


@pytest.mark.parametrize("error", [NotFound("thing_not_found"), Unavailable("elsewhere")], ids=["declared", "any"])
def test_a_declared_error_leaves_as_itself(error: CasewireError) -> None:
    with pytest.raises(type(error), match=error.code):
        decode_reply(_answer(error))


def test_an_error_of_the_tree_that_is_not_declared_is_a_fault_without_details() -> None:
    with pytest.raises(RemoteFault) as caught:
        decode_reply(_answer(Gone("thing_gone", secret="s")))
    assert "gone" not in str(caught.value)
    assert caught.value.meta == {"correlation_id": "c-1"}


def _answer(error: Exception) -> bytes:
    class Things:
        def make_thing(self, **request: Any) -> dict[str, Any]:
            raise error

    operation = Operation("things", "make_thing", Request, Empty, (NotFound,))
    return Served(operation, Things.make_thing).answer(
        Things(), {"title": "x"}, Context(firm_id="f", correlation_id="c-1")
    )
