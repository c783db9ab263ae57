"""A socket that goes on taking connections after the process could not open another for a while."""

from __future__ import annotations

import errno
from typing import Any

import eventlet

from chassis.telemetry import log_of

_PASSING = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ECONNABORTED})
_PAUSE = 0.1

_log = log_of(__name__)


class Listening:
    """A listening socket. What does not pass by itself still ends its `accept`."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock

    def accept(self) -> tuple[Any, Any]:
        """The next connection and where it comes from, as a socket's own."""
        while True:
            try:
                sock, address = self._sock.accept()
            except OSError as error:
                if error.errno not in _PASSING:
                    raise
                _log.warning("connection_not_taken", code=errno.errorcode[error.errno])
                eventlet.sleep(_PAUSE)
            else:
                return sock, address

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)
