"""The cases of a selector, page by page: ids only, and wire values as they come."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

LARGEST_PAGE = 5_000


def pages_of_cases(calls: Any, selector: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """Pages of {"case_id", "case_type_id", "client_ids"} in order of case id; none is empty.

    `calls` are raw ones: thousands of ids are passed on as they are. Raises what `cases.select_cases` does; the first
    page is asked for by the first `next`.
    """
    cursor: str | None = None
    while True:
        found = calls.cases.select_cases(selector=selector, limit=LARGEST_PAGE, cursor=cursor)
        if found["data"]:
            yield found["data"]
        cursor = found["meta"]["next_cursor"]
        if cursor is None:
            return
