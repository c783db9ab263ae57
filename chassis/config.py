"""Settings that are declared, typed and checked before anything starts.

A setting comes from the environment, else from a YAML file (`${VARIABLE}` and `${VARIABLE:default}` are replaced), else
from its default. What is missing, unknown or of the wrong type stops the program with one sentence. The outcome is the
plain mapping that Nameko takes as its configuration.
"""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import yaml


class SettingsError(Exception):
    """One sentence that says which setting is wrong and what it should be."""


REQUIRED: Any = object()
"""As a default: the setting must be given."""
_SHORTEST_KEY = 16


@dataclass(frozen=True)
class Setting:
    """`parse` takes what was given (text from the environment, any YAML value from a file) and raises `ValueError`
    with a sentence that says what is wanted. A `secret` is never shown, not even when it is wrong. `needed_if` names
    another setting and its value with which this one must be given."""

    name: str
    parse: Callable[[Any], Any]
    help: str
    default: Any = REQUIRED
    secret: bool = False
    needed_if: tuple[str, str] | None = None


def text(value: Any) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("a text that is not empty")
    return value.strip()


def signing_key(value: Any) -> str:
    """A text that nobody finds by trying: of what it signs everybody holds examples."""
    key = text(value)
    if len(key) < _SHORTEST_KEY:
        raise ValueError(f"a random text of at least {_SHORTEST_KEY} characters (see docs/operations.md)")
    return key


def whole(least: int = 0, largest: int = 1_000_000_000) -> Callable[[Any], int]:
    """A whole number within limits."""

    def parse(value: Any) -> int:
        wanted = f"a whole number from {least} to {largest}"
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise ValueError(wanted)
        try:
            number = int(value)
        except ValueError:
            raise ValueError(wanted) from None
        if not least <= number <= largest:
            raise ValueError(wanted)
        return number

    return parse


def number(least: float = 0.0, largest: float = float("inf")) -> Callable[[Any], float]:
    """A number within limits."""

    def parse(value: Any) -> float:
        wanted = f"a number from {least:g} to {largest:g}"
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError(wanted)
        try:
            parsed = float(value)
        except ValueError:
            raise ValueError(wanted) from None
        if not least <= parsed <= largest:
            raise ValueError(wanted)
        return parsed

    return parse


def flag(value: Any) -> bool:
    """true or false; from the environment also yes, no, on, off, 1 and 0."""
    if isinstance(value, bool):
        return value
    known = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    if isinstance(value, str) and value.lower() in known:
        return known[value.lower()]
    raise ValueError("true or false")


def one_of(*options: str) -> Callable[[Any], str]:
    """One text out of several."""

    def parse(value: Any) -> str:
        if value not in options:
            raise ValueError(f"one of {', '.join(options)}")
        return str(value)

    return parse


def url(*schemes: str) -> Callable[[Any], str]:
    """An address with one of the schemes."""

    def parse(value: Any) -> str:
        wanted = f"an address that starts with {' or '.join(f'{scheme}://' for scheme in schemes)}"
        if not isinstance(value, str) or "://" not in value or urlsplit(value).scheme not in schemes:
            raise ValueError(wanted)
        return value

    return parse


def mapping_of(parse_value: Callable[[Any], Any]) -> Callable[[Any], dict[str, Any]]:
    """A mapping; from the environment `name=value` pairs with blanks between them."""

    def parse(value: Any) -> dict[str, Any]:
        if isinstance(value, str):
            pairs = [pair.partition("=") for pair in value.split()]
            if not all(name and sign for name, sign, _ in pairs):
                raise ValueError("pairs name=value with blanks between them")
            value = {name: found for name, _, found in pairs}
        if not isinstance(value, dict):
            raise ValueError("a mapping")
        return {str(name): parse_value(found) for name, found in value.items()}

    return parse


database_address = url("sqlite", "postgresql", "postgresql+psycopg2")

CHASSIS = (
    Setting("AMQP_URI", url("embedded", "amqp", "amqps", "pyamqp"), "the bus", "embedded://", secret=True),
    Setting("DATABASE_URLS", mapping_of(database_address), "each service's database, by service", None, secret=True),
    Setting("DATABASE_URL", database_address, "the database, where a process serves one service", None, secret=True),
    Setting(
        "MIGRATION_URLS",
        mapping_of(database_address),
        "for casewire migrate alone, on PostgreSQL: each database as the role that owns its tables",
        None,
        secret=True,
    ),
    Setting("FILES_URL", url("file", "s3"), "where uploaded files are kept", None),
    Setting("HEALTH_PORT", whole(1, 65535), "a port for /health/live, /health/ready and /metrics", None),
    Setting("HEALTH_HOST", text, "the address that the health port listens on", "0.0.0.0"),  # noqa: S104 # nosec B104
    Setting("HEARTBEAT", whole(0, 600), "seconds between heartbeats to the bus", 5),
    Setting("max_workers", whole(1, 10_000), "how many requests and events a service handles at once", 10),
    Setting("LOG_LEVEL", one_of("debug", "info", "warning", "error"), "the least severe line that is logged", "info"),
    Setting("LOG_FORMAT", one_of("json", "text"), "json, or text for people; chosen by the terminal if not set", None),
)
"""What the chassis itself reads."""

# Nameko's own, which are passed through unchecked.
_NAMEKO = {"WEB_SERVER_ADDRESS", "SERIALIZERS", "serializer", "ACCEPT", "AMQP_SSL", "LOGIN_METHOD", "TRANSPORT_OPTIONS"}


def load(
    declared: Iterable[Setting] = (),
    file: Path | str | None = None,
    environ: Mapping[str, str] | None = None,
    given: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The checked configuration: `declared` and `CHASSIS`. `given` (from a command line) goes before everything.

    Raises `SettingsError`.
    """
    environ = os.environ if environ is None else environ
    settings = {setting.name: setting for setting in (*CHASSIS, *declared)}
    in_file = {} if file is None else _read(Path(file), environ)
    for name in (*in_file, *(given or {})):
        if name not in settings and name not in _NAMEKO:
            raise SettingsError(f"unknown setting {name}{_perhaps(name, settings)}")
    outcome: dict[str, Any] = {name: value for name, value in {**in_file, **(given or {})}.items() if name in _NAMEKO}
    for setting in settings.values():
        value, origin = _find(setting, given or {}, environ, in_file)
        outcome[setting.name] = value if origin is None else _parse(setting, value, origin)
    for setting in settings.values():
        name, chosen = setting.needed_if or ("", None)
        if chosen is not None and outcome.get(name) == chosen and outcome[setting.name] is None:
            raise SettingsError(f"the setting {setting.name} is missing, since {name} is {chosen}: {setting.help}")
    return outcome


def load_or_exit(*args: Any, **kwargs: Any) -> dict[str, Any]:
    """`load`, but what is wrong is said on stderr and ends the program with status 2."""
    try:
        return load(*args, **kwargs)
    except SettingsError as error:
        stop(str(error))


def stop(sentence: str) -> NoReturn:
    """End the program because of its configuration: one sentence on stderr, status 2."""
    sys.stderr.write(f"casewire: {sentence}\n")
    raise SystemExit(2)


def _find(
    setting: Setting, given: Mapping[str, Any], environ: Mapping[str, str], in_file: Mapping[str, Any]
) -> tuple[Any, str | None]:
    if setting.name in given:
        return given[setting.name], "the command line"
    if environ.get(setting.name):
        return environ[setting.name], "the environment"
    if setting.name in in_file:
        return in_file[setting.name], "the settings file"
    if setting.default is REQUIRED:
        raise SettingsError(f"the setting {setting.name} is missing: {setting.help}")
    return setting.default, None


def _parse(setting: Setting, value: Any, origin: str) -> Any:
    try:
        return setting.parse(value)
    except ValueError as error:
        shown = "" if setting.secret or value is None else f", not {value!r}"
        raise SettingsError(f"the setting {setting.name} from {origin} should be {error}{shown}") from None


def _read(file: Path, environ: Mapping[str, str]) -> dict[str, Any]:
    try:
        found = yaml.safe_load(file.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"the settings file {file} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise SettingsError(f"the settings file {file} is not valid YAML") from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise SettingsError(f"the settings file {file} should hold a mapping of names to values")
    return {str(name): _replace(value, str(name), environ) for name, value in found.items()}


_VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::(?P<default>[^}]*))?\}")


def _replace(value: Any, name: str, environ: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _replace(entry, f"{name}.{key}", environ) for key, entry in value.items()}
    if isinstance(value, list):
        return [_replace(entry, name, environ) for entry in value]
    if not isinstance(value, str):
        return value

    def found(match: re.Match[str]) -> str:
        variable, default = match["name"], match["default"]
        if variable not in environ and default is None:
            # Nameko would load this as None and fail much later, or not at all.
            raise SettingsError(f"the setting {name} needs the environment variable {variable}, which is not set")
        return environ.get(variable, default or "")

    return _VARIABLE.sub(found, value)


def _perhaps(name: str, settings: Mapping[str, Setting]) -> str:
    near = difflib.get_close_matches(name, settings, 1)
    return f" (is {near[0]} meant?)" if near else ""
