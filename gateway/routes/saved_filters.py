"""/v1/saved-filters: each service keeps the filters of its own records, and `target` says which."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

from flask import Response, g, request
from flask_smorest import Blueprint

from contracts import cases, clients
from contracts.base import Choice, Operation, PageRequest, page_of
from contracts.errors import NotFound
from contracts.saved_filters import TARGETS, CreateSavedFilter, SavedFilter, SavedFilterFields
from gateway.credentials import demand
from gateway.endpoints import IDEMPOTENCY_KEY, IF_MATCH, View, call, expected_version, query_arguments, start
from gateway.wire import json_response, record_response

blueprint = Blueprint("saved_filters", __name__, url_prefix="/v1/saved-filters", description="Filters with a name.")

_OWNERS: dict[str, ModuleType] = {"cases": cases, "clients": clients}


class CreateTargetedFilter(CreateSavedFilter):
    target = Choice(*TARGETS, load_default="cases")


class ListTargetedFilters(PageRequest):
    target = Choice(*TARGETS, load_default="cases")


def _any_of(name: str) -> Callable[[View], View]:
    """Refuse, before anything is read, whoever may do this to no target's filters."""

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Response:
            _allowed(name)
            return view(*args, **kwargs)

        return guarded

    return decorate


def _allowed(name: str) -> list[str]:
    """The targets to whose filters the caller may do this. Raises Forbidden if there are none."""
    permissions = {target: getattr(owner, name).permission for target, owner in _OWNERS.items()}
    found = [target for target, permission in permissions.items() if permission in g.credential["permissions"]]
    if not found:
        demand(permissions["cases"])
    return found


def _operation(target: str, name: str) -> Operation:
    operation: Operation = getattr(_OWNERS[target], name)
    demand(operation.permission)
    return operation


def _find(saved_filter_id: str) -> tuple[str, Any]:
    """Whose records a filter is of, and the filter. Every owner is asked at the same time: an id does not say."""
    asked = {
        target: start(_OWNERS[target].GET_SAVED_FILTER, saved_filter_id=saved_filter_id)
        for target in _allowed("GET_SAVED_FILTER")
    }
    found: tuple[str, Any] | None = None
    missing: NotFound | None = None
    for target, answer in asked.items():
        try:
            found = (target, answer.result())
        except NotFound as error:
            missing = error
    if found is None:
        raise missing or NotFound("saved_filter_not_found", saved_filter_id=saved_filter_id)
    return found


@blueprint.route("", methods=["GET"])
@_any_of("LIST_SAVED_FILTERS")
@query_arguments(blueprint, ListTargetedFilters)
@blueprint.response(200, page_of(SavedFilter))
def list_saved_filters(query: dict[str, Any]) -> Response:
    """The saved filters of one kind of records."""
    operation = _operation(query.pop("target"), "LIST_SAVED_FILTERS")
    return json_response(call(operation, **query))


@blueprint.route("", methods=["POST"])
@_any_of("CREATE_SAVED_FILTER")
@blueprint.arguments(CreateTargetedFilter)
@blueprint.response(201, SavedFilter)
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def create_saved_filter(given: dict[str, Any]) -> Response:
    """Keep a filter under a name."""
    operation = _operation(given["target"], "CREATE_SAVED_FILTER")
    sent = {name: value for name, value in request.get_json().items() if name != "target"}
    made = call(operation, **sent)
    return record_response(made, 201, location=f"/v1/saved-filters/{made['id']}")


@blueprint.route("/<uuid:id>", methods=["GET"])
@_any_of("GET_SAVED_FILTER")
@blueprint.response(200, SavedFilter)
def get_saved_filter(id: Any) -> Response:
    """A saved filter."""
    return record_response(_find(str(id))[1])


@blueprint.route("/<uuid:id>", methods=["PATCH"])
@_any_of("UPDATE_SAVED_FILTER")
@blueprint.arguments(SavedFilterFields)
@blueprint.response(200, SavedFilter)
@blueprint.doc(parameters=[IF_MATCH])
def update_saved_filter(given: dict[str, Any], id: Any) -> Response:
    """Rename a saved filter, or change it."""
    operation = _operation(_find(str(id))[0], "UPDATE_SAVED_FILTER")
    changes, version = request.get_json(), expected_version()
    return record_response(call(operation, saved_filter_id=str(id), changes=changes, expected_version=version))


@blueprint.route("/<uuid:id>", methods=["DELETE"])
@_any_of("DELETE_SAVED_FILTER")
@blueprint.response(204)
def delete_saved_filter(id: Any) -> Response:
    """Delete a saved filter that nothing refers to."""
    call(_operation(_find(str(id))[0], "DELETE_SAVED_FILTER"), saved_filter_id=str(id))
    return Response(status=204)
