"""A firm's colour on the portal: as it is where it is decoration, changed as little as reading needs where it is not.

Contrast is WCAG 2's: 4.5 for text.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import NamedTuple

DEFAULT = "#24527a"
LIGHT = "#f3f4f7"
"""The page; its cards are white, which is easier to read on."""
DARK = "#1b1e24"
TEXT_CONTRAST = 4.5
_COLOR = re.compile(r"^#[0-9a-fA-F]{6}$")


class Theme(NamedTuple):
    """A style sheet of a few variables, and its hash for the content security policy."""

    css: str
    csp_hash: str


def theme(color: str | None) -> Theme:
    """The variables that portal.css expects, for a firm's colour (None or no colour: our own)."""
    brand = color.lower() if color and _COLOR.match(color) else DEFAULT
    css = (
        f":root{{--brand:{brand};--on-brand:{readable_on(brand)};"
        f"--accent-light:{toward(brand, '#000000', LIGHT)};--accent-dark:{toward(brand, '#ffffff', DARK)}}}"
    )
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return Theme(css, f"'sha256-{digest}'")


def readable_on(background: str) -> str:
    """White or black, whichever reads better: one of them always does."""
    return max("#ffffff", "#000000", key=lambda color: contrast(color, background))


def toward(color: str, end: str, background: str) -> str:
    """The colour, moved towards `end` just so far that it reads on `background`."""
    for step in range(21):
        mixed = _mix(color, end, step / 20)
        if contrast(mixed, background) >= TEXT_CONTRAST:
            return mixed
    return end


def contrast(one: str, other: str) -> float:
    """WCAG 2's contrast ratio, 1 to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _channels(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _mix(color: str, end: str, part: float) -> str:
    pairs = zip(_channels(color), _channels(end), strict=True)
    return "#" + "".join(f"{round(start + (stop - start) * part):02x}" for start, stop in pairs)


def _luminance(color: str) -> float:
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (channel / 255 for channel in _channels(color))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
