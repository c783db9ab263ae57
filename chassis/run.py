"""Running services: one of them in a process of its own, or all of them together.

    run_services([ClientsService], config)

The process must have been patched by eventlet before it imported anything else. SIGTERM and SIGINT end it cleanly: no
new work is taken, work in hand is finished and acknowledged, and after `GRACE` seconds what is left is given up.
"""

from __future__ import annotations

import gc
import signal
import socket
from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import eventlet
import eventlet.patcher
from nameko.runners import ServiceRunner
from nameko.utils.concurrency import SpawningProxy
from nameko.web.handlers import HttpRequestHandler

from chassis import embedded_bus, telemetry
from chassis.config import SettingsError
from chassis.config import stop as stop_with
from chassis.embedded_broker import Broker, broker
from chassis.health import HealthServer
from chassis.telemetry import log_of, log_unexpected
from chassis.walls import Unwalled

GRACE = 7.5
"""Seconds for work in hand to end."""
LAST_RESORT = 2.0
"""Seconds after the grace in which the kernel ends a process that is stuck."""

_log = log_of(__name__)


def run_services(
    classes: Sequence[type],
    config: dict[str, Any],
    *,
    on_started: Callable[[ServiceRunner], None] | None = None,
    grace: float = GRACE,
) -> int:
    """Run until a signal ends it, and return the exit status: 0, or 1 if a service failed.

    `on_started` is called when every service takes work. `HEALTH_PORT` in the configuration opens the health server.
    """
    if not eventlet.patcher.is_monkey_patched("socket"):
        raise RuntimeError("eventlet must patch the process before anything else is imported")
    names = [str(getattr(entry, "name", entry)) for entry in classes]
    telemetry.configure(
        names[0] if len(names) == 1 else "casewire", config.get("LOG_LEVEL") or "info", config.get("LOG_FORMAT")
    )
    with _signals() as wake:
        return _run(classes, config, wake, on_started, grace)


def _run(
    classes: Sequence[type],
    config: dict[str, Any],
    wake: socket.socket,
    on_started: Callable[[ServiceRunner], None] | None,
    grace: float,
) -> int:
    runner = ServiceRunner(config)
    for entry in classes:
        runner.add_service(entry)
    uri = str(config["AMQP_URI"])
    shared = broker(embedded_bus.virtual_host(uri)) if embedded_bus.is_embedded(uri) else None
    if shared is not None:
        shared.hold()
    ending = _Ending(runner, shared, grace)
    thread = eventlet.spawn(ending.on_signal, wake)
    health = None
    try:
        try:
            runner.start()
        except (OSError, Unwalled) as error:
            stop_with(f"cannot start: {error}")
        except SettingsError as error:
            stop_with(str(error))
        if shared is not None:
            shared.release()
        if config.get("HEALTH_PORT"):
            host = str(config.get("HEALTH_HOST") or "127.0.0.1")
            health = HealthServer(int(config["HEALTH_PORT"]), lambda: runner.containers, host)
        spare_the_collector()
        _log.info("started", name=" ".join(runner.service_names))
        if on_started is not None:
            on_started(runner)
        runner.wait()
    except Exception as error:
        log_unexpected(_log, error, "service_failed")
        return 1
    finally:
        if health is not None:
            health.stop()
    if ending.begun:
        thread.wait()
    return 0


def spare_the_collector() -> None:
    """Lets the garbage collector leave out what stays for good, modules and schemas, and look less often at the rest:
    rows and messages live for milliseconds, and are freed without it.

    The little garbage that a start makes stays too: to look for it among 400,000 objects took a tenth of the start."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


class _Ending:
    """Stops the services when a signal comes."""

    def __init__(self, runner: ServiceRunner, shared: Broker | None, grace: float) -> None:
        self._runner = runner
        self._shared = shared
        self._grace = grace
        self.begun = False

    def on_signal(self, wake: socket.socket) -> None:
        number = wake.recv(1)[0]
        self.begun = True
        _log.info("stopping", signal=signal.Signals(number).name)
        # Kept by the kernel, so that not even a thread that never yields can hold the process.
        signal.setitimer(signal.ITIMER_REAL, self._grace + LAST_RESORT)
        eventlet.spawn(_give_up_on_signal, wake)
        timeout = eventlet.Timeout(self._grace)
        try:
            self._stop()
        except eventlet.Timeout as expired:
            if expired is not timeout:
                raise
            _log.warning("work_given_up")
            with eventlet.Timeout(1, False):
                self._runner.kill()
        finally:
            timeout.cancel()

    def _stop(self) -> None:
        # What lets work in goes first, so that the rest can still serve what is in hand.
        edge, rest = _parted(self._runner.containers)
        SpawningProxy(edge).stop()
        if self._shared is not None:
            self._shared.close_down()
        SpawningProxy(rest).stop()


def _give_up_on_signal(wake: socket.socket) -> None:
    """A second signal ends the process at once."""
    wake.recv(1)
    _log.warning("work_given_up")
    signal.raise_signal(signal.SIGALRM)


def _parted(containers: Iterable[Any]) -> tuple[list[Any], list[Any]]:
    edge: list[Any] = []
    rest: list[Any] = []
    for container in containers:
        is_edge = any(isinstance(entry, HttpRequestHandler) for entry in container.entrypoints)
        (edge if is_edge else rest).append(container)
    return edge, rest


@contextmanager
def _signals() -> Any:
    """A socket that receives the number of each SIGTERM and SIGINT.

    A Python signal handler cannot wake eventlet's hub, which goes on waiting for its next timer; a socket does.
    """
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    before_fd = signal.set_wakeup_fd(writer.fileno())
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)}
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    try:
        yield reader
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(before_fd)
        with suppress(OSError):
            reader.close()
            writer.close()
