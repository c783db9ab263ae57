"""clients: merges of overlapping pairs at the same time end consistent."""

from __future__ import annotations

from typing import Any

import eventlet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from chassis.context import use
from contracts import messaging
from contracts.clients import CLIENTS_MERGED, CLIENTS_UNMERGED
from contracts.errors import Conflict, Gone
from services.clients import merging, records
from services.clients.merges import merge_history, merge_undo
from services.clients.models import Base, ClientMerge
from tests.examples import examples
from tests.service.clients_desk import NOW, Desk

REFUSALS = {"client_merged", "already_merged", "duplicate_merged"}
FOUR = range(4)
PAIRS = st.tuples(st.sampled_from(FOUR), st.sampled_from(FOUR)).filter(lambda pair: pair[0] != pair[1])


class Clients:
    """Four clients of a firm, each with a tag and a number of its own."""

    def __init__(self, database: Any, folder: Any) -> None:
        self.desk = Desk(database, folder)
        self.before = [
            self.desk.create(first_name=f"Ann{at}", tags=[f"tag{at}"], phones=[{"number": f"+1212555012{at}"}])
            for at in FOUR
        ]
        self.ids = [record["id"] for record in self.before]

    def merge(self, this: int, duplicate: int) -> str | None:
        """The merge's id, or None if it was refused, as one of two at once may be."""
        with use(self.desk.context):
            try:
                made = merging.merge_clients(
                    self.desk.db, self.desk.calls, NOW, client_id=self.ids[this], duplicate_id=self.ids[duplicate],
                    keep={}, dry_run=False,
                )  # fmt: skip
            except (Gone, Conflict) as refused:
                if refused.code not in REFUSALS:
                    raise
                return None
            return str(made["id"])

    def undo(self, merge_id: str) -> str | None:
        """Null if it was undone, else the code of the refusal."""
        with use(self.desk.context):
            try:
                merge_undo.undo_merge(self.desk.db, NOW, merge_id=merge_id, resolve={})
            except Conflict as refused:
                return refused.code
            return None

    def in_force(self) -> dict[int, int]:
        """{merged: survivor}"""
        with self.desk.db.read() as session:
            rows = session.scalars(select(ClientMerge).where(ClientMerge.undone_at.is_(None))).all()
        found = {self.ids.index(row.merged_id): self.ids.index(row.surviving_id) for row in rows}
        assert len(found) == len(rows)
        return found

    def check(self) -> None:
        """Everybody is somebody who is there, and everything that was known of them is there."""
        merged = self.in_force()

        def end(at: int, seen: tuple[int, ...] = ()) -> int:
            assert at not in seen, "merged in a circle"
            return end(merged[at], (*seen, at)) if at in merged else at

        with self.desk.db.read() as session:
            current = merge_history.survivors(session, self.ids)
        assert current == {self.ids[at]: self.ids[end(at)] for at in merged}
        for at in FOUR:
            if at in merged:
                with pytest.raises(Gone):
                    records.get_client(self.desk.db, self.ids[at])
                continue
            mine = [other for other in FOUR if end(other) == at]
            record = self.desk.get(self.ids[at])
            assert sorted(record["tags"]) == [f"tag{other}" for other in mine]
            assert sorted(phone["number"][-1] for phone in record["phones"]) == [str(other) for other in mine]
            assert [phone["number"][-1] for phone in record["phones"] if phone["primary"]] == [str(at)]


def in_a_row(actions: list[Any]) -> list[Any]:
    return [action() for action in actions]


def at_once(actions: list[Any]) -> list[Any]:
    threads = [eventlet.spawn(action) for action in actions]
    return [thread.wait() for thread in threads]


@pytest.mark.parametrize("server", ["sqlite", "postgresql"])
@settings(max_examples=examples(6), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pairs=st.lists(PAIRS, min_size=2, max_size=7), pauses=st.lists(st.integers(0, 4), min_size=7, max_size=7))
def test_merges_of_overlapping_pairs_end_consistent(
    server: str,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    pairs: list[tuple[int, int]],
    pauses: list[int],
) -> None:
    # SQLite's transactions take turns, and one that waits stops the process: there they come one after the other.
    run = in_a_row if server == "sqlite" else at_once
    clients = Clients(request.getfixturevalue(f"emptied_{server}")(Base), tmp_path_factory.mktemp("files"))
    waits = iter(pauses * 2)

    def join_consents(**asked: str) -> dict[str, Any]:
        if server == "postgresql":
            eventlet.sleep(next(waits) / 1000)
        return {"opted_out": []}

    clients.desk.calls.answers[messaging.JOIN_CONSENTS] = join_consents
    done = run([lambda pair=pair: clients.merge(*pair) for pair in pairs])
    made = [merge_id for merge_id in done if merge_id is not None]
    assert made
    assert len(made) == len(clients.in_force()) == len(clients.desk.emitted(CLIENTS_MERGED))
    clients.check()
    # All are taken back at once, each by two people, until there are none.
    left = made
    while left:
        outcomes = run([lambda merge_id=merge_id: clients.undo(merge_id) for merge_id in [*left, *left]])
        assert set(outcomes) <= {None, "merge_undone", "survivor_merged"}
        assert None in outcomes
        undone = {merge_id for merge_id, outcome in zip([*left, *left], outcomes, strict=True) if outcome is None}
        assert outcomes.count(None) == len(undone)
        left = [merge_id for merge_id in left if merge_id not in undone]
        clients.check()
    assert len(clients.desk.emitted(CLIENTS_UNMERGED)) == len(made)
    for before in clients.before:
        now = clients.desk.get(before["id"])
        for name in ("first_name", "tags", "phones", "emails", "addresses", "custom_fields"):
            assert now[name] == before[name]
