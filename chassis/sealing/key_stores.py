"""Where the keys of firms' keys are: in a file of this machine, or in KMS, which they never leave.

`SEALING_KEYS_URL` chooses: `file:///etc/casewire/sealing-keys` or `kms://alias/casewire` (a key's id, alias or ARN;
credentials, region and endpoint as boto3 finds them, for example `AWS_ENDPOINT_URL_KMS`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from chassis.config import REQUIRED, Setting, SettingsError, url
from chassis.sealing.ciphers import SECRET_BYTES, SealingKey, Unsealable, key_id_of
from contracts.errors import Unavailable

SEALING_KEYS_URL = Setting(
    "SEALING_KEYS_URL", url("file", "kms"), "the keys that seal sensitive fields: a file of this machine, or a KMS key",
    REQUIRED,
)  # fmt: skip


class KeyStore(Protocol):
    """Wraps the secrets of firms' keys. Methods raise Unavailable if the store cannot be reached."""

    def wrap(self, secret: bytes, firm_id: str, purpose: str) -> str:
        """The secret as it may be kept in a database, bound to its firm and purpose."""

    def unwrap(self, wrapped: str, firm_id: str, purpose: str) -> bytes:
        """The secret. Raises Unsealable if this store did not wrap it for this firm and purpose."""

    def newest(self, wrapped: str) -> bool:
        """Whether it is wrapped as the store wraps today."""


class LocalKeys:
    """Keys at hand: the first wraps, all of them unwrap."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        keys = [SealingKey(hashlib.sha256(secret).hexdigest()[:12], secret) for secret in secrets]
        self._keys = {key.id: key for key in keys}
        self._first = keys[0]

    def wrap(self, secret: bytes, firm_id: str, purpose: str) -> str:
        return self._first.seal(secret, "firm_key", purpose, firm_id)

    def unwrap(self, wrapped: str, firm_id: str, purpose: str) -> bytes:
        key = self._keys.get(key_id_of(wrapped))
        if key is None:
            raise Unsealable("wrapped by a key that is not at hand")
        return key.unseal(wrapped, "firm_key", purpose, firm_id)

    def newest(self, wrapped: str) -> bool:
        return key_id_of(wrapped) == self._first.id


class KmsKeys:
    """A key of AWS KMS, or of what is compatible with it."""

    _MARK = "kms."

    def __init__(self, key_id: str, client: Any = None) -> None:
        if client is None:
            import boto3  # only where it is used: a slow import
            from botocore.config import Config

            limits = Config(connect_timeout=3, read_timeout=3, retries={"max_attempts": 2, "mode": "standard"})
            client = boto3.client("kms", config=limits)
        self._client = client
        self._key_id = key_id

    def wrap(self, secret: bytes, firm_id: str, purpose: str) -> str:
        answer = self._asked(
            "encrypt", KeyId=self._key_id, Plaintext=secret, EncryptionContext=_context(firm_id, purpose)
        )
        return self._MARK + base64.b64encode(answer["CiphertextBlob"]).decode()

    def unwrap(self, wrapped: str, firm_id: str, purpose: str) -> bytes:
        if not wrapped.startswith(self._MARK):
            raise Unsealable("not wrapped by KMS")
        blob = base64.b64decode(wrapped.removeprefix(self._MARK))
        answer = self._asked("decrypt", CiphertextBlob=blob, EncryptionContext=_context(firm_id, purpose))
        secret: bytes = answer["Plaintext"]
        return secret

    def newest(self, wrapped: str) -> bool:
        return wrapped.startswith(self._MARK)  # KMS changes its own material by itself

    def _asked(self, operation: str, **arguments: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return getattr(self._client, operation)(**arguments)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code")
            if operation == "decrypt" and code in ("InvalidCiphertextException", "IncorrectKeyException"):
                raise Unsealable("not wrapped by this key of KMS for this firm") from error
            raise Unavailable("key_store_unavailable") from error
        except BotoCoreError as error:
            raise Unavailable("key_store_unavailable") from error


def _context(firm_id: str, purpose: str) -> dict[str, str]:
    return {"firm": firm_id, "purpose": purpose}


def key_store_at(address: str) -> KeyStore:
    """The store that a `file://` or `kms://` address names. Raises SettingsError with one sentence."""
    parts = urlsplit(address)
    if parts.scheme == "kms" and parts.netloc:
        from botocore.exceptions import BotoCoreError

        try:
            return KmsKeys(address.partition("://")[2])
        except BotoCoreError as error:
            raise SettingsError(f"the setting SEALING_KEYS_URL names KMS, which cannot be asked: {error}") from None
    if parts.scheme != "file":
        raise SettingsError("the setting SEALING_KEYS_URL should be file:///path or kms://key")
    return LocalKeys(_read(Path(unquote(parts.netloc + parts.path))))


def _read(path: Path) -> list[bytes]:
    """The keys of a file: one a line, 32 bytes in base64, the one that wraps first."""
    try:
        lines = [line.strip() for line in path.read_text("ascii").splitlines() if line.strip()]
        secrets = [base64.b64decode(line + "=" * (-len(line) % 4), altchars=b"-_", validate=True) for line in lines]
    except OSError as error:
        raise SettingsError(f"the sealing keys at {path} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, binascii.Error):
        secrets = []
    if not secrets or any(len(secret) != SECRET_BYTES for secret in secrets):
        raise SettingsError(f"the file of sealing keys {path} should hold 32 bytes in base64 on each line")
    return secrets


_opened: list[KeyStore] = []


def use_key_store(store: KeyStore | None) -> None:
    """The store of this process from now on."""
    _opened[:] = [] if store is None else [store]


def key_store() -> KeyStore:
    """The store of this process. Raises Unavailable `key_store_not_opened` if it has none."""
    if not _opened:
        raise Unavailable("key_store_not_opened")
    return _opened[0]
