"""/v1/erasures, and what of a client's privacy is under /v1/clients: taking back, legal holds, erasing."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from typing import IO, Any

import orjson
from flask import Response, g
from flask_smorest import Blueprint

from chassis.columns import utc_now
from contracts import cases, clients, messaging, portal, tasks
from contracts.base import Operation
from contracts.errors import NotFound
from gateway.endpoints import call, expose, permitted

blueprint = Blueprint("privacy", __name__, url_prefix="/v1", description="Deleted, held and erased clients.")
CLIENT = {"id": "client_id"}

HOLDERS: tuple[Operation, ...] = (
    clients.EXPORT_CLIENT_DATA,
    cases.EXPORT_CLIENT_DATA,
    tasks.EXPORT_CLIENT_DATA,
    messaging.EXPORT_CLIENT_DATA,
    portal.EXPORT_CLIENT_DATA,
)
_IN_MEMORY = 1024 * 1024
_CHUNK = 256 * 1024
_READ_ME = """What this is
============

This archive holds everything that is kept about one person, as of {when}.

Each .json file is what one part of the system holds: a list of entries, each with a "kind" that says what it is and a
"data" that says what is known. Times are in UTC.

clients.json     the record: names, addresses, phones, dates, notes, and what happened to it
cases.json       the cases that the person is on
tasks.json       questions that were put, and the answers
messaging.json   messages either way, notes of calls and meetings, and what was said about being written to
portal.json      links that were sent
files/           files that belong to any of these
"""

expose(blueprint, "GET", "/clients/archived", clients.LIST_ARCHIVED_CLIENTS)
expose(blueprint, "POST", "/clients/<uuid:id>/restore", clients.RESTORE_CLIENT, rename=CLIENT)
expose(blueprint, "GET", "/clients/<uuid:id>/legal-holds", clients.LIST_LEGAL_HOLDS, rename=CLIENT)
expose(blueprint, "POST", "/clients/<uuid:id>/legal-holds", clients.PLACE_LEGAL_HOLD, rename=CLIENT, status=201)
expose(
    blueprint, "POST", "/clients/<uuid:id>/legal-holds/<uuid:legal_hold_id>/release", clients.RELEASE_LEGAL_HOLD,
    rename=CLIENT,
)  # fmt: skip
expose(
    blueprint, "POST", "/clients/<uuid:id>/erase", clients.ERASE_CLIENT, rename=CLIENT, status=202,
    location="/v1/erasures",
)  # fmt: skip
expose(blueprint, "GET", "/erasures", clients.LIST_ERASURES)
expose(blueprint, "GET", "/erasures/<uuid:id>", clients.GET_ERASURE, rename={"id": "erasure_id"})


@blueprint.route("/clients/<uuid:id>/data-export", methods=["GET"])
@permitted(*HOLDERS)
@blueprint.response(200, {"type": "string", "format": "binary"}, content_type="application/zip")
def export_client_data(id: Any) -> Response:
    """Everything that is held about a client, by every service, in one archive that a machine can read."""
    client_id = str(id)
    archive = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - lives as long as its answer
    try:
        _write(archive, client_id)
    except BaseException:
        archive.close()
        raise
    size = archive.tell()
    archive.seek(0)
    response = Response(_chunks(archive), content_type="application/zip")
    response.call_on_close(archive.close)
    response.content_length = size
    response.headers.set("Content-Disposition", "attachment", filename=f"client-{client_id}.zip")
    return response


def _chunks(archive: IO[bytes]) -> Iterator[bytes]:
    with archive:
        while piece := archive.read(_CHUNK):
            yield piece


def _write(archive: IO[bytes], client_id: str) -> None:
    """The archive, whole before a byte of it is sent: a service that does not answer is a 503, and not half of one."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writing:
        files: dict[str, str] = {}
        for operation in HOLDERS:
            with writing.open(f"{operation.owner}.json", "w") as target:
                for piece in _entries(operation, client_id, files):
                    target.write(piece)
        for name, file_key in sorted(files.items()):
            _add_file(writing, f"files/{name}", file_key)
        writing.writestr("README.txt", _READ_ME.format(when=f"{utc_now():%Y-%m-%d %H:%M} UTC"))


def _entries(operation: Operation, client_id: str, files: dict[str, str]) -> Iterator[bytes]:
    """A JSON list, page by page; what files belong to it is added to `files`, name to key."""
    cursor, before = None, b"["
    while True:
        page = call(operation, client_id=client_id, cursor=cursor)
        for entry in page["entries"]:
            yield before + b"\n" + orjson.dumps(entry)
            before = b","
        files.update({entry["name"]: entry["file_key"] for entry in page["files"]})
        cursor = page["next_cursor"]
        if cursor is None:
            yield b"\n]\n" if before == b"," else b"[]\n"
            return


def _add_file(writing: zipfile.ZipFile, name: str, file_key: str) -> None:
    try:
        stored = g.files.get(file_key)
    except NotFound:
        return  # removed since it was listed
    with stored, writing.open(name, "w") as target:
        while piece := stored.read(_CHUNK):
            target.write(piece)
