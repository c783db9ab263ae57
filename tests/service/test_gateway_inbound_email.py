"""Email that people write: what of its MIME goes on to messaging, and in which words."""

from __future__ import annotations

import base64
import json
import time
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from chassis.files import FolderFiles
from contracts.errors import NotFound
from contracts.messaging import RECEIVE_INBOUND_MESSAGE
from gateway.mime import words_of
from tests.service.test_gateway_edge import Edge
from tests.service.test_gateway_ses_webhook import from_sandbox, post

OFFICE = "office@firm.example"


class Office:
    """The edge, what it stores, and what it hands on."""

    def __init__(self, folder: Path) -> None:
        self.edge = Edge(SANDBOX_PAGES=True)
        self.edge.files = FolderFiles(folder)
        self.folder = folder
        self.edge.answer(RECEIVE_INBOUND_MESSAGE, self._receive)

    def _receive(self, **message: Any) -> dict[str, Any]:
        if not message["to"].endswith("@firm.example"):
            raise NotFound("sender_not_found")
        return {"message_id": "018f4e9a-0000-7000-8000-000000000001", "effect": "none", "repeated": False}

    def take(self, email: EmailMessage | bytes, recipients: list[str] | None = None, **receipt: Any) -> Any:
        raw = email if isinstance(email, bytes) else email.as_bytes()
        told = {
            "notificationType": "Received",
            "mail": {"messageId": "m-1", "source": "bounces+ann@example.com"},
            "receipt": {"recipients": recipients or [OFFICE], "action": {"encoding": "BASE64"}, **receipt},
            "content": base64.b64encode(raw).decode(),
        }
        return post(self.edge, *from_sandbox(told=told))

    @property
    def handed_on(self) -> list[dict[str, Any]]:
        return list(self.edge.calls.asked(RECEIVE_INBOUND_MESSAGE))

    @property
    def stored(self) -> list[Path]:
        return sorted(path for path in self.folder.rglob("*") if path.is_file())


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path / "files")


def email(body: str = "Hello", **headers: str) -> EmailMessage:
    message = EmailMessage()
    for name, value in {"From": "Ann Lee <ann@example.com>", "To": OFFICE, "Subject": "A question", **headers}.items():
        message[name.replace("_", "-")] = value
    message.set_content(body)
    return message


def test_a_plain_email_is_handed_on(office: Office) -> None:
    assert office.take(email("Hola ñ\r\nbye\r\n")).status_code == 200
    (message,) = office.handed_on
    assert message == {
        "provider": "sandbox", "provider_id": "m-1", "channel": "email", "from_": "ann@example.com", "to": OFFICE,
        "subject": "A question", "body": "Hola ñ\nbye", "automatic": False, "proven": True, "media": [],
        "messaging_service_sid": None, "opt_out_type": None,
    }  # fmt: skip


def test_of_two_parts_the_text_is_taken(office: Office) -> None:
    message = email("The text")
    message.add_alternative("<p>The page</p>", subtype="html")
    office.take(message)
    assert office.handed_on[0]["body"] == "The text"


def test_a_page_alone_becomes_its_words_and_what_it_quotes_is_marked(office: Office) -> None:
    page = (
        "<html><head><title>x</title><style>p{}</style></head><body><script>alert(1)</script>"
        "<p>Hi &amp; thanks,</p><div>see <b>you</b><br>Ann</div>"
        "<blockquote><p>STOP</p>old words</blockquote></body></html>"
    )
    message = EmailMessage()
    message["From"], message["To"] = "ann@example.com", OFFICE
    message.set_content(page, subtype="html")
    office.take(message)
    lines = [line for line in office.handed_on[0]["body"].split("\n") if line]
    assert lines == ["Hi & thanks,", "see you", "Ann", "> STOP", "> old words"]


@pytest.mark.parametrize("piece", ["<a ", "<a b='", "<a b='>'\"x\"", "<a b='>", "<blockquote>", "<!--", "<![", "< "])
def test_no_page_is_so_contrived_that_reading_it_takes_long(piece: str) -> None:
    began = time.process_time()
    words = words_of("Please stop. " + piece * (30_000 // len(piece)))
    assert time.process_time() - began < 1
    assert words.startswith("Please stop.")


def test_what_is_no_markup_of_a_page_is_kept() -> None:
    page = "<style>a>b{}</style><script>if (a<b) {}</script><!-- <p>not me</p> --><p title='x'>1 < 2, but a<b: stop"
    assert words_of(page).strip() == "1 < 2, but a<b: stop"


def test_a_tag_ends_where_it_says_and_keeps_nothing_from_being_read() -> None:
    head = "<head><title/><style/><script src='x'/></head>"
    page = f"<html>{head}<body title=\"a>b\" lang='>'><blockquote/><br/>STOP</body></html>"
    assert words_of(page).strip() == "STOP"


def test_attachments_are_stored_once_and_handed_on_by_their_keys(office: Office) -> None:
    message = email()
    message.add_attachment(b"%PDF-1.4", maintype="application", subtype="pdf", filename="../../etc/lease.pdf")
    message.add_attachment(b"\x89PNG", maintype="image", subtype="png", filename="C:\\photos\\me.png")
    for _ in range(3):
        office.take(message)
    media = office.handed_on[0]["media"]
    assert [(file["filename"], file["content_type"]) for file in media] == [
        ("lease.pdf", "application/pdf"), ("me.png", "image/png"),
    ]  # fmt: skip
    assert len(office.stored) == 2, "the same message again stores nothing more"
    with office.edge.files.get(media[0]["file_key"]) as file:
        assert file.read() == b"%PDF-1.4"


def test_only_so_many_files_are_kept(office: Office) -> None:
    message = email()
    for number in range(25):
        message.add_attachment(b"x", maintype="text", subtype="csv", filename=f"{number}.csv")
    assert office.take(message).status_code == 200
    assert len(office.handed_on[0]["media"]) == len(office.stored) == 20


def test_a_virus_is_not_kept(office: Office) -> None:
    message = email()
    message.add_attachment(b"x", maintype="application", subtype="zip", filename="x.zip")
    office.take(message, virusVerdict={"status": "FAIL"})
    assert (office.handed_on[0]["media"], office.stored) == ([], [])
    assert office.handed_on[0]["automatic"] is True


def test_an_email_for_nobody_leaves_nothing_behind(office: Office) -> None:
    message = email()
    message.add_attachment(b"x", maintype="application", subtype="pdf", filename="x.pdf")
    assert office.take(message, ["someone@elsewhere.example"]).status_code == 200
    assert office.stored == []


def test_a_repeat_that_finds_nobody_leaves_what_was_kept(office: Office) -> None:
    message = email()
    message.add_attachment(b"x", maintype="application", subtype="pdf", filename="x.pdf")
    office.take(message)
    office.take(message, ["someone@elsewhere.example"])
    assert len(office.stored) == 1


def test_each_address_of_ours_gets_it(office: Office) -> None:
    office.take(email(), [OFFICE, "x@elsewhere.example", "second@firm.example", OFFICE])
    assert [message["to"] for message in office.handed_on] == [OFFICE, "x@elsewhere.example", "second@firm.example"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Auto_Submitted": "auto-replied"},
        {"Auto_Submitted": "auto-generated; owner-email=x"},
        {"Precedence": "bulk"},
        {"X_Autoreply": "yes"},
        {"X_Auto_Response_Suppress": "All"},
        {"Subject": "Automatic reply: your case"},
        {"Subject": "Out of Office Re: your case"},
        {"Subject": "Respuesta automática: su caso"},
    ],
)
def test_what_a_program_wrote_is_marked(office: Office, headers: dict[str, str]) -> None:
    office.take(email("I am away: stop by on Monday", **headers))
    assert office.handed_on[0]["automatic"] is True


@pytest.mark.parametrize("headers", [{"Auto_Submitted": "no"}, {"Subject": "Re: automatic reply"}, {}])
def test_what_a_person_wrote_is_not(office: Office, headers: dict[str, str]) -> None:
    office.take(email(**headers))
    assert office.handed_on[0]["automatic"] is False


@pytest.mark.parametrize(
    ("dmarc", "spf", "dkim", "proven"),
    [
        ("PASS", "FAIL", "PASS", True), ("GRAY", "PASS", "GRAY", True), ("GRAY", "GRAY", "PASS", True),
        ("FAIL", "PASS", "PASS", False), ("GRAY", "FAIL", "GRAY", False), ("GRAY", "GRAY", "GRAY", False),
    ],
)  # fmt: skip
def test_whether_it_is_from_whom_it_says_goes_along(
    office: Office, dmarc: str, spf: str, dkim: str, proven: bool
) -> None:
    verdicts = {"dmarcVerdict": dmarc, "spfVerdict": spf, "dkimVerdict": dkim}
    office.take(email(), **{name: {"status": status} for name, status in verdicts.items()})
    assert office.handed_on[0]["proven"] is proven


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"From: nobody\r\n\r\nHi",
        b"\xff\xfe\x00",
        b"Subject: no sender at all\r\n\r\nHi",
    ],
)
def test_what_has_no_sender_falls_back_to_the_envelope(office: Office, raw: bytes) -> None:
    assert office.take(raw).status_code == 200
    assert all(message["from_"] == "bounces+ann@example.com" for message in office.handed_on)


@pytest.mark.parametrize(
    "raw",
    [
        b"From: ann@example.com\r\nContent-Type: text/plain; charset=nonsense\r\n\r\nSTOP \xe9",
        b"From: ann@example.com\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nSTOP \xff\xfe",
        b"From: ann@example.com\r\nContent-Transfer-Encoding: base64\r\n\r\nU1RPUA===",
        b"From: ann@example.com\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nSTOP",
        b"From: ann@example.com\r\nSubject: =?utf-8?b?4p2k?= =?x?q?y?=\r\n\r\nSTOP\x00\x07",
        b"From: =?utf-8?q?A=0D=0ABcc=3A_x?= <ann@example.com>\r\n\r\nSTOP",
    ],
)
def test_broken_mime_is_still_read(office: Office, raw: bytes) -> None:
    assert office.take(raw).status_code == 200
    (message,) = office.handed_on
    assert message["body"].startswith("STOP")
    assert message["from_"] == "ann@example.com"


def test_a_notification_without_the_message_itself_is_left(office: Office) -> None:
    told = {"notificationType": "Received", "mail": {"messageId": "m-1", "source": "ann@example.com"}, "receipt": {}}
    assert post(office.edge, *from_sandbox(told=told)).status_code == 200
    assert office.handed_on == []


def test_a_very_long_email_is_cut(office: Office) -> None:
    office.take(email("x" * 300_000, Subject="y" * 2000))
    (message,) = office.handed_on
    assert (len(message["body"]), len(message["subject"])) == (100_000, 998)
    json.dumps(message, default=str)
