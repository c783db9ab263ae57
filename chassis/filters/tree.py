"""What a filter means, as a tree of conditions. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from chassis.filters.fields import Reading


@dataclass(frozen=True)
class All:
    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Some:
    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Complement:
    part: Node


@dataclass(frozen=True)
class Condition:
    """Holds if one of its readings does. A custom field has one reading for each kind that it has."""

    readings: tuple[Reading, ...]


Node = All | Some | Complement | Condition


def readings_of(node: Node) -> Iterator[Reading]:
    """Every reading of a tree."""
    match node:
        case Condition(readings):
            yield from readings
        case Complement(part):
            yield from readings_of(part)
        case All(parts) | Some(parts):
            for part in parts:
                yield from readings_of(part)


def with_readings(node: Node, change: Callable[[Reading], Reading]) -> Node:
    """The same tree with changed readings."""
    match node:
        case Condition(readings):
            return Condition(tuple(change(reading) for reading in readings))
        case Complement(part):
            return Complement(with_readings(part, change))
        case All(parts):
            return All(tuple(with_readings(part, change) for part in parts))
        case Some(parts):
            return Some(tuple(with_readings(part, change) for part in parts))
