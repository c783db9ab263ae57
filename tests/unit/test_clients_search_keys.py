"""clients: the keys under which a client is found, and what is typed as a question about keys."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.clients.search.search_keys import Question, is_one_word, keys_of, question

LETTERS = "abcdeé"
WORDS = st.text(LETTERS, min_size=4, max_size=12)


def client(name: str = "", *, company: str | None = None, emails: Any = (), phones: Any = ()) -> dict[str, Any]:
    first, _, last = name.partition(" ")
    return {
        "first_name": first or None, "middle_name": None, "last_name": last or None, "company_name": company,
        "emails": [{"address": address} for address in emails], "phones": [{"number": number} for number in phones],
    }  # fmt: skip


def answers(record: dict[str, Any], q: str, *, forgiving: bool = False) -> bool:
    """What the databases do with a question."""
    asked = question(q, forgiving=forgiving)
    if asked is None:
        return False
    keys = keys_of(record)

    def there(key: tuple[str, bool]) -> bool:
        return any(one.startswith(key[0]) if key[1] else one == key[0] for one in keys)

    numbers = [phone["number"] for phone in record["phones"]]
    return all(any(all(map(there, way)) for way in word) for word in asked.words) and all(
        any(form in number for form in forms for number in numbers) for forms in asked.numbers
    )


ANN = client(
    "Anaïs O'Neil-Müller", company="St. Acme 100% Ltd", emails=["Ana.Oneil+x@Mail.example.com"],
    phones=["+12125550123", "+442079460958"],
)  # fmt: skip


@pytest.mark.parametrize(
    "q",
    [
        "anais", "ANAÏS", "a", "an", "o", "oneil", "O'Neil", "müller", "muller an", "oneil-muller, anais", "ac", "100%",
        "100", "st. acme", "ana.oneil", "ana.oneil+x@mail", "Ana.Oneil+X@Mail.Example.Com", "@mail.example",
        "mail.example.com", "(212) 555-0123", "+1 212 555 0123", "1-212-555-0123", "212.555.0123", "555 0123", "0123",
        "123", "555", "020 7946 0958", "+44 (0)20 7946 0958", "0044 20 7946 0958", "7946", "anais 0123", "0123 oneil",
        "2125550123 müller",
    ],
)  # fmt: skip
def test_what_finds_a_client(q: str) -> None:
    assert answers(ANN, q)


@pytest.mark.parametrize(
    "q",
    ["", " ", "_", "%", "!!", "b", "nais", "annais", "anais smith", "5555555", "2125550124", "99", "@other.example"],
)
def test_what_does_not_find_her(q: str) -> None:
    assert not answers(ANN, q)


def test_parts_of_a_number_are_in_a_row() -> None:
    repeated = client("Bob", phones=["+15555123555"])
    assert question("5555123555") is not None
    assert answers(repeated, "5555123")
    assert not answers(repeated, "5551235551235")
    assert not answers(client("Bob", phones=["+12125555012"]), "5555555")


@pytest.mark.parametrize(
    ("name", "q"),
    [
        ("John Smith", "jonh smith"), ("John Smith", "john smiht"), ("Michael Gonzales", "micheal gonzalez"),
        ("Catherine Lee", "cathrine"), ("Schmidt", "schmitd"), ("Elisabeth", "elizabeth le"),
        ("Zoë Brown", "zoe browne"),
        ("Kathy", "cathy"), ("Jennifer", "jenifer"), ("Ann Phillips", "ann philips"), ("Jon Snow", "jonn"),
    ],
)  # fmt: skip
def test_a_small_typo_is_forgiven(name: str, q: str) -> None:
    record = client(name, emails=["le@example.com"])
    assert not answers(record, q)
    assert answers(record, q, forgiving=True)


def test_a_mistyped_address_finds_by_what_stands_before_the_at() -> None:
    assert answers(client("Bob", emails=["jon.smith@gmail.com"]), "jon.smyth@gmial.com", forgiving=True)


@pytest.mark.parametrize("q", ["10250", "10250 constelation", "102 const", "00250", "123456789"])
def test_digits_that_no_number_holds_are_a_names(q: str) -> None:
    record = client("", company="10250 Constellation 00250 LLC 123456789012", phones=["+12125550123"])
    assert answers(record, q, forgiving=not answers(record, q))


@pytest.mark.parametrize("q", ["(212) 555-0124", "ann", "ab 123", "@gmial.com", "123-4567 99"])
def test_numbers_and_short_words_are_not_forgiven(q: str) -> None:
    assert question(q, forgiving=True) is None


@given(WORDS, st.data())
def test_any_one_error_in_a_word_is_forgiven(word: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(word) - 1))
    letter = data.draw(st.sampled_from(LETTERS))
    kind = data.draw(st.sampled_from(["left out", "added", "wrong", "exchanged"]))
    typed = {
        "left out": word[:place] + word[place + 1 :],
        "added": word[:place] + letter + word[place:],
        "wrong": word[:place] + letter + word[place + 1 :],
        "exchanged": word[:place] + word[place + 1 : place + 2] + word[place] + word[place + 2 :],
    }[kind]
    record = client(word)
    assert answers(record, typed) or len(typed) < 4 or answers(record, typed, forgiving=True)


@given(st.one_of(st.text(max_size=200), st.text("@.+-a1é _'", max_size=20)))
def test_whatever_is_typed_is_a_question_or_none(q: str) -> None:
    for forgiving in (False, True):
        asked = question(q, forgiving=forgiving)
        assert asked is None or (isinstance(asked, Question) and asked.words)
        for key, _ in (key for word in asked.words for way in word for key in way) if asked else ():
            assert key
            assert not set(key) & set("'\"\\: ")


@given(st.text(max_size=120), st.emails())
def test_keys_hold_nothing_that_would_have_to_be_quoted(name: str, email: str) -> None:
    for key in keys_of(client(name, company=name, emails=[email], phones=["+12125550123"])):
        assert key
        assert not set(key) & set("'\"\\: \x00")


@pytest.mark.parametrize(
    ("q", "is_one"),
    [("james", True), ("j", True), ("2125", True), ("212", True), ("5550101", False), ("ann lee", False)],
)
def test_a_word_that_very_many_may_have_is_told_from_what_few_answer_to(q: str, is_one: bool) -> None:
    asked = question(q)
    assert asked is not None
    assert is_one_word(asked) is is_one
    forgiving = question("jonh", forgiving=True)
    assert forgiving is not None
    assert not is_one_word(forgiving)
