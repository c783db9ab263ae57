"""What a form of the client's pages held, to be sent once more where it could not be taken: no link is open any
more, or a service is away. Nothing is kept here; the browser gets back what it sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flask import request, url_for
from werkzeug.datastructures import MultiDict

from gateway.portal_filling_in import Fields, is_id
from gateway.portal_session import PortalSession
from gateway.portal_uploads import TOO_LARGE, sent_fields
from gateway.portal_view import language_asked

_WRITTEN = ("answer", "signed_name", "body")
_CHOSEN = ("yes", "no")


@dataclass(frozen=True)
class SentForm:
    """A form as it came. `fields` say the same once more, to `action`; None where that cannot be: it was all files.
    `texts`: what the client wrote, to be read; `unsent`: it had files, which nobody can keep for it."""

    action: str
    fields: Fields | None
    texts: list[str]
    unsent: bool


def sent_form(session: PortalSession) -> SentForm | None:
    """The form of this request. None if there is none, or none of ours: another site must not put its words on our
    pages."""
    if request.method != "POST" or request.endpoint is None:
        return None
    form = sent_fields()
    if form is None or not session.was_own_form(form.get("csrf_token")):
        return None
    unsent = TOO_LARGE in request.environ or any(file.filename for file in request.files.values())
    # The page that hands it back says itself which language it is in.
    fields = [(name, value) for name, value in form.items(multi=True) if name != "lang"]
    if unsent and "save" not in form:
        # Saved, and not sent: what is sent without its files would be an answer without them.
        fields.append(("save", "later"))
    again = None if unsent and "section" not in form else fields
    return SentForm(url_for(request.endpoint, **language_asked()), again, list(_texts(form)), unsent)


def _texts(form: MultiDict[str, str]) -> Iterator[str]:
    for name, value in form.items(multi=True):
        if name.partition("-")[0] in _WRITTEN and value.strip() and value not in _CHOSEN and not is_id(value):
            yield value.strip()
