"""Media: fetched from the provider and from nowhere else, judged by their content, kept within limits."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chassis.columns import new_id, utc_now
from chassis.files import FolderFiles
from chassis.testing import make_service
from contracts.errors import Conflict, NotFound
from services.messaging import history, left_attachments, media
from services.messaging.adapters.media_source import TwilioMedia
from services.messaging.entrypoints import conversations
from services.messaging.service import MessagingService
from tests.service.messaging_desk import Desk, desk
from tests.service.one_database import on_one_database
from tests.stand_ins.twilio import TwilioStandIn

__all__ = ["desk"]

PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452") + b"\x00" * 64
JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000") + b"\x00" * 64
PAGE = b"<!doctype html><script>alert(1)</script>"
LARGEST = 10_000


@pytest.fixture(scope="module")
def running() -> Iterator[TwilioStandIn]:
    with TwilioStandIn() as twilio:
        yield twilio


@pytest.fixture
def twilio(running: TwilioStandIn) -> TwilioStandIn:
    running.reset()
    return running


class Room:
    """A desk with an object store; `take()` fetches what is due."""

    def __init__(self, desk: Desk, twilio: TwilioStandIn, folder: Path) -> None:
        self.desk, self.files, self.url = desk, FolderFiles(folder), twilio.url
        self.source = TwilioMedia("ACtest", "token", api_url=twilio.url, seconds=2.0)

    def come(self, *entries: dict[str, Any], **given: Any) -> str:
        answer = self.desk.reply("+13055550100", "See this.", media=list(entries), **given)
        return str(answer["message_id"])

    def take(self, largest: int = LARGEST) -> bool:
        return media.fetch_due(
            self.desk.everywhere, self.files, {"twilio": self.source}, largest=largest, now=self.desk.clock
        )

    def shown(self, message_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = history.get_message(self.desk.db, message_id=message_id)["media"]
        return found

    def only(self, message_id: str) -> dict[str, Any]:
        (found,) = self.shown(message_id)
        return found

    def get(self, message_id: str, media_id: str) -> dict[str, Any]:
        return media.get_media(self.desk.db, message_id=message_id, media_id=media_id)


@pytest.fixture
def room(desk: Desk, twilio: TwilioStandIn, tmp_path: Path) -> Room:
    return Room(desk, twilio, tmp_path)


def test_a_picture_is_fetched_judged_and_kept(room: Room, twilio: TwilioStandIn) -> None:
    message_id = room.come({"url": twilio.keep_media("ME1", PNG), "content_type": "image/jpeg"})
    waiting = room.only(message_id)
    assert waiting["state"] == "waiting"
    with pytest.raises(Conflict, match="media_waiting"):
        room.get(message_id, waiting["id"])
    assert room.take() is True
    assert room.take() is False
    found = room.only(message_id)
    assert (found["state"], found["content_type"], found["size"]) == ("stored", "image/png", len(PNG))
    assert found["filename"] == f"{found['id']}.png"
    with room.files.get(room.get(message_id, found["id"])["file_key"]) as file:
        assert file.read() == PNG
    assert twilio.fetched() == [{"name": "ME1", "authorized": True}]


def test_a_message_known_already_keeps_its_media_once(room: Room, twilio: TwilioStandIn) -> None:
    entry = {"url": twilio.keep_media("ME1", PNG), "content_type": "image/png"}
    first = room.come(entry, provider_id="MM1")
    room.come(entry, provider_id="MM1")
    assert len(room.shown(first)) == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (PAGE, "not_allowed"),
        (b"<?xml version='1.0'?><svg onload='alert(1)'/>", "not_allowed"),
        (b"\xef\xbb\xbf <svg/>", "not_allowed"),
        (b"MZ" + b"\x00" * 100, "not_allowed"),
        (b"PK\x03\x04" + b"\x00" * 100, "not_allowed"),
        (b"plain\x00binary", "not_allowed"),
        (b"", "not_allowed"),
        (PNG + b"x" * LARGEST, "too_large"),
    ],
    ids=["page", "svg", "svg-after-a-mark", "program", "archive", "binary", "empty", "large"],
)
def test_what_is_not_allowed_is_refused_whatever_it_is_called(
    room: Room, twilio: TwilioStandIn, content: bytes, reason: str
) -> None:
    message_id = room.come({"url": twilio.keep_media("ME1", content), "content_type": "image/jpeg"})
    room.take()
    found = room.only(message_id)
    assert (found["state"], found["reason"]) == ("refused", reason)
    with pytest.raises(NotFound, match="media_not_stored"):
        room.get(message_id, found["id"])
    assert room.take() is False


@pytest.mark.parametrize(
    ("content", "content_type", "ending"),
    [
        (JPEG, "image/jpeg", "jpg"),
        (b"GIF89a" + b"\x00" * 20, "image/gif", "gif"),
        (b"%PDF-1.7\n", "application/pdf", "pdf"),
        (b"#!AMR\n" + b"\x00" * 20, "audio/amr", "amr"),
        (b"\x00\x00\x00\x18ftypmp42" + b"\x00" * 20, "video/mp4", "mp4"),
        (b"BEGIN:VCARD\r\nFN:Ann Lee\r\nEND:VCARD\r\n", "text/vcard", "vcf"),
        ("Número 5".encode(), "text/plain", "txt"),
    ],
    ids=["jpeg", "gif", "pdf", "amr", "mp4", "vcard", "text"],
)
@on_one_database
def test_what_people_send_is_kept(
    room: Room, twilio: TwilioStandIn, content: bytes, content_type: str, ending: str
) -> None:
    message_id = room.come({"url": twilio.keep_media("ME1", content), "filename": "../../etc/Scan <1>.exe"})
    room.take()
    found = room.only(message_id)
    assert (found["state"], found["content_type"]) == ("stored", content_type)
    assert found["filename"] == f"Scan _1.{ending}"


def test_a_file_that_does_not_say_how_large_it_is_is_cut_off(room: Room, twilio: TwilioStandIn) -> None:
    message_id = room.come({"url": twilio.keep_media("ME1", PNG + b"x" * 2_000_000, announce=False)})
    room.take()
    assert room.only(message_id)["reason"] == "too_large"


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "https://api.twilio.com.evil.example/Media/1",
        "https://api.twilio.com@evil.example/Media/1",
        "https://evil.example\\@api.twilio.com/Media/1",
        "https://user:secret@api.twilio.com/Media/1",  # pragma: allowlist secret
        "https://api.twilio.com:8443/Media/1",
        "http://api.twilio.com/Media/1",
        "file:///etc/passwd",
        "https://[::1",
    ],
)
@on_one_database
def test_no_other_address_is_asked(room: Room, url: str) -> None:
    message_id = room.come({"url": url})
    room.take()
    found = room.only(message_id)
    assert (found["state"], found["reason"]) == ("refused", "address_refused")


def test_a_redirect_within_the_provider_is_followed(room: Room, twilio: TwilioStandIn) -> None:
    inner = twilio.keep_media("ME2", PNG)
    message_id = room.come({"url": twilio.keep_media("ME1", location=inner)})
    room.take()
    assert room.only(message_id)["state"] == "stored"


def test_a_redirect_elsewhere_is_not(room: Room, twilio: TwilioStandIn) -> None:
    elsewhere = twilio.keep_media("ME2", PNG).replace("127.0.0.1", "localhost")
    message_id = room.come({"url": twilio.keep_media("ME1", location=elsewhere)})
    room.take()
    assert room.only(message_id)["reason"] == "address_refused"
    assert [request["name"] for request in twilio.fetched()] == ["ME1"]


def test_credentials_go_to_the_provider_alone() -> None:
    source = TwilioMedia("ACtest", "token")
    store = "https://s3-external-1.amazonaws.com/media.twiliocdn.com/AC1/1"
    assert source.may_lead_to(store)
    assert not source.is_own(store)
    assert source.is_own("https://media.twiliocdn.com/AC1/1")
    assert not source.may_lead_to("https://amazonaws.com.evil.example/1")
    assert not source.may_lead_to("https://fakeamazonaws.com/1")


@on_one_database
def test_an_endless_redirect_and_a_slow_file_end(room: Room, twilio: TwilioStandIn) -> None:
    address = twilio.keep_media("ME1")
    twilio.keep_media("ME1", location=address)
    message_id = room.come({"url": address}, {"url": twilio.keep_media("ME2", PNG, drip=0.5)})
    room.take()
    assert [found["state"] for found in room.shown(message_id)] == ["waiting", "waiting"]
    assert len([request for request in twilio.fetched() if request["name"] == "ME1"]) == 4


def test_what_did_not_come_is_tried_again_after_growing_pauses(room: Room, twilio: TwilioStandIn) -> None:
    message_id = room.come({"url": twilio.keep_media("ME1", PNG, status=503, times=2)})
    room.take()
    assert room.take() is False
    room.desk.clock.advance(seconds=10)
    room.take()
    room.desk.clock.advance(seconds=10)
    assert room.take() is False
    room.desk.clock.advance(seconds=50)
    room.take()
    assert room.only(message_id)["state"] == "stored"


def test_what_never_comes_is_given_up_with_its_reason(room: Room) -> None:
    message_id = room.come({"url": f"{room.url}/Media/ME9"})
    tries = 0
    while room.only(message_id)["state"] == "waiting":
        assert room.take()
        tries += 1
        room.desk.clock.advance(hours=7)
    assert (room.only(message_id)["state"], room.only(message_id)["reason"]) == ("failed", "not_found")
    assert tries == 7


def test_a_fetch_that_was_killed_is_begun_again(room: Room, twilio: TwilioStandIn) -> None:
    message_id = room.come({"url": twilio.keep_media("ME1", PNG)})
    across = room.desk.everywhere.across_firms("a test stands in for a process that died")
    assert len(media._claim(across, room.desk.clock())) == 1
    assert room.take() is False
    room.desk.clock.advance(minutes=4)
    room.take()
    assert room.only(message_id)["state"] == "stored"


def test_an_attachment_in_the_object_store_is_judged_as_well(room: Room) -> None:
    room.files.put("inbound/good", PNG)
    room.files.put("inbound/bad", PAGE)
    message_id = room.come({"file_key": "inbound/good", "filename": "Deed.pdf"}, {"file_key": "inbound/bad"})
    room.take()
    good, bad = room.shown(message_id)
    assert (good["state"], good["content_type"], good["filename"]) == ("stored", "image/png", "Deed.png")
    assert room.get(message_id, good["id"])["file_key"] == "inbound/good"
    assert (bad["state"], bad["reason"]) == ("refused", "not_allowed")
    assert not room.files.exists("inbound/bad")


def test_an_attachment_of_which_no_message_came_to_be_goes_after_thirty_days(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the gateway stores it, before it asks messaging to take the message."""
    monkeypatch.setattr(left_attachments, "_AT_ONCE", 2)
    keys = [f"inbound-email/a/{number}" for number in range(5)]
    for key in keys:
        room.files.put(key, PNG)
    room.come({"file_key": keys[1]}, {"file_key": keys[4]})
    service = make_service(MessagingService, db=room.desk.everywhere, files=room.files)
    for days, left in ((29.9, keys), (30.1, [keys[1], keys[4]])):
        later = utc_now() + dt.timedelta(days=days)
        monkeypatch.setattr(conversations, "utc_now", partial(dt.datetime.fromtimestamp, later.timestamp(), dt.UTC))
        service.tidy_left_attachments()
        assert sorted(room.files.keys("inbound-email")) == left


def test_another_firms_and_another_messages_media_do_not_exist(room: Room, twilio: TwilioStandIn) -> None:
    message_id = room.come({"url": twilio.keep_media("ME1", PNG)})
    room.take()
    media_id = room.only(message_id)["id"]
    with pytest.raises(NotFound, match="media_not_found"):
        media.get_media(room.desk.everywhere.for_firm(new_id()), message_id=message_id, media_id=media_id)
    with pytest.raises(NotFound, match="media_not_found"):
        room.get(new_id(), media_id)
