"""What the provider accepted, by delivery: the judge of every row."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Any, Protocol

from tests.faults.deployments import Deployment
from tests.stand_ins.twilio import TwilioStandIn

ACCOUNT = {"PROVIDER": "twilio", "TWILIO_ACCOUNT_SID": "ACtest"}


class Oracle(Protocol):
    """`accepted` lists each request that the provider took: {token, to, body, at}, `at` in seconds since the epoch and
    `token` the delivery's id without dashes."""

    def accepted(self) -> list[dict[str, Any]]: ...


class SandboxOracle:
    """The sandbox's own table."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment

    def accepted(self) -> list[dict[str, Any]]:
        statement = (
            "SELECT delivery_token, recipient, body, at FROM sandbox_message "
            "WHERE direction = 'outbound' AND delivery_token IS NOT NULL"
        )
        return [
            {"token": str(token).replace("-", ""), "to": to, "body": body, "at": seconds_of(at)}
            for token, to, body, at in self._deployment.ask("messaging", statement)
        ]


class TwilioOracle:
    """The stand-in's record."""

    def __init__(self, twilio: TwilioStandIn) -> None:
        self.twilio = twilio

    def accepted(self) -> list[dict[str, Any]]:
        return [
            {**message, "token": str(message["token"]).replace("-", "")}
            for message in self.twilio.accepted()
            if message["token"]
        ]


def by_delivery(oracle: Oracle, deliveries: set[str]) -> Counter[str]:
    """How many requests the provider accepted for each of these deliveries."""
    return Counter(message["token"] for message in oracle.accepted() if message["token"] in deliveries)


def seconds_of(at: Any) -> float:
    """A database's instant in seconds since the epoch."""
    moment = at if isinstance(at, dt.datetime) else dt.datetime.fromisoformat(at)
    return moment.timestamp()
