"""clients: a client's photo in the object store, and at the edge."""

from __future__ import annotations

import datetime as dt
import io
from pathlib import Path
from typing import Any

import pytest
from flask import g
from PIL import Image
from sqlalchemy import select

from chassis.columns import new_id
from chassis.context import use
from chassis.files import FolderFiles
from chassis.testing import FakeCalls
from contracts import accounts, clients
from contracts.clients import CLIENT_CHANGED
from contracts.errors import Gone, Invalid, NotFound, Unavailable
from services.clients import merging, photos
from services.clients.models import ClientPhoto, photo_key
from tests.service.clients_desk import NOW, Desk, desk
from tests.service.edge_app import edge_app
from tests.service.erasing_clients import erase, go_on
from tests.service.merging_clients import merge, undo
from tests.service.one_database import on_one_database
from tests.unit.test_clients_pictures import HOSTILE, drawn

__all__ = ["desk"]


def upload(desk: Desk, content: bytes) -> str:
    key = f"uploads/{desk.firm_id}/{new_id()}"
    desk.files.put(key, content)
    return key


def put(desk: Desk, client_id: str, content: bytes | None = None, at: dt.datetime = NOW) -> dict[str, Any]:
    key = upload(desk, drawn() if content is None else content)
    return photos.set_client_photo(desk.db, desk.files, at, client_id=client_id, file_key=key)


def stored(desk: Desk) -> set[str]:
    folder: Path = desk.files._folder
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def known(desk: Desk) -> set[str]:
    with desk.db.read() as session:
        return {photo.file_key for photo in session.scalars(select(ClientPhoto))}


def test_a_photo_is_resized_stored_under_the_firm_and_told(desk: Desk) -> None:
    client = desk.create()
    made = put(desk, client["id"])
    shown = desk.get(client["id"])
    assert (shown["photo_id"], shown["version"]) == (made["photo_id"], 2)
    assert photos.get_client_photo(desk.db, client_id=client["id"]) == made
    assert stored(desk) == {made["file_key"]} == {f"photos/{desk.firm_id}/{made['photo_id']}.jpg"}
    with desk.files.get(made["file_key"]) as stream:
        assert Image.open(stream).size == (512, 307)
    assert desk.emitted(CLIENT_CHANGED)[-1]["changed"] == ["photo_id"]


def test_another_photo_takes_the_place_of_the_one_before_and_none_leaves_nothing(desk: Desk) -> None:
    client = desk.create()
    first = put(desk, client["id"])
    second = put(desk, client["id"])
    assert stored(desk) == known(desk) == {second["file_key"]} != {first["file_key"]}
    photos.delete_client_photo(desk.db, desk.files, NOW, client_id=client["id"])
    photos.delete_client_photo(desk.db, desk.files, NOW, client_id=client["id"])
    assert stored(desk) == known(desk) == set()
    with pytest.raises(NotFound, match="photo_not_found"):
        photos.get_client_photo(desk.db, client_id=client["id"])


@pytest.mark.parametrize("content", [*HOSTILE.values(), b"\xff" * (10 * 1024 * 1024 + 1)], ids=[*HOSTILE, "too large"])
@on_one_database
def test_a_file_that_is_no_picture_changes_nothing_and_is_not_kept(desk: Desk, content: bytes) -> None:
    client = desk.create()
    made = put(desk, client["id"])
    with pytest.raises(Invalid) as caught:
        put(desk, client["id"], content)
    assert caught.value.fields[0]["field"] == "file"
    assert stored(desk) == {made["file_key"]}
    assert desk.get(client["id"])["photo_id"] == made["photo_id"]


def test_a_client_that_is_not_there_gets_no_photo(desk: Desk) -> None:
    client = desk.create()
    desk.delete(client["id"])
    for id_ in (client["id"], new_id()):
        with pytest.raises(NotFound, match="client_not_found"):
            put(desk, id_)
    assert stored(desk) == set()


def test_whatever_is_killed_an_erasure_knows_of_the_file(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after the file was stored and before the record shows it."""
    client = desk.create()
    monkeypatch.setattr(photos, "_show", lambda *args: (_ for _ in ()).throw(SystemExit))
    monkeypatch.setattr(desk.files, "delete", lambda key: (_ for _ in ()).throw(Unavailable("files_unavailable")))
    with pytest.raises(SystemExit):
        put(desk, client["id"])
    monkeypatch.undo()
    left = {key for key in stored(desk) if key.startswith("photos/")}
    assert left == known(desk) != set()
    later = put(desk, client["id"], at=NOW + dt.timedelta(hours=2))
    assert known(desk) == {key for key in stored(desk) if key.startswith("photos/")} == {later["file_key"]}


@on_one_database
def test_one_that_is_just_being_set_is_not_tidied_away(desk: Desk) -> None:
    client = desk.create()
    setting = new_id()
    with desk.db.unit_of_work() as uow:
        uow.insert(ClientPhoto, [{"id": setting, "client_id": client["id"], "created_at": NOW}])
    desk.files.put(photo_key(desk.firm_id, setting), b"x")
    made = put(desk, client["id"])
    assert stored(desk) == {made["file_key"], photo_key(desk.firm_id, setting)}


@on_one_database
def test_the_survivor_of_a_merge_shows_the_photo_that_is_there(desk: Desk) -> None:
    one, two = desk.create()["id"], desk.create()["id"]
    made = put(desk, two)
    with use(desk.context):
        merging.merge_clients(desk.db, desk.calls, NOW, client_id=one, duplicate_id=two, keep={}, dry_run=False)
    assert photos.get_client_photo(desk.db, client_id=one)["photo_id"] == made["photo_id"]
    with pytest.raises(Gone, match="client_merged"):
        photos.get_client_photo(desk.db, client_id=two)
    # The file stays for an undo.
    photos.delete_client_photo(desk.db, desk.files, NOW, client_id=one)
    assert stored(desk) == {made["file_key"]}


def test_the_survivors_own_photo_is_there_for_an_undo(desk: Desk) -> None:
    """It is shown no more after the merge; photos that are set since do not tidy it away."""
    one, two = desk.create()["id"], desk.create()["id"]
    own, theirs = put(desk, one), put(desk, two)
    made = merge(desk, one, two, keep={"photo_id": "duplicate"})
    later = NOW + dt.timedelta(hours=2)
    put(desk, one, at=later)
    since = put(desk, one, at=later)
    assert stored(desk) == known(desk) == {photo["file_key"] for photo in (own, theirs, since)}
    undo(desk, made["id"], photo_id="then")
    for client_id, photo in ((one, own), (two, theirs)):
        assert photos.get_client_photo(desk.db, client_id=client_id) == photo
        assert desk.files.exists(photo["file_key"])
    last = put(desk, one, at=NOW + dt.timedelta(days=4))
    assert stored(desk) == known(desk) == {theirs["file_key"], last["file_key"]}


# At the edge


class Edge:
    def __init__(self, files: FolderFiles) -> None:
        self.files = files
        self.firm_id, self.client_id, self.photo_id = new_id(), new_id(), new_id()
        self.permissions = ["clients.read", "clients.write"]
        credential = {
            "firm_id": self.firm_id, "staff_id": new_id(), "role": "member", "api_key_id": new_id(), "expires_at": None,
        }  # fmt: skip
        wire = {"client_id": self.client_id, "photo_id": self.photo_id, "file_key": f"photos/{self.firm_id}/x.jpg"}
        self.calls = FakeCalls(accounts, clients, raw=True, answers={
            accounts.RESOLVE_API_KEY: lambda key_hash: {**credential, "permissions": self.permissions},
            clients.SET_CLIENT_PHOTO: self._set,
            clients.GET_CLIENT_PHOTO: lambda client_id: wire,
        })  # fmt: skip
        self.uploaded: list[tuple[str, bytes]] = []
        self._wire = wire

    def _set(self, client_id: str, file_key: str) -> dict[str, Any]:
        with self.files.get(file_key) as stream:
            self.uploaded.append((file_key, stream.read()))
        return self._wire

    def provide(self) -> None:
        g.calls, g.files = self.calls, self.files


@pytest.fixture
def edge(tmp_path: Path) -> tuple[Edge, Any]:
    made = Edge(FolderFiles(tmp_path / "files"))
    app, _ = edge_app(made.provide, {"PUBLIC_URL": "http://localhost", "SECRET_KEY": "s"})
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = "Bearer key"
    return made, client


def send(client: Any, edge: Edge, content: bytes) -> Any:
    data = {"file": (io.BytesIO(content), "../../evil.svg")}
    return client.put(f"/v1/clients/{edge.client_id}/photo", data=data, content_type="multipart/form-data")


def test_an_upload_goes_through_the_object_store(edge: tuple[Edge, Any]) -> None:
    made, client = edge
    answer = send(client, made, b"content")
    assert (answer.status_code, answer.get_json()) == (200, {"photo_id": made.photo_id})
    [(key, content)] = made.uploaded
    assert key.startswith(f"uploads/{made.firm_id}/")
    assert content == b"content"


def test_what_is_too_large_or_no_file_goes_nowhere(edge: tuple[Edge, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    made, client = edge
    monkeypatch.setattr(clients, "MAX_PHOTO_BYTES", 1000)
    assert send(client, made, bytes(clients.MAX_PHOTO_BYTES + 1)).status_code == 413
    url = f"/v1/clients/{made.client_id}/photo"
    assert client.put(url, data={"photo": "x"}, content_type="multipart/form-data").status_code == 422
    assert client.put(url, data=b"x", content_type="image/jpeg").status_code == 415
    assert made.uploaded == []


def test_a_photo_is_served_so_that_nothing_in_it_can_run(edge: tuple[Edge, Any]) -> None:
    made, client = edge
    made.files.put(f"photos/{made.firm_id}/x.jpg", b"pixels")
    url = f"/v1/clients/{made.client_id}/photo"
    answer = client.get(url)
    assert (answer.status_code, answer.data, answer.content_type) == (200, b"pixels", "image/jpeg")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Disposition"] == "attachment; filename=photo.jpg"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert answer.headers["ETag"] == f'"{made.photo_id}"'
    answer.close()
    again = client.get(url, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


@on_one_database
def test_an_erasure_takes_every_picture_along(desk: Desk) -> None:
    client, other = desk.create(), desk.create()
    put(desk, client["id"])
    kept = put(desk, other["id"])
    left = new_id()
    with desk.db.unit_of_work() as uow:
        uow.insert(ClientPhoto, [{"id": left, "client_id": client["id"], "created_at": NOW}])
    desk.files.put(photo_key(desk.firm_id, left), b"left by a killed process")
    erase(desk, client["id"])
    go_on(desk)
    assert {key for key in stored(desk) if key.startswith("photos/")} == {kept["file_key"]}
    assert known(desk) == {kept["file_key"]}
