"""clients: people and businesses, how to reach them, and their import."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from contracts.base import (
    Choice,
    Count,
    Empty,
    Event,
    Flag,
    Id,
    Instant,
    Operation,
    PageRequest,
    Progress,
    Stamped,
    Text,
    ids,
    page_of,
)
from contracts.errors import Conflict, Invalid, NotFound
from contracts.mapping import FieldUpdateRejected

OWNER = "clients"
CLIENT_STATUSES = ("active", "inactive", "prospective", "blacklisted")
SYSTEM_FIELDS = ("first_name", "last_name", "phone", "email")


class Phone(Schema):
    """`number` in any common form on the way in, E.164 on the way out. An unstated `kind` comes from its range."""

    number = Text(longest=40, shortest=1, required=True)
    kind = Choice("mobile", "home", "work", allow_none=True)
    primary = Flag()


class EmailAddress(Schema):
    address = Text(longest=320, shortest=1, required=True)
    primary = Flag()


class Address(Schema):
    """At least one of its texts is given: a list often has no more than the city and the postal code."""

    kind = Choice("primary", "mailing", "billing", "service_area", required=True)
    line1 = Text(allow_none=True)
    line2 = Text(allow_none=True)
    city = Text(longest=120, allow_none=True)
    state = Text(longest=60, allow_none=True)
    postal_code = Text(longest=20, allow_none=True)
    country = fields.String(allow_none=True, validate=validate.Regexp(r"^[A-Z]{2}$", error="Two capital letters."))


class ClientFields(Schema):
    kind = Choice("individual", "business")
    first_name = Text(longest=120, allow_none=True)
    middle_name = Text(longest=120, allow_none=True)
    last_name = Text(longest=120, allow_none=True)
    company_name = Text(longest=200, allow_none=True)
    date_of_birth = fields.Date(allow_none=True)
    occupation = Text(longest=120, allow_none=True)
    status = Choice(*CLIENT_STATUSES)
    spam = Flag()
    flag_reason = Text(longest=500, allow_none=True)
    language = fields.String(allow_none=True, validate=validate.Regexp(r"^[a-z]{2,3}(-[A-Z]{2})?$", error="Like en."))
    time_zone = Text(longest=60, allow_none=True)
    assigned_staff_id = Id(allow_none=True)
    phones = fields.List(fields.Nested(Phone), validate=validate.Length(max=20))
    emails = fields.List(fields.Nested(EmailAddress), validate=validate.Length(max=20))
    addresses = fields.List(fields.Nested(Address), validate=validate.Length(max=20))
    tags = fields.List(Text(longest=60, shortest=1), validate=validate.Length(max=50))
    custom_fields = fields.Dict(keys=Text(longest=60), values=fields.Raw(allow_none=True))
    external_source = Text(longest=60, allow_none=True)
    external_source_id = Text(longest=120, allow_none=True)


class Client(ClientFields, Stamped):
    last_activity_at = Instant(allow_none=True)


class CreateClient(ClientFields):
    """A name and a phone are enough. `client_id` is chosen beforehand by a service that must be able to repeat the
    call (the same id again answers the client as it is)."""

    client_id = Id(load_default=None, allow_none=True)
    skip_duplicate_check = Flag(load_default=False)


class ClientId(Schema):
    client_id = Id(required=True)


class UpdateClient(ClientId):
    changes = fields.Nested(ClientFields, required=True)
    expected_version = fields.Integer(load_default=None, allow_none=True)


class ListClients(PageRequest):
    """`q` is the one search box: name, phone in any form, or email. `sort`: name, created_at, last_activity_at."""

    q = Text(longest=200, load_default=None, allow_none=True)
    status = Choice(*CLIENT_STATUSES, load_default=None, allow_none=True)
    tag = Text(longest=60, load_default=None, allow_none=True)
    assigned_staff_id = Id(load_default=None, allow_none=True)
    created_since = Instant(load_default=None, allow_none=True)


class ClientIds(Schema):
    client_ids = ids(1000, smallest=1, required=True)


class Recipient(Schema):
    """What messaging needs to reach one client. `sms` is the primary phone if it is a mobile, else the first mobile;
    `phone`, for calls, the primary phone of any kind.

    `state`: found, blocked (blacklisted or spam), erased (archived or unknown). `postal`: state and country of the
    primary address, for quiet hours.
    """

    client_id = Id()
    state = Choice("found", "blocked", "erased")
    first_name = fields.String(allow_none=True)
    last_name = fields.String(allow_none=True)
    display_name = fields.String(allow_none=True)
    language = fields.String(allow_none=True)
    time_zone = fields.String(allow_none=True)
    postal_state = fields.String(allow_none=True)
    postal_country = fields.String(allow_none=True)
    sms = fields.String(allow_none=True)
    phone = fields.String(allow_none=True)
    email = fields.String(allow_none=True)
    assigned_staff_id = Id(allow_none=True)


class Recipients(Schema):
    """In the order that was asked for, one for each id."""

    recipients = fields.List(fields.Nested(Recipient))


class ClientFacts(Schema):
    """What other services may keep of a client to filter by: no personal data."""

    client_id = Id()
    status = fields.String()
    tags = fields.List(fields.String())
    language = fields.String(allow_none=True)
    version = Count()


class ClientFactsList(Schema):
    """Unknown ids are left out: this is also how another service checks that clients exist."""

    clients = fields.List(fields.Nested(ClientFacts))


class FindByAddress(Schema):
    """Whose number or address is this. `address`: E.164 or an email address."""

    channel = Choice("sms", "email", "phone", required=True)
    address = Text(longest=320, required=True)


class FoundClients(Schema):
    client_ids = fields.List(Id())


class ActivityEntry(Schema):
    """`kind` is the event's name; `facts` holds ids and words of ours, no personal data."""

    id = Id()
    at = Instant()
    kind = fields.String()
    facts = fields.Dict()


class ListActivity(ClientId, PageRequest):
    pass


class CreateImport(Schema):
    """`file_key` names the uploaded file in the object store."""

    file_key = Text(longest=300, required=True)
    filename = Text(longest=255, required=True)
    target = Choice("clients", "cases", load_default="clients")


class PreviewImport(Schema):
    """`mapping`: {column: field}; a column left out is not read. Two columns on one field are refused. Null: the
    suggested one. The fields are those of a client, one column each: first_name, middle_name, last_name, full_name,
    company_name, kind, date_of_birth, occupation, status, flag_reason, language, time_zone, tags, phone, phone_2,
    phone_3, mobile_phone, home_phone, work_phone, email, email_2, email_3, address_line1, address_line2, city, state,
    postal_code, country, external_source, external_source_id, custom_fields.<key>."""

    import_id = Id(required=True)
    mapping = fields.Dict(keys=Text(longest=200), values=Text(longest=120), load_default=None, allow_none=True)
    duplicates = Choice("skip", "update", "create", "merge", load_default="skip")
    default_values = fields.Dict(keys=Text(longest=120), values=Text(longest=500), load_default=dict)
    default_country = fields.String(load_default="US", validate=validate.Regexp(r"^[A-Z]{2}$"))


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


class Import(Stamped):
    """`error_counts`: how often each kind of error came, by its code."""

    filename = fields.String()
    target = fields.String()
    state = Choice("uploaded", "previewed", "running", "finished", "failed", "cancelled")
    columns = fields.List(fields.String())
    suggested_mapping = fields.Dict()
    mapping = fields.Dict(allow_none=True)
    duplicates = fields.String(allow_none=True)
    progress = fields.Nested(Progress)
    counts = fields.Nested(ImportCounts)
    error_counts = fields.Dict(keys=fields.String(), values=Count())
    rows = fields.List(fields.Nested(ImportRowError))
    failure = fields.String(allow_none=True)


class ImportErrorFile(Schema):
    """The failed rows as the original file with an `errors` column, in the object store."""

    file_key = fields.String()
    filename = fields.String()


class ClientEvent(Schema):
    """`changed` names fields. Consumers keep what filters need; the rest they fetch."""

    client_id = Id(required=True)
    version = Count(required=True)
    status = fields.String(required=True)
    tags = fields.List(fields.String(), required=True)
    language = fields.String(required=True, allow_none=True)
    changed = fields.List(fields.String(), required=True)
    case_task_id = Id(allow_none=True)


class ClientsImported(Schema):
    """Many clients created or changed by an import, at most 500 in one event."""

    import_id = Id(required=True)
    clients = fields.List(fields.Nested(ClientFacts), required=True)


class ImportRequested(Schema):
    """clients' own: the rows are taken in outside the request that asked for it."""

    import_id = Id(required=True)


class ClientDeleted(Schema):
    client_id = Id(required=True)
    version = Count(required=True)


_CLIENT_ID = "018f4e9a-0000-7000-8000-000000000010"
_FACTS = {"client_id": _CLIENT_ID, "version": 1, "status": "active", "tags": [], "language": "en"}

CREATE_CLIENT = Operation(
    OWNER, "create_client", CreateClient, Client, (Invalid, Conflict), permission="clients.write",
    example={"first_name": "Ann", "phones": [{"number": "+12125550123"}]},
)  # fmt: skip
GET_CLIENT = Operation(
    OWNER, "get_client", ClientId, Client, (NotFound,), permission="clients.read", example={"client_id": _CLIENT_ID}
)
UPDATE_CLIENT = Operation(
    OWNER, "update_client", UpdateClient, Client, (Invalid, NotFound, Conflict), permission="clients.write",
    example={"client_id": _CLIENT_ID, "changes": {"first_name": "Anna"}},
)  # fmt: skip
DELETE_CLIENT = Operation(
    OWNER, "delete_client", ClientId, Empty, (NotFound,), permission="clients.delete",
    example={"client_id": _CLIENT_ID},
)  # fmt: skip
LIST_CLIENTS = Operation(
    OWNER, "list_clients", ListClients, page_of(Client), (Invalid,), permission="clients.read", example={"q": "ann"}
)
LIST_CLIENT_ACTIVITY = Operation(
    OWNER, "list_client_activity", ListActivity, page_of(ActivityEntry), (NotFound, Invalid),
    permission="clients.read", example={"client_id": _CLIENT_ID},
)  # fmt: skip
GET_RECIPIENTS = Operation(
    OWNER, "get_recipients", ClientIds, Recipients, (Invalid,), deadline=10.0, example={"client_ids": [_CLIENT_ID]}
)
GET_CLIENT_FACTS = Operation(
    OWNER, "get_client_facts", ClientIds, ClientFactsList, (Invalid,), example={"client_ids": [_CLIENT_ID]}
)
FIND_CLIENTS_BY_ADDRESS = Operation(
    OWNER, "find_clients_by_address", FindByAddress, FoundClients, (Invalid,),
    example={"channel": "sms", "address": "+12125550123"},
)  # fmt: skip
CREATE_IMPORT = Operation(
    OWNER, "create_import", CreateImport, Import, (Invalid, NotFound), deadline=30.0, permission="imports.write",
    example={"file_key": "uploads/x", "filename": "clients.csv"},
)  # fmt: skip
PREVIEW_IMPORT = Operation(
    OWNER, "preview_import", PreviewImport, Import, (Invalid, NotFound, Conflict), deadline=60.0,
    permission="imports.write", example={"import_id": _CLIENT_ID},
)  # fmt: skip
RUN_IMPORT = Operation(
    OWNER, "run_import", ImportId, Import, (Invalid, NotFound, Conflict), permission="imports.write",
    example={"import_id": _CLIENT_ID},
)  # fmt: skip
GET_IMPORT = Operation(
    OWNER, "get_import", ImportId, Import, (NotFound,), permission="imports.write", example={"import_id": _CLIENT_ID}
)
GET_IMPORT_ERRORS = Operation(
    OWNER, "get_import_errors", ImportId, ImportErrorFile, (NotFound, Conflict), deadline=30.0,
    permission="imports.write", example={"import_id": _CLIENT_ID},
)  # fmt: skip

CLIENT_CREATED = Event(OWNER, "client.created.v1", ClientEvent, example={**_FACTS, "changed": []})
CLIENT_CHANGED = Event(OWNER, "client.changed.v1", ClientEvent, example={**_FACTS, "changed": ["phones"]})
CLIENTS_IMPORTED = Event(
    OWNER, "clients.imported.v1", ClientsImported, example={"import_id": _CLIENT_ID, "clients": [_FACTS]}
)
IMPORT_REQUESTED = Event(OWNER, "import.requested.v1", ImportRequested, example={"import_id": _CLIENT_ID})
CLIENT_DELETED = Event(OWNER, "client.deleted.v1", ClientDeleted, example={"client_id": _CLIENT_ID, "version": 3})
FIELD_UPDATE_REJECTED = Event(
    OWNER, "field_update.rejected.v1", FieldUpdateRejected,
    example={"case_task_id": _CLIENT_ID, "target": "client", "field": "phone", "code": "invalid_phone",
             "answer_version": 1},
)  # fmt: skip
