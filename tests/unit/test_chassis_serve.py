"""What `serve` refuses at import."""

from __future__ import annotations

from typing import Any

import pytest
from marshmallow import Schema, fields

from chassis.rpc import serve, served_operations
from contracts.base import Empty, Operation


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
