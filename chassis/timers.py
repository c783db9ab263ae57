"""Work that is due by the clock.

    class MessagingService:
        db = Data(models.Base)

        @every(5, "prepare deliveries")
        def prepare_due(self) -> bool: ...

The method runs at the start of the process and then every so many seconds, in one replica at a time, under a lease in
the service's database; it works across firms and takes what is due by its rows. When it returns True there is more to
do and it is called again at once. `wake("prepare deliveries")` calls it before its time.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from typing import Any, TypeVar

import eventlet
from eventlet.event import Event as Signal
from nameko.containers import WorkerContext
from nameko.extensions import Entrypoint, register_entrypoint
from sqlalchemy import or_, update

from chassis import bulk
from chassis.columns import utc_now
from chassis.context import DATA_KEY, Context, use
from chassis.database import Data, Database
from chassis.telemetry import log_of, log_unexpected
from contracts.errors import Unavailable

LEASE_SECONDS = 15.0
"""How long a replica that died keeps its timers from the others."""

Method = TypeVar("Method", bound=Callable[..., Any])

_log = log_of(__name__)
_timers: dict[str, set[Timer]] = {}


class Timer(Entrypoint):
    """Nameko's entrypoint behind `every`."""

    def __init__(self, seconds: float, name: str, everywhere: bool = False) -> None:
        super().__init__()
        self.seconds = seconds
        self.name = name
        self.everywhere = everywhere
        self._holder = uuid.uuid4().hex
        self._stopping = False
        self._signal = Signal()
        self._thread: Any = None

    def start(self) -> None:
        _timers.setdefault(self.name, set()).add(self)
        self._thread = self.container.spawn_managed_thread(self._run, identifier=f"every {self.seconds:g} s")

    def stop(self) -> None:
        """Ends the timer when the run it may be in is over, and hands its lease on."""
        _timers.get(self.name, set()).discard(self)
        self._stopping = True
        self.wake()
        if self._thread is not None:
            self._thread.wait()

    def kill(self) -> None:
        _timers.get(self.name, set()).discard(self)
        self._stopping = True

    def wake(self) -> None:
        """Runs the method before its time."""
        if not self._signal.ready():
            self._signal.send(None)

    def _run(self) -> None:
        while not self._stopping:
            more = False
            try:
                if self.everywhere or take_lease(self._database(), self.name, self._holder):
                    more = self._call_under_lease()
            except Unavailable as error:
                _log.warning("timer_waits", task=self.name, code=error.code)
            except (Exception, eventlet.Timeout) as error:
                log_unexpected(_log, error, event="timer_failed", task=self.name)
            if not more:
                self._wait()
        if not self.everywhere:
            try:
                release_lease(self._database(), self.name, self._holder)
            except Exception as error:
                _log.warning("lease_kept", task=self.name, error=type(error).__name__)

    def _wait(self) -> None:
        if not self._stopping:
            with eventlet.Timeout(self.seconds, False):
                self._signal.wait()
        if self._signal.ready():
            self._signal = Signal()

    def _call_under_lease(self) -> bool:
        if self.everywhere:
            return self._call()
        renewal = eventlet.spawn(self._renew)
        try:
            return self._call()
        finally:
            renewal.kill()

    def _renew(self) -> None:
        while True:
            eventlet.sleep(LEASE_SECONDS / 3)
            try:
                take_lease(self._database(), self.name, self._holder)
            except Exception as error:
                _log.warning("lease_not_renewed", task=self.name, error=type(error).__name__)

    def _call(self) -> bool:
        container, context = self.container, Context()
        service = container.service_cls()
        worker = WorkerContext(container, service, self, (), {}, data={DATA_KEY: context})
        with use(context):
            container._inject_dependencies(worker)
            container._worker_setup(worker)
            try:
                return getattr(service, self.method_name)() is True
            finally:
                container._worker_result(worker, None, None)
                container._worker_teardown(worker)

    def _database(self) -> Database:
        for provider in self.container.dependencies:
            if isinstance(provider, Data):
                return provider.database
        raise LookupError(f"{self.name}: a timer needs the service's database")


def every(seconds: float, name: str, *, everywhere: bool = False) -> Callable[[Method], Method]:
    """Calls a method (without arguments) every `seconds`, in one replica at a time.

    With `everywhere` it is called in every replica, for work whose rows are claimed with SKIP LOCKED.
    """

    def decorate(method: Method) -> Method:
        register_entrypoint(method, Timer(seconds, name, everywhere))
        return method

    return decorate


def wake(name: str) -> None:
    """Calls the timers of that name in this process before their time; for `uow.after_commit`."""
    for timer in _timers.get(name, ()):
        timer.wake()


def take_lease(
    db: Database, name: str, holder: str, *, seconds: float = LEASE_SECONDS, now: dt.datetime | None = None
) -> bool:
    """Takes or renews a lease for `seconds`. False while another holder has it."""
    moment = now or utc_now()
    lease = db.tables.leases
    with _leases(db).unit_of_work() as uow:
        statement = bulk.dialect_insert(uow.session.get_bind().dialect.name, lease)
        row = {"name": name, "holder": holder, "until": moment + dt.timedelta(seconds=seconds)}
        taken = statement.values(row).on_conflict_do_update(
            index_elements=[lease.c.name],
            set_={"holder": statement.excluded.holder, "until": statement.excluded.until},
            where=or_(lease.c.until < moment, lease.c.holder == holder),
        )
        return uow.session.execute(taken.returning(lease.c.name)).one_or_none() is not None


def release_lease(db: Database, name: str, holder: str, now: dt.datetime | None = None) -> None:
    """Gives a lease back before its time, if `holder` has it."""
    lease = db.tables.leases
    past = (now or utc_now()) - dt.timedelta(seconds=1)
    with _leases(db).unit_of_work() as uow:
        held = update(lease).where(lease.c.name == name, lease.c.holder == holder)
        uow.session.execute(held.values(until=past))


def _leases(db: Database) -> Database:
    return db.across_firms("leases belong to replicas, not to firms")
