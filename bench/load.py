"""A small HTTP load: some connections that each send the next request when the last is answered.

It is its own process, and the same one for whatever is compared: `python -m bench.load HOST PORT PATH …` prints one
line of JSON: {"requests", "seconds", "rate" (a second), "p50", "p99" (both in milliseconds), "errors"}.
"""

from __future__ import annotations

import argparse
import json
import selectors
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import Any


@dataclass
class _Connection:
    """One keep-alive connection: what of the answer has come, and since when it is awaited."""

    sock: socket.socket
    sent_at: float = 0.0
    received: bytearray = field(default_factory=bytearray)

    def answer_status(self) -> int | None:
        """The status of the answer when it is whole, else None."""
        head, found, body = bytes(self.received).partition(b"\r\n\r\n")
        if not found:
            return None
        length = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return int(head.split(b" ", 2)[1]) if len(body) >= length else None


def measure(
    host: str, port: int, path: str, headers: dict[str, str], connections: int, seconds: float
) -> dict[str, Any]:
    """Send GETs for `seconds` and tell how it went."""
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}:{port}", *(f"{name}: {value}" for name, value in headers.items())]
    request = ("\r\n".join(lines) + "\r\n\r\n").encode()
    selector = selectors.DefaultSelector()
    for _ in range(connections):
        connection = _Connection(socket.create_connection((host, port), timeout=10))
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(connection.sock, selectors.EVENT_READ, connection)
        _send(connection, request)
    began = time.perf_counter()
    took: list[float] = []
    errors = 0
    while time.perf_counter() - began < seconds:
        for key, _ in selector.select(1):
            connection = key.data
            connection.received += connection.sock.recv(65536)
            status = connection.answer_status()
            if status is None:
                continue
            took.append(time.perf_counter() - connection.sent_at)
            errors += status != 200
            _send(connection, request)
    elapsed = time.perf_counter() - began
    took.sort()
    return {
        "requests": len(took),
        "seconds": round(elapsed, 3),
        "rate": round(len(took) / elapsed, 1),
        "p50": round(1000 * took[len(took) // 2], 2),
        "p99": round(1000 * took[int(len(took) * 0.99)], 2),
        "errors": errors,
    }


def _send(connection: _Connection, request: bytes) -> None:
    connection.received.clear()
    connection.sent_at = time.perf_counter()
    connection.sock.sendall(request)


def run(host: str, port: int, path: str, headers: dict[str, str], connections: int, seconds: float) -> dict[str, Any]:
    """`measure` in a process of its own. Raises RuntimeError if any answer was not 200."""
    arguments = [sys.executable, "-m", "bench.load", host, str(port), path, str(connections), str(seconds)]
    arguments += [f"{name}={value}" for name, value in headers.items()]
    told: dict[str, Any] = json.loads(subprocess.run(arguments, check=True, capture_output=True).stdout)
    if told["errors"]:
        raise RuntimeError(f"{told['errors']} of {told['requests']} answers from port {port} were not 200")
    return told


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("path")
    parser.add_argument("connections", type=int)
    parser.add_argument("seconds", type=float)
    parser.add_argument("headers", nargs="*")
    given = parser.parse_args()
    headers = dict(header.split("=", 1) for header in given.headers)
    print(json.dumps(measure(given.host, given.port, given.path, headers, given.connections, given.seconds)))


if __name__ == "__main__":
    main()
