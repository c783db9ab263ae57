"""What messaging asks of a provider, and what may come of a call."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol


@dataclass(frozen=True)
class Outgoing:
    """One message to send. `token` is the delivery's own: the provider's callback brings it back. `body` holds the
    live link, so that it is never stored or logged. For email `body` is the text part and `html` the page;
    `sender_name` is shown in place of the address, and `unsubscribe_url` takes the recipient off by one POST."""

    token: str
    channel: str
    to: str
    sender: str
    body: str
    subject: str | None = None
    messaging_service_sid: str | None = None
    language: str | None = None
    html: str | None = None
    sender_name: str | None = None
    unsubscribe_url: str | None = None


@dataclass(frozen=True)
class Accepted:
    """The provider took it. `status` is the provider's own word, `segments`, `price` and `currency` its own figures,
    where it names them."""

    provider_id: str
    status: str
    segments: int | None = None
    price: Decimal | None = None
    currency: str | None = None


@dataclass(frozen=True)
class Refused:
    """The provider will not take it. `code` is the provider's own: `codes` says whether that is for good."""

    code: str


@dataclass(frozen=True)
class Deferred:
    """The provider will not take it now, nor anything else of this sender, for `seconds`; of its whole account, if
    `of_account`."""

    seconds: float
    of_account: bool = False


@dataclass(frozen=True)
class NotConnected:
    """The request never left: it may be made again."""


@dataclass(frozen=True)
class Unknown:
    """The request was begun and its answer never came, or was no answer: the message may be on its way."""

    code: str


@dataclass(frozen=True)
class NotBegun:
    """There was no time left to begin the request: the claim is given back, and consent asked again."""


Result = Accepted | Refused | Deferred | NotConnected | Unknown | NotBegun


@dataclass(frozen=True)
class Called:
    """One call that has ended: the `number`-th of its delivery."""

    delivery_id: str
    number: int
    address: str
    channel: str
    sender_id: str
    result: Result

    @property
    def key(self) -> dict[str, Any]:
        """What finds its delivery as long as no later call has begun: `deliveries.ITS_CALL`."""
        return {"id": self.delivery_id, "attempts": self.number}


CLOCK_SLACK = dt.timedelta(hours=2)
"""How far our clock may be ahead of a provider's when it is asked what it took: what is not found is sent again."""


@dataclass(frozen=True)
class Question:
    """What is asked about a delivery whose call ended without an answer. `body` is the stored text, in which a link is
    shortened to its ending. `taken`: the provider's ids of what is known to be other deliveries' to the same number:
    nothing tells one telephone call from another, nor two texts of the same words."""

    token: str
    to: str
    sender: str
    body: str
    begun_at: dt.datetime
    channel: str = "sms"
    taken: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Absent:
    """The provider has no such message: it never accepted it."""


Finding = Accepted | Absent | None
"""None: the provider cannot tell now."""


@dataclass(frozen=True)
class Figures:
    """A provider's own figures for a message or call, as far as it names them. `price` is what is taken off the account
    for it, in `currency`."""

    segments: int | None = None
    price: Decimal | None = None
    currency: str | None = None


class Provider(Protocol):
    """`seconds`: after which a call is given up. `ask_after`: seconds from the call until each question about a message
    whose fate is unknown; the last pause repeats for a day."""

    name: str
    seconds: float
    ask_after: tuple[float, ...]

    def send(self, message: Outgoing) -> Result:
        """Makes one request, never more. Does not raise for anything the provider or the network does; TooLate (see
        `in_time.py`) if it may not begin any more."""

    def find(self, question: Question) -> Finding:
        """Looks for a message that may have been accepted. Does not raise for anything the network does."""

    def figures(self, provider_id: str, channel: str) -> Figures | Deferred | None:
        """What it says now of a message or call that it took; Deferred if it wants to be asked later, None if it could
        not be asked. Does not raise for anything the network does."""
