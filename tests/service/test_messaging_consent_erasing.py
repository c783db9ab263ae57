"""messaging: what of consent outlives a client that is erased."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.columns import new_id
from chassis.config import SettingsError
from chassis.context import use
from chassis.sealing import LocalKeys, use_key_store
from services.messaging import address_keys, consent
from services.messaging.consents import consent_ledger, preferences, stated_consents
from services.messaging.erasures import address_erasing
from services.messaging.models import ConsentState
from tests.service.canaries import found_in
from tests.service.conversing import STRANGER, listed, only
from tests.service.erasing_messages import NUMBER, erased, files, somebody
from tests.service.messaging_desk import NOW, Desk, desk
from tests.service.one_database import on_one_database

__all__ = ["desk", "files"]


def states(desk: Desk) -> dict[str, str | None]:
    keys = [(channel, consent.address_key(NUMBER)) for channel in ("sms", "phone")]
    with desk.db.read() as session:
        return {channel: state for (channel, _), state in consent.read_states(session, keys).items()}


def ledger(desk: Desk) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = consent_ledger.list_consents(desk.db, desk.calls, address=NUMBER)["data"]
    return found


def stopped(desk: Desk, words: str = "Please stop texting me, Zerelda has moved to Marzipan Row") -> str:
    client_id = somebody(desk)
    desk.ask([desk.item(client_id)])
    desk.run()
    desk.write(NUMBER, words)
    assert states(desk)["sms"] == "opted_out"
    return client_id


def test_a_text_to_a_number_that_said_stop_is_refused_after_the_erasing(desk: Desk) -> None:
    erased(desk, stopped(desk))
    assert found_in(desk.everywhere, [NUMBER, NUMBER[1:], "Zerelda", "Marzipan"]) == []
    assert states(desk)["sms"] == "opted_out"
    (proof,) = ledger(desk)
    assert (proof["state"], proof["source"], proof["address"]) == ("opted_out", "reply", None)
    assert "words" not in proof["evidence"]
    assert proof["evidence"]["message_id"]
    before = len(desk.provider.accepted)
    somebody_else = desk.person(NUMBER, first_name="Newcomer")
    batch_id = desk.ask([desk.item(somebody_else)])
    desk.run()
    assert desk.outcome(batch_id) == {"opted_out": 1}
    assert len(desk.provider.accepted) == before
    # And it can be lifted by who has the number now.
    desk.write(NUMBER, "START")
    assert states(desk)["sms"] == "opted_in"


def test_what_the_client_itself_had_stopped_binds_its_addresses(desk: Desk) -> None:
    client_id = somebody(desk)
    preferences.set_preferences(
        desk.db, desk.calls, actor_id=desk.staff_id, client_id=client_id, source="staff", sms="opted_out"
    )
    address_erasing.forget_addresses(
        desk.db, desk.service.files, NOW,
        people=[{"client_ids": [client_id], "numbers": [NUMBER], "emails": []}],
    )  # fmt: skip
    erased(desk, client_id)
    assert states(desk)["sms"] == "opted_out"
    assert found_in(desk.everywhere, [NUMBER]) == []
    batch_id = desk.ask([desk.item(desk.person(NUMBER))])
    desk.run()
    assert desk.outcome(batch_id) == {"opted_out": 1}


def test_an_opt_in_is_forgotten(desk: Desk) -> None:
    client_id = somebody(desk)
    entry = {"channel": "sms", "state": "opted_in", "address": NUMBER, "client_id": None, "words": "Yes, Zerelda"}
    stated_consents.record_consents(desk.db, desk.calls, source="import", entries=[entry], actor_id=None)
    assert states(desk)["sms"] == "opted_in"
    person = {"client_ids": [client_id], "numbers": [NUMBER], "emails": []}
    for _ in range(2):
        address_erasing.forget_addresses(desk.db, desk.service.files, NOW, people=[person])
    assert states(desk)["sms"] is None
    assert ledger(desk) == []
    assert found_in(desk.everywhere, [NUMBER, "Zerelda"]) == []


def test_what_came_before_anybody_knew_whose_it_was_goes_too(desk: Desk) -> None:
    desk.write(STRANGER, "I am at Marzipan Row.")
    assert only(desk)["kind"] == "unmatched"
    person = {"client_ids": [new_id()], "numbers": [STRANGER], "emails": []}
    address_erasing.forget_addresses(desk.db, desk.service.files, NOW, people=[person])
    assert listed(desk) == []
    assert found_in(desk.everywhere, [STRANGER, "Marzipan"]) == []


@on_one_database
def test_what_belongs_to_another_client_stays(desk: Desk) -> None:
    client_id, other = somebody(desk), desk.person(NUMBER)
    desk.ask([desk.item(client_id), desk.item(other)])
    desk.run()
    desk.write(NUMBER, "STOP")
    erased(desk, client_id)
    assert states(desk)["sms"] == "opted_out"
    (proof,) = ledger(desk)
    assert proof["address"] == NUMBER


@on_one_database
def test_another_firms_ledger_is_not_touched(desk: Desk) -> None:
    foreign = Desk(desk.everywhere, office="+12125550900")
    with use(foreign.context):
        client_id = stopped(foreign)
    person = {"client_ids": [client_id], "numbers": [NUMBER], "emails": []}
    address_erasing.forget_addresses(desk.db, desk.service.files, NOW, people=[person])
    assert [entry["address"] for entry in ledger(foreign)] == [NUMBER]


def test_a_process_has_the_key_only_when_every_row_is_hashed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = [f"+121255501{at}" for at in range(10, 13)]
    with desk.db.unit_of_work() as uow:
        rows = [{"channel": "sms", "key": f"a:{number}", "state": "opted_out"} for number in numbers]
        uow.insert(ConsentState, rows)
    use_key_store(LocalKeys([b"k" * 32]))
    monkeypatch.setattr(address_keys, "_AT_ONCE", 1)
    monkeypatch.setattr(address_keys, "_secret", [])
    left = []
    hash_some = address_keys._hash_some

    def watched(*given: Any) -> bool:
        left.append(address_keys.loaded())
        return hash_some(*given)

    monkeypatch.setattr(address_keys, "_hash_some", watched)
    address_keys.load(desk.everywhere)
    assert (left, address_keys.loaded()) == ([False] * 4, True)


@pytest.mark.parametrize(
    ("before", "since", "stands"),
    [
        ("opted_in", "opted_out", "opted_out"),
        ("opted_out", "opted_in", "opted_out"),
        (None, "unreachable", "unreachable"),
    ],
)
def test_what_an_earlier_release_wrote_beside_this_one_is_joined(
    desk: Desk, before: str | None, since: str, stands: str
) -> None:
    use_key_store(LocalKeys([b"k" * 32]))
    address_keys.load(desk.everywhere)
    keys = [(f"h:{address_keys.hashed(NUMBER)}", before), (f"a:{NUMBER}", since)]
    with desk.db.unit_of_work() as uow:
        uow.insert(ConsentState, [{"channel": "sms", "key": key, "state": state} for key, state in keys])
    address_keys.load(desk.everywhere)
    assert states(desk) == {"sms": stands}
    assert found_in(desk.everywhere, [NUMBER]) == []


def test_keys_in_clear_from_before_are_hashed_at_the_next_start(desk: Desk) -> None:
    with desk.db.unit_of_work() as uow:
        uow.insert(ConsentState, [{"channel": "sms", "key": f"a:{NUMBER}", "state": "opted_out"}])
    use_key_store(LocalKeys([b"k" * 32]))
    address_keys.load(desk.everywhere)
    assert states(desk) == {"sms": "opted_out"}
    assert found_in(desk.everywhere, [NUMBER]) == []
    kept = address_keys.hashed(NUMBER)
    address_keys.load(desk.everywhere)
    assert address_keys.hashed(NUMBER) == kept
    use_key_store(LocalKeys([b"o" * 32]))
    with pytest.raises(SettingsError, match="restore them from the backup"):
        address_keys.load(desk.everywhere)
    use_key_store(LocalKeys([b"k" * 32]))
