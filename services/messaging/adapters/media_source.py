"""Fetches what came with a message from where the provider keeps it, and from nowhere else.

https://www.twilio.com/docs/messaging/api/media-resource: the address asks for the account's credentials and leads to
the provider's own store. Whoever could name another address would make us ask it for them, perhaps inside our network.
"""

from __future__ import annotations

from typing import IO
from urllib.parse import urljoin

import certifi
import eventlet
import urllib3
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util import Url, parse_url

_OWN = (".twilio.com", ".twiliocdn.com")
_STORES = (".amazonaws.com",)
"""Where the provider's own addresses may lead to, without credentials."""
_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 3
_PIECE = 64 * 1024


class MediaRefused(Exception):
    """It is not to be had, whatever is tried. `reason`: address_refused, too_large."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class MediaUnreachable(Exception):
    """It did not come, and may come later. `reason`: timeout, cut, not_found, http_<status>."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class TwilioMedia:
    """Media of one account. `api_url`: another origin that counts as the provider's, for tests. `seconds`: for one file
    altogether."""

    def __init__(self, account_sid: str, auth_token: str, *, api_url: str | None = None, seconds: float = 60.0) -> None:
        self._headers = urllib3.make_headers(basic_auth=f"{account_sid}:{auth_token}")
        self._origin = _origin(parse_url(api_url)) if api_url else None
        self._seconds = seconds
        self._pool = urllib3.PoolManager(
            retries=False, timeout=urllib3.Timeout(connect=5, read=15), ca_certs=certifi.where()
        )

    def fetch(self, url: str, into: IO[bytes], largest: int) -> None:
        """Writes the file to `into`. Raises MediaRefused, MediaUnreachable."""
        try:
            # A sender that drips keeps each single read within its limit.
            with eventlet.Timeout(self._seconds):
                self._follow(url, into, largest)
        except eventlet.Timeout as slow:
            raise MediaUnreachable("timeout") from slow
        except urllib3.exceptions.TimeoutError as error:
            raise MediaUnreachable("timeout") from error
        except (HTTPError, OSError) as error:
            raise MediaUnreachable("cut") from error

    def is_own(self, url: str) -> bool:
        """Whether an address is the provider's, which may see the account's credentials."""
        parts = _parse(url)
        if self._origin is not None and _origin(parts) == self._origin:
            return True
        return _is_public(parts) and f".{parts.host}".endswith(_OWN)

    def may_lead_to(self, url: str) -> bool:
        """Whether the provider's redirect to an address is followed."""
        parts = _parse(url)
        return (_is_public(parts) and f".{parts.host}".endswith(_STORES)) or self.is_own(url)

    def _follow(self, url: str, into: IO[bytes], largest: int) -> None:
        if not self.is_own(url):
            raise MediaRefused("address_refused")
        for _ in range(_MOST_REDIRECTS + 1):
            headers = {"Accept-Encoding": "identity", **(self._headers if self.is_own(url) else {})}
            answer = self._pool.request("GET", url, headers=headers, redirect=False, preload_content=False)
            try:
                if answer.status not in _REDIRECTS:
                    _take(answer, into, largest)
                    return
                url = urljoin(url, answer.headers.get("Location", ""))
            finally:
                # What is left of the answer is not read.
                answer.close()
            if not self.may_lead_to(url):
                raise MediaRefused("address_refused")
        raise MediaUnreachable("redirects")


def _parse(url: str) -> Url:
    """As the library reads it that makes the request: two readers may see two hosts. What it cannot read has none."""
    try:
        return parse_url(url)
    except LocationParseError:
        return Url()


def _origin(parts: Url) -> tuple[str | None, str | None, int | None]:
    return parts.scheme, parts.host, parts.port


def _is_public(parts: Url) -> bool:
    return parts.scheme == "https" and parts.auth is None and parts.port in (None, 443)


def _take(answer: urllib3.BaseHTTPResponse, into: IO[bytes], largest: int) -> None:
    if answer.status == 404:
        raise MediaUnreachable("not_found")
    if answer.status != 200:
        raise MediaUnreachable(f"http_{answer.status}")
    announced = answer.headers.get("Content-Length", "")
    if announced.isdigit() and int(announced) > largest:
        raise MediaRefused("too_large")
    size = 0
    for piece in answer.stream(_PIECE, decode_content=False):
        size += len(piece)
        if size > largest:
            raise MediaRefused("too_large")
        into.write(piece)
