"""Clients from a file."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from contracts.base import Choice, Count, Event, Flag, Id, Operation, Progress, Stamped, Text
from contracts.clients.common import A_CLIENT, FACTS, OWNER
from contracts.clients.facts import ClientFacts
from contracts.errors import Conflict, Forbidden, Invalid, NotFound


class CreateImport(Schema):
    """`file_key` names the uploaded file in the object store: CSV, TSV or a workbook (XLSX). `sheet` chooses one of a
    workbook's; unstated, it is the first with rows."""

    file_key = Text(longest=300, required=True)
    filename = Text(longest=255, required=True)
    target = Choice("clients", "cases", load_default="clients")
    sheet = Text(longest=100, load_default=None, allow_none=True)


class PreviewImport(Schema):
    """`mapping`: {column: field}; a column left out is not read. Two columns on one field are refused. Null: the
    suggested one. The fields are those of a client, one column each: id, kind, first_name, middle_name, last_name,
    full_name, company_name, date_of_birth, government_ids (`ssn/US 123-45-6789; passport AB12`), government_ids.ssn and
    the like for numbers of one kind, occupation, industry, referral_source, special_requirements, status, spam,
    flag_reason, language, time_zone, assigned_staff_id (anybody of the firm's staff), tags (apart by `;`), phone,
    phone_2 … phone_20 with phone_kind, phone_2_kind …, mobile_phone, home_phone, work_phone, email, email_2 … email_20,
    address_kind, address_line1, address_line2, city, state, postal_code, country, address_2_kind, address_2_line1 …
    address_20_country, external_source, external_source_id, custom_fields.<key>.

    `duplicates`, of a row whose client is known: skip it; update the client by it; create another one; merge it, which
    fills only what is empty. An empty cell leaves its field, or with `clear_empty` clears it (not when merging).
    Who may not read what is sensitive cannot update or merge by such a column. `date_format`: auto is what
    `default_country` writes; dates with the year first are always understood."""

    import_id = Id(required=True)
    mapping = fields.Dict(keys=Text(longest=200), values=Text(longest=120), load_default=None, allow_none=True)
    duplicates = Choice("skip", "update", "create", "merge", load_default="skip")
    default_values = fields.Dict(keys=Text(longest=120), values=Text(longest=500), load_default=dict)
    default_country = fields.String(load_default="US", validate=validate.Regexp(r"^[A-Z]{2}$"))
    date_format = Choice("auto", "month_first", "day_first", "year_first", load_default="auto")
    clear_empty = Flag(load_default=False)


class ImportId(Schema):
    import_id = Id(required=True)


class ImportCounts(Schema):
    """created + updated + skipped + failed = read, always, when the import is done."""

    read = Count()
    created = Count()
    updated = Count()
    skipped = Count()
    failed = Count()


class ImportRowError(Schema):
    """`row` counts from 1 without the header; `errors` are `code:field`, like `invalid_phone:mobile_phone`."""

    row = Count()
    errors = fields.List(fields.String())


class UndoCounts(Schema):
    """Clients, each once: `gone` were deleted by somebody else, `conflicts` were changed since."""

    removed = Count()
    restored = Count()
    conflicts = Count()
    gone = Count()


class UndoConflict(Schema):
    """A client that an undo left, wholly or in part. `kept`: the fields that stay as they are, for they were
    changed since the import; `id`: the client was made by the import, changed since, and is still there."""

    client_id = Id()
    kept = fields.List(fields.String())


class ImportUndo(Schema):
    """`conflicts` are the first 100."""

    counts = fields.Nested(UndoCounts)
    conflicts = fields.List(fields.Nested(UndoConflict))


class Import(Stamped):
    """`error_counts`: how often each kind of error came, by its code. `sheets` are those of a workbook, `sheet` the one
    that is read. `progress` is that of a preview while it lasts, then of the run, and once there is one of the undo, in
    clients."""

    filename = fields.String()
    target = fields.String()
    state = Choice(
        "uploaded", "previewing", "previewed", "running", "finished", "failed", "cancelled", "undoing", "undone"
    )
    sheet = fields.String(allow_none=True)
    sheets = fields.List(fields.String())
    columns = fields.List(fields.String())
    suggested_mapping = fields.Dict()
    mapping = fields.Dict(allow_none=True)
    duplicates = fields.String(allow_none=True)
    progress = fields.Nested(Progress)
    counts = fields.Nested(ImportCounts)
    error_counts = fields.Dict(keys=fields.String(), values=Count())
    rows = fields.List(fields.Nested(ImportRowError))
    failure = fields.String(allow_none=True)
    undo = fields.Nested(ImportUndo, allow_none=True)


class GetImportErrors(ImportId):
    form = Choice("csv", "xlsx", load_default="csv")


class ImportErrorFile(Schema):
    """The failed rows as the original file with an `errors` column, in the object store."""

    file_key = fields.String()
    filename = fields.String()


class ClientsImported(Schema):
    """Many clients created or changed by an import, at most 500 in one event."""

    import_id = Id(required=True)
    clients = fields.List(fields.Nested(ClientFacts), required=True)


class ImportRequested(Schema):
    """clients' own: the rows are taken in, or taken back, outside the request that asked for it."""

    import_id = Id(required=True)


CREATE_IMPORT = Operation(
    OWNER, "create_import", CreateImport, Import, (Invalid, NotFound), deadline=120.0, permission="imports.write",
    example={"file_key": "uploads/x", "filename": "clients.csv"},
)  # fmt: skip
PREVIEW_IMPORT = Operation(
    OWNER, "preview_import", PreviewImport, Import, (Invalid, Forbidden, NotFound, Conflict), deadline=180.0,
    permission="imports.write", example={"import_id": A_CLIENT},
)  # fmt: skip
RUN_IMPORT = Operation(
    OWNER, "run_import", ImportId, Import, (Invalid, NotFound, Conflict), permission="imports.write",
    example={"import_id": A_CLIENT},
)  # fmt: skip
CANCEL_IMPORT = Operation(
    OWNER, "cancel_import", ImportId, Import, (NotFound, Conflict), permission="imports.write",
    example={"import_id": A_CLIENT},
)  # fmt: skip
UNDO_IMPORT = Operation(
    OWNER, "undo_import", ImportId, Import, (NotFound, Conflict), permission="imports.write",
    example={"import_id": A_CLIENT},
)  # fmt: skip
GET_IMPORT = Operation(
    OWNER, "get_import", ImportId, Import, (NotFound,), permission="imports.write", example={"import_id": A_CLIENT}
)
GET_IMPORT_ERRORS = Operation(
    OWNER, "get_import_errors", GetImportErrors, ImportErrorFile, (NotFound, Conflict), deadline=30.0,
    permission="imports.write", example={"import_id": A_CLIENT},
)  # fmt: skip
CLIENTS_IMPORTED = Event(
    OWNER, "clients.imported.v1", ClientsImported, example={"import_id": A_CLIENT, "clients": [FACTS]}
)
IMPORT_REQUESTED = Event(OWNER, "import.requested.v1", ImportRequested, example={"import_id": A_CLIENT})
IMPORT_UNDO_REQUESTED = Event(OWNER, "import.undo_requested.v1", ImportRequested, example={"import_id": A_CLIENT})
