"""One message to one recipient, at once or at its time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import and_, or_, select

from chassis.columns import new_id, utc_now
from chassis.database import Database
from chassis.unit_of_work import UnitOfWork
from contracts.errors import Conflict, NotFound
from contracts.messaging import DELIVERY_SUPPRESSED
from services.messaging import addressees, consent
from services.messaging.contents import keep, resolve_message
from services.messaging.deliveries import event_data, move
from services.messaging.dispatching.doorbell import ring
from services.messaging.dispatching.outcomes import Decider, Outcome, Request, Wish, addresses_of
from services.messaging.dispatching.preparation import read_known
from services.messaging.dispatching.recipients import Facts, gather, subject_of, variables_for
from services.messaging.dispatching.rendering import with_link
from services.messaging.filing import conversation_of_client, preview_of
from services.messaging.history import records
from services.messaging.known_clients import gone
from services.messaging.links import PLACEHOLDER_TOKEN, link_of, shorten
from services.messaging.models import URGENT, WAITING, Conversation, Delivery
from services.messaging.senders import sender_for
from services.messaging.shared_links import demand_link, own_texts
from services.messaging.templates import Variant, check_variants, invalid, pick_variant, render, render_line
from services.messaging.timing import check_timing, next_business_moment

Record = dict[str, Any]

_SETTLED = ("suppressed", "failed")


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
    needs_link: bool = False,
    now: dt.datetime | None = None,
    **message: Any,
) -> Record:
    """Takes one message to one client, or says at once why it cannot be sent: the message, `state` accepted or
    suppressed. The dispatcher decides again when it goes out. `sandbox`: the channels that the sandbox carries.
    `needs_link`: as in the contract. `client_id` None: an answer to the `address` of a conversation with somebody who
    is no client yet.

    About a case task of a business it goes to each contact who is marked for notices, as a notification does: it is
    accepted if one of them can be reached. The message is the first one's; each other one has their own.

    Raises Invalid, NotFound for an unknown client, case task or template, Gone for a merged client, Unavailable.
    """
    now = now or utc_now()
    check_timing(timing, now)
    if needs_link and not message.get("template_id") and not message.get("body"):
        content_id, variants = None, own_texts(channel)
    else:
        with db.read() as session:
            content_id, variants = resolve_message(session, message, [channel])
    uses = check_variants(variants, "message")
    if needs_link:
        demand_link(variants, channel)
    if case_task_id is None and any(name.startswith(("task.", "form.", "case.")) for name in uses):
        raise invalid("case_task_id", "The text names a task or a case: say which.", "case_task_required")
    if client_id is None and any(name.startswith("client.") for name in uses):
        raise invalid("body", "The text names the client, and it is not known yet who that is.", "client_unknown")
    id_ = new_id()
    wish, facts = _about(calls, Wish(
        id=id_, subject_id=id_, kind="message", channel=channel, client_id=client_id, case_task_id=case_task_id,
        requested_by=actor_id, send_after=now, conversation_id=conversation_id, address=address,
        to_contacts=client_id is not None and case_task_id is not None,
    ), uses)  # fmt: skip
    rows = [variant.as_row() for variant in variants]
    request = Request(variants=rows, uses=uses)
    send_after = _send_after(facts, timing, now)
    with db.unit_of_work() as uow:
        wishes = [wish, *addressees.more_wishes([wish], facts)]
        outcome, *others = _decide(uow, wishes, facts, request, now, sandbox=sandbox)
        if any(one.state not in _SETTLED for one in (outcome, *others)):
            # Each is decided by itself when it is prepared.
            outcome, others = replace(outcome, state="accepted", reason=None), []
        if content_id is None:
            content_id = keep(uow, variants, uses).id
        variables = variables_for(wish, facts, uses)
        delivery = _delivery(wish, outcome, content_id, send_after, now)
        delivery.in_business_hours = timing["mode"] == "business_hours"
        delivery.body, delivery.subject = _shown(rows, outcome, facts, wish, variables, public_url)
        rows_made = [delivery, *(_delivery(other.wish, other, content_id, send_after, now) for other in others)]
        uow.session.add_all(rows_made)
        uow.session.flush()
        if client_id is not None:
            suppressed = [one for one in rows_made if one.state == "suppressed"]
            uow.emit_many(DELIVERY_SUPPRESSED, [(one.id, event_data(one, now)) for one in suppressed])
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
    uow: UnitOfWork,
    wishes: Sequence[Wish],
    facts: Facts,
    request: Request,
    now: dt.datetime,
    *,
    sandbox: Collection[str],
) -> list[Outcome]:
    channel = wishes[0].channel
    keys = [
        key
        for wish in wishes
        for channel, address in addresses_of(wish, facts)
        for key in consent.keys_of(channel, address, subject_of(wish, facts))
    ]
    states = consent.read_states(uow.session, keys)
    sender = sender_for(uow.session, channel)
    # The dispatcher gives a firm without a sender one of the sandbox's.
    senders = {channel: sender.id if sender else wishes[0].id} if sender or channel in sandbox else {}
    known = read_known(uow.session, wishes, facts, states, senders, now)
    decider = Decider(facts, known, {wish.id: request for wish in wishes}, now)
    return [decider.decide(wish) for wish in wishes]


def _conversation(uow: UnitOfWork, wish: Wish, now: dt.datetime) -> Conversation:
    if wish.client_id is not None:
        return conversation_of_client(uow, wish.client_id, now)
    statement = select(Conversation).where(Conversation.id == wish.conversation_id).with_for_update()
    return uow.session.scalars(statement).one()


def _delivery(wish: Wish, outcome: Outcome, content_id: str, send_after: dt.datetime, now: dt.datetime) -> Delivery:
    settled = outcome.state in _SETTLED
    return Delivery(
        id=wish.id,
        subject_id=wish.subject_id,
        kind="message",
        channel=wish.channel,
        client_id=wish.client_id,
        contact_id=outcome.contact_id,
        to_contacts=wish.to_contacts,
        added=wish.added,
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
    """Takes back a single message that waits for its time, and with it what goes to further contacts. Harmless to
    repeat.

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
        theirs = or_(
            Delivery.id == message_id,
            and_(Delivery.subject_id == message_id, Delivery.added, Delivery.batch_id.is_(None)),
        )
        waiting = [theirs, Delivery.state.in_(WAITING)]
        if found.state != "cancelled" and message_id not in move(uow, "cancelled", now or utc_now(), where=waiting):
            raise Conflict("message_state", state=found.state)
        uow.session.refresh(found)
        return uow.answer(records(uow.session, [found])[0])
