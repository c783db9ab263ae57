"""What was deleted is gone from SQLite's file too, its unused parts included."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from eventlet.patcher import original
from sqlalchemy import text

from chassis import forgetting
from chassis.columns import new_id
from chassis.database import Database
from chassis.engines import Engines
from chassis.scoping import UNGUARDED
from chassis.testing import eventually, make_database
from tests.service.sample import MakerBase, Thing


@pytest.fixture
def db() -> Database:
    """On SQLite, whatever the other tests run on."""
    return make_database(MakerBase).for_firm(new_id())


def in_files(engines: Engines) -> set[str]:
    path = str(engines.write.url.database)
    content = b"".join(Path(path + ending).read_bytes() for ending in ("", "-wal") if Path(path + ending).exists())
    return {found.decode() for found in re.findall(rb"zq\d{6}", content)}


def live_and_deleted(engines: Engines) -> tuple[set[str], set[str]]:
    """Rows that come and go until pages are split: words of those that are there, and of those that are not."""
    dice = random.Random(10)  # nosec B311
    live: list[tuple[str, str]] = []
    deleted: set[str] = set()
    number = 0
    with engines.write.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE letter (id TEXT PRIMARY KEY, body TEXT)")
    for _ in range(150):
        with engines.write.begin() as connection:
            for _ in range(dice.randint(1, 8)):
                number += 1
                key, word = f"{dice.getrandbits(128):032x}", f"zq{number:06d}"
                body = word + "x" * dice.choice([5, 50, 300, 900])
                connection.exec_driver_sql("INSERT INTO letter VALUES (?, ?)", (key, body))
                live.append((key, word))
            for _ in range(min(len(live), dice.randint(0, 6))):
                key, word = live.pop(dice.randrange(len(live)))
                deleted.add(word)
                connection.exec_driver_sql("DELETE FROM letter WHERE id = ?", (key,))
    return {word for _, word in live}, deleted


def test_copies_that_sqlite_leaves_in_its_pages_go(db: Database) -> None:
    live, deleted = live_and_deleted(db.engines)
    assert db.engines.empty_log()
    assert in_files(db.engines) & deleted, "secure_delete is enough: nothing here is needed any more"
    assert db.engines.forget_deleted()
    assert in_files(db.engines) == live


def test_who_deletes_does_not_wait_for_it(db: Database) -> None:
    live, _ = live_and_deleted(db.engines)
    with db.unit_of_work() as uow:
        uow.session.execute(text("DELETE FROM letter WHERE body LIKE 'zq0000%'"), execution_options=UNGUARDED)
        forgetting.forget_deleted(uow, db)
    assert db.engines.to_forget()
    eventually(lambda: not db.engines.to_forget(), what="the file written anew")
    assert in_files(db.engines) == {word for word in live if not word.startswith("zq0000")}


def test_what_a_killed_process_left_is_done_later(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    live, _ = live_and_deleted(db.engines)
    with monkeypatch.context() as killed, db.unit_of_work() as uow:
        killed.setattr(forgetting, "_begin", lambda engines: None)
        forgetting.forget_deleted(uow, db)
        uow.session.add(Thing(name="one"))
    assert db.engines.to_forget()
    forgetting.go_on(db)
    eventually(lambda: not db.engines.to_forget(), what="the file written anew")
    assert in_files(db.engines) == live


def test_what_is_rolled_back_leaves_nothing_to_forget(db: Database) -> None:
    with pytest.raises(LookupError), db.unit_of_work() as uow:  # noqa: PT012 - the block is what fails
        forgetting.forget_deleted(uow, db)
        raise LookupError
    assert not db.engines.to_forget()


def test_it_waits_for_a_reader_and_says_so(db: Database) -> None:
    live_and_deleted(db.engines)
    with db.unit_of_work() as uow:
        forgetting.forget_deleted(uow, db)
        uow.session.add(Thing(name="one"))
    with db.engines.read.connect() as reader:
        reader.exec_driver_sql("SELECT count(*) FROM letter").all()
        assert not db.engines.forget_deleted()
        assert db.engines.to_forget()
    eventually(db.engines.forget_deleted, what="the file written anew")
    assert not db.engines.to_forget()


def test_green_threads_go_on_while_the_file_is_written_anew(db: Database) -> None:
    where: list[int] = []

    def apart(function: object, *arguments: object) -> object:
        def run() -> object:
            where.append(original("threading").get_ident())
            return function(*arguments)  # type: ignore[operator]

        return forgetting.tpool.execute(run)

    assert db.engines.forget_deleted(apart)
    assert original("threading").get_ident() not in where
    assert len(where) == 2
