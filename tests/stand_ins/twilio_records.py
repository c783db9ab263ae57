"""What Twilio's API says of a message or a call, of many, and of a request that it refuses."""

from __future__ import annotations

import email.utils
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.stand_ins.server import Rule, response


def message_resource(message: dict[str, Any], status: str = "queued") -> dict[str, Any]:
    created = email.utils.formatdate(message["at"])
    return {
        "sid": message["sid"],
        "account_sid": "ACstandin",
        "to": message["to"],
        "from": message["from"],
        "body": message["body"],
        "status": status,
        "direction": "outbound-api",
        # A messaging service has not chosen the number yet that the message goes out from.
        "num_segments": "0" if status == "queued" and message["from"].startswith("MG") else "1",
        "num_media": "0",
        "price": None,
        "price_unit": "USD",
        "error_code": None,
        "error_message": None,
        "date_created": created,
        "date_updated": created,
        "date_sent": None,
        "api_version": "2010-04-01",
        "uri": f"/2010-04-01/Accounts/ACstandin/Messages/{message['sid']}.json",
        "subresource_uris": {},
        "messaging_service_sid": None,
    }


def call_resource(call: dict[str, Any], status: str = "queued") -> dict[str, Any]:
    created = email.utils.formatdate(call["at"])
    names = ("answered_by", "duration", "end_time", "parent_call_sid", "price", "start_time", "group_sid", "trunk_sid")
    return {
        **dict.fromkeys(names),
        "sid": call["sid"],
        "account_sid": "ACstandin",
        "to": call["to"],
        "from": call["from"],
        "status": status,
        "direction": "outbound-api",
        "price_unit": "USD",
        "date_created": created,
        "date_updated": created,
        "api_version": "2010-04-01",
        "uri": f"/2010-04-01/Accounts/ACstandin/Calls/{call['sid']}.json",
        "subresource_uris": {},
    }


def refusal_of(rule: Rule) -> bytes:
    headers = "" if rule.retry_after is None else f"Retry-After: {rule.retry_after:g}\r\n"
    error = {"status": rule.status, "code": rule.code or 20000 + rule.status, "message": "refused"}
    return response(rule.status, error, headers)


def sent_message(message: dict[str, Any]) -> dict[str, Any]:
    return message_resource(message, "sent")


def listing(
    kept: list[dict[str, Any]], name: str, resource: Callable[[dict[str, Any]], dict[str, Any]], target: str
) -> dict[str, Any]:
    query = dict(parse_qsl(urlsplit(target).query))
    wanted = {key: query[name] for name, key in (("To", "to"), ("From", "from")) if name in query}
    found = [one for one in reversed(kept) if all(one[key] == value for key, value in wanted.items())]
    return {
        name: [resource(one) for one in found[:1000]],
        "end": len(found),
        "first_page_uri": target,
        "next_page_uri": None,
        "page": 0,
        "page_size": 1000,
        "previous_page_uri": None,
        "start": 0,
        "uri": target,
    }
