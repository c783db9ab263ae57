"""Sealed values: bound to their key and their place, readable through rotations, gone with their owner's key."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws
from sqlalchemy import text

from chassis.columns import new_id
from chassis.config import SettingsError
from chassis.context import DATA_KEY, Context
from chassis.database import Database
from chassis.sealing import (
    Keys,
    KeyStore,
    KmsKeys,
    LocalKeys,
    SealingKey,
    Unsealable,
    check_keys,
    forget_rings,
    key_store_at,
    provider,
    use_key_store,
)
from chassis.sealing.firm_keys import ring_to_read, ring_to_write
from contracts.errors import Unavailable
from services.clients.client_keys import SEALING
from services.clients.models import Base, FirmKey

KEY = SealingKey("k1", bytes(range(32)))
PLACE = ("client", "date_of_birth", "firm-1", "row-1")


@given(plain=st.binary(max_size=200), place=st.tuples(*[st.text(max_size=8)] * 4))
def test_what_is_sealed_is_read_again_at_its_place(plain: bytes, place: tuple[str, ...]) -> None:
    assert KEY.unseal(KEY.seal(plain, *place), *place) == plain


def test_equal_values_are_sealed_unlike_and_name_their_key() -> None:
    one, two = KEY.seal(b"1980-02-29", *PLACE), KEY.seal(b"1980-02-29", *PLACE)
    assert one != two
    assert one.startswith("v1.k1.")
    assert "1980" not in base64.urlsafe_b64decode(one.split(".")[2] + "==").decode("latin-1")


@pytest.mark.parametrize("part", range(4))
def test_a_value_moved_to_another_table_column_firm_or_row_is_refused(part: int) -> None:
    sealed = KEY.seal(b"secret", *PLACE)
    elsewhere = [*PLACE]
    elsewhere[part] = "other"
    with pytest.raises(Unsealable):
        KEY.unseal(sealed, *elsewhere)


@pytest.mark.parametrize("wrong", ["", "v1.k1.", "v1.k1.!!", "v2.k1.AAAA", "v1.k2.AAAA", "plain", "v1.k1.AAAA"])
def test_what_is_no_sealed_text_of_this_key_is_refused(wrong: str) -> None:
    with pytest.raises(Unsealable):
        KEY.unseal(wrong, *PLACE)


def test_a_changed_text_is_refused() -> None:
    sealed = KEY.seal(b"secret", *PLACE)
    place = len(sealed) - 4
    changed = sealed[:place] + ("A" if sealed[place] != "A" else "B") + sealed[place + 1 :]
    with pytest.raises(Unsealable):
        KEY.unseal(changed, *PLACE)


@pytest.fixture(params=["local", "kms"])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[KeyStore]:
    if request.param == "local":
        yield LocalKeys([b"a" * 32, b"b" * 32])
        return
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        client = boto3.client("kms", region_name="us-east-1")
        yield KmsKeys(client.create_key()["KeyMetadata"]["KeyId"], client)


def test_a_store_wraps_for_one_firm_and_purpose(store: KeyStore) -> None:
    wrapped = store.wrap(b"s" * 32, "firm-1", "seal")
    assert store.unwrap(wrapped, "firm-1", "seal") == b"s" * 32
    assert store.newest(wrapped)
    for firm, purpose in (("firm-2", "seal"), ("firm-1", "index")):
        with pytest.raises(Unsealable):
            store.unwrap(wrapped, firm, purpose)


def test_the_first_key_of_a_file_wraps_and_every_one_unwraps(tmp_path: Path) -> None:
    old, new = (base64.urlsafe_b64encode(byte * 32).decode().rstrip("=") for byte in (b"a", b"b"))
    file = tmp_path / "keys"
    file.write_text(f"{old}\n")
    wrapped = key_store_at(f"file://{file}").wrap(b"s" * 32, "f", "seal")
    file.write_text(f"{new}\n\n{old}\n")
    both = key_store_at(f"file://{file}")
    assert both.unwrap(wrapped, "f", "seal") == b"s" * 32
    assert not both.newest(wrapped)
    assert both.newest(both.wrap(b"s" * 32, "f", "seal"))


@pytest.mark.parametrize("content", [None, "", "short", "not base64 at all!", "é", "A" * 43 + "\nAA"])
def test_a_file_without_keys_is_refused_in_one_sentence(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "keys"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SettingsError) as caught:
        key_store_at(f"file://{file}")
    assert str(file) in str(caught.value)
    assert len(content or "") < 10 or (content or "") not in str(caught.value)


def test_a_store_that_cannot_be_reached_is_unavailable() -> None:
    client = boto3.client(
        "kms", region_name="us-east-1", endpoint_url="http://127.0.0.1:9", aws_access_key_id="x",
        aws_secret_access_key="x",
    )  # fmt: skip
    with pytest.raises(Unavailable, match="key_store_unavailable"):
        KmsKeys("key", client).wrap(b"s" * 32, "f", "seal")


@pytest.fixture
def db(new_database: Any) -> Database:
    database: Database = new_database(Base)
    forget_rings()
    return Database(database.url, Base, firm_id=new_id())


def test_a_firms_keys_are_made_once_and_by_nobody_who_fails(db: Database) -> None:
    with db.read() as session:
        assert ring_to_read(session, FirmKey) is None
    with suppress(RuntimeError), db.unit_of_work() as uow:
        lost = ring_to_write(uow, FirmKey)
        assert ring_to_write(uow, FirmKey) is lost
        raise RuntimeError
    with db.read() as session:
        assert ring_to_read(session, FirmKey) is None
    with db.unit_of_work() as uow:
        made = ring_to_write(uow, FirmKey)
    forget_rings()
    with db.read() as session:
        again = ring_to_read(session, FirmKey)
    assert again is not None
    assert again.current.id == made.current.id != lost.current.id
    assert again.blind("x", "y") == made.blind("x", "y") != lost.blind("x", "y")
    assert again.blind("x", "z") != again.blind("x", "y") != again.blind("z", "y")


def test_firms_have_other_blind_indexes(db: Database) -> None:
    blinds = set()
    for _ in range(3):
        with db.for_firm(new_id()).unit_of_work() as uow:
            blinds.add(ring_to_write(uow, FirmKey).blind("date_of_birth", "1980-01-01"))
    assert len(blinds) == 3


def test_another_store_than_the_datas_own_is_refused_at_the_start(db: Database) -> None:
    check_keys(db, SEALING)
    with db.unit_of_work() as uow:
        ring_to_write(uow, FirmKey)
    check_keys(db, SEALING)
    use_key_store(LocalKeys([b"x" * 32]))
    with pytest.raises(SettingsError, match="restore them"):
        check_keys(db, SEALING)
    use_key_store(LocalKeys([bytes(32)]))


def test_a_store_that_is_away_keeps_nobody_from_starting(db: Database) -> None:
    with db.unit_of_work() as uow:
        ring_to_write(uow, FirmKey)

    class Away(LocalKeys):
        def unwrap(self, wrapped: str, firm_id: str, purpose: str) -> bytes:
            raise Unavailable("key_store_unavailable")

    use_key_store(Away([bytes(32)]))
    keys = Keys(Base, SEALING)
    keys._url = db.url
    keys.start()
    use_key_store(LocalKeys([b"x" * 32]))
    with pytest.raises(SettingsError):
        keys.start()
    use_key_store(LocalKeys([bytes(32)]))


def test_a_store_that_does_not_answer_is_not_asked_for_every_call(db: Database, monkeypatch: Any) -> None:
    asked: list[str] = []
    clock = [1000.0]
    monkeypatch.setattr(provider, "time", SimpleNamespace(monotonic=lambda: clock[0]))

    class Away(LocalKeys):
        def wrap(self, secret: bytes, firm_id: str, purpose: str) -> str:
            asked.append(firm_id)
            raise Unavailable("key_store_unavailable")

    keys = Keys(Base, SEALING)
    keys._url, keys._shown = db.url, str(db.engines.write.url)
    work = SimpleNamespace(data={DATA_KEY: Context(firm_id=db.firm_id)})
    use_key_store(Away([bytes(32)]))
    for _ in range(3):
        assert keys.get_dependency(work) is SEALING
    assert asked == [db.firm_id]
    clock[0] += provider.AWAY_SECONDS
    use_key_store(LocalKeys([bytes(32)]))
    keys.get_dependency(work)
    with db.read() as session:
        assert ring_to_read(session, FirmKey) is not None


def test_kms_without_a_region_is_refused_in_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(SettingsError, match="region"):
        key_store_at("kms://alias/casewire")


def test_a_wrapped_key_moved_to_another_firm_opens_nothing(db: Database) -> None:
    with db.unit_of_work() as uow:
        ring_to_write(uow, FirmKey)
    other = db.for_firm(new_id())
    everywhere = db.across_firms("a test moves keys")
    with everywhere.unit_of_work() as uow:
        moved = text("UPDATE firm_key SET firm_id = :other")
        kept = other.firm_id if "postgresql" in db.url else str(other.firm_id).replace("-", "")
        uow.session.execute(moved, {"other": kept})
    forget_rings()
    with pytest.raises(Unsealable), other.read() as session:
        ring_to_read(session, FirmKey)
