"""clients: phone numbers, email addresses, and which one is primary."""

from __future__ import annotations

import phonenumbers
import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given, settings
from hypothesis import strategies as st

from services.clients.addresses import (
    UnfitAddress,
    normalise_emails,
    normalise_phones,
    normalise_postal,
    parse_email,
    parse_phone,
    sms_number,
    with_new_primary,
    without_primary,
)
from tests.examples import examples

AREA_CODES = st.sampled_from([202, 212, 305, 312, 404, 415, 512, 602, 702, 808, 907])
FORMS = (
    "({0}) {1}-{2}",
    "{0}-{1}-{2}",
    "{0}.{1}.{2}",
    "+1{0}{1}{2}",
    "1 {0} {1} {2}",
    "+1 ({0}) {1} {2}",
    " {0}{1}{2} ",
)


@given(AREA_CODES, st.integers(100, 199), st.sampled_from(FORMS))
def test_a_number_is_one_and_the_same_in_any_common_form(area, line, form):
    assert parse_phone(form.format(area, 555, f"0{line}")) == (f"+1{area}5550{line}", "mobile")


def by_the_library(number: str, country: str) -> tuple[str, object] | None:
    try:
        parsed = phonenumbers.parse(number, country)
    except phonenumbers.NumberParseException:
        return None
    kind = phonenumbers.number_type(parsed)
    if parsed.extension or kind == phonenumbers.PhoneNumberType.UNKNOWN:
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164), kind


KINDS = {
    **dict.fromkeys((phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE), "mobile"),
    **dict.fromkeys((phonenumbers.PhoneNumberType.FIXED_LINE, phonenumbers.PhoneNumberType.PERSONAL_NUMBER), "home"),
}  # fmt: skip


@settings(max_examples=examples(300), deadline=None)
@given(
    st.from_regex(r"(\+1|1|\+11)?[ .-]?1?[ .-]?\(?[0-9]{3}\)?[ .-]?[0-9]{3}[ .-]?[0-9]{4}", fullmatch=True),
    st.sampled_from(["US", "CA", "JM", "GB"]),
)
def test_numbers_of_north_america_are_read_as_the_library_reads_them(number, country):
    expected = by_the_library(number, country)
    try:
        found = parse_phone(number, country)
    except UnfitAddress:
        assert expected is None
    else:
        assert expected is not None
        assert found == (expected[0], KINDS.get(expected[1], "work"))


ATOM = st.text("aZ0_+-.'!", max_size=12)


@settings(max_examples=examples(150), deadline=None)
@given(ATOM, st.sampled_from(["example.com", "EXAMPLE.com", "exa_mple.com", "münchen.de", "localhost", "a.test", ""]))
def test_email_addresses_are_read_as_the_library_reads_them(local, domain):
    address = f"{local}@{domain}"
    try:
        expected = validate_email(address, check_deliverability=False).normalized
    except EmailNotValidError:
        with pytest.raises(UnfitAddress):
            parse_email(address)
    else:
        assert parse_email(address) == expected


@given(st.text("0123456789+-() x", max_size=20) | st.text(max_size=20))
def test_whatever_is_accepted_is_a_valid_number_and_reads_as_itself(text):
    try:
        number, kind = parse_phone(text)
    except UnfitAddress:
        return
    assert phonenumbers.is_valid_number(phonenumbers.parse(number))
    assert parse_phone(number) == (number, kind)


@pytest.mark.parametrize(
    ("number", "country", "read"),
    [
        ("020 7946 0958", "GB", ("+442079460958", "home")),
        ("07400 123456", "GB", ("+447400123456", "mobile")),
        ("800 555 0123", "US", ("+18005550123", "work")),
        ("+52 55 5555 0123", "US", ("+525555550123", "mobile")),
    ],
)
def test_an_unstated_kind_comes_from_the_numbers_range(number, country, read):
    assert parse_phone(number, country) == read


@pytest.mark.parametrize("number", ["", "555", "abc", "+1 555 555 0123", "123456789012345678", "0"])
def test_what_is_no_number_is_refused(number):
    with pytest.raises(UnfitAddress, match="number") as caught:
        parse_phone(number)
    assert caught.value.code == "invalid_phone"


def test_an_extension_is_not_lost_silently():
    with pytest.raises(UnfitAddress) as caught:
        parse_phone("+1 212 555 0123 ext. 5")
    assert caught.value.code == "phone_extension"


def test_an_email_address_keeps_its_local_part_and_loses_case_in_its_domain():
    assert parse_email(" Ann.Lee@EXAMPLE.Org ") == "Ann.Lee@example.org"


@pytest.mark.parametrize("address", ["", "ann", "ann@", "@example.com", "a b@example.com", "ann@localhost", "a@b..com"])
def test_what_is_no_email_address_is_refused(address):
    with pytest.raises(UnfitAddress):
        parse_email(address)


NUMBERS = st.lists(
    st.fixed_dictionaries(
        {"number": st.integers(100, 199).map(lambda line: f"+12125550{line}"), "primary": st.booleans()}
    ),
    max_size=6,
)


@given(NUMBERS)
def test_there_is_exactly_one_primary_if_there_is_any_number(given_numbers):
    entries, problems = normalise_phones(given_numbers, "US")
    assert sum(entry["primary"] for entry in entries) == (1 if entries else 0)
    assert len({entry["number"] for entry in entries}) == len(entries)
    asked = [entry["number"] for entry in given_numbers if entry["primary"]]
    if len(asked) == 1 and not problems:
        assert next(entry["number"] for entry in entries if entry["primary"]) == asked[0]
    if len(asked) > 1:
        assert "two_primaries" in {code for _, code, _ in problems}


def test_problems_name_the_entry():
    _, problems = normalise_phones([{"number": "+12125550123"}, {"number": "555"}, {"number": "212 555 0123"}], "US")
    assert [(path, code) for path, code, _ in problems] == [
        ("phones.1.number", "invalid_phone"), ("phones.2.number", "given_twice"),
    ]  # fmt: skip
    _, problems = normalise_emails([{"address": "a@example.com"}, {"address": "A@EXAMPLE.com"}])
    assert [(path, code) for path, code, _ in problems] == [("emails.1.address", "given_twice")]


def phones(*kinds: str) -> list[dict]:
    return [{"number": f"+1212555010{place}", "kind": kind.rstrip("*"), "primary": "*" in kind}
            for place, kind in enumerate(kinds)]  # fmt: skip


@pytest.mark.parametrize(
    ("kinds", "place"),
    [
        (("home", "mobile*"), 1), (("mobile", "mobile*"), 1), (("home*", "mobile", "mobile"), 1),
        (("home*", "work"), None), ((), None),
    ],
)  # fmt: skip
def test_a_text_goes_to_the_primary_if_it_is_a_mobile_else_to_the_first_mobile(kinds, place):
    assert sms_number(phones(*kinds)) == (None if place is None else f"+1212555010{place}")


def test_without_its_primary_the_next_becomes_primary():
    assert [entry["primary"] for entry in without_primary(phones("home", "mobile*", "work"))] == [True, False]
    assert without_primary(phones("mobile*")) == []
    assert without_primary([]) == []


def test_a_new_primary_comes_first_and_a_known_number_keeps_its_kind():
    new = {"number": "+12125550199", "kind": "mobile"}
    assert with_new_primary(phones("home*"), new, "number")[0] == {**new, "primary": True}
    known = with_new_primary(phones("home*", "work"), {"number": "+12125550101", "kind": "mobile"}, "number")
    assert [(entry["number"][-1], entry["kind"], entry["primary"]) for entry in known] == [
        ("1", "work", True), ("0", "home", False),
    ]  # fmt: skip


def test_a_postal_address_holds_some_text_and_only_one_is_primary():
    given_addresses = [
        {"kind": "primary", "city": "Reno"},
        {"kind": "primary", "line1": "1 Main St"},
        {"kind": "billing"},
    ]
    _, problems = normalise_postal(given_addresses)
    assert [(path, code) for path, code, _ in problems] == [
        ("addresses.2.line1", "required"), ("addresses.1.kind", "two_primaries"),
    ]  # fmt: skip
