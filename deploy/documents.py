"""The reference that is generated: docs/openapi.json, asyncapi.json and contracts.md from the contracts, settings.md
from what each service declares that it is told.

`python -m deploy.documents` writes them; with `--check` it only says which have drifted, and returns 1 if any has.
"""

from __future__ import annotations

import datetime as dt
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
from chassis.envelope import CONTENT_TYPE, wrap
from chassis.wire import event_data
from contracts.base import Event, Operation, declared
from deploy.deployables import DATABASES, DEPLOYABLES
from gateway.app import create_app
from gateway.settings import EdgeSettings

DOCS = Path(__file__).parent.parent / "docs"

_EXAMPLE_ID = "01a2145a-18d5-77a2-a2a9-28dbd2e55c36"
_EXAMPLE_FIRM = "018f4e9a-0000-7000-8000-000000000001"
_EXAMPLE_TIME = dt.datetime(2026, 11, 21, 15, tzinfo=dt.UTC)
_ABOUT_EVENTS = (
    "What happens in Casewire, for other systems. Bind a durable quorum queue of your own to the exchanges, "
    "acknowledge after your work, recognise repeats by `id`, and expect no order. Events hold no personal data: fetch "
    "it by the HTTP API. docs/events.md says more, and docs/examples/consumer.py is a whole consumer to copy."
)
_BROKER = {
    "host": "{host}:{port}",
    "pathname": "/{virtual_host}",
    "protocol": "amqp",
    "protocolVersion": "0.9.1",
    "description": "The installation's RabbitMQ, 3.10 or later. The embedded start has none.",
    "security": [{"$ref": "#/components/securitySchemes/account"}],
    "variables": {
        "host": {"default": "localhost"},
        "port": {"default": "5672"},
        "virtual_host": {"default": "casewire"},
    },
}


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
            # Two services may own events of one name.
            messages[f"{owner}.{event.name}"] = {
                "name": event.name,
                "summary": _first_paragraph(event.data),
                "contentType": CONTENT_TYPE,
                "payload": _envelope(event, owner, name),
                "correlationId": {"location": "$message.payload#/correlationid"},
                "examples": [{"name": "example", "payload": _example(event)}],
            }
            names.append(event.name)
        if names:
            exchange = {
                "name": f"{owner}.events", "type": "topic", "durable": True, "autoDelete": False,
            }  # fmt: skip
            channels[owner] = {
                "address": f"{owner}.events",
                "title": f"Events of {owner}",
                "description": "A topic exchange. The routing key is the event's name: bind a queue of your own with "
                "whole names, or with `*` for one word and `#` for any number of them.",
                "servers": [{"$ref": "#/servers/broker"}],
                "messages": {name: {"$ref": f"#/components/messages/{owner}.{name}"} for name in names},
                "bindings": {"amqp": {"is": "routingKey", "exchange": exchange, "bindingVersion": "0.3.0"}},
            }
            operations[f"{owner}.publish"] = {
                "action": "send",
                "channel": {"$ref": f"#/channels/{owner}"},
                "summary": f"{owner} tells what happened, at least once and in no certain order.",
                "messages": [{"$ref": f"#/channels/{owner}/messages/{name}"} for name in names],
                "bindings": {"amqp": {"deliveryMode": 2, "bindingVersion": "0.3.0"}},
            }
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Casewire events", "version": "v1", "description": _ABOUT_EVENTS},
        "defaultContentType": CONTENT_TYPE,
        "servers": {"broker": _BROKER},
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": messages,
            "schemas": spec.to_dict()["components"]["schemas"],
            "securitySchemes": {"account": {"type": "userPassword", "description": "An account at the broker."}},
        },
    }


def _envelope(event: Event, owner: str, schema: str) -> dict[str, Any]:
    """The schema of one event's messages, as `chassis.envelope.wrap` makes them."""
    text = {"type": "string"}
    again = "The same whenever the event comes again: what to recognise a repeat by."
    after = "The version of the record after the event: an older one that comes late is to be left."
    return {
        "type": "object",
        "required": ["specversion", "id", "source", "type", "time", "subject", "datacontenttype", "firmid", "data"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": {"type": "string", "format": "uuid", "description": again},
            "source": {"const": f"/casewire/{owner}"},
            "type": {"const": event.name},
            "time": {"type": "string", "format": "date-time"},
            "subject": {**text, "description": "The id of what the event is about."},
            "datacontenttype": {"const": "application/json"},
            "firmid": {"type": "string", "format": "uuid", "description": "Whose it is."},
            "correlationid": {**text, "description": "The same in all that follows from one request."},
            "aggregateversion": {"type": "integer", "description": after},
            "data": {"$ref": f"#/components/schemas/{schema}"},
        },
    }


def _example(event: Event) -> dict[str, Any]:
    """A whole message."""
    data = event_data(event, event.data().load(event.example))
    subject = next((value for name, value in data.items() if name.endswith("_id") and value), _EXAMPLE_ID)
    return wrap(
        source=event.owner,
        event_id=_EXAMPLE_ID,
        name=event.name,
        firm_id=_EXAMPLE_FIRM,
        subject=str(subject),
        time=_EXAMPLE_TIME,
        data=data,
        correlation_id=_EXAMPLE_ID,
    )


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


def _first_paragraph(schema: type[Schema]) -> str:
    written = schema.__doc__ if "__doc__" in vars(schema) else None
    return " ".join((written or schema.__name__).partition("\n\n")[0].split())


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
