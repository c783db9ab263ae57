"""Files that answer a case task: uploaded one by one, and then named by an answer.

An uploaded file is nobody's answer yet. One that no answer names goes a day later; one that an answer names goes when
another answer takes its place. Services hand each other keys of the object store, never contents.
"""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from contracts.base import Count, Empty, Flag, Id, Instant, Operation, Text
from contracts.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from contracts.tasks.common import AN_ID, OWNER, CaseTaskId, CaseTaskIds

FILE_TYPES = {
    "jpg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "webp": "image/webp",
    "heic": "image/heic",
    "pdf": "application/pdf",
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "amr": "audio/amr",
    "m4a": "audio/mp4",
    "mp4": "video/mp4",
    "3gp": "video/3gpp",
    "vcf": "text/vcard",
    "txt": "text/plain",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
"""The files that an answer may have, by their ending. What a file is, its content decides."""
MOST_FILES = 20
"""Of one answer."""
LARGEST_FILE = 25 * 1024 * 1024
"""Bytes."""
LARGEST_SIGNATURE = 10 * 1024 * 1024
"""Bytes of the picture of a signature, before it is drawn anew."""


class Upload(Schema):
    """`file_key`: where the gateway has put it, to be taken from there. `filename`: what its sender calls it."""

    file_key = Text(longest=500, shortest=1, required=True)
    filename = Text(longest=500, load_default=None, allow_none=True)


class AttachFiles(CaseTaskId):
    """`client_id` and `link_id` when a client uploads through a link. The uploads are removed in any case."""

    uploads = fields.List(fields.Nested(Upload), required=True, validate=validate.Length(min=1, max=MOST_FILES))
    client_id = Id(load_default=None, allow_none=True)
    link_id = Id(load_default=None, allow_none=True)


class TaskFile(Schema):
    """`filename` ends as what the file is; `size` in bytes; `sha256` in hex. `answered`: the task's answer names it."""

    id = Id()
    case_task_id = Id()
    client_id = Id(allow_none=True)
    filename = fields.String()
    content_type = fields.String()
    size = Count()
    sha256 = fields.String()
    answered = Flag()
    created_at = Instant()


class RefusedUpload(Schema):
    """`position`: which of the uploads, from 0; `code` and `limits` say why, `message` says it to a person."""

    position = Count()
    code = fields.String()
    message = fields.String()
    limits = fields.Dict(keys=fields.String(), values=fields.String())


class AttachedFiles(Schema):
    """`files`: those that were taken, in the order of the uploads; each is judged by itself."""

    files = fields.List(fields.Nested(TaskFile))
    refused = fields.List(fields.Nested(RefusedUpload))


class TaskFiles(Schema):
    files = fields.List(fields.Nested(TaskFile))


class TaskFileId(Schema):
    file_id = Id(required=True)


class StoredTaskFile(TaskFile):
    """`file_key`: where its content is in the object store."""

    file_key = fields.String()


ATTACH_FILES = Operation(
    OWNER, "attach_files", AttachFiles, AttachedFiles, (Invalid, NotFound, Forbidden, Conflict, Unavailable),
    deadline=25.0, permission="tasks.write",
    example={"case_task_id": AN_ID, "uploads": [{"file_key": f"uploads/{AN_ID}", "filename": "deed.pdf"}]},
)  # fmt: skip
LIST_TASK_FILES = Operation(
    OWNER, "list_task_files", CaseTaskIds, TaskFiles, (Invalid, NotFound), permission="tasks.read",
    example={"case_task_ids": [AN_ID]},
)  # fmt: skip
GET_TASK_FILE = Operation(
    OWNER,
    "get_task_file",
    TaskFileId,
    StoredTaskFile,
    (NotFound, Forbidden),
    permission="tasks.read",
    example={"file_id": AN_ID},
)
DELETE_TASK_FILE = Operation(
    OWNER, "delete_task_file", TaskFileId, Empty, (NotFound, Forbidden, Conflict), permission="tasks.write",
    example={"file_id": AN_ID},
)  # fmt: skip
