"""Words as people write them: what text is accepted, and the bare form in which it is looked for and compared.

Bare words are lower-case, without accents and punctuation: `Müller-O'Neil` becomes `muller oneil`. (What filters
compare is `chassis.texts`.)
"""

from __future__ import annotations

import functools
import re
import unicodedata

# Letters that Unicode does not decompose into a base letter and a mark.
_BASE_LETTERS = str.maketrans(
    {
        "ł": "l",
        "ø": "o",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "æ": "ae",
        "œ": "oe",
        "\u0131": "i",
        "ħ": "h",
        "ŧ": "t",
        "ŋ": "n",
    }
)
_APOSTROPHES = re.compile("['`\u2018\u2019\u02bc\u00b4]")
_SEPARATORS = re.compile(r"[\W_]+")
_JOINERS = "\u200c\u200d"
_FIRST_JOINED_SCRIPT = 0x0590
"""Persian, Urdu and the scripts of India write with the joiners; scripts before this code point do not."""


class UnfitText(ValueError):
    """Text that is refused. The message says why and can be shown."""


def clean_text(value: str, *, lines: bool = False) -> str | None:
    """Text without outer white space, in Unicode's NFC form, inner runs of spaces as one; None if nothing is left.

    With `lines`, line ends and tabs inside are kept, and the joiners that pictures of several people are written with.
    Raises `UnfitText` on control characters and on invisible ones (zero width, text direction), which make two names
    look alike or one name read as another.
    """
    if value.isascii() and value.isprintable():
        # Nearly all that is written; what follows would leave it the same.
        return (value.strip() if lines else " ".join(value.split())) or None
    text = unicodedata.normalize("NFC", value).strip()
    if lines:
        text = text.replace("\r\n", "\n")
    for position, character in enumerate(text):
        if character.isprintable() or (lines and character in "\n\t"):
            continue
        category = unicodedata.category(character)
        if category in ("Zs", "Zl", "Zp") or character in "\t\n\r":
            continue
        if category == "Cf" and character in _JOINERS and (lines or _joins(text, position)):
            continue
        if category in ("Cc", "Cs", "Cf"):
            raise UnfitText("Holds control or invisible characters.")
    return (text if lines else " ".join(text.split())) or None


def _joins(text: str, position: int) -> bool:
    """Whether a zero-width joiner stands between two letters of a script that is written with it."""
    around = text[position - 1 : position] + text[position + 1 : position + 2]
    return len(around) == 2 and all(
        ord(character) >= _FIRST_JOINED_SCRIPT and unicodedata.category(character)[0] in "LM" for character in around
    )


def strip_accents(text: str) -> str:
    """Lower-case text with base letters in place of accented ones."""
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", text.casefold().translate(_BASE_LETTERS))
    return "".join(character for character in apart if not unicodedata.combining(character))


@functools.lru_cache(maxsize=4096)
def bare_words(text: str) -> str:
    """The folded form: words of lower-case letters and digits without accents, one space apart."""
    if text.isascii() and text.replace(" ", "").isalnum():
        return " ".join(text.lower().split())
    return _SEPARATORS.sub(" ", _APOSTROPHES.sub("", strip_accents(text))).strip()


def bare_number(number: str) -> str:
    """What two ways to write a number have in common: letters and digits only: `123-45-6789` is `123456789`."""
    return "".join(character for character in strip_accents(number) if character.isalnum())
