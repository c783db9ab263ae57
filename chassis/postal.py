"""Postal addresses as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def as_lines(address: Mapping[str, Any], *, home: str | None = None) -> str:
    """An address of parts (`line1`, `line2`, `city`, `state`, `postal_code`, `country`; each may be missing) as it
    stands on an envelope. The country `home` is left out."""
    region = " ".join(part for part in (address.get("state"), address.get("postal_code")) if part)
    place = ", ".join(part for part in (address.get("city"), region) if part)
    country = address.get("country")
    lines = (address.get("line1"), address.get("line2"), place, None if country == home else country)
    return "\n".join(line for line in lines if line)
