"""What is refused to somebody who is limited to some types of cases. (That such a member finds no case of another type
is the sessions' doing: `models.Case.of_kinds`.)"""

from __future__ import annotations

from chassis.context import kinds_seen
from contracts.errors import Forbidden


def may_use(case_type_id: str) -> bool:
    """Whether the caller may have to do with cases of a type."""
    kinds = kinds_seen()
    return kinds is None or case_type_id in kinds


def demand_type(case_type_id: str) -> None:
    """Raises Forbidden `case_type_not_allowed` for a type that the caller is not limited to."""
    if not may_use(case_type_id):
        raise Forbidden("case_type_not_allowed", case_type_id=case_type_id)


def demand_no_limit() -> None:
    """For what is about cases of all types: raises Forbidden `limited_to_case_types` to whom not all are shown."""
    if kinds_seen() is not None:
        raise Forbidden("limited_to_case_types")
