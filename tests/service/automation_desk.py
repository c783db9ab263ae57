"""An office whose rules act: what other services answer when a rule is checked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chassis.columns import new_id
from chassis.context import use
from chassis.database import Database
from chassis.envelope import ReceivedEvent
from chassis.files import FolderFiles
from chassis.testing import EmittedEvent, deliver, outbox_events, received
from contracts import cases, messaging
from contracts.base import Event
from contracts.errors import NotFound, invalid_field
from contracts.tasks import AUTOMATION_REQUESTED
from services.tasks.automation import rules, runs
from tests.service.tasks_office import NOW, Office

STATUSES = ("New", "In court", "Closed")


class Desk(Office):
    """An office with one type of case. A filter is `{"field": "state", "op": "eq", "value": …}`; of what `case_states`
    says, a case that it does not name is open."""

    def __init__(self, database: Database, files: FolderFiles) -> None:
        super().__init__(database, files)
        self.case_type_id = new_id()
        self.case_states: dict[str, str] = {}
        self.carried: set[str] = set()
        self.message_templates: dict[str, list[str]] = {}
        """The variables that each names; all have a text for SMS alone."""
        case_type = {
            "id": self.case_type_id, "name": "Probate", "statuses": [{"name": name} for name in STATUSES],
            "custom_fields": [],
        }  # fmt: skip
        page = {"data": [case_type], "meta": {"next_cursor": None, "total": 1}}
        self.calls.answers |= {
            cases.GET_CASE_TYPE: lambda case_type_id: self._case_type(case_type_id, case_type),
            cases.LIST_CASE_TYPES: lambda **query: page,
            cases.SELECT_CASES: self.select,
            messaging.SAVE_CONTENT: self.save_content,
        }

    def rule(self, *actions: dict[str, Any], on: dict[str, Any] | None = None, **given: Any) -> dict[str, Any]:
        command = {
            "name": f"Rule {new_id()}", "active": True, "filter": None, "trigger": on or {"kind": "task_completed"},
            "actions": list(actions) or [self.tell()], **given,
        }  # fmt: skip
        made: dict[str, Any] = rules.create_rule(self.db, self.calls, NOW, **command)
        return made

    def tell(self) -> dict[str, Any]:
        return {"kind": "notify_staff", "title": "Look at it", "staff_ids": [self.staff_id]}

    def sending(self, *uses: str, **given: Any) -> dict[str, Any]:
        """An action that sends a template of its own."""
        template_id = new_id()
        self.message_templates[template_id] = list(uses)
        return {"kind": "send_template", "message_template_id": template_id, "channels": ["sms"], **given}

    def save_content(self, message: dict[str, Any], channels: list[str]) -> dict[str, Any]:
        template_id = message["template_id"]
        if template_id is None:
            return self.messaging.save_content(message, channels)
        if template_id not in self.message_templates:
            raise NotFound("message_template_not_found", message_template_id=template_id)
        if channels != ["sms"]:
            raise invalid_field("message.template_id", "No text for it.", "channel_missing")
        return {"content_id": new_id(), "uses": self.message_templates[template_id]}

    def carry_on(self) -> None:
        """Runs what waits, each event twice, until nothing is asked for any more."""
        while waiting := [of for of in outbox_events(self.everywhere, AUTOMATION_REQUESTED) if self._is_new(of)]:
            events = [self.again(AUTOMATION_REQUESTED, of) for of in waiting]
            deliver(self.service, "run_automations", *events)
            deliver(self.service, "run_automations", *events)

    def again(self, event: Event, emitted: EmittedEvent) -> ReceivedEvent:
        """An emitted event as its subscribers get it."""
        return received(
            event, emitted.data, firm_id=emitted.firm_id, event_id=emitted.id, correlation_id=emitted.correlation_id
        )

    def runs(self, **query: Any) -> list[dict[str, Any]]:
        """The log, oldest first."""
        asked = {"automation_rule_id": None, "case_id": None, "limit": 200, "cursor": None, "sort": "created_at"}
        found: list[dict[str, Any]] = runs.list_runs(self.db, **{**asked, **query})["data"]
        return found

    def _is_new(self, emitted: EmittedEvent) -> bool:
        fresh = emitted.firm_id == self.firm_id and emitted.id not in self.carried
        self.carried.add(emitted.id)
        return fresh

    def select(
        self, selector: dict[str, Any], limit: int, cursor: str | None, count_all: bool = False, to_keep: bool = False
    ) -> dict[str, Any]:
        chosen = selector.get("include_case_ids", sorted(self.cases.clients))
        for case_id in chosen:
            if case_id not in self.cases.clients:
                raise NotFound("case_not_found", case_id=case_id)
        if (node := selector.get("case_filter")) is not None:
            if node.get("field") != "state":
                raise invalid_field("selector.case_filter.field", "Unknown.", "invalid_filter")
            chosen = [id_ for id_ in chosen if self.case_states.get(id_, "open") == node["value"]]
        chosen = [id_ for id_ in chosen if self.case_states.get(id_) not in ("archived", "pending")]
        data = [
            {"case_id": id_, "case_type_id": self.case_type_id, "client_ids": self.cases.clients[id_]}
            for id_ in chosen[:limit]
        ]
        return {"data": data, "meta": {"next_cursor": None, "total": len(chosen)}}

    def _case_type(self, case_type_id: str, case_type: dict[str, Any]) -> dict[str, Any]:
        if case_type_id != self.case_type_id:
            raise NotFound("case_type_not_found", case_type_id=case_type_id)
        return case_type


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(database, FolderFiles(tmp_path))
    with use(desk.context):
        yield desk
