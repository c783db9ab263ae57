"""An email's two parts: the text, and the page that most programs show; both end with who writes and how to stop it.

A page that nobody wrote is made of the text: its paragraphs, its links to be tapped, and everything else as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader
from jinja2.utils import urlize
from markupsafe import Markup

from services.messaging.adapters.email_headers import header_text
from services.messaging.templates import Variant, render, render_html, render_line

NAMES = ("firm.name", "firm.postal_address")
"""Variables that every email uses, whatever its text says."""
_SUBJECT = {"en": "A message from {firm}", "es": "Un mensaje de {firm}"}
_UNSUBSCRIBE = {"en": "Unsubscribe from our email", "es": "Dejar de recibir nuestros correos"}
_END_OF_BODY = re.compile(r"</body\s*>", re.I)
_BODY = re.compile(r"<body[\s>]", re.I)

_environment = Environment(loader=PackageLoader("services.messaging", "pages"), autoescape=True)


@dataclass(frozen=True)
class EmailParts:
    """`words` is the text as somebody wrote it, `text` the same with its footer."""

    subject: str
    sender_name: str
    words: str
    text: str
    html: str


def compose(variant: Variant, variables: dict[str, Any], unsubscribe_url: str | None) -> EmailParts:
    """The parts of one email. `unsubscribe_url` None: there is nothing to unsubscribe from."""
    language = variant.language if variant.language in _UNSUBSCRIBE else "en"
    firm = variables.get("firm") or {}
    name, postal = header_text(str(firm.get("name") or "")), str(firm.get("postal_address") or "").splitlines()
    subject = render_line(variant.subject or "", variables) or _SUBJECT[language].format(firm=name)
    words = render(variant.body, variables)
    unsubscribe_words = _UNSUBSCRIBE[language]
    footer = [name, *postal, *([f"{unsubscribe_words}: {unsubscribe_url}"] if unsubscribe_url else [])]
    page = render_html(variant.html, variables) if variant.html else page_of(words)
    return EmailParts(
        subject=subject,
        sender_name=name,
        words=words,
        # RFC 3676: what follows is no part of what was said.
        text="\n".join([words, "", "-- ", *footer]),
        html=_environment.get_template("email.html").render(
            **_split(page),
            language=variant.language,
            subject=subject,
            firm_name=name,
            postal_lines=postal,
            unsubscribe_url=unsubscribe_url,
            unsubscribe_words=unsubscribe_words,
        ),
    )


def page_of(text: str) -> Markup:
    """A text as a page: escaped, a paragraph for each, its addresses as links."""
    paragraphs: Sequence[str] = re.split(r"\n\s*\n", text.strip())
    lines = ("<br>\n".join(urlize(line, rel="noreferrer") for line in part.split("\n")) for part in paragraphs)
    return Markup("\n").join(Markup("<p>{}</p>").format(Markup(part)) for part in lines)  # noqa: S704 # nosec B704


def _split(page: Markup) -> dict[str, Any]:
    """A whole document gets its footer before its end; anything else is put into a document of ours."""
    if not _BODY.search(page):
        return {"document": False, "content": page}
    ends = list(_END_OF_BODY.finditer(page))
    at = ends[-1].start() if ends else len(page)
    return {"document": True, "before": page[:at], "after": page[at:]}
