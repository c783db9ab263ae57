"""The filter language and selectors over sets in memory: what the SQL is held to. It shares no code with it."""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

from tests.service.cases_office import Modelled

SETS_OF_WORDS = ("clients.tags", "custom_fields.topics", "answers.topics")


def holds(wire: dict[str, Any], case: Modelled, now: dt.datetime) -> bool:
    """Whether a filter, known to be right, holds for a case."""
    if "and" in wire:
        return all(holds(part, case, now) for part in wire["and"])
    if "or" in wire:
        return any(holds(part, case, now) for part in wire["or"])
    if "not" in wire:
        return not holds(wire["not"], case, now)
    name, op, wanted = wire["field"], wire["op"], wire.get("value")
    values = case.values[name]
    if op == "is_empty":
        return not values
    if op == "is_not_empty":
        return bool(values)
    if op == "ne":
        return not any(_equal(value, wanted) for value in values)
    if op == "not_in":
        return not any(_equal(value, one) for value in values for one in wanted)
    if op == "contains" and name in SETS_OF_WORDS:
        return wanted in values
    return any(_TESTS[op](value, wanted, now) for value in values)


def select(
    selector: dict[str, Any], cases: Iterable[Modelled], lists: dict[str, dict[str, Any]], now: dt.datetime
) -> set[str]:
    """The ids that a selector selects."""
    there = {case.id: case for case in cases if not case.archived and not case.pending}

    def filtered(wire: dict[str, Any] | None) -> set[str]:
        return {id_ for id_, case in there.items() if wire is not None and holds(wire, case, now)}

    chosen: set[str] = set(there)
    if selector.keys() & {"case_ids", "case_filter", "case_list_ids"}:
        chosen = set(selector.get("case_ids", ())) | filtered(selector.get("case_filter"))
        for list_id in selector.get("case_list_ids", ()):
            entry = lists[list_id]
            chosen |= (filtered(entry["filter"]) | set(entry["include_ids"])) - set(entry["exclude_ids"])
    if "include_case_ids" in selector:
        chosen &= set(selector["include_case_ids"])
    return (chosen - set(selector.get("exclude_case_ids", ()))) & there.keys()


def _equal(value: Any, wanted: Any) -> bool:
    return bool(_read_as(value, wanted) == value) if _read_as(value, wanted) is not None else False


def _read_as(value: Any, wanted: Any) -> Any:
    """The wanted value in the type of the stored one, None if it writes none."""
    if isinstance(value, bool):
        return wanted if isinstance(wanted, bool) else None
    if isinstance(value, Decimal):
        try:
            return Decimal(str(wanted))
        except InvalidOperation:
            return None
    if isinstance(value, dt.datetime):
        return dt.datetime.fromisoformat(wanted)
    if isinstance(value, dt.date):
        return dt.date.fromisoformat(wanted)
    return wanted if isinstance(wanted, str) else None


def _ordered(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any, dt.datetime], bool]:
    def compare(value: Any, wanted: Any, now: dt.datetime) -> bool:
        if isinstance(value, str | bool):
            return False
        read = _read_as(value, wanted)
        return read is not None and test(value, read)

    return compare


def _fold(text: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def _between(value: Any, wanted: list[Any], now: dt.datetime) -> bool:
    return _TESTS["gte"](value, wanted[0], now) and _TESTS["lte"](value, wanted[1], now)


def _day(value: dt.date | dt.datetime, now: dt.datetime) -> dt.date:
    return value.astimezone(now.tzinfo).date() if isinstance(value, dt.datetime) else value


_TESTS: dict[str, Callable[[Any, Any, dt.datetime], bool]] = {
    "eq": lambda value, wanted, now: _equal(value, wanted),
    "in": lambda value, wanted, now: any(_equal(value, one) for one in wanted),
    "contains": lambda value, wanted, now: isinstance(value, str) and _fold(wanted) in _fold(value),
    "starts_with": lambda value, wanted, now: isinstance(value, str) and _fold(value).startswith(_fold(wanted)),
    "gt": _ordered(lambda value, wanted: value > wanted),
    "gte": _ordered(lambda value, wanted: value >= wanted),
    "lt": _ordered(lambda value, wanted: value < wanted),
    "lte": _ordered(lambda value, wanted: value <= wanted),
    "between": _between,
    "older_than_days": lambda value, days, now: _day(value, now) < now.date() - dt.timedelta(days=days),
    "within_next_days": lambda value, days, now: 0 <= (_day(value, now) - now.date()).days <= days,
}
