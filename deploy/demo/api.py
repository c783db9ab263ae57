"""A small client of the HTTP API, for the demonstration."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry


class ApiError(Exception):
    """An answer that was not expected: status and problem."""


class Api:
    """Calls with an API key; a request that finds no connection is tried again, which idempotency keys make safe."""

    def __init__(self, base_url: str, api_key: str) -> None:
        self.base_url = base_url.rstrip("/")
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {api_key}"
        retry = Retry(total=5, backoff_factor=0.2, status_forcelist=(429, 503), allowed_methods=None)
        self.session.mount("http://", HTTPAdapter(max_retries=retry, pool_maxsize=16))

    def _send(self, method: str, path: str, **kwargs: Any) -> Any:
        response = self.session.request(method, self.base_url + path, timeout=90, **kwargs)
        if not response.ok:
            raise ApiError(f"{method} {path} answered {response.status_code}: {response.text[:500]}")
        return response.json() if response.content else None

    def get(self, path: str, **query: Any) -> Any:
        return self._send("GET", path, params={name: value for name, value in query.items() if value is not None})

    def post(
        self,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        headers: dict[str, str] | None = None,
        **upload: Any,
    ) -> Any:
        """JSON, or with `files` (and `data`) a form."""
        headers = {**(headers or {}), **({"Idempotency-Key": key} if key else {})}
        sent = upload or {"json": body if body is not None else {}}
        return self._send("POST", path, headers=headers, **sent)

    def put(self, path: str, body: Any) -> Any:
        return self._send("PUT", path, json=body)

    def patch(self, path: str, body: Any) -> Any:
        return self._send("PATCH", path, json=body)

    def every(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """All records of a list, page by page."""
        cursor = None
        while True:
            page = self.get(path, limit=200, cursor=cursor, **query)
            yield from page["data"]
            cursor = page["meta"]["next_cursor"]
            if cursor is None:
                return


def wait_for(what: str, ready: Callable[[], Any], seconds: float = 60, pause: float = 0.2) -> Any:
    """Ask until the answer is truthy, and return it. Raises ApiError after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        found = ready()
        if found:
            return found
        if time.monotonic() > deadline:
            raise ApiError(f"Waited {seconds:.0f} s for {what}.")
        time.sleep(pause)
