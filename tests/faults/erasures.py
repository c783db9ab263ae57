"""Row 16: clients are erased in the middle of a batch; then every event comes again, and a backup comes back."""

from __future__ import annotations

import glob
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import make_url
from twilio.request_validator import RequestValidator

from deploy.postgres import BINARIES
from tests.faults.deployments import Deployment, Distributed, Single
from tests.faults.figures import Figure, at_least, exactly
from tests.faults.leftovers import Words, find
from tests.faults.work import OFFICE, Batch, Firm, Load, patiently, webhook_secret
from tests.many_cases import number_of
from tests.systems import answer, eventually

Say = Callable[[str], None]

AT_ONCE = 4
LISTED = "listed"
"""How the words end that are in uploaded lists only."""
FIRST_NUMBER = 700_000
"""Far above those of the firm's other recipients."""


@dataclass(frozen=True)
class Person:
    """A client whose every word is marked."""

    client_id: str
    case_id: str
    number: str
    words: frozenset[str]


def erase_in_the_middle(firm: Firm, load: Load, say: Say) -> list[Figure]:
    """`load.faults` clients are erased while they and others are written to."""
    deployment = firm.deployment
    mark = f"zq{time.time_ns() % 0xFFFFFF:06x}"
    # Of a type of their own, whose name stays: rows after this one take the other for all that the firm began with.
    named = {"name": f"Estates {time.time_ns()}", "statuses": [{"name": "New"}]}
    case_type = patiently(lambda: deployment.api.post("/v1/case-types", named, key=named["name"]))
    with _many_at_once(lambda number: _person(firm, case_type["id"], mark, number), load.faults) as people:
        _say_things(firm, people)
    _list(firm, people)
    words = Words(mark, [person.number for person in people])
    wanted = {word for person in people for word in person.words}
    in_rows = {word for word in wanted if not word.endswith(LISTED)}
    before = set().union(*find(deployment, words).values())
    say(f"{len(before & wanted)} of {len(wanted)} words of {len(people)} people are there before")
    with _backup(deployment) as backup:
        batch = _ask(firm, load, people)
        firm.sent_at_least(max(2, batch.recipients // 20), batch)
        with _many_at_once(lambda at: _erase(firm, people[at]), len(people)):
            pass
        took = _all_done(firm)
        firm.settled(batch)
        counts = firm.counts(batch)
        say(f"erased by every service after {took:.1f} s; {dict(counts)}")
        _files_anew(deployment)
        after = find(deployment, words)
        repeated = _repeat_everything(deployment)
        _files_anew(deployment)
        after_repeats = find(deployment, words)
        say(f"{repeated:,} events published again")
        backup.restore()
        restored = set().union(*find(deployment, words).values()) if deployment.backend == "distributed" else before
        backup.go_on()
        _all_done(firm)
        deployment.outbox_empty()
        _files_anew(deployment)
        after_restore = find(deployment, words)
    for name, left in (("erasing", after), ("repeats", after_repeats), ("restore", after_restore)):
        if left:
            say(f"after the {name}: { {place: sorted(found)[:5] for place, found in left.items()} }")
    status = {answer(deployment.api, "GET", f"/v1/clients/{person.client_id}").status_code for person in people}
    return [
        exactly("words there before that were not found", len(wanted - before), 0),
        exactly("words left after erasing", _count(after), 0),
        exactly("words left after every event came again", _count(after_repeats), 0),
        at_least("words that the backup brought back", len(restored & in_rows), len(in_rows)),
        exactly("words left after the restore", _count(after_restore), 0),
        exactly("clients that still answer", len(status - {410}), 0),
        exactly("deliveries more or less than asked for", abs(sum(counts.values()) - batch.recipients), 0),
        exactly("events lost", deployment.events_lost(400), 0),
        exactly("parked", deployment.parked(), 0),
    ]


def _count(found: dict[str, set[str]]) -> int:
    return sum(map(len, found.values()))


# People, and what is known of them


def _person(firm: Firm, case_type_id: str, mark: str, number: int) -> Person:
    api = firm.deployment.api
    own = f"{mark}x{number:04d}"
    phone = number_of(FIRST_NUMBER + int(mark[2:], 16) % 200_000 + number)
    fields = {
        "first_name": f"{own}first", "middle_name": f"{own}middle", "last_name": f"{own}last",
        "occupation": f"{own}occupation", "flag_reason": f"{own}flag",
        "phones": [{"number": phone, "kind": "mobile"}], "emails": [{"address": f"{own}mail@example.org"}],
        "addresses": [{"kind": "primary", "line1": f"{own}street", "city": f"{own}city", "state": "NY",
                       "country": "US"}],
        "tags": [f"{own}tag"], "time_zone": "America/New_York",
    }  # fmt: skip
    made = patiently(lambda: api.post("/v1/clients", fields, key=own, headers={"X-Skip-Duplicate-Check": "true"}))
    case = patiently(
        lambda: api.post(
            "/v1/cases",
            {"case_type_id": case_type_id, "name": f"{own}case", "description": f"{own}story",
             "clients": [{"client_id": made["id"]}]},
            key=own,
        )
    )  # fmt: skip
    task = patiently(lambda: api.post(f"/v1/cases/{case['id']}/tasks", {"template_id": firm.template["id"]}, key=own))
    again = patiently(
        lambda: api.post(f"/v1/cases/{case['id']}/tasks", {"template_id": firm.template["id"]}, key=f"{own}2")
    )
    given = {"answer": f"{own}answer", "client_id": made["id"]}
    patiently(lambda: api.post(f"/v1/case-tasks/{task['id']}/answer", given, key=own))
    assert again["id"] != task["id"]
    call = {"kind": "call", "notes": f"{own}note", "subject": f"{own}subject"}
    patiently(lambda: api.post(f"/v1/clients/{made['id']}/communications", call, key=own))
    kinds = ("first", "middle", "last", "occupation", "flag", "mail", "street", "city", "tag", "case", "story",
             "answer", "note", "subject", "text", "inbound", LISTED)  # fmt: skip
    return Person(made["id"], case["id"], phone, frozenset({own + kind for kind in kinds} | {phone.lstrip("+")}))


def _list(firm: Firm, people: list[Person]) -> None:
    """Lists that they are in and did not come from: skipped, failed, and of an import that nobody starts."""
    header = "First name,Last name,Phone,Notes"
    rows = []
    for at, person in enumerate(people):
        own = _own(person)
        rows.append(f"{own}first,{own}last,{person.number if at % 2 else 'none'},{own}{LISTED}")
    api = firm.deployment.api
    for started in (True, False):
        content = "\n".join([header, *rows]).encode()
        made = patiently(lambda content=content: api.post("/v1/imports", files={"file": ("people.csv", content)}))
        path = f"/v1/imports/{made['id']}"
        found = patiently(lambda path=path: api.post(f"{path}/preview", {}))
        counts = (found["counts"]["skipped"], found["counts"]["failed"])
        assert counts == (len(people) // 2, len(people) - len(people) // 2), found
        if started:
            patiently(lambda path=path: api.post(f"{path}/run"))
            eventually(lambda path=path: api.get(path)["state"] == "finished", "the list taken in", 90)
            assert answer(api, "GET", f"{path}/errors.csv").ok


def _own(person: Person) -> str:
    return next(word for word in person.words if word.endswith("first")).removesuffix("first")


def _say_things(firm: Firm, people: list[Person]) -> None:
    """Each is written to by a person, and writes back."""
    api = firm.deployment.api
    for person in people:
        own = _own(person)
        body = {"client_id": person.client_id, "channel": "sms", "body": f"{own}text", "timing": {"mode": "now"}}
        sent = patiently(lambda body=body, own=own: api.post("/v1/messages", body, key=own))
        assert sent["state"] != "suppressed", sent
    texts = [next(word for word in person.words if word.endswith("text")) for person in people]
    looked = "SELECT count(*) FROM delivery WHERE state IN ('sent', 'delivered') AND body = :body"
    for text in texts:
        eventually(lambda text=text: firm.deployment.ask("messaging", looked, body=text)[0][0], "a message sent", 90)
    for person in people:
        _write_in(firm, person)
    filed = "SELECT count(*) FROM inbound_message WHERE conversation_id IS NULL"
    eventually(lambda: not firm.deployment.ask("messaging", filed)[0][0], "every message filed", 90)
    firm.deployment.outbox_empty()
    firm.deployment.events_lost(120)


def _write_in(firm: Firm, person: Person) -> None:
    text = next(word for word in person.words if word.endswith("inbound"))
    form = {"MessageSid": f"SM{time.time_ns()}", "From": person.number, "To": OFFICE, "Body": text, "NumMedia": "0"}
    address = f"{firm.deployment.api.base_url}/webhooks/twilio/sms"
    signature = RequestValidator(webhook_secret(firm.deployment.folder)).compute_signature(address, form)
    told = requests.post(address, data=form, headers={"X-Twilio-Signature": signature}, timeout=30)
    assert told.status_code == 200, told.text


# The batch, and the erasing


def _ask(firm: Firm, load: Load, people: list[Person]) -> Batch:
    """Notifies them and as many of the firm's others as the load says."""
    firm.rate(load.rate)
    others = firm.case_ids[: load.messages // 2]
    key = f"erasing {time.time_ns():x}"
    body = {
        "selector": {"case_ids": [*others, *(person.case_id for person in people)]},
        "channels": ["sms"],
        "message": {"body": f"{key}: {{{{ client.first_name }}}} {{{{ task.link }}}}"},
        "allow_repeat": True,
    }
    asked = patiently(lambda: firm.deployment.api.post("/v1/case-tasks/bulk-notify", body, key=key))
    batch = Batch(str(asked["batch_id"]), 2 * len(others) + len(people), key)
    firm.batches.append(batch)
    return batch


def _erase(firm: Firm, person: Person) -> None:
    address = f"/v1/clients/{person.client_id}/erase"
    patiently(lambda: firm.deployment.api.post(address, key=f"erase {person.client_id}"))


def _all_done(firm: Firm) -> float:
    """Waits until every erasure has been reported by every service; the seconds that it took."""
    began = time.monotonic()
    api = firm.deployment.api

    def look() -> bool:
        return not any(
            patiently(lambda state=state: api.get("/v1/erasures", state=state))["meta"]["total"]
            for state in ("begun", "running")
        )

    eventually(look, "every erasure done", 400)
    return time.monotonic() - began


def _files_anew(deployment: Deployment) -> None:
    """Waits until SQLite's files have been written anew since the last erasure."""
    if deployment.backend == "embedded":
        for service in deployment.urls:
            eventually(
                lambda service=service: not deployment.ask(service, "PRAGMA user_version")[0][0],
                f"{service}'s file written anew", 60,
            )  # fmt: skip


def _repeat_everything(deployment: Deployment) -> int:
    """Every event of every outbox once more, as after a relay that forgot what it had published."""
    repeated = 0
    for service in deployment.urls:
        repeated += deployment.ask(service, "SELECT count(*) FROM outbox")[0][0]
        deployment.ask(service, "UPDATE outbox SET published_at = NULL")
    deployment.outbox_empty()
    deployment.events_lost(120)
    return repeated


@contextmanager
def _many_at_once(work: Callable[[int], Any], count: int) -> Iterator[list[Any]]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield list(pool.map(work, range(count)))


# The backup


class _Backup:
    """A copy of every database as it was; `restore` puts it back, `go_on` lets the services find it."""

    def restore(self) -> None:
        raise NotImplementedError

    def go_on(self) -> None:
        raise NotImplementedError


@contextmanager
def _backup(deployment: Deployment) -> Iterator[_Backup]:
    folder = Path(tempfile.mkdtemp(prefix="casewire-backup-"))
    try:
        if isinstance(deployment, Distributed):
            yield _ServerBackup(deployment, folder)
        else:
            assert isinstance(deployment, Single)
            yield _FileBackup(deployment, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _FileBackup(_Backup):
    """SQLite's own copies; put back while the process is down."""

    def __init__(self, deployment: Single, folder: Path) -> None:
        self._deployment = deployment
        self._copies: dict[Path, Path] = {}
        for url in deployment.urls.values():
            path = Path(url.removeprefix("sqlite:///"))
            copy = folder / path.name
            with sqlite3.connect(path) as source, sqlite3.connect(copy) as target:
                source.backup(target)
            source.close()
            target.close()
            self._copies[path] = copy

    def restore(self) -> None:
        self._deployment.system.kill()
        for path, copy in self._copies.items():
            for ending in ("-wal", "-shm"):
                path.with_name(path.name + ending).unlink(missing_ok=True)
            shutil.copyfile(copy, path)

    def go_on(self) -> None:
        """At its start it looks into the journal by itself."""
        self._deployment.system.start()
        self._deployment.wait_ready()
        known = "SELECT count(*) FROM erasure"
        eventually(lambda: self._deployment.ask("clients", known)[0][0], "the journal read", 60)


class _ServerBackup(_Backup):
    """`pg_dump` and `pg_restore`, the latter while the services stand still."""

    def __init__(self, deployment: Distributed, folder: Path) -> None:
        self._deployment = deployment
        self._dumps = {service: folder / f"{service}.dump" for service in deployment.urls}
        for service, dump in self._dumps.items():
            self._run("pg_dump", service, "--format=custom", f"--file={dump}")

    def restore(self) -> None:
        pids = [entry["pid"] for entry in self._deployment.state()["services"].values()]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            for service, dump in self._dumps.items():
                name = make_url(self._deployment.urls[service]).database
                self._deployment.administer(
                    f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
                )
                self._run("pg_restore", service, "--clean", "--if-exists", "--single-transaction", str(dump))
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    def go_on(self) -> None:
        """An operator says so, for the services were not started anew."""
        self._deployment.wait_ready()
        subprocess.run(
            [sys.executable, "-m", "deploy.cli", "erasures", "apply", "--settings",
             str(self._deployment.folder / "settings.yaml")],
            check=True, timeout=120, capture_output=True,
        )  # fmt: skip

    def _run(self, program: str, service: str, *arguments: str) -> None:
        url = make_url(self._deployment.urls[service])
        password = (self._deployment.folder / "postgres" / "password").read_text()
        binary = sorted(glob.glob(f"{BINARIES}/{program}"))[-1]
        where = ["--host", str(url.host), "--port", str(url.port), "--username", "postgres"]
        subprocess.run(
            [binary, *where, "--dbname", str(url.database), *arguments],
            check=True, timeout=300, capture_output=True, env={**os.environ, "PGPASSWORD": password},
        )  # fmt: skip
