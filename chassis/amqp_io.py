"""Fewer system calls for py-amqp, which otherwise receives three times per frame and sends once per message.

Only plain TCP connections are touched; with TLS everything goes its usual way.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from amqp.transport import TCPTransport

READ_BYTES = 16_384
WRITE_BYTES = 65_536


def read_ahead(connection: Any) -> None:
    """Lets a raw connection take from its socket whatever is there, up to `READ_BYTES`; what is more than it asked for
    the transport keeps."""
    transport: Any = getattr(connection, "transport", None)
    if type(transport) is TCPTransport:
        receive = transport.sock.recv
        transport._quick_recv = lambda size: receive(max(size, READ_BYTES))


@contextmanager
def writes_together(connection: Any) -> Iterator[None]:
    """Gathers what is written to a raw connection in the block and sends it in large pieces, the last at its end."""
    transport: Any = getattr(connection, "transport", None)
    if type(transport) is not TCPTransport:
        yield
        return
    send = transport._write
    pieces: list[bytes] = []
    size = 0

    def gather(piece: Any) -> None:
        nonlocal size
        # A copy: py-amqp uses its buffer again for the next frame.
        pieces.append(bytes(piece))
        size += len(piece)
        if size >= WRITE_BYTES:
            flush()

    def flush() -> None:
        nonlocal size
        gathered, size = b"".join(pieces), 0
        pieces.clear()
        send(gathered)

    transport._write = gather
    try:
        yield
        if pieces:
            flush()
    finally:
        transport._write = send
