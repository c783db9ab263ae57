"""What the later migrations of messaging and portal make of the rows there. (Those of cases, clients and tasks have
files of their own.)"""

from __future__ import annotations

from collections.abc import Callable

from chassis.columns import new_id
from chassis.database import Database
from chassis.testing import service_url
from services.messaging import address_keys
from services.messaging.models import Base
from tests.service.old_rows import NOW, OldDatabase, old, versions_postgresql, versions_sqlite

__all__ = ["old", "versions_postgresql", "versions_sqlite"]

Old = Callable[[str, str], OldDatabase]


def test_batches_there_are_no_groups(old: Old) -> None:
    database = old("messaging", "0007")
    firm_id, batch_id = new_id(), new_id()
    database.put("batch", firm_id=firm_id, id=batch_id)
    before = sorted(database.columns("batch"))
    kept = database.rows("batch", *before)
    database.to("0008")
    assert database.rows("batch", "id", "group_id") == [(batch_id, None)]
    database.back_to("0007")
    assert sorted(database.columns("batch")) == before
    assert database.rows("batch", *before) == kept


def test_opt_outs_there_hold_when_their_addresses_are_hashed(old: Old) -> None:
    database = old("messaging", "0011")
    firm_id, entry_id, client_id = (new_id() for _ in range(3))
    number = "+12125550123"
    said = {"channel": "sms", "state": "opted_out", "source": "reply", "evidence": {"words": "STOP"}}
    database.put("consent_entry", firm_id=firm_id, id=entry_id, address=number, at=NOW, **said)
    for key in (f"a:{number}", f"c:{client_id}"):
        database.put("consent_state", firm_id=firm_id, channel="sms", key=key, state="opted_out", entry_id=entry_id)
    database.to("head")
    assert database.rows("consent_entry", "id", "address", "address_hash", *said) == [
        (entry_id, number, None, *said.values())
    ]
    everywhere = Database(service_url(database.url), Base)
    address_keys.load(everywhere)
    everywhere.engines.dispose()
    assert database.rows("consent_state", "key", "channel", "firm_id", "state", "entry_id") == [
        (f"c:{client_id}", "sms", firm_id, "opted_out", entry_id),
        (f"h:{address_keys.hashed(number)}", "sms", firm_id, "opted_out", entry_id),
    ]
    # The version before looks for addresses as they are.
    database.back_to("0011")
    assert database.rows("consent_state", "key", "channel", "firm_id", "state", "entry_id") == [
        (key, "sms", firm_id, "opted_out", entry_id) for key in (f"a:{number}", f"c:{client_id}")
    ]
    assert database.rows("consent_entry", "id", "address", *said) == [(entry_id, number, *said.values())]


def test_links_there_are_clients(old: Old) -> None:
    database = old("portal", "0001")
    firm_id, link_id, client_id = (new_id() for _ in range(3))
    database.put("link", firm_id=firm_id, id=link_id, client_id=client_id)
    before = sorted(database.columns("link"))
    kept = database.rows("link", *before)
    database.to("0003")
    assert database.rows("link", "id", "client_id", "contact_id") == [(link_id, client_id, None)]
    database.back_to("0001")
    assert sorted(database.columns("link")) == before
    assert database.rows("link", *before) == kept


def test_links_there_are_to_no_form_and_those_to_forms_end_with_them(old: Old) -> None:
    database = old("portal", "0003")
    firm_id, link_id = new_id(), new_id()
    database.put("link", firm_id=firm_id, id=link_id, kind="tasks", client_id=new_id())
    before = sorted(database.columns("link"))
    kept = database.rows("link", *before)
    database.to("0004")
    assert database.rows("link", "id", "case_form_id") == [(link_id, None)]
    database.put("link", firm_id=firm_id, kind="form", token_hash="0" * 64, case_form_id=new_id())
    database.back_to("0003")
    assert sorted(database.columns("link")) == before
    assert database.rows("link", *before) == kept
