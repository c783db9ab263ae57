"""Whatever happens, in whatever order: sums add up, what is joined follows, nothing goes out twice or after a STOP."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from chassis.columns import new_id
from contracts.errors import Conflict
from services.messaging import batches, closed_tasks, deliveries
from services.messaging.adapters.base import Deferred, NotConnected, Outgoing, Refused, Result, Unknown
from services.messaging.models import OPEN, Delivery
from services.messaging.statuses import record_delivery_status
from tests.service.messaging_desk import Desk, desk
from tests.service.one_database import in_turn

__all__ = ["desk"]

STEPS = 50
TAKEN_BACK = ("30001", "30022")
"""A provider's word afterwards that it never tried."""


class Story:
    """A firm to which things happen. `random` decides which."""

    def __init__(self, desk: Desk, seed: int) -> None:
        self.desk, self.random = desk, random.Random(seed)
        self.people = [desk.person() for _ in range(6)]
        desk.people[self.people[1]]["sms"] = desk.number(self.people[0])
        self.tasks = [desk.task() for _ in range(8)]
        self.batches: list[str] = []
        self.stopped: dict[str, int] = {}
        self.dropped: Counter[str] = Counter()
        desk.provider.answer = self.answer

    def answer(self, message: Outgoing) -> Result | None:
        results: list[Result | None] = [
            Deferred(5.0), NotConnected(), Unknown("timeout"), Refused("30007"), Refused("21611"), Refused("20003"),
        ]  # fmt: skip
        return self.random.choice([None] * 6 + results)

    def ask(self) -> None:
        joined = self.random.random() < 0.6
        items = [
            self.desk.item(*self.random.sample(self.people, self.random.randint(1, 3)), case_task_id=case_task_id)
            for case_task_id in self.random.sample(self.tasks, self.random.randint(1, 5))
        ]
        same = {
            "batch_id": new_id(), "chunks": 2, "accepted": len(items), "content_id": self.desk.content(),
            "coalesce": joined, "allow_repeat": self.random.random() < 0.5,
        }  # fmt: skip
        half = len(items) // 2
        for chunk, some in ((2, items[half:]), (1, items[:half])):
            for _ in range(self.random.randint(1, 2)):
                self.desk.ask(some, chunk=chunk, **same)
        self.batches.append(str(same["batch_id"]))

    def command(self) -> None:
        if self.batches:
            run = self.random.choice((batches.pause_batch, batches.resume_batch, batches.cancel_batch))
            try:
                run(self.desk.db, self.desk.calls, batch_id=self.random.choice(self.batches))
            except Conflict:
                pass

    def hear(self) -> None:
        sent = [row for row in self.desk.deliveries() if row.state in ("sent", "unknown", "sending") and row.attempts]
        if sent:
            row = self.random.choice(sent)
            word, code = self.random.choice(
                [("delivered", None), ("undelivered", "30003"), ("failed", TAKEN_BACK[0]), ("failed", TAKEN_BACK[1])]
            )
            provider_id = row.provider_id or f"SM-{new_id()}"
            for _ in range(2):
                given = {"provider_id": provider_id, "status": word, "error_code": code, "token": row.id}
                applied = record_delivery_status(self.desk.everywhere, provider="twilio", **given)["applied"]
                if applied and code in TAKEN_BACK:
                    self.dropped[row.id] += 1

    def stop(self) -> None:
        number = self.desk.number(self.random.choice(self.people))
        self.desk.reply(number, "STOP")
        self.stopped.setdefault(number, len(self.desk.provider.texts_to(number)))

    def close(self) -> None:
        task = self.random.choice(self.tasks)
        self.desk.tasks[task]["status"] = "completed"
        with self.desk.db.unit_of_work() as uow:
            closed_tasks.suppress(uow, [(task, self.desk.clock())], self.desk.clock())

    def change(self) -> None:
        person = self.random.choice(self.people)
        with self.desk.db.unit_of_work() as uow:
            if self.random.random() < 0.2:
                self.desk.people[person]["state"] = "erased"
                deliveries.suppress_erased(uow, person, self.desk.clock())
            else:
                deliveries.prepare_again(uow, [person], self.desk.clock())

    def go_on(self) -> None:
        self.desk.clock.advance(seconds=self.random.choice([1, 30, 200, 3600]))
        self.desk.sending.settle_some()
        self.desk.sending.finish_some()

    def step(self) -> None:
        often: list[Callable[[], Any]] = [self.desk.prepare, self.desk.send, self.go_on, self.ask, self.hear]
        seldom: list[Callable[[], Any]] = [self.command, self.close, self.change, self.stop]
        self.random.choice(often if self.random.random() < 0.8 else seldom)()

    def check(self) -> None:
        rows: dict[str, Delivery] = {row.id: row for row in self.desk.deliveries()}
        for row in rows.values():
            if row.joined_to not in (None, row.id):
                leader = rows[row.joined_to]
                assert leader.joined_to == leader.id, "who leads is joined to itself"
                same = ("state", "reason", "client_id", "channel", "batch_id", "sent_at")
                assert [getattr(row, name) for name in same] == [getattr(leader, name) for name in same]
                assert row.attempts == 0
        for batch_id in self.batches:
            batch = self.desk.batch(batch_id)
            assert sum(batch["counts"].values()) == batch["deliveries"] == batch["progress"]["total"]
            assert sum(batch["suppressions"].values()) == batch["counts"].get("suppressed", 0)
            if batch["state"] == "finished":
                assert not any(batch["counts"].get(state) for state in OPEN)
        requests = Counter(message.token for message in self.desk.provider.accepted)
        for token, count in requests.items():
            assert count <= 1 + self.dropped[token], "sent twice"
        for number, before in self.stopped.items():
            firm_texts = [text for text in self.desk.provider.texts_to(number)[before:] if "opted out" not in text]
            assert firm_texts == [], "after a STOP"


@in_turn("seed", range(4))
def test_whatever_happens_sums_add_up(desk: Desk, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.messaging.statuses.utc_now", desk.clock)
    story = Story(desk, seed)
    for _ in range(STEPS):
        story.step()
        story.check()
    desk.provider.answer = lambda message: None
    for batch_id in story.batches:
        if desk.batch(batch_id)["state"] == "paused":
            batches.resume_batch(desk.db, desk.calls, batch_id=batch_id)
    for _ in range(6):
        desk.clock.advance(minutes=40)
        desk.sending.settle_some()
        desk.run()
        story.check()
    for batch_id in story.batches:
        assert desk.batch(batch_id)["state"] in ("finished", "cancelled"), desk.outcome(batch_id)
