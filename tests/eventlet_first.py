"""A pytest plugin for tests that run a container in the test process: eventlet is patched before anything else.

`python -m pytest -p tests.eventlet_first …`. The hook runs before any conftest; patching at this module's import would
break pytest's capture of output. Nameko's own plugin would do the same for every run, which tests that only start
processes do not want.
"""

from __future__ import annotations

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Patch the standard library and psycopg2."""
    import warnings

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "(?s).*Eventlet is deprecated")
        import eventlet

        eventlet.monkey_patch()
