"""Email as it goes out: two parts, who writes, how to stop it; and the address that takes somebody off by one POST."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from chassis.context import use
from contracts import accounts
from contracts.errors import Gone, Invalid, Unavailable
from contracts.messaging import CONSENT_CHANGED
from services.messaging import consent, contents, inbound, senders
from services.messaging.adapters.base import Outgoing
from services.messaging.consents import consent_ledger
from services.messaging.consents.unsubscribing import UnsubscribeLinks, describe_unsubscription, unsubscribe
from services.messaging.models import Content
from tests.service.messaging_desk import PUBLIC_URL, Desk, desk
from tests.service.one_database import on_one_database

__all__ = ["desk"]

MAILBOX = "ann@example.com"
ADDRESS = {"line1": "12 Main St", "line2": None, "city": "Springfield", "state": "IL", "postal_code": "62701",
           "country": "US"}  # fmt: skip
LINKS = UnsubscribeLinks("a test's", PUBLIC_URL)


@pytest.fixture
def mailed(desk: Desk) -> Desk:
    """A desk that can write by email."""
    desk.firm["postal_address"] = ADDRESS
    senders.put_sender(
        desk.db, provider="recording", channel="email", address="office@firm.example", rate=1000.0,
        messaging_service_sid=None,
    )  # fmt: skip
    return desk


def send(desk: Desk, person: str | None = None, **message: Any) -> Outgoing:
    """Sends an email about a case task, and returns what the provider got."""
    told = {"template_id": None, "body": "Hi {{ client.first_name }}", "subject": "Your case", **message}
    content_id = contents.save_content(desk.db, message=told, channels=["email"])["content_id"]
    before = len(desk.provider.accepted)
    desk.ask([desk.item(person or desk.person(email=MAILBOX))], channels=["email"], content_id=content_id)
    desk.run()
    (message_sent,) = desk.provider.accepted[before:]
    return message_sent


@on_one_database
def test_both_parts_end_with_who_writes_and_how_to_stop_it(mailed: Desk) -> None:
    sent = send(mailed)
    url = sent.unsubscribe_url
    assert url is not None
    assert url.startswith(f"{PUBLIC_URL}/u/")
    assert sent.body == (
        f"Hi Ann\n\n-- \nHarbor & Lane\n12 Main St\nSpringfield, IL 62701\nUnsubscribe from our email: {url}"
    )
    assert sent.html is not None
    assert "<p>Hi Ann</p>" in sent.html
    assert "Harbor &amp; Lane<br>12 Main St<br>Springfield, IL 62701<br>" in sent.html
    assert f'<a href="{url}"' in sent.html
    assert (sent.sender_name, sent.subject) == ("Harbor & Lane", "Your case")


@on_one_database
def test_the_footer_is_in_the_language_of_the_text(mailed: Desk) -> None:
    variant = {"channel": "email", "language": "es", "subject": None, "body": "Hola", "html": None}
    template = contents.create_template(mailed.db, name="Hola", variants=[variant])
    sent = send(mailed, template_id=template["id"], body=None, subject=None)
    assert "Dejar de recibir nuestros correos" in sent.body
    assert '<html lang="es">' in str(sent.html)
    assert sent.subject == "Un mensaje de Harbor & Lane"


@on_one_database
def test_a_text_becomes_a_page_with_everything_escaped_and_links_to_tap(mailed: Desk) -> None:
    person = mailed.person(email=MAILBOX, first_name="<script>alert(1)</script>")
    sent = send(mailed, person, body="Hi {{ client.first_name }},\nplease:\n\n{{ task.link }}\n\n& thanks")
    html = str(sent.html)
    link = mailed.links and next(word for word in sent.body.split() if "/p/" in word)
    assert "<script" not in html
    assert "<p>Hi &lt;script&gt;alert(1)&lt;/script&gt;,<br>\nplease:</p>" in html
    assert f'<a href="{link}" rel="noreferrer">{link}</a>' in html
    assert "<p>&amp; thanks</p>" in html


def test_a_page_of_ones_own_keeps_its_markup_and_escapes_what_is_filled_in(mailed: Desk) -> None:
    person = mailed.person(email=MAILBOX, first_name='"><img src=x onerror=alert(1)>')
    html = '<h1 title="{{ client.first_name }}">{{ client.first_name|upper }}</h1><a href="{{ task.link }}">Answer</a>'
    sent = send(mailed, person, html=html)
    page = str(sent.html)
    assert '<h1 title="&#34;&gt;&lt;img src=x onerror=alert(1)&gt;">' in page
    assert "<IMG" not in page
    assert f'<a href="{PUBLIC_URL}/p/' in page
    assert page.index("Answer") < page.index("Unsubscribe")
    assert "Hi " in sent.body, "the text part is the body"


@on_one_database
def test_a_whole_document_gets_its_footer_before_its_end(mailed: Desk) -> None:
    html = "<!doctype html><html><head><style>b{color:red}</style></head><body><b>Hi</b></body></html>"
    page = str(send(mailed, html=html).html)
    assert page.startswith("<!doctype html><html><head><style>")
    assert page.endswith("</div></body></html>")
    assert page.count("<html") == 1
    assert "Unsubscribe from our email" in page


def test_nothing_that_is_kept_holds_a_live_token(mailed: Desk) -> None:
    sent = send(mailed, body="Please: {{ task.link }}", html="<p>{{ task.link }}</p>")
    tokens = [
        next(word for word in sent.body.split() if "/p/" in word).rpartition("/")[2],
        str(sent.unsubscribe_url).rpartition("/")[2],
    ]
    (delivery,) = mailed.deliveries()
    with mailed.db.read() as session:
        kept = [str(delivery.__dict__), str([content.variants for content in session.query(Content)])]
    assert delivery.body == f"Please: {PUBLIC_URL}/p/…{tokens[0][-6:]}"
    for token in tokens:
        assert all(token not in text for text in kept)


def test_what_a_person_typed_cannot_begin_another_header(mailed: Desk) -> None:
    mailed.firm["name"] = "Harbor\r\nBcc: evil@example.com"
    person = mailed.person(email=MAILBOX, first_name="Ann\r\nBcc: evil@example.com\u2028x")
    sent = send(mailed, person, subject="Hi {{ client.first_name }}")
    for text in (sent.subject, sent.sender_name):
        assert text is not None
        assert not set(text) & set("\r\n\u2028")


@pytest.mark.parametrize(
    ("message", "field", "code"),
    [
        ({"html": "<p>{{ client.nickname }}</p>"}, "html", "unknown_variable"),
        ({"html": "<p>{{ client.first_name }</p>"}, "html", "invalid_template"),
        ({"html": "{% for x in client %}{% endfor %}"}, "html", "invalid_template"),
        ({"html": "<script>alert(1)</script>"}, "html", "html_not_allowed"),
        ({"html": "<p onclick='alert(1)'>x</p>"}, "html", "html_not_allowed"),
        ({"html": "<p>x</p>" + "<a " * 60_000}, "html", "html_not_allowed"),
        ({"html": "<p>x</p><![x]>"}, "html", "html_not_allowed"),
        ({"html": "<a href='java\nscript:alert(1)'>x</a>"}, "html", "html_not_allowed"),
        ({"html": "<a href='{{ client.first_name }}'>x</a>"}, "html", "html_not_allowed"),
        ({"html": "<form action='https://evil.example'><input></form>"}, "html", "html_not_allowed"),
        ({"html": "<meta http-equiv=refresh content='0;url=https://evil.example'>"}, "html", "html_not_allowed"),
        ({"subject": "See {{ task.link }}"}, "subject", "link_in_subject"),
    ],
)
@on_one_database
def test_a_page_that_cannot_be_used_is_refused_when_it_is_saved(
    mailed: Desk, message: dict[str, str], field: str, code: str
) -> None:
    told = {"template_id": None, "body": "Hi", "subject": None, "html": None, **message}
    with pytest.raises(Invalid) as refused:
        contents.save_content(mailed.db, message=told, channels=["email"])
    assert (refused.value.code, refused.value.fields[0]["field"]) == (code, f"message.{field}")


@pytest.mark.parametrize("channel", ["sms", "phone"])
def test_a_page_belongs_to_email_only(mailed: Desk, channel: str) -> None:
    variant = {"channel": channel, "language": "en", "subject": None, "body": "Hi", "html": "<p>Hi</p>"}
    with pytest.raises(Invalid) as refused:
        contents.create_template(mailed.db, name="x", variants=[variant])
    assert refused.value.fields[0]["field"] == "variants.0.html"


def test_html_of_a_bulk_message_is_not_said_by_text(mailed: Desk) -> None:
    told = {"template_id": None, "body": "Hi", "subject": "S", "html": "<b>Hi</b>"}
    kept = contents.save_content(mailed.db, message=told, channels=["sms", "email"])["content_id"]
    with mailed.db.read() as session:
        variants = session.scalars(select(Content.variants).where(Content.id == kept)).one()
    assert [(variant["channel"], variant["html"]) for variant in variants] == [("sms", None), ("email", "<b>Hi</b>")]


@pytest.mark.parametrize(
    "address", ["office", "a b@firm.example", "x@firm.example\r\nBcc: evil@x.example", "<x@y.example>"]
)
def test_a_sender_is_a_plain_address(mailed: Desk, address: str) -> None:
    with pytest.raises(Invalid) as refused:
        senders.put_sender(
            mailed.db, provider="ses", channel="email", address=address, rate=1.0, messaging_service_sid=None
        )
    assert refused.value.fields[0]["field"] == "address"


# Unsubscribing


def token_of(sent: Outgoing) -> str:
    return str(sent.unsubscribe_url).rpartition("/")[2]


def ledger(desk: Desk) -> list[tuple[str, str, Any]]:
    entries = consent_ledger.list_consents(desk.db, desk.calls, address=MAILBOX)["data"]
    return [(entry["state"], entry["source"], entry["evidence"].get("kind")) for entry in entries]


def test_one_post_takes_the_address_off_email_at_once_and_for_good(mailed: Desk) -> None:
    token = token_of(send(mailed))
    before = describe_unsubscription(mailed.everywhere, mailed.calls, LINKS, token=token)
    assert before == {
        "firm_name": "Harbor & Lane", "language": "en", "color": None, "channel": "email", "unsubscribed": False,
    }  # fmt: skip
    assert ledger(mailed) == [], "to look changes nothing"
    for _ in range(3):
        answer = unsubscribe(mailed.everywhere, mailed.calls, LINKS, token=token, now=mailed.clock())
        assert answer["unsubscribed"] is True
    assert ledger(mailed) == [("opted_out", "webhook", "one_click")]
    assert len(mailed.emitted(CONSENT_CHANGED)) == 1
    batch_id = mailed.ask([mailed.item(mailed.person(email=MAILBOX))], channels=["email"])
    mailed.run()
    assert mailed.outcome(batch_id) == {"opted_out": 1}


@on_one_database
def test_it_is_answered_although_nobody_can_say_the_firms_name(mailed: Desk) -> None:
    delivery = send(mailed)
    mailed.calls.answers[accounts.GET_FIRM] = unavailable
    answer = unsubscribe(mailed.everywhere, mailed.calls, LINKS, token=token_of(delivery), now=mailed.clock())
    assert (answer["firm_name"], answer["unsubscribed"]) == ("office@firm.example", True)


def unavailable() -> dict[str, Any]:
    raise Unavailable("service_unavailable")


@on_one_database
def test_it_ends_email_and_not_texts(mailed: Desk) -> None:
    person = mailed.person(email=MAILBOX)
    unsubscribe(mailed.everywhere, mailed.calls, LINKS, token=token_of(send(mailed, person)), now=mailed.clock())
    batch_id = mailed.ask([mailed.item(person)], channels=["sms"])
    mailed.run()
    assert mailed.outcome(batch_id) == {"sent": 1}


def test_a_token_is_good_for_its_own_firm_and_delivery_only(mailed: Desk) -> None:
    sent = send(mailed)
    token = token_of(sent)
    other = Desk(mailed.everywhere, office="+12125550199")
    stranger = UnsubscribeLinks("another secret", PUBLIC_URL)
    wrong = [
        "", "x", token[:-1], token[:-2] + "xx", f"x{token}", token.partition(".")[0], f"{token}.{token}",
        stranger.url_of(mailed.firm_id, sent.token).rpartition("/")[2],
        LINKS.url_of(other.firm_id, sent.token).rpartition("/")[2],
        LINKS.url_of(mailed.firm_id, mailed.firm_id).rpartition("/")[2],
        "é", "%00", "a" * 300,
    ]  # fmt: skip
    for guess in wrong:
        for ask in (describe_unsubscription, unsubscribe):
            given = {"now": mailed.clock()} if ask is unsubscribe else {}
            with pytest.raises(Gone) as refused:
                ask(mailed.everywhere, mailed.calls, LINKS, token=guess, **given)
            assert refused.value.code == "unsubscription_unknown"
    assert ledger(mailed) == []
    assert MAILBOX not in token


@on_one_database
def test_the_address_of_one_firm_stays_with_the_other(mailed: Desk) -> None:
    other = Desk(mailed.everywhere, office="+12125550199")
    with use(other.context):
        senders.put_sender(
            other.db, provider="recording", channel="email", address="other@firm.example", rate=1000.0,
            messaging_service_sid=None,
        )  # fmt: skip
        unsubscribe(mailed.everywhere, mailed.calls, LINKS, token=token_of(send(mailed)), now=mailed.clock())
        assert send(other).to == MAILBOX


def test_the_confirmation_of_an_opt_out_has_nothing_to_unsubscribe_from(mailed: Desk) -> None:
    inbound.receive(
        mailed.everywhere, provider="ses", provider_id="m-1", channel="email", from_=MAILBOX, to="office@firm.example",
        subject="Unsubscribe", body="STOP", now=mailed.clock(),
    )  # fmt: skip
    mailed.run()
    (sent,) = mailed.provider.accepted
    assert (sent.to, sent.unsubscribe_url) == (MAILBOX, None)
    assert "Unsubscribe" not in sent.body
    with mailed.db.read() as session:
        key = ("email", consent.address_key(MAILBOX))
        assert consent.read_states(session, [key]) == {key: "opted_out"}


def test_whoever_may_be_another_can_end_email_and_not_begin_it(mailed: Desk) -> None:
    def say(words: str, **given: bool) -> str:
        said = inbound.receive(
            mailed.everywhere, provider="ses", provider_id=words, channel="email", from_=MAILBOX,
            to="office@firm.example", subject="Hello", body=words, now=mailed.clock(), **given,
        )  # fmt: skip
        return str(said["effect"])

    assert say("STOP", proven=False) == "opted_out"
    assert say("START", proven=False) == "none"
    assert say("start", proven=True) == "opted_in"
