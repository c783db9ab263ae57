"""Consent to data collection, with the version of the firm's privacy policy that was accepted."""

from __future__ import annotations

from marshmallow import Schema

from contracts.base import Choice, Flag, Id, Instant, Operation, PageRequest, Text, page_of
from contracts.clients.common import A_CLIENT, OWNER, ClientId
from contracts.errors import Gone, Invalid, NotFound

POLICY_SOURCES = ("portal", "form", "email", "phone", "paper", "staff", "import")


class PolicyConsentFields(Schema):
    """`given` false withdraws. `at`: when it was given, now if not stated; not in the future."""

    given = Flag(required=True)
    policy_version = Text(longest=60, shortest=1, required=True)
    source = Choice(*POLICY_SOURCES, required=True)
    at = Instant(load_default=None, allow_none=True)


class PolicyConsent(PolicyConsentFields):
    """Kept as it was said; nothing is overwritten. The record's `data_consent` is the one with the latest `at`."""

    id = Id()
    client_id = Id()
    recorded_by = Id(allow_none=True)
    created_at = Instant()


class ListPolicyConsents(ClientId, PageRequest):
    pass


class RecordPolicyConsent(ClientId, PolicyConsentFields):
    pass


LIST_POLICY_CONSENTS = Operation(
    OWNER, "list_policy_consents", ListPolicyConsents, page_of(PolicyConsent), (Invalid, NotFound, Gone),
    permission="clients.read", example={"client_id": A_CLIENT},
)  # fmt: skip
RECORD_POLICY_CONSENT = Operation(
    OWNER, "record_policy_consent", RecordPolicyConsent, PolicyConsent, (Invalid, NotFound, Gone),
    permission="clients.write",
    example={"client_id": A_CLIENT, "given": True, "policy_version": "2026-11", "source": "paper"},
)  # fmt: skip
