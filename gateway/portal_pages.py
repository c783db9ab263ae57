"""The client's pages behind a secure link: /p/{token}, /p, /p/new-link. They work without JavaScript.

Opening a link answers 303 to /p with a signed cookie and writes nothing, so that previews and scanners may open it. The
page has one form for each case task:

    POST /p   csrf_token, task (the case task's id), answer (none, one or several)

which answers 303 to /p, or 422 with the page again. Whatever is wrong with a link, the answer is one and the same 410.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, current_app, g, make_response, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException

from chassis.rpc import RemoteFault
from chassis.telemetry import log_of
from chassis.tokens import hash_token
from contracts.errors import CasewireError, Conflict, DeadlineExceeded, Gone, Invalid, Unavailable
from gateway.portal_colors import theme
from gateway.portal_forms import question_of, typed_answer
from gateway.portal_session import OpenLink, PortalSession, session_for
from gateway.portal_words import LANGUAGES, Words, best_language, words

Record = dict[str, Any]

portal_pages = Blueprint(
    "portal_pages", __name__, template_folder="templates", static_folder="static/portal", static_url_path="/p/assets"
)

_ASSETS = Path(__file__).parent / "static" / "portal"
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
    response = redirect(url_for(".show", **_language_asked()), 303)
    _session().open(response, OpenLink(opened["link_id"], token_hash))
    return response


@portal_pages.get("/p")
def show() -> Response:
    """The page. `done` is the case task that was just answered, `change` one whose answer is to be changed."""
    link = _link()
    page = _page(link)
    return _page_response(link, page, reopened=request.args.get("change"), thanks="done" in request.args)


@portal_pages.post("/p")
def answer() -> Response:
    """Takes one answer."""
    link = _link()
    case_task_id, typed = request.form.get("task", ""), typed_answer(request.form)
    if not _session().is_own_form(link, request.form.get("csrf_token")):
        return _page_response(link, _page(link), typed={case_task_id: typed}, stale=True, status=400)
    try:
        g.calls.portal.submit_answers(link_id=link.link_id, answers={case_task_id: typed})
    except Invalid as refused:
        if refused.code in ("task_not_in_link", "invalid_input", "invalid_request"):
            return _page_response(link, _page(link), stale=True, status=400)
        return _page_response(link, _page(link), typed={case_task_id: typed}, refused=refused, status=422)
    except Conflict:
        # Closed by somebody else meanwhile: the page says how things are.
        return redirect(url_for(".show", **_language_asked()), 303)
    except Gone:
        raise
    except (Unavailable, DeadlineExceeded, RemoteFault) as error:
        return _trouble(error, kept=[("csrf_token", _session().form_token(link)), *_typed_fields()])
    return redirect(url_for(".show", done=case_task_id, **_language_asked()), 303)


@portal_pages.post("/p/new-link")
def ask_for_new_link() -> Response:
    """Asks for a new link; the answer never says whether there was one."""
    token_hash = _session().asks_for(request)
    if token_hash is not None:
        g.calls.portal.request_new_link(token_hash=token_hash)
    return redirect(url_for(".asked", **_language_asked()), 303)


@portal_pages.get("/p/new-link")
def asked() -> Response:
    """What comes next, after a new link was asked for."""
    return _render("portal/asked.html", _own_words())


# What every answer has in common


@portal_pages.after_request
def _protect(response: Response) -> Response:
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
    link = _session().opened(request)
    return _gone(link.token_hash if link else None)


@portal_pages.errorhandler(CasewireError)
@portal_pages.errorhandler(RemoteFault)
def _service_failed(error: Exception) -> Response:
    return _trouble(error)


@portal_pages.errorhandler(HTTPException)
def _http_error(error: HTTPException) -> Response:
    response = _render("portal/trouble.html", _own_words(), action=_action(), kept=None, status=error.code or 500)
    response.headers.extend((name, value) for name, value in error.get_headers() if name in ("Allow", "Retry-After"))
    return response


def _gone(token_hash: str | None) -> Response:
    """The one calm page for a link that is wrong, expired or revoked, or that this browser does not hold."""
    response = _render(
        "portal/gone.html", _own_words(), status=410, action=url_for(".ask_for_new_link", **_language_asked())
    )
    if token_hash is not None:
        _session().remember_to_ask(response, token_hash)
    return response


def _trouble(error: Exception, kept: list[tuple[str, str]] | None = None) -> Response:
    code = error.code if isinstance(error, CasewireError) else "remote_fault"
    _log.warning("portal_page_failed", code=code)
    response = _render("portal/trouble.html", _own_words(), action=_action(), kept=kept, status=503)
    response.headers["Retry-After"] = "5"
    return response


# The page


def _page_response(
    link: OpenLink,
    page: Record,
    *,
    typed: Record | None = None,
    refused: Invalid | None = None,
    reopened: str | None = None,
    thanks: bool = False,
    stale: bool = False,
    status: int = 200,
) -> Response:
    """The page of a link. `typed`: what a form held that was not taken, by case task; `refused`: why."""
    spoken = words(best_language(request.args.get("lang"), lambda: page["language"]))
    typed = typed or {}
    branding = page["branding"]
    questions = [
        question_of(
            case_task,
            spoken,
            branding["time_zone"],
            typed=typed.get(case_task["id"]),
            was_typed=case_task["id"] in typed,
            error=spoken.refusal(refused.code, refused.meta) if refused and case_task["id"] in typed else None,
            reopened=reopened == case_task["id"] or case_task["id"] in typed,
        )
        for case_task in page["case_tasks"]
    ]
    still_open = [question for question in questions if not question.done]
    intro = spoken.count(
        "%(firm)s has one question for you.",
        "%(firm)s has %(number)s questions for you.",
        len(still_open),
        firm=branding["firm_name"],
    )
    return _render(
        "portal/page.html",
        spoken,
        status=status,
        color=branding.get("color"),
        firm_name=branding["firm_name"],
        initials=_initials(branding["firm_name"]),
        first_name=page.get("first_name"),
        questions=questions,
        open=still_open,
        wrong=[question for question in questions if question.error],
        intro=intro,
        notice=spoken.say("This page was out of date. Please check your answer and send it again.") if stale else None,
        thanks=thanks,
        form_token=_session().form_token(link),
        action=_action(),
        change_href=lambda case_task_id: url_for(".show", change=case_task_id, **_language_asked()),
    )


def _render(template: str, spoken: Words, *, status: int = 200, color: str | None = None, **values: Any) -> Response:
    look = theme(color)
    g.portal_style_hash = look.csp_hash
    body = render_template(
        template,
        words=spoken,
        _=spoken.say,
        theme=look,
        languages=LANGUAGES,
        asset=_asset,
        language_href=_language_href,
        **values,
    )
    return make_response(body, status)


def _language_href(language: str) -> str:
    """This page in another language. A page that a form or a token led to is reached by its own address only."""
    endpoint = ".asked" if request.endpoint == "portal_pages.asked" else ".show"
    kept = {name: request.args[name] for name in ("change", "done") if name in request.args}
    return url_for(endpoint, **kept, lang=language)


def _own_words() -> Words:
    """The language of a page that no client's record decides."""
    return words(best_language(request.args.get("lang"), lambda: request.accept_languages.best_match(list(LANGUAGES))))


def _language_asked() -> dict[str, str]:
    language = request.args.get("lang")
    return {"lang": language} if language in LANGUAGES else {}


def _action() -> str:
    return url_for(".show", **_language_asked())


def _typed_fields() -> Iterable[tuple[str, str]]:
    yield "task", request.form.get("task", "")
    for value in request.form.getlist("answer"):
        yield "answer", value


def _initials(name: str) -> str:
    letters = [word[0] for word in name.split() if word[0].isalnum()]
    return "".join(letters[:1] + letters[-1:] if len(letters) > 1 else letters).upper()


@functools.cache
def _asset(name: str) -> str:
    """The address of an asset, which changes with its content, so that it can be kept for ever."""
    digest = hashlib.sha256((_ASSETS / name).read_bytes()).hexdigest()[:12]
    return f"/p/assets/{name}?v={digest}"


def _page(link: OpenLink) -> Record:
    page: Record = g.calls.portal.get_page(link_id=link.link_id)
    return page


def _link() -> OpenLink:
    link = _session().opened(request)
    if link is None:
        raise _NoLink
    return link


def _session() -> PortalSession:
    settings = current_app.config["CASEWIRE"]
    return session_for(settings.secret_key, settings.public_url)
