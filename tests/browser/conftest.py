"""Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from werkzeug.serving import WSGIRequestHandler, make_server

from deploy.installing import need_program
from tests.stand_ins.portal_app import FakePortal, make_app

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PHONE = {"width": 390, "height": 844}

Visit = Callable[..., Page]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A headless browser for all tests; each makes a context of its own (phone's viewport, JavaScript on or off)."""
    program = need_program("chromium", package="chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, headless=True, args=FLAGS)
        yield browser
        browser.close()


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:
        """Nothing: a token would be in it."""


@pytest.fixture
def fake() -> FakePortal:
    return FakePortal()


@pytest.fixture
def site(fake: FakePortal) -> Iterator[str]:
    """The address of the client's pages."""
    server = make_server("127.0.0.1", 0, make_app(fake), threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def visit(chromium: Browser, site: str) -> Iterator[Visit]:
    """Opens a path as a phone without JavaScript does. At the end: nothing was blocked or fetched from elsewhere."""
    contexts: list[BrowserContext] = []
    problems: list[str] = []

    def go(path: str, viewport: dict[str, int] = PHONE, **options: object) -> Page:
        context = chromium.new_context(
            viewport=viewport, java_script_enabled=False, is_mobile=True, has_touch=True, locale="en-US", **options
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: problems.append(message.text) if "Security" in message.text else None)
        page.on("request", lambda request: None if request.url.startswith(site) else problems.append(request.url))
        page.goto(site + path)
        return page

    yield go
    for context in contexts:
        context.close()
    assert problems == []
