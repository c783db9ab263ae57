"""Selections looked up ahead: what finds the cases of one page often finds those of all, and costs as much.

So each statement finds the ids of many pages, and those that come next are kept for a moment. A replica that does not
have them looks them up itself: nothing depends on them but time.
"""

from __future__ import annotations

import datetime as dt
from array import array
from bisect import bisect_right
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from cachetools import TTLCache
from nameko.extensions import DependencyProvider

PAGES = 40
"""Of how many pages the ids are looked up at once."""
_SELECTIONS = 16
_SECONDS = 300
"""Of the last so many selections that were not read to their end: at most 5 MB each, in pages of 5,000."""
_LENGTH = 16


class _Packed(Sequence[bytes]):
    """Ids in order, 16 bytes each."""

    def __init__(self, ids: Sequence[str]) -> None:
        self._bytes = bytes.fromhex("".join(ids).replace("-", ""))

    def __len__(self) -> int:
        return len(self._bytes) // _LENGTH

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        return self._bytes[index * _LENGTH : (index + 1) * _LENGTH]

    def texts(self, first: int, past: int) -> list[str]:
        """Those from one place on and before another."""
        digits = self._bytes[first * _LENGTH : past * _LENGTH].hex()
        each = (digits[start : start + 32] for start in range(0, len(digits), 32))
        return [f"{id_[:8]}-{id_[8:12]}-{id_[12:16]}-{id_[16:20]}-{id_[20:]}" for id_ in each]


def _packed(id_: str) -> bytes:
    return bytes.fromhex(id_.replace("-", ""))


@dataclass(frozen=True)
class Ahead:
    """The cases of a selection in order, from behind `after` (None: from the first) on, as they were at a moment: all
    that follow, if `complete`. `sources`: who tells what it asks of clients."""

    at: dt.datetime
    after: str | None
    ids: _Packed
    types: Sequence[str]
    type_of: array[int]
    complete: bool
    sources: frozenset[str]

    @classmethod
    def of(
        cls,
        cases: Iterable[tuple[str, str]],
        *,
        at: dt.datetime,
        after: str | None,
        complete: bool,
        sources: set[str],
    ) -> Ahead:
        """Of (id, case type) in order."""
        numbers: dict[str, int] = {}
        ids, type_of = [], array("L")
        for id_, case_type_id in cases:
            ids.append(id_)
            type_of.append(numbers.setdefault(case_type_id, len(numbers)))
        return cls(at, after, _Packed(ids), list(numbers), type_of, complete, frozenset(sources))

    def page(self, after: str | None, limit: int) -> tuple[dict[str, str], bool] | None:
        """The page behind `after`, {id: case type}, and whether more follow; None if it is not all here."""
        if self.after is not None and (after is None or after < self.after):
            return None
        first = 0 if after is None else bisect_right(self.ids, _packed(after))
        past = min(first + limit, len(self.ids))
        more = past < len(self.ids)
        if not more and not self.complete:
            return None
        types = (self.types[number] for number in self.type_of[first:past])
        return dict(zip(self.ids.texts(first, past), types, strict=True)), more

    def first_page(self, limit: int) -> tuple[dict[str, str], bool]:
        """The page with which it begins, no longer than what was looked up."""
        found = self.page(self.after, limit)
        assert found is not None, "longer than what was looked up"
        return found


class KeptSelections:
    """What was looked up ahead, by whose selection it is."""

    def __init__(self) -> None:
        self._kept: TTLCache[Hashable, Ahead] = TTLCache(_SELECTIONS, _SECONDS)

    def get(self, key: Hashable) -> Ahead | None:
        return self._kept.get(key)

    def keep(self, key: Hashable, ahead: Ahead) -> None:
        self._kept[key] = ahead


class Selections(DependencyProvider):
    """One `KeptSelections` for all workers of a process."""

    def setup(self) -> None:
        self._kept = KeptSelections()

    def get_dependency(self, worker_ctx: object) -> KeptSelections:
        return self._kept
