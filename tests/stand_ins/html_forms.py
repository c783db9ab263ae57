"""The forms of a page, filled in and sent as a browser without JavaScript does."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any


@dataclass
class Form:
    """`fields`: what it sends untouched, by name; `names`: every field there is; `buttons`: (name, value) by their
    words, the first of each."""

    action: str
    multipart: bool
    fields: dict[str, list[str]] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    buttons: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def tasks(self) -> list[str]:
        """The case tasks whose fields it has."""
        return self.fields.get("task", [])

    def filled(self, button: str, values: dict[str, Any] | None = None) -> dict[str, Any]:
        """What is sent when `values` are filled in and a button is pressed: with a value None, the field sends
        nothing, as a choice that is not made."""
        assert (values or {}).keys() <= self.names, sorted(self.names)
        sent: dict[str, Any] = {**self.fields, **(values or {})}
        name, value = self.buttons[button]
        return {key: given for key, given in (sent | ({name: value} if name else {})).items() if given is not None}


def forms_of(html: str) -> list[Form]:
    """All forms of a page, in order."""
    reader = _Reader()
    reader.feed(html)
    return reader.forms


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._form: Form | None = None
        self._area: str | None = None
        self._button: tuple[str, str] | None = None
        self._text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = Form(given.get("action", ""), given.get("enctype") == "multipart/form-data")
            self.forms.append(self._form)
        elif self._form is not None and tag == "button":
            self._button, self._text = (given.get("name", ""), given.get("value", "")), ""
        elif self._form is not None and tag == "textarea":
            self._area, self._text = given["name"], ""
        elif self._form is not None and tag == "input":
            self._form.names.add(given["name"])
            chosen = "checked" in given or given.get("type") not in ("radio", "checkbox", "file")
            if chosen:
                self._form.fields.setdefault(given["name"], []).append(given.get("value", ""))

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        if self._form is None:
            return
        if tag == "form":
            self._form = None
        elif tag == "button" and self._button is not None:
            self._form.buttons.setdefault(" ".join(self._text.split()).partition(":")[0], self._button)
            self._button = None
        elif tag == "textarea" and self._area is not None:
            self._form.names.add(self._area)
            self._form.fields[self._area] = [self._text.removeprefix("\n")]
            self._area = None
