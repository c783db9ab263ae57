"""Firms' keys are rotated while clients are written, and a rotation that was cut off goes on."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import eventlet
import pytest
from moto import mock_aws
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from chassis.columns import new_id
from chassis.sealing import KmsKeys, LocalKeys, forget_rings, key_store_at, rotation, use_key_store
from chassis.sealing.firm_keys import FRESH_SECONDS, SEAL, ring_to_write
from chassis.testing import Clock, eventually, make_database
from deploy import keys
from deploy.keys import act
from services.cases import models as cases_models
from services.clients.client_keys import SEALING
from services.clients.models import ClientKey, FirmKey
from services.messaging import address_keys
from services.messaging import models as messaging_models
from services.tasks import models as tasks_models
from tests.service.clients_desk import Desk, desk

__all__ = ["desk"]

BORN = dt.date(1980, 2, 29)


class Cut(Exception):
    """The process was killed."""


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "BATCH", 3)


def rotate(desk: Desk, tell: Callable[[int, int], object] = lambda done, total: None, sleep: Any = None) -> int:
    clock = Clock()
    return rotation.rotate(
        desk.db, SEALING, now=clock, sleep=sleep or (lambda seconds: clock.advance(seconds=seconds)), tell=tell
    )


def firm_keys(desk: Desk) -> set[str]:
    with desk.db.read() as session:
        return set(session.scalars(select(FirmKey.id).where(FirmKey.purpose == SEAL)))


def used_keys(desk: Desk) -> set[str]:
    with desk.db.read() as session:
        return set(session.scalars(select(ClientKey.firm_key_id)))


def births(desk: Desk) -> set[Any]:
    forget_rings()
    return {desk.get(id_)["date_of_birth"] for id_ in desk.listed()}


def test_every_data_key_is_wrapped_anew_and_the_old_key_is_destroyed(desk: Desk) -> None:
    other = Desk(desk.everywhere, desk.files._folder)
    for owner in (desk, other):
        for _ in range(7):
            owner.create(date_of_birth=BORN)
    before, theirs = firm_keys(desk), firm_keys(other)
    told: list[tuple[int, int]] = []
    assert rotate(desk, lambda done, total: told.append((done, total))) == 7
    assert told == [(0, 7), (3, 7), (6, 7), (7, 7)]
    assert firm_keys(desk) == used_keys(desk)
    assert before.isdisjoint(firm_keys(desk))
    assert births(desk) == {BORN}
    assert firm_keys(other) == theirs
    assert births(other) == {BORN}
    # Duplicates are found as before: the key of the blind indexes is the same.
    with desk.db.read() as session:
        assert len(set(session.scalars(select(ClientKey.id)))) == 7
    assert desk.import_all([["First name", "Birthday"], ["Ann", "02/29/1980"]])["counts"]["skipped"] == 1


@pytest.mark.parametrize("at", [0, 3, 6, 7])
def test_a_rotation_that_was_cut_off_goes_on_with_its_key(desk: Desk, at: int) -> None:
    for _ in range(7):
        desk.create(date_of_birth=BORN)

    def cut(done: int, total: int) -> None:
        if done == at:
            raise Cut

    with pytest.raises(Cut):
        rotate(desk, cut)
    assert births(desk) == {BORN}
    status = rotation.status(desk.db, SEALING)
    assert status is not None
    assert (status.wrapped, status.older_wrapped, status.older_keys) == (at, 7 - at, 1)
    halfway = firm_keys(desk)
    assert rotate(desk) == 7 - at
    assert firm_keys(desk) < halfway
    assert births(desk) == {BORN}
    settled = rotation.status(desk.db, SEALING)
    assert settled is not None
    assert (settled.wrapped, settled.older_keys, settled.newest_store_key) == (7, 0, True)


def test_clients_written_meanwhile_keep_their_values(desk: Desk) -> None:
    for _ in range(9):
        desk.create(date_of_birth=BORN)
    ids = desk.listed()
    stopped, written = [], []

    def write() -> None:
        while not stopped:
            written.append(desk.create(date_of_birth=BORN)["id"])
            number = len(written)
            desk.change(ids[number % len(ids)], date_of_birth=BORN, occupation=f"Baker {number}")
            eventlet.sleep(0)

    def another_is_written(done: int, total: int) -> None:
        before = len(written)
        eventually(lambda: len(written) > before, what="another client")

    writer = eventlet.spawn(write)
    rotate(desk, another_is_written)
    stopped.append(True)
    writer.wait()
    assert births(desk) == {BORN}
    assert used_keys(desk) <= firm_keys(desk)


def test_a_process_that_did_not_look_again_wraps_with_the_old_key_and_loses_nothing(desk: Desk) -> None:
    desk.create(date_of_birth=BORN)
    with desk.db.unit_of_work() as uow:
        stale = ring_to_write(uow, FirmKey)
    clock = Clock()

    def wait(seconds: float) -> None:
        # As another process that looked a moment before the rotation.
        from chassis.sealing.firm_keys import _keep, _place

        with desk.db.read() as session:
            _keep(_place(session, FirmKey), stale)
        desk.create(date_of_birth=BORN)
        assert stale.current.id in used_keys(desk)
        clock.advance(seconds=seconds)

    assert rotation.rotate(desk.db, SEALING, now=clock, sleep=wait) == 2
    assert births(desk) == {BORN}
    assert used_keys(desk) == firm_keys(desk)


def test_a_key_that_is_used_cannot_go(desk: Desk) -> None:
    desk.create(date_of_birth=BORN)
    with pytest.raises(IntegrityError), desk.db.unit_of_work() as uow:
        uow.session.execute(delete(FirmKey))
    assert births(desk) == {BORN}


def test_a_new_key_of_the_store_is_used_by_a_rotation(desk: Desk) -> None:
    desk.create(date_of_birth=BORN)
    old, new = bytes(32), b"n" * 32
    try:
        use_key_store(LocalKeys([new, old]))
        assert rotation.status(desk.db, SEALING).newest_store_key is False  # type: ignore[union-attr]
        rotate(desk)
        use_key_store(LocalKeys([new]))
        assert rotation.status(desk.db, SEALING).newest_store_key is True  # type: ignore[union-attr]
        assert births(desk) == {BORN}
    finally:
        use_key_store(LocalKeys([old]))
        forget_rings()


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        yield boto3.client("kms", region_name="us-east-1")
    use_key_store(LocalKeys([bytes(32)]))
    forget_rings()


def test_after_a_rotation_nothing_is_wrapped_by_an_earlier_key_of_kms(desk: Desk, new_database: Any, kms: Any) -> None:
    messaging = new_database(messaging_models.Base)
    first, second = (kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(2))
    forget_rings()
    use_key_store(KmsKeys(first, kms))
    desk.create(date_of_birth=BORN)
    address_keys.load(messaging)
    use_key_store(KmsKeys(second, kms))
    rotate(desk)
    address_keys.wrap_anew(messaging)
    with desk.db.read() as session:
        contexts = {
            wrapped: {"firm": desk.firm_id, "purpose": purpose}
            for purpose, wrapped in session.execute(select(FirmKey.purpose, FirmKey.wrapped))
        }
    with messaging.across_firms("a test").read() as session:
        contexts[session.scalars(select(messaging_models.AddressKey.wrapped)).one()] = {
            "firm": "00000000-0000-0000-0000-000000000000",
            "purpose": "addresses",
        }
    assert len(contexts) == 3
    for wrapped, context in contexts.items():
        blob = base64.b64decode(wrapped.removeprefix("kms."))
        assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)["KeyId"].endswith(second)
    assert births(desk) == {BORN}


def test_the_old_key_stays_until_every_process_has_looked_however_long_the_store_takes(desk: Desk) -> None:
    desk.create(date_of_birth=BORN)
    clock, waited = Clock(), list[float]()

    class Slow(LocalKeys):
        def wrap(self, secret: bytes, firm_id: str, purpose: str) -> str:
            clock.advance(seconds=20)
            return super().wrap(secret, firm_id, purpose)

    def wait(seconds: float) -> None:
        waited.append(seconds)
        clock.advance(seconds=seconds)

    use_key_store(Slow([bytes(32)]))
    try:
        rotation.rotate(desk.db, SEALING, now=clock, sleep=wait)
    finally:
        use_key_store(LocalKeys([bytes(32)]))
    assert sum(waited) >= FRESH_SECONDS


def test_who_makes_data_keys_and_who_begins_a_rotation_do_not_wait_for_each_other(desk: Desk) -> None:
    if desk.db.engines.is_sqlite:
        pytest.skip("one transaction writes at a time")
    desk.create(date_of_birth=BORN)
    other = desk.create(first_name="Bea")["id"]
    with desk.db.unit_of_work() as uow:
        SEALING.keys_to_seal(uow, [other])
        with eventlet.Timeout(5):
            assert eventlet.spawn(rotation._begin, desk.db, SEALING, Clock()).wait() is not None


def test_a_firm_without_keys_has_nothing_to_rotate(desk: Desk) -> None:
    assert rotate(desk) == 0
    assert rotation.status(desk.db, SEALING) is None
    assert desk.firm_id not in rotation.firms_with_keys(desk.everywhere, SEALING)


def test_the_command_shows_and_rotates(
    desk: Desk, tmp_path: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "MARGIN", dt.timedelta(0))
    desk.create(date_of_birth=BORN)
    file, other = tmp_path / "keys", tmp_path / "other"
    file.write_text("A" * 43 + "\n")
    other.write_text("B" * 43 + "\n")
    tasks_db = make_database(tasks_models.Base)
    urls = {"clients": desk.everywhere.url, "tasks": tasks_db.url, "cases": make_database(cases_models.Base).url}
    with tasks_db.for_firm(desk.firm_id).unit_of_work() as uow:
        ring_to_write(uow, tasks_models.FirmKey)
    before = firm_keys(desk)
    assert act("status", urls, f"file://{file}", None) == 0
    told = capsys.readouterr().out
    assert told.count(f"{desk.firm_id}  since") == 2
    assert told.endswith("\n1 firm\n")
    assert act("rotate", urls, f"file://{file}", desk.firm_id) == 0
    assert "1 data keys wrapped anew" in capsys.readouterr().out
    assert before.isdisjoint(firm_keys(desk))
    assert births(desk) == {BORN}
    for store, firm in ((file, new_id()), (other, None), (tmp_path / "missing", None)):
        assert act("rotate", urls, f"file://{store}", firm) == 1
        assert capsys.readouterr().err.startswith("casewire: ")
    for named, left_out in ((urls, "messaging"), ({}, "clients")):
        assert act("rotate", named, f"file://{file}", None) == 1
        assert f"no database is set for {left_out}" in capsys.readouterr().err
    use_key_store(LocalKeys([bytes(32)]))


def test_the_key_of_addresses_follows_the_store(new_database: Any, tmp_path: Any, capsys: Any) -> None:
    db = new_database(messaging_models.Base)
    old, new = "A" * 43, "B" * 43
    file = tmp_path / "keys"
    try:
        address_keys.load(db)
        before = address_keys.hashed("+12125550101")
        file.write_text(f"{new}\n{old}\n")
        use_key_store(key_store_at(f"file://{file}"))
        keys._address_key("status", db.url)
        assert "older key" in capsys.readouterr().out
        keys._address_key("rotate", db.url)
        keys._address_key("status", db.url)
        assert capsys.readouterr().out == ""
        file.write_text(f"{new}\n")
        use_key_store(key_store_at(f"file://{file}"))
        address_keys.load(db)
        assert address_keys.hashed("+12125550101") == before
    finally:
        use_key_store(LocalKeys([bytes(32)]))
