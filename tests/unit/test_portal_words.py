"""The portal's catalogues are complete, and its colours can be read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from gateway import portal_colors
from gateway.portal_words import LANGUAGES, REFUSALS, words

GATEWAY = Path(portal_colors.__file__).parent
PORTAL_CSS = GATEWAY / "static" / "portal" / "portal.css"
METHODS = [("portal_*.py", "python"), ("templates/portal/**.html", "jinja2.ext:babel_extract")]
KEYWORDS = {"_": None, "say": None, "count": (1, 2)}


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {"en"}))
def test_every_message_is_translated_and_none_is_left_over(language):
    with (GATEWAY / "translations" / f"{language}.po").open("rb") as file:
        catalogue = read_po(file, locale=language)
    said = {message for _, _, message, _, _ in extract_from_dir(GATEWAY, method_map=METHODS, keywords=KEYWORDS)}
    assert len(said) > 50
    assert {message.id for message in catalogue if message.id} == said
    for message in catalogue:
        if message.id:
            ids, texts = ((part,) if isinstance(part, str) else tuple(part) for part in (message.id, message.string))
            assert all(texts)
            for id_, text in zip(ids, texts, strict=True):
                assert set(re.findall(r"%\(\w+\)s", text)) == set(re.findall(r"%\(\w+\)s", id_))


def test_a_refusal_names_its_limit_in_the_language():
    assert words("es").refusal("too_long", {"longest": "40"}) == "Escriba como máximo 40 caracteres."
    assert words("en").refusal("too_late", {"latest": "2026-11-21"}) == "Give a date on or before November 21, 2026."
    assert words("en").refusal("never_heard_of", {}) == words("en").refusal("too_long", {})
    assert "%(" not in "".join(words("es").refusal(code, {}) for code in REFUSALS)


def test_a_due_date_is_the_firms_day():
    assert words("en").day("2020-12-05T03:00:00Z", "America/New_York") == "Fri, Dec 4, 2020"
    assert words("es").day("2020-12-05T03:00:00Z", "Europe/Madrid") == "sáb, 5 dic 2020"


@pytest.mark.parametrize("color", ["#ffff00", "#ffffff", "#000000", "#7f7f7f", "#ff8800", "#24527a", None])
def test_any_color_of_a_firm_can_be_read(color):
    css = portal_colors.theme(color).css
    values = dict(re.findall(r"--([\w-]+):(#[0-9a-f]{6})", css))
    assert portal_colors.contrast(values["on-brand"], values["brand"]) >= 4.5
    assert portal_colors.contrast(values["accent-light"], "#ffffff") >= 4.5
    page = re.search(r"--page: (#[0-9a-f]{6})", PORTAL_CSS.read_text())
    assert page is not None
    assert portal_colors.contrast(values["accent-light"], page[1]) >= 4.5
    assert portal_colors.contrast(values["accent-dark"], portal_colors.DARK) >= 4.5


def test_contrast_is_wcags():
    assert portal_colors.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert portal_colors.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
