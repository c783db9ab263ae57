"""The edge takes a body in, before a worker is bound to it."""

from __future__ import annotations

import io
from typing import Any

import eventlet
import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from gateway import service
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
        assert request.environ[TOO_LARGE]
        with request.environ["wsgi.input"] as taken:
            assert taken.read() == b""
