"""Is this an answer to that question? Pure: no database, no clock, no network.

`check_answer` gives the answer as it is kept, None for a blank one, or raises `Invalid` on the field `answer` with a
code for programs and a sentence for the client who typed it. Neither ever holds the answer itself.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from contracts.errors import Invalid, invalid_field
from contracts.tasks import MOST_FILES

SHORT_TEXT_LENGTH = 500
LONG_TEXT_LENGTH = 20_000
BEYOND_ALL_NUMBERS = 10**18
"""An answer is a number nearer to zero."""
SIGNED_NAME_LENGTH = 200
ADDRESS_PARTS = {"line1": 200, "line2": 200, "city": 120, "state": 60, "postal_code": 20, "country": 2}
"""Parts of a structured address and their longest lengths. `country` is ISO 3166, two letters."""

_NUMBER = re.compile(r"[+-]?(\d{1,18}(\.\d{0,12})?|\.\d{1,12})")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_LISTS = frozenset({"several_choices", "file_upload"})
_PARTS = {"address": frozenset(ADDRESS_PARTS), "signature": frozenset({"name", "agreed", "file_id", "signed_at"})}
"""Kinds of questions whose answer has parts, and which."""
_YES = frozenset({"yes", "true"})
_NO = frozenset({"no", "false"})


@dataclass(frozen=True)
class Question:
    """What a case task asks. `checks` as in the contract: limits by name, dates as ISO text."""

    kind: str
    required: bool = False
    options: Sequence[str] = ()
    checks: Mapping[str, Any] = field(default_factory=dict)
    region: str = "US"
    """Whose national form a phone number without a country code is in."""


def is_blank(kind: str, answer: Any) -> bool:
    """Nothing, spaces only, and where an answer has several parts, none of them: no choice, no file, an address or a
    signature with nothing in it. (Not an empty list elsewhere: a blank answer may clear a field.)"""
    if isinstance(answer, list) and kind in _LISTS:
        return all(_is_empty(part) for part in answer)
    if isinstance(answer, dict) and kind in _PARTS:
        return answer.keys() <= _PARTS[kind] and all(_is_empty(part) for part in answer.values())
    return _is_empty(answer)


def _is_empty(part: Any) -> bool:
    return part is None or (isinstance(part, str) and not any(map(_can_be_seen, part)))


def _can_be_seen(character: str) -> bool:
    """Whether it is more than space, or a mark without width that only joins or turns others."""
    return not character.isspace() and unicodedata.category(character) not in ("Cf", "Cc")


def check_answer(question: Question, answer: Any) -> Any:
    """The answer as it is kept: text trimmed, number as the string of a decimal, ISO date, true/false, list of options
    in their own order, E.164, email address, address as text or parts, list of file ids, signature by parts. None if
    blank.

    Raises `Invalid` (`answer_required` if a required question is left blank).
    """
    if is_blank(question.kind, answer):
        if question.required:
            raise _refused("answer_required", "Please answer this question.")
        return None
    return _CHECKS[question.kind](question, answer)


def _refused(code: str, message: str, **limits: object) -> Invalid:
    return invalid_field("answer", message, code, **limits)


def _text(answer: Any, longest: int) -> str:
    """A string in NFC without surrounding space; line ends are \\n. What no database can keep is refused."""
    if not isinstance(answer, str):
        raise _refused("invalid_text", "Please answer with text.")
    text = unicodedata.normalize("NFC", _line_ends(answer)).strip()
    if any(character == "\x00" or "\ud800" <= character <= "\udfff" for character in text):
        raise _refused("invalid_text", "The text holds characters that cannot be kept.")
    if len(text) > longest:
        raise _refused("too_long", f"Please use at most {longest} characters.", longest=longest)
    return text


def _line(answer: Any, longest: int) -> str:
    return " ".join(_text(answer, longest).split())


def _within_lengths(question: Question, text: str) -> str:
    shortest, longest = question.checks.get("min_length"), question.checks.get("max_length")
    if shortest is not None and len(text) < shortest:
        raise _refused("too_short", f"Please use at least {shortest} characters.", shortest=shortest)
    if longest is not None and len(text) > longest:
        raise _refused("too_long", f"Please use at most {longest} characters.", longest=longest)
    return text


def _short_text(question: Question, answer: Any) -> str:
    return _within_lengths(question, _line(answer, SHORT_TEXT_LENGTH))


def _long_text(question: Question, answer: Any) -> str:
    return _within_lengths(question, _text(answer, LONG_TEXT_LENGTH))


def _number(question: Question, answer: Any) -> str:
    # A group separator in one language is a decimal point in another: neither is guessed.
    if isinstance(answer, int | float) and not isinstance(answer, bool):
        written = repr(answer) if isinstance(answer, float) or abs(answer) < BEYOND_ALL_NUMBERS else ""
        if "e" in written:
            written = format(Decimal(written), "f")
    else:
        written = answer.strip() if isinstance(answer, str) and len(answer) < 100 else ""
    if not written.isascii() or not _NUMBER.fullmatch(written):
        raise _refused("invalid_number", "Please write a number in figures, like 1500 or 1500.50.")
    number = Decimal(written)
    lowest, highest = question.checks.get("minimum"), question.checks.get("maximum")
    if lowest is not None and number < Decimal(repr(lowest)):
        raise _refused("too_small", f"Please give a number of at least {_plain(lowest)}.", minimum=_plain(lowest))
    if highest is not None and number > Decimal(repr(highest)):
        raise _refused("too_large", f"Please give a number of at most {_plain(highest)}.", maximum=_plain(highest))
    return format(number, "f")


def _plain(limit: float) -> str:
    """A limit as people write it: 1500, 0.5."""
    return format(Decimal(repr(limit)), "f").removesuffix(".0")


def _date(question: Question, answer: Any) -> str:
    written = answer.strip() if isinstance(answer, str) else ""
    if not _DATE.fullmatch(written):
        raise _refused("invalid_date", "Please write the date as year-month-day, like 2026-04-30.")
    try:
        day = dt.date.fromisoformat(written)
    except ValueError:
        raise _refused("invalid_date", "There is no such day. Please check the date.") from None
    earliest, latest = question.checks.get("earliest"), question.checks.get("latest")
    if earliest is not None and day < dt.date.fromisoformat(earliest):
        raise _refused("too_early", f"Please give a date on or after {earliest}.", earliest=earliest)
    if latest is not None and day > dt.date.fromisoformat(latest):
        raise _refused("too_late", f"Please give a date on or before {latest}.", latest=latest)
    return day.isoformat()


def _flag(answer: Any) -> bool | None:
    if isinstance(answer, bool):
        return answer
    word = answer.strip().lower() if isinstance(answer, str) else ""
    return True if word in _YES else False if word in _NO else None


def _yes_no(question: Question, answer: Any) -> bool:
    flag = _flag(answer)
    if flag is None:
        raise _refused("invalid_yes_no", "Please answer yes or no.")
    return flag


def _acknowledgement(question: Question, answer: Any) -> bool:
    if _flag(answer) is not True:
        raise _refused("not_acknowledged", "Please tick the box to confirm.")
    return True


def _one_choice(question: Question, answer: Any) -> str:
    chosen = _options(question).get(_line_ends(answer)) if isinstance(answer, str) else None
    if chosen is None:
        raise _refused("not_an_option", "Please choose one of the options.")
    return chosen


def _options(question: Question) -> dict[str, str]:
    """The options by what a browser makes of them, which changes the ends of their lines."""
    return {_line_ends(option): option for option in question.options}


def _line_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _several_choices(question: Question, answer: Any) -> list[str]:
    # A form with one box ticked sends one text instead of a list.
    chosen = [answer] if isinstance(answer, str) else answer
    if not isinstance(chosen, list):
        raise _refused("not_an_option", "Please choose from the options.")
    options = _options(question)
    named = {
        options.get(_line_ends(choice)) if isinstance(choice, str) else None
        for choice in chosen
        if not _is_empty(choice)
    }
    if None in named:
        raise _refused("not_an_option", "Please choose from the options.")
    fewest, most = question.checks.get("min_choices"), question.checks.get("max_choices")
    chosen = [option for option in question.options if option in named]
    if fewest is not None and len(chosen) < fewest:
        raise _refused("too_few_choices", f"Please choose at least {fewest}.", fewest=fewest)
    if most is not None and len(chosen) > most:
        raise _refused("too_many_choices", f"Please choose at most {most}.", most=most)
    return chosen


def _phone(question: Question, answer: Any) -> str:
    written = answer if isinstance(answer, str) and len(answer) <= 60 else ""
    try:
        number = phonenumbers.parse(written, question.checks.get("region") or question.region)
    except phonenumbers.NumberParseException:
        number = None
    if number is None or number.extension or not phonenumbers.is_valid_number(number):
        raise _refused("invalid_phone", "Please check the phone number, with its area code, like (212) 555-0123.")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _email(question: Question, answer: Any) -> str:
    try:
        return validate_email(_line(answer, 320), check_deliverability=False).normalized
    except EmailNotValidError:
        # From None: the library's message repeats the address.
        raise _refused("invalid_email", "Please check the email address, like name@example.com.") from None


def _address(question: Question, answer: Any) -> str | dict[str, str]:
    if isinstance(answer, str):
        return _text(answer, SHORT_TEXT_LENGTH)
    if not isinstance(answer, dict) or any(part not in ADDRESS_PARTS for part in answer):
        raise _refused("invalid_address", "Please write the address as text.")
    given = {part: value for part, value in answer.items() if not _is_empty(value)}
    address = {part: _line(given[part], longest) for part, longest in ADDRESS_PARTS.items() if part in given}
    if "line1" not in address:
        raise _refused("invalid_address", "Please give the street and number.")
    if "country" in address:
        address["country"] = address["country"].upper()
        if not re.fullmatch("[A-Z]{2}", address["country"]):
            raise _refused("invalid_address", "Please give the country by its two letters, like US.")
    return address


def _file_upload(question: Question, answer: Any) -> list[str]:
    """Which files: whether they are there is known elsewhere."""
    # A form with one file sends one text instead of a list.
    named = [answer] if isinstance(answer, str) else answer
    if not isinstance(named, list):
        raise _refused("invalid_files", "Please name the files by their ids.")
    ids = list(dict.fromkeys(_file_id(one) for one in named if not _is_empty(one)))
    most = min(question.checks.get("max_files") or MOST_FILES, MOST_FILES)
    if len(ids) > most:
        raise _refused("too_many_files", f"Please send at most {most} files.", most=most)
    return ids


def _file_id(written: Any) -> str:
    try:
        return str(uuid.UUID(written))
    except (ValueError, TypeError, AttributeError):
        raise _refused("invalid_files", "Please name the files by their ids.") from None


def _signature(question: Question, answer: Any) -> dict[str, Any]:
    """A name in full and that it is meant as a signature, perhaps with the file of its picture."""
    if not isinstance(answer, dict) or answer.keys() - _PARTS["signature"]:
        raise _refused("not_signed", "Please sign with your full name.")
    name = _line(answer.get("name") or "", SIGNED_NAME_LENGTH)
    if not any(character.isalpha() for character in name) or _flag(answer.get("agreed")) is not True:
        raise _refused("not_signed", "Please write your full name and tick the box to sign.")
    return {"name": name, "agreed": True, "file_id": _file_id(answer["file_id"]) if answer.get("file_id") else None}


_CHECKS: dict[str, Callable[[Question, Any], Any]] = {
    "short_text": _short_text,
    "long_text": _long_text,
    "number": _number,
    "date": _date,
    "yes_no": _yes_no,
    "one_choice": _one_choice,
    "several_choices": _several_choices,
    "phone": _phone,
    "email": _email,
    "address": _address,
    "acknowledgement": _acknowledgement,
    "file_upload": _file_upload,
    "signature": _signature,
}
