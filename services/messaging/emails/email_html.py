"""What a page in an email may hold: nothing that runs, asks for input, or leads anywhere but by http, mail and phone.

Mail programs drop such things, or put a message that has them among the spam: whoever writes one hears of it at once.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

_REFUSED_TAGS = frozenset({
    "script", "iframe", "object", "embed", "applet", "form", "input", "button", "textarea", "select", "base", "link",
    "frame", "frameset", "svg", "math",
})  # fmt: skip
_ADDRESSES = frozenset({"href", "src", "background", "action", "formaction", "poster", "srcset"})
_PERMITTED = re.compile(
    r"(https?:|mailto:|tel:|sms:|cid:|data:image/(png|jpeg|gif|webp);|#|\{\{\s*(task|form)\.link\s*\}\})", re.I
)


def find_refused(html: str) -> str | None:
    """What must not be in it, in words for the one who wrote it; None if there is nothing of the kind."""
    # Python's parser looks through the rest of a page at each tag that does not end, and fails at marks of no page.
    if re.search(r"<[a-z!?/]", html[html.rfind(">") + 1 :], re.I):
        return "A tag does not end"
    reader = _Reader()
    try:
        reader.feed(html)
        reader.close()
    except AssertionError:
        return "It holds a declaration that cannot be read"
    return reader.refused


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.refused: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _REFUSED_TAGS:
            self._refuse(f"<{tag}> is not allowed in an email")
        for name, value in attrs:
            if name.startswith("on"):
                self._refuse(f"{name} is not allowed in an email")
            if tag == "meta" and name == "http-equiv" and (value or "").strip().lower() == "refresh":
                self._refuse("An email cannot lead to another page by itself")
            if name in _ADDRESSES and not _PERMITTED.match(re.sub(r"[\x00-\x20]", "", value or "#")):
                self._refuse(f"{name} must begin with https:, mailto: or tel:, or be {{{{ task.link }}}}")

    def _refuse(self, why: str) -> None:
        self.refused = self.refused or why
