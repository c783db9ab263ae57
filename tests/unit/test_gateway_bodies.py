"""The edge takes a body in, before a worker is bound to it."""

from __future__ import annotations

import io
import tracemalloc
from typing import Any

import eventlet
import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from gateway import service
from gateway.oversized_forms import TextFields
from gateway.portal_uploads import TOO_LARGE


class Slow(io.BytesIO):
    """What comes `pause` seconds late, each time."""

    def __init__(self, content: bytes, pause: float) -> None:
        super().__init__(content)
        self.pause = pause

    def read(self, size: int | None = -1) -> bytes:
        eventlet.sleep(self.pause)
        return super().read(size)


def request_of(content: Any, size: int, path: str = "/v1/x") -> Request:
    environ = EnvironBuilder(path=path, method="POST").get_environ()
    return Request({**environ, "wsgi.input": content, "CONTENT_LENGTH": str(size)})


def test_a_body_that_keeps_coming_may_take_longer() -> None:
    content = bytes(4 * 65536)
    request = request_of(Slow(content, 0.03), len(content))
    assert service._take_in(request, len(content), seconds=0.05) is None
    with request.environ["wsgi.input"] as taken:
        assert taken.read() == content


def test_one_that_hardly_comes_is_given_up() -> None:
    with pytest.raises(service._TooSlow):
        service._take_in(request_of(Slow(bytes(10), 5), 50_000_000), 50_000_000, seconds=0.05)


@pytest.mark.parametrize(("path", "size", "told"), [("/v1/x", 11, False), ("/p", 11, True), ("/p", 41, False)])
def test_what_is_too_large_is_read_only_to_tell_a_client_so(path: str, size: int, told: bool) -> None:
    content = io.BytesIO(bytes(size))
    request = request_of(content, size, path)
    refused = service._take_in(request, limit=10, seconds=1)
    assert (refused is None) == told
    assert content.tell() == (size if told else 0)
    if refused is not None:
        assert refused.status_code == 413
    else:
        assert not request.environ[TOO_LARGE]
        with request.environ["wsgi.input"] as taken:
            assert taken.read() == b""


PARTS = {
    "answer-1": ("", b"It rained,\r\nand \xc3\xa9"),
    "file-2": ('; filename="a.jpg"', b"\xff\xd8" + bytes(200_000)),
    "signed_name-3": ("", b"Ann Lane"),
}


def multipart(parts: dict[str, tuple[str, bytes]], end: bytes = b"--edge--\r\n") -> bytes:
    head = '--edge\r\nContent-Disposition: form-data; name="{}"{}\r\n\r\n'
    return b"".join(head.format(name, rest).encode() + data + b"\r\n" for name, (rest, data) in parts.items()) + end


def test_what_was_typed_beside_files_that_are_too_large_is_kept() -> None:
    content = multipart(PARTS)
    request = request_of(io.BytesIO(content), len(content), "/p")
    request.environ["CONTENT_TYPE"] = "multipart/form-data; boundary=edge"
    assert service._take_in(request, limit=60_000, seconds=1) is None
    request.environ["wsgi.input"].close()
    found = request.environ[TOO_LARGE]
    assert found.to_dict() == {"answer-1": "It rained,\r\nand é", "signed_name-3": "Ann Lane"}


@pytest.mark.parametrize("size", [1, 7, 1000, 300_000])
def test_texts_are_read_in_whatever_bits_they_come(size: int) -> None:
    content, texts = multipart(PARTS), TextFields("multipart/form-data; boundary=edge", 100)
    for start in range(0, len(content), size):
        texts.take(content[start : start + size])
    assert list(texts.found) == ["answer-1", "signed_name-3"]


@pytest.mark.parametrize(
    ("content_type", "content", "most", "found"),
    [
        ("multipart/form-data", multipart(PARTS), 100, []),
        ("text/plain; boundary=", multipart(PARTS), 100, []),
        ("multipart/form-data; boundary=edge", multipart(PARTS), 20, ["answer-1"]),
        ("multipart/form-data; boundary=edge", multipart(PARTS)[:100_000], 100, ["answer-1"]),
        ("multipart/form-data; boundary=edge", b"--edge\r\nno header\r\n\r\n", 100, []),
        ("multipart/form-data; boundary=other", multipart(PARTS), 100, []),
    ],
)
def test_what_cannot_be_read_ends_the_texts(content_type: str, content: bytes, most: int, found: list[str]) -> None:
    texts = TextFields(content_type, most)
    texts.take(content)
    texts.take(b"x")
    assert list(texts.found) == found


@pytest.mark.parametrize(
    "beginning", [b"", b"--edge\r\nContent-Disposition: form-data; name="], ids=["no-part", "header"]
)
def test_what_never_comes_to_a_part_is_not_kept(beginning: bytes) -> None:
    texts = TextFields("multipart/form-data; boundary=edge", 100)
    texts.take(beginning)
    tracemalloc.start()
    try:
        for _ in range(40):
            texts.take(bytes(65536))
        assert tracemalloc.get_traced_memory()[0] < 1_000_000
    finally:
        tracemalloc.stop()
