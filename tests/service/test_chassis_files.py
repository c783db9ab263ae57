"""Files in a folder and in S3 behave alike."""

from __future__ import annotations

import datetime as dt
import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from chassis.files import Files, FolderFiles, files_at
from contracts.errors import NotFound

HOUR = dt.timedelta(hours=1)


@pytest.fixture(params=["folder", "s3"])
def files(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Files]:
    if request.param == "folder":
        yield files_at(f"file://{tmp_path}/files")
        return
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket="bucket")
        yield files_at("s3://bucket/some/prefix")


def test_what_was_put_can_be_got_replaced_and_deleted(files: Files) -> None:
    key = "imports/firm-1/list.csv"
    assert not files.exists(key)
    files.put(key, b"first")
    files.put(key, io.BytesIO(b"second"))
    with files.get(key) as stream:
        assert (stream.read(3), stream.read()) == (b"sec", b"ond")
    assert files.exists(key)
    files.delete(key)
    files.delete(key)
    assert not files.exists(key)
    with pytest.raises(NotFound, match="file_not_found"):
        files.get(key)


def test_those_put_before_a_moment_are_told_from_the_others(files: Files) -> None:
    files.put("imports/a", b"old")
    now = dt.datetime.now(dt.UTC)
    for before, found in ((None, ["imports/a"]), (now - HOUR, []), (now + HOUR, ["imports/a"])):
        assert list(files.keys("imports", before)) == found


def test_a_key_cannot_leave_the_store(files: Files) -> None:
    for key in ("", "/etc/passwd", "../x", "a/../b", "a//b", ".hidden", "a/.b", "a\\b", "a b", "a\n", "a" * 501):
        for use in (files.get, files.delete, files.exists, lambda name: files.put(name, b"")):
            with pytest.raises(ValueError, match="not a file key"):
                use(key)


def test_a_folder_is_its_owners_and_holds_no_half_written_file(tmp_path: Path) -> None:
    files = FolderFiles(tmp_path / "files")

    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise RuntimeError("the line is cut")

    with pytest.raises(RuntimeError):
        files.put("a/b", Broken())
    assert list((tmp_path / "files" / "a").iterdir()) == []
    assert stat.S_IMODE((tmp_path / "files").stat().st_mode) == 0o700


def test_the_name_of_a_file_survives_a_power_cut_as_its_content_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, sync = FolderFiles(tmp_path), os.fsync
    written: list[int] = []

    def note(handle: int) -> None:
        written.append(os.fstat(handle).st_ino)
        sync(handle)

    def put(key: str) -> list[int]:
        written.clear()
        files.put(key, b"content")
        return [one.stat().st_ino for one in (tmp_path / key).parents if one.is_relative_to(tmp_path)]

    monkeypatch.setattr(os, "fsync", note)
    folders = put("imports/firm-1/list.csv")
    assert written[0] == (tmp_path / "imports/firm-1/list.csv").stat().st_ino
    assert set(written[1:]) == set(folders)
    folders = put("imports/firm-1/other.csv")
    assert written[1:] == folders[:1]


def test_an_address_must_name_a_store() -> None:
    for wrong in ("ftp://x", "s3://", "folder"):
        with pytest.raises(ValueError):
            files_at(wrong)
