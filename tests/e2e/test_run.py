"""`make run`: what it prints, what it keeps, and how it ends."""

from __future__ import annotations

import signal
import stat
from pathlib import Path

import pytest

from deploy.demo.api import Api
from tests.systems import Embedded, embedded, second_firm


def test_a_second_run_finds_the_data_of_the_first_however_that_was_ended(tmp_path: Path) -> None:
    with embedded(tmp_path / "data") as system:
        made = system.api.post("/v1/clients", {"first_name": "Ann", "phones": [{"number": "+12125550123"}]})
        first_key = system.api_key
        for ending in (signal.SIGINT, signal.SIGTERM):
            assert system.stop(ending) < 10
            assert system.process is not None
            assert system.process.returncode == 0
            if ending is signal.SIGINT:
                system.start()
                assert system.api_key == first_key
                assert system.api.get(f"/v1/clients/{made['id']}") == made


def test_the_key_is_kept_where_only_its_owner_can_read(system: Embedded) -> None:
    keeping = [path for path in system.folder.rglob("*") if path.is_file() and _holds(path, system.api_key)]
    assert keeping
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in keeping)


def _holds(path: Path, key: str) -> bool:
    return key.encode() in path.read_bytes()


def test_another_system_on_the_same_folder_is_refused(system: Embedded) -> None:
    with pytest.raises(AssertionError, match="runs already"):
        Embedded(system.folder).start()


def test_a_new_firm_starts_empty_with_its_own_key(system: Embedded) -> None:
    api: Api = second_firm(system, "Quiet Harbor Notaries")
    assert api.get("/v1/me")["firm"]["name"] == "Quiet Harbor Notaries"
    assert api.get("/v1/clients")["data"] == []


def test_every_service_is_ready(system: Embedded) -> None:
    ready = system.api.get("/health/ready")
    assert ready["status"] == "ready"
    assert set(ready["services"]) == {"accounts", "clients", "cases", "tasks", "messaging", "portal"}
