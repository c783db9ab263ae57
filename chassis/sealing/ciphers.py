"""AES-GCM over what is kept sealed: a text that names the key it was sealed with, bound to the place where it is kept.

A sealed text is `v1.<id of the key>.<nonce and ciphertext, base64url>`. Its place (table, column, firm, row) is
authenticated with it: moved to another row, or to another firm's, it cannot be opened.
"""

from __future__ import annotations

import base64
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SECRET_BYTES = 32
_NONCE_BYTES = 12
_VERSION = "v1"


class Unsealable(Exception):
    """A sealed text that this key does not open here: another key's, another place's, or changed since."""


class SealingKey:
    """A key and its id. It does not show its secret."""

    __slots__ = ("_cipher", "id", "secret")

    def __init__(self, key_id: str, secret: bytes) -> None:
        self.id = key_id
        self.secret = secret
        self._cipher = AESGCM(secret)

    def seal(self, plain: bytes, *place: str) -> str:
        """The sealed text of `plain`, kept at `place`: table, column, firm, row."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, plain, _bound(place))
        return f"{_VERSION}.{self.id}.{base64.urlsafe_b64encode(sealed).decode().rstrip('=')}"

    def unseal(self, sealed: str, *place: str) -> bytes:
        """What was sealed at `place`. Raises Unsealable."""
        version, _, rest = sealed.partition(".")
        key_id, _, text = rest.rpartition(".")
        if version != _VERSION or key_id != self.id:
            raise Unsealable("sealed with another key")
        try:
            content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            return self._cipher.decrypt(content[:_NONCE_BYTES], content[_NONCE_BYTES:], _bound(place))
        except (ValueError, InvalidTag) as error:
            raise Unsealable("not sealed here with this key") from error


def new_secret() -> bytes:
    """A secret of 256 random bits."""
    return os.urandom(SECRET_BYTES)


def is_sealed(text: str) -> bool:
    """Whether a text looks sealed."""
    return text.startswith(f"{_VERSION}.") and text.count(".") == 2


def key_id_of(sealed: str) -> str:
    """The id of the key that a sealed text names."""
    return sealed.partition(".")[2].rpartition(".")[0]


def _bound(place: tuple[str, ...]) -> bytes:
    # A unit separator is in no name of ours and in no id.
    return "\x1f".join(("casewire", *place)).encode()
