"""Message texts with checked variables.

A text is Jinja2 in a sandbox, cut down to what a message needs: variables, `if`, and a few filters. A variable that
does not exist is found when the text is saved, never when it is sent. What is rendered is plain text, or for the page
of an email HTML, in which the values of variables are escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

from jinja2 import ChainableUndefined, Template, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from contracts.errors import Invalid
from services.messaging.adapters.email_headers import header_text
from services.messaging.emails.email_html import find_refused

VARIABLES = frozenset({
    "client.first_name", "client.last_name", "client.display_name", "case.name", "case.number", "task.title",
    "task.count", "task.link", "form.link", "firm.name", "staff.name",
})  # fmt: skip
LINKS = frozenset({"task.link", "form.link"})
"""A message has one link: to its case task, or to the whole form that the task is of, if its text says so."""
CUSTOM_FIELDS = "case.custom_fields."
"""Followed by a custom field's key: `{{ case.custom_fields.court }}`. A case without the field shows nothing there."""
_CUSTOM_FIELD = re.compile(re.escape(CUSTOM_FIELDS) + "[a-z][a-z0-9_]{0,59}")
FILTERS = frozenset({"default", "upper", "lower", "title", "capitalize", "trim", "truncate"})
LONGEST_SMS = 1600
"""Characters that the provider takes in one text message."""
LONGEST_CALL = 1000
"""Characters that a call reads aloud: about a minute. Read twice, they fit into what the provider takes."""

_ALLOWED_NODES = (
    nodes.Output, nodes.TemplateData, nodes.Name, nodes.Getattr, nodes.If, nodes.Filter, nodes.Const, nodes.Not,
    nodes.And, nodes.Or, nodes.Compare, nodes.Operand, nodes.Keyword, nodes.CondExpr,
)  # fmt: skip


def _sandbox(*, autoescape: bool) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        autoescape=autoescape, undefined=ChainableUndefined, keep_trailing_newline=False
    )
    environment.globals.clear()
    environment.filters = {name: environment.filters[name] for name in FILTERS}
    environment.tests = {}
    return environment


_environment, _html_environment = _sandbox(autoescape=False), _sandbox(autoescape=True)


class BadTemplate(Exception):
    """What is wrong with a text, in words for the one who wrote it."""


@lru_cache(maxsize=512)
def check_text(text: str) -> frozenset[str]:
    """The variables that `text` uses. Raises BadTemplate if it cannot be used."""
    found: set[str] = set()
    try:
        tree = _environment.parse(text)
        for node in tree.body:
            _check(node, found)
        _compiled(text)
    except TemplateSyntaxError as error:
        raise BadTemplate(f"line {error.lineno}: {error.message}") from error
    except (RecursionError, SyntaxError, MemoryError, ValueError) as error:
        # Limits of Python's own, which no message comes near.
        raise BadTemplate("it is nested too deep, or names a number with too many digits") from error
    for node in _computed(tree):
        _try_out(node, found)
    return frozenset(found)


def _computed(node: nodes.Node) -> Iterator[nodes.Expr]:
    """What is computed of values, in whichever branch it is."""
    if isinstance(node, nodes.Filter | nodes.Compare):
        yield node
        return
    for child in node.iter_child_nodes():
        yield from _computed(child)


def _try_out(node: nodes.Expr, names: Iterable[str]) -> None:
    """A filter or a comparison that fails fails whatever the values are: by how many there are, or by their kinds."""
    variables: dict[str, Any] = {}
    for name in names:
        *groups, key = name.split(".")
        part = variables
        for group in groups:
            part = part.setdefault(group, {})
        part[key] = 1 if name == "task.count" else "word"
    alone = nodes.Template([nodes.Output([node], lineno=node.lineno)], lineno=node.lineno)
    try:
        Template.from_code(_environment, _environment.compile(alone), {}).render(variables)
    except Exception as error:
        what = "filter" if isinstance(node, nodes.Filter) else "comparison"
        raise BadTemplate(f"line {node.lineno}: the {what} cannot be used so ({error})") from error


def _check(node: nodes.Node, found: set[str]) -> None:
    if not isinstance(node, _ALLOWED_NODES):
        raise BadTemplate(f"line {node.lineno}: {type(node).__name__.lower()} is not allowed in a message")
    if isinstance(node, nodes.Name | nodes.Getattr):
        found.add(_variable(node))
        return
    if isinstance(node, nodes.Filter) and node.name not in FILTERS:
        raise BadTemplate(f"unknown filter {node.name}")
    for child in node.iter_child_nodes():
        _check(child, found)


def _variable(node: nodes.Node) -> str:
    parts: list[str] = []
    while isinstance(node, nodes.Getattr):
        parts.append(node.attr)
        node = node.node
    if not isinstance(node, nodes.Name):
        raise BadTemplate(f"line {node.lineno}: only a variable has parts")
    name = ".".join([node.name, *reversed(parts)])
    is_custom = name.startswith(CUSTOM_FIELDS) and re.fullmatch(
        r"[a-z][a-z0-9_]{0,59}", name.removeprefix(CUSTOM_FIELDS)
    )
    if name not in VARIABLES and not is_custom:
        raise BadTemplate(f"unknown variable {name}")
    return name


@lru_cache(maxsize=512)
def _compiled(text: str) -> Template:
    return _environment.from_string(text)


def render(text: str, variables: dict[str, Any]) -> str:
    """`text`, checked before, with its variables filled in: {"client": {"first_name": ...}, ...}."""
    return _compiled(text).render(variables).strip()


def render_line(text: str, variables: dict[str, Any]) -> str:
    """A text as a header takes it: one line, at most 300 characters."""
    return header_text(render(text, variables))[:300]


@lru_cache(maxsize=128)
def _compiled_html(html: str) -> Template:
    return _html_environment.from_string(html)


def render_html(html: str, variables: dict[str, Any]) -> Markup:
    """A page, checked before, with its variables filled in and their values escaped."""
    return Markup(_compiled_html(html).render(variables).strip())  # noqa: S704 # nosec B704 - its author's own markup


@dataclass(frozen=True)
class Variant:
    """One text of a message. `subject` and `html` only for email."""

    channel: str
    language: str
    body: str
    subject: str | None = None
    html: str | None = None

    def as_row(self) -> dict[str, Any]:
        """As `Content.variants` keeps it."""
        return asdict(self)


def check_variants(variants: Iterable[Variant], field: str = "variants") -> list[str]:
    """All variables that the variants use, sorted. Raises Invalid that names the variant's field."""
    uses: set[str] = set()
    seen: set[tuple[str, str]] = set()
    for index, variant in enumerate(variants):
        at = f"{field}.{index}" if field == "variants" else field
        if (variant.channel, variant.language) in seen:
            raise invalid(f"{at}.language", "This channel has a text in this language already.", "duplicate_variant")
        seen.add((variant.channel, variant.language))
        for part, text in (("body", variant.body), ("subject", variant.subject), ("html", variant.html)):
            uses |= _checked_part(f"{at}.{part}", text)
        if variant.channel == "email":
            _check_email(at, variant)
        elif variant.channel == "sms":
            _check_plain(at, variant, "a text message", LONGEST_SMS)
        elif variant.channel == "phone":
            _check_plain(at, variant, "a call", LONGEST_CALL)
            _check_no_link(at, variant)
    return sorted(uses)


def _checked_part(field: str, text: str | None) -> frozenset[str]:
    try:
        return check_text(text) if text else frozenset()
    except BadTemplate as error:
        code = "unknown_variable" if "unknown variable" in str(error) else "invalid_template"
        said = str(error).rstrip(".")
        raise invalid(field, f"{said[:1].upper()}{said[1:]}.", code) from error


def _check_plain(at: str, variant: Variant, what: str, longest: int) -> None:
    if variant.subject:
        raise invalid(f"{at}.subject", f"{what.capitalize()} has no subject.", "subject_not_allowed")
    if variant.html:
        raise invalid(f"{at}.html", f"{what.capitalize()} is plain text.", "html_not_allowed")
    if len(re.sub(r"\{[{%].*?[}%]\}", "", variant.body, flags=re.S)) > longest:
        raise invalid(f"{at}.body", f"Longer than the {longest} characters of {what}.", "too_long")


def _check_email(at: str, variant: Variant) -> None:
    if variant.subject and LINKS & check_text(variant.subject):
        raise invalid(f"{at}.subject", "A link belongs into the text: a subject cannot be tapped.", "link_in_subject")
    refused = find_refused(variant.html) if variant.html else None
    if refused is not None:
        raise invalid(f"{at}.html", f"{refused[:1].upper()}{refused[1:]}.", "html_not_allowed")


def _check_no_link(at: str, variant: Variant) -> None:
    if LINKS & check_text(variant.body):
        raise invalid(f"{at}.body", "A call reads the text aloud: nobody can open a link in it.", "link_not_in_call")


def invalid(field: str, message: str, code: str) -> Invalid:
    """`Invalid` that names one field."""
    return Invalid(code, fields=[{"field": field, "message": message}])


def pick_variant(content_variants: Iterable[dict[str, Any]], channel: str, language: str | None) -> Variant | None:
    """The text for a channel: in the client's language if there is one, else in English, else the first."""
    there = [Variant(**row) for row in content_variants if row["channel"] == channel]
    for wanted in ((language or "").partition("-")[0].lower(), "en"):
        for variant in there:
            if variant.language == wanted:
                return variant
    return there[0] if there else None
