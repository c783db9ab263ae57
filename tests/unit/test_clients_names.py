"""clients: the words about a person, and what the search box looks for."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chassis.words import UnfitText, bare_words, clean_text
from services.clients.matching import search_terms
from services.clients.names import display_name, name_key, sort_name

PERSIAN = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
"""A word that is written with a zero-width joiner."""


@pytest.mark.parametrize(
    ("given_text", "kept"),
    [
        ("  Ann \u00a0 Lee\t", "Ann Lee"), ("Jose\u0301", "José"), ("   ", None), ("", None), ("שרה", "שרה"),
        (PERSIAN, PERSIAN), ("O'Brien-Näf", "O'Brien-Näf"), ("😀 Ann", "😀 Ann"),
    ],
)  # fmt: skip
def test_text_is_kept_tidy(given_text, kept):
    assert clean_text(given_text) == kept


@pytest.mark.parametrize(
    "text", ["A\u200bnn", "Ann\u202e", "\u2066Ann", "A\x00nn", "A\x1bnn", "\ufeffAnn", "A\u200dnn", "\ud800"]
)
def test_control_and_invisible_characters_are_refused(text):
    with pytest.raises(UnfitText):
        clean_text(text)


def test_a_text_of_lines_may_hold_pictures_that_are_written_with_joiners():
    judge = "\U0001f469\u200d\u2696\ufe0f"
    assert clean_text(f" The judge {judge}\nsaid no ", lines=True) == f"The judge {judge}\nsaid no"
    with pytest.raises(UnfitText):
        clean_text(f"Ann {judge}")
    with pytest.raises(UnfitText):
        clean_text("Ann\u202e", lines=True)


@given(st.text(max_size=30))
def test_what_is_kept_stays_as_it_is_and_can_be_stored(text):
    try:
        kept = clean_text(text)
    except UnfitText:
        assume(False)
    if kept is not None:
        assert clean_text(kept) == kept
        kept.encode()


@pytest.mark.parametrize(
    ("text", "folded"),
    [("Müller-O'Neil", "muller oneil"), ("ŁUKASZ", "lukasz"), ("Straße", "strasse"), ("  A.B.  ", "a b"), ("!!", "")],
)
def test_folding_forgives_case_accents_and_punctuation(text, folded):
    assert bare_words(text) == folded


def test_how_clients_are_called_and_ordered():
    ann = {"kind": "individual", "first_name": "Ann", "last_name": "Lee", "company_name": "Acme"}
    assert (display_name(ann), sort_name(ann), name_key(ann)) == ("Ann Lee", "lee ann", "ann lee")
    acme = {**ann, "kind": "business"}
    assert (display_name(acme), sort_name(acme)) == ("Acme", "acme")
    assert display_name({"kind": "individual", "first_name": "Ann", "last_name": None}) == "Ann"
    assert name_key({**ann, "first_name": "Lee", "last_name": "Ann"}) == name_key(ann)


@pytest.mark.parametrize(
    ("q", "terms"),
    [
        ("Müller ann", ["muller", "ann"]), ("(212) 555-0123", ["12125550123"]), ("+1 212 555 0123", ["12125550123"]),
        ("555-0123", ["5550123"]), ("020 7946", ["207946"]), ("Ann@Example.com", ["ann@example.com"]), ("!!", []),
        ("12", ["12"]), ("o'neil", ["oneil"]),
    ],
)  # fmt: skip
def test_what_is_typed_becomes_what_is_looked_for(q, terms):
    assert search_terms(q) == terms
