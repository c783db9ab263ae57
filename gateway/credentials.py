"""Who calls: an API key, looked up by its hash and kept for at most 30 seconds."""

from __future__ import annotations

import datetime as dt
from typing import Any

from cachetools import TTLCache
from flask import g
from werkzeug.wrappers import Request

from chassis.tokens import hash_token
from contracts.errors import Forbidden, Unauthorized

CACHE_SECONDS = 30
CACHE_SIZE = 10_000
REFUSED = "casewire.refused"
"""In the environment of a request whose body was not taken in: the error by which its caller was refused."""


class CredentialCache:
    """Credentials by the SHA-256 of their key. A revocation event drops one at once; else it lives 30 seconds.

    `drops` counts those events: what was looked up before one may be of the time before it."""

    def __init__(self) -> None:
        self._by_hash: TTLCache[str, dict[str, Any]] = TTLCache(CACHE_SIZE, CACHE_SECONDS)
        self.drops = 0

    def get(self, key_hash: str) -> dict[str, Any] | None:
        return self._by_hash.get(key_hash)

    def put(self, key_hash: str, credential: dict[str, Any]) -> None:
        self._by_hash[key_hash] = credential

    def drop(self, key_hash: str) -> None:
        self.drops += 1
        self._by_hash.pop(key_hash, None)

    def drop_staff(self, staff_id: str) -> None:
        """A staff member's role or activity changed: forget every key of theirs."""
        self.drops += 1
        for key_hash in [key for key, value in list(self._by_hash.items()) if value.get("staff_id") == staff_id]:
            self.drop(key_hash)


def presented_key(request: Request) -> str:
    """The key in `Authorization: Bearer` or `X-API-Key`. Raises Unauthorized where there is none."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    key = value.strip() if scheme.lower() == "bearer" else request.headers.get("X-API-Key", "").strip()
    if not key or len(key) > 500:
        raise Unauthorized("credential_missing" if not key else "credential_invalid")
    return key


def needs_credential(request: Request) -> bool:
    """A browser asks with OPTIONS, and without a credential, whether a page of CORS_ORIGINS may send one."""
    return request.path.startswith("/v1/") and request.method != "OPTIONS"


def authenticate(request: Request, cache: CredentialCache, calls: Any) -> dict[str, Any]:
    """The caller's credential (wire form of contracts.accounts.Credential). Raises Unauthorized."""
    if REFUSED in request.environ:
        raise request.environ[REFUSED]
    key_hash = hash_token(presented_key(request))
    credential = cache.get(key_hash)
    if credential is None:
        drops = cache.drops
        credential = calls.accounts.resolve_api_key(key_hash=key_hash)
        if cache.drops == drops:
            cache.put(key_hash, credential)
    expires_at = credential.get("expires_at")
    if expires_at and dt.datetime.fromisoformat(expires_at) <= dt.datetime.now(dt.UTC):
        raise Unauthorized("credential_expired")
    return credential


def demand(permission: str | None) -> None:
    """Raise Forbidden unless the caller may do this."""
    if permission is not None and permission not in g.credential["permissions"]:
        raise Forbidden("permission_denied", permission=permission)
