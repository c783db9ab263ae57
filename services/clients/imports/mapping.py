"""Which column of a file goes into which field of a client."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from chassis.cells import plain_text
from chassis.custom_fields import keys_by_name
from chassis.imports.mapping import checked_default_values, checked_mapping
from chassis.words import bare_words
from contracts.base import CANONICAL_ID
from services.clients import government_cells
from services.clients.addresses import DEFAULT_COUNTRY, UnfitAddress, parse_email, parse_phone
from services.clients.models import ClientField

MOST_OF_A_LIST = 20
"""Phones, email addresses and postal addresses of one client, as `contracts.clients.ClientFields` has it."""


def numbered(name: str) -> list[str]:
    """A field and its further ones: phone, phone_2, … phone_20."""
    return [name, *(f"{name}_{number}" for number in range(2, MOST_OF_A_LIST + 1))]


TEXT_FIELDS = (
    "first_name", "middle_name", "last_name", "full_name", "company_name", "occupation", "industry", "referral_source",
    "special_requirements", "flag_reason", "external_source", "external_source_id",
)  # fmt: skip
PHONE_FIELDS = {
    **dict.fromkeys(numbered("phone")), "mobile_phone": "mobile", "home_phone": "home", "work_phone": "work",
}  # fmt: skip
"""The kind of number that a column's field states, if it states one."""
PHONE_KINDS = {f"{name}_kind": name for name in numbered("phone")}
"""Columns that state another column's kind."""
EMAIL_FIELDS = tuple(numbered("email"))
ADDRESS_PARTS = {
    "address_kind": "kind", "address_line1": "line1", "address_line2": "line2", "city": "city", "state": "state",
    "postal_code": "postal_code", "country": "country",
}  # fmt: skip
ADDRESS_FIELDS: dict[str, tuple[int, str]] = {
    **{name: (1, part) for name, part in ADDRESS_PARTS.items()},
    **{
        f"address_{number}_{part}": (number, part)
        for number in range(2, MOST_OF_A_LIST + 1)
        for part in ADDRESS_PARTS.values()
    },
}
"""Of which postal address, and what of it."""
OTHER_FIELDS = (
    "id", "kind", "date_of_birth", "status", "spam", "language", "time_zone", "assigned_staff_id", "tags",
    *government_cells.FIELDS,
)  # fmt: skip
FIELDS = frozenset((*TEXT_FIELDS, *PHONE_FIELDS, *PHONE_KINDS, *EMAIL_FIELDS, *ADDRESS_FIELDS, *OTHER_FIELDS))
CUSTOM = "custom_fields."
_CUSTOM_FIELD = re.compile(r"custom_fields\.[a-z][a-z0-9_]{0,59}")

# Folded names of columns, as Google Contacts (its older and its newer export), Outlook, Clio, HubSpot and plain sheets
# write them, in English and Spanish. A field's own name with spaces for underscores is always understood.
_KNOWN = {
    "first_name": "first given name|given name|firstname|forename|nombre|nombres|primer nombre",
    "middle_name": "middlename|additional name|segundo nombre|middle initial",
    "last_name": "family name|lastname|surname|apellido|apellidos",
    "full_name": "name|client name|contact name|nombre completo|display name|fullname|file as",
    "company_name": "company|organization|organization name|organization 1 name|organisation|empresa|business name|"
    "associated company|primary company|employer",
    "kind": "type|client type|contact type",
    "date_of_birth": "birthday|birth date|birthdate|dob|fecha de nacimiento",
    "occupation": "job title|organization title|organization 1 title|profession|ocupacion",
    "industry": "sector|industria",
    "referral_source": "referred by|referral|lead source|source|original source",
    "special_requirements": "accommodations|special needs",
    "status": "client status|contact status|estado del cliente",
    "language": "preferred language|idioma",
    "time_zone": "timezone|zona horaria",
    "tags": "tag|labels|group membership|categories|etiquetas",
    "phone": "phone number|phone 1 value|primary phone|primary phone number|telephone|tel|telefono|phone 1",
    "phone_kind": "phone 1 type|phone 1 label|phone type",
    "mobile_phone": "mobile|mobile phone number|cell|cell phone|cellphone|movil|celular",
    "home_phone": "home|home telephone|telefono de casa|home phone number",
    "work_phone": "business phone|work|office phone|telefono del trabajo|company main phone|work phone number",
    "email": "e mail|email address|e mail address|e mail 1 value|email 1 value|primary email|correo|"
    "correo electronico|primary email address",
    "address_line1": "address|street|street address|address 1|address 1 street|home street|direccion|address 1 line 1|"
    "mailing street|home address street",
    "address_line2": "address 2|apartment|suite|home street 2|address 1 extended address|address 1 line 2|"
    "street address 2",
    "city": "town|home city|address 1 city|ciudad",
    "state": "province|region|state region|home state|address 1 region|provincia|estado|state province",
    "postal_code": "zip|zip code|postcode|home postal code|address 1 postal code|codigo postal|postal zip code",
    "country": "country region|home country region|address 1 country|pais|home country",
    "government_ids.ssn": "ssn|social security|social security number|social security no|seguro social",
    "government_ids.itin": "itin",
    "government_ids.ein": "ein|employer identification number|federal tax id",
    "government_ids.passport": "passport|passport number|passport no|pasaporte",
    "government_ids.drivers_license": "drivers license|drivers license number|driver license|licencia de conducir",
    "government_ids.national_id": "national id|national id number|dni|curp",
    "external_source": "source system",
    "external_source_id": "external id|id|record id|client id|contact id|unique id",
}
# Further numbers and addresses of the exports that number them, and of those that name them.
_FURTHER = {
    "phone_{n}": "phone {n} value|phone {n}",
    "phone_{n}_kind": "phone {n} type|phone {n} label",
    "email_{n}": "e mail {n} address|e mail {n} value|email {n} value|email {n} address|email {n}",
    "address_{n}_line1": "address {n} street",
    "address_{n}_line2": "address {n} extended address",
    "address_{n}_city": "address {n} city",
    "address_{n}_state": "address {n} region",
    "address_{n}_postal_code": "address {n} postal code",
    "address_{n}_country": "address {n} country",
}
_NAMED_FURTHER = {
    "phone_2": "secondary phone|other phone|home phone 2",
    "phone_3": "business phone 2",
    "email_2": "secondary email|additional email addresses|secondary email address",
    "address_2_line1": "business street|work street|business address street",
    "address_2_line2": "business street 2",
    "address_2_city": "business city|work city",
    "address_2_state": "business state|work state",
    "address_2_postal_code": "business postal code|work postal code|business zip",
    "address_2_country": "business country region|work country|business country",
}
_BY_COLUMN = {
    **{name: field for field, names in _NAMED_FURTHER.items() for name in names.split("|")},
    **{
        name: field.format(n=number)
        for number in range(2, MOST_OF_A_LIST + 1)
        for field, names in _FURTHER.items()
        for name in names.format(n=number).split("|")
    },
    **{name: field for field, names in _KNOWN.items() for name in names.split("|")},
}
_OWN_NAMES = {re.sub("[_.]", " ", field): field for field in FIELDS - {"id"}}
_FIRST_ADDRESS = {part: name for name, part in ADDRESS_PARTS.items()}
_MOSTLY = 0.8
_FEWEST_ALIKE = 3


def suggest_mapping(
    columns: Sequence[str], rows: Sequence[Sequence[str]] = (), own_fields: Iterable[ClientField] = ()
) -> dict[str, str]:
    """{column: field} for the columns whose names are known; of two for one field, the first.

    `rows` are some of the file's. If no column is named as one of phone numbers, the first that holds some is taken for
    it, and so with email addresses; a column `id` is the client's own id if it holds such ids. `own_fields` are the
    firm's, known by their labels and keys before other words for ours.
    """
    own = {name: CUSTOM + key for name, key in keys_by_name(own_fields).items()}
    mapping: dict[str, str] = {}
    for place, column in enumerate(columns):
        name = bare_words(column)
        if column == "id" and _holds(rows, place, _is_id, fewest=1):
            field: str | None = "id"
        elif _CUSTOM_FIELD.fullmatch(column):
            field = column
        else:
            field = _OWN_NAMES.get(name) or own.get(name) or _BY_COLUMN.get(name)
        if field is not None and field not in mapping.values():
            mapping[column] = field
    _promote_second_address(mapping)
    for names, is_one in ((EMAIL_FIELDS, _is_email), (tuple(PHONE_FIELDS), _is_phone)):
        if not set(names).intersection(mapping.values()):
            places = (place for place, column in enumerate(columns) if column not in mapping)
            if (found := next((place for place in places if _holds(rows, place, is_one)), None)) is not None:
                mapping[columns[found]] = names[0]
    return mapping


def _promote_second_address(mapping: dict[str, str]) -> None:
    """The second address is the first one of a file that has no other."""
    parts = {column: ADDRESS_FIELDS[field] for column, field in mapping.items() if field in ADDRESS_FIELDS}
    if {number for number, _ in parts.values()} == {2}:
        mapping.update({column: _FIRST_ADDRESS[part] for column, (_, part) in parts.items()})


def _holds(
    rows: Sequence[Sequence[str]], place: int, is_one: Callable[[str], bool], fewest: int = _FEWEST_ALIKE
) -> bool:
    """Whether most cells of a column, as far as they are filled, are of a sort."""
    cells = [text for row in rows if place < len(row) and (text := plain_text(row[place]).strip())]
    return len(cells) >= fewest and sum(map(is_one, cells)) >= _MOSTLY * len(cells)


def _is_id(text: str) -> bool:
    return CANONICAL_ID.fullmatch(text) is not None


def _is_email(text: str) -> bool:
    if "@" not in text:
        return False
    try:
        return bool(parse_email(text))
    except UnfitAddress:
        return False


def _is_phone(text: str) -> bool:
    if sum(map(str.isdigit, text)) < 10:
        return False
    try:
        return bool(parse_phone(text, DEFAULT_COUNTRY))
    except UnfitAddress:
        return False


def check_mapping(mapping: Mapping[str, str], columns: Sequence[str]) -> dict[str, str]:
    """As `checked_mapping`."""
    return checked_mapping(mapping, columns, is_field, owner="A client")


def check_default_values(values: Mapping[str, str]) -> dict[str, str]:
    """As `checked_default_values`."""
    return checked_default_values(values, is_field, owner="A client")


def custom_keys(fields: Iterable[str]) -> list[str]:
    """The keys of the firm's own fields among fields of a mapping."""
    return [field.removeprefix(CUSTOM) for field in fields if field.startswith(CUSTOM)]


def is_field(field: str) -> bool:
    """Whether a column can be mapped to this."""
    return field in FIELDS or _CUSTOM_FIELD.fullmatch(field) is not None
