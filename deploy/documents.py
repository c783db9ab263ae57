"""The reference that is generated: docs/openapi.json, asyncapi.json and contracts.md from the contracts, settings.md
from what each service declares that it is told.

`python -m deploy.documents` writes them; with `--check` it only says which have drifted, and returns 1 if any has.
"""

from __future__ import annotations

import importlib
import json
import sys
import warnings
from pathlib import Path
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema

from chassis.config import CHASSIS, REQUIRED, Setting
from contracts.base import Event, Operation, declared
from deploy.deployables import DATABASES, DEPLOYABLES
from gateway.app import create_app
from gateway.settings import EdgeSettings

DOCS = Path(__file__).parent.parent / "docs"


def render() -> dict[str, str]:
    """The content of each generated file, by its name in docs/."""
    with warnings.catch_warnings():
        # Two routes that take the same fields in another way share a schema's name; apispec numbers them.
        warnings.filterwarnings("ignore", "Multiple schemas resolved to the name")
        return {
            "openapi.json": _as_json(_openapi()),
            "asyncapi.json": _as_json(_asyncapi()),
            "contracts.md": _operations_and_events(),
            "settings.md": _settings(),
        }


def _openapi() -> Any:
    settings = EdgeSettings.from_config(
        {"PUBLIC_URL": "http://localhost:8000", "SECRET_KEY": "-", "SANDBOX_PAGES": True}
    )
    return create_app(settings).test_client().get("/openapi.json").get_json()


def _contracts() -> dict[str, tuple[list[Operation], list[Event]]]:
    return {name: declared(importlib.import_module(f"contracts.{name}")) for name in DATABASES}


def _asyncapi() -> dict[str, Any]:
    """Every event as AsyncAPI 3.0: a channel per owner's exchange, a message per event, in a CloudEvents envelope."""
    spec = APISpec("Casewire events", "v1", "3.1.0", plugins=[MarshmallowPlugin(schema_name_resolver=_schema_name)])
    messages: dict[str, Any] = {}
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for owner, (_, events) in _contracts().items():
        names = []
        for event in sorted(events, key=lambda event: event.name):
            name = _schema_name(event.data)
            if name not in spec.components.schemas:
                spec.components.schema(name, schema=event.data)
            messages[event.name] = {
                "name": event.name,
                "summary": _first_line(event.data),
                "contentType": "application/cloudevents+json",
                "payload": _envelope(event, owner, name),
                "examples": [{"payload": {"type": event.name, "data": event.example}}],
            }
            names.append(event.name)
        if names:
            channels[owner] = {
                "address": f"{owner}.events",
                "description": "A topic exchange; the routing key is the event's name.",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
                "bindings": {"amqp": {"is": "routingKey", "exchange": {"name": f"{owner}.events", "type": "topic"}}},
            }
            operations[f"{owner}.publish"] = {"action": "send", "channel": {"$ref": f"#/channels/{owner}"}}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Casewire events", "version": "v1"},
        "defaultContentType": "application/cloudevents+json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": spec.to_dict()["components"]["schemas"]},
    }


def _envelope(event: Event, owner: str, schema: str) -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "type": "object",
        "required": ["specversion", "id", "source", "type", "time", "subject", "firmid", "data"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": {"type": "string", "format": "uuid"},
            "source": {**text, "examples": [f"casewire/{owner}"]},
            "type": {"const": event.name},
            "time": {"type": "string", "format": "date-time"},
            "subject": {**text, "description": "The id of what the event is about."},
            "firmid": {"type": "string", "format": "uuid"},
            "correlationid": text,
            "data": {"$ref": f"#/components/schemas/{schema}"},
        },
    }


def _operations_and_events() -> str:
    """Each service's operations and events as tables, for people."""
    lines = [
        "# Operations and events",
        "",
        "Generated from `contracts/` by `make openapi`. The events' schemas are in [asyncapi.json](asyncapi.json), the",
        "HTTP API in [openapi.json](openapi.json). Only services and the gateway call operations.",
    ]
    for owner, (operations, events) in _contracts().items():
        lines += ["", f"## {owner}", "", "| operation | takes | errors | deadline |", "|---|---|---|---|"]
        for operation in operations:
            errors = ", ".join(sorted({error.__name__ for error in operation.errors})) or "none"
            takes = ", ".join(f"`{name}`" for name in operation.request().fields) or "nothing"
            lines.append(f"| `{operation.name}` | {takes} | {errors} | {operation.deadline:g} s |")
        if events:
            lines += ["", "| event | data |", "|---|---|"]
        for event in sorted(events, key=lambda event: event.name):
            data = ", ".join(f"`{name}`" for name in event.data().fields) or "nothing"
            lines.append(f"| `{event.name}` | {data} |")
    return "\n".join(lines) + "\n"


def _settings() -> str:
    """Every setting, with who reads it and its default."""
    readers: dict[str, list[str]] = {}
    declared: dict[str, Setting] = {setting.name: setting for setting in CHASSIS}
    for entry in DEPLOYABLES.values():
        for setting in entry.settings():
            readers.setdefault(setting.name, []).append(entry.name)
            declared.setdefault(setting.name, setting)
    lines = [
        "# Settings",
        "",
        "Generated by `make openapi`. A setting comes from the environment, else from the YAML file of `--settings`",
        "(`${VARIABLE}` and `${VARIABLE:default}` are replaced), else from its default. What is missing, unknown or of",
        "the wrong type ends the program at its start with one sentence and status 2.",
        "",
        "| setting | read by | what it is | default |",
        "|---|---|---|---|",
    ]
    for name, setting in declared.items():
        who = ", ".join(readers.get(name, ["every service"]))
        default = "must be given" if setting.default is REQUIRED else _shown(setting.default)
        lines.append(f"| `{name}` | {who} | {setting.help}{' (secret)' if setting.secret else ''} | {default} |")
    return "\n".join(lines) + "\n"


def _shown(default: Any) -> str:
    return "not set" if default is None else f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _schema_name(schema: Any) -> str:
    """Schemas of different contracts may have one name: the contract's goes before it."""
    kind = schema if isinstance(schema, type) else type(schema)
    owner = kind.__module__.rpartition(".")[2]
    return f"{owner}.{kind.__name__}"


def _first_line(schema: type[Schema]) -> str:
    written = schema.__doc__ if "__doc__" in vars(schema) else None
    return (written or schema.__name__).strip().splitlines()[0]


def _as_json(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> int:
    """Write the files, or with `--check` say which have drifted."""
    check = "--check" in sys.argv[1:]
    drifted = []
    for name, content in render().items():
        file = DOCS / name
        if check and (not file.exists() or file.read_text() != content):
            drifted.append(name)
        elif not check:
            file.write_text(content)
    for name in drifted:
        print(f"docs/{name} is not what the code declares: run `make openapi`")
    return 1 if drifted else 0


if __name__ == "__main__":
    raise SystemExit(main())
