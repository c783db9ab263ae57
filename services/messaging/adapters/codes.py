"""What a provider's error code means for a delivery: one table for answers to requests and for status callbacks.

https://www.twilio.com/docs/api/errors. A code that is not here is final: the message ends as failed, with the code as
its reason (30003 unreachable, 30005 unknown number, 30006 landline, 30007 filtered, 21408 region not enabled, …).
"""

from __future__ import annotations

from enum import Enum


class Meaning(Enum):
    """OPTED_OUT: the person has said stop, to the provider. BAD_ADDRESS: nothing can be sent there. LATER: the sender's
    queue or rate is full. LATER_ACCOUNT: so is that of the whole account. OUR_SENDER, OUR_ACCOUNT: it is not the
    message that is refused but we, until somebody sets it right. FINAL: anything else."""

    OPTED_OUT = "opted_out"
    BAD_ADDRESS = "bad_address"
    LATER = "later"
    LATER_ACCOUNT = "later_account"
    OUR_SENDER = "our_sender"
    OUR_ACCOUNT = "our_account"
    FINAL = "final"

    @property
    def postpones(self) -> bool:
        """Whether the message was not taken, and may be later."""
        return self in _POSTPONING

    @property
    def is_ours(self) -> bool:
        """Whether only we can change it."""
        return self in (Meaning.OUR_SENDER, Meaning.OUR_ACCOUNT)

    @property
    def of_account(self) -> bool:
        """Whether it concerns all senders of the account."""
        return self in (Meaning.LATER_ACCOUNT, Meaning.OUR_ACCOUNT)


_POSTPONING = frozenset({Meaning.LATER, Meaning.LATER_ACCOUNT, Meaning.OUR_SENDER, Meaning.OUR_ACCOUNT})

REFUSED_RECIPIENT = "recipient_refused"
"""SMTP: the server has no such mailbox."""

_CODES = {
    "21610": Meaning.OPTED_OUT,
    "21211": Meaning.BAD_ADDRESS,  # no number
    "21214": Meaning.BAD_ADDRESS,  # cannot be reached
    "21217": Meaning.BAD_ADDRESS,  # does not appear to be valid
    "21265": Meaning.BAD_ADDRESS,  # a short code
    "21614": Meaning.BAD_ADDRESS,  # no mobile
    "13223": Meaning.BAD_ADDRESS,  # of a call: badly written
    "13224": Meaning.BAD_ADDRESS,  # of a call: no number
    REFUSED_RECIPIENT: Meaning.BAD_ADDRESS,
    "21611": Meaning.LATER,  # the sender's queue is full
    "30001": Meaning.LATER,  # queue overflow, said afterwards
    "30022": Meaning.LATER,  # more than a registered number may send, said afterwards
    "14107": Meaning.LATER,
    "20429": Meaning.LATER_ACCOUNT,
    "http_429": Meaning.LATER_ACCOUNT,
    "21212": Meaning.OUR_SENDER,  # From is no number
    "21603": Meaning.OUR_SENDER,  # no From
    "21606": Meaning.OUR_SENDER,  # From is not ours, or takes no messages
    "21659": Meaning.OUR_SENDER,
    "21660": Meaning.OUR_SENDER,  # From is another account's
    "21703": Meaning.OUR_SENDER,  # the messaging service has no number
    "21705": Meaning.OUR_SENDER,  # no such messaging service
    "20003": Meaning.OUR_ACCOUNT,  # authentication
    "20005": Meaning.OUR_ACCOUNT,  # not active
    "20008": Meaning.OUR_ACCOUNT,  # test credentials
    "30002": Meaning.OUR_ACCOUNT,  # suspended, said afterwards
    "AccountSuspendedException": Meaning.OUR_ACCOUNT,  # Amazon SES
    "SendingPausedException": Meaning.OUR_ACCOUNT,  # Amazon SES
    "http_401": Meaning.OUR_ACCOUNT,
    "http_403": Meaning.OUR_ACCOUNT,
}


def meaning_of(code: str | None) -> Meaning:
    """The meaning of a code, which may be null."""
    return _CODES.get(code or "", Meaning.FINAL)
