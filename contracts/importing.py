"""Records from a file: what the services that import have in common. Each serves the same operations for its own."""

from __future__ import annotations

from typing import Any, NamedTuple

from marshmallow import Schema, fields, validate

from contracts.base import (
    Choice,
    Count,
    Entries,
    Event,
    Flag,
    Id,
    Operation,
    PageRequest,
    Progress,
    Stamped,
    Text,
    page_of,
)
from contracts.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable

AN_IMPORT = "018f4e9a-0000-7000-8000-0000000000a1"
IMPORT_STATES = (
    "uploaded", "previewing", "previewed", "running", "finished", "failed", "cancelled", "undoing", "undone",
)  # fmt: skip


class CreateImport(Schema):
    """`file_key` names the uploaded file in the object store: CSV, TSV or a workbook (XLSX). `sheet` chooses one of a
    workbook's; unstated, it is the first with rows."""

    file_key = Text(longest=300, required=True)
    filename = Text(longest=255, required=True)
    sheet = Text(longest=100, load_default=None, allow_none=True)


class PreviewImport(Schema):
    """`mapping`: {column: field}; a column left out is not read. Two columns on one field are refused. Null: the
    suggested one. `default_values`: {field: what an empty cell means}. `date_format`: auto is what `default_country`
    writes; dates with the year first are always understood.

    Fields of a client, one column each: id, kind, first_name, middle_name, last_name, full_name, company_name,
    date_of_birth, government_ids (`ssn/US 123-45-6789; passport AB12`), government_ids.ssn and the like for numbers of
    one kind, occupation, industry, referral_source, special_requirements, status, spam, flag_reason, language,
    time_zone, assigned_staff_id (anybody of the firm's staff), tags (apart by `;`), phone, phone_2 … phone_20 with
    phone_kind, phone_2_kind …, mobile_phone, home_phone, work_phone, email, email_2 … email_20, address_kind,
    address_line1, address_line2, city, state, postal_code, country, address_2_kind, address_2_line1 …
    address_20_country, external_source, external_source_id, custom_fields.<key>.

    Fields of a case: number, name, case_type (its name or id), status, description, responsible_staff and staff (by
    email, name or id; several apart by `;`), source, value, archived, external_source, external_source_id, key_dates
    (`Hearing 2026-12-01; Appeal 2027-01-15`), key_dates.<label>, custom_fields.<key> of its type; of its primary client
    client.id, client.external_source, client.external_source_id, client.kind, client.first_name, client.middle_name,
    client.last_name, client.full_name, client.company_name, client.email, client.phone, client.mobile_phone,
    client.language, client.label; of additional ones the same as client_2.id … client_10.label. A client is found by
    id, external id, email or phone, else made.

    `duplicates`, of a row whose client or case is known (a case by its number or external id): skip it; update the
    record by it; create another one (which no number or external id that is taken can be); merge it, which fills only
    what is empty. An empty cell leaves its field, or with `clear_empty` clears it (not when merging). Who may not read
    what is sensitive cannot update or merge clients by such a column, and not import cases with it."""

    import_id = Id(required=True)
    mapping = Entries(keys=Text(longest=200), values=Text(longest=120), load_default=None, allow_none=True)
    duplicates = Choice("skip", "update", "create", "merge", load_default="skip")
    default_values = Entries(keys=Text(longest=120), values=Text(longest=500), load_default=dict)
    default_country = fields.String(
        load_default="US", validate=validate.Regexp(r"^[A-Z]{2}$", error="Not a country like US.")
    )
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
    """Clients or cases, each once: `gone` were deleted by somebody else, or merged into another
    client, and are left alone; `conflicts` were changed since."""

    removed = Count()
    restored = Count()
    conflicts = Count()
    gone = Count()


class UndoConflict(Schema):
    """A client or a case that an undo left, wholly or in part. `kept`: the fields that stay as they are, for they were
    changed since the import; `id`: the record was made by the import, changed since, and is still there; `tasks`: so is
    a case that tasks were assigned to since; `cases`, `contacts`, `notes`: so is a client who has such since;
    `merges`: others were merged into it."""

    client_id = Id()
    case_id = Id()
    kept = fields.List(fields.String())


class ImportUndo(Schema):
    """`conflicts` are the first 100."""

    counts = fields.Nested(UndoCounts)
    conflicts = fields.List(fields.Nested(UndoConflict))


class ListImports(PageRequest):
    """Newest first."""

    state = Choice(*IMPORT_STATES, load_default=None, allow_none=True)


class ListedImport(Stamped):
    """`error_counts`: how often each kind of error came, by its code. `sheet`: the one of a workbook that is read.
    `progress` is that of a preview while it lasts, then of the run, and once there is one of the undo, in records.
    `clients_created`: those that an import of cases made."""

    filename = fields.String()
    target = fields.String()
    state = Choice(*IMPORT_STATES)
    sheet = fields.String(allow_none=True)
    duplicates = fields.String(allow_none=True)
    progress = fields.Nested(Progress)
    counts = fields.Nested(ImportCounts)
    error_counts = fields.Dict(keys=fields.String(), values=Count())
    failure = fields.String(allow_none=True)
    clients_created = Count()


class Import(ListedImport):
    """`sheets` are those of a workbook; `rows` the first 100 that failed."""

    sheets = fields.List(fields.String())
    columns = fields.List(fields.String())
    suggested_mapping = fields.Dict()
    mapping = fields.Dict(allow_none=True)
    rows = fields.List(fields.Nested(ImportRowError))
    undo = fields.Nested(ImportUndo, allow_none=True)


class GetImportErrors(ImportId):
    form = Choice("csv", "xlsx", load_default="csv")


class ImportErrorFile(Schema):
    """The failed rows as the original file with an `errors` column, in the object store. For those alone who may see
    all that is in it: Forbidden names the columns that are sensitive."""

    file_key = fields.String()
    filename = fields.String()


class ImportRequested(Schema):
    """The owner's own: rows are taken in, or taken back, outside the request that asked for it."""

    import_id = Id(required=True)


class ImportOperations(NamedTuple):
    """What a service that imports serves, and what it tells itself."""

    create: Operation
    preview: Operation
    run: Operation
    cancel: Operation
    undo: Operation
    get: Operation
    list: Operation
    get_errors: Operation
    requested: Event
    undo_requested: Event


def import_operations(owner: str, permission: str) -> ImportOperations:
    """Those of a service, whose records need a permission to be written. (The API asks for `imports.write` besides.)"""
    asked: dict[str, Any] = {"permission": permission, "example": {"import_id": AN_IMPORT}}
    upload = {"file_key": "uploads/x", "filename": f"{owner}.csv"}
    return ImportOperations(
        Operation(
            owner, "create_import", CreateImport, Import, (Invalid, NotFound), deadline=120.0,
            permission=permission, example=upload,
        ),
        Operation(
            owner, "preview_import", PreviewImport, Import, (Invalid, Forbidden, NotFound, Conflict, Unavailable),
            deadline=180.0, **asked,
        ),
        Operation(owner, "run_import", ImportId, Import, (Invalid, Forbidden, NotFound, Conflict), **asked),
        Operation(owner, "cancel_import", ImportId, Import, (NotFound, Conflict), **asked),
        Operation(owner, "undo_import", ImportId, Import, (NotFound, Conflict), **asked),
        Operation(owner, "get_import", ImportId, Import, (NotFound,), **asked),
        Operation(owner, "list_imports", ListImports, page_of(ListedImport), (Invalid,), permission=permission),
        Operation(
            owner, "get_import_errors", GetImportErrors, ImportErrorFile, (Forbidden, NotFound, Conflict),
            deadline=30.0, **asked,
        ),
        Event(owner, "import.requested.v1", ImportRequested, example={"import_id": AN_IMPORT}),
        Event(owner, "import.undo_requested.v1", ImportRequested, example={"import_id": AN_IMPORT}),
    )  # fmt: skip
