"""The clients service in a container on the embedded bus, with a migrated database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chassis.columns import new_id
from chassis.context import Context, use
from chassis.files import FolderFiles
from chassis.migrations import pending_changes, upgrade
from chassis.rpc import Calls
from chassis.testing import eventually
from contracts import clients
from contracts.errors import Conflict, Invalid, NotFound
from deploy.demo_data.generate import HERE
from services.clients.service import ClientsService


class Caller:
    """Another service, which asks."""

    name = "caller"
    calls = Calls(clients)


def test_the_newest_migration_is_what_the_models_say(tmp_path: Path, postgres: Any) -> None:
    assert not pending_changes("clients", f"sqlite:///{tmp_path / 'clients.db'}")
    name = f"test_{new_id().replace('-', '')}"
    assert not pending_changes("clients", postgres.create_database(name))
    postgres.drop_database(name)


@pytest.fixture
def asking(embedded_bus: str, start: Callable[..., Any], tmp_path: Path) -> Any:
    """The clients service as another service calls it."""
    url = f"sqlite:///{tmp_path / 'clients.db'}"
    upgrade("clients", url)
    (tmp_path / "keys").write_text("A" * 43)
    runner = start(
        ClientsService,
        Caller,
        bus=embedded_bus,
        DATABASE_URL=url,
        FILES_URL=f"file://{tmp_path / 'files'}",
        SEALING_KEYS_URL=f"file://{tmp_path / 'keys'}",
    )
    [calls] = [found for found in runner.service_map["caller"].dependencies if isinstance(found, Calls)]
    return calls.get_dependency(None).clients


def test_what_others_ask_is_answered_over_the_bus(asking: Any) -> None:
    with use(Context(firm_id=new_id())):
        made = asking.create_client(first_name="Ann", phones=[{"number": "(212) 555-0101"}])
        assert asking.get_client(client_id=made["id"]) == made
        assert [found["id"] for found in asking.list_clients(q="212 555 0101")["data"]] == [made["id"]]
        [recipient] = asking.get_recipients(client_ids=[made["id"]])["recipients"]
        assert recipient["sms"] == "+12125550101"
        with pytest.raises(Conflict, match="duplicate_client") as caught:
            asking.create_client(first_name="Bob", phones=[{"number": "+12125550101"}])
        assert caught.value.meta["candidates"] == made["id"]
        with pytest.raises(Invalid) as bad:
            asking.create_client(first_name="Bob", phones=[{"number": "12"}])
        assert bad.value.fields[0]["field"] == "phones.0.number"
        asking.delete_client(client_id=made["id"])
    with use(Context(firm_id=new_id())), pytest.raises(NotFound, match="client_not_found"):
        asking.get_client(client_id=made["id"])


def test_a_create_with_a_key_is_done_once(asking: Any) -> None:
    key = Context(firm_id=new_id(), idempotency_key="k1")
    with use(key):
        first = asking.create_client(first_name="Ann", skip_duplicate_check=True)
        again = asking.create_client(first_name="Ann", skip_duplicate_check=True)
    assert again == first


def test_an_import_runs_in_the_background(asking: Any, tmp_path: Path) -> None:
    FolderFiles(tmp_path / "files").put("uploads/clients.csv", (HERE / "clients.csv").read_bytes())
    with use(Context(firm_id=new_id(), sees_sensitive=True)):
        made = asking.create_import(file_key="uploads/clients.csv", filename="clients.csv")
        preview = asking.preview_import(import_id=made["id"])
        assert preview["state"] == "previewed"
        asking.run_import(import_id=made["id"])
        found = eventually(
            lambda: (state := asking.get_import(import_id=made["id"]))["state"] == "finished" and state, seconds=60
        )
        assert found["counts"] == preview["counts"]
        errors = asking.get_import_errors(import_id=made["id"])
    assert errors["filename"] == "clients-errors.csv"
    assert FolderFiles(tmp_path / "files").exists(errors["file_key"])
