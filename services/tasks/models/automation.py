"""Automation rules, and each time that one was triggered."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import ForeignKeyConstraint, Index, Integer, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from chassis.asking_again import AskedAgain, index_of
from chassis.columns import Id, Json, JsonOrNull
from services.tasks.models.common import Base, Record, Versioned
from services.tasks.models.known_cases import OfCase

_NO_LOOP = text("state <> 'loop'")


class AutomationRule(Versioned, Base):
    """A rule as on the wire; what its trigger and actions do not say is left out. `trigger_kind` is its trigger's.

    `status_names`: {case_type_id: {status as the rule names it: what it is called by now in that type of case}}, where
    other types still call it so. `inactive_because`: why it is switched off, if nobody did it.
    """

    __tablename__ = "automation_rule"
    __table_args__ = (
        UniqueConstraint("firm_id", "name"),
        Index(
            "ix_automation_rule_trigger",
            "firm_id",
            "trigger_kind",
            sqlite_where=text("active = 1"),
            postgresql_where=text("active"),
        ),
    )

    name: Mapped[str] = mapped_column(String(120))
    active: Mapped[bool]
    trigger_kind: Mapped[str] = mapped_column(String(30))
    trigger: Mapped[dict[str, Any]] = mapped_column(Json)
    filter: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull)
    actions: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    status_names: Mapped[dict[str, dict[str, str]]] = mapped_column(Json, default=dict, server_default="{}")

    inactive_because: Mapped[str | None] = mapped_column(String(60))

    def switch_off(self, because: str) -> None:
        """It does nothing any more until somebody switches it on again."""
        self.active, self.inactive_because = False, because

    def status_of(self, case_type_id: str | None, status: str | None) -> str | None:
        """What a status that the rule names is called in a type of case."""
        names = self.status_names.get(case_type_id or "", {})
        return names.get(status or "", status)


class RenamedStatus(Record, Base):
    """A status of a case type that was renamed, for events that come in another order: ids and words of the firm."""

    __tablename__ = "renamed_status"
    __table_args__ = (UniqueConstraint("firm_id", "case_type_id", "was", "renamed_at"),)

    case_type_id: Mapped[str] = mapped_column(Id)
    was: Mapped[str] = mapped_column(String(60))
    name: Mapped[str] = mapped_column(String(60))
    renamed_at: Mapped[dt.datetime]


class AutomationRun(OfCase, Record, AskedAgain, Base):
    """A rule that was triggered. One event triggers a rule once; in one chain a rule runs once for a case, and is a
    `loop` from then on. `outcomes`: [{"kind", "code"}], one for each action that was come to; of a message also the
    `batch_id`, which is the run's, and `deliveries`."""

    __tablename__ = "automation_run"
    __table_args__ = (
        UniqueConstraint("firm_id", "trigger_event_id", "automation_rule_id"),
        ForeignKeyConstraint(["firm_id", "automation_rule_id"], ["automation_rule.firm_id", "automation_rule.id"]),
        Index(
            "ix_automation_run_chain",
            "firm_id",
            "chain_id",
            "automation_rule_id",
            "case_id",
            unique=True,
            sqlite_where=_NO_LOOP,
            postgresql_where=_NO_LOOP,
        ),
        Index("ix_automation_run_rule", "firm_id", "automation_rule_id", "created_at", "id"),
        Index("ix_automation_run_case", "firm_id", "case_id", "created_at", "id"),
        Index("ix_automation_run_created_at", "firm_id", "created_at", "id"),
        # Of all firms, for what is removed.
        Index("ix_automation_run_age", "created_at"),
        index_of("automation_run"),
    )

    automation_rule_id: Mapped[str] = mapped_column(Id)
    rule_version: Mapped[int] = mapped_column(Integer)
    case_id: Mapped[str] = mapped_column(Id)
    case_task_id: Mapped[str | None] = mapped_column(Id)
    trigger_event_id: Mapped[str] = mapped_column(Id)
    chain_id: Mapped[str] = mapped_column(Id)
    depth: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(20))
    code: Mapped[str | None] = mapped_column(String(60))
    outcomes: Mapped[list[dict[str, Any]]] = mapped_column(Json)

    def settle(self, kind: str, outcome: dict[str, Any]) -> None:
        """What became of its action of this kind, of which a rule has one, where another service decides it."""
        self.acted([{"kind": kind, **outcome} if of["kind"] == kind else of for of in self.outcomes])

    def end(self, state: str, code: str | None = None) -> None:
        """It waits no longer."""
        self.state, self.code, self.ask_at = state, code, None

    def acted(self, outcomes: list[dict[str, Any]]) -> None:
        """Its actions were come to; it failed if one was refused."""
        self.outcomes = outcomes
        refused = [outcome["code"] for outcome in outcomes if outcome["code"] not in TAKEN]
        self.end("failed" if refused else "done", refused[0] if refused else None)


TAKEN = frozenset({"done", "done_unassigned", "requested"})
"""Outcomes of actions that were not refused."""
