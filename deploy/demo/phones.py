"""The clients' side of the demonstration: phones that reply, and people who open their link and answer."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

import requests

from deploy.demo.api import Api, ApiError

LINK = re.compile(r"https?://\S+/p/[\w-]+")


class Sandbox:
    """The sandbox's phones, by number."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def messages(self, to: str | None = None, since: str | None = None) -> list[dict[str, Any]]:
        return list(self._api.every("/sandbox/messages", to=to, since=since))

    def outbound(self, to: str) -> list[dict[str, Any]]:
        """What this phone received, newest first."""
        return [message for message in self.messages(to) if message["direction"] == "outbound"]

    def reply(self, phone: str, words: str) -> None:
        """Answer the phone's newest message. Raises ApiError if our own webhook refused it."""
        newest = self.outbound(phone)[0]
        answer = self._api.post(f"/sandbox/messages/{newest['id']}/reply", {"body": words})
        if answer["status"] // 100 != 2:
            raise ApiError(f"The webhook answered a reply with {answer['status']}.")


class _Form(HTMLParser):
    """Reads the answer form of the portal's page: its action, hidden fields and the names of its questions."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[dict[str, Any]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "form":
            self.forms.append({"action": found.get("action") or "", "hidden": {}, "questions": []})
        elif tag in ("input", "textarea", "select") and self.forms and found.get("name"):
            if found.get("type") == "hidden":
                self.forms[-1]["hidden"][found["name"]] = found.get("value") or ""
            elif found.get("type") not in ("submit", "button"):
                self.forms[-1]["questions"].append(found["name"])


def answer_through_page(link: str, answer: str) -> None:
    """Open a link as a phone's browser does and send the form with one answer. Raises ApiError."""
    browser = requests.Session()
    page = browser.get(link, timeout=30)
    reader = _Form()
    reader.feed(page.text)
    forms = [form for form in reader.forms if form["questions"]]
    if not page.ok or not forms:
        raise ApiError(f"The page behind the link answered {page.status_code} without a form.")
    form = forms[0]
    data = {**form["hidden"], form["questions"][0]: answer}
    sent = browser.post(urljoin(page.url, form["action"]), data=data, timeout=30)
    if not sent.ok:
        raise ApiError(f"The page answered {sent.status_code} to an answer.")
