"""Filters with a name, of every service whose records can be filtered. Each keeps those of its own records."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from contracts.base import Choice, Empty, Id, Operation, PageRequest, Stamped, Text, page_of
from contracts.errors import Conflict, Invalid, NotFound

TARGETS = ("cases", "clients")


class SavedFilterFields(Schema):
    name = Text(longest=120, shortest=1)
    filter = fields.Dict()


class SavedFilter(SavedFilterFields, Stamped):
    """`target`: whose records it filters."""

    target = Choice(*TARGETS)


class CreateSavedFilter(Schema):
    name = Text(longest=120, shortest=1, required=True)
    filter = fields.Dict(required=True)


class SavedFilterId(Schema):
    saved_filter_id = Id(required=True)


class UpdateSavedFilter(SavedFilterId):
    changes = fields.Nested(SavedFilterFields, required=True)
    expected_version = fields.Integer(load_default=None, allow_none=True)


def operations(owner: str, example: dict[str, Any]) -> tuple[Operation, Operation, Operation, Operation, Operation]:
    """To create, get, list, update and delete the saved filters of a service."""
    read, write = f"{owner}.read", f"{owner}.write"
    known = {"saved_filter_id": "018f4e9a-0000-7000-8000-000000000021"}
    return (
        Operation(
            owner, "create_saved_filter", CreateSavedFilter, SavedFilter, (Invalid, NotFound, Conflict),
            permission=write, example={"name": "Open", "filter": example},
        ),
        Operation(
            owner, "get_saved_filter", SavedFilterId, SavedFilter, (NotFound,), permission=read, example=known
        ),
        Operation(
            owner, "list_saved_filters", PageRequest, page_of(SavedFilter), (Invalid,), permission=read
        ),
        Operation(
            owner, "update_saved_filter", UpdateSavedFilter, SavedFilter, (Invalid, NotFound, Conflict),
            permission=write, example={**known, "changes": {"name": "Active"}},
        ),
        Operation(
            owner, "delete_saved_filter", SavedFilterId, Empty, (NotFound, Conflict), permission=write, example=known
        ),
    )  # fmt: skip
