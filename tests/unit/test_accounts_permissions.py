"""The role table covers what the contracts ask for."""

import pytest

from contracts import accounts, cases, clients, messaging, portal, tasks
from contracts.base import declared
from services.accounts.permissions import ALL, PERMISSIONS, outranks, permitted

CONTRACTS = (accounts, cases, clients, messaging, portal, tasks)


def test_every_declared_permission_is_in_the_table_and_no_other():
    wanted = {
        operation.permission
        for module in CONTRACTS
        for operation in declared(module)[0]
        if operation.permission is not None
    }
    # Not to call something, but to be shown what is marked sensitive.
    assert wanted | {"clients.read_sensitive"} == ALL


def test_every_role_has_permissions():
    assert set(PERMISSIONS) == set(accounts.ROLES)


def test_a_higher_role_may_do_what_a_lower_one_may():
    for lower in accounts.ROLES:
        for higher in accounts.ROLES:
            if outranks(higher, lower):
                assert PERMISSIONS[lower] <= PERMISSIONS[higher]


@pytest.mark.parametrize("permission", sorted(permission for permission in ALL if not permission.endswith(".read")))
def test_read_only_changes_nothing(permission):
    assert permission not in permitted("read_only")


def test_scopes_cut_down_and_never_widen():
    assert permitted("member", ["cases.read", "firm.write"]) == ["cases.read"]
    assert permitted("member") == sorted(PERMISSIONS["member"])
