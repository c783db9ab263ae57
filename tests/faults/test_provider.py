"""Rows 11 and 12 in quick forms: the whole system with Twilio's client against a stand-in that fails in every way, and
whose signed callbacks come doubled and before the answer."""

from __future__ import annotations

from tests.faults import providers
from tests.faults.figures import demand
from tests.faults.work import Firm, Load


def test_row_11_a_provider_that_wants_fewer_requests(with_twilio: Firm) -> None:
    demand(providers.slow_down(with_twilio, Load(120, 50, 60.0), print))


def test_row_12_a_provider_that_fails_after_it_has_accepted(with_twilio: Firm) -> None:
    demand(providers.fail_after_accepting(with_twilio, Load(120, 2, 60.0), print, halves=(True,)))
