"""Consent: the ledger, preferences, and what a person must decide."""

from __future__ import annotations

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from contracts.base import Choice, Count, Event, Id, Instant, Operation, PageRequest, Stamped, Text, page_of
from contracts.errors import Conflict, Gone, Invalid, NotFound, Unavailable
from contracts.messaging.common import AN_ID, CONSENT_CHANNELS, CONSENT_STATES, OWNER


class ConsentEntry(Schema):
    """One entry of the append-only ledger. `evidence`: the exact words and the provider's id."""

    id = Id()
    at = Instant()
    channel = fields.String()
    address = fields.String(allow_none=True)
    client_id = Id(allow_none=True)
    state = Choice(*CONSENT_STATES)
    source = Choice("reply", "webhook", "portal", "staff", "import", "provider", "merge")
    evidence = fields.Dict()
    rule_version = fields.String()


class ListConsents(PageRequest):
    """`since` and `until` bound `at`: from the first on, before the second."""

    address = Text(longest=320, load_default=None, allow_none=True)
    client_id = Id(load_default=None, allow_none=True)
    channel = Choice(*CONSENT_CHANNELS, load_default=None, allow_none=True)
    state = Choice(*CONSENT_STATES, load_default=None, allow_none=True)
    since = Instant(load_default=None, allow_none=True)
    until = Instant(load_default=None, allow_none=True)


class StatedConsent(Schema):
    """What somebody said elsewhere, about an address or a client. `words`: what was said, `said_at`: when."""

    channel = Choice(*CONSENT_CHANNELS, required=True)
    address = Text(longest=320, load_default=None, allow_none=True)
    client_id = Id(load_default=None, allow_none=True)
    state = Choice(*CONSENT_STATES, required=True)
    words = Text(longest=2000, load_default=None, allow_none=True)
    said_at = Instant(load_default=None, allow_none=True)

    @validates_schema
    def _demand_one(self, data: dict[str, object], **_kwargs: object) -> None:
        if (data.get("address") is None) == (data.get("client_id") is None):
            raise ValidationError("Give either an address or a client_id.", "address")


class RecordConsents(Schema):
    """`import`: a list brought along from elsewhere, which never lifts an opt-out; `staff`: what a person was told."""

    source = Choice("import", "staff", load_default="staff")
    entries = fields.List(fields.Nested(StatedConsent), required=True, validate=validate.Length(min=1, max=1000))


class RecordedConsents(Schema):
    """`unchanged`: the state was that already. `kept`: an opt-out that an import would have lifted."""

    recorded = Count()
    unchanged = Count()
    kept = Count()


class UnsubscribeToken(Schema):
    """From the address in `List-Unsubscribe`."""

    token = Text(longest=300, shortest=1, required=True)


class Unsubscription(Schema):
    """What the page behind the address shows. `unsubscribed`: whether the address has opted out (by now)."""

    firm_name = fields.String()
    language = fields.String()
    color = fields.String(allow_none=True)
    channel = fields.String()
    unsubscribed = fields.Boolean()


class SetPreferences(Schema):
    """What a client wants, on each channel that is named."""

    client_id = Id(required=True)
    sms = Choice(*CONSENT_STATES)
    email = Choice(*CONSENT_STATES)
    phone = Choice(*CONSENT_STATES)
    source = Choice("staff", "portal", load_default="staff")


class ClientIdOnly(Schema):
    client_id = Id(required=True)


class Reached(Schema):
    """Where a client is written to on each channel."""

    sms = fields.String(load_default=None, allow_none=True)
    email = fields.String(load_default=None, allow_none=True)
    phone = fields.String(load_default=None, allow_none=True)


class ReachedOfBoth(Schema):
    """`joined`: where the survivor is written to after the merge."""

    surviving = fields.Nested(Reached, required=True)
    merged = fields.Nested(Reached, required=True)
    joined = fields.Nested(Reached, required=True)


class JoinConsents(Schema):
    """`addresses` not said: only what the clients said themselves is joined. `dry_run`: nothing is written."""

    surviving_id = Id(required=True)
    merged_id = Id(required=True)
    addresses = fields.Nested(ReachedOfBoth, load_default=None, allow_none=True)
    dry_run = fields.Boolean(load_default=False)


class JoinedConsents(Schema):
    """`opted_out`: the channels on which the survivor is newly opted out since then."""

    opted_out = fields.List(fields.String())


class Preferences(Schema):
    """null: nothing was ever said on that channel."""

    client_id = Id()
    sms = Choice(*CONSENT_STATES, allow_none=True)
    email = Choice(*CONSENT_STATES, allow_none=True)
    phone = Choice(*CONSENT_STATES, allow_none=True)


class ConsentReview(Stamped):
    """A reply that was taken as a revocation without being sure: it blocks, and a person decides."""

    channel = fields.String()
    address = fields.String()
    words = fields.String()
    rule = fields.String()
    decision = Choice("opted_out", "opted_in", allow_none=True)
    decided_by = Id(allow_none=True)


class ListConsentReviews(PageRequest):
    """`decision`: what a person made of it; `undecided`: what waits for one."""

    decision = Choice("undecided", *CONSENT_STATES, load_default=None, allow_none=True)


class DecideReview(Schema):
    consent_review_id = Id(required=True)
    decision = Choice("opted_out", "opted_in", required=True)


class ConsentChanged(Schema):
    """`state`: what the ledger's entry says. `holds`: what holds since then: the same, or, where a mistaken or a wider
    opt-out was taken back, what held before it, null if that was nothing. `client_ids`: whose address it is, as far as
    messaging knows when it happens; for whom it learns of later, the same `consent_id` is told again."""

    consent_id = Id(required=True)
    channel = fields.String(required=True)
    state = fields.String(required=True)
    holds = Choice(*CONSENT_STATES, allow_none=True)
    source = fields.String(required=True)
    client_ids = fields.List(Id(), required=True)


JOIN_CONSENTS = Operation(
    OWNER, "join_consents", JoinConsents, JoinedConsents, (Invalid, Unavailable),
    example={
        "surviving_id": AN_ID,
        "merged_id": AN_ID,
        "addresses": {
            "surviving": {"sms": "+12125550123", "email": None, "phone": None},
            "merged": {"sms": "+12125550124", "email": None, "phone": None},
            "joined": {"sms": "+12125550123", "email": None, "phone": None},
        },
    },
)  # fmt: skip
LIST_CONSENTS = Operation(
    OWNER, "list_consents", ListConsents, page_of(ConsentEntry), (Invalid, Unavailable), permission="consents.read",
    example={"address": "+12125550123"},
)  # fmt: skip
RECORD_CONSENTS = Operation(
    OWNER, "record_consents", RecordConsents, RecordedConsents, (Invalid, NotFound, Gone, Unavailable),
    permission="consents.write", deadline=15.0,
    example={"source": "import", "entries": [{"channel": "sms", "address": "+12125550123", "state": "opted_out"}]},
)  # fmt: skip
DESCRIBE_UNSUBSCRIPTION = Operation(
    OWNER, "describe_unsubscription", UnsubscribeToken, Unsubscription, (Gone, Unavailable), firm=False,
    repeatable=True, example={"token": "t"},
)  # fmt: skip
UNSUBSCRIBE = Operation(
    OWNER, "unsubscribe", UnsubscribeToken, Unsubscription, (Gone, Unavailable), firm=False, repeatable=True,
    example={"token": "t"},
)  # fmt: skip
GET_PREFERENCES = Operation(
    OWNER, "get_preferences", ClientIdOnly, Preferences, (NotFound, Gone, Unavailable), permission="consents.read",
    example={"client_id": AN_ID},
)  # fmt: skip
SET_PREFERENCES = Operation(
    OWNER, "set_preferences", SetPreferences, Preferences, (Invalid, NotFound, Gone, Unavailable),
    permission="consents.write", example={"client_id": AN_ID, "sms": "opted_out"},
)  # fmt: skip
LIST_CONSENT_REVIEWS = Operation(
    OWNER, "list_consent_reviews", ListConsentReviews, page_of(ConsentReview), (Invalid,), permission="consents.read"
)
DECIDE_CONSENT_REVIEW = Operation(
    OWNER, "decide_consent_review", DecideReview, ConsentReview, (NotFound, Conflict), permission="consents.write",
    example={"consent_review_id": AN_ID, "decision": "opted_out"},
)  # fmt: skip
CONSENT_CHANGED = Event(
    OWNER, "consent.changed.v1", ConsentChanged,
    example={"consent_id": AN_ID, "channel": "sms", "state": "opted_out", "holds": "opted_out", "source": "reply",
             "client_ids": [AN_ID]},
)  # fmt: skip
