"""The wire types that every contract is made of."""

from __future__ import annotations

import datetime as dt
import unicodedata

import pytest
from marshmallow import ValidationError

from contracts.base import Amount, Choice, Entries, Instant, Text


@pytest.mark.parametrize(
    "given", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "2026-01-31", "2026-01-31T15:00:00", "noon", 7]
)
def test_what_is_no_instant_is_refused_with_an_example(given: object) -> None:
    with pytest.raises(ValidationError, match="like 2026-01-31T15:00:00Z"):
        Instant().deserialize(given)


def test_an_instant_is_the_same_moment_in_utc() -> None:
    assert Instant().deserialize("2026-01-31T15:00:00+05:30") == dt.datetime(2026, 1, 31, 9, 30, tzinfo=dt.UTC)


def test_a_text_is_as_long_as_it_is_kept() -> None:
    # One letter of Hindi that is two in the form in which texts are kept.
    letter = "\u0958"
    assert len(unicodedata.normalize("NFC", letter)) == 2
    assert Text(longest=4).deserialize(letter * 2) == letter * 2
    with pytest.raises(ValidationError, match="Longer than maximum length 4"):
        Text(longest=4).deserialize(letter * 3)
    # Written as a letter and its accent, which are one when they are kept.
    assert Text(longest=4).deserialize("e\u0301" * 2)
    with pytest.raises(ValidationError) as caught:
        Text(longest=4).deserialize(letter * 5)
    assert len(caught.value.messages) == 1


@pytest.mark.parametrize(("given", "kept"), [("10.5", "10.50"), (3, "3.00"), ("-0.25", "-0.25"), (1.1, "1.10")])
def test_an_amount_has_two_decimals(given: object, kept: str) -> None:
    assert Amount().serialize("value", {"value": Amount().deserialize(given)}) == kept


@pytest.mark.parametrize("given", ["10.005", 0.1 + 0.2, "1E-9", "1E50", "NaN", "Infinity", "ten", True, [1]])
def test_what_is_no_amount_is_refused_and_not_rounded(given: object) -> None:
    with pytest.raises(ValidationError):
        Amount().deserialize(given)


def test_what_is_wrong_with_an_entry_is_said_under_its_key() -> None:
    entries = Entries(keys=Text(longest=3), values=Choice("this", "that"))
    assert entries.deserialize({"a": "this"}) == {"a": "this"}
    with pytest.raises(ValidationError) as caught:
        entries.deserialize({"a": "mine", "long": "this"})
    assert caught.value.messages == {
        "a": ["Must be one of: this, that."], "long": ["Length must be between 0 and 3."],
    }  # fmt: skip
    with pytest.raises(ValidationError, match="Not a valid mapping type"):
        entries.deserialize([])
