"""Twilio's client over a pool of connections of our own.

The library's own client makes the same requests through `requests`, at less than half the speed, and hides whether a
request left at all: that is what decides between sending again and asking first.
"""

from __future__ import annotations

import http.client
import logging
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.parse import SplitResult, urlencode, urlsplit, urlunsplit

import certifi
from twilio.http import HttpClient
from twilio.http.response import Response
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.util import make_headers
from urllib3.util.ssl_match_hostname import CertificateError

from services.messaging.adapters.connections import is_up
from services.messaging.adapters.in_time import demand_in_time
from services.messaging.adapters.retry_after import seconds_of


class NeverSent(Exception):
    """No connection was made, so that the request cannot have been seen."""


class NoAnswer(Exception):
    """The request was begun and no whole answer came. `code`: timeout or cut."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


class TooManyRequests(Exception):
    """A 429. `seconds`: the delay that it asks for, None if it names none."""

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        super().__init__("too many requests")


class _Line:
    """One kept connection: urllib3 makes it, and checks who is at its other end; requests and answers are exchanged
    here. urllib3's own way from a request to its answer takes three times as long."""

    def __init__(self, connection: HTTPConnection, seconds: float) -> None:
        """Connects. Raises NeverSent."""
        try:
            connection.connect()
        except (HTTPError, CertificateError, OSError) as error:
            connection.close()
            raise NeverSent from error
        self._connection = connection
        self._socket: Any = connection.sock
        self._socket.settimeout(seconds)

    @property
    def is_up(self) -> bool:
        """Whether the other end has kept it."""
        return is_up(self._socket)

    def ask(self, method: str, request: bytes) -> tuple[HTTPResponse, bytes]:
        """Sends a whole request by one system call, and returns the answer and its body. Raises OSError,
        HTTPException."""
        self._socket.sendall(request)
        with HTTPResponse(self._socket, method=method) as answer:
            answer.begin()
            return answer, answer.read()

    def close(self) -> None:
        self._connection.close()


class PooledHttpClient(HttpClient):
    """`connections`: how many may be kept open. `seconds`: to wait for an answer."""

    def __init__(self, connections: int, seconds: float, connect_seconds: float = 3.0) -> None:
        super().__init__(logging.getLogger(__name__), is_async=False, timeout=seconds)
        self._most, self._seconds, self._connect_seconds = connections, seconds, connect_seconds
        # The last that was used is the next to be: it is the least likely to have been closed.
        self._kept: dict[tuple[str, str], list[_Line]] = {}

    def request(
        self,
        method: str,
        url: str,
        params: dict[str, Any] | None = None,
        data: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        """One request, made once: what became of it is for the caller to find out. Raises NeverSent, NoAnswer,
        TooManyRequests, TooLate."""
        parts = urlsplit(f"{url}?{urlencode(params, doseq=True)}" if params else url)
        request = _written(method.upper(), parts, data, headers or {}, auth)
        line = self._line(parts)
        kept = True
        try:
            demand_in_time()
            kept = False
            answer, body = line.ask(method.upper(), request)
            kept = not answer.will_close
        except TimeoutError as error:
            raise NoAnswer("timeout") from error
        except (HTTPException, OSError) as error:
            raise NoAnswer("cut") from error
        finally:
            # Also where the caller has lost its patience: the answer may still come.
            self._give_back(parts, line, kept)
        if answer.status == 429:
            raise TooManyRequests(seconds_of(answer.headers.get("Retry-After")))
        return Response(answer.status, body.decode("utf-8", "replace"), answer.headers)

    def _line(self, parts: SplitResult) -> _Line:
        kept = self._kept.setdefault((parts.scheme, parts.netloc), [])
        while kept:
            line = kept.pop()
            if line.is_up:
                return line
            line.close()
        host, port, wait = str(parts.hostname), parts.port, self._connect_seconds
        if parts.scheme == "http":
            return _Line(HTTPConnection(host, port, timeout=wait), self._seconds)
        trusted = certifi.where()
        made = HTTPSConnection(host, port, timeout=wait, cert_reqs="CERT_REQUIRED", ca_certs=trusted)
        return _Line(made, self._seconds)

    def _give_back(self, parts: SplitResult, line: _Line, kept: bool) -> None:
        lines = self._kept[parts.scheme, parts.netloc]
        if kept and len(lines) < self._most:
            lines.append(line)
        else:
            line.close()


class _Written(http.client.HTTPConnection):
    """A request as http.client writes it. http.client itself sends head and body by a system call each."""

    def __init__(self, host: str) -> None:
        super().__init__(host)
        self.whole = b""

    def send(self, data: Any) -> None:
        self.whole += data


def _written(
    method: str,
    parts: SplitResult,
    data: dict[str, Any] | None,
    headers: dict[str, str],
    auth: tuple[str, str] | None,
) -> bytes:
    """A request with all its bytes. Raises ValueError or InvalidURL where a line of its head would be none."""
    told = {**headers, **(make_headers(basic_auth=":".join(auth)) if auth else {})}
    body = None
    if data is not None:
        body = urlencode(data, doseq=True).encode()
        told.setdefault("Content-Type", "application/x-www-form-urlencoded")
    request = _Written(parts.netloc)
    request.request(method, urlunsplit(("", "", parts.path or "/", parts.query, "")), body, told)
    return request.whole
