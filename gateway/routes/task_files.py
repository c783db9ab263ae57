"""/v1/case-tasks/{id}/files and /v1/task-files: files that answer case tasks."""

from __future__ import annotations

from contextlib import closing, suppress
from typing import Any

import marshmallow as ma
from flask import Response, g
from flask_smorest import Blueprint
from flask_smorest.fields import Upload
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wsgi import FileWrapper

from chassis.columns import new_id
from contracts import tasks
from contracts.errors import Invalid, Unavailable
from gateway.endpoints import call, expose, permitted
from gateway.tables import name_attachment
from gateway.wire import record_response

blueprint = Blueprint("task_files", __name__, url_prefix="/v1", description="Files that answer tasks.")
FILE = {"id": "file_id"}


class TaskFileUpload(ma.Schema):
    """`file`: judged by its content, of at most 25 MB; of a signature its picture, JPEG or PNG, of at most 10 MB."""

    file = Upload(required=True)


@blueprint.route("/case-tasks/<uuid:id>/files", methods=["POST"])
@permitted(tasks.ATTACH_FILES)
@blueprint.arguments(TaskFileUpload, location="files")
@blueprint.response(201, tasks.TaskFile)
def attach_file(files: dict[str, Any], id: object) -> Response:
    """Upload a file that an answer can name within a day. The same one again is the one that is there."""
    file_key = f"uploads/{g.context.firm_id}/{new_id()}"
    with closing(files["file"]) as upload:
        if upload.stream.seek(0, 2) > tasks.LARGEST_FILE:
            raise RequestEntityTooLarge(f"A file may have {tasks.LARGEST_FILE} bytes.")
        upload.stream.seek(0)
        g.files.put(file_key, upload.stream)
        uploads = [{"file_key": file_key, "filename": (upload.filename or "")[-200:]}]
    try:
        made = call(tasks.ATTACH_FILES, case_task_id=str(id), uploads=uploads)
    except BaseException:
        with suppress(Unavailable):
            g.files.delete(file_key)
        raise
    for refused in made["refused"]:
        fields = [{"field": "file", "message": refused["message"]}]
        raise Invalid(refused["code"], fields=fields, **refused["limits"])
    (file,) = made["files"]
    return record_response(file, 201, location=f"/v1/task-files/{file['id']}")


expose(
    blueprint, "GET", "/case-tasks/<uuid:id>/files", tasks.LIST_TASK_FILES, rename={"id": "case_task_ids"},
    prepare=lambda query: {"case_task_ids": [query["case_task_ids"]]}, summary="The files of a task, the oldest first.",
)  # fmt: skip


@blueprint.route("/task-files/<uuid:id>", methods=["GET"])
@permitted(tasks.GET_TASK_FILE)
@blueprint.response(200, {"type": "string", "format": "binary"}, content_type="application/octet-stream")
def get_file(id: object) -> Response:
    """A file, to be saved: never shown as a page of ours."""
    found = call(tasks.GET_TASK_FILE, file_id=str(id))
    content = FileWrapper(g.files.get(found["file_key"]), 64 * 1024)
    response = Response(content, content_type=found["content_type"], direct_passthrough=True)
    name_attachment(response, found["filename"])
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.content_length = found["size"]
    return response


expose(blueprint, "DELETE", "/task-files/<uuid:id>", tasks.DELETE_TASK_FILE, rename=FILE, status=204)
