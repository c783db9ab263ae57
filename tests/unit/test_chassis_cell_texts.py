"""chassis: several texts in one cell."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.imports.cell_texts import joined_texts, split_texts
from tests.examples import examples

TEXT = st.text('ab";,|: ', min_size=1, max_size=6).map(lambda text: " ".join(text.split())).filter(bool)


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(TEXT, max_size=4))
def test_what_was_put_together_comes_apart_as_it_was(texts: list[str]) -> None:
    assert split_texts(joined_texts(texts)) == texts
    assert split_texts(joined_texts(texts), commas=False) == texts


@pytest.mark.parametrize(
    ("cell", "texts"),
    [
        ("vip; new, x|y", ["vip", "new", "x", "y"]), ("* myContacts ::: Friends", ["* myContacts", "Friends"]),
        ('"a;b"; c', ["a;b", "c"]), ('say "hi"; x', ['say "hi"', "x"]), ('"', ['"']), ('"x"y; z', ['"x"y', "z"]),
        ("a::b", ["a::b"]), ('"a""b"', ['a"b']), (" ;; ", []), ("", []), ('""', []),
    ],
)  # fmt: skip
def test_cells_come_apart_as_people_mean_them(cell: str, texts: list[str]) -> None:
    assert split_texts(cell) == texts
