"""One running system for the quick forms of several rows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.deployments import distributed, single
from tests.faults.oracles import ACCOUNT, SandboxOracle, TwilioOracle
from tests.faults.work import Firm
from tests.stand_ins.twilio import TwilioStandIn

RECIPIENTS = 120


@pytest.fixture(scope="module")
def on_servers() -> Iterator[Firm]:
    """A firm on RabbitMQ and PostgreSQL, with two dispatchers."""
    with distributed({"dispatcher": 2}) as deployment:
        yield Firm(deployment, SandboxOracle(deployment)).open(RECIPIENTS)


@pytest.fixture(scope="module")
def on_files() -> Iterator[Firm]:
    """A firm on the embedded default."""
    with single() as deployment:
        yield Firm(deployment, SandboxOracle(deployment)).open(RECIPIENTS)


@pytest.fixture(scope="module")
def with_twilio() -> Iterator[Firm]:
    """A firm on the embedded default that sends through Twilio's client, to a stand-in."""
    with TwilioStandIn() as twilio, single({**ACCOUNT, "TWILIO_API_URL": twilio.url}) as deployment:
        yield Firm(deployment, TwilioOracle(twilio)).open(RECIPIENTS)
