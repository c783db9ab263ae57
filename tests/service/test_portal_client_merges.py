"""portal: links of clients that were merged."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from chassis.columns import new_id
from chassis.testing import deliver
from contracts import cases, clients
from contracts.errors import Gone, NotFound
from contracts.portal import LINK_REVOKED
from services.portal import links, pages
from services.portal.models import Base
from tests.service.merges import Merge
from tests.service.portal_office import NOW, Office


@pytest.fixture
def office(new_database: Any) -> Office:
    return Office(new_database(Base))


def merge(office: Office, surviving_id: str, merged_id: str) -> Merge:
    return Merge(office.service, office.firm_id, surviving_id, merged_id, NOW)


def whose(office: Office, link: Any) -> str:
    found: str = links.get_link(office.db, link.id)["client_id"]
    return found


def test_a_link_opens_the_survivors_page_and_goes_back(office: Office) -> None:
    old = new_id()
    mine, own = office.link(client_id=old), office.link()
    made = merge(office, office.client_id, old).told()
    assert office.is_open(mine)
    assert (whose(office, mine), whose(office, own)) == (office.client_id, office.client_id)
    assert len(office.page(mine)["case_tasks"]) == 1
    made.undone()
    assert (whose(office, mine), whose(office, own)) == (old, office.client_id)
    assert office.is_open(mine)
    assert office.is_open(own)


def test_a_link_made_late_for_the_merged_client_follows_when_it_is_told_again(office: Office) -> None:
    old = new_id()
    made = merge(office, office.client_id, old).told()
    late = office.link(client_id=old)
    made.told()
    assert whose(office, late) == office.client_id


def test_an_undo_that_comes_first_leaves_the_links_where_they_are(office: Office) -> None:
    old = new_id()
    mine = office.link(client_id=old)
    merge(office, office.client_id, old).undone().told()
    assert whose(office, mine) == old


def test_a_merge_of_clients_nobody_here_knows_changes_nothing(office: Office) -> None:
    own = office.link()
    merge(office, new_id(), new_id()).told().undone()
    assert (whose(office, own), office.is_open(own)) == (office.client_id, True)


def test_the_addresses_that_a_merge_brings_end_no_links(office: Office) -> None:
    link = office.link()
    deliver(office.service, "end_links_to_old_address", office.changed("phones", "emails", merge_id=new_id()))
    assert office.is_open(link)
    deliver(office.service, "end_links_to_old_address", office.changed("phones", "emails"))
    assert not office.is_open(link)


def test_what_the_survivor_was_sent_while_they_were_one_ends_with_it(office: Office) -> None:
    old = new_id()
    before = office.link()
    office.clock.advance(minutes=5)
    made = merge(office, office.client_id, old)
    made.at = office.clock() - dt.timedelta(minutes=1)
    made.told()
    meanwhile = office.link()
    office.clock.advance(hours=2)
    since = office.link()
    made.undone()
    assert [office.is_open(link) for link in (before, meanwhile, since)] == [True, False, True]
    assert [event["link_id"] for event in office.emitted(LINK_REVOKED)] == [meanwhile.id]


def test_no_link_is_made_for_a_merged_client(office: Office) -> None:
    old = new_id()
    office.calls.answers[clients.GET_CLIENT_FACTS] = lambda client_ids: {
        "clients": [], "merged": [{"client_id": old, "surviving_id": office.client_id}]
    }  # fmt: skip
    wanted = {"client_id": old, "scope": {"kind": "tasks", "case_task_id": None, "case_ids": []}}
    with pytest.raises(Gone) as caught:
        pages.check_scope(office.calls, wanted)
    assert (caught.value.code, caught.value.meta["surviving_id"]) == ("client_merged", office.client_id)


@pytest.mark.parametrize("kind", ["task", "tasks"])
def test_a_link_opens_while_the_news_of_a_merge_is_under_way(office: Office, kind: str) -> None:
    old = new_id()
    scope = {"kind": kind, "case_task_id": next(iter(office.case_tasks)) if kind == "task" else None, "case_ids": []}
    link = office.link(client_id=old, scope=scope)
    known = office.calls.answers[cases.LIST_CASES]

    def list_cases(client_id: str, **query: Any) -> dict[str, Any]:
        if client_id != office.client_id:
            raise NotFound("client_not_found", client_id=client_id)
        return known()

    office.calls.answers[cases.LIST_CASES] = list_cases
    if kind == "task":
        with pytest.raises(Gone):
            office.page(link)
    office.client["surviving_id"] = office.client_id
    assert office.page(link)["case_tasks"]
