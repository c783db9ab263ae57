"""clients: how far a preview is, and ending it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chassis.imports import previews, running
from contracts.errors import Conflict, NotFound
from services.clients import importing
from services.clients.imports import chunks
from services.clients.imports import running as import_running
from services.clients.imports.matching import Matching
from services.clients.imports.store import IMPORTS
from tests.service.clients_desk import NOW, Desk, desk

__all__ = ["desk"]

ROWS = [["First name"], *([f"Ann{number}"] for number in range(6))]


@pytest.fixture
def between(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Call it with what happens before each two rows that a preview looks at; it tells how far it is after each."""
    monkeypatch.setattr(previews, "_TOLD_EVERY", -1.0)
    monkeypatch.setattr(chunks, "CHUNK", 2)
    decide = Matching.decide

    def set_up(happens: Callable[[], None]) -> None:
        def decide_then(self: Matching, rows: Any) -> Any:
            happens()
            return decide(self, rows)

        monkeypatch.setattr(Matching, "decide", decide_then)

    return set_up


def preview(desk: Desk, import_id: str) -> dict[str, Any]:
    return importing.preview_import(desk.db, desk.files, NOW, import_id=import_id)


def test_a_preview_tells_how_far_it_is(desk: Desk, between: Any) -> None:
    made = desk.upload(ROWS)
    seen = []

    def look() -> None:
        found = desk.imported(made["id"])
        seen.append((found["state"], found["progress"]["done"], found["progress"]["total"]))
        with pytest.raises(Conflict, match="import_not_previewed"):
            import_running.run_import(desk.db, import_id=made["id"])

    between(look)
    found = preview(desk, made["id"])
    assert seen == [("previewing", 0, 6), ("previewing", 2, 6), ("previewing", 4, 6)]
    assert (found["state"], found["counts"]["created"]) == ("previewed", 6)
    # Once more, as settings change, from the beginning.
    preview(desk, made["id"])
    assert seen[3:] == seen[:3]


def test_a_preview_can_be_cancelled(desk: Desk, between: Any) -> None:
    made = desk.upload(ROWS)
    looked: list[None] = []

    def cancel() -> None:
        looked.append(None)
        if len(looked) == 2:
            running.cancel_import(desk.db, IMPORTS, import_id=made["id"])

    between(cancel)
    with pytest.raises(Conflict, match="import_ended"):
        preview(desk, made["id"])
    assert len(looked) == 2
    assert desk.imported(made["id"])["state"] == "cancelled"
    with pytest.raises(Conflict, match="import_ended"):
        preview(desk, made["id"])


def test_a_preview_that_fails_leaves_what_the_last_one_found(desk: Desk) -> None:
    made = desk.upload(ROWS)
    found = preview(desk, made["id"])
    with desk.files.get(key := next(iter(desk.files.keys("uploads")))) as stream:
        content = stream.read()
    desk.files.delete(key)
    with pytest.raises(NotFound, match="file_not_found"):
        preview(desk, made["id"])
    again = desk.imported(made["id"])
    assert (again["state"], again["counts"]) == ("previewed", found["counts"])
    desk.files.put(key, content)
    assert import_running.run_import(desk.db, import_id=made["id"])["state"] == "running"
    with pytest.raises(Conflict, match="import_started"):
        preview(desk, made["id"])
