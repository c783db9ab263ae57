"""The archive of everything that is held about a client."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest

from chassis.files import FolderFiles
from contracts.accounts import RESOLVE_API_KEY
from contracts.errors import Gone, Unavailable
from gateway.routes.privacy import HOLDERS
from tests.service.test_gateway_edge import CLIENT, FIRM, STAFF, Edge, problem

PATH = f"/v1/clients/{CLIENT}/data-export"


def edge_of(role_may: list[str]) -> Edge:
    edge = Edge()
    credential = {
        "firm_id": FIRM, "staff_id": STAFF, "api_key_id": STAFF, "role": "admin", "expires_at": None,
        "permissions": role_may,
    }  # fmt: skip
    edge.answer(RESOLVE_API_KEY, lambda key_hash: credential)
    return edge


@pytest.fixture
def edge(tmp_path: Any) -> Edge:
    edge = edge_of(["clients.export_data"])
    edge.files = FolderFiles(tmp_path)
    for holder in HOLDERS:
        edge.answer(holder, pages(holder.owner, 3))
    return edge


def pages(owner: str, count: int, files: bool = False) -> Any:
    def answer(client_id: str, limit: int = 200, cursor: str | None = None) -> dict[str, Any]:
        number = int(cursor or 0)
        kept = [{"file_key": f"media/{owner}/{number}", "name": f"{owner}/{number}.png"}] if files else []
        return {
            "entries": [{"kind": "row", "data": {"n": number, "words": 'naïve, "quoted"\n'}}],
            "files": kept,
            "next_cursor": str(number + 1) if number + 1 < count else None,
        }

    return answer


def opened(answer: Any) -> zipfile.ZipFile:
    assert (answer.status_code, answer.content_type) == (200, "application/zip")
    return zipfile.ZipFile(io.BytesIO(answer.get_data()))


def test_one_archive_holds_every_service_in_json_and_says_what_it_is(edge: Edge) -> None:
    answer = edge.send("GET", PATH)
    archive = opened(answer)
    owners = {holder.owner for holder in HOLDERS}
    assert owners == {"clients", "cases", "tasks", "messaging", "portal"}
    assert set(archive.namelist()) == {"README.txt", *(f"{owner}.json" for owner in owners)}
    for owner in owners:
        entries = json.loads(archive.read(f"{owner}.json"))
        assert [entry["data"]["n"] for entry in entries] == [0, 1, 2]
        assert f"{owner}.json" in archive.read("README.txt").decode()
    assert answer.headers["Content-Disposition"] == f"attachment; filename=client-{CLIENT}.zip"
    assert int(answer.headers["Content-Length"]) == len(answer.get_data())


def test_files_are_in_it_and_one_that_is_gone_is_left_out(edge: Edge) -> None:
    messaging = next(holder for holder in HOLDERS if holder.owner == "messaging")
    edge.answer(messaging, pages("messaging", 2, files=True))
    edge.files.put("media/messaging/1", b"a picture")
    archive = opened(edge.send("GET", PATH))
    assert archive.read("files/messaging/1.png") == b"a picture"
    assert "files/messaging/0.png" not in archive.namelist()


def test_an_archive_that_would_be_half_is_none(edge: Edge) -> None:
    def away(**_: Any) -> None:
        raise Unavailable("no_answer")

    edge.answer(HOLDERS[-1], away)
    problem(edge.send("GET", PATH), 503, "no_answer")

    def gone(**_: Any) -> None:
        raise Gone("client_erased", client_id=CLIENT)

    edge.answer(HOLDERS[0], gone)
    problem(edge.send("GET", PATH), 410, "client_erased")


def test_it_takes_a_permission_of_its_own() -> None:
    problem(edge_of(["clients.read"]).send("GET", PATH), 403, "permission_denied")
