"""From a reserved delivery to its text. Link tokens are made here, and only their hashes leave this process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select

from chassis.database import Database
from chassis.telemetry import log_of, log_unexpected
from chassis.tokens import new_token
from services.messaging.consents.unsubscribing import UnsubscribeLinks
from services.messaging.dispatching.claims import Ready, Reserved
from services.messaging.emails.email_parts import compose
from services.messaging.links import link_of, shorten
from services.messaging.models import EXEMPT_KINDS, Content
from services.messaging.segments import count_segments
from services.messaging.templates import LINKS, Variant, pick_variant, render
from services.messaging.texts import system_text

log = log_of(__name__)

Contents = Mapping[str, tuple[list[dict[str, Any]], frozenset[str]]]
"""By id: a content's variants, and the variables that they name."""

_CONTENTS_KEPT = 1000
NOTHING_TO_LEAVE = ("opt_out_confirmation", "staff_notice")
"""Kinds of email that have no address to unsubscribe by: who gets them has just done so, or works for the firm."""


class Renderer:
    """Keeps contents, which never change. `public_url` is where links lead."""

    def __init__(self, public_url: str, unsubscribing: UnsubscribeLinks) -> None:
        self._public_url, self._unsubscribing = public_url, unsubscribing
        self._contents: dict[str, tuple[list[dict[str, Any]], frozenset[str]]] = {}

    def make_ready(self, db: Database, calls: Any, reserved: Sequence[Reserved]) -> tuple[list[Ready], list[str]]:
        """Texts for reserved deliveries of one firm, and the ids of those that have none because theirs is broken. A
        text that holds a link gets one; all are registered by one call.

        Raises what `portal.register_links` raises; then nothing is ready.
        """
        contents = self._load(db, {row.content_id for row in reserved if row.content_id})
        tokens: dict[str, str] = {}
        links = []
        for row in reserved:
            if _wants_link(row, contents):
                token, token_hash = new_token()
                tokens[row.id] = token
                links.append(_registration(row, token_hash))
        if links:
            calls.portal.register_links(links=links)
        ready: list[Ready] = []
        broken: list[str] = []
        for row in reserved:
            try:
                ready.append(self._ready(str(db.firm_id), row, _variant(row, contents), tokens.get(row.id)))
            except Exception as error:
                log_unexpected(log, error, event="text_broken", delivery_id=row.id)
                broken.append(row.id)
        return ready, broken

    def _load(self, db: Database, wanted: set[str]) -> Contents:
        """The contents that are wanted: what is kept of them may be dropped at any turn, for others' sake."""
        found = {content_id: self._contents[content_id] for content_id in wanted if content_id in self._contents}
        missing = sorted(wanted - set(found))
        if missing:
            with db.read() as session:
                for content in session.scalars(select(Content).where(Content.id.in_(missing))):
                    found[content.id] = (content.variants, frozenset(content.uses))
            if len(self._contents) > _CONTENTS_KEPT:
                self._contents.clear()
            self._contents |= found
        return found

    def _ready(self, firm_id: str, row: Reserved, variant: Variant, token: str | None) -> Ready:
        variables = with_link(row.variables or {}, link_of(self._public_url, token) if token else "")
        if row.channel == "email":
            return self._ready_email(firm_id, row, variant, variables, token)
        body = render(variant.body, variables)
        return Ready(
            reserved=row,
            body=body,
            stored=self._stored(body, token),
            subject=None,
            segments=count_segments(body).count if row.channel == "sms" else None,
        )

    def _ready_email(
        self, firm_id: str, row: Reserved, variant: Variant, variables: dict[str, Any], token: str | None
    ) -> Ready:
        leads_off = row.kind not in NOTHING_TO_LEAVE
        unsubscribe_url = self._unsubscribing.url_of(firm_id, row.id) if leads_off else None
        parts = compose(variant, variables, unsubscribe_url)
        return Ready(
            reserved=row,
            body=parts.text,
            stored=self._stored(parts.words, token),
            subject=parts.subject,
            segments=None,
            html=parts.html,
            sender_name=parts.sender_name,
            unsubscribe_url=unsubscribe_url,
        )

    def _stored(self, text: str, token: str | None) -> str:
        return shorten(text, self._public_url, token) if token else text


def _wants_link(row: Reserved, contents: Contents) -> bool:
    if row.content_id is None or row.client_id is None or row.channel == "phone":
        return False
    return row.content_id in contents and bool(LINKS & contents[row.content_id][1])


def _variant(row: Reserved, contents: Contents) -> Variant:
    if row.kind in EXEMPT_KINDS or row.content_id is None:
        return system_text(row.kind, row.channel, row.language)
    variant = pick_variant(contents[row.content_id][0], row.channel, row.language)
    assert variant is not None  # a message is checked for its channels when it is asked for
    return variant


def with_link(variables: dict[str, Any], link: str) -> dict[str, Any]:
    """The variables of a text with its link, by whichever name."""
    return {**variables, **{name: {**variables.get(name, {}), "link": link} for name in ("task", "form")}}


def _registration(row: Reserved, token_hash: str) -> dict[str, Any]:
    return {
        "token_hash": token_hash,
        "client_id": row.client_id,
        "contact_id": row.contact_id,
        "scope": _scope(row),
        "channel": row.channel,
        "delivery_id": row.id,
    }


def _scope(row: Reserved) -> dict[str, Any]:
    # What a rule has to say of a task, which may be done, leads to those that are open.
    of_rule = row.kind == "message" and row.batch_id is not None
    case_form_id = (row.variables or {}).get("form", {}).get("id")
    if case_form_id is not None and not row.joined_to and not of_rule:
        return {"kind": "form", "case_form_id": case_form_id, "case_ids": []}
    if row.case_task_id is None or row.joined_to or of_rule:
        case_ids = [] if row.joined_to or of_rule else (row.variables or {}).get("cases", {}).get("ids", [])
        return {"kind": "tasks", "case_task_id": None, "case_ids": case_ids}
    return {"kind": "task", "case_task_id": row.case_task_id, "case_ids": []}
