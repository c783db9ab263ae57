"""What is refused to somebody who is limited to some types of cases. (That such a member finds no task of another
case is the sessions' doing: `models.known_cases.of_cases`.)"""

from __future__ import annotations

from chassis.context import kinds_seen
from contracts.errors import Forbidden


def demand_no_limit() -> None:
    """For what is about cases of all types: raises Forbidden `limited_to_case_types` to whom not all are shown."""
    if kinds_seen() is not None:
        raise Forbidden("limited_to_case_types")
