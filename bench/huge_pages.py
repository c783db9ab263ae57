"""Memory in large pages for PostgreSQL, as docs/operations.md says for a large firm."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_RESERVED = Path("/proc/sys/vm/nr_hugepages")
_MEMINFO = Path("/proc/meminfo")


@contextmanager
def huge_pages(megabytes: int) -> Iterator[bool]:
    """Reserves them for as long as the block lasts. Whether the machine has them: it may not be ours to say, or its
    memory be in too small pieces."""
    before = _reserved()
    wanted = before + -(-megabytes // _page_megabytes()) if _page_megabytes() else before
    try:
        _reserve(wanted)
        granted = before < wanted <= _reserved()
        if not granted:
            _reserve(before)
            print("there are no huge pages to be had: PostgreSQL does without", file=sys.stderr)
        yield granted
    finally:
        _reserve(before)


def _reserved() -> int:
    return int(_RESERVED.read_text()) if _RESERVED.exists() else 0


def _reserve(pages: int) -> None:
    if pages != _reserved():
        try:
            _RESERVED.write_text(str(pages))
        except OSError:  # not root, or a machine that keeps this to itself
            return


def _page_megabytes() -> int:
    """0 where there are none."""
    lines = _MEMINFO.read_text().splitlines() if _MEMINFO.exists() else []
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("Hugepagesize:")), 0)
