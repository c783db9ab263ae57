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


Answer = str | bytes | dict[str, str]
"""What is filled in of a question: its one field, a picture to send along, or several fields by name."""


@dataclass
class Form:
    """A form of the page: where it goes, what it sends untouched, and the names of the fields of each question."""

    action: str
    fields: dict[str, list[str]] = field(default_factory=dict)
    questions: dict[str, set[str]] = field(default_factory=dict)

    def name_of(self, title: str, part: str) -> str:
        """A field of a question. Where a form has several questions, names end with whose they are. Raises ApiError."""
        for name in self.questions.get(title, ()):
            if name.partition("-")[0] == part:
                return name
        raise ApiError(f"The page does not ask “{title}” so that it can be answered.")


class _Reader(HTMLParser):
    """Reads the portal's page: its forms, its headings, and how each answer can be changed: by an address, or by a
    button of a form."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.headings: list[str] = []
        self.changes: dict[str, str | tuple[Form, str]] = {}
        self._open: Form | None = None
        self._heading: list[str] | None = None
        self._area: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        name = found.get("name", "")
        if tag == "h2":
            self._heading = []
        elif tag == "form":
            self._open = Form(found.get("action", ""))
            self.forms.append(self._open)
        elif tag == "a" and "change" in found.get("class", "").split():
            self.changes[self.headings[-1]] = found["href"]
        elif tag == "button" and name == "change" and self._open:
            self.changes[self.headings[-1]] = self._open, found["value"]
        elif tag in ("input", "textarea") and self._open and name:
            if found.get("type") != "hidden":
                self._asks(found, self._heading)
            if tag == "textarea":
                self._area, self._open.fields[name] = name, [""]
            elif "checked" in found or found.get("type") not in ("checkbox", "radio", "file"):
                self._open.fields.setdefault(name, []).append(found.get("value", ""))

    def handle_data(self, data: str) -> None:
        if self._heading is not None:
            self._heading.append(data)
        if self._area is not None and self._open:
            self._open.fields[self._area][0] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "h2" and self._heading is not None:
            # What follows the title in brackets says that the question is optional.
            self.headings.append(" ".join("".join(self._heading).split()).removesuffix(" (optional)"))
            self._heading = None
        elif tag == "textarea" and self._area is not None and self._open:
            self._open.fields[self._area] = [self._open.fields[self._area][0].removeprefix("\n")]
            self._area = None
        elif tag == "form":
            self._open = None

    def _asks(self, field: dict[str, str], heading: list[str] | None) -> None:
        if self._open is not None and heading is None:
            self._open.questions.setdefault(self.headings[-1], set()).add(field["name"])


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
        return [title for form in self._page.forms for title in form.questions]

    @property
    def headings(self) -> list[str]:
        """Of sections and of questions, answered ones included."""
        return self._page.headings

    def holds(self, title: str) -> str:
        """What the field of a question shows."""
        form = self._form_of(title)
        return "".join(form.fields.get(form.name_of(title, "answer"), []))

    def fill_in(self, answers: dict[str, Answer], *, later: bool = False) -> None:
        """Fill in questions of one form, by their titles, and send it; `later`: save it to go on with."""
        form = self._form_of(next(iter(answers)))
        fields = {**form.fields, **({"save": ["later"]} if later else {})}
        files = {}
        for title, answer in answers.items():
            if isinstance(answer, bytes):
                files[form.name_of(title, "file")] = ("picture.jpg", answer, "image/jpeg")
                continue
            for part, value in ({"answer": answer} if isinstance(answer, str) else answer).items():
                fields[form.name_of(title, part)] = [value]
        self._send(form, fields, files)

    def change(self, title: str) -> None:
        """Have an answer that was given asked again."""
        how = self._page.changes.get(title)
        if how is None:
            raise ApiError(f"The page does not offer to change the answer to “{title}”.")
        if isinstance(how, str):
            self._take(self._browser.get(urljoin(self._url, how), timeout=30))
        else:
            form, value = how
            self._send(form, {**form.fields, "change": [value]}, {})

    def _form_of(self, title: str) -> Form:
        for form in self._page.forms:
            if title in form.questions:
                return form
        raise ApiError(f"The page does not ask “{title}” so that it can be answered.")

    def _send(self, form: Form, fields: dict[str, list[str]], files: dict[str, tuple[str, bytes, str]]) -> None:
        address = urljoin(self._url, form.action)
        self._take(self._browser.post(address, data=fields, files=files or None, timeout=30))

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
    phone.fill_in({phone.asked[0]: answer})


def picture() -> bytes:
    """What a phone's camera might make of a card on a table."""
    taken = Image.new("RGB", (640, 400), "#8a7f72")
    taken.paste(Image.new("RGB", (520, 300), "#e8eef6"), (60, 50))
    kept = io.BytesIO()
    taken.save(kept, "JPEG")
    return kept.getvalue()
