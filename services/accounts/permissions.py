"""The one table that says which role may do what.

A permission is what an operation's contract declares; `tests/unit/test_accounts_permissions.py` asserts that each of
them is here.
"""

from __future__ import annotations

from collections.abc import Iterable

_READ = frozenset(
    {
        "cases.read",
        "clients.read",
        "consents.read",
        "firm.read",
        "links.read",
        "messages.read",
        "staff.read",
        "tasks.read",
    }
)
_MEMBER = _READ | {
    "cases.write",
    "clients.write",
    "consents.write",
    "links.write",
    "messages.write",
    "tasks.write",
}
_SUPERVISOR = _MEMBER | {
    "automation_rules.write",
    "client_fields.write",
    "clients.delete",
    "clients.merge",
    "clients.read_sensitive",
    "imports.write",
    "message_templates.write",
    "messages.bulk",
    "task_templates.write",
}
_ADMIN = _SUPERVISOR | {
    "api_keys.read",
    "api_keys.write",
    "case_types.write",
    "clients.erase",
    "clients.export_data",
    "clients.hold",
    "firm.write",
    "staff.write",
}

PERMISSIONS: dict[str, frozenset[str]] = {
    "owner": _ADMIN,
    "admin": _ADMIN,
    "supervisor": _SUPERVISOR,
    "member": _MEMBER,
    "read_only": _READ,
}
"""Role to permissions. An owner may do what an admin may, and also make and unmake owners (see `outranks`)."""

_RANK = {"read_only": 0, "member": 1, "supervisor": 2, "admin": 3, "owner": 4}

ALL: frozenset[str] = frozenset().union(*PERMISSIONS.values())


def permitted(role: str, scopes: Iterable[str] = ()) -> list[str]:
    """What a credential may do, sorted: all that its role may, cut down to its scopes if it has any."""
    limits = frozenset(scopes)
    allowed = PERMISSIONS[role]
    return sorted(allowed & limits if limits else allowed)


def outranks(role: str, other: str) -> bool:
    """Whether `role` is above `other`. Nobody gives, takes or uses a role above the own one."""
    return _RANK[role] > _RANK[other]
