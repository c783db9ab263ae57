"""Files that answer a task, at the edge."""

from __future__ import annotations

import datetime as dt
import io
from pathlib import Path
from typing import Any

import pytest
from flask import g

from chassis.columns import new_id
from chassis.files import FolderFiles
from chassis.testing import FakeCalls
from contracts import accounts, tasks
from contracts.errors import Conflict, NotFound
from tests.service.edge_app import edge_app


class Edge:
    """A firm with one case task, whose files are kept by a stand-in."""

    def __init__(self, files: FolderFiles) -> None:
        self.store = files
        self.firm_id, self.task_id = new_id(), new_id()
        self.permissions = ["tasks.read", "tasks.write"]
        credential = {
            "firm_id": self.firm_id, "staff_id": new_id(), "role": "member", "api_key_id": new_id(), "expires_at": None,
        }  # fmt: skip
        self.calls = FakeCalls(accounts, tasks, raw=True, answers={
            accounts.RESOLVE_API_KEY: lambda key_hash: {**credential, "permissions": self.permissions},
            tasks.ATTACH_FILES: self._attach,
            tasks.LIST_TASK_FILES: lambda case_task_ids: {"files": [self.file] * (case_task_ids == [self.task_id])},
            tasks.GET_TASK_FILE: lambda file_id: {**self.file, "file_key": f"answers/{self.firm_id}/x"},
            tasks.DELETE_TASK_FILE: lambda file_id: (_ for _ in ()).throw(Conflict("file_answered", file_id=file_id)),
        })  # fmt: skip
        self.uploaded: list[tuple[str, bytes]] = []
        self.file = {
            "id": new_id(), "case_task_id": self.task_id, "client_id": None, "filename": "señas.pdf",
            "content_type": "application/pdf", "size": 7, "sha256": "0" * 64, "answered": False,
            "created_at": dt.datetime(2026, 11, 21, tzinfo=dt.UTC),
        }  # fmt: skip
        self.refused: list[dict[str, Any]] = []

    def _attach(self, case_task_id: str, uploads: list[dict[str, Any]], **_: Any) -> dict[str, Any]:
        if case_task_id != self.task_id:
            raise NotFound("case_task_not_found", case_task_id=case_task_id)
        (upload,) = uploads
        with self.store.get(upload["file_key"]) as stream:
            self.uploaded.append((upload["filename"], stream.read()))
        self.store.delete(upload["file_key"])
        return {"files": [] if self.refused else [self.file], "refused": self.refused}

    def left(self) -> list[str]:
        return list(self.store.keys("uploads"))

    def provide(self) -> None:
        g.calls, g.files = self.calls, self.store


@pytest.fixture
def edge(tmp_path: Path) -> Edge:
    return Edge(FolderFiles(tmp_path / "files"))


@pytest.fixture
def http(edge: Edge) -> Any:
    app, _ = edge_app(edge.provide, {"PUBLIC_URL": "http://localhost", "SECRET_KEY": "s"})
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = "Bearer key"
    return client


def send(http: Any, task_id: str, content: bytes = b"content", name: str = "../deed.pdf") -> Any:
    data = {"file": (io.BytesIO(content), name)}
    return http.post(f"/v1/case-tasks/{task_id}/files", data=data, content_type="multipart/form-data")


def test_an_upload_goes_through_the_object_store(edge: Edge, http: Any) -> None:
    answer = send(http, edge.task_id)
    assert (answer.status_code, answer.get_json()["filename"]) == (201, "señas.pdf")
    assert answer.headers["Location"] == f"/v1/task-files/{edge.file['id']}"
    assert edge.uploaded == [("../deed.pdf", b"content")]
    assert edge.left() == []


def test_what_is_refused_says_why_and_leaves_nothing(edge: Edge, http: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert send(http, new_id()).status_code == 404
    edge.refused = [
        {"position": 0, "code": "file_type_not_allowed", "message": "Not a file of one.", "limits": {"types": "pdf"}}
    ]
    problem = send(http, edge.task_id)
    assert problem.status_code == 422
    assert problem.get_json()["code"] == "file_type_not_allowed"
    assert problem.get_json()["errors"] == [{"field": "file", "message": "Not a file of one."}]
    monkeypatch.setattr(tasks, "LARGEST_FILE", 1000)
    assert send(http, edge.task_id, bytes(1001)).status_code == 413
    url = f"/v1/case-tasks/{edge.task_id}/files"
    assert http.post(url, data={"picture": "x"}, content_type="multipart/form-data").status_code == 422
    assert http.post(url, data=b"x", content_type="image/jpeg").status_code == 415
    assert edge.left() == []


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("deed.pdf", "attachment; filename=deed.pdf"),
        ("señas.pdf", "attachment; filename=senas.pdf; filename*=UTF-8''se%C3%B1as.pdf"),
        ("李明.pdf", "attachment; filename=file.pdf; filename*=UTF-8''%E6%9D%8E%E6%98%8E.pdf"),
    ],
)
def test_a_file_is_served_so_that_nothing_in_it_can_run(edge: Edge, http: Any, name: str, named: str) -> None:
    edge.store.put(f"answers/{edge.firm_id}/x", b"content")
    edge.file["filename"] = name
    answer = http.get(f"/v1/task-files/{edge.file['id']}")
    assert (answer.status_code, answer.data, answer.content_type) == (200, b"content", "application/pdf")
    answer.close()
    assert answer.headers["Content-Disposition"] == named
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_files_of_a_task_are_listed_and_one_that_is_answered_is_not_deleted(edge: Edge, http: Any) -> None:
    assert [file["id"] for file in http.get(f"/v1/case-tasks/{edge.task_id}/files").get_json()["files"]] == [
        edge.file["id"]
    ]
    refused = http.delete(f"/v1/task-files/{edge.file['id']}")
    assert (refused.status_code, refused.get_json()["code"]) == (409, "file_answered")


def test_who_may_only_read_uploads_nothing(edge: Edge, http: Any) -> None:
    edge.permissions = ["tasks.read"]
    assert send(http, edge.task_id).status_code == 403
    assert http.delete(f"/v1/task-files/{edge.file['id']}").status_code == 403
    assert edge.left() == edge.uploaded == []
