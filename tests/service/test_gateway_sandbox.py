"""The sandbox's pages and routes by themselves: hostile texts, forms of other sites, and where an answer leads."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest

from chassis.columns import utc_now
from contracts import messaging
from contracts.errors import Conflict, Invalid
from tests.service.test_gateway_edge import Edge, problem

PHONE, OFFICE = "+12125550123", "+12125550100"
HOSTILE = [
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "' autofocus onfocus=alert(1) x='",
    "javascript:alert(1)", "https://x.example/\"onmouseover=alert(1)", "</title><svg onload=alert(1)>",
]  # fmt: skip


def message(**given: Any) -> dict[str, Any]:
    return {
        "id": "SM1", "channel": "sms", "direction": "outbound", "to": PHONE, "from_": OFFICE, "subject": None,
        "body": "Hi", "html": None, "headers": None, "at": utc_now(), "status": "delivered", **given,
    }  # fmt: skip


@pytest.fixture
def edge() -> Edge:
    return sandbox()


def sandbox(*messages: dict[str, Any], address: str = PHONE) -> Edge:
    edge = Edge(SANDBOX_PAGES=True)
    found = list(messages) or [message()]
    entry = {
        "address": address, "channel": found[0]["channel"], "behaviour": "normal", "seconds": 0.0, "count": 1,
        "latest": found[0],
    }  # fmt: skip
    meta = {"next_cursor": None, "total": 1}
    consents = [{"office": OFFICE, "channel": "sms", "state": "opted_out", "at": utc_now()}]
    edge.answer(messaging.LIST_SANDBOX_ADDRESSES, lambda **query: {"data": [entry], "meta": meta})
    edge.answer(messaging.LIST_SANDBOX_MESSAGES, lambda **query: {"data": found, "meta": meta})
    edge.answer(messaging.DESCRIBE_SANDBOX_ADDRESS, lambda address: {**entry, "address": address, "consents": consents})
    edge.answer(messaging.LIST_SANDBOX_OFFICES, lambda: {"offices": [{"channel": "sms", "address": OFFICE}]})
    edge.answer(messaging.GET_SANDBOX_MESSAGE, lambda sandbox_message_id: found[0])
    edge.answer(messaging.REPLY_TO_SANDBOX_MESSAGE, lambda **told: {"status": 200, "provider_id": "SM2"})
    edge.answer(messaging.ACT_ON_SANDBOX_MESSAGE, lambda **told: {"status": 204, "provider_id": "SM1"})
    edge.answer(messaging.WRITE_FROM_SANDBOX, lambda **told: {"status": 200, "provider_id": "SM3"})
    edge.answer(messaging.SET_SANDBOX_ADDRESS, lambda **told: entry)
    return edge


def submit(edge: Edge, headers: dict[str, str] | None = None, **form: str) -> Any:
    return edge.http.post("/sandbox", data={"to": PHONE, "message": "SM1", **form}, headers=headers or {})


def test_the_sandbox_is_served_only_where_it_is_the_provider(edge: Edge) -> None:
    without = Edge()
    for path in ("/sandbox", "/sandbox/messages", "/sandbox/addresses", "/sandbox/offices"):
        assert without.http.get(path).status_code == 404
        assert edge.http.get(path).status_code == 200


class _Outline(HTMLParser):
    """What a page is made of: each kind of element with its attributes' names, and where links lead."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: set[tuple[str, ...]] = set()
        self.links: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add((tag, *sorted(name for name, _ in attrs)))
        self.links |= {value or "" for name, value in attrs if name in ("href", "src", "action")}


def outline(text: str, channel: str) -> _Outline:
    said = message(channel=channel, body=text, subject=text, from_=text, headers={"List-Unsubscribe": text, text: text})
    address = f"{text}@x.example" if channel == "email" else text
    asked = {"to": address, "q": text, "did": text, "status": text, "by": text}
    page = sandbox(said, address=address).http.get("/sandbox", query_string=asked)
    assert page.status_code == 200
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    return _Outline(page.get_data(as_text=True))


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("channel", ["sms", "phone", "email"])
def test_no_text_becomes_markup(text: str, channel: str) -> None:
    hostile, harmless = outline(text, channel), outline("Hello https://x.example/", channel)
    assert hostile.elements <= harmless.elements
    assert [link for link in hostile.links if not link.startswith(("/", "#", "https://x.example/"))] == []


def test_an_emails_page_may_do_nothing(edge: Edge) -> None:
    edge = sandbox(message(channel="email", html="<p>Hi</p><script>alert(1)</script>"))
    page = edge.http.get("/sandbox/messages/SM1/page")
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none';")
    assert "allow-scripts" not in policy
    assert page.headers["X-Frame-Options"] == "SAMEORIGIN"
    problem(sandbox().http.get("/sandbox/messages/SM1/page"), 404, "sandbox_message_not_found")


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"},
     {"Origin": "null"}],
)  # fmt: skip
def test_a_form_of_another_site_does_nothing(edge: Edge, headers: dict[str, str]) -> None:
    problem(submit(edge, headers, do="reply", body="STOP"), 403, "form_of_another_site")
    assert edge.calls.asked(messaging.REPLY_TO_SANDBOX_MESSAGE) == []


def test_our_own_form_does(edge: Edge) -> None:
    for headers in ({}, {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}):
        answer = submit(edge, headers, do="reply", body="STOP")
        assert answer.status_code == 303
        assert answer.headers["Location"] == "/sandbox?to=%2B12125550123&did=reply&status=200"


def test_a_quick_reply_goes_before_the_empty_box(edge: Edge) -> None:
    edge.http.post("/sandbox", data={"do": "reply", "to": PHONE, "message": "SM1", "body": ["", "STOP"]})
    assert edge.calls.asked(messaging.REPLY_TO_SANDBOX_MESSAGE)[0]["body"] == "STOP"


@pytest.mark.parametrize("to", ["https://evil.example", "//evil.example", "/\\evil.example", "x\r\nSet-Cookie: a=b"])
@pytest.mark.parametrize("do", ["reply", "behaviour", "press", "nothing"])
def test_no_answer_leads_off_the_site(edge: Edge, to: str, do: str) -> None:
    answer = submit(edge, do=do, to=to, body="Hi", behaviour="normal", value="9")
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/sandbox?")
    assert "Set-Cookie" not in answer.headers


def test_each_deed_reaches_its_operation(edge: Edge) -> None:
    for action in ("deliver", "bounce", "complain", "unsubscribe"):
        submit(edge, do=action)
    submit(edge, do="press", value="9")
    asked = [(one["action"], one["value"]) for one in edge.calls.asked(messaging.ACT_ON_SANDBOX_MESSAGE)]
    assert asked == [("deliver", None), ("bounce", None), ("complain", None), ("unsubscribe", None), ("press", "9")]
    submit(edge, do="behaviour", behaviour="delay", seconds="12")
    (behaviour,) = edge.calls.asked(messaging.SET_SANDBOX_ADDRESS)
    assert (behaviour["address"], behaviour["behaviour"], behaviour["seconds"]) == (PHONE, "delay", 12.0)


def test_who_writes_first_is_shown_then(edge: Edge) -> None:
    edge = sandbox(message(direction="inbound", from_="+16465550188", to=OFFICE))
    written = {"channel": "sms", "from": "(646) 555-0188", "to": OFFICE, "body": "Hello"}
    answer = edge.http.post("/sandbox", data={"do": "write", **written})
    assert answer.headers["Location"].startswith("/sandbox?to=%2B16465550188&did=write&status=200")


def test_what_is_refused_is_said_on_the_page(edge: Edge) -> None:
    def refuse(**told: Any) -> Any:
        raise Conflict("not_a_call")

    edge.answer(messaging.ACT_ON_SANDBOX_MESSAGE, refuse)
    answer = submit(edge, do="press", value="9")
    page = edge.http.get(answer.headers["Location"]).get_data(as_text=True)
    assert "That cannot be done with this message." in page


def test_scripts_have_the_same_by_json(edge: Edge) -> None:
    assert edge.http.get(f"/sandbox/messages?to={PHONE}").json["data"][0]["from"] == OFFICE
    assert edge.http.post("/sandbox/messages/SM1/reply", json={"body": "STOP"}).json == {
        "status": 200, "provider_id": "SM2",
    }  # fmt: skip
    assert edge.http.post("/sandbox/messages/SM1/act", json={"action": "bounce"}).json["status"] == 204
    written = {"channel": "sms", "from": PHONE, "to": OFFICE, "body": "Hello"}
    assert edge.http.post("/sandbox/messages", json=written).json["provider_id"] == "SM3"
    assert edge.http.put(f"/sandbox/addresses/{PHONE}", json={"behaviour": "bounce"}).json["address"] == PHONE
    assert edge.http.get(f"/sandbox/addresses/{PHONE}").json["consents"][0]["state"] == "opted_out"
    problem(edge.http.get("/sandbox/messages?since=never"), 422, "invalid_input")
    problem(edge.http.post("/sandbox/messages/SM1/reply", data="body=STOP"), 422, "invalid_input")


def test_a_contracts_refusal_is_said_too(edge: Edge) -> None:
    def refuse(**told: Any) -> Any:
        raise Invalid("invalid_address", fields=[{"field": "from", "message": "Not a telephone number."}])

    edge.answer(messaging.WRITE_FROM_SANDBOX, refuse)
    typed = {"channel": "sms", "from": '"><b>', "to": OFFICE, "body": "<i>Hi</i>"}
    answer = edge.http.post("/sandbox", data={"do": "write", **typed})
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert "That is no telephone number or email address." in page
    assert 'value="&#34;&gt;&lt;b&gt;"' in page, "what was typed is there again"
    assert ">&lt;i&gt;Hi&lt;/i&gt;</textarea>" in page
