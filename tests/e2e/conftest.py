"""Embedded systems for the tests that only ask them things. Each start costs five seconds of a processor."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stand_ins.ses import SesStandIn
from tests.stand_ins.sns import ARN
from tests.stand_ins.twilio import TwilioStandIn
from tests.systems import Embedded, embedded

TWILIO_TOKEN = "a-test-token"


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """A running embedded system, shared by the tests of this folder."""
    folder: Path = tmp_path_factory.mktemp("system") / "data"
    with embedded(folder) as running:
        yield running


@pytest.fixture(scope="session")
def twilio() -> Iterator[TwilioStandIn]:
    """A stand-in for Twilio."""
    with TwilioStandIn() as running:
        yield running


@pytest.fixture(scope="session")
def ses() -> Iterator[SesStandIn]:
    """A stand-in for Amazon SES."""
    with SesStandIn() as running:
        yield running


@pytest.fixture(scope="session")
def with_providers(
    twilio: TwilioStandIn, ses: SesStandIn, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Embedded]:
    """A running embedded system that sends through Twilio's and SES's clients, to the stand-ins."""
    environment = {
        "PROVIDER": "twilio",
        "TWILIO_ACCOUNT_SID": "ACstandin",
        "TWILIO_AUTH_TOKEN": TWILIO_TOKEN,
        "TWILIO_API_URL": twilio.url,
        "EMAIL_PROVIDER": "ses",
        "SES_REGION": "us-east-1",
        "SES_ENDPOINT_URL": ses.url,
        "SES_CONFIGURATION_SET": "casewire",
        "SNS_TOPICS": ARN,
        "SNS_CERT_HOSTS": "127.0.0.1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",  # pragma: allowlist secret
    }
    with embedded(Path(tmp_path_factory.mktemp("providers")) / "data", environment) as running:
        yield running
