"""Connections to the edge: more than it can hold, and what is logged of them."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import eventlet
import pytest
from nameko.runners import ServiceRunner
from werkzeug.wrappers import Request, Response

from deploy.processes import free_port
from gateway import http_server
from gateway.service import on_request

Connect = Callable[[], Any]
POST = b"POST /there HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n"
REQUEST = b"GET /there HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


class Hall:
    name = "hall"

    @on_request("GET,POST", "/there")
    def there(self, request: Request) -> Response:
        return Response("here")


@pytest.fixture
def connect(
    embedded_bus: str, start: Callable[..., ServiceRunner], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Connect]:
    """Opens a connection to an edge that holds two, and each for a moment."""
    monkeypatch.setattr(http_server, "most_connections", lambda: 2)
    monkeypatch.setattr(http_server, "IDLE_SECONDS", 0.3)
    port = free_port()
    start(Hall, bus=embedded_bus, WEB_SERVER_ADDRESS=f"127.0.0.1:{port}", MAX_UPLOAD_BYTES=1024)
    opened: list[Any] = []

    def connect() -> Any:
        opened.append(eventlet.connect(("127.0.0.1", port)))
        return opened[-1]

    yield connect
    for one in opened:
        one.close()


def answer(connection: Any, request: bytes = REQUEST) -> bytes:
    connection.sendall(request)
    with eventlet.Timeout(5):
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize("beginning", [b"", b"GET /there HTTP/1.1\r\nHost: "], ids=["idle", "half-a-request"])
def test_connections_that_bring_nothing_make_room_for_others(connect: Connect, beginning: bytes) -> None:
    for _ in range(5):
        connect().sendall(beginning)
    assert answer(connect()).endswith(b"here")


def test_a_process_without_descriptors_goes_on(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    with failing_once(monkeypatch) as failed:
        assert answer(connect()).endswith(b"here")
        assert answer(connect()).endswith(b"here")
    assert failed


@contextmanager
def failing_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The next accept fails for want of a descriptor."""
    failed: list[str] = []
    accept = eventlet.greenio.GreenSocket.accept

    def fail_first(self: Any) -> Any:
        if not failed:
            failed.append("")
            raise OSError(errno.EMFILE, "Too many open files")
        return accept(self)

    with monkeypatch.context() as patch:
        patch.setattr(eventlet.greenio.GreenSocket, "accept", fail_first)
        yield failed


def test_a_body_of_two_lengths_ends_its_connection(connect: Connect) -> None:
    lengths = b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(REQUEST)
    found = answer(connect(), b"GET /there HTTP/1.1\r\nHost: x\r\n" + lengths + REQUEST)
    assert b"400" in found
    assert b"here" not in found


@pytest.mark.parametrize(
    ("code", "header", "body"),
    [(b"413", b"Content-Length: 2000", bytes(2000)), (b"411", b"Transfer-Encoding: chunked", b"1\r\nx\r\n0\r\n\r\n")],
)
def test_a_body_that_is_not_taken_ends_its_connection(
    connect: Connect, code: bytes, header: bytes, body: bytes
) -> None:
    found = answer(connect(), POST % header + body + REQUEST)
    assert code in found.partition(b"\r\n")[0]
    assert found.lower().count(b"\r\nconnection: close\r\n") == 1
    assert b"here" not in found


def test_who_sends_all_before_reading_has_the_answer(connect: Connect) -> None:
    body = bytes(8_000_000)
    assert b" 413 " in answer(connect(), POST % (b"Content-Length: %d" % len(body)) + body)


def test_who_never_stops_sending_is_cut_off(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "LINGER_SECONDS", 0.2)
    connection = connect()
    connection.sendall(POST % b"Content-Length: 1000000000000")
    with eventlet.Timeout(5), suppress(OSError):
        while True:
            connection.sendall(bytes(65536))


def test_a_request_that_cannot_be_read_is_not_logged(connect: Connect, capfd: pytest.CaptureFixture[str]) -> None:
    assert b"400" in answer(connect(), b"GET /p/a-token of a link HTTP/1.1\r\n\r\n")
    assert "a-token" not in "".join(capfd.readouterr())
