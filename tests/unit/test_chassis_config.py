"""Settings are checked before anything starts, and what is wrong is said in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from chassis.config import Setting, SettingsError, flag, load, load_or_exit, number, one_of, text, url, whole

RATE = Setting("SMS_RATE", whole(1, 100), "texts a second", 10)
TOKEN = Setting("TWILIO_TOKEN", text, "Twilio's token", secret=True)


def written(folder: Path, content: str) -> Path:
    file = folder / "settings.yaml"
    file.write_text(content)
    return file


def test_the_environment_goes_before_the_file_and_the_file_before_the_default(tmp_path: Path) -> None:
    file = written(tmp_path, "SMS_RATE: 20\nHEARTBEAT: 7\n")
    assert load([RATE], file, {"SMS_RATE": "30"})["SMS_RATE"] == 30
    found = load([RATE], file, {})
    assert (found["SMS_RATE"], found["HEARTBEAT"], found["max_workers"]) == (20, 7, 10)
    assert load([RATE], file, {"SMS_RATE": "30"}, {"SMS_RATE": 40})["SMS_RATE"] == 40


def test_variables_in_the_file_are_replaced(tmp_path: Path) -> None:
    file = written(tmp_path, "DATABASE_URLS:\n  clients: postgresql://u:${PASSWORD}@db/${NAME:clients}\n")
    assert load([], file, {"PASSWORD": "p"})["DATABASE_URLS"] == {"clients": "postgresql://u:p@db/clients"}


def test_a_mapping_can_come_from_the_environment() -> None:
    given = {"DATABASE_URLS": "clients=sqlite:///c.db cases=sqlite:///d.db"}
    assert load([], None, given)["DATABASE_URLS"] == {"clients": "sqlite:///c.db", "cases": "sqlite:///d.db"}


@pytest.mark.parametrize(
    ("content", "environment", "sentence"),
    [
        ("", {}, "the setting TWILIO_TOKEN is missing: Twilio's token"),
        ("TWILIO_TOKEN: t\nSMS_RAT: 1\n", {}, "unknown setting SMS_RAT (is SMS_RATE meant?)"),
        ("TWILIO_TOKEN: t\nSMS_RATE: many\n", {}, "SMS_RATE from the settings file should be a whole number from 1"),
        ("TWILIO_TOKEN: t\n", {"SMS_RATE": "1.5"}, "SMS_RATE from the environment should be a whole number"),
        ("TWILIO_TOKEN: ${UNSET}\n", {}, "TWILIO_TOKEN needs the environment variable UNSET, which is not set"),
        ("TWILIO_TOKEN: t\nAMQP_URI: http://x\n", {}, "AMQP_URI from the settings file should be an address"),
        ("[1, 2]", {}, "should hold a mapping"),
        ("a: [", {}, "is not valid YAML"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, content: str, environment: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load([RATE, TOKEN], written(tmp_path, content), environment)
    assert sentence in str(caught.value)


def test_a_secret_is_not_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        load([], None, {"AMQP_URI": "http://guest:hidden@host"})  # pragma: allowlist secret
    assert "hidden" not in str(caught.value)


def test_the_program_ends_with_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        load_or_exit([TOKEN], None, {})
    assert caught.value.code == 2
    assert capsys.readouterr().err == "casewire: the setting TWILIO_TOKEN is missing: Twilio's token\n"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        load([], tmp_path / "none.yaml", {})


@pytest.mark.parametrize(
    ("parse", "good", "value", "bad"),
    [
        (flag, "on", True, "maybe"),
        (flag, False, False, 1),
        (number(0, 1), "0.5", 0.5, "2"),
        (one_of("a", "b"), "a", "a", "c"),
        (text, " x ", "x", " "),
        (url("s3", "file"), "s3://bucket", "s3://bucket", "bucket"),
        (whole(1, 5), "5", 5, True),
    ],
)
def test_parsers(parse: object, good: object, value: object, bad: object) -> None:
    assert callable(parse)
    assert parse(good) == value
    with pytest.raises(ValueError):
        parse(bad)
