"""messaging forgets a client that is erased."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from chassis.columns import new_id
from chassis.config import SettingsError
from chassis.context import use
from chassis.files import FolderFiles
from chassis.sealing import LocalKeys, use_key_store
from chassis.testing import deliver, received
from contracts import clients, messaging
from contracts.errors import NotFound
from services.messaging import (
    address_erasing,
    address_keys,
    communications,
    consent,
    consent_ledger,
    history,
    media,
    preferences,
    stated_consents,
)
from services.messaging.models import ConsentState, Delivery, InboundMedia
from tests.service.canaries import found_in, publish_all
from tests.service.conversing import STRANGER, listed, only, say
from tests.service.messaging_desk import NOW, Desk, desk

__all__ = ["desk"]

NUMBER = "+12125550142"
WORDS = ["Zerelda", "Marzipan", "Quahogport", "Wurlitzer", "Lamplighter"]
PICTURE = b"\x89PNG\r\n\x1a\n" + b"\x00" * 64


@pytest.fixture(autouse=True)
def files(desk: Desk, tmp_path: Any) -> FolderFiles:
    desk.service.files = FolderFiles(tmp_path)
    return desk.service.files


def somebody(desk: Desk, number: str = NUMBER) -> str:
    return desk.person(number, first_name="Zerelda", last_name="Oxenfree", display_name="Zerelda Oxenfree")


def erased(desk: Desk, *client_ids: str) -> list[dict[str, Any]]:
    """Each of these clients, all at once and twice; what is reported."""
    for client_id in client_ids:
        desk.people[client_id] = {"client_id": client_id, "state": "erased"}
    events = [
        received(
            clients.CLIENT_ERASED,
            {"client_id": id_, "erasure_id": new_id(), "version": 9, "client_ids": [id_]},
            firm_id=desk.firm_id,
            subscription="forget_clients",
        )
        for id_ in client_ids
    ]
    deliver(desk.service, "forget_clients", *events)
    deliver(desk.service, "forget_clients", *events)
    wanted = {event.data["erasure_id"] for event in events}
    return [report for report in desk.emitted(messaging.ERASURE_REPORTED) if report["erasure_id"] in wanted]


def has_a_history(desk: Desk) -> str:
    """A client who was written to in bulk and one by one, wrote back, and was called."""
    client_id = somebody(desk)
    desk.ask([desk.item(client_id)])
    desk.run()
    say(desk, client_id, "The Wurlitzer is in Quahogport.")
    desk.run()
    desk.write(NUMBER, "I moved to Marzipan Row.")
    communications.log_communication(
        desk.db, desk.calls, client_id=client_id, actor_id=desk.staff_id, kind="call", subject="Lamplighter",
        notes="Ask about the Wurlitzer.", now=desk.clock(),
    )  # fmt: skip
    return client_id


def test_nothing_that_was_written_either_way_is_left(desk: Desk) -> None:
    other = desk.person(first_name="Bea", last_name="Fox", display_name="Bea Fox")
    say(desk, other, "Yours stays.")
    client_id = has_a_history(desk)
    conversation = only(desk, client_id=client_id)["id"]
    words = [NUMBER, *WORDS]
    assert set(found_in(desk.everywhere, words)) == set(words)
    publish_all(desk.everywhere)
    (report,) = erased(desk, client_id)
    assert report["outcome"] == "done"
    assert report["counts"] == {"deliveries": 2, "messages": 1, "notes": 1, "conversations": 1}
    left = found_in(desk.everywhere, words)
    assert left == []
    assert found_in(desk.everywhere, ["Yours stays."]) == ["Yours stays."]
    rows = [row for row in desk.deliveries() if row.client_id == client_id]
    assert {(row.state, row.address, row.body, row.variables) for row in rows} == {("sent", None, None, None)}
    assert all(row.provider_id for row in rows)
    with pytest.raises(NotFound):
        desk.service.get_conversation(conversation)


def test_what_waits_is_suppressed_and_the_sums_still_add_up(desk: Desk) -> None:
    client_id, other = somebody(desk), desk.person()
    batch_id = desk.ask([desk.item(client_id), desk.item(other)])
    desk.prepare()
    erased(desk, client_id)
    desk.run()
    assert desk.outcome(batch_id) == {"client_erased": 1, "sent": 1}
    assert [call.to for call in desk.provider.accepted] == [desk.number(other)]
    assert found_in(desk.everywhere, [NUMBER, "Zerelda"]) == []
    assert sum(desk.batch(batch_id)["counts"].values()) == 2


def test_a_chunk_that_comes_after_the_erasing_is_suppressed(desk: Desk) -> None:
    client_id = somebody(desk)
    erased(desk, client_id)
    batch_id = desk.ask([desk.item(client_id)])
    desk.run()
    assert desk.outcome(batch_id) == {"client_erased": 1}
    assert found_in(desk.everywhere, [NUMBER]) == []


def test_a_message_that_is_being_sent_is_forgotten_when_its_outcome_is_known(desk: Desk) -> None:
    client_id = somebody(desk)
    batch_id = desk.ask([desk.item(client_id)])
    desk.prepare()
    with desk.db.unit_of_work() as uow:
        (row,) = uow.session.scalars(select(Delivery)).all()
        row.state, row.body = "sending", "Hi Zerelda"
    (report,) = erased(desk, client_id)
    assert report["outcome"] == "held"
    with desk.db.unit_of_work() as uow:
        (row,) = uow.session.scalars(select(Delivery)).all()
        row.state = "sent"
    (report,) = erased(desk, client_id)
    assert report["outcome"] == "done"
    assert found_in(desk.everywhere, [NUMBER, "Zerelda"]) == []
    assert desk.outcome(batch_id) == {"sent": 1}


def test_nobody_asks_any_more_whether_a_message_arrived(desk: Desk) -> None:
    client_id = somebody(desk)
    batch_id = desk.ask([desk.item(client_id)])
    desk.prepare()
    with desk.db.unit_of_work() as uow:
        (row,) = uow.session.scalars(select(Delivery)).all()
        row.state, row.attempts, row.body = "unknown", 1, "Hi Zerelda"
    (report,) = erased(desk, client_id)
    assert report["outcome"] == "done"
    (row,) = desk.deliveries(batch_id)
    assert (row.state, row.reason, row.address) == ("failed", "client_erased", None)


def test_files_that_came_with_messages_are_removed(desk: Desk, files: FolderFiles) -> None:
    client_id = somebody(desk)
    desk.ask([desk.item(client_id)])
    desk.run()
    files.put("mail/picture", PICTURE)
    media_given = [{"file_key": "mail/picture", "filename": "Wurlitzer.png", "content_type": "image/png"}]
    desk.write(NUMBER, "A picture", media=media_given)
    media.fetch_due(desk.everywhere, files, {}, largest=10_000, now=desk.clock)
    with desk.db.read() as session:
        (kept,) = session.scalars(select(InboundMedia)).all()
    assert files.exists(str(kept.file_key))
    erased(desk, client_id)
    assert list(files.keys("mail")) == list(files.keys("media")) == []
    assert found_in(desk.everywhere, ["Wurlitzer"]) == []


def test_a_file_that_is_being_fetched_meanwhile_is_not_kept(desk: Desk, files: FolderFiles) -> None:
    client_id = somebody(desk)
    desk.ask([desk.item(client_id)])
    desk.run()
    desk.write(NUMBER, "A picture", media=[{"url": "https://media.test/1", "content_type": "image/png"}])

    class Slow:
        def fetch(self, url: str, into: Any, largest: int) -> None:
            erased(desk, client_id)
            into.write(PICTURE)

    media.fetch_due(desk.everywhere, files, {"twilio": Slow()}, largest=10_000, now=desk.clock)
    assert list(files.keys("media")) == []


def test_a_repeated_webhook_brings_nothing_back(desk: Desk) -> None:
    client_id = somebody(desk)
    desk.ask([desk.item(client_id)])
    desk.run()
    desk.write(NUMBER, "From Marzipan Row", provider_id="SM1")
    erased(desk, client_id)
    assert desk.reply(NUMBER, "From Marzipan Row", provider_id="SM1")["repeated"]
    assert found_in(desk.everywhere, ["Marzipan"]) == []


def test_what_a_shared_number_wrote_stays_the_others(desk: Desk) -> None:
    client_id, other = somebody(desk), desk.person(NUMBER)
    desk.ask([desk.item(client_id), desk.item(other)])
    desk.run()
    desk.write(NUMBER, "We moved to Marzipan Row.")
    (report,) = erased(desk, client_id)
    assert report["counts"]["messages"] == 0
    found = history.list_messages(
        desk.db, client_id=other, address=None, direction="inbound", batch_id=None, limit=50, cursor=None, sort=None
    )["data"]
    assert [message["body"] for message in found] == ["We moved to Marzipan Row."]


def test_a_text_for_many_and_a_template_stay(desk: Desk) -> None:
    client_id, other = somebody(desk), desk.person()
    template = desk.service.create_message_template(
        name="Hello", variants=[{"channel": "sms", "language": "en", "body": "Hello Wurlitzer friends", "subject": None,
                                 "html": None}]
    )  # fmt: skip
    say(desk, client_id, None, template_id=template["id"])
    say(desk, other, None, template_id=template["id"])
    desk.run()
    erased(desk, client_id)
    assert desk.service.get_message_template(template["id"])["variants"][0]["body"] == "Hello Wurlitzer friends"
    (row,) = [row for row in desk.deliveries() if row.client_id == other]
    assert row.body == "Hello Wurlitzer friends"


# What outlives the person


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


def test_what_belongs_to_another_client_stays(desk: Desk) -> None:
    client_id, other = somebody(desk), desk.person(NUMBER)
    desk.ask([desk.item(client_id), desk.item(other)])
    desk.run()
    desk.write(NUMBER, "STOP")
    erased(desk, client_id)
    assert states(desk)["sms"] == "opted_out"
    (proof,) = ledger(desk)
    assert proof["address"] == NUMBER


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
