"""What is an answer to which kind of question."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import Invalid
from contracts.tasks import QUESTION_KINDS
from services.tasks.answer_checks import Question, check_answer

A_FILE = "018f4e9a-0000-7000-8000-00000000000a"
OPTIONS = ("Red", "Green", "Blue")
SOME_ANSWERS = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=50), st.sampled_from(["yes", "Red"])
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def ask(kind: str, answer: Any, **question: Any) -> Any:
    return check_answer(Question(kind, options=OPTIONS, **question), answer)


@pytest.mark.parametrize(
    ("kind", "given", "kept"),
    [
        ("short_text", "  Ann \t Lee\n", "Ann Lee"),
        ("short_text", "Zoe\u0308", "Zoë"),
        ("long_text", "one\r\ntwo ", "one\ntwo"),
        ("number", " 1500.50 ", "1500.50"),
        ("number", 12, "12"),
        ("number", 0.1, "0.1"),
        ("number", 1e-7, "0.0000001"),
        ("number", "-.5", "-0.5"),
        ("number", "007", "7"),
        ("date", "2028-02-29", "2028-02-29"),
        ("yes_no", True, True),
        ("yes_no", "No", False),
        ("one_choice", "Green", "Green"),
        ("several_choices", ["Blue", "Red", "Blue"], ["Red", "Blue"]),
        ("several_choices", "Red", ["Red"]),
        ("phone", "(212) 555-0123", "+12125550123"),
        ("phone", "+44 20 7946 0958", "+442079460958"),
        ("email", " Ann.Lee@EXAMPLE.com ", "Ann.Lee@example.com"),
        ("address", "1 Main St\r\nSpringfield", "1 Main St\nSpringfield"),
        ("address", {"line1": " 1 Main St ", "city": "", "country": "us"}, {"line1": "1 Main St", "country": "US"}),
        ("acknowledgement", True, True),
        ("acknowledgement", "yes", True),
        ("file_upload", A_FILE, [A_FILE]),
        ("file_upload", ["", A_FILE.upper(), A_FILE], [A_FILE]),
        ("signature", {"name": " Ann  Lane ", "agreed": "yes"}, {"name": "Ann Lane", "agreed": True, "file_id": None}),
        (
            "signature",
            {"name": "李明", "agreed": True, "file_id": A_FILE, "signed_at": "2020-01-01T00:00:00Z"},
            {"name": "李明", "agreed": True, "file_id": A_FILE},
        ),
    ],
)
def test_an_answer_is_kept_in_one_form(kind: str, given: Any, kept: Any) -> None:
    answer = ask(kind, given)
    assert answer == kept
    assert type(answer) is type(kept)


@pytest.mark.parametrize(
    ("kind", "given", "code"),
    [
        ("short_text", 5, "invalid_text"),
        ("short_text", ["a"], "invalid_text"),
        ("short_text", "a\x00b", "invalid_text"),
        ("short_text", "a\ud800b", "invalid_text"),
        ("short_text", "a" * 501, "too_long"),
        ("long_text", "a" * 20_001, "too_long"),
        ("number", "1,500", "invalid_number"),
        ("number", "1e999999999", "invalid_number"),
        ("number", "٣", "invalid_number"),
        pytest.param("number", 10**5000, "invalid_number", id="huge"),
        ("number", float("nan"), "invalid_number"),
        ("number", float("inf"), "invalid_number"),
        ("number", 1e300, "invalid_number"),
        ("number", True, "invalid_number"),
        ("number", ".", "invalid_number"),
        ("date", "30.04.2026", "invalid_date"),
        ("date", "2026-02-30", "invalid_date"),
        ("date", "20260430", "invalid_date"),
        ("yes_no", "maybe", "invalid_yes_no"),
        ("yes_no", 1, "invalid_yes_no"),
        ("one_choice", "Yellow", "not_an_option"),
        ("one_choice", ["Red"], "not_an_option"),
        ("several_choices", ["Red", "Yellow"], "not_an_option"),
        ("several_choices", {"Red": True}, "not_an_option"),
        ("phone", "12345", "invalid_phone"),
        ("phone", "call me", "invalid_phone"),
        ("phone", "+1 212 555 0123 ext. 4", "invalid_phone"),
        ("phone", 2125550123, "invalid_phone"),
        ("email", "ann at example", "invalid_email"),
        ("email", "ann@localhost", "invalid_email"),
        ("address", {"city": "Springfield"}, "invalid_address"),
        ("address", {"line1": "1 Main St", "planet": "Earth"}, "invalid_address"),
        ("address", {"line1": "1 Main St", "country": "USA"}, "too_long"),
        ("acknowledgement", False, "not_acknowledged"),
        ("acknowledgement", "no", "not_acknowledged"),
        ("file_upload", "x", "invalid_files"),
        ("file_upload", [A_FILE, 7], "invalid_files"),
        ("file_upload", {"id": A_FILE}, "invalid_files"),
        ("file_upload", [f"018f4e9a-0000-7000-8000-{number:012d}" for number in range(21)], "too_many_files"),
        ("signature", "Ann Lane", "not_signed"),
        ("signature", {"name": "Ann Lane"}, "not_signed"),
        ("signature", {"name": "Ann Lane", "agreed": False}, "not_signed"),
        ("signature", {"name": " ", "agreed": True}, "not_signed"),
        ("signature", {"name": "...", "agreed": True}, "not_signed"),
        ("signature", {"name": "Ann Lane", "agreed": True, "on_behalf_of": "Bea"}, "not_signed"),
        ("signature", {"name": "Ann Lane", "agreed": True, "file_id": "x"}, "invalid_files"),
    ],
)
def test_what_is_no_answer_is_refused_with_a_code_and_a_sentence(kind: str, given: Any, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        ask(kind, given)
    assert refused.value.code == code
    assert [entry["field"] for entry in refused.value.fields] == ["answer"]
    assert refused.value.fields[0]["message"].endswith(".")


@pytest.mark.parametrize(
    ("kind", "checks", "low", "inside", "high"),
    [
        ("number", {"minimum": 0.5, "maximum": 10}, ("0.4", "too_small"), ["0.5", "10"], ("10.01", "too_large")),
        ("short_text", {"min_length": 2, "max_length": 3}, ("a", "too_short"), ["ab", "abc"], ("abcd", "too_long")),
        (
            "date",
            {"earliest": "2026-01-01", "latest": "2026-12-31"},
            ("2025-12-31", "too_early"),
            ["2026-01-01", "2026-12-31"],
            ("2027-01-01", "too_late"),
        ),
        (
            "several_choices",
            {"min_choices": 2, "max_choices": 2},
            (["Red"], "too_few_choices"),
            [["Red", "Green"], ["Red", "Blue"]],
            (["Red", "Green", "Blue"], "too_many_choices"),
        ),
    ],
)
def test_limits_hold_at_their_edges(kind: str, checks: Any, low: Any, inside: Any, high: Any) -> None:
    for answer in inside:
        assert ask(kind, answer, checks=checks) == answer
    for answer, code in (low, high):
        with pytest.raises(Invalid) as refused:
            ask(kind, answer, checks=checks)
        assert refused.value.code == code


def test_a_number_without_a_country_code_is_of_the_country_that_the_question_names() -> None:
    assert ask("phone", "55 5123 4567", checks={"region": "MX"}) == "+525551234567"
    assert ask("phone", "+1 212 555 0123", checks={"region": "MX"}) == "+12125550123"
    with pytest.raises(Invalid, match="invalid_phone"):
        ask("phone", "55 5123 4567")


def test_a_limit_is_told_as_people_write_it() -> None:
    with pytest.raises(Invalid) as refused:
        ask("number", "5", checks={"minimum": 1234567.0})
    assert refused.value.fields[0]["message"] == "Please give a number of at least 1234567."
    assert refused.value.meta == {"minimum": "1234567"}


BLANK = [None, "", " \n", "\u200b \u202e"]
LISTS, PARTS = [[], ["", " "]], [{}, {"line1": ""}]


@pytest.mark.parametrize(
    ("kind", "blank"),
    [
        *((kind, blank) for kind in QUESTION_KINDS for blank in BLANK),
        *((kind, blank) for kind in ("several_choices", "file_upload") for blank in LISTS),
        *(("address", blank) for blank in PARTS),
        *(("signature", blank) for blank in ({}, {"name": " ", "agreed": None})),
    ],
)
def test_a_blank_answer_is_none_unless_one_is_required(kind: str, blank: Any) -> None:
    assert ask(kind, blank) is None
    with pytest.raises(Invalid) as refused:
        ask(kind, blank, required=True)
    assert refused.value.code == "answer_required"


def test_an_option_of_two_lines_can_be_chosen_in_a_browser() -> None:
    of_two_lines = Question("one_choice", options=("Yes,\nI agree", "No"))
    assert check_answer(of_two_lines, "Yes,\r\nI agree") == "Yes,\nI agree"
    several = Question("several_choices", options=of_two_lines.options)
    assert check_answer(several, ["No", "Yes,\r\nI agree"]) == ["Yes,\nI agree", "No"]


@pytest.mark.parametrize("kind", ["phone", "short_text", "number", "one_choice", "yes_no"])
@pytest.mark.parametrize("other", [*LISTS, *PARTS])
def test_nothing_of_another_kind_is_no_blank_answer(kind: str, other: Any) -> None:
    with pytest.raises(Invalid):
        ask(kind, other)


@given(st.sampled_from(QUESTION_KINDS), SOME_ANSWERS)
def test_whatever_is_sent_is_kept_stably_or_refused_without_repeating_it(kind: str, answer: Any) -> None:
    try:
        kept = ask(kind, answer)
    except Invalid as refused:
        meta = refused.meta
    else:
        meta = {}
        assert kept is None or ask(kind, kept) == kept
    assert meta.keys() <= {"longest", "shortest", "minimum", "maximum"}


def test_a_question_may_take_fewer_files() -> None:
    two = ["018f4e9a-0000-7000-8000-000000000001", "018f4e9a-0000-7000-8000-000000000002"]
    assert ask("file_upload", two, checks={"max_files": 2}) == two
    with pytest.raises(Invalid) as refused:
        ask("file_upload", two, checks={"max_files": 1})
    assert (refused.value.code, refused.value.meta) == ("too_many_files", {"most": "1"})
