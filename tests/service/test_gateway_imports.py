"""/v1/imports: one address for the imports of clients and of cases."""

from __future__ import annotations

import io
from typing import Any

import pytest

from chassis.files import FolderFiles
from contracts import cases, clients
from contracts.errors import NotFound
from tests.service.test_gateway_edge import Edge, problem
from tests.service.test_gateway_saved_filters import allow

ID = "018f4e9a-0000-7000-8000-0000000000a1"
IMPORT: dict[str, Any] = {
    "id": ID, "version": 2, "created_at": "2026-11-26T12:00:00Z", "updated_at": "2026-11-26T12:00:00Z",
    "filename": "x.csv", "target": "cases", "state": "uploaded", "counts": {}, "clients_created": 0,
}  # fmt: skip


def unknown(**asked: Any) -> Any:
    raise NotFound("import_not_found", import_id=ID)


@pytest.fixture
def edge(tmp_path: Any) -> Edge:
    made = Edge()
    made.files = FolderFiles(tmp_path)
    allow(made, "imports.write", "cases.write")
    return made


def upload(edge: Edge, **form: str) -> Any:
    return edge.send("POST", "/v1/imports", data={"file": (io.BytesIO(b"Name\nA\n"), "x.csv"), **form})


def test_the_target_of_an_upload_says_whose_it_is(edge: Edge) -> None:
    for owner, form in ((clients, {}), (cases, {"target": "cases"})):
        edge.answer(owner.CREATE_IMPORT, lambda **given: IMPORT)
        made = upload(edge, **form)
        assert (made.status_code, made.headers["Location"].rpartition("/")[2]) == (201, ID)
        [asked] = edge.calls.asked(owner.CREATE_IMPORT)
        # By it an owner tells what was left over from the other's.
        assert asked["file_key"].startswith(f"imports/{owner.CREATE_IMPORT.owner}/")
        assert (asked["filename"], edge.files is not None and edge.files.exists(asked["file_key"])) == ("x.csv", True)
    problem(upload(edge, target="tasks"), 422, "invalid_input")


@pytest.mark.parametrize(
    ("method", "action", "name"),
    [("GET", "", "GET_IMPORT"), ("POST", "/preview", "PREVIEW_IMPORT"), ("POST", "/run", "RUN_IMPORT"),
     ("POST", "/cancel", "CANCEL_IMPORT"), ("POST", "/undo", "UNDO_IMPORT")],
)  # fmt: skip
def test_an_import_that_clients_does_not_have_is_asked_of_cases(
    edge: Edge, method: str, action: str, name: str
) -> None:
    path, sent = f"/v1/imports/{ID}{action}", {} if method == "GET" else {"json": {}}
    edge.answer(getattr(clients, name), lambda **asked: {**IMPORT, "target": "clients"})
    assert edge.send(method, path, **sent).json["target"] == "clients"
    edge.answer(getattr(clients, name), unknown)
    edge.answer(getattr(cases, name), lambda **asked: IMPORT)
    assert edge.send(method, path, **sent).json["target"] == "cases"
    edge.answer(getattr(cases, name), unknown)
    problem(edge.send(method, path, **sent), 404, "import_not_found")


def test_a_list_shows_the_imports_of_its_target(edge: Edge) -> None:
    page = {"data": [{"id": ID, "state": "running"}], "meta": {"next_cursor": None, "total": 1}}
    for owner, query in ((clients, "?state=running"), (cases, "?target=cases&state=running&limit=2")):
        edge.answer(owner.LIST_IMPORTS, lambda **asked: page)
        assert edge.send("GET", f"/v1/imports{query}").json == page
        [asked] = edge.calls.asked(owner.LIST_IMPORTS)
        assert (asked["state"], asked["limit"]) == ("running", 2 if owner is cases else 50)
    problem(edge.send("GET", "/v1/imports?target=tasks"), 422, "invalid_input")


def test_cases_are_imported_by_who_may_write_cases(edge: Edge) -> None:
    allow(edge, "imports.write")
    problem(upload(edge, target="cases"), 403, "permission_denied")
    problem(edge.send("GET", "/v1/imports?target=cases"), 403, "permission_denied")
    edge.answer(clients.RUN_IMPORT, unknown)
    problem(edge.send("POST", f"/v1/imports/{ID}/run", json={}), 403, "permission_denied")
    allow(edge, "cases.write")
    problem(upload(edge, target="cases"), 403, "permission_denied")
    assert edge.calls.asked(cases.CREATE_IMPORT) == []
