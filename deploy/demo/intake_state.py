"""Where an intake stands, as the API tells it."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from deploy.demo.api import Api

Record = dict[str, Any]


class IntakeState:
    """Of one case: its tasks by their keys in the form, its form, and what the rule did."""

    def __init__(self, api: Api, case: Record) -> None:
        self._api, self._case = api, case
        self._path = f"/v1/cases/{case['id']}"

    def case(self) -> Record:
        found: Record = self._api.get(self._path)
        return found

    def tasks(self) -> dict[str, Record]:
        """Those of the form; others by their titles."""
        return {task["item_key"] or task["title"]: task for task in self._api.every(f"{self._path}/tasks")}

    def progress(self) -> Record:
        """Of the form."""
        forms = {form["id"]: form for form in self._api.every(f"{self._path}/forms")}
        found: Record = forms[self._case["case_form"]["id"]]
        return found["progress"] | {"completed_at": found["completed_at"]}

    def statuses(self) -> list[str]:
        """That the case has had, the first one first."""
        changes = self._api.every(f"{self._path}/status-changes", sort="at")
        return [str(change["to_status"]) for change in changes]

    def primary_email(self) -> str | None:
        """Of the client, in the record."""
        emails = self._api.get(f"/v1/clients/{self._case['client']['id']}")["emails"]
        return next((str(email["address"]) for email in emails if email["primary"]), None)

    def runs(self) -> list[Record]:
        """The log of automation rules for the case."""
        return list(self._api.every("/v1/automation-runs", case_id=self._case["id"]))

    def local_day(self, instant: str) -> dt.date:
        """The firm's day."""
        return dt.datetime.fromisoformat(instant).astimezone(self._zone()).date()

    def end_of_business_days(self, instant: str, days: int) -> dt.datetime:
        """The last second of the day that is so many of the firm's business days after an instant."""
        firm = self._api.get("/v1/firm")
        closed = {dt.date.fromisoformat(day) for day in firm["closed_days"]}

        def works(day: dt.date) -> bool:
            return day.weekday() < 5 and day not in closed

        day = self.local_day(instant)
        for _ in range(days):
            day += dt.timedelta(days=1)
            while not works(day):
                day += dt.timedelta(days=1)
        return dt.datetime.combine(day, dt.time(23, 59, 59), self._zone())

    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self._api.get("/v1/firm")["time_zone"])
