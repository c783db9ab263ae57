"""What is about a business's cases, and goes to each contact that is marked for it: notifications in bulk, and one
message about a case task.

What was asked for is one delivery for each case task, client and channel; it goes to the first contact. When it is
prepared, and only then is it known who the contacts are, each further one gets a delivery of its own, which is `added`:
once, however often it is prepared, and with what is joined to it. It is prepared in its turn, and goes its own way.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from chassis.columns import new_id
from services.messaging.dispatching import joining
from services.messaging.dispatching.outcomes import Wish
from services.messaging.dispatching.recipients import Facts, for_contacts
from services.messaging.models import BULK, URGENT

_SAME = (
    "kind", "channel", "client_id", "batch_id", "subject_id", "case_task_id", "case_id", "requested_by", "content_id",
    "send_after", "joined_to", "contact_id", "added", "to_contacts", "in_business_hours",
)  # fmt: skip


def more_wishes(wishes: Sequence[Wish], facts: Facts) -> list[Wish]:
    """For each further contact of the wishes' clients, the wish again. Those that are joined are joined anew, for each
    contact by themselves."""
    return [wish for leader in wishes for several in _again(leader, facts) for wish in several]


def more_rows(wishes: Sequence[Wish], facts: Facts, now: dt.datetime) -> list[dict[str, Any]]:
    """The same as deliveries to be prepared."""
    return [
        {
            **{name: getattr(wish, name) for name in _SAME},
            "id": wish.id,
            "fallback": list(wish.fallback) or None,
            "state": "accepted",
            "priority": BULK if wish.batch_id else URGENT,
            # What follows another is never due by itself.
            "due_at": joining.NEVER if wish.joined_to not in (None, wish.id) else now,
            "created_at": now,
            "updated_at": now,
        }
        for wish in more_wishes(wishes, facts)
    ]


def _again(leader: Wish, facts: Facts) -> Iterator[list[Wish]]:
    """The wish and what is joined to it, for each further contact."""
    if not for_contacts(leader) or leader.added:
        return
    for contact in (facts.recipients.get(leader.client_id or "") or {}).get("contacts", ())[1:]:
        contact_id = contact["contact_id"]
        several = (leader, *leader.followers)
        ids = {wish.id: new_id() for wish in several}
        yield [
            replace(
                wish,
                id=ids[wish.id],
                contact_id=contact_id,
                added=True,
                # An estimate joins by words of its own.
                joined_to=wish.joined_to and ids.get(wish.joined_to, f"{wish.joined_to} {contact_id}"),
                followers=(),
            )
            for wish in several
        ]
