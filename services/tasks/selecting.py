"""The cases of a selector, page by page: ids only, and wire values as they come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

LARGEST_PAGE = 5_000
_ADDING = ("case_ids", "case_filter", "case_list_ids")


def named_cases(selector: Mapping[str, Any]) -> tuple[list[str], bool]:
    """The cases that a selector means by their ids, sorted, and whether it means no others. Those of them that it does
    not select are archived, or pending."""
    named = set(selector.get("case_ids", ()))
    if "include_case_ids" in selector:
        included = set(selector["include_case_ids"])
        named = named & included if any(part in selector for part in _ADDING) else included
    whole = "case_filter" not in selector and "case_list_ids" not in selector
    return sorted(named - set(selector.get("exclude_case_ids", ()))), whole


def pages_of_cases(calls: Any, selector: dict[str, Any], *, to_keep: bool = False) -> Iterator[list[dict[str, Any]]]:
    """Pages of {"case_id", "case_type_id", "client_ids"} in order of case id; none is empty. The next one is on its way
    while a page is looked at.

    `calls` are raw ones: thousands of ids are passed on as they are. `to_keep`: see `contracts.cases.SelectCases`.
    Raises what `cases.select_cases` does; the first page is asked for by the first `next`.
    """
    query = {"selector": selector, "limit": LARGEST_PAGE, "to_keep": to_keep}
    asked = calls.cases.select_cases.start(**query, cursor=None)
    while True:
        found = asked.result()
        cursor = found["meta"]["next_cursor"]
        if cursor is not None:
            asked = calls.cases.select_cases.start(**query, cursor=cursor)
        if found["data"]:
            yield found["data"]
        if cursor is None:
            return
