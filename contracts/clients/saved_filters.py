"""Filters of clients with a name."""

from __future__ import annotations

from contracts import saved_filters
from contracts.clients.common import OWNER

(
    CREATE_SAVED_FILTER,
    GET_SAVED_FILTER,
    LIST_SAVED_FILTERS,
    UPDATE_SAVED_FILTER,
    DELETE_SAVED_FILTER,
) = saved_filters.operations(OWNER, {"field": "status", "op": "eq", "value": "active"})

__all__ = [
    "CREATE_SAVED_FILTER",
    "DELETE_SAVED_FILTER",
    "GET_SAVED_FILTER",
    "LIST_SAVED_FILTERS",
    "UPDATE_SAVED_FILTER",
]
