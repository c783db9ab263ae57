"""What the edge is told at start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chassis.config import Setting, flag, one_of, signing_key, text, url, whole

SETTINGS = (
    Setting("PUBLIC_URL", url("http", "https"), "the address that clients and providers reach this edge by"),
    Setting("SECRET_KEY", signing_key, "signs unsubscribe addresses, and the portal's cookies", secret=True),
    Setting("TWILIO_AUTH_TOKEN", text, "checks the signature of Twilio's webhooks", None, secret=True),
    Setting("EMAIL_PROVIDER", one_of("sandbox", "ses", "smtp"), "who carries the email of new senders", "sandbox"),
    Setting(
        "SNS_TOPICS",
        text,
        "ARNs, with commas between them, of the topics by which SES tells of email",
        None,
        needed_if=("EMAIL_PROVIDER", "ses"),
    ),
    Setting("SNS_CERT_HOSTS", text, "hosts other than Amazon's that sign for SNS, for tests", None),
    Setting("SANDBOX_PAGES", flag, "whether /sandbox is served", False),
    Setting("CORS_ORIGINS", text, "origins, with commas between them, whose pages may call the API", None),
    Setting("MAX_JSON_BYTES", whole(1024), "the largest body that is not an upload", 2 * 1024 * 1024),
    Setting("MAX_UPLOAD_BYTES", whole(1024), "the largest upload", 50 * 1024 * 1024),
    Setting("BODY_TIMEOUT", whole(1, 600), "seconds for a request's body, then 32 KB/s", 20),
    Setting("WEB_SERVER_ADDRESS", text, "host:port to listen on", "127.0.0.1:8000"),
)


@dataclass(frozen=True)
class EdgeSettings:
    """The edge's settings, as the Flask app keeps them under `CASEWIRE`. `public_url` has no slash at its end."""

    public_url: str
    secret_key: str
    twilio_auth_token: str | None
    sandbox_pages: bool
    cors_origins: tuple[str, ...]
    max_json_bytes: int
    max_upload_bytes: int
    sns_topics: tuple[str, ...] = ()
    sns_cert_hosts: tuple[str, ...] = ()

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> EdgeSettings:
        """From the checked configuration; a default stands in where a key is not set."""
        found = {setting.name: config.get(setting.name, setting.default) for setting in SETTINGS}
        return cls(
            public_url=str(found["PUBLIC_URL"]).rstrip("/"),
            secret_key=str(found["SECRET_KEY"]),
            twilio_auth_token=found["TWILIO_AUTH_TOKEN"],
            sandbox_pages=bool(found["SANDBOX_PAGES"]),
            sns_topics=_listed(found["SNS_TOPICS"]),
            sns_cert_hosts=_listed(found["SNS_CERT_HOSTS"]),
            cors_origins=_listed(found["CORS_ORIGINS"]),
            max_json_bytes=int(found["MAX_JSON_BYTES"]),
            max_upload_bytes=int(found["MAX_UPLOAD_BYTES"]),
        )


def _listed(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())
