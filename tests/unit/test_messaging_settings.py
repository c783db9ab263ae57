"""Who carries what, and what must be told before email can be sent."""

from __future__ import annotations

import pytest

from chassis.config import Setting, SettingsError, load
from gateway.settings import SETTINGS as EDGE
from services.messaging.settings import SETTINGS as MESSAGING
from services.messaging.settings import MessagingSettings

COMMON = {"PUBLIC_URL": "https://casewire.test", "SECRET_KEY": "a key of a test's", "SEALING_KEYS_URL": "file:///keys"}


def test_each_channel_has_its_own_provider() -> None:
    settings = MessagingSettings.from_config({**COMMON, "PROVIDER": "twilio"})
    assert [settings.provider_of(channel) for channel in ("sms", "phone", "email")] == ["twilio", "twilio", "sandbox"]
    assert settings.channels_of("sandbox") == {"email"}
    settings = MessagingSettings.from_config({**COMMON, "EMAIL_PROVIDER": "ses", "SES_REGION": "us-east-1"})
    assert settings.channels_of("sandbox") == {"sms", "phone"}


@pytest.mark.parametrize(
    ("settings", "given", "missing"),
    [
        (MESSAGING, {"EMAIL_PROVIDER": "ses"}, "SES_REGION"),
        (MESSAGING, {"EMAIL_PROVIDER": "smtp"}, "SMTP_URL"),
        (EDGE, {"EMAIL_PROVIDER": "ses"}, "SNS_TOPICS"),
    ],
)
def test_a_provider_that_is_not_told_how_is_refused_in_one_sentence(
    settings: tuple[Setting, ...], given: dict[str, str], missing: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        load(settings, None, {**COMMON, **given})
    assert str(refused.value).startswith(f"the setting {missing} is missing, since EMAIL_PROVIDER is ")
    assert load(settings, None, COMMON)[missing] is None


@pytest.mark.parametrize("settings", [MESSAGING, EDGE])
def test_a_key_that_can_be_found_by_trying_is_refused(settings: tuple[Setting, ...]) -> None:
    assert load(settings, None, {**COMMON, "SECRET_KEY": "x" * 16})["SECRET_KEY"] == "x" * 16
    with pytest.raises(SettingsError) as refused:
        load(settings, None, {**COMMON, "SECRET_KEY": "z" * 15})
    assert "SECRET_KEY from the environment should be a random text of at least 16 characters" in str(refused.value)
    assert "zz" not in str(refused.value)
