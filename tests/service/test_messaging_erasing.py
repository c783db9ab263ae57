"""messaging forgets a client that is erased."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from chassis.files import FolderFiles
from contracts.errors import NotFound
from services.messaging import history, media
from services.messaging.models import Delivery, InboundMedia
from tests.service.canaries import found_in, publish_all
from tests.service.conversing import only, say
from tests.service.erasing_messages import NUMBER, PICTURE, WORDS, erased, files, has_a_history, somebody
from tests.service.messaging_desk import Desk, desk
from tests.service.one_database import on_one_database

__all__ = ["desk", "files"]


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


@on_one_database
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


def test_a_file_that_is_being_fetched_meanwhile_is_not_kept(
    desk: Desk, files: FolderFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    client_id = somebody(desk)
    desk.ask([desk.item(client_id)])
    desk.run()
    desk.write(NUMBER, "A picture", media=[{"url": "https://media.test/1", "content_type": "image/png"}])

    class Slow:
        def fetch(self, url: str, into: Any, largest: int) -> None:
            erased(desk, client_id)
            into.write(PICTURE)

    delete, busy = files.delete, []

    def delete_it(key: str) -> None:
        busy.append(desk.everywhere.engines.read.pool.checkedout())
        delete(key)

    monkeypatch.setattr(files, "delete", delete_it)
    media.fetch_due(desk.everywhere, files, {"twilio": Slow()}, largest=10_000, now=desk.clock)
    assert list(files.keys("media")) == []
    assert set(busy) == {0}, "within no transaction"


@on_one_database
def test_a_repeated_webhook_brings_nothing_back(desk: Desk) -> None:
    client_id = somebody(desk)
    desk.ask([desk.item(client_id)])
    desk.run()
    desk.write(NUMBER, "From Marzipan Row", provider_id="SM1")
    erased(desk, client_id)
    assert desk.reply(NUMBER, "From Marzipan Row", provider_id="SM1")["repeated"]
    assert found_in(desk.everywhere, ["Marzipan"]) == []


@on_one_database
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
