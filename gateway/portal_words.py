"""The portal in the client's language: catalogues, dates, and what is said of an answer that was refused.

English is in the templates and here; another language is a catalogue in `translations/<language>.po`.
"""

from __future__ import annotations

import datetime as dt
import functools
import io
import zoneinfo
from collections.abc import Callable, Mapping
from pathlib import Path

from babel.dates import format_date, format_skeleton
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

LANGUAGES = {"en": "English", "es": "Español"}
DEFAULT = "en"
_FOLDER = Path(__file__).parent / "translations"


def _(message: str) -> str:
    """Marks a message for the catalogues; it is translated where it is shown."""
    return message


REFUSALS: dict[str, str] = {
    "answer_required": _("Answer this question, please: it is needed."),
    "too_long": _("Use at most %(longest)s characters."),
    "too_short": _("Use at least %(shortest)s characters."),
    "answer_not_saved": _("An answer that you have sent is changed by sending: it cannot be saved for later."),
    "invalid_text": _("The text holds characters that we cannot keep."),
    "invalid_number": _("Write a number in figures, like 1500 or 1500.50."),
    "too_small": _("Give a number of at least %(minimum)s."),
    "too_large": _("Give a number of at most %(maximum)s."),
    "invalid_date": _("Check the date: day, month and year."),
    "too_early": _("Give a date on or after %(earliest)s."),
    "too_late": _("Give a date on or before %(latest)s."),
    "invalid_yes_no": _("Choose yes or no."),
    "not_acknowledged": _("Tick the box to confirm."),
    "not_an_option": _("Choose one of the options."),
    "too_few_choices": _("Choose at least %(fewest)s."),
    "too_many_choices": _("Choose at most %(most)s."),
    "invalid_phone": _("Check the phone number: it needs its area code, like (212)\u00a0555\u20110123."),
    "invalid_email": _("Check the email address: it looks like name@example.com."),
    "invalid_address": _("Check the address: street and number, city, postal code."),
    "file_empty": _("The file is empty. Send it again, please."),
    "file_too_large": _("A file may have at most %(megabytes)s MB. Send a smaller one, please."),
    "file_type_not_allowed": _("We cannot take this kind of file. We take: %(types)s."),
    "file_damaged": _("The file is damaged and cannot be opened. Send it again, please."),
    "file_encrypted": _("The file is protected by a password. Send it without one, please."),
    "file_not_safe": _("We cannot take this file. Send it as a PDF, please."),
    "file_unpacks_too_large": _("We cannot take this file. Send it as a PDF, please."),
    "file_not_found": _("A file is not here any more. Send it again, please."),
    "too_many_files": _("Send at most %(most)s files."),
    "picture_too_large": _("The picture is too large. Send it in a smaller size, please."),
    "not_a_picture": _("Send the picture as JPEG or PNG, please."),
    "not_signed": _("To sign, write your full name and tick the box."),
    "signature_blank": _("There is no signature to be seen in the picture."),
}
"""What to say to the client, by the code of the service that refused."""

_UNKNOWN_REFUSAL = _("We could not take this answer. Check it, please.")


class Words:
    """One language: `say` translates, `count` picks singular or plural."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._catalogue = _catalogue(language)

    def say(self, message: str, **values: object) -> str:
        """The message in this language, with `%(name)s` filled in."""
        translated = self._catalogue.gettext(message)
        return translated % values if values else translated

    def count(self, one: str, many: str, number: int, **values: object) -> str:
        """The message for a number, which it may show as `%(number)s`."""
        return self._catalogue.ngettext(one, many, number) % {"number": number, **values}

    def refusal(self, code: str, meta: Mapping[str, str]) -> str:
        """Why an answer was refused, as the client is told."""
        values: dict[str, object] = dict(meta)
        for name in ("earliest", "latest"):
            if name in meta:
                values[name] = self.long_date(meta[name])
        try:
            return self.say(REFUSALS.get(code, _UNKNOWN_REFUSAL)) % values
        except KeyError:
            return self.say(_UNKNOWN_REFUSAL)

    def day(self, instant: str, time_zone: str) -> str:
        """The day of an instant (ISO 8601) in a firm's time zone: "Fri, Dec 4", with the year if it is another."""
        zone = zoneinfo.ZoneInfo(time_zone)
        moment = dt.datetime.fromisoformat(instant).astimezone(zone)
        this_year = moment.year == dt.datetime.now(zone).year
        return str(format_skeleton("MMMEd" if this_year else "yMMMEd", moment.date(), locale=self.language))

    def long_date(self, day: str) -> str:
        """An ISO date as people write it."""
        return format_date(dt.date.fromisoformat(day), format="long", locale=self.language)


@functools.cache
def words(language: str) -> Words:
    """The words of a language; of English if we do not speak it."""
    return Words(language if language in LANGUAGES else DEFAULT)


@functools.cache
def _catalogue(language: str) -> NullTranslations:
    path = _FOLDER / f"{language}.po"
    if not path.exists():
        return NullTranslations()
    with path.open("rb") as file:
        catalogue = read_po(file, locale=language, abort_invalid=True)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled)


def best_language(asked: str | None, otherwise: Callable[[], str | None]) -> str:
    """The language that was asked for, if we speak it; else what `otherwise` says; else English."""
    for language in (asked, None if asked in LANGUAGES else otherwise()):
        if language in LANGUAGES:
            return str(language)
    return DEFAULT
