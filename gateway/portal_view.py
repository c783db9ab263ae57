"""How the portal's pages are put together: the client's words, the firm's colour, and the questions to answer."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flask import Response, current_app, g, make_response, render_template, request, url_for
from markupsafe import Markup

from contracts.errors import Invalid
from gateway.portal_colors import theme
from gateway.portal_forms import Question, question_of
from gateway.portal_sections import Section, progress_of, sections_of
from gateway.portal_uploads import sent_fields
from gateway.portal_words import LANGUAGES, Words, best_language, words

Record = dict[str, Any]

GOES_ON = "next"
"""Where on the page one goes on after an answer."""
_ASSETS = Path(__file__).parent / "static" / "portal"


def page_response(
    page: Record,
    form_token: str,
    *,
    typed: Record | None = None,
    refused: Mapping[str, Invalid] | None = None,
    reopened: str | None = None,
    done: str | None = None,
    saved: str | None = None,
    stale: bool = False,
    too_large: bool = False,
    status: int = 200,
) -> Response:
    """The page of a link, from portal's wire answer.

    `typed`: what a form held that was not taken, by case task; `refused`: why, of some of them. `reopened`: a case task
    whose answer is to be changed. `done`, `saved`: one whose answer was taken, or kept for later; of a form of several,
    the first. `stale`, or an answer refused that is not asked here: the form came from another page. `too_large`: what
    was sent could not be read.
    """
    spoken = words(best_language(request.args.get("lang"), lambda: page["language"]))
    typed, refused = typed or {}, refused or {}
    branding = page["branding"]
    questions = _questions(page, spoken, typed, refused, reopened)
    if any(error.code == "task_not_in_link" for error in refused.values()):
        stale, status = True, 400
    still_open = [question for question in questions if question.answerable]
    positions = {
        question.id: spoken.say("%(position)s of %(number)s", position=position, number=len(questions))
        for position, question in enumerate(questions, start=1)
        if len(questions) > 1
    }
    sections = sections_of(page, questions, spoken)
    return render(
        "portal/page.html",
        spoken,
        status=status,
        color=branding.get("color"),
        firm_name=branding["firm_name"],
        initials=initials(branding["firm_name"]),
        first_name=page.get("first_name"),
        sections=sections,
        how=_how(sections, spoken),
        progress=progress_of(page, spoken),
        own_language=_language_of(branding["locale"], spoken),
        open=still_open,
        only_optional=any(question.required for question in questions)
        and not any(question.required for question in still_open),
        answered=done is not None or any(question.done for question in questions),
        positions=positions,
        wrong=[question for question in questions if question.error],
        intro=spoken.count(
            "%(firm)s has one question for you.",
            "%(firm)s has %(number)s questions for you.",
            len(still_open),
            firm=branding["firm_name"],
        ),
        notice=_notice(spoken, stale, too_large),
        typed=any(typed.values()),
        thanks=done is not None,
        thanks_for_several=any(question.id == done and question.together for question in questions),
        saved=saved is not None,
        goes_on=GOES_ON,
        goes_on_at=_goes_on_at(questions, done, saved),
        form_token=form_token,
        action=action(),
        contact_href=url_for(".show_contact", **language_asked()),
        change_href=lambda case_task_id: url_for(
            ".show", change=case_task_id, **language_asked(), _anchor=f"task-{case_task_id}"
        ),
    )


def _questions(
    page: Record, spoken: Words, typed: Record, refused: Mapping[str, Invalid], reopened: str | None
) -> list[Question]:
    known = {entry["case_task_id"]: entry["value"] for entry in page.get("known") or ()}
    several = len(page["case_tasks"]) > 1
    return [
        question_of(
            case_task,
            spoken,
            page["branding"]["time_zone"],
            typed=typed.get(case_task["id"]),
            was_typed=case_task["id"] in typed,
            error=_refusal(spoken, refused[case_task["id"]]) if case_task["id"] in refused else None,
            reopened=reopened == case_task["id"] or case_task["id"] in typed,
            files=[file for file in page.get("files") or () if file["case_task_id"] == case_task["id"]],
            known=known.get(case_task["id"]),
            together=several and case_task.get("case_form_id") is not None,
        )
        for case_task in page["case_tasks"]
    ]


def _how(sections: Sequence[Section], spoken: Words) -> str | None:
    """How the page is filled in, where it has several forms: what stands in one is not sent with another."""
    with_forms = [section for section in sections if section.open]
    if sum(1 if section.together else len(section.open) for section in with_forms) < 2:
        return None
    if any(section.together for section in with_forms):
        return spoken.say("Each part has buttons of its own: send it or save it, then go on to the next.")
    return spoken.say("Each has a button of its own: send one answer, then go on to the next.")


def _goes_on_at(questions: Sequence[Question], done: str | None, saved: str | None) -> str | None:
    """The question that comes next: the one that was saved, or the first open one after the one that was answered, or
    before it. None: none, or the page begins with it."""
    ids = [question.id for question in questions]
    at = saved or done
    if at not in ids:
        return None
    place = ids.index(at)
    following = questions[place:] if saved else (*questions[place + 1 :], *questions[:place])
    found = next((question.id for question in following if question.answerable), None)
    return None if found == ids[0] else found


def _refusal(spoken: Words, refused: Invalid) -> str:
    said = spoken.refusal(refused.code, refused.meta)
    return f"{refused.meta['file']}: {said}" if "file" in refused.meta else said


def _notice(spoken: Words, stale: bool, too_large: bool) -> str | None:
    if too_large:
        megabytes = f"{current_app.config['CASEWIRE'].max_upload_bytes / 2**20:.3g}"
        return spoken.say("These files are too large together. Send at most %(megabytes)s MB.", megabytes=megabytes)
    return spoken.say("This page was out of date. Please check your answer and send it again.") if stale else None


def render(template: str, spoken: Words, *, status: int = 200, color: str | None = None, **values: Any) -> Response:
    """A page from a template. Its style's hash goes into the security policy by `g.portal_style_hash`."""
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


def _language_of(written: str, spoken: Words) -> Markup:
    """What marks the firm's own texts, which are in its language whatever the page is in."""
    return Markup("") if written == spoken.language else Markup(' lang="{}"').format(written)


def _language_href(language: str) -> str:
    """This page in another language. A page that a form or a token led to is reached by its own address only."""
    own = {"portal_pages.asked": ".asked", "portal_pages.show_contact": ".show_contact"}
    endpoint = own.get(request.endpoint or "", ".show")
    values: dict[str, Any] = {name: request.args[name] for name in ("change", "done", "saved") if name in request.args}
    values["lang"] = language
    return url_for(endpoint, **values)


def own_words() -> Words:
    """The language of a page that no client's record decides: the one that was asked for, else that of the page whose
    form this request sent, else the browser's."""
    # Not best_match, which takes plain "en" before "es-MX" however the browser ranks them.
    ranked = (tag.split("-")[0].lower() for tag in request.accept_languages.values())
    known = filter(LANGUAGES.__contains__, (_language_sent(), *ranked))
    return words(best_language(request.args.get("lang"), lambda: next(known, None)))


def language_asked(*, or_sent: bool = False) -> dict[str, Any]:
    """The language that this browser chose, to be carried along: {"lang": …} or nothing. `or_sent`: else that of the
    page whose form this request sent."""
    for language in (request.args.get("lang"), _language_sent() if or_sent else None):
        if language in LANGUAGES:
            return {"lang": language}
    return {}


def _language_sent() -> str | None:
    form = sent_fields() if request.method == "POST" else None
    return None if form is None else form.get("lang")


def contact_response(page: Record, form_token: str, once: str, *, status: int = 200, **said: Any) -> Response:
    """The page for writing to the firm, from portal's wire answer. `once`: the message form's own id. `said`: what is
    to be told of a form that was sent (`error`, `typed`, `done`)."""
    spoken = words(best_language(request.args.get("lang"), lambda: page["language"]))
    branding = page["branding"]
    names = {
        "sms": spoken.say("Text messages"),
        "email": spoken.say("Email"),
        "phone": spoken.say("Calls that read a message to you"),
    }
    return render(
        "portal/contact.html",
        spoken,
        status=status,
        color=branding.get("color"),
        firm_name=branding["firm_name"],
        initials=initials(branding["firm_name"]),
        channels=[(name, names[name], page["preferences"][name]) for name in page["channels"]],
        form_token=form_token,
        once=once,
        write_to=url_for(".write_message", **language_asked()),
        prefer_at=url_for(".set_preferences", **language_asked()),
        back=url_for(".show", **language_asked()),
        **{"error": None, "typed": "", "done": None, **said},
    )


def action() -> str:
    """Where the page's forms go."""
    return url_for(".show", **language_asked())


def initials(name: str) -> str:
    """Two letters that stand for a firm."""
    letters = [word[0] for word in name.split() if word[0].isalnum()]
    return "".join(letters[:1] + letters[-1:] if len(letters) > 1 else letters).upper()


@functools.cache
def _asset(name: str) -> str:
    """The address of an asset, which changes with its content, so that it can be kept for ever."""
    digest = hashlib.sha256((_ASSETS / name).read_bytes()).hexdigest()[:12]
    return f"/p/assets/{name}?v={digest}"
