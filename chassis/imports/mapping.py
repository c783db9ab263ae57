"""What people say about a file: which column goes into which field, and what empty cells stand for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from contracts.errors import Invalid

IsField = Callable[[str], bool]


def checked_mapping(
    mapping: Mapping[str, str], columns: Sequence[str], is_field: IsField, *, owner: str
) -> dict[str, str]:
    """The mapping itself, {column: field}. `owner`: of what the fields are, in words ("A client").

    Raises Invalid `invalid_mapping` that names the columns that do not exist, the fields that do not exist, and the
    columns of a field that has two.
    """
    problems = []
    taken: dict[str, str] = {}
    for column, field in mapping.items():
        path = f"mapping.{column}"
        if column not in columns:
            problems.append({"field": path, "message": "The file has no such column."})
        elif not is_field(field):
            problems.append({"field": path, "message": f"{owner} has no field {field}."})
        elif field in taken:
            problems.append({"field": path, "message": f"{field} is mapped to the column {taken[field]} already."})
        else:
            taken[field] = column
    if not problems and not taken:
        problems.append({"field": "mapping", "message": "No column is mapped to a field."})
    if problems:
        raise Invalid("invalid_mapping", fields=problems)
    return dict(mapping)


def checked_default_values(values: Mapping[str, str], is_field: IsField, *, owner: str) -> dict[str, str]:
    """The default values themselves, {field: text}. Raises Invalid `invalid_mapping` that names the fields that do not
    exist."""
    unknown = [field for field in values if not is_field(field)]
    if unknown:
        named = [{"field": f"default_values.{field}", "message": f"{owner} has no such field."} for field in unknown]
        raise Invalid("invalid_mapping", fields=named)
    return dict(values)
