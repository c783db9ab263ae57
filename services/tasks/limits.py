"""What is refused to somebody who is limited to some types of cases. (That such a member finds no task of another
case is the sessions' doing: `models.known_cases.of_cases`.)"""

from __future__ import annotations

from collections.abc import Sequence

from chassis.context import kinds_seen
from contracts.errors import Forbidden


def demand_no_limit() -> None:
    """For what is about cases of all types: raises Forbidden `limited_to_case_types` to whom not all are shown."""
    if kinds_seen() is not None:
        raise Forbidden("limited_to_case_types")


def demand_all_of(sees_only: Sequence[str] | None) -> None:
    """For work that is about cases of these types (None: of all): raises Forbidden `limited_to_case_types` unless all
    of them are shown."""
    kinds = kinds_seen()
    if kinds is not None and (sees_only is None or not set(sees_only) <= set(kinds)):
        raise Forbidden("limited_to_case_types")
