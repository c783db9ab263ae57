"""Logs say what happened to which ids, and never whose they are."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from chassis import telemetry
from chassis.context import Context, use
from contracts.errors import NotFound


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    level = root.level
    yield
    root.handlers.clear()
    root.setLevel(level)
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_says_which_request_and_which_firm(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.configure("clients", "info", "json")
    with use(Context("firm-1", correlation_id="c-1")):
        telemetry.log_of("clients").info("batch_accepted", batch_id="b-1", accepted=3)
    (line,) = lines(capsys)
    assert (line["event"], line["service"], line["batch_id"], line["accepted"]) == (
        "batch_accepted",
        "clients",
        "b-1",
        3,
    )
    assert (line["correlation_id"], line["firm_id"], line["level"]) == ("c-1", "firm-1", "info")


def test_what_is_not_an_id_is_redacted(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.configure("clients", "info", "json")
    telemetry.log_of("clients").info("saved", phone="+15550100", first_name="Maria", tags=["vip"], code="x")
    (line,) = lines(capsys)
    assert (line["phone"], line["first_name"], line["tags"], line["code"]) == ("[redacted]",) * 3 + ("x",)


def test_what_operators_are_told_to_look_for_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.configure("clients", "info", "json")
    log = telemetry.log_of("test")
    log.warning("queues_not_declared", remedy="casewire queues declare")
    log.error("sealed_value_refused", table="client", column="custom_fields", row_id="c1")
    for line in lines(capsys):
        assert "[redacted]" not in line.values()


def test_an_unexpected_error_is_logged_without_its_message(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.configure("clients", "info", "json")
    try:
        raise ValueError("Maria Lopez")
    except ValueError as error:
        telemetry.log_unexpected(telemetry.log_of("clients"), error, client_id="c-1")
    text = capsys.readouterr().err
    assert "Maria" not in text
    assert "ValueError" in text
    assert "test_chassis_telemetry.py" in text


def test_libraries_take_the_same_way(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.configure("clients", "info", "json")
    error = KeyError("Maria Lopez")
    logging.getLogger("nameko.containers").error("error handling worker %s: %s", "<worker>", error, exc_info=error)
    (line,) = lines(capsys)
    assert "Maria" not in json.dumps(line)
    assert str(line["event"]).startswith("error handling worker <worker>: KeyError [KeyError at")


def test_a_declared_error_keeps_its_message() -> None:
    assert telemetry.describe(NotFound("client_not_found", client_id="7")) == "NotFound: client_not_found client_id=7"
