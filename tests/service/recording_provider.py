"""A provider that records every request it accepts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from services.messaging.adapters.base import Absent, Accepted, Deferred, Figures, Finding, Outgoing, Question, Result
from services.messaging.adapters.in_time import demand_in_time


class RecordingProvider:
    """Accepts everything, unless `answer` says otherwise; `accepted` is the oracle."""

    name = "recording"
    seconds = 5.0
    ask_after = (60.0, 300.0, 1800.0)

    def __init__(self, clock: Callable[[], dt.datetime]) -> None:
        self.clock = clock
        self.accepted: list[Outgoing] = []
        self.asked: list[Question] = []
        self.answer: Callable[[Outgoing], Result | None] = lambda message: None
        self.before_answer: Callable[[Outgoing], None] = lambda message: None
        self.priced: list[str] = []
        self.price: Callable[[str], Figures | Deferred | None] = lambda provider_id: Figures()

    def send(self, message: Outgoing) -> Result:
        demand_in_time()
        refused = self.answer(message)
        if refused is not None:
            return refused
        self.accepted.append(message)
        self.before_answer(message)
        return Accepted(f"SM{len(self.accepted)}", "queued")

    def find(self, question: Question) -> Finding:
        self.asked.append(question)
        for number, message in enumerate(self.accepted, 1):
            if message.token == question.token:
                return Accepted(f"SM{number}", "sent")
        return Absent()

    def figures(self, provider_id: str, channel: str) -> Figures | Deferred | None:
        self.priced.append(provider_id)
        return self.price(provider_id)

    def texts_to(self, address: str) -> list[str]:
        return [message.body for message in self.accepted if message.to == address]
