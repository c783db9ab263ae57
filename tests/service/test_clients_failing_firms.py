"""clients: a firm for which a job by the clock always fails keeps no other firm waiting."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select, update

from chassis.columns import new_id
from chassis.testing import received
from contracts.clients import CLIENTS_IMPORTED, CLIENTS_MERGED, CONTACT_DELETION_REQUESTED, ERASURE_REQUESTED
from contracts.errors import Unavailable
from services.clients import contacts, erasing, records, suspect_sweep
from services.clients.erasures import contact_erasing, erasure_latecomers
from services.clients.merges import merge_tending
from services.clients.models import Erasure, SuspectSweep
from tests.service.clients_desk import NOW, Desk, desk
from tests.service.contacts_desk import business, make
from tests.service.failing_firms import fail_for
from tests.service.merging_clients import merge

__all__ = ["desk"]

DAY = dt.timedelta(days=1)
AFTER = NOW + 30 * DAY


def delete(desk: Desk, at: dt.datetime) -> None:
    records.delete_client(desk.db, at, client_id=desk.create()["id"])


def erase(desk: Desk, at: dt.datetime) -> None:
    erasing.erase_client(desk.db, at, client_id=desk.create()["id"])


def erase_to_the_end(desk: Desk, at: dt.datetime) -> None:
    erase(desk, at)
    with desk.db.unit_of_work() as uow:
        uow.session.execute(update(Erasure).values(state="done", tell_last_at=at))


def delete_contact(desk: Desk, at: dt.datetime) -> None:
    made = make(desk, business(desk), first_name="Cyd")
    contacts.delete_contact(desk.db, at, contact_id=made["id"])


def merge_two(desk: Desk, at: dt.datetime) -> None:
    merge(desk, desk.create()["id"], desk.create()["id"], now=at)


def ask_for_sweep(desk: Desk, at: dt.datetime) -> None:
    event = received(CLIENTS_IMPORTED, {"import_id": new_id(), "clients": []}, firm_id=desk.firm_id)
    suspect_sweep.ask_for_sweep(desk.db, [event], at)


def still(model: Any, *conditions: Any) -> Callable[[Desk], int]:
    def count(desk: Desk) -> int:
        with desk.db.read() as session:
            return session.scalars(select(func.count()).select_from(model).where(*conditions)).one()

    return count


JOBS = {
    "erasures are decided": (
        delete, erasing.begin_due, (erasing, "AT_ONCE"), lambda desk: len(desk.emitted(ERASURE_REQUESTED)), 0, 1,
    ),
    "erasures are asked for again": (
        erase, erasing.ask_again, (erasing, "AT_ONCE"), lambda desk: len(desk.emitted(ERASURE_REQUESTED)), 1, 2,
    ),
    "erasures are told once more": (
        erase_to_the_end, erasure_latecomers.tell_last, (erasure_latecomers, "AT_ONCE"),
        still(Erasure, Erasure.tell_last_at.is_not(None)), 1, 0,
    ),
    "contacts are asked for again": (
        delete_contact, contact_erasing.ask_again, (contact_erasing, "AT_ONCE"),
        lambda desk: len(desk.emitted(CONTACT_DELETION_REQUESTED)), 1, 2,
    ),
    "merges are tended to": (
        merge_two, merge_tending.tend, (merge_tending, "_AT_ONCE"),
        lambda desk: len(desk.emitted(CLIENTS_MERGED)), 1, 4,
    ),
    "clients are looked through": (
        ask_for_sweep, suspect_sweep.sweep_some, (suspect_sweep, "_FIRMS_AT_ONCE"), still(SuspectSweep), 1, 0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("failure", [Unavailable("keys_away"), ZeroDivisionError()])
@pytest.mark.parametrize("job", JOBS)
def test_a_firm_that_fails_keeps_no_other_waiting(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, job: str, failure: Exception
) -> None:
    begin, run, (module, at_once), outcome, before, after = JOBS[job]
    monkeypatch.setattr(module, at_once, 1)
    broken = Desk(desk.everywhere, desk.files._folder)
    begin(broken, NOW - DAY)
    begin(desk, NOW)
    assert (outcome(broken), outcome(desk)) == (before, before)
    fail_for(monkeypatch, broken.firm_id, failure)
    with pytest.raises(type(failure)):
        run(desk.everywhere, AFTER)
    assert (outcome(broken), outcome(desk)) == (before, after)


def test_an_erasure_that_cannot_be_begun_keeps_no_other_step_of_erasures_waiting(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    erase(desk, NOW)
    delete_contact(desk, NOW)

    def fail(*_: Any) -> bool:
        raise ZeroDivisionError

    monkeypatch.setattr(erasing, "begin_due", fail)
    with pytest.raises(ZeroDivisionError):
        desk.service.erase_due()
    assert len(desk.emitted(ERASURE_REQUESTED)) == 2
    assert len(desk.emitted(CONTACT_DELETION_REQUESTED)) == 2
