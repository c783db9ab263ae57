"""The dispatcher: what sends. A deployable of its own, in as many replicas as the rate needs."""

from __future__ import annotations

from typing import Any

import eventlet
from nameko.containers import WorkerContext
from nameko.extensions import Entrypoint, register_entrypoint

from chassis.context import DATA_KEY, Context, use
from chassis.database import Data
from chassis.rpc import Calls
from chassis.telemetry import log_of, log_unexpected
from contracts import accounts, cases, clients, portal, tasks
from services.messaging.adapters.base import Provider
from services.messaging.adapters.sandbox import SandboxProvider
from services.messaging.adapters.sandbox_callbacks import STATUS_PATH
from services.messaging.adapters.ses import SesProvider
from services.messaging.adapters.smtp import SmtpProvider
from services.messaging.adapters.twilio import TwilioProvider
from services.messaging.adapters.twilio_voice import VOICE_PATH
from services.messaging.address_keys import AddressKeys
from services.messaging.dependencies import Settings
from services.messaging.dispatching.sending import Sending
from services.messaging.models import Base
from services.messaging.senders import keep_provider_rates
from services.messaging.settings import MessagingSettings

log = log_of(__name__)

PAUSE = 1.0
"""Seconds before the engine is started again after an error that none of its loops caught."""


class Running(Entrypoint):
    """Runs a method from the container's start to its stop. The method gets a list to put what must be stopped into."""

    def __init__(self) -> None:
        super().__init__()
        self._stoppable: list[Any] = []
        self._stopping = False
        self._thread: Any = None

    def start(self) -> None:
        self._thread = self.container.spawn_managed_thread(self._run, identifier=self.method_name)

    def stop(self) -> None:
        """Ends the method when the work in hand is done."""
        self._stopping = True
        for entry in self._stoppable:
            entry.stop()
        if self._thread is not None:
            self._thread.wait()

    def kill(self) -> None:
        self._stopping = True
        for entry in self._stoppable:
            entry.stop()

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._call()
            except (Exception, eventlet.Timeout) as error:
                log_unexpected(log, error, event="dispatcher_failed")
                eventlet.sleep(PAUSE)

    def _call(self) -> None:
        container, context = self.container, Context()
        service = container.service_cls()
        worker = WorkerContext(container, service, self, (), {}, data={DATA_KEY: context})
        with use(context):
            container._inject_dependencies(worker)
            container._worker_setup(worker)
            try:
                getattr(service, self.method_name)(self._stoppable)
            finally:
                self._stoppable.clear()
                container._worker_result(worker, None, None)
                container._worker_teardown(worker)


def running(method: Any) -> Any:
    """Marks the method that `Running` runs."""
    register_entrypoint(method, Running())
    return method


class Dispatcher:
    """Prepares, claims and sends what is due, for all firms."""

    name = "dispatcher"

    db = Data(Base)
    calls = Calls(accounts, cases, clients, portal, tasks)
    settings = Settings()
    address_keys = AddressKeys()

    @running
    def dispatch(self, stoppable: list[Any]) -> None:
        keep_provider_rates(self.db, self.settings.provider_rates)
        sending = Sending(
            self.db,
            self.calls,
            make_providers(self.settings, self.db),
            public_url=self.settings.public_url,
            unsubscribing=self.settings.unsubscribing,
            concurrency=self.settings.concurrency,
            sandbox=self.settings.channels_of("sandbox"),
            limited=self.settings.provider_rates,
        )
        stoppable.append(sending)
        sending.run()


def make_providers(settings: MessagingSettings, db: Any) -> dict[str, Provider]:
    """The providers that this installation can send by, by name."""
    providers: dict[str, Provider] = {"sandbox": SandboxProvider(db)}
    if settings.twilio_account_sid and settings.twilio_auth_token:
        providers["twilio"] = TwilioProvider(
            settings.twilio_account_sid,
            settings.twilio_auth_token,
            callback_url=settings.public_url + STATUS_PATH,
            voice_url=settings.public_url + VOICE_PATH,
            api_url=settings.twilio_api_url,
            connections=settings.concurrency,
        )
    if settings.ses_region:
        providers["ses"] = SesProvider(
            region=settings.ses_region,
            configuration_set=settings.ses_configuration_set,
            endpoint_url=settings.ses_endpoint_url,
            connections=settings.concurrency,
        )
    if settings.smtp_url:
        providers["smtp"] = SmtpProvider(settings.smtp_url)
    return providers
