"""/v1/imports: a file is uploaded, mapped, previewed and run."""

from __future__ import annotations

import hashlib
from typing import IO, Any

import marshmallow as ma
from eventlet import tpool
from flask import Response, g
from flask_smorest import Blueprint
from flask_smorest.fields import Upload
from werkzeug.utils import secure_filename

from chassis.columns import new_id
from chassis.idempotency import hash_request
from chassis.workbooks import CONTENT_TYPE
from contracts import cases, clients
from contracts.base import Choice, Operation, page_of
from contracts.errors import CasewireError, DeadlineExceeded, NotFound, Unavailable, invalid_field
from contracts.importing import Import, ListedImport, ListImports
from gateway.credentials import demand
from gateway.endpoints import IDEMPOTENCY_KEY, call, call_either, expose, permitted, query_arguments
from gateway.tables import attachment
from gateway.wire import json_response, record_response

blueprint = Blueprint("imports", __name__, url_prefix="/v1/imports", description="Clients and cases from a file.")
BINARY = {"type": "string", "format": "binary"}
MULTIPART = "multipart/form-data"
IMPORT = {"id": "import_id"}
CREATE = {"clients": clients.CREATE_IMPORT, "cases": cases.CREATE_IMPORT}
LIST = {"clients": clients.LIST_IMPORTS, "cases": cases.LIST_IMPORTS}
MISSING = "import_not_found"


class ImportFile(ma.Schema):
    """`file`: CSV, TSV or a workbook (XLSX)."""

    file = Upload(required=True)


class ImportForm(ma.Schema):
    target = ma.fields.String(load_default="clients", validate=ma.validate.OneOf(list(CREATE)))
    sheet = ma.fields.String(load_default=None, validate=ma.validate.Length(max=100))


class ImportUpload(ImportFile, ImportForm):
    """`file`: CSV, TSV or a workbook (XLSX), of which `sheet` names the one to take, else the first with rows."""


class ListTargetedImports(ListImports):
    target = Choice(*LIST, load_default="clients")


@blueprint.route("", methods=["GET"])
@permitted(clients.LIST_IMPORTS)
@query_arguments(blueprint, ListTargetedImports)
@blueprint.response(200, page_of(ListedImport))
def list_imports(query: dict[str, Any]) -> Response:
    """The imports of clients, or of cases."""
    operation = LIST[query.pop("target")]
    demand(operation.permission)
    return json_response(call(operation, **query))


@blueprint.route("", methods=["POST"])
@permitted(clients.CREATE_IMPORT)
@blueprint.arguments(ImportFile, location="files")
@blueprint.arguments(ImportForm, location="form", content_type=MULTIPART)
@blueprint.doc(parameters=[IDEMPOTENCY_KEY], requestBody={"content": {MULTIPART: {"schema": ImportUpload}}})
@blueprint.response(201, Import)
def create_import(files: dict[str, Any], form: dict[str, Any]) -> Response:
    """Upload a file; the answer names its columns and suggests what each is."""
    operation = CREATE[form["target"]]
    demand(operation.permission)
    upload = files["file"]
    filename = secure_filename(upload.filename or "")[:255]
    if not filename:
        raise invalid_field("file", "The file has no name.")
    asked = {"filename": filename, "sheet": form["sheet"]}
    file_key = f"imports/{form['target']}/{g.context.firm_id}/{_name(upload.stream, operation, asked)}"
    made = _known(operation, file_key, asked)
    if made is None:
        g.files.put(file_key, upload.stream)
        try:
            made = call(operation, file_key=file_key, **asked)
        except (Unavailable, DeadlineExceeded):
            # Perhaps it was taken all the same.
            raise
        except CasewireError as error:
            # What is in use is read just now by the same request, sent twice.
            if error.code != "idempotency_key_in_use":
                g.files.delete(file_key)
            raise
    return record_response(made, 201, location=f"/v1/imports/{made['id']}")


def _name(stream: IO[bytes], operation: Operation, asked: dict[str, Any]) -> str:
    """What an upload is stored under: its own, or by an idempotency key one that follows from the key, the content and
    all that is asked, so that the same again is the same request to its owner."""
    key = g.context.idempotency_key
    if key is None:
        return new_id()
    # In a thread of the system: of a large file it takes a while, in which nobody else should wait.
    digest = tpool.execute(hashlib.file_digest, stream, "sha256").hexdigest()
    stream.seek(0)
    sees_only = g.context.sees_only
    return hash_request({**asked, "key": key, "owner": operation.owner, "content": digest, "sees_only": sees_only})


def _known(operation: Operation, file_key: str, asked: dict[str, Any]) -> Any:
    """The answer under an idempotency key that needs no file any more, or finds it there: its upload would be left
    over, and to delete it could take away the first one's. None: the file is to be stored."""
    if g.context.idempotency_key is None:
        return None
    try:
        return call(operation, file_key=file_key, **asked)
    except NotFound as error:
        if error.code != "file_not_found":
            raise
    return None


for method, path, of_clients, of_cases, status in (
    ("GET", "/<uuid:id>", clients.GET_IMPORT, cases.GET_IMPORT, 200),
    ("POST", "/<uuid:id>/preview", clients.PREVIEW_IMPORT, cases.PREVIEW_IMPORT, 200),
    ("POST", "/<uuid:id>/run", clients.RUN_IMPORT, cases.RUN_IMPORT, 202),
    ("POST", "/<uuid:id>/cancel", clients.CANCEL_IMPORT, cases.CANCEL_IMPORT, 200),
    ("POST", "/<uuid:id>/undo", clients.UNDO_IMPORT, cases.UNDO_IMPORT, 202),
):
    other = {"elsewhere": of_cases, "missing": MISSING}
    expose(blueprint, method, path, of_clients, rename=IMPORT, status=status, elsewhere=other)


@blueprint.route("/<uuid:id>/errors.csv", methods=["GET"])
@permitted(clients.GET_IMPORT_ERRORS)
@blueprint.response(200, BINARY, content_type="text/csv")
def get_errors(id: object) -> Response:
    """The failed rows as the original file with an `errors` column."""
    return _errors(id, "csv", "text/csv; charset=utf-8")


@blueprint.route("/<uuid:id>/errors.xlsx", methods=["GET"])
@permitted(clients.GET_IMPORT_ERRORS)
@blueprint.response(200, BINARY, content_type=CONTENT_TYPE)
def get_errors_as_workbook(id: object) -> Response:
    """The failed rows with an `errors` column, as a workbook."""
    return _errors(id, "xlsx", CONTENT_TYPE)


def _errors(id: object, form: str, content_type: str) -> Response:
    both = (clients.GET_IMPORT_ERRORS, cases.GET_IMPORT_ERRORS)
    errors = call_either(*both, MISSING, import_id=str(id), form=form)
    return attachment(g.files.get(errors["file_key"]), content_type, errors["filename"])
