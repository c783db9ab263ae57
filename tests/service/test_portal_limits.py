"""A member who is limited to some types of cases finds no link to what is of others, and makes none to all that is
open."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.columns import new_id
from chassis.context import Context, use
from chassis.testing import make_service
from chassis.tokens import new_token
from contracts import cases
from contracts.errors import Forbidden, NotFound
from contracts.portal import LINK_REVOKED
from services.portal import links
from services.portal.service import PortalService
from tests.service.portal_office import Office, database, office

__all__ = ["database", "office"]


def desk_of(office: Office) -> Any:
    return make_service(PortalService, db=office.db, calls=office.calls, firms=office.firms)


def limited(office: Office) -> Any:
    return use(Context(firm_id=office.firm_id, actor_kind="staff", sees_only=(new_id(),)))


def scopes(office: Office, case_id: str, task_id: str, form_id: str) -> list[dict[str, Any]]:
    return [
        {"kind": "task", "case_task_id": task_id},
        {"kind": "form", "case_form_id": form_id},
        {"kind": "tasks", "case_ids": [office.case_id, case_id]},
    ]


def test_a_link_to_what_is_hidden_is_not_there(office: Office) -> None:
    """Their owners show, for whoever asks, what the client's case has, and nothing of another one."""
    desk = desk_of(office)
    hidden = [office.link(scope=scope).id for scope in scopes(office, new_id(), new_id(), new_id())]
    own = scopes(office, office.case_id, next(iter(office.case_tasks)), office.case_form_id)
    seen = [office.link(scope=scope).id for scope in [*own, {"kind": "tasks"}]]
    with limited(office):
        for link_id in hidden:
            for call in (desk.get_link, desk.revoke_link):
                with pytest.raises(NotFound, match="link_not_found"):
                    call(link_id)
        assert office.emitted(LINK_REVOKED) == []
        assert [desk.get_link(link_id)["id"] for link_id in seen] == seen
        assert desk.revoke_link(seen[0])["revoked_at"] is not None
    assert [desk.get_link(link_id)["id"] for link_id in hidden] == hidden


def test_a_link_to_all_that_is_open_leads_to_what_its_maker_sees(office: Office) -> None:
    desk = desk_of(office)

    def made() -> list[str]:
        asked = {"client_id": office.client_id, "scope": {"kind": "tasks"}, "token_hash": new_token()[1]}
        case_ids: list[str] = links.get_link(office.db, desk.create_link(**asked)["link_id"])["scope"]["case_ids"]
        return case_ids

    assert made() == []
    with limited(office):
        assert made() == [office.case_id]
        office.calls.answers[cases.LIST_CASES] = lambda **_: {"data": [], "meta": {"next_cursor": None}}
        with pytest.raises(Forbidden, match="limited_to_case_types"):
            made()
