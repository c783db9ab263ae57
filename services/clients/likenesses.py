"""What makes two clients look like one: a phone number, email address or government id in common, or a similar name
together with the same day of birth or postal code. Pure rules, and how the pairs of many are found without comparing
all with all."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations

from rapidfuzz import fuzz, process

from chassis.words import bare_number
from services.clients.addresses import email_key
from services.clients.checking import Record
from services.clients.duplicates import ALIKE, alike
from services.clients.names import name_key

PHONE, EMAIL, GOVERNMENT_ID = "phone", "email", "government_id"
BIRTH, POSTAL = "name_and_birth", "name_and_postal_code"
Pair = tuple[str, str]
"""Two ids, the smaller first."""
Pairs = dict[Pair, set[str]]
"""Why each pair looks like one client."""

MOST_SHARING = 20
"""Clients up to which a number, an address or a name in one place says something: more have a switchboard's number, or
a name that everybody has."""
ALL_WITH_ALL = 400
"""Names of one day of birth or postal code up to which all are compared with all. Of more, only those are that have a
word in common, and where that is a frequent one also the beginnings of the others: in a town of thousands, two names
that are alike and have no word in common are not found."""
_AT_ONCE = 50_000
"""Comparisons between two looks at whoever waits."""


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
    if _numbers(one) & _numbers(other):
        found.append(GOVERNMENT_ID)
    if alike(name_key(one), name_key(other)):
        if one["date_of_birth"] is not None and one["date_of_birth"] == other["date_of_birth"]:
            found.append(BIRTH)
        if _codes(one) & _codes(other):
            found.append(POSTAL)
    return found


def _emails(record: Record) -> set[str]:
    return {email_key(email["address"]) for email in record["emails"]}


def _numbers(record: Record) -> set[str]:
    """Of government ids, whatever kind each is said to be: one number is a national id here and a tax id there."""
    return {bare_number(entry["number"]) for entry in record["government_ids"]}


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
    named = {id_: block[id_] for id_ in sorted(block) if block[id_]}
    if only is not None:
        ids = list(named)
        wanted: Iterable[tuple[str, Sequence[str]]] = ((id_, ids) for id_ in ids if id_ in only)
    else:
        several = [list(named)] if len(named) <= ALL_WITH_ALL else _buckets(named)
        wanted = ((id_, ids[at + 1 :]) for ids in several for at, id_ in enumerate(ids))
    found: set[Pair] = set()
    compared = 0
    for id_, others in wanted:
        names = [named[other] for other in others]
        for _, _, at in process.extract(
            named[id_], names, scorer=fuzz.ratio, processor=None, score_cutoff=ALIKE, limit=None
        ):
            if others[at] != id_:
                found.add(pair_of(id_, others[at]))
        compared += len(others)
        if compared >= _AT_ONCE:
            compared = 0
            pause()
    alike_to = Counter(id_ for pair in found for id_ in pair)
    for pair in found:
        if max(alike_to[id_] for id_ in pair) < MOST_SHARING:
            pairs.setdefault(pair, set()).add(why)


def _buckets(named: Mapping[str, str]) -> list[list[str]]:
    """The ids of names that have a word in common, a list for each word: `named` is {id: name key}."""
    words = {id_: name.split() for id_, name in named.items()}
    frequency = Counter(word for several in words.values() for word in set(several))
    buckets: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for id_, several in words.items():
        if len(several) == 1:
            # If it is misspelt it shares no word: its beginning stands for it.
            buckets["", several[0][:3]].append(id_)
        for word in set(several):
            rest = sorted(other for other in several if other != word)
            letters = 0 if frequency[word] <= ALL_WITH_ALL else 1 if frequency[word] <= ALL_WITH_ALL * 20 else 3
            buckets[word, *(other[:letters] for other in rest if letters)].append(id_)
    return [ids for ids in buckets.values() if len(ids) > 1]
