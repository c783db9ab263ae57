"""What came of the demonstration: printed for people, and checked."""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import Any

from rich.console import Console
from rich.table import Table

from deploy.demo.answering import COUNTY
from deploy.demo.api import Api, wait_for
from deploy.demo.asking import STOPPING
from deploy.demo.intake_outcome import check_intake
from deploy.demo.opening import cases_to_open
from deploy.demo.stage import Story

# A call that began before the stop may reach the provider this much after it.
GRACE = dt.timedelta(milliseconds=100)
CALLED_STATES = ("sent", "delivered", "undelivered")
SETTLED_STATES = ("sent", "delivered", "failed", "undelivered", "suppressed", "cancelled")


def _time(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


class Outcome:
    """Reads the final state by the API and collects what is wrong with it."""

    def __init__(self, api: Api, console: Console, story: Story) -> None:
        self.api, self.console, self.story = api, console, story
        self.wrong: list[str] = []
        self.checked: list[str] = []

    def expect(self, holds: bool, what: str) -> None:
        (self.checked if holds else self.wrong).append(what)

    def check(self) -> list[str]:
        """All checks; returns what is wrong, a sentence each."""
        batch = self._sums()
        self._stops()
        self._answers()
        check_intake(self.api, self.story.intake, self.expect)
        table = Table(show_header=False, box=None, padding=(0, 2))
        table.add_row("  case tasks accepted", f"{batch['accepted']:,}")
        for state, count in batch["counts"].items():
            if count:
                table.add_row(f"  deliveries {state}", f"{count:,}")
        for reason, count in batch["suppressions"].items():
            if count:
                table.add_row(f"    suppressed: {reason.replace('_', ' ')}", f"{count:,}")
        table.add_row("  deliveries", f"{batch['deliveries']:,}")
        self.console.print(table)
        for what in self.checked:
            self.console.print(f"  [green]✓[/] {what}")
        for what in self.wrong:
            self.console.print(f"  [red]✗[/] {what}")
        return self.wrong

    def _sums(self) -> dict[str, Any]:
        imported = self.story.imported
        parts = sum(imported[name] for name in ("created", "updated", "skipped", "failed"))
        self.expect(parts == imported["read"], f"every row of the import is accounted for ({imported['read']:,})")
        self.expect(imported["created"] >= 1000, f"{imported['created']:,} clients were imported")
        self.expect(self.story.cases >= (cases_to_open() or 600), f"{self.story.cases:,} cases were opened")
        batch = self.api.get(f"/v1/message-batches/{self.story.batch_id}")
        rows = list(self.api.every(f"/v1/message-batches/{self.story.batch_id}/deliveries"))
        self.expect(batch["accepted"] == self.story.accepted == self.story.assigned,
                    f"{batch['accepted']:,} case tasks accepted, as many as were assigned")  # fmt: skip
        self.expect(sum(batch["counts"].values()) == batch["deliveries"] == len(rows),
                    f"the states of {batch['deliveries']:,} deliveries add up")  # fmt: skip
        self.expect(len({row["case_task_id"] for row in rows}) == batch["accepted"],
                    "every accepted case task is in the ledger")  # fmt: skip
        self.expect(all(row["state"] in SETTLED_STATES for row in rows), "every delivery is settled")
        suppressed = [row for row in rows if row["state"] == "suppressed"]
        self.expect(all(row["reason"] for row in suppressed), "every suppression has a reason")
        self.expect(
            {row["reason"] for row in suppressed} >= {"opted_out", "duplicate", "no_address", "client_blocked"},
            "who said no, shares a phone, has none or is blocked was left out, each for that reason",
        )
        called = sum(1 for row in [*rows, *self._texts_of_intake()] if row["state"] in CALLED_STATES)
        texts = [message for message in self.api.every("/sandbox/messages")
                 if message["direction"] == "outbound" and "/p/" in message["body"]]  # fmt: skip
        self.expect(called == len(texts), f"{len(texts):,} texts reached phones, one for each delivery sent")
        links = {text["body"].split("/p/")[1].split()[0] for text in texts}
        self.expect(len(links) == len(texts), "no link was sent twice")
        return batch

    def _texts_of_intake(self) -> list[dict[str, Any]]:
        """Of several questions to one client, the delivery whose one text tells of all of them."""
        rows = list(self.api.every(f"/v1/message-batches/{self.story.intake.batch_id}/deliveries"))
        leading = [row for row in rows if row["joined_to"] in (None, row["id"])]
        clients = {row["client_id"] for row in rows}
        self.expect(len(leading) == len(clients) == len(self.story.intake.cases) < len(rows),
                    f"{len(rows)} questions of the intake went out in {len(leading)} texts, one a client")  # fmt: skip
        spanish = next(case["client"] for case in self.story.intake.cases if case["client"]["language"] == "es")
        (text,) = self.api.every("/sandbox/messages", to=spanish["phones"][0]["number"])
        self.expect("para preparar su plan" in text["body"], "who speaks Spanish was texted in Spanish")
        return leading

    def _stops(self) -> None:
        """Nothing begun after a STOP committed, unless a START came after it."""
        late = blocked = 0
        for phone, said in self.story.replied.items():
            ledger = sorted(self.api.get("/v1/consents", address=phone)["data"], key=lambda entry: entry["at"])
            stops = [_time(entry["at"]) for entry in ledger if entry["state"] == "opted_out"]
            starts = [_time(entry["at"]) for entry in ledger if entry["state"] == "opted_in"]
            words = said.split(", ")
            if words[0] in STOPPING:
                blocked += bool(stops)
                end = starts[-1] if starts else dt.datetime.max.replace(tzinfo=dt.UTC)
                texts = [entry for entry in self.api.every("/sandbox/messages", to=phone) if "/p/" in entry["body"]]
                late += sum(1 for text in texts if stops and stops[0] + GRACE < _time(text["at"]) < end)
            else:
                self.expect(not stops, f"“{said}” did not block anybody")
        self.expect(
            blocked == len(STOPPING), f"{blocked} of {len(STOPPING)} ways to say stop are in the consent ledger"
        )
        self.expect(late == 0, "no text was begun after a STOP was committed")

    def _answers(self) -> None:
        """The answers are in the records they were mapped to."""
        by_kind = {
            kind: [row for row in self.story.answered if row["kind"] == kind] for kind in ("phone", "short_text")
        }
        self.expect(all(by_kind.values()), f"{len(self.story.answered)} clients answered on their page")
        for row in by_kind["short_text"]:
            wait_for("the county in the case", partial(self._shows_county, row), seconds=30)
        self.expect(True, f"{len(by_kind['short_text'])} cases show the county that was answered")
        for row in by_kind["phone"]:
            wait_for("the answer in the client's record", partial(self._phone_is_right, row), seconds=30)
            client = self.api.get(f"/v1/clients/{row['client_id']}")
            numbers = ", ".join(phone["number"] for phone in client["phones"]) or "none"
            self.console.print(f"  {client['first_name']} {client['last_name']}: phones now {numbers}")
        cleared = [row for row in by_kind["phone"] if row["blank"]]
        self.expect(bool(cleared), "a blank answer cleared a phone from the client's record")
        self.expect(len(by_kind["phone"]) > len(cleared), "an answered phone is in the client's record")

    def _shows_county(self, row: dict[str, Any]) -> bool:
        return bool(self.api.get(f"/v1/cases/{row['case_id']}")["custom_fields"].get("county") == COUNTY)

    def _phone_is_right(self, row: dict[str, Any]) -> bool:
        phones = self.api.get(f"/v1/clients/{row['client_id']}")["phones"]
        if row["blank"]:
            return row["address"] not in [phone["number"] for phone in phones]
        return any(phone["primary"] and phone["number"] == "+13055550187" for phone in phones)
