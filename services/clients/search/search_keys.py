"""The keys under which a client is found, and what is typed into the search box as a question about keys. Pure.

A client's keys are

- each word of the names, and of what stands before the `@` of an email address: `muller`;
- the first letter and the first two of these: `^m`, `^mu`;
- each email address and its domain as they are written: `ann.lee@example.com`, `example.com`;
- each four digits in a row of a number, and its last three: `#2125`, `#123`;
- each of the words of three letters and more, no digit, with one letter taken out, and whole: `~mller`, `~muller`.

**A client answers to what was typed if it answers to every word of it**: the word is the beginning of one of its words
or addresses, or, as digits, any part of one of its numbers. **Only where nobody does**, words of four letters and more
also answer to words that are *like* them: that are equal once at most one letter is taken out of each, which forgives
one wrong, missing, doubled or exchanged letter. A number is never forgiven: it would be somebody else's. But of five
digits and more in a row, which are no part of a number then, the word of a name may begin with them: `10250 Elm LLC`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from chassis.words import bare_words, strip_accents
from services.clients.addresses import UnfitAddress, parse_phone

_LIKE_A_NUMBER = re.compile(r"[\d\s()+./\-\u2010-\u2015\u00a0]+")
_FEWEST_DIGITS = 3
_GRAM = 4
_UNFIT_IN_ADDRESS = re.compile(r"[^\w@.]|_")
_NAMES = ("first_name", "middle_name", "last_name", "company_name")
_MOST_WORDS = 40
_LONGEST_WORD = 60
_LEAST_LIKENED, _LEAST_FORGIVEN = 3, 4
_FEWEST_LETTERS = 3

Key = tuple[str, bool]
"""A key, and whether it is only the beginning of one."""
Word = tuple[tuple[Key, ...], ...]
"""The ways in which a word is answered: all the keys of one of them must be there."""


@dataclass(frozen=True)
class Question:
    """What was typed: every one of `words` must be answered.

    `numbers`: for each part of a number whose keys do not tell for certain, its forms in digits; one of a client's
    numbers must hold one of the forms.
    """

    words: tuple[Word, ...]
    numbers: tuple[tuple[str, ...], ...] = ()


def firm_tag(firm_id: str) -> str:
    """What each key of a firm's clients begins with in the database, so that another firm's are passed by. Two firms
    may have one; whose a client is, its row says."""
    return firm_id.replace("-", "")[-5:]


def stored_keys(record: dict[str, Any], firm_id: str) -> str:
    """A client's keys as its row keeps them."""
    tag = firm_tag(firm_id)
    keys = keys_of(record)
    return tag + f" {tag}".join(keys) if keys else ""


def keys_of(record: dict[str, Any]) -> list[str]:
    """A client's keys, each once."""
    keys: list[str] = []
    for word in _words_of(record):
        keys += _keys_of_word(word)
    for email in record["emails"]:
        address = _address(email["address"])
        keys += (address, address.rpartition("@")[2])
    for phone in record["phones"]:
        keys += _grams(phone["number"].lstrip("+"))
    return list(dict.fromkeys(keys))


@functools.lru_cache(maxsize=2048)
def _keys_of_word(word: str) -> tuple[str, ...]:
    # Kept, because few names are the names of many.
    beginnings = (word, f"^{word[0]}", f"^{word[:2]}")
    return (*beginnings, *_likenesses(word)) if len(word) >= _LEAST_LIKENED and word.isalpha() else beginnings


def _words_of(record: dict[str, Any]) -> list[str]:
    names = " ".join(record[name] for name in _NAMES if record[name])
    mailboxes = (email["address"].rpartition("@")[0] for email in record["emails"])
    words = dict.fromkeys(word[:_LONGEST_WORD] for text in (names, *mailboxes) for word in bare_words(text).split())
    return list(words)[:_MOST_WORDS]


def _address(text: str) -> str:
    return _UNFIT_IN_ADDRESS.sub("-", strip_accents(text))


def _grams(number: str) -> list[str]:
    grams = [f"#{number[start : start + _GRAM]}" for start in range(len(number) - _GRAM + 1)]
    return [*grams, f"#{number[-_FEWEST_DIGITS:]}"]


def _likenesses(word: str) -> list[str]:
    return [f"~{word}", *(f"~{word[:place]}{word[place + 1 :]}" for place in range(len(word)))]


def question(q: str, *, forgiving: bool = False) -> Question | None:
    """What was typed, None if nothing in it can be looked for. `forgiving`: words may be like those that were meant,
    and many digits a name's; None if nothing in it can be taken so."""
    has_name = forgiving and any(map(_may_be_name, q.split()))
    if _LIKE_A_NUMBER.fullmatch(q.strip()) and not has_name and (forms := _forms_of(q)):
        return None if forgiving else _of([_number(forms)], forms)
    words: dict[Word, None] = {}
    parts: list[tuple[str, ...]] = []
    for typed in q.split():
        digits = re.sub(r"\D", "", typed).lstrip("0")
        is_number = _LIKE_A_NUMBER.fullmatch(typed) and len(digits) >= _FEWEST_DIGITS
        if is_number and not (forgiving and _may_be_name(typed)):
            words[_number((digits,))] = None
            parts += _uncertain((digits,))
        elif "@" in typed and not (forgiving and typed.partition("@")[0]):
            if address := _address(typed).lstrip("@"):
                words[(((address, True),),)] = None
        elif "." in typed.strip(".") and not forgiving:
            # An address or the beginning of one, or initials: `example.com`, `J.R.`
            plain = tuple(_beginning(word) for word in bare_words(typed).split())
            words[(((_address(typed), True),), plain) if plain else (((_address(typed), True),),)] = None
        else:
            # Of an address what stands before the @: the rest is one of a few words, and mistyped in many ways.
            for word in bare_words(typed.partition("@")[0]).split():
                words[_word(word, forgiving)] = None
    if not words or (forgiving and not has_name and not any(_is_forgiven(word) for word in words)):
        return None
    return Question(tuple(words), tuple(parts))


def _may_be_name(typed: str) -> bool:
    """Whether these are digits of which only numbers are asked at first."""
    return typed.isdigit() and len(typed) > _GRAM


def is_one_word(asked: Question) -> bool:
    """Whether a single word was typed, letters or up to four digits, and nothing is forgiven."""
    if len(asked.words) != 1 or _is_forgiven(asked.words[0]):
        return False
    return all(len(way) == 1 for way in asked.words[0])


def _forms_of(q: str) -> tuple[str, ...]:
    """The digits that a number was typed with, and those that it is kept with: part of a number is typed with the
    zeros that are dialled before it at home or from abroad."""
    forms = dict.fromkeys([re.sub(r"\D", "", q).lstrip("0")])
    try:
        forms[parse_phone(q)[0].lstrip("+")] = None
    except UnfitAddress:
        pass
    return tuple(form for form in forms if len(form) >= _FEWEST_DIGITS)


def _of(words: Iterable[Word], forms: tuple[str, ...]) -> Question:
    return Question(tuple(words), tuple(_uncertain(forms)))


def _uncertain(forms: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Of a part of a number that is longer than a key, the keys are there also if they are not in a row."""
    return [forms] if any(len(form) > _GRAM for form in forms) else []


def _number(forms: tuple[str, ...]) -> Word:
    ways: list[tuple[Key, ...]] = []
    for digits in forms:
        if len(digits) > _GRAM:
            ways.append(tuple((f"#{digits[at : at + _GRAM]}", False) for at in range(len(digits) - _GRAM + 1)))
        else:
            ways += [((f"#{digits}", len(digits) < _GRAM),), ((digits, True),)]
    return tuple(ways)


def _beginning(word: str) -> Key:
    return (f"^{word}", False) if len(word) < _FEWEST_LETTERS else (word[:_LONGEST_WORD], True)


def _word(word: str, forgiving: bool) -> Word:
    exact: Word = ((_beginning(word),),)
    if not forgiving or len(word) < _LEAST_FORGIVEN or not word.isalpha():
        return exact
    return exact + tuple(((key, False),) for key in dict.fromkeys(_likenesses(word[:_LONGEST_WORD])))


def _is_forgiven(word: Word) -> bool:
    return any(key.startswith("~") for way in word for key, _ in way)
