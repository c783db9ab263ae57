"""Going on with the others where one fails: no firm, and no row, that always fails keeps those after it waiting."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType

from sqlalchemy import Select

from chassis.context import Context, use
from chassis.database import Database
from chassis.telemetry import log_of, log_unexpected
from contracts.errors import CasewireError

_log = log_of(__name__)


class Failures:
    """Keeps what fails until everything was tried; then the first error is raised. Each is logged.

    with Failures() as failures:
        for row in rows:
            with failures.kept(row_id=row.id):
                do(row)
    """

    def __init__(self) -> None:
        self._first: Exception | None = None

    @contextmanager
    def kept(self, **ids: str) -> Iterator[None]:
        """Ends where the work in it fails, and the caller goes on after it. `ids`, for the log: of what it was."""
        try:
            yield
        except Exception as error:
            if isinstance(error, CasewireError):
                _log.warning("failed_beside_others", code=error.code, **ids)
            else:
                log_unexpected(_log, error, event="failed_beside_others", **ids)
            self._first = self._first or error

    def __enter__(self) -> Failures:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and self._first is not None:
            raise self._first


def firm_by_firm(
    everywhere: Database, due: Select[str, str], at_once: int, work: Callable[[Database, Sequence[str]], int]
) -> bool:
    """Does `work` on what is due, a page for all firms; whether there may be more. `due` selects a table's `firm_id`,
    and an id, in their order; `work` gets the database and the ids of one firm, in its context, and returns how many of
    them are due no more.

    A firm that fails, or whose rows are all held, is left out, and others have its place in the page. What was raised
    first is raised in the end.
    """
    firm, left_out = due.selected_columns[0], set[str]()
    with Failures() as failures:
        while True:
            page = due.where(firm.not_in(sorted(left_out))) if left_out else due
            with everywhere.read() as session:
                by_firm: dict[str, list[str]] = {}
                for firm_id, id_ in session.execute(page.limit(at_once)):
                    by_firm.setdefault(firm_id, []).append(id_)
            for firm_id, ids in by_firm.items():
                done = 0
                with use(Context(firm_id=firm_id)), failures.kept(firm_id=firm_id):
                    done = work(everywhere.for_firm(firm_id), ids)
                if not done:
                    left_out.add(firm_id)
            is_full = sum(map(len, by_firm.values())) == at_once
            if not is_full or not left_out:
                return is_full
