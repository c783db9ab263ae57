"""What tasks is told at start."""

from __future__ import annotations

from typing import Any

from nameko.extensions import DependencyProvider

from chassis.config import Setting, whole
from chassis.sealing import SEALING_KEYS_URL

AUTOMATION_LOG_DAYS = Setting(
    "AUTOMATION_LOG_DAYS", whole(1, 3650), "days for which it is kept what automation rules did", 180
)
SETTINGS = (AUTOMATION_LOG_DAYS, SEALING_KEYS_URL)


class AutomationLogDays(DependencyProvider):
    """For how many days the log of rules is kept."""

    def setup(self) -> None:
        self._days = int(self.container.config.get(AUTOMATION_LOG_DAYS.name, AUTOMATION_LOG_DAYS.default))

    def get_dependency(self, worker_ctx: Any) -> int:
        return self._days
