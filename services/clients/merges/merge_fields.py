"""What one record becomes of two, and what is taken out of it again when they are parted. Pure rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from contracts.clients import ClientFields
from contracts.errors import Invalid
from services.clients.addresses import email_key, with_primary
from services.clients.checking import NAMES, Record, check_whole, tag_key

THIS, DUPLICATE = "this", "duplicate"
NOW, THEN = "now", "then"
_CUSTOM = "custom_fields"
_EXTERNAL = ("external_source", "external_source_id")
_POSTAL = ("line1", "line2", "city", "state", "postal_code", "country")
_HAVE_PRIMARY = ("phones", "emails", "addresses")
_MOST = {"phones": 20, "emails": 20, "addresses": 20, "tags": 50, _CUSTOM: 100}
"""What a record may hold, however it came to hold it."""

_KEYS: dict[str, Callable[[Any], Any]] = {
    "phones": lambda phone: phone["number"],
    "emails": lambda email: email_key(email["address"]),
    "addresses": lambda address: tuple((address.get(name) or "").casefold() for name in _POSTAL),
    "tags": tag_key,
}
"""What two entries of a list have in common that are the same one."""
LISTS = tuple(_KEYS)
SINGLE = (
    *(name for name in ClientFields._declared_fields if name not in (*LISTS, _CUSTOM)), "photo_id", "data_consent",
)  # fmt: skip
"""The fields that hold one value, of which one of two is kept."""


def check_keep(keep: Mapping[str, str], this: Record, duplicate: Record) -> None:
    """Raises Invalid that names each choice that cannot be made."""
    keys = {*this[_CUSTOM], *duplicate[_CUSTOM]}
    problems = []
    for name in keep:
        if name in SINGLE or name in _HAVE_PRIMARY:
            continue
        head, _, key = name.partition(".")
        if head == _CUSTOM and key in keys:
            continue
        message = "Joined, so that there is nothing to choose." if name in LISTS else "No field of these clients."
        problems.append({"field": f"keep.{name}", "message": message})
    if len({keep[name] for name in _EXTERNAL if name in keep}) > 1:
        problems.append({"field": "keep.external_source_id", "message": "Goes with external_source."})
    if problems:
        raise Invalid("invalid_input", fields=problems)


def joined(this: Record, duplicate: Record, keep: Mapping[str, str]) -> Record:
    """The survivor's record: `this` with what comes from the duplicate.

    Raises Invalid if that is no record: nothing left to call it by, or more entries in a list than one may hold.
    """
    after = {**this, **_singles(this, duplicate, keep), _CUSTOM: _custom_fields(this, duplicate, keep)}
    for name in LISTS:
        after[name] = _joined_list(name, this[name], duplicate[name], keep.get(name, THIS))
    problems: list[tuple[str, str, str]] = []
    check_whole(after, problems)
    for name, most in _MOST.items():
        if len(after[name]) > most:
            problems.append((name, "too_many", f"Together more than {most}: take some away first."))
    if problems:
        raise Invalid("invalid_input", fields=[{"field": path, "message": message} for path, _, message in problems])
    return after


def differences(this: Record, duplicate: Record, keep: Mapping[str, str], after: Record) -> list[Record]:
    """The fields that both have and not alike: [{"field", "this", "duplicate", "kept"}]."""
    found = []
    for name, one, other in _pairs(this, duplicate):
        if one not in (None, "", [], {}) and other not in (None, "", [], {}) and one != other:
            kept = "both" if name in LISTS else DUPLICATE if _value(after, name) == other else THIS
            found.append({"field": name, "this": one, "duplicate": other, "kept": kept})
    return found


def _pairs(this: Record, duplicate: Record) -> Iterator[tuple[str, Any, Any]]:
    for name in (*SINGLE, *LISTS):
        yield name, this[name], duplicate[name]
    for key in sorted({*this[_CUSTOM], *duplicate[_CUSTOM]}):
        yield f"{_CUSTOM}.{key}", this[_CUSTOM].get(key), duplicate[_CUSTOM].get(key)


def _value(record: Record, name: str) -> Any:
    head, _, key = name.partition(".")
    # A record that was kept before a field came to be does not hold it.
    return record[_CUSTOM].get(key) if key else record.get(head)


def _singles(this: Record, duplicate: Record, keep: Mapping[str, str]) -> Record:
    values: Record = {}
    for name in SINGLE:
        if name in _EXTERNAL:
            continue
        if name in keep:
            values[name] = (duplicate if keep[name] == DUPLICATE else this)[name]
        elif name == "data_consent" and this[name] and duplicate[name]:
            values[name] = max(this[name], duplicate[name], key=lambda said: said["at"])
        elif name == "spam":
            values[name] = bool(this[name] or duplicate[name])
        elif name == "status" and duplicate[name] == "blacklisted":
            values[name] = duplicate[name]
        else:
            values[name] = duplicate[name] if this[name] in (None, "", []) else this[name]
    # An id and the system that gave it go together.
    chosen = next((keep[name] for name in _EXTERNAL if name in keep), None)
    source = duplicate if chosen == DUPLICATE or (chosen is None and this[_EXTERNAL[0]] is None) else this
    return {**values, **{name: source[name] for name in _EXTERNAL}}


def _custom_fields(this: Record, duplicate: Record, keep: Mapping[str, str]) -> Record:
    values = {**duplicate[_CUSTOM], **this[_CUSTOM]}
    for name, whose in keep.items():
        head, _, key = name.partition(".")
        if head != _CUSTOM:
            continue
        source = (duplicate if whose == DUPLICATE else this)[_CUSTOM]
        if key in source:
            values[key] = source[key]
        else:
            values.pop(key, None)
    return values


def _joined_list(name: str, own: Sequence[Any], others: Sequence[Any], primary: str) -> list[Any]:
    key = _KEYS[name]
    known = {key(entry) for entry in own}
    added = [entry for entry in others if key(entry) not in known]
    if name == "tags":
        return [*own, *added]
    first = others if primary == DUPLICATE and _primary_of(name, others) is not None else own
    chosen = _primary_of(name, first) if _primary_of(name, first) is not None else _primary_of(name, others)
    return _with_primary(name, [*own, *added], key(chosen) if chosen is not None else None)


def _primary_of(name: str, entries: Iterable[Any]) -> Any:
    return next((entry for entry in entries if _is_primary(name, entry)), None)


def _is_primary(name: str, entry: Any) -> bool:
    return bool(entry["kind"] == "primary" if name == "addresses" else entry["primary"])


def _with_primary(name: str, entries: Sequence[Any], chosen: Any, former: Mapping[Any, str] | None = None) -> list[Any]:
    """The entries with one of the key `chosen` as their only primary. Of numbers and email addresses the first is, if
    none has that key. A postal address that is primary no longer has its `former` kind again, else is for mail."""
    key = _KEYS[name]
    if name != "addresses":
        return with_primary([{**entry, "primary": key(entry) == chosen} for entry in entries])
    ranks = [(key(entry) != chosen, entry["kind"] != "primary", at) for at, entry in enumerate(entries)]
    first = min(ranks, default=(True, True, -1))
    result = []
    for at, entry in enumerate(entries):
        if chosen is not None and not first[0] and at == first[2]:
            result.append({**entry, "kind": "primary"})
        elif entry["kind"] == "primary":
            result.append({**entry, "kind": (former or {}).get(key(entry), "mailing")})
        else:
            result.append(entry)
    return result


# Parting them again


def parted(
    before: Record, after: Record, now: Record, resolve: Mapping[str, str], others: Sequence[Record] = ()
) -> tuple[Record, list[Record]]:
    """The survivor without what the merge brought, and the conflicts that `resolve` says nothing about.

    `before` and `after`: its record on either side of the merge; `now`: as it is. What was changed since is kept; where
    the merge had set the same field, it is a conflict: {"field", "now", "then"}. `others`: the records of clients that
    are still merged into it, whose phones, emails, addresses and tags stay. Where nothing would be left to call it by,
    it keeps its names.
    """
    restored, conflicts = dict(now), []
    for names in _units(before, after, now):
        was, became, is_now = (tuple(_value(record, name) for name in names) for record in (before, after, now))
        if was == became or is_now == was:
            continue
        if is_now != became:
            answer = next((resolve[name] for name in names if name in resolve), None)
            if answer is None:
                conflicts += [
                    {"field": name, "now": _value(now, name), "then": _value(before, name)}
                    for name in names
                    if _value(now, name) != _value(before, name)
                ]
            if answer != THEN:
                continue
        _set(restored, dict(zip(names, was, strict=True)))
    if not any(restored[name] for name in NAMES):
        restored.update({name: now[name] for name in NAMES})
    for name in LISTS:
        answer = resolve.get(name)
        if answer == THEN:
            restored[name] = before[name]
            continue
        entries, clean = _parted_list(name, before[name], after[name], now[name], [other[name] for other in others])
        if clean:
            restored[name] = entries
        elif answer is None:
            conflicts.append({"field": name, "now": now[name], "then": before[name]})
    return restored, conflicts


def handed_over(
    sides: tuple[Record, Record], restored: Record, other: Record, others_sides: tuple[Record, Record]
) -> tuple[Record, Record]:
    """The survivor's record on either side of another merge, as if what the parted one brought, and what stays for
    `other`, who came by that one, has it too, had come with `other`."""
    lists: tuple[Record, Record] = ({}, {})
    for name in LISTS:
        key = _KEYS[name]
        was, became = ({key(entry) for entry in record[name]} for record in sides)
        stays = (became - was) & {key(entry) for entry in restored[name]} & {key(entry) for entry in other[name]}
        before, after = ([entry for entry in record[name] if key(entry) not in stays] for record in others_sides)
        lists[0][name] = before
        lists[1][name] = [*after, *(entry for entry in restored[name] if key(entry) in stays)]
    return {**others_sides[0], **lists[0]}, {**others_sides[1], **lists[1]}


def conflict_fields(before: Record, after: Record, now: Record) -> set[str]:
    """The fields that may be named in `resolve`."""
    return {*SINGLE, *LISTS, *(name for names in _units(before, after, now) for name in names)}


def _units(*records: Record) -> Iterator[tuple[str, ...]]:
    """The fields that are compared, each alone but for those that go together."""
    yield from ((name,) for name in SINGLE if name not in _EXTERNAL)
    yield _EXTERNAL
    yield from ((f"{_CUSTOM}.{key}",) for key in sorted({key for record in records for key in record[_CUSTOM]}))


def _set(record: Record, values: Record) -> None:
    for name, value in values.items():
        head, _, key = name.partition(".")
        if not key:
            record[head] = value
            continue
        kept = {other: known for other, known in record[_CUSTOM].items() if other != key}
        record[_CUSTOM] = kept if value is None else {**kept, key: value}


def _parted_list(
    name: str, before: Sequence[Any], after: Sequence[Any], now: Sequence[Any], others: Sequence[Sequence[Any]]
) -> tuple[list[Any], bool]:
    """The entries without those that the merge added. Not clean: one of those was changed since."""
    key = _KEYS[name]
    became: dict[Any, list[Any]] = {}
    for entry in after:
        # Of one postal address there may be two, of different kinds.
        became.setdefault(key(entry), []).append(_content(name, entry))
    theirs = {key(entry) for entries in others for entry in entries}
    added = became.keys() - {key(entry) for entry in before}
    kept: list[Any] = []
    for entry in now:
        its = key(entry)
        if its not in added:
            kept.append(entry)
        elif _content(name, entry) not in became[its]:
            return list(now), False
        elif its in theirs:
            kept.append(entry)
    if name == "tags":
        return kept, True
    primaries = [_primary_of(name, entries) for entries in (before, after, now)]
    first, then, since = (key(entry) if entry is not None else None for entry in primaries)
    # A primary that somebody chose since stays, if it is still there, and so does that there is none.
    stays = since is None or since in {key(entry) for entry in kept}
    wanted = since if since != then and stays else first
    former = {key(entry): entry["kind"] for entry in before if entry.get("kind") not in (None, "primary")}
    return _with_primary(name, kept, wanted, former), True


def _content(name: str, entry: Any) -> Any:
    if name == "tags":
        return entry
    return {part: value for part, value in entry.items() if part not in ("primary", "position")}
