"""Which column of a file goes into which field of a client."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from contracts.errors import Invalid
from services.clients.names import fold

TEXT_FIELDS = (
    "first_name", "middle_name", "last_name", "full_name", "company_name", "occupation", "flag_reason",
    "external_source", "external_source_id",
)  # fmt: skip
PHONE_FIELDS = {
    "phone": None, "phone_2": None, "phone_3": None, "mobile_phone": "mobile", "home_phone": "home",
    "work_phone": "work",
}  # fmt: skip
"""The kind of number that a column's field states, if it states one."""
EMAIL_FIELDS = ("email", "email_2", "email_3")
ADDRESS_FIELDS = {
    "address_line1": "line1", "address_line2": "line2", "city": "city", "state": "state", "postal_code": "postal_code",
    "country": "country",
}  # fmt: skip
OTHER_FIELDS = ("kind", "date_of_birth", "status", "language", "time_zone", "tags")
FIELDS = frozenset((*TEXT_FIELDS, *PHONE_FIELDS, *EMAIL_FIELDS, *ADDRESS_FIELDS, *OTHER_FIELDS))
CUSTOM = "custom_fields."
_CUSTOM_FIELD = re.compile(r"custom_fields\.[^\s.][^.]{0,59}")

# Folded names of columns, as Google Contacts, Outlook, Clio, HubSpot and plain sheets write them, in English and
# Spanish. A field's own name with spaces for underscores is always understood.
_KNOWN = {
    "first_name": "first given name|given name|firstname|forename|nombre|nombres|primer nombre",
    "middle_name": "middlename|additional name|segundo nombre",
    "last_name": "family name|lastname|surname|apellido|apellidos",
    "full_name": "name|client name|contact name|nombre completo|display name|fullname",
    "company_name": "company|organization|organization name|organization 1 name|organisation|empresa|business name",
    "kind": "type|client type|contact type",
    "date_of_birth": "birthday|birth date|birthdate|dob|fecha de nacimiento",
    "occupation": "job title|organization title|organization 1 title|profession|ocupacion",
    "status": "client status|contact status|estado del cliente",
    "language": "preferred language|idioma",
    "time_zone": "timezone|zona horaria",
    "tags": "tag|labels|group membership|categories|etiquetas",
    "phone": "phone number|phone 1 value|primary phone|primary phone number|telephone|tel|telefono|phone 1",
    "phone_2": "phone 2 value|secondary phone|other phone",
    "phone_3": "phone 3 value",
    "mobile_phone": "mobile|mobile phone number|cell|cell phone|cellphone|movil|celular",
    "home_phone": "home|home telephone|telefono de casa",
    "work_phone": "business phone|work|office phone|telefono del trabajo",
    "email": "e mail|email address|e mail address|e mail 1 value|email 1 value|primary email|correo|correo electronico",
    "email_2": "e mail 2 address|e mail 2 value|email 2 value|secondary email",
    "email_3": "e mail 3 address|e mail 3 value|email 3 value",
    "address_line1": "address|street|street address|address 1|address 1 street|home street|direccion|address 1 line 1",
    "address_line2": "address 2|apartment|suite|home street 2|address 1 extended address|address 1 line 2",
    "city": "town|home city|address 1 city|ciudad",
    "state": "province|region|state region|home state|address 1 region|provincia|estado",
    "postal_code": "zip|zip code|postcode|home postal code|address 1 postal code|codigo postal",
    "country": "country region|home country region|address 1 country|pais",
    "external_source": "source system",
    "external_source_id": "external id|id|record id|client id|contact id|unique id",
}
_BY_COLUMN = {name: field for field, names in _KNOWN.items() for name in names.split("|")} | {
    field.replace("_", " "): field for field in FIELDS
}


def suggest_mapping(columns: Sequence[str]) -> dict[str, str]:
    """{column: field} for the columns whose names are known; of two for one field, the first."""
    mapping: dict[str, str] = {}
    for column in columns:
        field = column if _CUSTOM_FIELD.fullmatch(column) else _BY_COLUMN.get(fold(column))
        if field is not None and field not in mapping.values():
            mapping[column] = field
    return mapping


def check_mapping(mapping: Mapping[str, str], columns: Sequence[str]) -> dict[str, str]:
    """The mapping itself. Raises Invalid that names the columns that do not exist, the fields that do not exist, and
    the columns of a field that has two."""
    problems = []
    taken: dict[str, str] = {}
    for column, field in mapping.items():
        path = f"mapping.{column}"
        if column not in columns:
            problems.append({"field": path, "message": "The file has no such column."})
        elif not is_field(field):
            problems.append({"field": path, "message": f"A client has no field {field}."})
        elif field in taken:
            problems.append({"field": path, "message": f"{field} is mapped to the column {taken[field]} already."})
        else:
            taken[field] = column
    if not problems and not taken:
        problems.append({"field": "mapping", "message": "No column is mapped to a field."})
    if problems:
        raise Invalid("invalid_mapping", fields=problems)
    return dict(mapping)


def check_default_values(values: Mapping[str, str]) -> dict[str, str]:
    """The default values themselves. Raises Invalid that names the fields that do not exist."""
    unknown = [field for field in values if not is_field(field)]
    if unknown:
        named = [{"field": f"default_values.{field}", "message": "A client has no such field."} for field in unknown]
        raise Invalid("invalid_mapping", fields=named)
    return dict(values)


def is_field(field: str) -> bool:
    """Whether a column can be mapped to this."""
    return field in FIELDS or _CUSTOM_FIELD.fullmatch(field) is not None
