"""The client's pages behind a secure link: /p/{token}, /p, /p/new-link. They work without JavaScript.

Opening a link answers 303 to /p with a signed cookie and writes nothing, so that previews and scanners may open it. The
page has one form for each section of a form on a case (see portal_filling_in.py), and for each other case task

    POST /p   csrf_token, lang (what the page was in), task (the case task's id), answer (none, one or several), save
              (to go on later); of files: see portal_uploads.py

Both answer 303 to /p, or 422 with the page again. Whatever is wrong with a link, the answer is one and the same 410; a
form that meets it comes back with it, to be sent once the link was opened again.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, g, make_response, redirect, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException

from chassis.rpc import RemoteFault
from chassis.telemetry import log_of
from chassis.tokens import hash_token
from contracts.errors import CasewireError, Conflict, DeadlineExceeded, Gone, Invalid, Unavailable
from gateway.oversized_forms import MOST_PARTS
from gateway.portal_filling_in import SeveralAnswers, is_id
from gateway.portal_forms import typed_answer
from gateway.portal_sent_again import sent_form
from gateway.portal_session import OpenLink, PortalSession, session_for
from gateway.portal_uploads import TOO_LARGE, kept_fields, send_files
from gateway.portal_view import GOES_ON, action, language_asked, own_words, page_response, render

portal_pages = Blueprint(
    "portal_pages", __name__, template_folder="templates", static_folder="static/portal", static_url_path="/p/assets"
)

_log = log_of(__name__)


class _NoLink(Exception):
    """This browser holds no link that opens."""


# Opening


@portal_pages.get("/p/<token>")
def open_link(token: str) -> Response:
    """From the message to the page: the token leaves the address bar."""
    token_hash = hash_token(token)
    try:
        opened = g.calls.portal.open_link(token_hash=token_hash)
    except Gone:
        return _gone(token_hash)
    response = see_other(".show")
    own_session().open(response, OpenLink(opened["link_id"], token_hash))
    return response


@portal_pages.get("/p")
def show() -> Response:
    """The page. `done` is the case task that was just answered, `saved` one that was kept for later, `change` one whose
    answer is to be changed."""
    told = {name: request.args.get(name) for name in ("done", "saved")}
    return _show(held_link(), reopened=request.args.get("change"), **told)


@portal_pages.post("/p")
def answer() -> Response:
    """Takes the answers of a form, or keeps what there is of them for later."""
    link = held_link()
    if TOO_LARGE in request.environ:
        return _show(link, typed=_typed(request.environ[TOO_LARGE]), too_large=True, status=413)
    request.max_form_parts = MOST_PARTS
    if "section" in request.form:
        return _fill_in(link)
    case_task_id, typed = request.form.get("task", ""), typed_answer(request.form)
    later = "save" in request.form
    if not (own_session().is_own_form(link, request.form.get("csrf_token")) and is_id(case_task_id)):
        return _show(link, typed={case_task_id: typed}, stale=True, status=400)
    sent = [file for file in request.files.getlist("file") if file.filename]
    try:
        typed, unfit = send_files(link.link_id, case_task_id, typed, sent)
        sent = []
        if unfit is not None:
            raise unfit
        if later:
            g.calls.portal.save_draft(link_id=link.link_id, case_task_id=case_task_id, draft=typed)
        else:
            g.calls.portal.submit_answers(link_id=link.link_id, answers={case_task_id: typed})
    except Invalid as refused:
        return _show(link, typed={case_task_id: typed}, refused={case_task_id: refused}, status=422)
    except Conflict:
        # Closed by somebody else meanwhile: the page says how things are.
        return see_other(".show")
    except (Unavailable, DeadlineExceeded, RemoteFault) as error:
        return trouble(error, kept=None if sent else _fields_again(link, typed), unsent=bool(sent))
    # To the question that is next, which on a long page is far from the top.
    return see_other(".show", _anchor=GOES_ON, **{"saved" if later else "done": case_task_id})


def _fill_in(link: OpenLink) -> Response:
    """Takes a form of several questions."""
    form = SeveralAnswers(request.form, request.files)
    if not (own_session().is_own_form(link, request.form.get("csrf_token")) and form.is_whole):
        return _show(link, typed=form.typed, stale=True, status=400)
    try:
        refused, waiting = form.send(link.link_id)
    except (Unavailable, DeadlineExceeded, RemoteFault) as error:
        kept = [("csrf_token", own_session().form_token(link)), *form.fields_again()]
        return trouble(error, kept=kept, unsent=bool(form.unsent))
    if refused:
        typed = {id_: form.typed[id_] for id_ in (*refused, *waiting)}
        return _show(link, typed=typed, refused=refused, status=422)
    if form.change is not None:
        return see_other(".show", _anchor=f"task-{form.change}", change=form.change)
    return see_other(".show", _anchor=GOES_ON, **{"saved" if form.later else "done": form.ids[0]})


@portal_pages.post("/p/new-link")
def ask_for_new_link() -> Response:
    """Asks for a new link; the answer never says whether there was one."""
    token_hash = own_session().asks_for(request)
    if token_hash is not None:
        g.calls.portal.request_new_link(token_hash=token_hash)
    return see_other(".asked")


@portal_pages.get("/p/new-link")
def asked() -> Response:
    """What comes next, after a new link was asked for."""
    return render("portal/asked.html", own_words())


# What every answer has in common


@portal_pages.after_request
def protect(response: Response) -> Response:
    """Sets the headers that keep a page private and its content its own."""
    headers = response.headers
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "no-referrer"
    if request.endpoint == "portal_pages.static":
        if response.status_code == 200:
            headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response
    headers["Cache-Control"] = "no-store"
    headers["X-Frame-Options"] = "DENY"
    headers["X-Robots-Tag"] = "noindex, nofollow"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()"
    headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'self' {g.get('portal_style_hash', '')}; img-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
    return response


@portal_pages.errorhandler(_NoLink)
def _no_link(error: _NoLink) -> Response:
    return _gone(None)


@portal_pages.errorhandler(Gone)
def _link_ended(error: Gone) -> Response:
    link = own_session().opened(request)
    return _gone(link.token_hash if link else None)


@portal_pages.errorhandler(CasewireError)
@portal_pages.errorhandler(RemoteFault)
def _service_failed(error: Exception) -> Response:
    sent = sent_form(own_session())
    return trouble(error, sent.fields, sent.unsent, sent.action) if sent else trouble(error)


@portal_pages.errorhandler(HTTPException)
def _http_error(error: HTTPException) -> Response:
    response = render("portal/trouble.html", own_words(), action=action(), kept=None, status=error.code or 500)
    response.headers.extend((name, value) for name, value in error.get_headers() if name in ("Allow", "Retry-After"))
    return response


def _gone(token_hash: str | None) -> Response:
    """The one calm page for a link that is wrong, expired or revoked, or that this browser does not hold."""
    ask_at = url_for(".ask_for_new_link", **language_asked(or_sent=True))
    response = render("portal/gone.html", own_words(), status=410, ask_at=ask_at, sent=sent_form(own_session()))
    if token_hash is not None:
        own_session().remember_to_ask(response, token_hash)
    return response


def trouble(
    error: Exception, kept: list[tuple[str, str]] | None = None, unsent: bool = False, again_at: str | None = None
) -> Response:
    """The page for what is not to be had just now. `kept`: the fields of a form, to be sent again (to `again_at`, else
    to /p); `unsent`: it had files, which nobody can keep for it: what else it held is saved then, and the files are
    chosen anew."""
    code = error.code if isinstance(error, CasewireError) else "remote_fault"
    _log.warning("portal_page_failed", code=code)
    response = render(
        "portal/trouble.html",
        own_words(),
        status=503,
        action=action(),
        again_at=again_at or action(),
        kept=kept,
        unsent=unsent,
    )
    response.headers["Retry-After"] = "5"
    return response


def see_other(endpoint: str, **values: Any) -> Response:
    """To another page, in the language that this browser chose."""
    return make_response(redirect(url_for(endpoint, **values, **language_asked()), 303))


def _typed(form: MultiDict[str, str]) -> dict[str, Any]:
    """What a form held that was too large, by case task."""
    if "section" in form:
        return SeveralAnswers(form, MultiDict()).typed
    return {form["task"]: typed_answer(form)} if "task" in form else {}


def _fields_again(link: OpenLink, typed: Any) -> list[tuple[str, str]]:
    """The fields of the form, with the files that were taken by their ids."""
    named = [(name, request.form[name]) for name in ("task", "save") if name in request.form]
    return [("csrf_token", own_session().form_token(link)), *named, *kept_fields(typed)]


def _show(link: OpenLink, **how: Any) -> Response:
    page = g.calls.portal.get_page(link_id=link.link_id)
    return page_response(page, own_session().form_token(link), **how)


def held_link() -> OpenLink:
    """The link that this browser opened. Raises what is answered by the one calm page."""
    link = own_session().opened(request)
    if link is None:
        raise _NoLink
    return link


def own_session() -> PortalSession:
    """What signs and reads the cookies and forms of these pages."""
    settings = current_app.config["CASEWIRE"]
    return session_for(settings.secret_key, settings.public_url)
