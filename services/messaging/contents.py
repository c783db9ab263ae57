"""Stored message templates, and messages kept as they were when somebody asked for them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from chassis.columns import new_id, utc_now
from chassis.database import Database
from chassis.paging import page
from chassis.unit_of_work import UnitOfWork
from contracts.errors import Conflict, NotFound
from services.messaging.models import Content, MessageTemplate
from services.messaging.templates import Variant, check_variants, invalid

Record = dict[str, Any]


def create_template(db: Database, *, name: str, variants: list[Record]) -> Record:
    """Raises Invalid for a text that cannot be used, Conflict `template_name_taken`."""
    texts = [Variant(**row) for row in variants]
    uses = check_variants(texts)
    try:
        with db.unit_of_work() as uow:
            content = keep(uow, texts, uses)
            template = MessageTemplate(id=new_id(), name=name.strip(), content_id=content.id)
            uow.session.add(template)
            uow.session.flush()
            return uow.answer(_record(template, content))
    except IntegrityError as error:
        raise Conflict("template_name_taken") from error


def update_template(
    db: Database, *, message_template_id: str, changes: Record, expected_version: int | None = None
) -> Record:
    """New texts are a new version: what was asked for with the old ones keeps them.

    Raises Invalid, NotFound, Conflict `stale_version` or `template_name_taken`.
    """
    texts = [Variant(**row) for row in changes.get("variants") or []]
    uses = check_variants(texts)
    try:
        with db.unit_of_work() as uow:
            template = _get(uow.session, message_template_id, lock=True)
            template.expect_version(expected_version)
            if texts:
                template.content_id = keep(uow, texts, uses).id
            if changes.get("name"):
                template.name = changes["name"].strip()
            template.touch(utc_now())
            uow.session.flush()
            return uow.answer(_record(template, uow.session.get_one(Content, template.content_id)))
    except IntegrityError as error:
        raise Conflict("template_name_taken") from error


def get_template(db: Database, *, message_template_id: str) -> Record:
    """Raises NotFound."""
    with db.read() as session:
        template = _get(session, message_template_id)
        return _record(template, session.get_one(Content, template.content_id))


def list_templates(db: Database, *, limit: int, cursor: str | None, sort: str | None) -> Record:
    """One page, by name."""
    with db.read() as session:
        rows, meta = page(
            session,
            select(MessageTemplate, Content).join(Content, Content.id == MessageTemplate.content_id),
            model=MessageTemplate,
            sorts={"name": MessageTemplate.name, "created_at": MessageTemplate.created_at},
            default_sort="name",
            limit=limit,
            cursor=cursor,
            sort=sort,
        )
        return {"data": [_record(template, content) for template, content in rows], "meta": meta}


def save_content(db: Database, *, message: Record, channels: list[str]) -> Record:
    """Checks a message against the channels it is for and keeps it: {"content_id", "uses"}. A stored template's texts
    are kept already, so that asking again gives the same id.

    Raises Invalid, NotFound for an unknown template.
    """
    with db.read() as session:
        content_id, texts = resolve_message(session, message, channels)
    uses = check_variants(texts, "message")
    if content_id is not None:
        return {"content_id": content_id, "uses": uses}
    with db.unit_of_work() as uow:
        return uow.answer({"content_id": keep(uow, texts, uses).id, "uses": uses})


def resolve_message(session: Session, message: Record, channels: Iterable[str]) -> tuple[str | None, list[Variant]]:
    """What a request's message says: (id of the kept content, or None for a text of its own; its variants).

    Raises Invalid if it says nothing, or nothing for one of the channels, NotFound for an unknown template.
    """
    template_id, body = message.get("template_id"), message.get("body")
    if (template_id is None) == (not body):
        raise invalid("message", "Give either a template_id or a body.", "message_required")
    if template_id is None:
        email = {"subject": message.get("subject"), "html": message.get("html")}
        return None, [
            Variant(channel, "en", str(body), **(email if channel == "email" else {}))
            for channel in dict.fromkeys(channels)
        ]
    template = _get(session, template_id)
    content = session.get_one(Content, template.content_id)
    texts = [Variant(**row) for row in content.variants]
    for channel in channels:
        if not any(variant.channel == channel for variant in texts):
            raise invalid("message.template_id", f"The template has no text for {channel}.", "channel_missing")
    return content.id, texts


def keep(uow: UnitOfWork, texts: list[Variant], uses: list[str]) -> Content:
    """A message as it is now, kept for good."""
    content = Content(id=new_id(), variants=[text.as_row() for text in texts], uses=uses)
    uow.session.add(content)
    uow.session.flush()
    return content


def _get(session: Session, template_id: str, *, lock: bool = False) -> MessageTemplate:
    statement = select(MessageTemplate).where(MessageTemplate.id == template_id)
    template = session.scalars(statement.with_for_update() if lock else statement).one_or_none()
    if template is None:
        raise NotFound("message_template_not_found", message_template_id=template_id)
    return template


def _record(template: MessageTemplate, content: Content) -> Record:
    return {
        "id": template.id,
        "name": template.name,
        "variants": content.variants,
        "version": template.version,
        "created_at": template.created_at,
        "updated_at": template.updated_at,
    }
