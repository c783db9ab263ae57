"""The edge's HTTP server: Nameko's, which more connections than a process can hold do not end, and which logs no line
of a request, for its address may hold a token."""

from __future__ import annotations

import resource
from contextlib import suppress
from functools import partial
from typing import Any

import eventlet
from eventlet.semaphore import Semaphore
from eventlet.wsgi import ChunkReadError
from nameko.web.server import HttpOnlyProtocol, WebServer

from chassis.listening import Listening

MOST_CONNECTIONS = 10_000
IDLE_SECONDS = 75.0
"""How long a connection may bring nothing, between requests and within one, or take nothing of an answer."""
END = "casewire.end"
"""In the environment of a request: called before the answer, it makes that the last one of its connection."""
LINGER_SECONDS = 5.0
"""How long what still comes is thrown away after that: an answer may be lost with a connection that is cut at once."""


class _Protocol(HttpOnlyProtocol):
    def parse_request(self) -> bool:
        if not super().parse_request():
            return False
        if len(set(self.headers.get_all("Content-Length", ()))) > 1:
            # Whoever passed it on may have meant the other one, and what is left over would be a request of its own.
            self.send_error(400)
            return False
        return True

    def get_environ(self) -> dict[str, Any]:
        self._ends = False
        return {**super().get_environ(), END: self._end}

    def _end(self) -> None:
        self._ends = self.close_connection = True

    def handle_one_response(self) -> None:
        super().handle_one_response()
        if self._ends:
            with eventlet.Timeout(LINGER_SECONDS, False), suppress(OSError, ChunkReadError):
                self.environ["eventlet.input"].discard()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: of a request that cannot be read it would be the line."""


class EdgeServer(WebServer):
    """Takes as many connections as leave room for the process's own; those that come then wait until one ends."""

    def __init__(self) -> None:
        super().__init__()
        self._room = Semaphore(most_connections())

    def run(self) -> None:
        listening = Listening(self._sock)
        while self._is_accepting:
            self._room.acquire()
            sock, address = listening.accept()
            sock.settimeout(IDLE_SECONDS)
            thread = self.container.spawn_managed_thread(partial(self.process_request, sock, address))
            thread.link(lambda _: self._room.release())

    def get_wsgi_server(self, sock: Any, wsgi_app: Any, protocol: Any = _Protocol, debug: bool = False) -> Any:
        server = super().get_wsgi_server(sock, wsgi_app, protocol=protocol, debug=debug)
        server.socket_timeout = server.keepalive = IDLE_SECONDS
        return server


def most_connections() -> int:
    """Half of the descriptors that the process may have, at most."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_CONNECTIONS if allowed == resource.RLIM_INFINITY else min(MOST_CONNECTIONS, max(1, allowed // 2))
