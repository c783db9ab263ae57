"""One message to one recipient, at once or at its time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import select

from chassis.columns import new_id, utc_now
from chassis.database import Database
from chassis.unit_of_work import UnitOfWork
from contracts.errors import Conflict, NotFound
from contracts.messaging import DELIVERY_SUPPRESSED
from services.messaging import consent
from services.messaging.contents import keep, resolve_message
from services.messaging.deliveries import event_data, move
from services.messaging.doorbell import ring
from services.messaging.filing import conversation_of_client, preview_of
from services.messaging.history import records
from services.messaging.known_clients import gone
from services.messaging.links import PLACEHOLDER_TOKEN, link_of, shorten
from services.messaging.models import URGENT, WAITING, Conversation, Delivery
from services.messaging.outcomes import Decider, Outcome, Request, Wish, addresses_of
from services.messaging.preparation import read_known
from services.messaging.recipients import Facts, gather, subject_of, variables_for
from services.messaging.rendering import with_link
from services.messaging.senders import sender_for
from services.messaging.templates import Variant, check_variants, invalid, pick_variant, render, render_line
from services.messaging.timing import check_timing, next_business_moment

Record = dict[str, Any]


def send_message(
    db: Database,
    calls: Any,
    *,
    public_url: str,
    sandbox: Collection[str],
    actor_id: str | None,
    client_id: str | None,
    channel: str,
    timing: Record,
    case_task_id: str | None = None,
    conversation_id: str | None = None,
    address: str | None = None,
    now: dt.datetime | None = None,
    **message: Any,
) -> Record:
    """Takes one message to one client, or says at once why it cannot be sent: the message, `state` accepted or
    suppressed. The dispatcher decides again when it goes out. `sandbox`: the channels that the sandbox carries.
    `client_id` None: an answer to the `address` of a conversation with somebody who is no client yet.

    Raises Invalid, NotFound for an unknown client, case task or template, Gone for a merged client, Unavailable.
    """
    now = now or utc_now()
    check_timing(timing, now)
    with db.read() as session:
        content_id, variants = resolve_message(session, message, [channel])
    uses = check_variants(variants, "message")
    if case_task_id is None and any(name.startswith(("task.", "case.")) for name in uses):
        raise invalid("case_task_id", "The text names a task or a case: say which.", "case_task_required")
    if client_id is None and any(name.startswith("client.") for name in uses):
        raise invalid("body", "The text names the client, and it is not known yet who that is.", "client_unknown")
    wish, facts = _about(calls, Wish(
        id=new_id(), kind="message", channel=channel, client_id=client_id, case_task_id=case_task_id,
        requested_by=actor_id, send_after=now, conversation_id=conversation_id, address=address,
    ), uses)  # fmt: skip
    rows = [variant.as_row() for variant in variants]
    request = Request(variants=rows, uses=uses)
    send_after = _send_after(facts, timing, now)
    with db.unit_of_work() as uow:
        outcome = _decide(uow, wish, facts, request, now, sandbox=sandbox)
        if content_id is None:
            content_id = keep(uow, variants, uses).id
        variables = variables_for(wish, facts, uses)
        delivery = _delivery(wish, outcome, content_id, send_after, now)
        delivery.in_business_hours = timing["mode"] == "business_hours"
        delivery.body, delivery.subject = _shown(rows, outcome, facts, wish, variables, public_url)
        uow.session.add(delivery)
        uow.session.flush()
        if delivery.state == "suppressed" and client_id is not None:
            uow.emit(DELIVERY_SUPPRESSED, delivery.id, event_data(delivery, now))
        if delivery.state == "accepted":
            _conversation(uow, wish, now).say(now, preview_of(delivery.body), now)
        uow.after_commit(lambda: ring(db.url))
        return uow.answer(records(uow.session, [delivery])[0])


def _about(calls: Any, wish: Wish, uses: list[str]) -> tuple[Wish, Facts]:
    """The wish with its case, and what others know about it. Raises NotFound, Gone."""
    if wish.case_task_id is not None:
        found = calls.tasks.get_case_task_facts(case_task_ids=[wish.case_task_id])["case_tasks"]
        if not found:
            raise NotFound("case_task_not_found", case_task_id=wish.case_task_id)
        wish = replace(wish, case_id=found[0]["case_id"])
    facts = gather(calls, [wish], uses)
    recipient = facts.recipients.get(wish.client_id or "")
    if not wish.addressed and (recipient is None or recipient["state"] == "erased"):
        raise NotFound("client_not_found", client_id=wish.client_id)
    if recipient is not None and recipient.get("surviving_id") is not None:
        raise gone(str(wish.client_id), recipient["surviving_id"])
    return wish, facts


def _send_after(facts: Facts, timing: Mapping[str, Any], now: dt.datetime) -> dt.datetime:
    if timing["mode"] == "at":
        return max(timing["at"], now)
    if timing["mode"] == "business_hours":
        return next_business_moment(facts.rules, now)
    return now


def _decide(
    uow: UnitOfWork, wish: Wish, facts: Facts, request: Request, now: dt.datetime, *, sandbox: Collection[str]
) -> Outcome:
    keys = [
        key
        for channel, address in addresses_of(wish, facts)
        for key in consent.keys_of(channel, address, subject_of(wish, facts))
    ]
    states = consent.read_states(uow.session, keys)
    sender = sender_for(uow.session, wish.channel)
    # The dispatcher gives a firm without a sender one of the sandbox's.
    senders = {wish.channel: sender.id if sender else wish.id} if sender or wish.channel in sandbox else {}
    known = read_known(uow.session, [wish], facts, states, senders, now)
    return Decider(facts, known, {wish.id: request}, now).decide(wish)


def _conversation(uow: UnitOfWork, wish: Wish, now: dt.datetime) -> Conversation:
    if wish.client_id is not None:
        return conversation_of_client(uow, wish.client_id, now)
    statement = select(Conversation).where(Conversation.id == wish.conversation_id).with_for_update()
    return uow.session.scalars(statement).one()


def _delivery(wish: Wish, outcome: Outcome, content_id: str, send_after: dt.datetime, now: dt.datetime) -> Delivery:
    settled = outcome.state in ("suppressed", "failed")
    return Delivery(
        id=wish.id,
        subject_id=wish.id,
        kind="message",
        channel=wish.channel,
        client_id=wish.client_id,
        case_task_id=wish.case_task_id,
        case_id=wish.case_id,
        requested_by=wish.requested_by,
        conversation_id=wish.conversation_id,
        content_id=content_id,
        state=outcome.state if settled else "accepted",
        reason=outcome.reason,
        address=outcome.address,
        priority=URGENT,
        send_after=send_after,
        due_at=send_after,
        version=1,
        created_at=now,
        updated_at=now,
    )


def _shown(
    rows: list[Record], outcome: Outcome, facts: Facts, wish: Wish, variables: Record, public_url: str
) -> tuple[str, str | None]:
    """The text as it will be kept: with a link that is shortened from the start."""
    recipient = facts.recipients.get(wish.client_id or "") or {}
    variant: Variant | None = pick_variant(rows, outcome.channel or wish.channel, recipient.get("language"))
    assert variant is not None  # resolve_message has checked it
    filled = with_link(variables, link_of(public_url, PLACEHOLDER_TOKEN))
    body = shorten(render(variant.body, filled), public_url, PLACEHOLDER_TOKEN)
    return body, render_line(variant.subject, filled) if variant.subject else None


def cancel_message(db: Database, *, message_id: str, now: dt.datetime | None = None) -> Record:
    """Takes back a single message that waits for its time. Harmless to repeat.

    Raises NotFound, Conflict once it has begun or is settled, or if it is an automatic answer or of a batch.
    """
    with db.unit_of_work() as uow:
        statement = select(Delivery).where(Delivery.id == message_id).with_for_update()
        found = uow.session.scalars(statement).one_or_none()
        if found is None:
            raise NotFound("message_not_found", message_id=message_id)
        if found.batch_id is not None:
            raise Conflict("message_of_batch", batch_id=found.batch_id)
        if found.kind != "message":
            raise Conflict("message_kind", kind=found.kind)
        if found.state != "cancelled" and not move(
            uow, "cancelled", now or utc_now(), where=[Delivery.id == message_id, Delivery.state.in_(WAITING)]
        ):
            raise Conflict("message_state", state=found.state)
        uow.session.refresh(found)
        return uow.answer(records(uow.session, [found])[0])
