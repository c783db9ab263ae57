"""Segments of a text, at the edges of each encoding."""

import pytest

from services.messaging.segments import count_segments


@pytest.mark.parametrize(
    ("text", "encoding", "units", "count"),
    [
        ("", "gsm7", 0, 1),
        ("a" * 160, "gsm7", 160, 1),
        ("a" * 161, "gsm7", 161, 2),
        ("a" * 306, "gsm7", 306, 2),
        ("a" * 307, "gsm7", 307, 3),
        ("€" * 80, "gsm7", 160, 1),
        ("€" * 81, "gsm7", 162, 2),
        # 76 euros fill 152 of 153 septets: the next may not be split, so 153 of them need a third segment.
        ("€" * 153, "gsm7", 306, 3),
        ("ñ" * 70, "gsm7", 70, 1),
        ("á" * 70, "ucs2", 70, 1),
        ("á" * 71, "ucs2", 71, 2),
        ("á" * 134, "ucs2", 134, 2),
        ("á" * 135, "ucs2", 135, 3),
        ("👍" * 35, "ucs2", 70, 1),
        ("👍" * 36, "ucs2", 72, 2),
        # 33 surrogate pairs fill 66 of 67 units: a pair is not split.
        ("👍" * 67, "ucs2", 134, 3),
        ("curly \u2019", "ucs2", 7, 1),
    ],
)
def test_segments(text: str, encoding: str, units: int, count: int) -> None:
    got = count_segments(text)
    assert (got.encoding, got.units, got.count) == (encoding, units, count)
