"""/u/{token}: the one-click address for mail programs, and its page for people."""

from __future__ import annotations

import re
from typing import Any

import pytest

from contracts.errors import Gone, Unavailable
from contracts.messaging import DESCRIBE_UNSUBSCRIPTION, UNSUBSCRIBE
from tests.service.test_gateway_edge import Edge

TOKEN = "AZ_-aq09.Zm9v"
SHOWN = {"firm_name": "Harbor & <b>Lane", "language": "en", "color": "#1a5fb4", "channel": "email"}


@pytest.fixture
def edge() -> Edge:
    made = Edge()

    def known(token: str) -> None:
        if token != TOKEN:
            raise Gone("unsubscription_unknown")

    def describe(token: str) -> dict[str, Any]:
        known(token)
        return {**SHOWN, "unsubscribed": bool(made.calls.asked(UNSUBSCRIBE))}

    def unsubscribe(token: str) -> dict[str, Any]:
        known(token)
        return {**SHOWN, "unsubscribed": True}

    made.answer(DESCRIBE_UNSUBSCRIPTION, describe)
    made.answer(UNSUBSCRIBE, unsubscribe)
    return made


def text_of(response: Any) -> str:
    return re.sub(r"\s+", " ", response.get_data(as_text=True))


def test_a_mail_program_makes_one_post_without_a_cookie_and_is_not_sent_elsewhere(edge: Edge) -> None:
    for content_type in ("application/x-www-form-urlencoded", "multipart/form-data"):
        answer = edge.http.post(
            f"/u/{TOKEN}", data={"List-Unsubscribe": "One-Click"}, content_type=content_type,
        )  # fmt: skip
        assert answer.status_code == 200
        assert "Set-Cookie" not in answer.headers
        assert "You are unsubscribed" in text_of(answer)
    assert edge.calls.asked(UNSUBSCRIBE) == [{"token": TOKEN}, {"token": TOKEN}]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_looking_changes_nothing(edge: Edge, method: str) -> None:
    for _ in range(50):
        assert edge.http.open(f"/u/{TOKEN}", method=method).status_code == 200
    assert edge.calls.asked(UNSUBSCRIBE) == []


def test_the_page_is_the_firms_and_has_one_button_that_makes_the_same_post(edge: Edge) -> None:
    page = edge.http.get(f"/u/{TOKEN}")
    shown = text_of(page)
    assert "Stop email from Harbor &amp; &lt;b&gt;Lane?" in shown
    assert f'<form method="post" action="/u/{TOKEN}">' in shown
    assert '<input type="hidden" name="List-Unsubscribe" value="One-Click">' in shown
    assert shown.count("<button") == 1
    assert "#1a5fb4" in shown
    headers = page.headers
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self' 'sha256-")
    assert (headers["Referrer-Policy"], headers["Cache-Control"]) == ("no-referrer", "no-store")
    assert "noindex" in headers["X-Robots-Tag"]


def test_it_speaks_the_recipients_language_and_the_one_that_is_asked_for(edge: Edge) -> None:
    edge.answer(DESCRIBE_UNSUBSCRIPTION, lambda token: {**SHOWN, "language": "es", "unsubscribed": False})
    spanish = text_of(edge.http.get(f"/u/{TOKEN}"))
    assert "¿Dejar de recibir correos de" in spanish
    assert f'href="/u/{TOKEN}?lang=en"' in spanish
    assert "Stop email from" in text_of(edge.http.get(f"/u/{TOKEN}?lang=en"))


def test_every_wrong_address_gets_one_and_the_same_answer(edge: Edge) -> None:
    answers = set()
    for guess in ("x", TOKEN[:-1], f"{TOKEN}x", "a" * 5000, "%00", "%C3%A9"):
        for method in ("GET", "POST"):
            answer = edge.http.open(f"/u/{guess}", method=method)
            assert answer.status_code == 410
            # The links to the other language name the address itself.
            answers.add(text_of(answer).replace(guess, ""))
    assert all("This link does not unsubscribe" in answer for answer in answers)


def test_what_cannot_be_done_now_is_tried_again(edge: Edge) -> None:
    def unavailable(token: str) -> None:
        raise Unavailable("database_unavailable")

    edge.answer(UNSUBSCRIBE, unavailable)
    answer = edge.http.post(f"/u/{TOKEN}", data={"List-Unsubscribe": "One-Click"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert f'href="/u/{TOKEN}"' in text_of(answer)
