"""What requests of the Twilio adapter's client are made of."""

from __future__ import annotations

from http.client import InvalidURL
from typing import Any

import pytest

from services.messaging.adapters.http import NeverSent, PooledHttpClient

NOBODY = "http://127.0.0.1:9"


@pytest.mark.parametrize(
    "given",
    [
        {"headers": {"X-Told": "1\r\nX-More: 2"}},
        {"headers": {"X-Told\r\nX-More": "2"}},
        {"url": f"{NOBODY}/a\x00b"},
        {"url": f"{NOBODY}/a HTTP/1.1"},
    ],
)
def test_a_head_with_a_line_too_many_is_not_even_connected_for(given: dict[str, Any]) -> None:
    client = PooledHttpClient(1, 1.0)
    with pytest.raises((ValueError, InvalidURL)):
        client.request("POST", **{"url": f"{NOBODY}/Messages.json", "data": {"To": "+12125550123"}, **given})
    with pytest.raises(NeverSent):
        client.request("POST", f"{NOBODY}/Messages.json", headers={"X-Told": "1"})
