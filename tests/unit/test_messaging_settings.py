"""Who carries what, and what must be told before email can be sent."""

from __future__ import annotations

import pytest

from chassis.columns import new_id
from chassis.config import Setting, SettingsError, load
from contracts.errors import Gone
from gateway.settings import SETTINGS as EDGE
from services.messaging.consents.unsubscribing import UnsubscribeLinks
from services.messaging.settings import SETTINGS as MESSAGING
from services.messaging.settings import MessagingSettings

COMMON = {"PUBLIC_URL": "https://casewire.test", "SECRET_KEY": "a key of a test's", "SEALING_KEYS_URL": "file:///keys"}


def test_what_the_key_before_signed_still_takes_somebody_off_email() -> None:
    firm_and_delivery = (new_id(), new_id())

    def links(**given: str) -> UnsubscribeLinks:
        return MessagingSettings.from_config(load(MESSAGING, None, {**COMMON, **given})).unsubscribing

    def made_by(links: UnsubscribeLinks) -> str:
        return links.url_of(*firm_and_delivery).rpartition("/")[2]

    new = {"SECRET_KEY": "n" * 16}
    changed = links(**new, SECRET_KEY_BEFORE=COMMON["SECRET_KEY"])
    assert changed.read(made_by(links())) == firm_and_delivery
    assert links(**new).read(made_by(changed)) == firm_and_delivery
    with pytest.raises(Gone):
        links(**new).read(made_by(links()))


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
