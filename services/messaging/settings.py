"""What messaging is told at start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from chassis.config import Setting, number, one_of, signing_key, text, url, whole
from chassis.sealing import SEALING_KEYS_URL
from contracts.messaging import CHANNELS
from services.messaging.consents.unsubscribing import UnsubscribeLinks

PROVIDERS = ("twilio", "ses", "smtp", "sandbox")


def rates(value: Any) -> dict[str, float]:
    """Messages a second by provider: `twilio=100,ses=14`."""
    wanted = "messages a second by provider, such as twilio=100,ses=14"
    if isinstance(value, Mapping):
        value = ",".join(f"{provider}={rate}" for provider, rate in value.items())
    if not isinstance(value, str):
        raise ValueError(wanted)
    found: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in value.split(","))):
        provider, _, rate = part.partition("=")
        if provider.strip() not in PROVIDERS:
            raise ValueError(f"{wanted}; the providers are {', '.join(PROVIDERS)}")
        try:
            found[provider.strip()] = number(0.01, 100_000)(rate.strip())
        except ValueError:
            raise ValueError(wanted) from None
    return found


SETTINGS = (
    SEALING_KEYS_URL,
    Setting("PUBLIC_URL", url("http", "https"), "the address that clients and providers reach the gateway by"),
    Setting("SECRET_KEY", signing_key, "signs unsubscribe addresses, and the portal's cookies", secret=True),
    Setting(
        "SECRET_KEY_BEFORE",
        text,
        "the one before SECRET_KEY was changed: the addresses that it signed go on taking somebody off email",
        None,
        secret=True,
    ),
    Setting("PROVIDER", one_of("sandbox", "twilio"), "who carries texts and calls of new senders", "sandbox"),
    Setting("EMAIL_PROVIDER", one_of("sandbox", "ses", "smtp"), "who carries the email of new senders", "sandbox"),
    Setting("TWILIO_ACCOUNT_SID", text, "the account at Twilio", None),
    Setting("TWILIO_AUTH_TOKEN", text, "the account's secret; the sandbox signs with it too", None, secret=True),
    Setting("TWILIO_API_URL", url("http", "https"), "another address of Twilio's API, for tests", None),
    Setting("SES_REGION", text, "the region of SES, such as us-east-1", None, needed_if=("EMAIL_PROVIDER", "ses")),
    Setting("SES_CONFIGURATION_SET", text, "the configuration set by which SES publishes events", None),
    Setting("SES_ENDPOINT_URL", url("http", "https"), "another address of SES, for tests", None),
    Setting(
        "SMTP_URL",
        url("smtp", "smtps"),
        "the mail server: smtp://user:password@host:587",
        None,
        secret=True,
        needed_if=("EMAIL_PROVIDER", "smtp"),
    ),
    Setting("WEBHOOK_URL", url("http", "https"), "where the sandbox reaches the gateway, if not by PUBLIC_URL", None),
    Setting("MAX_MEDIA_BYTES", whole(1, 1024**3), "the largest file with a message that is kept", 10 * 1024**2),
    Setting("DISPATCH_CONCURRENCY", whole(1, 1000), "calls to providers at once in one dispatcher", 64),
    Setting("SEGMENT_COST", number(), "what one SMS segment costs, for estimates", 0.0083),
    Setting("CALL_COST", number(), "what one call costs, for estimates", 0.014),
    Setting(
        "PROVIDER_RATES",
        rates,
        "messages a second that an account at a provider may send, over all firms and numbers, such as "
        "twilio=100,ses=14; a provider that is not named has no such limit",
        None,
    ),
    Setting("CURRENCY", text, "the currency of these costs", "USD"),
)


@dataclass(frozen=True)
class MessagingSettings:
    """The checked settings. Addresses have no slash at their end."""

    public_url: str
    secret_key: str
    secret_key_before: str | None
    provider: str
    email_provider: str
    twilio_account_sid: str | None
    twilio_auth_token: str | None
    twilio_api_url: str | None
    ses_region: str | None
    ses_configuration_set: str | None
    ses_endpoint_url: str | None
    smtp_url: str | None
    webhook_url: str
    max_media_bytes: int
    concurrency: int
    segment_cost: Decimal
    call_cost: Decimal
    currency: str
    provider_rates: Mapping[str, float]

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> MessagingSettings:
        """From the checked configuration; a default stands in where a key is not set."""
        found = {setting.name: config.get(setting.name, setting.default) for setting in SETTINGS}
        public_url = str(found["PUBLIC_URL"]).rstrip("/")
        return cls(
            public_url=public_url,
            secret_key=str(found["SECRET_KEY"]),
            secret_key_before=found["SECRET_KEY_BEFORE"],
            provider=str(found["PROVIDER"]),
            email_provider=str(found["EMAIL_PROVIDER"]),
            twilio_account_sid=found["TWILIO_ACCOUNT_SID"],
            twilio_auth_token=found["TWILIO_AUTH_TOKEN"],
            twilio_api_url=found["TWILIO_API_URL"],
            ses_region=found["SES_REGION"],
            ses_configuration_set=found["SES_CONFIGURATION_SET"],
            ses_endpoint_url=found["SES_ENDPOINT_URL"],
            smtp_url=found["SMTP_URL"],
            webhook_url=str(found["WEBHOOK_URL"] or public_url).rstrip("/"),
            max_media_bytes=int(found["MAX_MEDIA_BYTES"]),
            concurrency=int(found["DISPATCH_CONCURRENCY"]),
            segment_cost=Decimal(str(found["SEGMENT_COST"])),
            call_cost=Decimal(str(found["CALL_COST"])),
            currency=str(found["CURRENCY"]),
            provider_rates=found["PROVIDER_RATES"] or {},
        )

    @property
    def unsubscribing(self) -> UnsubscribeLinks:
        """What makes and reads the addresses that take somebody off email."""
        return UnsubscribeLinks(self.secret_key, self.public_url, self.secret_key_before)

    def provider_of(self, channel: str) -> str:
        """Who carries what a new sender of a channel sends."""
        return self.email_provider if channel == "email" else self.provider

    def channels_of(self, provider: str) -> frozenset[str]:
        """The channels that a provider carries for new senders."""
        return frozenset(channel for channel in CHANNELS if self.provider_of(channel) == provider)
