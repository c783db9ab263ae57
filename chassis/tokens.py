"""Secrets that are shown once and stored as a hash."""

from __future__ import annotations

import hashlib
import secrets


def new_token() -> tuple[str, str]:
    """A new secret of 256 random bits, safe in a URL, and the hash to store: (token, SHA-256 as hex)."""
    token = secrets.token_urlsafe(32)
    return token, hash_token(token)


def hash_token(token: str) -> str:
    """The SHA-256 of a token as 64 hex digits. A plain hash is enough: a token has too many bits to be guessed."""
    return hashlib.sha256(token.encode()).hexdigest()
