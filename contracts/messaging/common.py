"""Words that all parts of messaging's contract use."""

from __future__ import annotations

OWNER = "messaging"
CHANNELS = ("sms", "email", "phone")
"""`phone`: a call that reads the message aloud."""
NUMBER_CHANNELS = ("sms", "phone")
"""Those that reach a telephone number."""
CONSENT_CHANNELS = ("sms", "email", "phone")
CONSENT_STATES = ("opted_in", "opted_out")
DELIVERY_STATES = (
    "accepted", "queued", "sending", "sent", "delivered", "failed", "undelivered", "suppressed", "cancelled", "unknown",
)  # fmt: skip

AN_ID = "018f4e9a-0000-7000-8000-000000000040"
