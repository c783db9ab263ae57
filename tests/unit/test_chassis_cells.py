"""Cells that a sheet would run."""

from hypothesis import given
from hypothesis import strategies as st

from chassis.cells import neutral_text, plain_text


@given(st.one_of(st.text(max_size=20), st.text("'=+-@ab", max_size=5)))
def test_no_cell_is_left_that_a_sheet_would_run_and_all_can_be_read_back(cell):
    neutral = neutral_text(cell)
    assert not neutral.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert plain_text(neutral) == cell
