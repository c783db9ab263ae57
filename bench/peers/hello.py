"""Stock Nameko: an HTTP service that asks another by RPC."""

from __future__ import annotations

import json
from typing import Any

from nameko.rpc import RpcProxy, rpc
from nameko.web.handlers import http


class Hello:
    name = "hello"

    @rpc
    def hello(self, name: str) -> dict[str, str]:
        return {"greeting": f"Hello, {name}!"}


class Front:
    name = "front"
    hello = RpcProxy("hello")

    @http("GET", "/hello/<string:name>")
    def get_hello(self, request: Any, name: str) -> tuple[int, dict[str, str], str]:
        return 200, {"Content-Type": "application/json"}, json.dumps(self.hello.hello(name=name))
