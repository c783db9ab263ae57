"""Which JPEGs are decoded line by line."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from chassis.jpegs import is_in_one_scan

SCAN = b"\xff\xda\x00\x0c\x03"


def jpeg(mode: str = "RGB", **options: bool) -> bytes:
    target = io.BytesIO()
    Image.new(mode, (40, 30)).save(target, "JPEG", exif=b"Exif\0\0" + bytes(90), **options)
    return target.getvalue()


@pytest.mark.parametrize(
    ("content", "one"),
    [
        (jpeg(), True),
        (jpeg("L"), True),
        (jpeg("CMYK"), True),
        (jpeg(progressive=True), False),
        (jpeg("L", progressive=True), False),
        (jpeg().replace(SCAN, SCAN[:-1] + b"\x01"), False),
        (jpeg().replace(SCAN, b"\xff\xff" + SCAN[1:]), True),
        (jpeg()[:200], False),
        (b"", False),
        (b"\xff\xd8" + bytes(100), False),
    ],
)
def test_one_scan_is_told_from_several(content: bytes, one: bool) -> None:
    assert is_in_one_scan(content) is one
