"""The gateway's application for tests, made once for each settings: to make it takes longer than most tests of it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from flask import Flask

from gateway.app import create_app
from gateway.credentials import CredentialCache
from gateway.settings import EdgeSettings


def edge_app(provide: Callable[[], None], config: dict[str, Any]) -> tuple[Flask, CredentialCache]:
    """The application under these settings, and its credentials, of which it holds none yet. `provide` is called before
    each request, until the application is asked for again."""
    app, credentials = _made(EdgeSettings.from_config(config))
    app.before_request_funcs[None][0] = provide
    credentials._by_hash.clear()
    return app, credentials


@functools.cache
def _made(settings: EdgeSettings) -> tuple[Flask, CredentialCache]:
    credentials = CredentialCache()
    app = create_app(settings, credentials)
    app.before_request_funcs[None].insert(0, lambda: None)
    return app, credentials
