"""What a row makes of a case that is there: laid over it, or filled in where it is empty. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from services.cases.imports.loading import PLAIN
from services.cases.imports.people import placed
from services.cases.imports.rows import Person, Record
from services.cases.key_dates import Dates

_NEVER_FILLED = ("number", "name", "status", "archived")


def joined(record: Record, fields: Record, people: Sequence[Person], cleared_dates: Sequence[str] = ()) -> Record:
    """The fields of a row over those of a case: staff and additional clients are added to who is there, a key date
    takes the place of the one of its label, the primary client that of the one before, all else is replaced. An empty
    list empties."""
    result = {**record, **{name: value for name, value in fields.items() if name in (*PLAIN, "archived")}}
    if "staff_ids" in fields:
        given = fields["staff_ids"]
        result["staff_ids"] = list(dict.fromkeys([*record["staff_ids"], *given])) if given else []
    result["key_dates"] = _with_dates(record["key_dates"], fields.get("key_dates", []), cleared_dates)
    if people:
        result["clients"] = _with_clients(record["clients"], placed(people))
    return result


def filled(record: Record, fields: Record, people: Sequence[Person]) -> Record:
    """Of the fields of a row those that the case lacks; staff, additional clients and key dates of other labels are
    added to what there is."""
    given = {
        name: value
        for name, value in fields.items()
        if name in ("staff_ids", "key_dates") or (name not in _NEVER_FILLED and record.get(name) is None)
    }
    labels = {entry["label"] for entry in record["key_dates"]}
    given["key_dates"] = [entry for entry in given.get("key_dates", []) if entry["label"] not in labels]
    if not given.get("staff_ids"):
        given.pop("staff_ids", None)
    result = joined(record, given, [])
    if people:
        others = [entry for entry in placed(people) if entry["role"] != "primary"]
        result["clients"] = _with_clients(record["clients"], others)
    return result


def _with_dates(known: Dates, given: Dates, cleared: Sequence[str]) -> Dates:
    labels = {entry["label"] for entry in given}
    days = {label: [entry for entry in given if entry["label"] == label] for label in labels}
    result: Dates = []
    for entry in known:
        if entry["label"] in days:
            result += days.pop(entry["label"])
        elif entry["label"] not in labels and entry["label"] not in cleared:
            result.append(entry)
    return result + [entry for entry in given if entry["label"] in days]


def _with_clients(known: list[Record], given: list[Record]) -> list[Record]:
    primary = next((entry for entry in given if entry["role"] == "primary"), None)
    result = [dict(entry) for entry in known]
    if primary is not None:
        before = next(entry for entry in result if entry["role"] == "primary")
        if before["client_id"] == primary["client_id"]:
            before["label"] = primary["label"] or before["label"]
        else:
            result = [entry for entry in result if entry["client_id"] != primary["client_id"] and entry is not before]
            result.insert(0, primary)
    by_id = {entry["client_id"]: entry for entry in result}
    for entry in given:
        there = by_id.get(entry["client_id"])
        if there is None:
            result.append(entry)
            by_id[entry["client_id"]] = entry
        elif entry["label"] is not None:
            there["label"] = entry["label"]
    return result
