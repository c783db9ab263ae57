"""Which uploaded lists a person is in, whatever became of their row: taken in, skipped, failed, or never reached.

They are searched when somebody is erased: of a row that failed nobody kept whom it meant, and a client may have come to
be, or to have another number, after the list. What is looked for are the person's numbers, email addresses, external
and government ids, and names. A list with somebody else of the same name is taken for one as well: having been taken
in, it serves nothing but its file of errors.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from chassis.files import Files
from chassis.imports.text_files import read_rows
from chassis.words import bare_number, bare_words
from contracts.errors import CasewireError, Unavailable

_DIGITS = 8
"""In a row, by which a number is known in whatever form it is written: with its country or without, or an extension."""
_SIGNS = re.compile(r"[^0-9]+")
_NOT_ALNUM = re.compile(r"[^0-9A-Za-z]+")
# From the beginning of a word on: from each of its characters, a long word took seconds.
_EMAIL = re.compile(r"(?<![^\s,;:<>|\"'()])[^\s,;:<>|\"'()]+@[^\s,;:<>|\"'()]+")
_ROWS_AT_ONCE = 500


@dataclass(frozen=True)
class Person:
    """Who is looked for. `ids` are any numbers and ids by which lists know the person."""

    id: str
    numbers: Sequence[str]
    emails: Sequence[str]
    ids: Sequence[str]
    name: str


class Seeker:
    """Looks for people in the rows of tables: one look for all of them."""

    def __init__(self, people: Iterable[Person]) -> None:
        self._numbers: dict[str, set[str]] = defaultdict(set)
        self._emails: dict[str, set[str]] = defaultdict(set)
        self._ids: dict[str, set[str]] = defaultdict(set)
        self._names: dict[str, list[tuple[frozenset[str], str]]] = defaultdict(list)
        for person in people:
            self._add(person)

    def _add(self, person: Person) -> None:
        for number in person.numbers:
            self._numbers[_SIGNS.sub("", number)[-_DIGITS:]].add(person.id)
        for email in person.emails:
            self._emails[email.casefold()].add(person.id)
        for text in person.ids:
            if bare := bare_number(text):
                self._ids[bare].add(person.id)
        words = frozenset(bare_words(person.name).split())
        if words:
            # By the word that the fewest other rows have, as far as its length tells.
            self._names[max(words, key=lambda word: (len(word), word))].append((words, person.id))

    def found_in(self, cells: Sequence[str]) -> set[str]:
        """The ids of those who are in a row."""
        found: set[str] = set()
        for cell in cells:
            if not cell:
                continue
            bare = _NOT_ALNUM.sub("", cell).lower() if cell.isascii() else bare_number(cell)
            found |= self._ids.get(bare, _NOBODY)
            digits = _SIGNS.sub("", cell)
            for start in range(len(digits) - _DIGITS + 1):
                found |= self._numbers.get(digits[start : start + _DIGITS], _NOBODY)
            if "@" in cell:
                for address in _EMAIL.findall(cell):
                    found |= self._emails.get(address.casefold(), _NOBODY)
        words = set(bare_words(" ".join(cells)).split())
        for word in words & self._names.keys():
            found.update(client_id for name, client_id in self._names[word] if name <= words)
        return found


_NOBODY: frozenset[str] = frozenset()


def find_in_list(files: Files, entry: Any, seeker: Seeker, wanted: set[str]) -> set[str]:
    """The ids of those of the wanted who are in an import's list; of one that cannot be read any more, all of them.

    Raises Unavailable if the object store cannot be reached.
    """
    found: set[str] = set()
    try:
        with files.get(entry.rows_key) as stream:
            for number, cells in read_rows(stream, entry.encoding, entry.delimiter):
                found |= seeker.found_in(cells)
                if found >= wanted:
                    break
                if not number % _ROWS_AT_ONCE:
                    time.sleep(0)  # lets other green threads run
    except Unavailable:
        raise
    except CasewireError:
        return set(wanted)
    return found & wanted
