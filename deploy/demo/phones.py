"""The clients' side of the demonstration: phones that reply, and people who open their link and answer."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

import requests
from PIL import Image

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


@dataclass
class Question:
    """A question that the page asks: where its form goes, its hidden fields, the names of what is filled in, and what
    stands in its line already."""

    action: str
    hidden: dict[str, str] = field(default_factory=dict)
    title: str = ""
    names: list[str] = field(default_factory=list)
    stands: str = ""


class _Reader(HTMLParser):
    """Reads the portal's page: its questions, its headings, and where each answer can be changed."""

    def __init__(self) -> None:
        super().__init__()
        self.questions: list[Question] = []
        self.headings: list[str] = []
        self.changes: dict[str, str] = {}
        self._open: Question | None = None
        self._heading: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "h2":
            self._heading = []
        elif tag == "form":
            self._open = Question(found.get("action", ""))
            self.questions.append(self._open)
        elif tag == "a" and "change" in found.get("class", "").split():
            self.changes[self.headings[-1]] = found["href"]
        elif tag in ("input", "textarea", "select") and self._open and found.get("name"):
            if found.get("type") == "hidden":
                self._open.hidden[found["name"]] = found.get("value", "")
            else:
                self._open.names.append(found["name"])
                if tag == "input" and found["name"] == "answer":
                    self._open.stands = found.get("value", "")

    def handle_data(self, data: str) -> None:
        if self._heading is not None:
            self._heading.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "h2" and self._heading is not None:
            # What follows the title in brackets says that the question is optional.
            title = " ".join("".join(self._heading).split()).removesuffix(" (optional)")
            self.headings.append(title)
            if self._open:
                self._open.title = title
            self._heading = None
        elif tag == "form":
            self._open = None


class Phone:
    """A phone's browser that has opened a link: it fills in the page's forms and sends them as they are, without
    JavaScript. Raises ApiError where the page does not do what it should."""

    def __init__(self, link: str) -> None:
        self._browser = requests.Session()
        self._take(self._browser.get(link, timeout=30))

    def look(self) -> None:
        """Load the page again."""
        self._take(self._browser.get(self._url, timeout=30))

    @property
    def asked(self) -> list[str]:
        """The titles of the questions that wait for an answer, from top to bottom."""
        return [question.title for question in self._page.questions if question.names]

    def stands(self, title: str) -> str:
        """What a question's line holds before anybody has filled it in."""
        return next((question.stands for question in self._page.questions if question.title == title), "")

    @property
    def headings(self) -> list[str]:
        """Of sections and of questions, answered ones included."""
        return self._page.headings

    def answer(self, title: str, *answer: str, file: bytes | None = None, **others: str) -> None:
        """Send the form of one question. `others`: its fields besides `answer`; `file`: a picture to send along."""
        needed = {*others, *(["answer"] if answer else []), *(["file"] if file else [])}
        question = next((question for question in self._page.questions if question.title == title), None)
        if question is None or not needed <= {*question.names}:
            raise ApiError(f"The page does not ask “{title}” so that it can be answered.")
        fields = {**question.hidden, **({"answer": answer} if answer else {}), **others}
        files = {"file": ("picture.jpg", file, "image/jpeg")} if file else None
        self._take(self._browser.post(urljoin(self._url, question.action), data=fields, files=files, timeout=30))

    def correct(self, title: str, answer: str) -> None:
        """Change an answer that was given."""
        if title not in self._page.changes:
            raise ApiError(f"The page does not offer to change the answer to “{title}”.")
        self._take(self._browser.get(urljoin(self._url, self._page.changes[title]), timeout=30))
        self.answer(title, answer)

    def _take(self, page: requests.Response) -> None:
        if not page.ok:
            raise ApiError(f"The page behind the link answered {page.status_code}.")
        self._url = page.url
        self._page = _Reader()
        self._page.feed(page.text)


def answer_through_page(link: str, answer: str) -> None:
    """Open a link with one question and answer it. Raises ApiError."""
    phone = Phone(link)
    if not phone.asked:
        raise ApiError("The page behind the link asks nothing.")
    phone.answer(phone.asked[0], answer)


def picture() -> bytes:
    """What a phone's camera might make of a card on a table."""
    taken = Image.new("RGB", (640, 400), "#8a7f72")
    taken.paste(Image.new("RGB", (520, 300), "#e8eef6"), (60, 50))
    kept = io.BytesIO()
    taken.save(kept, "JPEG")
    return kept.getvalue()
