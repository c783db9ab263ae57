"""Cells of tables that people open in a spreadsheet: what looks like a formula must not become one."""

from __future__ import annotations

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def plain_text(cell: str) -> str:
    """The cell without the quotation mark that an export puts before what a sheet would take for a formula."""
    return cell[1:] if cell.startswith("'") and cell[1:2] in _FORMULA else cell


def neutral_text(cell: str) -> str:
    """The cell so that no sheet takes it for a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
