"""The sandbox's page as a new user has it: from a message to a stop, a start and the proof of both, by page alone."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.systems import Embedded, embedded, eventually

PHONE_SCREEN, DESK_SCREEN = {"width": 390, "height": 844}, {"width": 1360, "height": 860}
BLOCKED = "Loading the image 'https://elsewhere.test/x.png' violates"

Visit = Callable[..., Page]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    folder: Path = tmp_path_factory.mktemp("sandbox") / "data"
    with embedded(folder) as running:
        yield running


@pytest.fixture
def visit(chromium: Browser, system: Embedded) -> Iterator[Visit]:
    """Opens a path. At the end: no script failed, nothing of ours was blocked, nothing was fetched from elsewhere."""
    contexts: list[BrowserContext] = []
    problems: list[str] = []

    def go(path: str, *, script: bool = True, screen: dict[str, int] = DESK_SCREEN) -> Page:
        context = chromium.new_context(viewport=screen, java_script_enabled=script, locale="en-US")
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda told: problems.append(told.text) if told.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("response", lambda got: None if got.url.startswith(system.url) else problems.append(got.url))
        page.goto(system.url + path)
        return page

    yield go
    for context in contexts:
        context.close()
    assert [problem for problem in problems if not problem.startswith(BLOCKED)] == []


class Client:
    """A client of the demonstration firm, with a phone and an inbox."""

    numbers = iter(range(120, 199))

    def __init__(self, system: Embedded) -> None:
        number = next(self.numbers)
        self.system, self.phone, self.inbox = system, f"+12125550{number}", f"client{number}@example.com"
        self.id = system.api.post("/v1/clients", {
            "first_name": "Ana", "last_name": "Lopez",
            "phones": [{"number": self.phone, "kind": "mobile", "primary": True}],
            "emails": [{"address": self.inbox, "primary": True}],
        })["id"]  # fmt: skip

    def send(self, channel: str, body: str = "Your hearing is on Monday.", **message: Any) -> None:
        """A message, as it comes to the sandbox."""
        self.system.api.post("/v1/messages", {"client_id": self.id, "channel": channel, "body": body, **message})
        address = self.inbox if channel == "email" else self.phone
        eventually(lambda: self.system.api.get("/sandbox/messages", to=address)["data"], "the message")

    def consents(self, address: str) -> list[str]:
        entries = self.system.api.get("/v1/consents", address=address)["data"]
        return [f"{entry['channel']} {entry['state']}" for entry in entries]


@pytest.fixture
def client(system: Embedded) -> Client:
    return Client(system)


@pytest.mark.parametrize(("script", "screen"), [(False, PHONE_SCREEN), (True, DESK_SCREEN)])
def test_a_phone_is_stopped_and_started_and_the_proof_is_found(
    client: Client, visit: Visit, script: bool, screen: dict[str, int]
) -> None:
    client.send("sms")
    page = visit("/sandbox", script=script, screen=screen)
    page.get_by_role("link", name=client.phone).click()
    expect(page.get_by_role("log")).to_contain_text("Your hearing is on Monday.")
    about = page.get_by_role("complementary")
    expect(about).to_contain_text("Nothing was said yet")
    page.get_by_role("button", name="STOP").click()
    expect(page.get_by_role("status")).to_have_text("Reply sent: POST /webhooks/twilio/sms answered 200.")
    expect(about).to_contain_text("Texts: stopped")
    page.get_by_role("button", name="START").click()
    expect(about).to_contain_text("Texts: wanted")
    assert client.consents(client.phone) == ["sms opted_in", "sms opted_out"]

    command = about.locator("pre").inner_text().replace("$KEY", client.system.api_key)
    told = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True, timeout=30).stdout
    assert [entry["evidence"]["words"] for entry in json.loads(told)["data"]] == ["START", "STOP"]


def test_the_answer_to_a_stop_appears_by_itself(client: Client, visit: Visit) -> None:
    client.send("sms")
    page = visit(f"/sandbox?to={client.phone.replace('+', '%2B')}")
    page.get_by_label("Reply as this phone").fill("Please stop texting me")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("log")).to_contain_text("you are opted out", timeout=15_000)
    expect(page.get_by_role("log").get_by_text("Delivered", exact=True).last).to_be_visible(timeout=15_000)


def test_key_nine_in_a_call_stops_calls(client: Client, visit: Visit) -> None:
    client.send("phone")
    page = visit(f"/sandbox?to={client.phone.replace('+', '%2B')}", script=False, screen=PHONE_SCREEN)
    page.get_by_role("button", name="Press 9").click()
    expect(page.get_by_role("status")).to_contain_text("POST /webhooks/twilio/voice answered 200")
    expect(page.get_by_role("log")).to_contain_text("You will get no more calls from us.")
    expect(page.get_by_role("complementary")).to_contain_text("Calls: stopped")
    assert client.consents(client.phone) == ["phone opted_out"]


def test_an_email_is_read_safely_and_unsubscribed_from_by_one_click(client: Client, visit: Visit) -> None:
    html = '<h1>Your documents</h1><img src="https://elsewhere.test/x.png"><p><a href="https://a.test/">Open</a></p>'
    client.send("email", subject="Two <b>pages</b> are missing", html=html)
    page = visit(f"/sandbox?to={client.inbox}", script=False)
    expect(page.get_by_role("main")).to_contain_text("Two <b>pages</b> are missing")
    frame = page.frame_locator("iframe")
    expect(frame.get_by_role("heading")).to_have_text("Your documents")
    page.get_by_role("button", name="Unsubscribe").click()
    expect(page.get_by_role("status")).to_have_text(re.compile(r"Unsubscribed: POST /u/… answered 2\d\d\."))
    expect(page.get_by_role("complementary")).to_contain_text("Emails: stopped")
    assert client.consents(client.inbox) == ["email opted_out"]


@pytest.mark.parametrize("screen", [PHONE_SCREEN, DESK_SCREEN], ids=["phone", "desk"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_end_of_an_email_is_read_in_the_light_and_in_the_dark(
    client: Client, visit: Visit, scheme: str, screen: dict[str, int]
) -> None:
    client.send("email", subject="Your documents")
    page = visit("/sandbox", screen=screen)
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(f"{client.system.url}/sandbox?to={client.inbox}")
    footer = page.frame_locator("iframe").get_by_role("link", name="Unsubscribe from our email")
    # WCAG 2.2, 1.4.3
    assert contrast(page, footer.screenshot()) >= 4.5


def contrast(page: Page, picture: bytes) -> float:
    """Between the lightest and the darkest dot of a picture, by WCAG's formula."""
    ratio: float = page.evaluate(
        """async (png) => {
            const bytes = Uint8Array.from(atob(png), (character) => character.charCodeAt(0));
            const image = await createImageBitmap(new Blob([bytes], {type: "image/png"}));
            const brush = new OffscreenCanvas(image.width, image.height).getContext("2d");
            brush.drawImage(image, 0, 0);
            const dots = brush.getImageData(0, 0, image.width, image.height).data;
            const linear = (byte) => byte / 255 <= 0.04045 ? byte / 3294.6 : ((byte / 255 + 0.055) / 1.055) ** 2.4;
            let [darkest, lightest] = [1, 0];
            for (let at = 0; at < dots.length; at += 4) {
                const [red, green, blue] = [...dots.slice(at, at + 3)].map(linear);
                const luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
                darkest = Math.min(darkest, luminance);
                lightest = Math.max(lightest, luminance);
            }
            return (lightest + 0.05) / (darkest + 0.05);
        }""",
        base64.b64encode(picture).decode(),
    )
    return ratio


def test_what_somebody_is_writing_stays_while_more_comes_in(client: Client, visit: Visit) -> None:
    client.send("email", subject="First")
    page = visit(f"/sandbox?to={client.inbox}")
    page.get_by_label("Reply").fill("I am still writing")
    page.get_by_label("Reply").blur()
    client.send("email", subject="Second")
    listed = page.get_by_role("navigation").get_by_role("link", name=client.inbox)
    expect(listed).to_contain_text("Second", timeout=15_000)
    expect(page.get_by_label("Reply")).to_have_value("I am still writing")


def test_an_inbox_bounces_what_is_sent_to_it_from_now_on(client: Client, visit: Visit) -> None:
    client.send("email", subject="First")
    page = visit(f"/sandbox?to={client.inbox}", script=False)
    page.get_by_label("What is sent here from now on").select_option("bounce")
    page.get_by_role("button", name="Keep").click()
    expect(page.get_by_role("status")).to_contain_text("Kept.")
    client.system.api.post("/v1/messages", {
        "client_id": client.id, "channel": "email", "subject": "Second", "body": "Hello again."
    })  # fmt: skip
    eventually(lambda: states(client) == ["delivered", "undelivered"], "one is delivered, and one bounces")
    page.reload()
    expect(page.get_by_role("main")).to_contain_text("Bounced")


def states(client: Client) -> list[str]:
    """Of the emails that the firm sent, as it knows."""
    sent = client.system.api.get("/v1/messages", client_id=client.id, direction="outbound")["data"]
    return sorted(message["state"] for message in sent if message["channel"] == "email")


def test_a_stranger_writes_first(client: Client, visit: Visit) -> None:
    client.send("sms")
    page = visit("/sandbox", script=False)
    page.get_by_role("link", name="Write as somebody").click()
    form = page.get_by_role("form", name="Text message")
    form.get_by_label("From").fill("(646) 555-0188")
    form.get_by_label("Message").fill("Do you take new clients? <script>alert(1)</script>")
    form.get_by_role("button", name="Send").click()
    expect(page.get_by_role("heading", level=2)).to_have_text("+16465550188")
    expect(page.get_by_role("log")).to_contain_text("Do you take new clients? <script>alert(1)</script>")
    found = client.system.api.get("/v1/messages", address="+16465550188")["data"]
    assert [message["direction"] for message in found] == ["inbound"]


def test_addresses_are_searched_and_filtered(client: Client, visit: Visit) -> None:
    client.send("sms")
    client.send("email", subject="Hello")
    page = visit("/sandbox", script=False)
    listed = page.get_by_role("navigation")
    page.get_by_role("searchbox").fill(client.phone[-5:])
    page.get_by_role("searchbox").press("Enter")
    expect(listed.get_by_role("link", name="+1212")).to_have_count(1)
    page.goto(f"{client.system.url}/sandbox?q={client.inbox[:9]}")
    listed.get_by_role("link", name="Emails", exact=True).click()
    expect(listed.get_by_role("link", name=client.inbox)).to_be_visible()
    listed.get_by_role("link", name="Calls", exact=True).click()
    expect(listed).to_contain_text("Nothing is found.")


def test_the_page_is_reached_by_keyboard_and_never_scrolls_sideways(client: Client, visit: Visit) -> None:
    client.send("sms", body="A" * 300 + " https://x.example/" + "b" * 200)
    for screen in (PHONE_SCREEN, {"width": 320, "height": 568}, DESK_SCREEN):
        page = visit(f"/sandbox?to={client.phone.replace('+', '%2B')}", screen=screen)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the conversation"
