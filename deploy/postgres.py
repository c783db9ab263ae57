"""A private PostgreSQL: a folder and a port of its own, under the `postgres` user where this one is root."""

from __future__ import annotations

import hashlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

import psycopg2
import psycopg2.extensions
from psycopg2 import sql

from deploy.installing import ProgramMissing, need_program
from deploy.processes import end, free_port, start, wait_until
from deploy.roles import make_roles, make_service_database

SUPERUSER = "postgres"
START_SECONDS = 60.0
BINARIES = "/usr/lib/postgresql/*/bin"

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "300",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "jit": "off",
    # Two batches of 100,000 recipients stay in memory while they are worked on; at the default of 128 MB one does not.
    "shared_buffers": "512MB",
    # Those that a machine has were reserved for another server.
    "huge_pages": "off",
    # What is looked up lies in memory or on a disk without heads: at the default of 4 a table is read from end to end
    # to find a hundred rows by their ids.
    "random_page_cost": "1.1",
    # A statement that fails holds what was to be written, and a deadlock is told with the statements that met.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
# Survives the end of the server's processes by any signal, though not of the machine.
FAST_SETTINGS = {"fsync": "off", "full_page_writes": "off"}


class Postgres:
    """One server. `start` it, then `create_database`; `stop` and `kill` as tests need.

    `durable` False skips the flushes to disk that only a crash of the whole machine needs. `settings`: by name, what is
    to be otherwise than `SETTINGS` say.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        durable: bool = True,
        settings: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.folder = folder.resolve()
        self.port = port or free_port()
        self.durable = durable
        self.settings = {**SETTINGS, **({} if durable else FAST_SETTINGS), **settings}
        self._user = _unprivileged_user()
        self._process: subprocess.Popen[bytes] | None = None
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data = self._data_folder()
        self._password = self._kept_password()

    def _data_folder(self) -> Path:
        """Inside the folder, or in /var/lib when the server's own user may not go where the folder is."""
        if self._user is None:
            return self.folder / "data"
        self.folder.chmod(0o755)
        reachable = subprocess.run(
            ["/bin/sh", "-c", 'cd "$1"', "sh", str(self.folder)],
            user=self._user,
            group=self._user,
            extra_groups=[],
            stderr=subprocess.DEVNULL,
        )
        if reachable.returncode == 0:
            return self.folder / "data"
        name = hashlib.sha256(str(self.folder).encode()).hexdigest()[:12]
        return Path("/var/lib/casewire") / f"postgres-{name}"

    def _kept_password(self) -> str:
        kept = self.folder / "password"
        if not kept.exists():
            if not any(self.folder.iterdir()):
                # The folder is new: a cluster outside of it is what an emptied one left behind.
                shutil.rmtree(self.data, ignore_errors=True)
            kept.touch(mode=0o600)
            kept.write_text(secrets.token_urlsafe(18))
        return kept.read_text()

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> Postgres:
        """Make the cluster where there is none, start the server, wait until it answers."""
        # initdb tells Debian's PostgreSQL apart from the client that many machines have.
        initdb = need_program("initdb", f"{BINARIES}/initdb", package="postgresql")
        log = self.folder / "server.log"
        if not (self.data / "PG_VERSION").exists():
            self._make_cluster(initdb, log)
        self._process = start(
            [
                str(Path(initdb).with_name("postgres")),
                *("-D", str(self.data), "-p", str(self.port)),
                *(part for name, value in self.settings.items() for part in ("-c", f"{name}={value}")),
            ],
            folder=self.folder,
            log=log,
            user=self._user,
            ending=signal.SIGINT,
        )
        try:
            wait_until(self._serves, "PostgreSQL serves", START_SECONDS, pause=0.05)
        except TimeoutError as error:
            self.stop()
            raise TimeoutError(f"{error}; its log ends: {log.read_text(errors='replace')[-2000:]}") from None
        return self

    def _make_cluster(self, initdb: str, log: Path) -> None:
        if self.data.exists():  # an initdb that was killed; a finished one has its version file
            shutil.rmtree(self.data)
        self.data.parent.mkdir(parents=True, exist_ok=True)
        self.data.mkdir(mode=0o700)
        # The server's user must read the password, and nobody else.
        password = self.data.with_name(self.data.name + ".password")
        password.touch(mode=0o600)
        password.write_text(self._password)
        if self._user:
            shutil.chown(self.data, self._user, self._user)
            shutil.chown(password, self._user, self._user)
        flush = [] if self.durable else ["--no-sync"]
        made = start(
            [
                *(initdb, "-D", str(self.data), "-U", SUPERUSER, "--auth=scram-sha-256", f"--pwfile={password}"),
                *("--encoding=UTF8", "--locale=C.UTF-8", *flush),
            ],
            folder=self.folder,
            log=log,
            user=self._user,
        )
        try:
            made.wait(120)
        finally:
            end(made, 0)
            password.unlink()
        if made.returncode:
            shutil.rmtree(self.data, ignore_errors=True)
            raise ProgramMissing(f"initdb failed: {log.read_text(errors='replace')[-2000:]}")

    def _serves(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise TimeoutError("PostgreSQL ended while it was starting")
        try:
            self._connect("postgres").close()
        except psycopg2.OperationalError:
            return False
        return True

    def _connect(self, database: str) -> psycopg2.extensions.connection:
        connection = psycopg2.connect(
            host="127.0.0.1",
            port=self.port,
            dbname=database,
            user=SUPERUSER,
            password=self._password,
            connect_timeout=5,
        )
        connection.autocommit = True
        return connection

    def stop(self, *, at_once: bool = False) -> None:
        """End the server; `at_once` as after a power cut of the server alone (no checkpoint, clients cut off)."""
        if self._process:
            end(self._process, 30, signal.SIGQUIT if at_once else signal.SIGINT)

    def kill(self) -> None:
        """Kill the server's first process as `kill -9` does; the others end when they notice."""
        if self._process:
            end(self._process, 0, signal.SIGKILL)

    def url(self, database: str = "postgres", user: str = SUPERUSER, password: str | None = None) -> str:
        """SQLAlchemy's URL of a database."""
        secret = quote(self._password if password is None else password, safe="")
        return f"postgresql+psycopg2://{user}:{secret}@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str, *, owner: str | None = None, password: str | None = None) -> str:
        """Make a database that is not there yet, and its owner's role. Returns its URL for the owner."""
        if owner and not self.ask("postgres", "SELECT 1 FROM pg_roles WHERE rolname = %s", owner):
            self.ask("postgres", sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(owner)))
        if owner and password is not None:
            self.ask("postgres", sql.SQL("ALTER ROLE {} PASSWORD %s").format(sql.Identifier(owner)), password)
        if not self.ask("postgres", "SELECT 1 FROM pg_database WHERE datname = %s", name):
            self.ask(
                "postgres",
                sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(owner or SUPERUSER)),
            )
            # Nobody but the owner connects: each service's data is its own.
            self.ask("postgres", sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))
        return self.url(name, owner, password) if owner else self.url(name)

    def create_service_database(self, name: str, role: str, password: str, owner_password: str) -> tuple[str, str]:
        """Make a service's roles and its database where they are not there: the service's URL and its owner's."""
        owner = make_roles(self.ask, role, password, owner_password)
        make_service_database(self.ask, name, role)
        return self.url(name, role, password), self.url(name, owner, owner_password)

    def drop_database(self, name: str) -> None:
        """Remove a database and cut off whoever is connected to it."""
        self.ask("postgres", sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def ask(self, database: str, statement: str | sql.Composed, *values: Any) -> list[tuple[Any, ...]]:
        """One statement as the superuser, outside any transaction; its rows, or [] where it gives none."""
        connection = self._connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement, values or None)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()


def _unprivileged_user() -> str | None:
    """PostgreSQL refuses to run as root: the user that its package made, where this one is root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        need_program("initdb", f"{BINARIES}/initdb", package="postgresql")
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        raise ProgramMissing(
            "PostgreSQL cannot run as root and this machine has no user `postgres`: make one."
        ) from None


@contextmanager
def private_postgres(
    *, durable: bool = False, settings: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Postgres]:
    """A server in a temporary folder, for as long as the block lasts."""
    folder = Path(tempfile.mkdtemp(prefix="casewire-postgres-"))
    server = Postgres(folder, durable=durable, settings=settings)
    try:
        yield server.start()
    finally:
        server.stop(at_once=True)
        shutil.rmtree(server.data, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
