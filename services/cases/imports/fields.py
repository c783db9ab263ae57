"""Which column of a file goes into which field of a case, or of a client on it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from chassis.custom_fields import keys_by_name
from chassis.imports.mapping import checked_default_values, checked_mapping
from chassis.words import bare_words
from services.cases.models import CustomField

MOST_CLIENTS = 10
CUSTOM = "custom_fields."
KEY_DATES = "key_dates"
KEY_DATE = "key_dates."
LONGEST_LABEL = 120
FIELDS = (
    "number", "name", "case_type", "status", "description", "responsible_staff", "staff", "source", "value", "archived",
    "external_source", "external_source_id", KEY_DATES,
)  # fmt: skip
PERSON = (
    "id", "external_source", "external_source_id", "kind", "first_name", "middle_name", "last_name", "full_name",
    "company_name", "email", "phone", "mobile_phone", "language",
)  # fmt: skip
"""What a file may say of a client, as `contracts.clients.MatchPeople` has it."""
LABEL = "label"
PLACES = ("client", *(f"client_{number}" for number in range(2, MOST_CLIENTS + 1)))
"""The clients of a row, the primary one first."""
PEOPLE_FIELDS = {f"{place}.{part}": (place, part) for place in PLACES for part in (*PERSON, LABEL)}
_CUSTOM_FIELD = re.compile(r"custom_fields\.[a-z][a-z0-9_]{0,59}")

# Bare names of columns, as Clio, other systems and plain sheets write them, in English and Spanish. A field's own name
# with spaces for underscores is always understood.
_KNOWN = {
    "number": "case number|case no|case|matter number|matter no|display number|file number|file no|matter|"
    "numero de caso|numero|reference|ref",
    "name": "case name|matter name|title|case title|nombre del caso|matter description",
    "case_type": "type|matter type|practice area|type of case|tipo|tipo de caso|area of law",
    "status": "case status|matter status|stage|matter stage|estado",
    "description": "case description|notes|descripcion|summary|details",
    "responsible_staff": "responsible|responsible attorney|attorney|lawyer|responsible lawyer|assigned to|owner|"
    "responsable|abogado|case manager|assignee",
    "staff": "staff members|team|other staff|originating attorney|responsible staff members|equipo",
    "source": "case source|referral source|lead source|referred by|origen",
    "value": "case value|estimated value|amount|matter value|claim amount|valor|importe",
    "archived": "is archived|archivado",
    "external_source": "source system",
    "external_source_id": "external id|id|matter id|case id|unique id|record id",
    KEY_DATES: "key date|deadlines|important dates|fechas clave",
    "key_dates.Opened": "open date|opened|opened on|date opened|opened at|fecha de apertura",
    "key_dates.Closed": "close date|closed|closed on|date closed|closed at|closed date|fecha de cierre",
    "key_dates.Pending": "pending date",
    "key_dates.Statute of limitations": "statute of limitations|statute of limitations date|limitation date|sol date|"
    "limitations date",
    "client.full_name": "client|client name|primary client|primary client name|contact|contact name|customer|cliente|"
    "nombre del cliente|primary contact",
    "client.first_name": "first name|given name|nombre",
    "client.middle_name": "middle name",
    "client.last_name": "last name|surname|family name|apellido|apellidos",
    "client.company_name": "company|company name|organization|client company|empresa",
    "client.email": "email|e mail|email address|correo|correo electronico|primary email|primary client email",
    "client.phone": "phone|phone number|telephone|telefono|primary phone",
    "client.mobile_phone": "mobile|mobile phone|cell|cell phone|movil|celular",
    "client.external_source_id": "client external id|contact id|client number",
    "client.id": "client record id",
}
_OTHER = {
    "client_{n}.full_name": "client {n}|client {n} name|additional client {m}|contact {n}",
    "client_{n}.label": "client {n} role|client {n} relationship|additional client {m} label|client {n} label",
}
_NAMED_OTHER = {
    "client_2.full_name": "additional client|second client|spouse|spouse name|other client|co client",
    "client_2.email": "spouse email|additional client email",
    "client_2.phone": "spouse phone|additional client phone",
}
_OWN_NAMES = {re.sub("[_.]", " ", field): field for field in (*FIELDS, *PEOPLE_FIELDS)}
_BY_COLUMN = {
    **{name: field for field, names in _KNOWN.items() for name in names.split("|")},
    **{name: field for field, names in _NAMED_OTHER.items() for name in names.split("|")},
    **{
        name: field.format(n=number)
        for number in range(2, MOST_CLIENTS + 1)
        for field, names in _OTHER.items()
        for name in names.format(n=number, m=number - 1).split("|")
    },
    "client id": "client.external_source_id",
}


def suggest_mapping(columns: Sequence[str], own_fields: Iterable[CustomField] = ()) -> dict[str, str]:
    """{column: field} for the columns whose names are known; of two for one field, the first. `own_fields` are those of
    the firm's types of case, known by their labels and keys before other words for ours. Where no column is the name,
    `matter` beside a column of numbers is, else the description, as in Clio's lists."""
    own = {name: CUSTOM + key for name, key in keys_by_name(own_fields).items()}
    mapping: dict[str, str] = {}
    # `matter` after the others: wherever it stands, a column of numbers goes before it.
    for column in sorted(columns, key=lambda column: bare_words(column) == "matter"):
        name = bare_words(column)
        found = column if is_field(column) else _OWN_NAMES.get(name) or own.get(name) or _BY_COLUMN.get(name)
        if found is None and name.startswith("key date "):
            found = KEY_DATE + " ".join(column.split())[len("key date ") :].strip(" :")
        if found is not None and is_field(found) and found not in mapping.values():
            mapping[column] = found
    matter = next((column for column in columns if column not in mapping and bare_words(column) == "matter"), None)
    if matter is not None and "name" not in mapping.values():
        mapping[matter] = "name"
    fields = set(mapping.values())
    if "name" not in fields and "description" in fields:
        mapping = {column: "name" if field == "description" else field for column, field in mapping.items()}
    return mapping


def check_mapping(mapping: Mapping[str, str], columns: Sequence[str], keys: frozenset[str]) -> dict[str, str]:
    """As `checked_mapping`. `keys` are those of the custom fields that the firm's types have."""
    return checked_mapping(mapping, columns, lambda field: _exists(field, keys), owner="A case")


def check_default_values(values: Mapping[str, str], keys: frozenset[str]) -> dict[str, str]:
    """As `checked_default_values`."""
    return checked_default_values(values, lambda field: _exists(field, keys), owner="A case")


def is_field(field: str) -> bool:
    """Whether a column could be mapped to this, for all its shape says."""
    return (
        field in FIELDS
        or field in PEOPLE_FIELDS
        or _CUSTOM_FIELD.fullmatch(field) is not None
        or (field.startswith(KEY_DATE) and 0 < len(field.removeprefix(KEY_DATE).strip()) <= LONGEST_LABEL)
    )


def _exists(field: str, keys: frozenset[str]) -> bool:
    return is_field(field) and (not field.startswith(CUSTOM) or field.removeprefix(CUSTOM) in keys)
