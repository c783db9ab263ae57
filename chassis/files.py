"""Files by key: in a folder, or in S3 and what is compatible with it.

Services hand each other keys, never contents: a message on the bus has a largest size. `FILES_URL` of the configuration
chooses: `file:///var/casewire/files` or `s3://bucket/prefix` (credentials, region and endpoint as boto3 finds them, for
example `AWS_ENDPOINT_URL_S3`).
"""

from __future__ import annotations

import datetime as dt
import io
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, BinaryIO, Protocol
from urllib.parse import unquote, urlsplit

import eventlet
from nameko.extensions import DependencyProvider

from contracts.errors import NotFound, Unavailable

CHUNK = 256 * 1024

# Every part begins with a letter or digit: no `..`, no hidden file, no absolute path.
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")


class Files(Protocol):
    """A key is parts of letters, digits, `.`, `_` and `-`, joined by `/`, for example `imports/<firm>/<id>.csv`; any
    other is a ValueError. Every method raises Unavailable if the store cannot be reached."""

    def put(self, key: str, content: bytes | BinaryIO) -> None:
        """Store under a key, in place of what was there. Readers see the old content or the new, never a part."""

    def get(self, key: str) -> IO[bytes]:
        """A stream of the content, to be closed by the caller (`with`). Raises NotFound `file_not_found`."""

    def delete(self, key: str) -> None:
        """Remove; nothing happens if it is not there."""

    def exists(self, key: str) -> bool:
        """Whether something is stored under the key."""

    def keys(self, under: str, before: dt.datetime | None = None) -> Iterator[str]:
        """The keys that begin with the parts `under`, such as `erasures`, in no certain order: all, or those under
        which nothing was put since `before`."""


def files_at(url: str) -> Files:
    """The store that a `file://` or `s3://` address names. Raises ValueError for another."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return FolderFiles(Path(unquote(parts.netloc + parts.path)))
    if parts.scheme == "s3" and parts.netloc:
        return S3Files(parts.netloc, parts.path.strip("/"))
    raise ValueError("FILES_URL should be file:///folder or s3://bucket/prefix")


class FolderFiles:
    """Files in a folder of this machine, readable by this user alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def put(self, key: str, content: bytes | BinaryIO) -> None:
        path = self._path(key)
        with _typed_errors():
            new = [folder for folder in path.parents if not folder.exists()]
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=".")
            try:
                with os.fdopen(handle, "wb") as target:
                    _copy(io.BytesIO(content) if isinstance(content, bytes) else content, target)
                    target.flush()
                    os.fsync(target.fileno())
                os.replace(name, path)
            except BaseException:
                with suppress(OSError):
                    os.unlink(name)
                raise
            # The content survives a power cut already; its name does when its folder is written.
            for folder in (path.parent, *(one.parent for one in new)):
                _write_out(folder)

    def get(self, key: str) -> IO[bytes]:
        path = self._path(key)
        with _typed_errors():
            try:
                return path.open("rb")
            except (FileNotFoundError, IsADirectoryError):
                raise NotFound("file_not_found", key=key) from None

    def delete(self, key: str) -> None:
        with _typed_errors():
            self._path(key).unlink(missing_ok=True)

    def exists(self, key: str) -> bool:
        return self._path(key).is_file()

    def keys(self, under: str, before: dt.datetime | None = None) -> Iterator[str]:
        with _typed_errors():
            for folder, _, names in os.walk(self._path(under)):
                for name in names:
                    key = (Path(folder) / name).relative_to(self._folder).as_posix()
                    # What is only being written has another name until it is whole.
                    if _KEY.fullmatch(key) and (before is None or _is_older(Path(folder) / name, before)):
                        yield key

    def _path(self, key: str) -> Path:
        return self._folder / _checked(key)


def _is_older(path: Path, moment: dt.datetime) -> bool:
    try:
        return path.stat().st_mtime < moment.timestamp()
    except FileNotFoundError:
        return False


def _write_out(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _copy(source: BinaryIO, target: IO[bytes]) -> None:
    while chunk := source.read(CHUNK):
        target.write(chunk)
        eventlet.sleep(0)  # a large file must not stop the process


class S3Files:
    """Files in a bucket, under a prefix."""

    def __init__(self, bucket: str, prefix: str = "", client: Any = None) -> None:
        if client is None:
            import boto3  # only where it is used: a slow import, and an extra of the services that keep files
            from botocore.config import Config

            limits = Config(connect_timeout=3, read_timeout=20, retries={"max_attempts": 2, "mode": "standard"})
            client = boto3.client("s3", config=limits)
        self._client = client
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""

    def put(self, key: str, content: bytes | BinaryIO) -> None:
        place = self._place(key)
        stream = io.BytesIO(content) if isinstance(content, bytes) else content
        from boto3.s3.transfer import TransferConfig

        with _typed_errors():
            self._client.upload_fileobj(stream, place["Bucket"], place["Key"], Config=TransferConfig(use_threads=False))

    def get(self, key: str) -> IO[bytes]:
        place = self._place(key)
        with _typed_errors(key):
            body: IO[bytes] = self._client.get_object(**place)["Body"]
            return body

    def delete(self, key: str) -> None:
        with _typed_errors():
            self._client.delete_object(**self._place(key))

    def exists(self, key: str) -> bool:
        place = self._place(key)
        try:
            with _typed_errors(key):
                self._client.head_object(**place)
        except NotFound:
            return False
        return True

    def keys(self, under: str, before: dt.datetime | None = None) -> Iterator[str]:
        place = self._place(under)
        with _typed_errors():
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=place["Bucket"], Prefix=f"{place['Key']}/"
            )
            for page in pages:
                for entry in page.get("Contents", ()):
                    if before is None or entry["LastModified"] < before:
                        yield entry["Key"].removeprefix(self._prefix)

    def _place(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + _checked(key)}


def _checked(key: str) -> str:
    if len(key) > 500 or not _KEY.fullmatch(key):
        raise ValueError("not a file key")
    return key


@contextmanager
def _typed_errors(key: str | None = None) -> Any:
    """Unavailable for a store that fails; NotFound for the key that a store of objects does not have."""
    try:
        yield
    except OSError as error:
        raise Unavailable("files_unavailable") from error
    except Exception as error:
        if not type(error).__module__.startswith(("botocore", "boto3", "s3transfer")):
            raise
        code = getattr(error, "response", {}).get("Error", {}).get("Code")
        if key is not None and code in ("NoSuchKey", "404", "NotFound"):
            raise NotFound("file_not_found", key=key) from None
        raise Unavailable("files_unavailable") from error


class FilesProvider(DependencyProvider):
    """Gives each worker the process's `Files`."""

    def setup(self) -> None:
        url = self.container.config.get("FILES_URL")
        if not url:
            raise KeyError("FILES_URL is not configured")
        self._files = files_at(url)

    def get_dependency(self, worker_ctx: Any) -> Files:
        return self._files
