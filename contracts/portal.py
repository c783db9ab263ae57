"""portal: secure links, and what a client sees and does behind them.

A link's token is made by whoever sends the link and never crosses the bus: only its SHA-256 does.
"""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from contracts.base import Choice, Empty, Event, Id, Instant, Operation, Stamped, Text, ids
from contracts.erasing import ErasureReported, a_report
from contracts.errors import Conflict, Forbidden, Gone, Invalid, NotFound, Unavailable
from contracts.exporting import export_operation
from contracts.tasks import (
    MOST_FILES,
    MOST_FORM_TASKS,
    AttachedFiles,
    CaseTask,
    KnownAnswer,
    SectionProgress,
    TaskFile,
    Upload,
)

OWNER = "portal"
MOST_LINK_CASES = 200
"""That a link to open tasks may be limited to."""
_HASH = validate.Regexp(r"^[0-9a-f]{64}$", error="Not a SHA-256 in hex.")


class LinkScope(Schema):
    """What a link opens: one case task, one form on a case, or the open tasks of one client (all cases or the named
    ones)."""

    kind = Choice("task", "form", "tasks", required=True)
    case_task_id = Id(load_default=None, allow_none=True)
    case_form_id = Id(load_default=None, allow_none=True)
    case_ids = ids(MOST_LINK_CASES, load_default=list)


class RegisterLink(Schema):
    """`delivery_id` ties a link to the message that carries it: a later link of the same delivery replaces it.
    `contact_id`: a contact of the business `client_id`, who alone holds the link, for as long as they may use the
    portal for it."""

    token_hash = fields.String(required=True, validate=_HASH)
    client_id = Id(required=True)
    contact_id = Id(load_default=None, allow_none=True)
    scope = fields.Nested(LinkScope, required=True)
    channel = Choice("sms", "email", "copy", load_default="copy")
    delivery_id = Id(load_default=None, allow_none=True)
    expires_at = Instant(load_default=None, allow_none=True)


class RegisterLinks(Schema):
    links = fields.List(fields.Nested(RegisterLink), required=True, validate=validate.Length(min=1, max=1000))


class RegisteredLink(Schema):
    link_id = Id()
    token_hash = fields.String()
    expires_at = Instant()


class RegisteredLinks(Schema):
    """In the order that was asked for."""

    links = fields.List(fields.Nested(RegisteredLink))


class LinkId(Schema):
    link_id = Id(required=True)


class Link(Stamped):
    client_id = Id()
    contact_id = Id(allow_none=True)
    scope = fields.Nested(LinkScope)
    channel = fields.String()
    expires_at = Instant()
    revoked_at = Instant(allow_none=True)
    last_used_at = Instant(allow_none=True)


class OpenLink(Schema):
    token_hash = fields.String(required=True, validate=_HASH)


class OpenedLink(Schema):
    """What the signed cookie is bound to."""

    link_id = Id()
    firm_id = Id()


class PageBranding(Schema):
    """`time_zone`: the firm's, in which days end."""

    firm_name = fields.String()
    color = fields.String(allow_none=True)
    locale = fields.String()
    time_zone = fields.String()


class PortalPage(Schema):
    """What the page behind a link shows. `language` is the client's if the pages speak it, else the firm's. `progress`:
    how far the cases are whose open tasks it shows; nothing for a link to one task. `files`: those of answers, and what
    this client has uploaded for the next one. `known`: what the fields of open tasks begin with that ask for it."""

    link_id = Id()
    branding = fields.Nested(PageBranding)
    language = fields.String()
    first_name = fields.String(allow_none=True)
    case_tasks = fields.List(fields.Nested(CaseTask))
    progress = fields.List(fields.Nested(SectionProgress))
    files = fields.List(fields.Nested(TaskFile))
    known = fields.List(fields.Nested(KnownAnswer))


class AttachOwnFiles(LinkId):
    """Files for an answer to a case task of the page; the answer then names them by their ids."""

    case_task_id = Id(required=True)
    uploads = fields.List(fields.Nested(Upload), required=True, validate=validate.Length(min=1, max=MOST_FILES))


class SubmitAnswers(LinkId):
    """`answers`: {case task id: answer}, null or "" for a blank one."""

    answers = fields.Dict(keys=Id(), values=fields.Raw(allow_none=True), required=True, validate=validate.Length(min=1))


class SaveDraft(LinkId):
    """What was filled in so far of one case task of the page."""

    case_task_id = Id(required=True)
    draft = fields.Raw(load_default=None, allow_none=True)


class FilledInQuestion(Schema):
    """What the fields of one case task held. `answer` null or "" is blank; `touched` false: it is what the page showed
    in them."""

    case_task_id = Id(required=True)
    answer = fields.Raw(required=True, allow_none=True)
    touched = fields.Boolean(load_default=True)


class FillIn(LinkId):
    """Several questions of the page that stand in one form, sent together. `later`: to be kept as drafts, not sent.
    `finished` false: something else of the form was refused already, so that what was left blank is not sent yet."""

    questions = fields.List(
        fields.Nested(FilledInQuestion), required=True, validate=validate.Length(min=1, max=MOST_FORM_TASKS)
    )
    later = fields.Boolean(load_default=False)
    finished = fields.Boolean(load_default=True)


class RefusedAnswer(Schema):
    """`code` and `limits` say why, as tasks does; `answer_not_saved`: an answer that was given is changed by sending,
    not by saving."""

    case_task_id = Id()
    code = fields.String()
    limits = fields.Dict(keys=fields.String(), values=fields.String())


class FilledIn(Schema):
    """`refused`: those that are still asked and could not be taken. `waiting`: case tasks whose fields were not handed
    on: left blank while something else was refused, or of a kind that has no draft."""

    refused = fields.List(fields.Nested(RefusedAnswer))
    waiting = fields.List(Id())


class OwnPreferences(Schema):
    """What the client wants on each channel: null if nothing was ever said."""

    sms = Choice("opted_in", "opted_out", allow_none=True)
    email = Choice("opted_in", "opted_out", allow_none=True)
    phone = Choice("opted_in", "opted_out", allow_none=True)


class ContactPage(Schema):
    """What the page for writing to the firm shows. `channels`: those that the client has an address on."""

    link_id = Id()
    branding = fields.Nested(PageBranding)
    language = fields.String()
    first_name = fields.String(allow_none=True)
    channels = fields.List(fields.String())
    preferences = fields.Nested(OwnPreferences)


class WriteMessage(LinkId):
    """`once`: the form's own id, so that a form sent twice is one message."""

    body = Text(longest=5000, shortest=1, required=True)
    once = Text(longest=60, shortest=8, required=True)


class SetOwnPreferences(LinkId):
    """Only the channels that are named change."""

    sms = Choice("opted_in", "opted_out")
    email = Choice("opted_in", "opted_out")
    phone = Choice("opted_in", "opted_out")


class LinkRevoked(Schema):
    link_id = Id(required=True)
    client_id = Id(required=True)


class LinkUsed(Schema):
    """For the first time something came in through a link: an answer, a message, a preference. That it was opened
    nobody can tell: previews and scanners open links too, and nothing is written then."""

    link_id = Id(required=True)
    client_id = Id(required=True)
    contact_id = Id(required=True, allow_none=True)
    case_task_id = Id(required=True, allow_none=True)
    channel = fields.String(required=True)


class LinkRequested(Schema):
    """A client asked for a new link; messaging sends it to the address on file, through consent like all else.
    `case_form_id`: of a link to a form; `case_ids`: of a link to what is open in these cases alone. Both are missing
    from older events."""

    link_id = Id(required=True)
    client_id = Id(required=True)
    contact_id = Id(allow_none=True)
    case_task_id = Id(required=True, allow_none=True)
    case_form_id = Id(allow_none=True)
    case_ids = ids(MOST_LINK_CASES)
    channel = fields.String(required=True)


_ID = "018f4e9a-0000-7000-8000-000000000050"
_REGISTER = {"token_hash": "0" * 64, "client_id": _ID, "scope": {"kind": "task", "case_task_id": _ID}}

REGISTER_LINKS = Operation(
    OWNER, "register_links", RegisterLinks, RegisteredLinks, (Invalid, Unavailable), permission="links.write",
    deadline=10.0, repeatable=True, example={"links": [_REGISTER]},
)  # fmt: skip
CREATE_LINK = Operation(
    OWNER, "create_link", RegisterLink, RegisteredLink, (Invalid, Forbidden, NotFound, Gone, Unavailable),
    permission="links.write", example=_REGISTER,
)  # fmt: skip
GET_LINK = Operation(
    OWNER, "get_link", LinkId, Link, (NotFound, Unavailable), permission="links.read", example={"link_id": _ID}
)
REVOKE_LINK = Operation(
    OWNER, "revoke_link", LinkId, Link, (NotFound, Unavailable), permission="links.write", example={"link_id": _ID}
)
OPEN_LINK = Operation(
    OWNER, "open_link", OpenLink, OpenedLink, (Gone,), firm=False, repeatable=True, example={"token_hash": "0" * 64}
)
GET_PAGE = Operation(
    OWNER, "get_page", LinkId, PortalPage, (Gone, Unavailable), firm=False, deadline=10.0, example={"link_id": _ID}
)
SUBMIT_ANSWERS = Operation(
    OWNER, "submit_answers", SubmitAnswers, PortalPage, (Gone, Invalid, Conflict, Unavailable), firm=False,
    deadline=10.0, example={"link_id": _ID, "answers": {_ID: "yes"}},
)  # fmt: skip
SAVE_DRAFT = Operation(
    OWNER, "save_draft", SaveDraft, PortalPage, (Gone, Invalid, Conflict, Unavailable), firm=False, deadline=10.0,
    example={"link_id": _ID, "case_task_id": _ID, "draft": "It was raining, and"},
)  # fmt: skip
FILL_IN = Operation(
    OWNER, "fill_in", FillIn, FilledIn, (Gone, Invalid, Unavailable), firm=False, deadline=30.0,
    example={"link_id": _ID, "questions": [{"case_task_id": _ID, "answer": "yes"}]},
)  # fmt: skip
ATTACH_OWN_FILES = Operation(
    OWNER, "attach_own_files", AttachOwnFiles, AttachedFiles, (Gone, Invalid, Conflict, Unavailable), firm=False,
    deadline=30.0,
    example={"link_id": _ID, "case_task_id": _ID, "uploads": [{"file_key": f"uploads/{_ID}", "filename": "deed.pdf"}]},
)  # fmt: skip
GET_CONTACT_PAGE = Operation(
    OWNER, "get_contact_page", LinkId, ContactPage, (Gone, Unavailable), firm=False, deadline=10.0,
    example={"link_id": _ID},
)  # fmt: skip
WRITE_MESSAGE = Operation(
    OWNER, "write_message", WriteMessage, Empty, (Gone, Invalid, Unavailable), firm=False, deadline=10.0,
    repeatable=True, example={"link_id": _ID, "body": "When is my hearing?", "once": "0123456789abcdef"},
)  # fmt: skip
SET_OWN_PREFERENCES = Operation(
    OWNER, "set_own_preferences", SetOwnPreferences, ContactPage, (Gone, Invalid, Unavailable), firm=False,
    deadline=10.0, example={"link_id": _ID, "sms": "opted_out"},
)  # fmt: skip
REQUEST_NEW_LINK = Operation(
    OWNER, "request_new_link", OpenLink, Empty, (), firm=False, example={"token_hash": "0" * 64}
)

LINK_USED = Event(
    OWNER, "link.used.v1", LinkUsed,
    example={"link_id": _ID, "client_id": _ID, "contact_id": None, "case_task_id": _ID, "channel": "sms"},
)  # fmt: skip
LINK_REVOKED = Event(OWNER, "link.revoked.v1", LinkRevoked, example={"link_id": _ID, "client_id": _ID})
LINK_REQUESTED = Event(
    OWNER, "link.requested.v1", LinkRequested,
    example={"link_id": _ID, "client_id": _ID, "case_task_id": _ID, "channel": "sms"},
)  # fmt: skip
EXPORT_CLIENT_DATA = export_operation(OWNER)
ERASURE_REPORTED = Event(OWNER, "erasure.reported.v1", ErasureReported, example=a_report(OWNER))
