"""The values of fields that a firm defines: which are accepted, and how they are written. Pure rules.

| type    | accepted                                   | kept and shown as                    |
|---------|--------------------------------------------|--------------------------------------|
| text    | a string of up to 10,000 characters        | the string                           |
| number  | a number, or a decimal as a string         | a number                             |
| date    | an ISO date                                | the same string                      |
| yes_no  | true or false                              | the same                             |
| choice  | one of the options                         | the string                           |
| choices | a list of options, each once               | the list, in the order of the options|
| money   | a decimal as a string, or a whole number   | a string with two decimals           |

null, an empty string, one of spaces only, and an empty list are blank: they clear the field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from chassis.columns import fits
from chassis.filters.values import read_day, read_decimal
from chassis.texts import is_storable
from chassis.words import bare_words

LONGEST_TEXT = 10_000
SIGNIFICANT_DIGITS = 15
"""What a JSON number carries without loss, in every reader."""

Values = dict[str, Any]
Problem = tuple[str, str, str]
"""The dotted path of a field, a stable code, and a sentence about it."""


class Definition(Protocol):
    """A field as its firm defined it. A removed one keeps its values, hidden."""

    key: Any
    type: Any
    position: Any
    required: Any
    options: Any
    removed_at: Any


class Named(Protocol):
    """What people call a field by."""

    key: Any
    label: Any
    removed_at: Any


class Refused(Exception):
    """A value that a field does not take. `code` is stable; `message` is for people and does not repeat the value."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(code)


def keys_by_name(fields: Iterable[Named]) -> dict[str, str]:
    """{bare words: key} of what a file's column may be called by: a field's label, and its key. Of two fields with one
    name, the first; none that was removed, and no label of pictures alone."""
    names: dict[str, str] = {}
    for field in fields:
        if field.removed_at is None:
            for name in (field.label, field.key.replace("_", " ")):
                names.setdefault(bare_words(name), field.key)
    names.pop("", None)
    return names


def canonical(field: Definition, value: Any) -> Any:
    """The value as it is kept, None if it is blank. Raises Refused (`wrong_type`, `not_an_option`, `too_long`,
    `out_of_range`)."""
    if value is None or value == [] or (isinstance(value, str) and not value.strip()):
        return None
    return _READERS[field.type](field, value)


def merge(
    fields: Iterable[Definition], stored: Values, given: Mapping[str, Any], *, creating: bool, of: str
) -> tuple[Values, list[Problem]]:
    """The values after a change, and what is wrong with it.

    What `given` does not name stays, values of removed fields included; a blank one is cleared. A required field must
    have a value when a record is created and cannot be cleared later. A value that is stored already is accepted again,
    even if its option has been taken away since, and a value that no field was ever defined for can be cleared. `of`
    says whose fields they are, in a sentence.
    """
    by_key = {field.key: field for field in fields if field.removed_at is None}
    merged = dict(stored)
    problems: list[Problem] = []
    for key in given:
        if key not in by_key and not (key in stored and given[key] in (None, stored[key])):
            problems.append(_problem(key, "unknown_field", f"There is no such field on {of}."))
        elif key not in by_key and given[key] is None:
            del merged[key]
    for key, field in by_key.items():
        if key in given and not (key in stored and given[key] == stored[key]):
            try:
                value = canonical(field, given[key])
            except Refused as refused:
                problems.append(_problem(key, refused.code, refused.message))
                continue
            if value is None:
                merged.pop(key, None)
            else:
                merged[key] = value
        if field.required and key not in merged and (creating or key in given):
            problems.append(_problem(key, "required", "This field is required."))
    return merged, problems


def given_back(fields: Iterable[Definition], present: Values, earlier: Values) -> tuple[Values, dict[str, Any]]:
    """The values of an undo, `earlier` where they differ from the `present` ones, as their fields take them by now; and
    {key: earlier value} of those that a field takes no more, whose present value stays."""
    by_key = {field.key: field for field in fields if field.removed_at is None}
    values, unfit = dict(earlier), {}
    for key, value in earlier.items():
        if key not in by_key or (key in present and present[key] == value):
            continue
        try:
            values[key] = canonical(by_key[key], value)
        except Refused:
            unfit[key] = value
            values.pop(key)
            if key in present:
                values[key] = present[key]
    return values, unfit


def _problem(key: str, code: str, message: str) -> Problem:
    return f"custom_fields.{key}", code, message


def visible(fields: Iterable[Definition], stored: Values) -> Values:
    """What is shown of the stored values: those of fields that are still defined, in order."""
    shown = sorted((field for field in fields if field.removed_at is None), key=lambda field: field.position)
    return {field.key: stored[field.key] for field in shown if field.key in stored}


def definition_problems(field: Mapping[str, Any], path: str = "") -> list[dict[str, str]]:
    """What is wrong with a definition's label and options, as [{"field": path, "message"}]."""
    start, options = f"{path}options", field.get("options") or []
    problems = [] if field["label"].strip() else [{"field": f"{path}label", "message": "Blank."}]
    if field["type"] in ("choice", "choices"):
        if not options:
            problems.append({"field": start, "message": "A field of choices needs options."})
    elif options:
        problems.append({"field": start, "message": "Only fields of choices have options."})
    problems += [{"field": f"{start}.{at}", "message": "Named twice."} for at in repeated(options)]
    blank = [at for at, option in enumerate(options) if not option.strip()]
    return problems + [{"field": f"{start}.{at}", "message": "Blank."} for at in blank]


def repeated(names: Sequence[str]) -> list[int]:
    """The places of names that came before."""
    return [index for index, name in enumerate(names) if name in names[:index]]


def _text(field: Definition, value: Any) -> str:
    if not isinstance(value, str) or not is_storable(value):
        raise Refused("wrong_type", "Not a text.")
    if len(value) > LONGEST_TEXT:
        raise Refused("too_long", f"Longer than {LONGEST_TEXT} characters.")
    return value


def _number(field: Definition, value: Any) -> int | float:
    number = read_decimal(value)
    if number is None:
        raise Refused("wrong_type", "Not a number.")
    if not fits(number) or len(number.normalize().as_tuple().digits) > SIGNIFICANT_DIGITS:
        raise Refused("out_of_range", "At most 12 digits before the point, 6 after it and 15 in all.")
    return int(number) if number == int(number) else float(number)


def _date(field: Definition, value: Any) -> str:
    day = read_day(value)
    if day is None:
        raise Refused("wrong_type", "Not a date like 2026-01-31.")
    return day.isoformat()


def _yes_no(field: Definition, value: Any) -> bool:
    if not isinstance(value, bool):
        raise Refused("wrong_type", "Not true or false.")
    return value


def _choice(field: Definition, value: Any) -> str:
    if not isinstance(value, str):
        raise Refused("wrong_type", "Not one of the options.")
    if value not in field.options:
        raise Refused("not_an_option", "Not one of the options.")
    return value


def _choices(field: Definition, value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise Refused("wrong_type", "Not a list of options.")
    if set(value) - set(field.options):
        raise Refused("not_an_option", "Holds something that is not one of the options.")
    if len(set(value)) != len(value):
        raise Refused("wrong_type", "Names an option twice.")
    return [option for option in field.options if option in value]


def _money(field: Definition, value: Any) -> str:
    amount = None if isinstance(value, float) else read_decimal(value)
    if amount is None:
        raise Refused("wrong_type", 'Not an amount like "1250.00".')
    if not fits(amount, decimals=2):
        raise Refused("out_of_range", "At most 12 digits before the point and 2 after it.")
    return f"{amount:.2f}"


_READERS: dict[str, Callable[[Definition, Any], Any]] = {
    "text": _text,
    "number": _number,
    "date": _date,
    "yes_no": _yes_no,
    "choice": _choice,
    "choices": _choices,
    "money": _money,
}
