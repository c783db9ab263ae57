"""`FakeCalls`: stands in for other services in tests, held to their contracts."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from typing import Any

from chassis.rpc_wire import RemoteFault
from chassis.wire import strict
from contracts.base import Operation, declared
from contracts.errors import CasewireError, DeadlineExceeded, Invalid, Unavailable


class FakeCalls:
    """Stands in for `Calls(…)`: answers by functions, held to the contracts both ways.

    `answers` maps an operation to a function of its request's keyword arguments that returns Python values, or raises a
    declared error. An operation that no module declares is an AttributeError; a request, answer or error that the
    contract refuses is an AssertionError. `calls` lists what was asked: (operation, arguments).
    """

    def __init__(
        self,
        *modules: types.ModuleType,
        answers: Mapping[Operation, Callable[..., Any]] | None = None,
        raw: bool = False,
    ) -> None:
        self.answers: dict[Operation, Callable[..., Any]] = dict(answers or {})
        self.calls: list[tuple[Operation, dict[str, Any]]] = []
        self.raw = raw
        self._owners: dict[str, _FakeService] = {}
        for module in modules:
            operations = {operation.name: operation for operation in declared(module)[0]}
            self._owners[module.OWNER] = _FakeService(self, operations)

    def __getattr__(self, owner: str) -> _FakeService:
        if owner.startswith("_") or owner not in self._owners:
            raise AttributeError(owner)
        return self._owners[owner]

    def asked(self, operation: Operation) -> list[dict[str, Any]]:
        """The arguments of each call of one operation."""
        return [arguments for asked, arguments in self.calls if asked == operation]

    def _perform(self, operation: Operation, arguments: dict[str, Any]) -> Any:
        request = strict(operation.request)
        # Wire values go by the wire's names.
        known = {field.data_key or name for name, field in request.fields.items()} if self.raw else set(request.fields)
        if unknown := set(arguments) - known:
            raise AssertionError(f"{operation} takes no {', '.join(sorted(unknown))}")
        wire = arguments if self.raw else request.dump(arguments)
        if problems := request.schema.validate(wire):
            raise AssertionError(f"{operation} refuses the request: {problems}")
        loaded = dict(request.load(wire))
        self.calls.append((operation, loaded))
        if operation not in self.answers:
            raise AssertionError(f"the test has no answer for {operation}")
        try:
            answer = self.answers[operation](**loaded)
        except CasewireError as error:
            if not isinstance(error, (*operation.errors, Invalid, Unavailable, DeadlineExceeded, RemoteFault)):
                raise AssertionError(f"{operation} does not declare {type(error).__name__}") from error
            raise
        response = strict(operation.response)
        dumped = response.dump(answer or {})
        if problems := response.schema.validate(dumped):
            raise AssertionError(f"{operation} cannot answer that: {problems}")
        return dumped if self.raw else dict(response.load(dumped))


class _FakeService:
    def __init__(self, fake: FakeCalls, operations: dict[str, Operation]) -> None:
        self._fake = fake
        self._operations = operations

    def __getattr__(self, name: str) -> _FakeOperation:
        if name not in self._operations:
            raise AttributeError(f"no contract declares {name}")
        return _FakeOperation(self._fake, self._operations[name])


class _FakeOperation:
    def __init__(self, fake: FakeCalls, operation: Operation) -> None:
        self._fake = fake
        self._operation = operation

    def __call__(self, **arguments: Any) -> Any:
        return self._fake._perform(self._operation, arguments)

    def start(self, **arguments: Any) -> _FakeReply:
        return _FakeReply(lambda: self(**arguments))


class _FakeReply:
    def __init__(self, perform: Callable[[], Any]) -> None:
        self._outcome: Any = None
        self._error: Exception | None = None
        try:
            self._outcome = perform()
        except CasewireError as error:
            self._error = error

    def result(self) -> Any:
        """The answer; raises what the call raised."""
        if self._error is not None:
            raise self._error
        return self._outcome
