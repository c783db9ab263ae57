"""The page behind an email's unsubscribe address in a real browser: a phone, without JavaScript."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import WSGIRequestHandler, make_server

from contracts.errors import Gone
from contracts.messaging import DESCRIBE_UNSUBSCRIPTION, UNSUBSCRIBE
from tests.service.test_gateway_edge import Edge

TOKEN = "AZ_-aq09.Zm9v"


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:
        """Nothing: a token would be in it."""


@pytest.fixture
def edge() -> Edge:
    made = Edge()

    def told(token: str) -> dict[str, Any]:
        if token != TOKEN:
            raise Gone("unsubscription_unknown")
        left = bool(made.calls.asked(UNSUBSCRIBE))
        return {
            "firm_name": "Harbor & Lane", "language": "en", "color": "#7a2448", "channel": "email",
            "unsubscribed": left,
        }  # fmt: skip

    made.answer(DESCRIBE_UNSUBSCRIPTION, told)
    made.answer(UNSUBSCRIBE, told)
    return made


@pytest.fixture
def phone(chromium: Browser, edge: Edge) -> Iterator[Page]:
    """A phone without JavaScript. At the end: nothing was blocked or fetched from elsewhere."""
    server = make_server("127.0.0.1", 0, edge.app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    site = f"http://127.0.0.1:{server.server_port}"
    context = chromium.new_context(
        base_url=site, viewport={"width": 320, "height": 568}, java_script_enabled=False, locale="en-US"
    )
    page = context.new_page()
    wrong: list[str] = []
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.on("request", lambda asked: None if asked.url.startswith(site) else wrong.append(asked.url))
    yield page
    context.close()
    server.shutdown()
    thread.join()
    server.server_close()
    assert [entry for entry in wrong if "410" not in entry] == []


def test_one_tap_unsubscribes_and_looking_does_not(phone: Page, edge: Edge) -> None:
    for _ in range(2):
        phone.goto(f"/u/{TOKEN}")
    expect(phone.get_by_role("heading", name="Stop email from Harbor & Lane?")).to_be_visible()
    assert edge.calls.asked(UNSUBSCRIBE) == []
    button = phone.get_by_role("button", name="Unsubscribe")
    box = button.bounding_box()
    assert box is not None
    assert box["height"] >= 44
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 320
    button.click()
    expect(phone.get_by_role("heading", name="You are unsubscribed")).to_be_visible()
    assert edge.calls.asked(UNSUBSCRIBE) == [{"token": TOKEN}]


def test_the_other_language_is_one_tap_away(phone: Page) -> None:
    phone.goto(f"/u/{TOKEN}")
    phone.get_by_role("link", name="Español").click()
    expect(phone.get_by_role("button", name="Dejar de recibir correos")).to_be_visible()


def test_a_wrong_address_has_a_calm_page(phone: Page) -> None:
    answer = phone.goto("/u/wrong")
    assert answer is not None
    assert answer.status == 410
    expect(phone.get_by_role("heading", name="This link does not unsubscribe")).to_be_visible()
