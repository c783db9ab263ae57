"""What a filter means, as a tree of conditions. Pure."""

from __future__ import annotations

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
