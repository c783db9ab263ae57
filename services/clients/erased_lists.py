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

from chassis.files import Files
from contracts.errors import CasewireError, Unavailable
from services.clients.addresses import email_key
from services.clients.checking import Record
from services.clients.client_keys import bare_number
from services.clients.import_files import read_rows
from services.clients.models import Import
from services.clients.names import fold

_DIGITS = 8
"""In a row, by which a number is known in whatever form it is written: with its country or without, or an extension."""
_SIGNS = re.compile(r"[^0-9]+")
_NOT_ALNUM = re.compile(r"[^0-9A-Za-z]+")
_EMAIL = re.compile(r"[^\s,;:<>|\"'()]+@[^\s,;:<>|\"'()]+")
_ROWS_AT_ONCE = 500


class Seeker:
    """Looks for people in the rows of tables: one look for all of them."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._numbers: dict[str, set[str]] = defaultdict(set)
        self._emails: dict[str, set[str]] = defaultdict(set)
        self._ids: dict[str, set[str]] = defaultdict(set)
        self._names: dict[str, list[tuple[frozenset[str], str]]] = defaultdict(list)
        for record in records:
            self._add(record)

    def _add(self, record: Record) -> None:
        client_id = record["id"]
        for phone in record["phones"]:
            self._numbers[_SIGNS.sub("", phone["number"])[-_DIGITS:]].add(client_id)
        for email in record["emails"]:
            self._emails[email_key(email["address"])].add(client_id)
        texts = [client_id, record["external_source_id"], *(entry["number"] for entry in record["government_ids"])]
        for text in texts:
            if text and (bare := bare_number(text)):
                self._ids[bare].add(client_id)
        person = [record["first_name"], record["last_name"]]
        words = frozenset(fold(" ".join(part for part in person if part) or record["company_name"] or "").split())
        if words:
            # By the word that the fewest other rows have, as far as its length tells.
            self._names[max(words, key=lambda word: (len(word), word))].append((words, client_id))

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
                    found |= self._emails.get(email_key(address), _NOBODY)
        words = set(fold(" ".join(cells)).split())
        for word in words & self._names.keys():
            found.update(client_id for name, client_id in self._names[word] if name <= words)
        return found


_NOBODY: frozenset[str] = frozenset()


def find_in_list(files: Files, entry: Import, seeker: Seeker, wanted: set[str]) -> set[str]:
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
