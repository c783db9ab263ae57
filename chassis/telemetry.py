"""Logs and metrics without personal data.

Every line says when, how severe, which service, which request (`correlation_id`) and which firm (`firm_id`). Texts
pass only under names that are known to hold no personal data (ids, codes, counts, technical names); any other is
redacted. Of an exception that nobody declared its type and the lines of code are logged, not its message, which may
quote a record.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any

import structlog
from prometheus_client import Counter, Gauge, Histogram, generate_latest

from chassis.context import current
from contracts.errors import CasewireError

Entry = MutableMapping[str, Any]

calls_served = Histogram("casewire_calls_seconds", "Time to answer a call, in the serving process", ["operation"])
events_handled = Counter("casewire_events_total", "Events by outcome", ["subscription", "outcome"])
events_repeated = Counter(
    "casewire_events_repeated_total", "Events that came again although they had been applied", ["subscription"]
)
outbox_waiting = Gauge("casewire_outbox_unpublished", "Events in the outbox that are not yet published", ["service"])

TECHNICAL = frozenset(
    {
        "adapter",
        "attempt",
        "channel",
        "code",
        "column",
        "error",
        "event",
        "exchange",
        "host",
        "level",
        "logger",
        "method",
        "name",
        "operation",
        "outcome",
        "port",
        "provider",
        "queue",
        "reason",
        "remedy",
        "service",
        "signal",
        "state",
        "status",
        "subscription",
        "table",
        "task",
        "timestamp",
        "version",
        "where",
    }
)
REDACTED = "[redacted]"
# Errors of the program, whose messages name code and not data.
_SAFE_MESSAGES = (CasewireError, AttributeError, NameError, ImportError, NotImplementedError)


def configure(service: str, level: str = "info", format: str | None = None) -> None:
    """Set up logging of this process: one line of JSON per entry, or readable text (`format="text"`, and on a
    terminal). Libraries' own log lines take the same way."""
    readable = format == "text" or (format is None and sys.stderr.isatty())
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_service(service),
        _add_request,
        redact,
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer: Any = structlog.dev.ConsoleRenderer() if readable else structlog.processors.JSONRenderer()
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_without_messages)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # At info these say that they connected, once per connection.
    for library in ("nameko", "kombu", "amqp", "werkzeug", "urllib3", "botocore"):
        logging.getLogger(library).setLevel(max(logging.WARNING, root.level))
    # At a stop this warns of each open HTTP connection that it closes.
    logging.getLogger("nameko.containers").setLevel(max(logging.ERROR, root.level))


def log_of(name: str) -> Any:
    """The logger of a module: `log.info("batch_accepted", batch_id=batch_id, accepted=n)`."""
    return structlog.get_logger(name)


def log_unexpected(log: Any, error: BaseException, event: str = "unexpected_error", **ids: Any) -> None:
    """Log an exception that no contract declares, by its type and where it came from."""
    log.error(event, error=describe(error), where=where(error), **ids)


def describe(error: BaseException) -> str:
    """An exception's type, with its message only where that cannot quote data."""
    name = type(error).__name__
    return f"{name}: {error}" if isinstance(error, _SAFE_MESSAGES) else name


def where(error: BaseException, deepest: int = 12) -> list[str]:
    """The lines of code an exception passed, the deepest last: "file:line function"."""
    frames = traceback.extract_tb(error.__traceback__)[-deepest:]
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]


def exposition() -> bytes:
    """All metrics of this process in Prometheus' text format."""
    return generate_latest()


def redact(_logger: Any, _method: str, entry: Entry) -> Entry:
    """Replaces every text that is not known to be an id or a technical word."""
    foreign = "_record" in entry and entry.get("_from_structlog") is False
    for name, value in entry.items():
        if not (name in TECHNICAL or name.endswith(("_id", "_ids")) or name.startswith("_") or _harmless(value)):
            entry[name] = REDACTED
    if foreign and not isinstance(entry.get("event"), str):
        entry["event"] = REDACTED
    return entry


def _harmless(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float)


def _add_service(service: str) -> Any:
    def add(_logger: Any, _method: str, entry: Entry) -> Entry:
        entry.setdefault("service", service)
        return entry

    return add


def _add_request(_logger: Any, _method: str, entry: Entry) -> Entry:
    context = current()
    if context is not None:
        entry.setdefault("correlation_id", context.correlation_id)
        if context.firm_id is not None:
            entry.setdefault("firm_id", context.firm_id)
    return entry


def _without_messages(record: logging.LogRecord) -> bool:
    """Libraries put exceptions and their messages into their log lines: leave the type and the place."""
    if isinstance(record.args, tuple) and any(isinstance(value, BaseException) for value in record.args):
        record.args = tuple(describe(value) if isinstance(value, BaseException) else value for value in record.args)
    if isinstance(record.exc_info, tuple) and record.exc_info[1] is not None:
        error = record.exc_info[1]
        if isinstance(record.msg, str):
            record.msg = f"{record.getMessage()} [{describe(error)} at {' < '.join(reversed(where(error, 3)))}]"
            record.args = ()
        record.exc_info = record.exc_text = None
    return True
