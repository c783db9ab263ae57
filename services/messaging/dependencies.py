"""What messaging's entrypoints stand on: its database, the other services, its settings, and where files are."""

from __future__ import annotations

from typing import Any

from nameko.extensions import DependencyProvider

from chassis.database import Data, Database, database_url
from chassis.files import FilesProvider
from chassis.rpc import Calls
from contracts import accounts, cases, clients, portal, tasks
from services.messaging import media
from services.messaging.adapters.media_source import TwilioMedia
from services.messaging.adapters.sandbox_callbacks import Announcer, Webhooks
from services.messaging.adapters.sandbox_inboxes import SandboxInboxes
from services.messaging.adapters.sandbox_people import SandboxPeople
from services.messaging.address_keys import AddressKeys
from services.messaging.models import Base
from services.messaging.settings import MessagingSettings

Answer = dict[str, Any]


class Settings(DependencyProvider):
    """The checked settings."""

    def setup(self) -> None:
        self.settings = MessagingSettings.from_config(self.container.config)

    def get_dependency(self, worker_ctx: Any) -> MessagingSettings:
        return self.settings


class Sandbox(Settings):
    """The sandbox's phones and inboxes, its people, and what it announces."""

    def setup(self) -> None:
        super().setup()
        db = Database(database_url(self.container.config, Base.service_name), Base)
        webhooks = Webhooks(
            public_url=self.settings.public_url,
            webhook_url=self.settings.webhook_url,
            auth_token=self.settings.twilio_auth_token,
        )
        self.inboxes, self.people = SandboxInboxes(db), SandboxPeople(db, webhooks)
        self.announcer = Announcer(db, webhooks)

    def get_dependency(self, worker_ctx: Any) -> Sandbox:
        return self


class MediaSources(Settings):
    """Where media are fetched from, by provider."""

    def setup(self) -> None:
        super().setup()
        self.sources: dict[str, media.Source] = {}
        account, token = self.settings.twilio_account_sid, self.settings.twilio_auth_token
        if account and token:
            self.sources["twilio"] = TwilioMedia(account, token, api_url=self.settings.twilio_api_url)

    def get_dependency(self, worker_ctx: Any) -> dict[str, media.Source]:  # type: ignore[override]
        return self.sources


class Dependencies:
    """The base of every group of entrypoints."""

    db = Data(Base)
    calls = Calls(accounts, cases, clients, portal, tasks)
    settings = Settings()
    address_keys = AddressKeys()
    sandbox = Sandbox()
    files = FilesProvider()
    media_sources = MediaSources()

    @property
    def _sandbox(self) -> frozenset[str]:
        return self.settings.channels_of("sandbox")

    @property
    def _sending(self) -> dict[str, Any]:
        return {"public_url": self.settings.public_url, "sandbox": self._sandbox, "actor_id": self._actor}

    @property
    def _actor(self) -> str | None:
        return self.db.context.actor_id if self.db.context else None
