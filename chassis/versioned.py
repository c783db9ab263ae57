"""Records that change, and whose version a caller may name."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import Integer
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Instant, utc_now
from contracts.errors import Conflict


class Versioned:
    """Mixin of models. `version` grows by one per change and makes the ETag."""

    version: Mapped[int] = mapped_column(Integer, default=1)
    created_at: Mapped[dt.datetime] = mapped_column(Instant, default=utc_now)
    updated_at: Mapped[dt.datetime] = mapped_column(Instant, default=utc_now)

    def touch(self, now: dt.datetime) -> None:
        """Counts one more change."""
        self.version += 1
        self.updated_at = now

    def expect_version(self, expected: int | None) -> None:
        """Raises Conflict `stale_version` if the caller looked at another version than this; None looked at none."""
        if expected is not None and expected != self.version:
            raise Conflict("stale_version", version=self.version)
