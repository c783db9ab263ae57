"""Fault rows 11 and 12 in quick forms: the whole system with Twilio's client against a stand-in that fails in every
way, and whose signed callbacks come doubled and before the answer."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.faults.office import Office
from tests.stand_ins.twilio import TwilioStandIn
from tests.systems import embedded, eventually

CLIENTS = 80


def test_a_provider_that_fails_loses_nothing_and_gets_nothing_twice(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with TwilioStandIn() as twilio:
        environment = {
            "PROVIDER": "twilio",
            "TWILIO_ACCOUNT_SID": "ACtest",
            "TWILIO_AUTH_TOKEN": "the account's secret",
            "TWILIO_API_URL": twilio.url,
        }
        with embedded(folder, environment) as system:
            office = Office(system.api, folder)
            numbers = office.open(CLIENTS, rate=100.0)
            twilio.call_back("the account's secret", statuses=["delivered"], repeat=2)
            # First, for the first rule that fits decides.
            twilio.when("refuse", to=numbers[7], status=400, code=21610)
            twilio.when("refuse", status=429, retry_after=1, every=20, times=3)
            twilio.when("cut", every=10)
            twilio.when("error", status=500, every=12)
            batch_id = office.ask_all()

            def settled() -> bool:
                return office.batch(batch_id)["counts"] == {"delivered": CLIENTS - 1, "suppressed": 1}

            eventually(settled, "every delivery settled", 120)
            texts = Counter(message["to"] for message in twilio.accepted())
            assert texts == dict.fromkeys(set(numbers) - {numbers[7]}, 1)
            (opted_out,) = [row for row in office.rows(batch_id) if row["state"] == "suppressed"]
            assert (opted_out["address"], opted_out["reason"]) == (numbers[7], "opted_out")
            (entry,) = system.api.get("/v1/consents", address=numbers[7])["data"]
            assert (entry["state"], entry["source"]) == ("opted_out", "provider")
            finished = office.finished(batch_id)
            assert finished["deliveries"] == CLIENTS
