"""A private RabbitMQ: a folder, a node name and ports of its own, so that several can run beside each other."""

from __future__ import annotations

import hashlib
import http.client
import json
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from deploy.installing import need_program
from deploy.processes import end, free_port, start, wait_until

USER = "casewire"
SERVERS = "/usr/lib/rabbitmq/bin/rabbitmq-server"
"""Debian's own start script changes the user and ignores a private folder; this is the one behind it."""
START_SECONDS = 60.0

CONFIGURATION = """\
listeners.tcp.1 = 127.0.0.1:{port}
management.tcp.ip = 127.0.0.1
management.tcp.port = {management_port}
management.rates_mode = basic
default_user = {user}
default_pass = {password}
loopback_users = none
log.file.level = warning
disk_free_limit.absolute = 100MB
"""


class RabbitMQ:
    """One node. `start` it, then use `amqp_uri(vhost)`; `stop`, `kill`, `pause` and `resume` as tests need."""

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        self.folder = folder.resolve()
        self.port = port or free_port()
        self.management_port = free_port()
        self._epmd_port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._epmd: subprocess.Popen[bytes] | None = None
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        self._password = self._kept_password()

    def _kept_password(self) -> str:
        """RabbitMQ takes its default user's password at the first start only, so it is kept beside the data."""
        kept = self.folder / "password"
        if not kept.exists():
            kept.touch(mode=0o600)
            kept.write_text(secrets.token_urlsafe(18))
        return kept.read_text()

    def amqp_uri(self, vhost: str = "/") -> str:
        """`pyamqp://user:password@127.0.0.1:port/vhost`."""
        return f"pyamqp://{USER}:{self._password}@127.0.0.1:{self.port}/{quote(vhost, safe='')}"

    @property
    def management_uri(self) -> str:
        """The management plugin's page and API, with its user and password."""
        return f"http://{USER}:{self._password}@127.0.0.1:{self.management_port}"

    @property
    def pid(self) -> int | None:
        """The node's process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> RabbitMQ:
        """Start the node and wait until it serves. TimeoutError, with the log's end, when it does not."""
        self.launch()
        self.wait_ready()
        return self

    def launch(self) -> None:
        """Start the node, which takes some seconds to serve."""
        server = need_program("rabbitmq-server", SERVERS, package="rabbitmq-server")
        epmd = need_program("epmd", package="erlang-base")
        (self.folder / "rabbitmq.conf").write_text(
            CONFIGURATION.format(
                port=self.port, management_port=self.management_port, user=USER, password=self._password
            )
        )
        (self.folder / "enabled_plugins").write_text("[rabbitmq_management].\n")
        log = self.folder / "server.log"
        # Erlang would leave its port mapper behind as a daemon: this one ends with the node.
        if self._epmd is None or self._epmd.poll() is not None:
            self._epmd_port = free_port()
            self._epmd = start(
                [epmd, "-port", str(self._epmd_port), "-address", "127.0.0.1", "-relaxed_command_check"],
                folder=self.folder,
                log=log,
                environment=self._environment(),
            )
            wait_until(lambda: _listens(self._epmd_port), "Erlang's port mapper listens", 10, pause=0.02)
        self._process = start([server], folder=self.folder, log=log, environment=self._environment())

    def wait_ready(self) -> None:
        """Wait until a launched node serves. TimeoutError, with the log's end, when it does not."""
        log = self.folder / "server.log"
        try:
            wait_until(self._serves, "RabbitMQ serves", START_SECONDS)
        except TimeoutError as error:
            self.stop()
            raise TimeoutError(f"{error}; its log ends: {log.read_text(errors='replace')[-2000:]}") from None

    def _environment(self) -> dict[str, str]:
        name = hashlib.sha256(str(self.folder).encode()).hexdigest()[:12]
        return {
            "HOME": str(self.folder),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"casewire-{name}@localhost",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "no-environment-file"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            # The start script then becomes the node itself, instead of a shell that has to pass signals on.
            "RUNNING_UNDER_SYSTEMD": "1",
        }

    def _serves(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise TimeoutError("RabbitMQ ended while it was starting")
        if not _listens(self.port):
            return False
        try:
            self.management("GET", "/api/health/checks/virtual-hosts")
        except OSError:
            return False
        return True

    def stop(self) -> None:
        """End the node in order; what it holds stays in the folder."""
        if self._process:
            end(self._process, 30)
        if self._epmd:
            end(self._epmd, 1, signal.SIGKILL)

    def kill(self) -> None:
        """Kill the node as `kill -9` does; `start` brings it back with its durable messages.

        RabbitMQ buffers for two seconds what is declared: a binding younger than that is lost, and with it what is
        published before somebody binds again. `sync` first where that is not what is meant.
        """
        if self._process:
            end(self._process, 0, signal.SIGKILL)

    def sync(self) -> None:
        """Have the node write down every queue, exchange and binding that was declared."""
        control = need_program("rabbitmqctl", "/usr/lib/rabbitmq/bin/rabbitmqctl", package="rabbitmq-server")
        asked = start(
            [control, "--quiet", "eval", "mnesia:sync_log()."],
            folder=self.folder,
            log=self.folder / "server.log",
            environment=self._environment(),
        )
        if asked.wait(30):
            raise OSError("RabbitMQ did not write its log")

    def pause(self) -> None:
        """Freeze the node: connections stay open and nothing answers."""
        if self._process:
            self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen node go on."""
        if self._process:
            self._process.send_signal(signal.SIGCONT)

    def create_vhost(self, name: str) -> str:
        """Make a virtual host that the user may do everything in. Returns its AMQP URI."""
        self.management("PUT", f"/api/vhosts/{quote(name, safe='')}")
        return self.amqp_uri(name)

    def delete_vhost(self, name: str) -> None:
        """Remove a virtual host with its queues; connections to it are closed."""
        self.management("DELETE", f"/api/vhosts/{quote(name, safe='')}")

    def management(self, method: str, path: str, body: Any = None) -> Any:
        """One request to the management API: parsed JSON, or None for an empty answer. OSError when it fails."""
        return management_request(self.management_uri, method, path, body)


def management_request(uri: str, method: str, path: str, body: Any = None) -> Any:
    """One request to a RabbitMQ management API at `http://user:password@host:port`."""
    credentials, _, host = uri.removeprefix("http://").rpartition("@")
    headers = {"Authorization": "Basic " + b64encode(credentials.encode()).decode(), "Content-Type": "application/json"}
    connection = http.client.HTTPConnection(host, timeout=10)
    try:
        connection.request(method, path, json.dumps(body or {}) if method in ("PUT", "POST") else None, headers)
        answer = connection.getresponse()
        content = answer.read()
    except http.client.HTTPException as error:
        raise OSError(f"the management API did not answer {method} {path}: {error!r}") from error
    finally:
        connection.close()
    if answer.status >= 300:
        raise OSError(f"the management API answered {method} {path} with {answer.status}")
    return json.loads(content) if content else None


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def private_rabbitmq() -> Iterator[RabbitMQ]:
    """A node in a temporary folder, for as long as the block lasts."""
    folder = Path(tempfile.mkdtemp(prefix="casewire-rabbitmq-"))
    node = RabbitMQ(folder)
    try:
        yield node.start()
    finally:
        node.kill()
        node.stop()
        shutil.rmtree(folder, ignore_errors=True)
