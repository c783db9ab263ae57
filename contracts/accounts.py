"""accounts: firms and their settings, staff with roles, API keys."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from contracts.base import (
    Choice,
    Empty,
    Entries,
    Event,
    Flag,
    Id,
    Instant,
    Operation,
    PageRequest,
    Stamped,
    Text,
    ids,
    page_of,
)
from contracts.errors import Conflict, Forbidden, Invalid, NotFound, Unauthorized

OWNER = "accounts"
ROLES = ("owner", "admin", "supervisor", "member", "read_only")
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Hours(Schema):
    """A span of local wall-clock time, `opens` before `closes`, both `HH:MM`."""

    opens = fields.Time(format="%H:%M", required=True)
    closes = fields.Time(format="%H:%M", required=True)


class PostalAddress(Schema):
    line1 = Text(required=True, shortest=1)
    line2 = Text(allow_none=True)
    city = Text(required=True, shortest=1)
    state = Text(longest=60, allow_none=True)
    postal_code = Text(longest=20, allow_none=True)
    country = fields.String(required=True, validate=validate.Regexp(r"^[A-Z]{2}$", error="Two capital letters."))


class Branding(Schema):
    name = Text(longest=120, allow_none=True)
    color = fields.String(
        allow_none=True, validate=validate.Regexp(r"^#[0-9a-fA-F]{6}$", error="Not a color like #1a5fb4.")
    )


class FirmSettings(Schema):
    """What a firm may set. `quiet_hours` null permits automated messages at all hours; unset times are the law's.
    `opt_out_scope`: what a STOP ends, everything on its channel or on every channel. `holiday_calendar`: a country,
    with a region if it has holidays of its own (`US`, `US-NY`), whose public holidays are the firm's too."""

    name = Text(longest=200, shortest=1)
    time_zone = Text(longest=60)
    locale = Choice("en", "es")
    business_hours = Entries(keys=Choice(*WEEKDAYS), values=fields.List(fields.Nested(Hours)))
    holidays = fields.List(fields.Date(), validate=validate.Length(max=400))
    holiday_calendar = fields.String(
        allow_none=True,
        validate=validate.Regexp(r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$", error="Not a calendar like US or US-NY."),
    )
    opt_out_scope = Choice("channel", "all_channels")
    quiet_hours = fields.Nested(Hours, allow_none=True)
    postal_address = fields.Nested(PostalAddress, allow_none=True)
    branding = fields.Nested(Branding)
    require_opt_in = Flag()
    allow_manual_reply = Flag()
    link_days = fields.Integer(strict=True, validate=validate.Range(min=1, max=365))


class Firm(FirmSettings, Stamped):
    """`quiet_hours` are the hours in which automated messages are permitted, local to the recipient. `closed_days`: the
    firm's holidays and those of its calendar, from last year's to those of the year after next."""

    closed_days = fields.List(fields.Date())


class CreateFirm(FirmSettings):
    name = Text(longest=200, shortest=1, required=True)
    owner_name = Text(longest=200, shortest=1, load_default="Owner")
    owner_email = fields.Email(load_default=None, allow_none=True, validate=validate.Length(max=320))


class CreatedFirm(Schema):
    """`api_key` is shown this once."""

    firm = fields.Nested(Firm)
    staff_id = Id()
    api_key = fields.String()


class UpdateFirm(Schema):
    changes = fields.Nested(FirmSettings, required=True)
    expected_version = fields.Integer(load_default=None, allow_none=True)


MOST_CASE_TYPES = 200
"""That a member is limited to: they travel with each call."""


class StaffFields(Schema):
    name = Text(longest=200, shortest=1)
    email = fields.Email(allow_none=True, validate=validate.Length(max=320))
    role = Choice(*ROLES)
    supervisor_id = Id(allow_none=True)
    active = Flag()
    case_type_ids = fields.List(Id(), allow_none=True, validate=validate.Length(max=MOST_CASE_TYPES))


class Staff(StaffFields, Stamped):
    """`case_type_ids` null: every case type; a list: only cases of those, and what belongs to them, are shown and
    changed."""


class CreateStaff(StaffFields):
    name = Text(longest=200, shortest=1, required=True)
    role = Choice(*ROLES, required=True)


class StaffId(Schema):
    staff_id = Id(required=True)


class UpdateStaff(StaffId):
    changes = fields.Nested(StaffFields, required=True)
    expected_version = fields.Integer(load_default=None, allow_none=True)


class StaffIds(Schema):
    staff_ids = ids(1000, smallest=1, required=True)


class StaffFacts(Schema):
    """What other services decide by: whether somebody still works here, and who is told next."""

    staff_id = Id()
    active = fields.Boolean()
    role = fields.String()
    supervisor_id = Id(allow_none=True)


class StaffFactsList(Schema):
    """Unknown ids are left out."""

    staff = fields.List(fields.Nested(StaffFacts))


class ApiKey(Stamped):
    name = fields.String()
    prefix = fields.String()
    staff_id = Id()
    scopes = fields.List(fields.String())
    last_used_at = Instant(allow_none=True)
    expires_at = Instant(allow_none=True)
    revoked_at = Instant(allow_none=True)


class CreateApiKey(Schema):
    """`scopes` limit the key below its staff member's role; empty: all the role may do. `by_api_key_id`: the key that
    asks, which makes none wider than itself; the gateway says so, not the caller."""

    name = Text(longest=120, shortest=1, required=True)
    by_api_key_id = Id(load_default=None, allow_none=True)
    staff_id = Id(load_default=None, allow_none=True)
    scopes = fields.List(Text(longest=60), load_default=list, validate=validate.Length(max=50))
    expires_at = Instant(load_default=None, allow_none=True)


class CreatedApiKey(ApiKey):
    """`key` is shown this once."""

    key = fields.String()


class ApiKeyId(Schema):
    api_key_id = Id(required=True)


class ResolveApiKey(Schema):
    """The SHA-256 of the key in hex: the key itself never crosses the bus."""

    key_hash = fields.String(required=True, validate=validate.Regexp(r"^[0-9a-f]{64}$"))


class Credential(Schema):
    """Who calls. `permissions` is what the role allows, cut down to the key's scopes."""

    firm_id = Id()
    staff_id = Id()
    api_key_id = Id()
    role = Choice(*ROLES)
    permissions = fields.List(fields.String())
    case_type_ids = fields.List(Id(), allow_none=True)
    expires_at = Instant(allow_none=True)


class FirmChanged(Schema):
    """`changed` names the settings; consumers fetch them."""

    firm_id = Id(required=True)
    changed = fields.List(fields.String(), required=True)
    version = fields.Integer(required=True)


class StaffChanged(Schema):
    staff_id = Id(required=True)
    active = fields.Boolean(required=True)
    role = fields.String(required=True)


class ApiKeyRevoked(Schema):
    """`key_hash` lets a cache drop the credential at once."""

    api_key_id = Id(required=True)
    key_hash = fields.String(required=True)


_FIRM_ID = "018f4e9a-0000-7000-8000-000000000001"
_STAFF_ID = "018f4e9a-0000-7000-8000-000000000002"

CREATE_FIRM = Operation(
    OWNER, "create_firm", CreateFirm, CreatedFirm, (Invalid,), firm=False,
    example={"name": "Harbor & Lane", "time_zone": "America/New_York"},
)  # fmt: skip
RESOLVE_API_KEY = Operation(
    OWNER, "resolve_api_key", ResolveApiKey, Credential, (Unauthorized,), firm=False, example={"key_hash": "0" * 64}
)
GET_FIRM = Operation(OWNER, "get_firm", Empty, Firm, (NotFound,), permission="firm.read")
UPDATE_FIRM = Operation(
    OWNER, "update_firm", UpdateFirm, Firm, (Invalid, Conflict), permission="firm.write",
    example={"changes": {"time_zone": "America/Chicago"}},
)  # fmt: skip
LIST_STAFF = Operation(OWNER, "list_staff", PageRequest, page_of(Staff), (Invalid,), permission="staff.read")
GET_STAFF = Operation(
    OWNER, "get_staff", StaffId, Staff, (NotFound,), permission="staff.read", example={"staff_id": _STAFF_ID}
)
CREATE_STAFF = Operation(
    OWNER, "create_staff", CreateStaff, Staff, (Invalid, Conflict, Forbidden), permission="staff.write",
    example={"name": "Ada", "role": "member"},
)  # fmt: skip
UPDATE_STAFF = Operation(
    OWNER, "update_staff", UpdateStaff, Staff, (Invalid, NotFound, Conflict, Forbidden), permission="staff.write",
    example={"staff_id": _STAFF_ID, "changes": {"active": False}},
)  # fmt: skip
GET_STAFF_FACTS = Operation(
    OWNER, "get_staff_facts", StaffIds, StaffFactsList, (Invalid,), example={"staff_ids": [_STAFF_ID]}
)
LIST_API_KEYS = Operation(OWNER, "list_api_keys", PageRequest, page_of(ApiKey), (Invalid,), permission="api_keys.read")
CREATE_API_KEY = Operation(
    OWNER, "create_api_key", CreateApiKey, CreatedApiKey, (Invalid, NotFound, Forbidden), permission="api_keys.write",
    example={"name": "intake form"},
)  # fmt: skip
REVOKE_API_KEY = Operation(
    OWNER, "revoke_api_key", ApiKeyId, ApiKey, (NotFound,), permission="api_keys.write",
    example={"api_key_id": _STAFF_ID},
)  # fmt: skip

FIRM_CHANGED = Event(
    OWNER, "firm.changed.v1", FirmChanged, example={"firm_id": _FIRM_ID, "changed": ["time_zone"], "version": 2}
)
STAFF_CHANGED = Event(
    OWNER, "staff.changed.v1", StaffChanged, example={"staff_id": _STAFF_ID, "active": True, "role": "member"}
)
API_KEY_REVOKED = Event(
    OWNER, "api_key.revoked.v1", ApiKeyRevoked, example={"api_key_id": _STAFF_ID, "key_hash": "0" * 64}
)
