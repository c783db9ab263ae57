"""clients: a row of a file as the fields of a client, the suggested mapping, and cells that sheets would run."""

from __future__ import annotations

import datetime as dt

import pytest

from chassis.imports.cells import read_date
from contracts.errors import Invalid
from services.clients.imports.mapping import FIELDS, TEXT_FIELDS, check_mapping, suggest_mapping
from services.clients.imports.rows import RowReader
from services.clients.imports.words import read_country
from services.clients.models import ClientField

NOW = dt.datetime(2026, 11, 21, 15, 0, tzinfo=dt.UTC)
FIELDS_OF_FIRM = [
    ClientField(key=key, type=type_, required=False, options=["North", "Süd"] if "choice" in type_ else [])
    for key, type_ in {
        "court": "text", "note": "text", "age": "number", "fee": "money", "vip": "yes_no", "since": "date",
        "room": "choice", "rooms": "choices", "judge": "text",
    }.items()
]  # fmt: skip


def read(cells: dict[str, str], country: str = "US", **defaults: str):
    places = {name: place for place, name in enumerate(cells)}
    reader = RowReader(len(cells), places, defaults, country, NOW, own_fields=FIELDS_OF_FIRM)
    return reader.read(1, list(cells.values()))


def test_a_row_becomes_the_fields_of_a_client():
    row = read(
        {
            "first_name": " Ann ", "last_name": "Lee", "company_name": "", "date_of_birth": "03/04/1980",
            "status": "Prospective", "language": "Spanish", "time_zone": "America/Denver", "tags": "vip; new, vip",
            "phone": "(212) 555-0101", "mobile_phone": "212.555.0101", "work_phone": "2125550102",
            "email": "A@Example.com",
            "city": "Reno", "state": "NV", "postal_code": "89501", "country": "United States", "kind": "Person",
            "external_source_id": "7", "custom_fields.court": "North",
        }
    )  # fmt: skip
    assert row.errors == []
    assert row.fields == {
        "first_name": "Ann", "last_name": "Lee", "date_of_birth": dt.date(1980, 3, 4), "status": "prospective",
        "language": "es", "time_zone": "America/Denver", "tags": ["vip", "new"], "kind": "individual",
        "phones": [{"number": "+12125550101", "kind": "mobile", "primary": True},
                   {"number": "+12125550102", "kind": "work", "primary": False}],
        "emails": [{"address": "A@example.com", "primary": True}],
        "addresses": [{"kind": "primary", "line1": None, "line2": None, "city": "Reno", "state": "NV",
                       "postal_code": "89501", "country": "US"}],
        "external_source": "import", "external_source_id": "7", "custom_fields": {"court": "North"},
    }  # fmt: skip
    assert row.keys[0] == ("external", "import", "7")
    assert {("phone", "+12125550101"), ("email", "a@example.com"), ("person", "ann lee", "1980-03-04"),
            ("person", "ann lee", "89501")} < set(row.keys)  # fmt: skip


@pytest.mark.parametrize(
    ("cells", "error"),
    [
        ({"phone": "555-12"}, "invalid_phone:phone"),
        ({"phone": "2125550101", "home_phone": "1"}, "invalid_phone:home_phone"),
        ({"email": "no"}, "invalid_email:email"), ({"email": "a@example.com", "email_2": "x"}, "invalid_email:email_2"),
        ({"status": "VIP"}, "unknown_status:status"), ({"date_of_birth": "31.31.2000"}, "invalid_date:date_of_birth"),
        ({"date_of_birth": "2030-01-01"}, "date_in_future:date_of_birth"), ({"kind": "cat"}, "unknown_kind:kind"),
        ({"time_zone": "EST5"}, "unknown_time_zone:time_zone"), ({"language": "klingon"}, "unknown_language:language"),
        ({"city": "Reno", "country": "Atlantis"}, "unknown_country:country"),
        ({"first_name": "x" * 121}, "too_long:first_name"),
        ({"first_name": "A\u202en"}, "invalid_text:first_name"), ({"city": "A\u200bn"}, "invalid_text:city"),
        ({"postal_code": "9" * 21}, "too_long:postal_code"), ({"tags": "x" * 61}, "too_long:tags"),
        ({"custom_fields.note": "x" * 10_001}, "too_long:custom_fields.note"),
        ({"custom_fields.cuort": "North"}, "unknown_field:custom_fields.cuort"),
        ({"custom_fields.age": "old"}, "wrong_type:custom_fields.age"),
        ({"custom_fields.vip": "perhaps"}, "wrong_type:custom_fields.vip"),
        ({"custom_fields.since": "31.31.2000"}, "wrong_type:custom_fields.since"),
        ({"custom_fields.room": "West"}, "not_an_option:custom_fields.room"),
        ({"custom_fields.rooms": "North; West"}, "not_an_option:custom_fields.rooms"),
    ],
)  # fmt: skip
def test_a_bad_cell_is_an_error_that_names_its_field(cells, error):
    row = read({"last_name": "Lee", **cells})
    assert (row.errors, row.keys) == ([error], [])


def test_a_cell_is_read_as_its_field_is_defined():
    texts = {
        "age": "1,204", "fee": "$ 1,250.5", "vip": "Yes", "since": "12/31/2025", "room": "sud", "rooms": "north; Süd",
    }  # fmt: skip
    row = read({"last_name": "Lee", **{f"custom_fields.{key}": text for key, text in texts.items()}})
    assert (row.errors, row.fields["custom_fields"]) == ([], {
        "age": 1204, "fee": "1250.50", "vip": True, "since": "2025-12-31", "room": "Süd", "rooms": ["North", "Süd"],
    })  # fmt: skip


def test_a_row_too_short_or_too_long_is_an_error():
    reader = RowReader(2, {"first_name": 0}, {}, "US", NOW)
    assert reader.read(1, ["Ann"]).errors == ["row_too_short:row"]
    assert reader.read(1, ["Ann", "", "x"]).errors == ["row_too_long:row"]
    assert reader.read(1, ["Ann", "", " "]).errors == []


def test_an_empty_cell_leaves_the_field_and_a_default_fills_it():
    assert read({"last_name": "Lee", "status": " "}).fields == {"last_name": "Lee"}
    assert read({"last_name": "Lee", "status": ""}, status="inactive", language="en").fields == {
        "last_name": "Lee", "status": "inactive", "language": "en",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("full", "first", "last"),
    [
        ("Ann Lee", "Ann", "Lee"),
        ("Ann Mary Lee", "Ann Mary", "Lee"),
        ("Lee, Ann", "Ann", "Lee"),
        ("Cher", "Cher", None),
    ],
)
def test_a_full_name_is_split(full, first, last):
    assert read({"full_name": full}).fields == {"first_name": first, "last_name": last}


def test_a_business_without_a_name_is_called_by_the_full_one():
    named = read({"full_name": "Lee, Park and Sons", "kind": "company"}).fields
    assert named == {"company_name": "Lee, Park and Sons", "kind": "business"}
    person = read({"full_name": "Ann Lee", "kind": "company", "company_name": "Lee and Sons"}).fields
    assert (person["first_name"], person["company_name"]) == ("Ann", "Lee and Sons")
    twice = read({"full_name": "Ann Lee", "first_name": "Anna", "kind": "company"}).fields
    assert twice == {"first_name": "Anna", "kind": "business"}


@pytest.mark.parametrize(
    ("text", "country", "date"),
    [
        ("1980-02-29", "US", (1980, 2, 29)), ("2/29/1980", "US", (1980, 2, 29)), ("29/02/1980", "GB", (1980, 2, 29)),
        ("29.2.1980", "DE", (1980, 2, 29)), ("29 Feb 1980", "US", (1980, 2, 29)),
        ("February 29, 1980", "US", (1980, 2, 29)),
        ("1980-02-29T00:00:00.000Z", "US", (1980, 2, 29)), ("29/02/1980", "US", None), ("2/29/80", "US", None),
        ("1981-02-29", "US", None), ("1980-02-29 00:00:00", "US", (1980, 2, 29)), ("29-Feb-1980", "US", (1980, 2, 29)),
        ("soon", "US", None), ("0/0/00", "US", None),
    ],
)  # fmt: skip
def test_dates_are_read_as_the_country_writes_them(text, country, date):
    assert read_date(text, country) == (dt.date(*date) if date else None)


def test_dates_are_read_as_the_import_is_told():
    assert read_date("03/04/1980", "US", "day_first") == dt.date(1980, 4, 3)
    assert read_date("03/04/1980", "GB", "month_first") == dt.date(1980, 3, 4)
    assert read_date("1980/04/03", "US", "year_first") == dt.date(1980, 4, 3)
    assert read_date("1980-04-03", "US", "day_first") == dt.date(1980, 4, 3)
    assert read({"last_name": "Lee", "date_of_birth": "0/0/00"}).fields == {"last_name": "Lee"}


def test_every_phone_email_and_address_has_its_columns():
    row = read(
        {
            "last_name": "Lee", "phone": "2125550101 ::: 2125550102", "phone_kind": "Work Fax", "phone_2": "2125550103",
            "phone_2_kind": "iPhone", "email": "a@example.com", "email_20": "b@example.com", "address_kind": "billing",
            "city": "Reno", "address_2_city": "Elko", "address_3_country": "US", "address_4_kind": "service area",
            "address_4_line1": "1 Pier", "tags": '* myContacts ::: VIP; "a, b"', "spam": "Yes",
        }
    ).fields  # fmt: skip
    assert [(phone["number"][-1], phone["kind"]) for phone in row["phones"]] == [
        ("1", "work"), ("2", "work"), ("3", "mobile"),
    ]  # fmt: skip
    assert [email["address"] for email in row["emails"]] == ["a@example.com", "b@example.com"]
    assert [(address["kind"], address["city"]) for address in row["addresses"]] == [
        ("billing", "Reno"), ("mailing", "Elko"), ("service_area", None),
    ]  # fmt: skip
    assert (row["tags"], row["spam"]) == (["* myContacts", "VIP", "a, b"], True)


def test_a_bad_cell_of_a_further_address_is_named():
    assert read({"last_name": "Lee", "city": "Reno", "address_2_city": "A\u200bn"}).errors == [
        "invalid_text:address_2_city"
    ]
    row = read({"last_name": "Lee", "address_2_city": "Reno", "address_2_country": "Atlantis"})
    assert row.errors == ["unknown_country:address_2_country"]
    assert read({"last_name": "Lee", "id": "7"}).errors == ["invalid_id:id"]
    many = " ::: ".join(f"21255501{number}" for number in range(10, 31))
    assert read({"last_name": "Lee", "phone": many}).errors == ["too_many:phones"]


def test_several_in_one_cell_are_each_their_own():
    cells = {"phone": "(212) 555-0101; 212-555-0102\n2125550103 / 2125550104", "email": "a@example.com, b@example.com;"}
    fields = read({"first_name": "Ann", **cells}).fields
    assert [phone["number"] for phone in fields["phones"]] == [f"+1212555010{number}" for number in range(1, 5)]
    assert [email["address"] for email in fields["emails"]] == ["a@example.com", "b@example.com"]
    assert read({"first_name": "Ann", "phone": "2125550101;ext=7"}).errors == ["phone_extension:phone"]
    assert read({"first_name": "Ann", "phone": ";"}).errors == ["invalid_phone:phone"]


def test_of_options_that_differ_in_a_sign_the_very_same_is_meant():
    own = [ClientField(key="rating", type="choice", required=False, options=["A", "A+", "A-", "Niño"])]

    def rating(cell):
        read = RowReader(2, {"last_name": 0, "custom_fields.rating": 1}, {}, "US", NOW, own_fields=own)
        row = read.read(1, ["Lee", cell])
        return row.errors or row.fields["custom_fields"]["rating"]

    assert [rating(cell) for cell in ("A", "A+", "a-", "nino")] == ["A", "A+", "A-", "Niño"]
    assert rating("A/") == ["not_an_option:custom_fields.rating"]


def test_options_are_apart_by_commas_as_well_unless_one_holds_a_comma():
    own = [ClientField(key="topics", type="choices", required=False, options=["Tax", "Wills, trusts", "Land"])]

    def topics(cell):
        row = RowReader(2, {"last_name": 0, "custom_fields.topics": 1}, {}, "US", NOW, own_fields=own)
        read = row.read(1, ["Lee", cell])
        return read.errors or read.fields["custom_fields"]["topics"]

    assert topics("tax, Land") == topics("Land|Tax") == ["Tax", "Land"]
    assert topics("Wills, trusts; land") == ["Wills, trusts", "Land"]
    assert topics("Tax, Sea") == ["not_an_option:custom_fields.topics"]


def test_countries_languages_and_statuses_are_understood_by_name():
    named = {"country": "Alemania", "city": "Köln", "language": "German", "status": "Lead"}
    fields = read({"first_name": "Ann", **named}).fields
    assert (fields["addresses"][0]["country"], fields["language"], fields["status"]) == ("DE", "de", "prospective")
    assert [read_country(name) for name in ("France", "U.S.A.", "México", "UK", "Nowhere")] == [
        "FR", "US", "MX", "GB", None,
    ]  # fmt: skip


def test_what_is_wrong_with_a_part_of_a_name_names_its_column():
    assert read({"full_name": "Ann\u200b Lee"}).errors == ["invalid_text:full_name"]


def test_every_text_that_a_client_may_lack_can_be_cleared():
    names = {name for name in TEXT_FIELDS if not name.startswith("external_")} - {"full_name"}
    names |= {"date_of_birth", "language", "time_zone", "assigned_staff_id"}
    places = {name: place for place, name in enumerate(sorted(names))}
    cleared = RowReader(len(names), places, {}, "US", NOW, clears=True).read(1, [""] * len(names)).fields
    assert cleared == dict.fromkeys(names)


def test_an_empty_cell_clears_its_field_where_it_is_told_to():
    cells = {
        "first_name": "", "last_name": "Lee", "phone": "", "phone_2": "", "email": "", "email_2": "a@example.com",
        "tags": "", "city": "", "status": "", "custom_fields.court": "", "custom_fields.judge": "Roy",
    }  # fmt: skip
    places = {name: place for place, name in enumerate(cells)}
    defaults = {"occupation": "Baker", "status": "inactive"}
    reader = RowReader(len(cells), places, defaults, "US", NOW, clears=True, own_fields=FIELDS_OF_FIRM)
    assert reader.read(1, list(cells.values())).fields == {
        "first_name": None, "last_name": "Lee", "occupation": "Baker", "status": "inactive", "phones": [], "tags": [],
        "emails": [{"address": "a@example.com", "primary": True}], "addresses": [],
        "custom_fields": {"court": None, "judge": "Roy"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("columns", "fields"),
    [
        ("Name,Given Name,Additional Name,Family Name,Birthday,Occupation,Group Membership,E-mail 1 - Type,"
         "E-mail 1 - Value,E-mail 2 - Value,Phone 1 - Type,Phone 1 - Value,Phone 2 - Type,Phone 2 - Value,"
         "Address 1 - Type,Address 1 - Street,Address 1 - City,Address 1 - Region,Address 1 - Postal Code,"
         "Address 1 - Country,Organization 1 - Name,Organization 1 - Title",
         "full_name,first_name,middle_name,last_name,date_of_birth,occupation,tags,-,email,email_2,phone_kind,phone,"
         "phone_2_kind,phone_2,-,address_line1,city,state,postal_code,country,company_name,-"),
        ("First Name,Middle Name,Last Name,Company,Job Title,Business Street,Business City,Business State,"
         "Business Postal Code,Business Country/Region,Business Fax,Business Phone,Mobile Phone,Other Phone,"
         "Primary Phone,Birthday,Categories,E-mail Address,E-mail 2 Address,Notes",
         "first_name,middle_name,last_name,company_name,occupation,address_line1,city,state,postal_code,country,-,"
         "work_phone,mobile_phone,phone_2,phone,date_of_birth,tags,email,email_2,-"),
        ("title,job_title,first_name,last_name,company,business_street,business_city,business_state,"
         "business_postal_code,email_address,primary_phone",
         "-,occupation,first_name,last_name,company_name,address_line1,city,state,postal_code,email,phone"),
        ("Record ID,First Name,Last Name,Email,Phone Number,Mobile Phone Number,Street Address,City,State/Region,"
         "Postal Code,Country/Region,Job Title,Company Name,Date of birth,Preferred language",
         "external_source_id,first_name,last_name,email,phone,mobile_phone,address_line1,city,state,postal_code,country,"
         "occupation,company_name,date_of_birth,language"),
    ],
    ids=["older Google", "Outlook", "Clio", "HubSpot"],
)  # fmt: skip
def test_the_columns_of_other_products_are_mapped(columns, fields):
    names = columns.split(",")
    expected = {column: field for column, field in zip(names, fields.split(","), strict=True) if field != "-"}
    assert suggest_mapping(names) == expected


def test_a_home_address_stays_before_a_business_address():
    assert suggest_mapping(["Home City", "Business City"]) == {"Home City": "city", "Business City": "address_2_city"}


def test_columns_that_nobody_named_are_known_by_what_they_hold():
    rows = [["2125550101", "a@example.com", "2125550111"], ["(212) 555-0102", "b@example.com", ""],
            ["'+12125550103", "", ""]]  # fmt: skip
    assert suggest_mapping(["How", "Where", "Home fax"], rows) == {"How": "phone"}
    rows[2][1] = "c@example.com"
    assert suggest_mapping(["How", "Where"], rows) == {"How": "phone", "Where": "email"}
    assert suggest_mapping(["Mobile", "Home fax"], [["", "2125550101"]] * 3) == {"Mobile": "mobile_phone"}
    ours = "018f4e9a-0000-7000-8000-000000000010"
    assert suggest_mapping(["id"], [[ours]] * 3) == {"id": "id"}
    assert suggest_mapping(["id"], [["17"]] * 3) == {"id": "external_source_id"}


@pytest.mark.parametrize(
    ("columns", "fields"),
    [
        ("First Name,Middle Name,Last Name,Organization Name,Birthday,Labels,E-mail 1 - Value,E-mail 2 - Value,"
         "Phone 1 - Value,"
         "Address 1 - Street,Address 1 - City,Address 1 - Region,Address 1 - Postal Code,Address 1 - Country",
         "first_name,middle_name,last_name,company_name,date_of_birth,tags,email,email_2,phone,address_line1,city,state,"
         "postal_code,country"),
        ("First Name,Last Name,Company,Job Title,Mobile Phone,Home Phone,Business Phone,E-mail Address,Home Street,"
         "Home City,"
         "Home State,Home Postal Code,Home Country/Region",
         "first_name,last_name,company_name,occupation,mobile_phone,home_phone,work_phone,email,address_line1,city,state,"
         "postal_code,country"),
        ("Record ID,First Name,Last Name,Email,Phone Number,Contact Status",
         "external_source_id,first_name,last_name,email,phone,status"),
        ("Nombre,Apellidos,Teléfono,Correo electrónico,Código postal", "first_name,last_name,phone,email,postal_code"),
    ],
)  # fmt: skip
def test_the_headers_of_common_exports_are_understood(columns, fields):
    assert list(suggest_mapping(columns.split(",")).values()) == fields.split(",")


def test_our_own_names_are_understood_and_the_second_column_of_a_field_is_left_out():
    own = [*sorted(FIELDS - {"id"}), "custom_fields.court"]
    assert suggest_mapping(own) == {name: name for name in own}
    assert suggest_mapping(["Email", "E-mail", "Shoe size"]) == {"Email": "email"}


def test_the_firms_own_fields_are_known_by_their_labels_and_keys():
    own = [ClientField(key="shoe_size", label="Shoes"), ClientField(key="referrer", label="Referred by"),
           ClientField(key="town", label="City"), ClientField(key="hat", label="Hat", removed_at=NOW),
           ClientField(key="picture", label="\U0001f3e0")]  # fmt: skip
    assert suggest_mapping(["SHOES", "Shoe size", "Referred by", "City", "Hat", "%"], own_fields=own) == {
        "SHOES": "custom_fields.shoe_size", "Referred by": "custom_fields.referrer", "City": "city",
    }  # fmt: skip


def test_a_mapping_is_checked_by_name():
    with pytest.raises(Invalid) as caught:
        check_mapping({"A": "email", "B": "email", "C": "shoe_size", "D": "phone"}, ["A", "B", "C"])
    assert [entry["field"] for entry in caught.value.fields] == ["mapping.B", "mapping.C", "mapping.D"]
    with pytest.raises(Invalid):
        check_mapping({}, ["A"])
    with pytest.raises(Invalid):
        check_mapping({"A": "custom_fields.Court room"}, ["A"])
    assert check_mapping({"A": "custom_fields.court"}, ["A"]) == {"A": "custom_fields.court"}
