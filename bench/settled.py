"""Tables as they are once autovacuum came by and nothing was written since."""

from __future__ import annotations

import time
from typing import Any

_DEADLINE = 60.0


def settle(connection: Any, tables: tuple[str, ...]) -> None:
    """VACUUM and ANALYZE everything, until PostgreSQL knows of the tables' pages that everybody sees their rows.

    Somebody's older transaction, autovacuum's own ANALYZE too, keeps VACUUM from marking them, and index-only scans
    then read the table. Raises TimeoutError if that takes longer than a minute. Leaves `connection` in autocommit."""
    connection.autocommit = True
    until = time.monotonic() + _DEADLINE
    with connection.cursor() as cursor:
        while True:
            cursor.execute("VACUUM (ANALYZE)")
            cursor.execute(
                "SELECT relname FROM pg_class WHERE relname = ANY (%s) AND relallvisible < 0.99 * relpages",
                (list(tables),),
            )
            unmarked = [name for (name,) in cursor.fetchall()]
            if not unmarked:
                break
            if time.monotonic() > until:
                raise TimeoutError(f"VACUUM does not mark the pages of {', '.join(unmarked)}")
        # Else what was made is written to disk while it is timed.
        cursor.execute("CHECKPOINT")
