"""What makes two clients look like one: a phone number or email address in common, or a similar name together with the
same day of birth or postal code. Pure rules, and how the pairs of many are found without comparing all with all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations

from rapidfuzz import fuzz, process

from services.clients.addresses import email_key
from services.clients.checking import Record
from services.clients.duplicates import ALIKE, alike
from services.clients.names import name_key

PHONE, EMAIL, BIRTH, POSTAL = "phone", "email", "name_and_birth", "name_and_postal_code"
Pair = tuple[str, str]
"""Two ids, the smaller first."""
Pairs = dict[Pair, set[str]]
"""Why each pair looks like one client."""

ALL_WITH_ALL = 400
"""Names of one day of birth or postal code up to which all are compared with all. Of more, only those are that have a
word in common: a name of which every word is misspelt is not found among them."""
_AT_ONCE = 200
"""Names that are compared between two looks at whoever waits."""


def pair_of(one: str, other: str) -> Pair:
    """The pair of two ids."""
    return (one, other) if one < other else (other, one)


def reasons(one: Record, other: Record) -> list[str]:
    """Why two records look like one client; empty if they do not."""
    found = []
    if {phone["number"] for phone in one["phones"]} & {phone["number"] for phone in other["phones"]}:
        found.append(PHONE)
    if _emails(one) & _emails(other):
        found.append(EMAIL)
    if alike(name_key(one), name_key(other)):
        if one["date_of_birth"] is not None and one["date_of_birth"] == other["date_of_birth"]:
            found.append(BIRTH)
        if _codes(one) & _codes(other):
            found.append(POSTAL)
    return found


def _emails(record: Record) -> set[str]:
    return {email_key(email["address"]) for email in record["emails"]}


def _codes(record: Record) -> set[str]:
    return {address["postal_code"] for address in record["addresses"] if address["postal_code"]}


def add_sharing(pairs: Pairs, why: str, holders: Iterable[Sequence[str]], only: set[str] | None = None) -> None:
    """Adds the pairs of those that share a value: `holders` are the ids of each value. With `only`, pairs with one of
    these."""
    for ids in holders:
        for one, other in combinations(sorted(set(ids)), 2):
            if only is None or one in only or other in only:
                pairs.setdefault((one, other), set()).add(why)


def add_alike(
    pairs: Pairs, why: str, block: Mapping[str, str], pause: Callable[[], object], only: set[str] | None = None
) -> None:
    """Adds the pairs of similar names in a block, {id: name key}. With `only`, those of one of these with any. `pause`
    is called in between, however large the block is."""
    ids = sorted(block)
    if only is not None:
        _compare(pairs, why, block, {id_: ids for id_ in ids if id_ in only}, pause)
    elif len(ids) <= ALL_WITH_ALL:
        _compare(pairs, why, block, {id_: ids[at + 1 :] for at, id_ in enumerate(ids)}, pause)
    else:
        _compare(pairs, why, block, _sharing_a_word(block), pause)


def _sharing_a_word(block: Mapping[str, str]) -> dict[str, list[str]]:
    by_word: dict[str, list[str]] = defaultdict(list)
    for id_ in sorted(block):
        words = block[id_].split()
        # A name of one word that is misspelt shares none: its beginning stands for it.
        for word in words if len(words) > 1 else [*words, f"{block[id_][:2]}…"]:
            by_word[word].append(id_)
    others: dict[str, set[str]] = defaultdict(set)
    for ids in by_word.values():
        for at, id_ in enumerate(ids):
            others[id_].update(ids[at + 1 :])
    return {id_: sorted(candidates) for id_, candidates in others.items()}


def _compare(
    pairs: Pairs, why: str, block: Mapping[str, str], others: Mapping[str, Sequence[str]], pause: Callable[[], object]
) -> None:
    compared = 0
    for id_, candidates in others.items():
        if not candidates or not block[id_]:
            continue
        names = [block[other] for other in candidates]
        for _, _, at in process.extract(
            block[id_], names, scorer=fuzz.ratio, processor=None, score_cutoff=ALIKE, limit=None
        ):
            if candidates[at] != id_:
                pairs.setdefault(pair_of(id_, candidates[at]), set()).add(why)
        compared += len(candidates)
        if compared >= _AT_ONCE * ALL_WITH_ALL:
            compared = 0
            pause()
