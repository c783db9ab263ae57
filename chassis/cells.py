"""Cells of tables that people open in a spreadsheet: what looks like a formula must not become one."""

from __future__ import annotations

import re

# With the quotation marks that may stand before it already, so that every cell is read back as it was.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")


def plain_text(cell: str) -> str:
    """The cell without the quotation mark that an export puts before what a sheet would take for a formula."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def neutral_text(cell: str) -> str:
    """The cell so that no sheet takes it for a formula."""
    return f"'{cell}" if _FORMULA.match(cell) else cell
