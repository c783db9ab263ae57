"""Twilio's client over a pool of connections of our own.

The library's own client makes the same requests through `requests`, at less than half the speed, and hides whether a
request left at all: that is what decides between sending again and asking first.
"""

from __future__ import annotations

import base64
import datetime as dt
import logging
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import certifi
import urllib3
from twilio.http import HttpClient
from twilio.http.response import Response
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ProxyError, SSLError

from services.messaging.adapters.connections import StandingBy, is_up


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


class _Polled:
    sock: Any

    @property
    def is_connected(self) -> bool:
        """Whether a kept connection is still up."""
        return is_up(self.sock)


class _Together:
    """Sends a request by one system call. The library would send its head by one and its body by another."""

    _parts: list[bytes] | None = None

    def request(self, *arguments: Any, **options: Any) -> None:
        parts = self._parts = []
        try:
            super().request(*arguments, **options)  # type: ignore[misc]
        finally:
            self._parts = None
        self.send(b"".join(parts))

    def send(self, data: Any) -> None:
        if self._parts is None:
            super().send(data)  # type: ignore[misc]
        else:
            self._parts.append(data)


class _OwnHTTP(_Polled, _Together, HTTPConnection):
    pass


class _OwnHTTPS(_Polled, _Together, HTTPSConnection):
    pass


class _HTTPPool(StandingBy, HTTPConnectionPool):
    ConnectionCls = _OwnHTTP


class _HTTPSPool(StandingBy, HTTPSConnectionPool):
    ConnectionCls = _OwnHTTPS


class PooledHttpClient(HttpClient):
    """`connections`: how many may be kept open. `seconds`: to wait for an answer."""

    def __init__(self, connections: int, seconds: float, connect_seconds: float = 3.0) -> None:
        super().__init__(logging.getLogger(__name__), is_async=False, timeout=seconds)
        self._origins: dict[str, HTTPConnectionPool] = {}
        self._pool = urllib3.PoolManager(
            maxsize=connections,
            # A request is made once: what became of it is for the caller to find out.
            retries=False,
            timeout=urllib3.Timeout(connect=connect_seconds, read=seconds),
            ca_certs=certifi.where(),
        )
        self._pool.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}

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
        """One request. Raises NeverSent, NoAnswer, TooManyRequests, TooLate."""
        sent = dict(headers or {})
        if auth:
            sent["Authorization"] = "Basic " + base64.b64encode(":".join(auth).encode()).decode()
        body = None
        if data is not None:
            body = urlencode(data, doseq=True)
            sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
        origin, path = _parts(f"{url}?{urlencode(params, doseq=True)}" if params else url)
        try:
            if origin not in self._origins:
                self._origins[origin] = self._pool.connection_from_url(origin)
            answer = self._origins[origin].urlopen(method.upper(), path, body=body, headers=sent, redirect=False)
        except (NewConnectionError, ConnectTimeoutError, ProxyError, SSLError) as error:
            raise NeverSent from error
        except urllib3.exceptions.TimeoutError as error:
            raise NoAnswer("timeout") from error
        except (HTTPError, OSError) as error:
            raise NoAnswer("cut") from error
        if answer.status == 429:
            raise TooManyRequests(_seconds(answer.headers.get("Retry-After")))
        return Response(answer.status, answer.data.decode("utf-8", "replace"), answer.headers)


def _parts(url: str) -> tuple[str, str]:
    """An address as (origin, path with query): `https://api.twilio.com`, `/2010-04-01/Accounts.json?PageSize=1`."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}", urlunsplit(("", "", parts.path, parts.query, ""))


def _seconds(retry_after: str | None) -> float | None:
    """The delay that a Retry-After header asks for: seconds, or an instant."""
    if not retry_after:
        return None
    try:
        return max(float(retry_after), 0.0)
    except ValueError:
        pass
    try:
        wait = parsedate_to_datetime(retry_after) - dt.datetime.now(dt.UTC)
    except (TypeError, ValueError):
        return None
    return max(wait.total_seconds(), 0.0)
