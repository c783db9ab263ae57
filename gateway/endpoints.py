"""How an operation becomes a route: one declaration, from which the view and its documentation both follow.

The view checks path, query and body, makes the one RPC, and answers with the wire value as it came: the owner has
checked and dumped it by the same contract that documents the route. What was sent goes on as it was sent, too.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

import marshmallow as ma
from flask import Response, g, request
from flask_smorest import Blueprint
from webargs import fields as webfields

from contracts.base import Flag, Operation
from contracts.errors import Invalid, NotFound
from gateway.credentials import demand
from gateway.wire import read_json, record_response

View = Callable[..., Response]

_PATH_NAMES = re.compile(r"<(?:\w+:)?(\w+)>")
_VERSION = re.compile(r"[0-9]{1,9}")

IF_MATCH = {"in": "header", "name": "If-Match", "schema": {"type": "string"}, "description": "The ETag that was read."}
IDEMPOTENCY_KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "schema": {"type": "string", "maxLength": 200},
    "description": "The same key and body within 24 hours gives the first answer again.",
}


def _without(schema: type[ma.Schema], path_names: set[str]) -> ma.Schema:
    """The schema less what the path already says; its name tells it apart in the documentation."""
    inside = path_names & set(schema._declared_fields)
    if not inside:
        return schema()
    return type(f"{schema.__name__}Body", (schema,), {})(exclude=tuple(sorted(inside)))


def query_of(schema: type[ma.Schema], leave_out: set[str]) -> ma.Schema:
    """A list's request as query parameters: text becomes numbers, true/false, comma-separated lists and JSON."""
    declared: dict[str, ma.fields.Field[Any]] = {}
    for name, field in schema._declared_fields.items():
        if name in leave_out:
            continue
        common: dict[str, Any] = {"load_default": field.load_default, "validate": field.validate}
        if field.data_key:
            common["data_key"] = field.data_key
        if isinstance(field, ma.fields.Integer):
            declared[name] = ma.fields.Integer(**common)
        elif isinstance(field, Flag):
            declared[name] = ma.fields.Boolean(**common)
        elif isinstance(field, ma.fields.List):
            declared[name] = webfields.DelimitedList(field.inner, **common)
        elif isinstance(field, ma.fields.Dict):
            declared[name] = JsonText(**common)
        else:
            declared[name] = field
    return ma.Schema.from_dict(declared, name=f"{schema.__name__}Query")()


class JsonText(ma.fields.Field[dict[str, Any]]):
    """A JSON object as a query parameter."""

    default_error_messages = {"invalid": "Not a JSON object."}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, Any]:
        try:
            loaded = read_json(value)
        except ValueError as error:
            raise self.make_error("invalid") from error
        if not isinstance(loaded, dict):
            raise self.make_error("invalid")
        return loaded


def documented(schema: type[ma.Schema] | ma.Schema) -> ma.Schema:
    """A schema for a route's documentation, which stays one however often what is documented is copied: with each
    answer that a route may give, all that was said of it before is. Nobody changes it."""
    made = schema() if isinstance(schema, type) else schema
    vars(made)["__deepcopy__"] = lambda _seen: made
    return made


def query_arguments(
    blueprint: Blueprint, schema: type[ma.Schema], leave_out: set[str] | None = None
) -> Callable[[View], View]:
    """A view's query parameters; one that is not known is refused, as an unknown field of a body is."""
    asked = documented(query_of(schema, leave_out or set()))
    return blueprint.arguments(asked, location="query", unknown=ma.RAISE)


def expected_version() -> int | None:
    """The version named by `If-Match`, or None. `*` asks for any."""
    tags = request.if_match
    if not tags or tags.star_tag:
        return None
    versions = [tag for tag in tags if _VERSION.fullmatch(tag)]
    if not versions:
        raise Invalid("invalid_if_match", fields=[{"field": "If-Match", "message": "Not an ETag of ours."}])
    return int(versions[0])


def call(operation: Operation, **arguments: Any) -> Any:
    """The operation's wire answer, as the caller of this request."""
    return getattr(getattr(g.calls, operation.owner), operation.name)(**arguments)


def call_either(operation: Operation, elsewhere: Operation, missing: str, **arguments: Any) -> Any:
    """As `call`, asked of `elsewhere` where the first owner has no such record (NotFound `missing`)."""
    try:
        return call(operation, **arguments)
    except NotFound as error:
        if error.code != missing:
            raise
    demand(elsewhere.permission)
    return call(elsewhere, **arguments)


def start(operation: Operation, **arguments: Any) -> Any:
    """As `call`, begun now; `.result()` waits. For screens made of several services' answers."""
    return getattr(getattr(g.calls, operation.owner), operation.name).start(**arguments)


def permitted(*operations: Operation) -> Callable[[View], View]:
    """Refuse, before anything is read, whoever may not call all of these."""

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Response:
            for operation in operations:
                demand(operation.permission)
            return view(*args, **kwargs)

        return guarded

    return decorate


def expose(
    blueprint: Blueprint,
    method: str,
    path: str,
    operation: Operation,
    *,
    status: int = 200,
    rename: dict[str, str] | None = None,
    location: str | None = None,
    leave_out: set[str] | None = None,
    prepare: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
    summary: str | None = None,
    elsewhere: dict[str, Any] | None = None,
) -> None:
    """Serve `operation` at `method path`.

    `rename` maps a path's names to the operation's, e.g. {"id": "client_id"}. PATCH puts its body under `changes` and
    `If-Match` into `expected_version`. `location` is the prefix of a made record's address, which may name an argument,
    like "/v1/clients/{client_id}/notes". `leave_out` names fields that are not the caller's to set. `prepare` may
    change the arguments before the call. `elsewhere`: further arguments of `call_either`, where another service may
    have the record.
    """
    rename = rename or {}
    named = {rename.get(name, name) for name in _PATH_NAMES.findall(path)} | (leave_out or set())
    is_patch = method == "PATCH"
    request_schema = operation.request
    takes_body = method in ("POST", "PUT") and bool(set(request_schema._declared_fields) - named)

    def view(*args: Any, **path_values: Any) -> Response:
        arguments: dict[str, Any] = {}
        if is_patch:
            arguments["changes"] = request.get_json()
            if "expected_version" in request_schema._declared_fields:
                arguments["expected_version"] = expected_version()
        elif args:
            # A query came as text and goes on as what it means; a body goes on as it is.
            arguments.update(request.get_json() if takes_body else args[0])
        arguments.update({rename.get(name, name): str(value) for name, value in path_values.items()})
        if prepare is not None:
            arguments = prepare(arguments)
        asked: Any = call if elsewhere is None else functools.partial(call_either, **elsewhere)
        answer = asked(operation, **arguments)
        if status == 204:
            return Response(status=204)
        made = f"{location.format(**arguments)}/{answer['id']}" if location and answer.get("id") else None
        return record_response(answer, status, location=made)

    view.__name__ = f"{operation.owner}_{operation.name}_{method.lower()}"
    view.__doc__ = summary or operation.name.replace("_", " ").capitalize() + "."
    guarded: Any = view
    parameters: list[dict[str, Any]] = []
    if is_patch:
        changes = request_schema._declared_fields["changes"]
        guarded = blueprint.arguments(documented(changes.schema.__class__))(guarded)  # type: ignore[attr-defined]
        parameters.append(IF_MATCH)
    elif takes_body:
        guarded = blueprint.arguments(documented(_without(request_schema, named)))(guarded)
    elif method == "GET" and set(request_schema._declared_fields) - named:
        guarded = query_arguments(blueprint, request_schema, named)(guarded)
    if method == "POST":
        parameters.append(IDEMPOTENCY_KEY)
    if status == 204:
        guarded = blueprint.response(204)(guarded)
    else:
        guarded = blueprint.response(status, documented(operation.response))(guarded)
    for error in sorted({error.status for error in operation.errors}):
        guarded = blueprint.alt_response(error, schema=PROBLEM, content_type="application/problem+json")(guarded)
    guarded = blueprint.doc(parameters=parameters, operationId=view.__name__)(guarded)
    # Outermost: whoever may not call is refused before the body is looked at.
    blueprint.route(path, methods=[method])(permitted(operation)(guarded))


class ProblemField(ma.Schema):
    field = ma.fields.String()
    message = ma.fields.String()


class Problem(ma.Schema):
    """RFC 9457."""

    type = ma.fields.String()
    title = ma.fields.String()
    status = ma.fields.Integer()
    detail = ma.fields.String()
    code = ma.fields.String()
    correlation_id = ma.fields.String()
    errors = ma.fields.List(ma.fields.Nested(ProblemField))


PROBLEM = documented(Problem)
