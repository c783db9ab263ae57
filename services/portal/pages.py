"""The page behind a link: what its client may see and answer there.

The link tells firm and client; every call to another service is made in their name. What is shown follows who is tied
to a case now, not who was when the link was made.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from chassis.context import Context, use
from chassis.database import Database
from contracts.errors import CasewireError, Conflict, Gone, Invalid, NotFound, invalid_field
from services.portal.files_shown import files_shown
from services.portal.firms import FirmCache
from services.portal.known_answers import known_answers
from services.portal.links import live_link, record_use
from services.portal.models import Link

Record = dict[str, Any]

LANGUAGES = ("en", "es")
MOST_CASES = 200
_NOTHING: Record = {"case_tasks": [], "progress": []}
_OWN = ("first_name", "sms", "phone", "email")


def get_page(db: Database, calls: Any, firms: FirmCache, now: dt.datetime, link_id: str) -> Record:
    """The page behind a live link. Raises Gone `link_gone`, or Unavailable."""
    link = live_link(db, now, link_id)
    with in_the_name_of(db, link):
        return _compose(calls, firms, link)


def submit_answers(
    db: Database, calls: Any, firms: FirmCache, now: dt.datetime, link_id: str, answers: dict[str, Any]
) -> Record:
    """Hands each answer to tasks and returns the page as it is then. Each answer counts by itself: with several, one
    that is refused does not hold back the others.

    Raises Gone `link_gone`, Invalid that names `answers.<case task id>`, Conflict as tasks does, or Unavailable.
    """
    link = live_link(db, now, link_id)
    with in_the_name_of(db, link):
        use_for(db, calls, now, link, {case_task_id: f"answers.{case_task_id}" for case_task_id in answers})
        replies = {
            case_task_id: calls.tasks.submit_answer.start(
                case_task_id=case_task_id, answer=answer, client_id=link.client_id, link_id=link.id
            )
            for case_task_id, answer in answers.items()
        }
        _raise_refusals({case_task_id: _refusal(reply) for case_task_id, reply in replies.items()})
        return _compose(calls, firms, link)


def save_draft(
    db: Database, calls: Any, firms: FirmCache, now: dt.datetime, link_id: str, case_task_id: str, draft: Any
) -> Record:
    """Hands to tasks what was filled in so far, and returns the page as it is then.

    Raises Gone `link_gone`, Invalid that names `case_task_id` or `draft`, Conflict as tasks does, or Unavailable.
    """
    link = live_link(db, now, link_id)
    with in_the_name_of(db, link):
        use_for(db, calls, now, link, {case_task_id: "case_task_id"})
        try:
            calls.tasks.save_draft(case_task_id=case_task_id, draft=draft, client_id=link.client_id)
        except NotFound as error:
            raise Gone("link_gone") from error
        return _compose(calls, firms, link)


def use_for(db: Database, calls: Any, now: dt.datetime, link: Link, named: Record) -> None:
    """Notes that the link is used for these tasks: {case task id: the field that names it}. Raises Gone, or Invalid
    `task_not_in_link` for one that its page does not show."""
    shown = {case_task["id"] for case_task in shown_to_holder(calls, link)}
    for case_task_id, field in named.items():
        if case_task_id not in shown:
            raise invalid_field(field, "Not a task of this page.", "task_not_in_link")
    record_use(db.for_firm(link.firm_id), now, link.id)


def shown_to_holder(calls: Any, link: Link) -> list[Record]:
    """The case tasks of the link's page, in its order. Raises Gone, as `demand_access` does too."""
    asked = ask_client(calls, link)
    case_tasks: list[Record] = _shown(calls, link)["case_tasks"]
    found(asked)
    return case_tasks


@contextmanager
def in_the_name_of(db: Database, link: Link) -> Iterator[None]:
    """Calls to other services are made for the link's firm by its client."""
    context = db.context or Context()
    with use(replace(context, firm_id=link.firm_id, actor_id=link.client_id, actor_kind="client")):
        yield


def _compose(calls: Any, firms: FirmCache, link: Link) -> Record:
    asked = ask_client(calls, link)
    shown = _shown(calls, link)
    head = page_head(firms.get(link.firm_id, calls.accounts.get_firm), found(asked), link)
    return {
        **head,
        **shown,
        "files": files_shown(calls, link, shown["case_tasks"]),
        "known": known_answers(calls, link, shown["case_tasks"]),
    }


@dataclass(frozen=True)
class Asked:
    """Questions under way about who holds a link."""

    recipients: Any
    access: Any = None


def ask_client(calls: Any, link: Link) -> Asked:
    """Begins to ask who the link's client is, or its contact, and whether that one may still use it; see `found`."""
    if link.contact_id is None:
        return Asked(calls.clients.get_recipients.start(client_ids=[link.client_id]))
    recipients = calls.clients.get_recipients.start(client_ids=[link.client_id, link.contact_id])
    return Asked(recipients, calls.clients.get_contact_access.start(**_tie(link)))


def found(asked: Asked) -> Record:
    """Who holds the link: `contracts.clients.Recipient`; of a contact, with their own name and addresses. Raises Gone
    `link_gone`."""
    client: Record
    client, *contact = asked.recipients.result()["recipients"]
    if client["state"] == "erased" or (asked.access is not None and not asked.access.result()["access"]):
        raise Gone("link_gone")
    return {**client, **{name: contact[0][name] for name in _OWN}} if contact else client


def demand_access(calls: Any, link: Link) -> None:
    """Raises Gone `link_gone` for the link of a client who is deleted or erased, and of a contact who may not use the
    portal for the business any more. (The event that ends such links may be under way, and what is written meanwhile
    would be forgotten by nobody.)"""
    found(ask_client(calls, link))


def _tie(link: Link) -> Record:
    return {"client_id": link.client_id, "contact_id": link.contact_id}


def page_head(firm: Record, client: Record, link: Link) -> Record:
    """What every page of a link shows: whose page it is, in which language."""
    branding = firm.get("branding") or {}
    spoken = (client.get("language") or "").split("-")[0]
    return {
        "link_id": link.id,
        "branding": {
            "firm_name": branding.get("name") or firm["name"],
            "color": branding.get("color"),
            "locale": firm["locale"],
            "time_zone": firm["time_zone"],
        },
        "language": spoken if spoken in LANGUAGES else firm["locale"],
        "first_name": client.get("first_name"),
    }


def _shown(calls: Any, link: Link) -> Record:
    """The `case_tasks` of the link's scope, of cases that the client is tied to now, and the `progress` of those."""
    if link.kind == "tasks":
        client_id, case_ids = link.client_id, _open_cases(calls, link, link.client_id)
        if not case_ids and (survivor := _survivor(calls, link)):
            client_id, case_ids = survivor, _open_cases(calls, link, survivor)
        return calls.tasks.list_open_tasks(case_ids=case_ids, client_id=client_id) if case_ids else _NOTHING
    try:
        if link.kind == "form":
            of_form: Record = calls.tasks.list_form_tasks(case_form_id=link.case_form_id)
            return of_form if _is_present(calls, link, of_form.pop("case_id")) else _NOTHING
        case_task = calls.tasks.get_case_task(case_task_id=link.case_task_id)
    except NotFound as error:
        raise Gone("link_gone") from error
    present = _is_present(calls, link, case_task["case_id"])
    return {**_NOTHING, "case_tasks": [case_task]} if present and case_task["status"] != "skipped" else _NOTHING


def _is_present(calls: Any, link: Link, case_id: str) -> bool:
    """Whether anything of the case is still asked: it is not archived. Raises Gone `link_gone` unless the link's
    client, or whom it was merged into, is one of the case's now."""
    [case] = calls.cases.get_case_facts(case_ids=[case_id])["cases"] or [{"client_ids": []}]
    if link.client_id not in case["client_ids"] and _survivor(calls, link) not in case["client_ids"]:
        raise Gone("link_gone")
    return bool(case["state"] != "archived")


def _survivor(calls: Any, link: Link) -> str | None:
    """Who the link's client is now, if it was merged: cases may have heard of it before the link has followed."""
    recipient = calls.clients.get_recipients(client_ids=[link.client_id])["recipients"][0]
    surviving_id: str | None = recipient.get("surviving_id")
    return surviving_id


def _open_cases(calls: Any, link: Link, client_id: str) -> list[str]:
    """The client's open cases; only those that the link names, if it names any."""
    if link.case_ids:
        cases = calls.cases.get_case_facts(case_ids=link.case_ids)["cases"]
        return [case["case_id"] for case in cases if case["state"] == "open" and client_id in case["client_ids"]]
    return open_cases(calls, client_id)


def open_cases(calls: Any, client_id: str) -> list[str]:
    """The client's open cases that the caller may see: their ids, at most MOST_CASES."""
    try:
        found = calls.cases.list_cases(client_id=client_id, state="open", limit=MOST_CASES)
    except NotFound:
        return []  # merged into another one, or erased
    return [case["id"] for case in found["data"]]


def _refusal(reply: Any) -> CasewireError | None:
    try:
        reply.result()
    except (Invalid, Conflict, NotFound) as error:
        return error
    return None


def _raise_refusals(refusals: dict[str, CasewireError | None]) -> None:
    refused = {case_task_id: error for case_task_id, error in refusals.items() if error is not None}
    for error in refused.values():
        if isinstance(error, NotFound):
            raise Gone("link_gone") from error
        if isinstance(error, Conflict):
            raise error
    if not refused:
        return
    named = [
        {"field": f"answers.{case_task_id}", "message": entry["message"]}
        for case_task_id, error in refused.items()
        for entry in error.fields or [{"message": "Not accepted."}]
    ]
    first = next(iter(refused.values()))
    # One answer, one reason: its code and limits let the page say it in the client's language.
    if len(refused) == 1:
        raise Invalid(first.code, fields=named, **first.meta)
    raise Invalid("answers_refused", fields=named)


def check_scope(calls: Any, link: Record) -> None:
    """Whether a link that staff ask for may be made: its client and its task or form exist, and belong together.

    Raises NotFound `client_not_found`, `case_task_not_found` or `case_form_not_found`, Gone `client_merged`, or Invalid
    that names `scope.case_task_id`, `scope.case_form_id`, `scope.case_ids`, or the `contact_id` of one who may not use
    the portal for the client.
    """
    client_id, scope, contact_id = link["client_id"], link["scope"], link.get("contact_id")
    known = calls.clients.get_client_facts.start(client_ids=[client_id])
    access = contact_id and calls.clients.get_contact_access.start(client_id=client_id, contact_id=contact_id)
    case_ids, field = scope.get("case_ids") or [], "scope.case_ids"
    if scope.get("case_task_id") is not None:
        case_ids, field = (
            [calls.tasks.get_case_task(case_task_id=scope["case_task_id"])["case_id"]],
            "scope.case_task_id",
        )
    elif scope.get("case_form_id") is not None:
        found = calls.tasks.list_form_tasks(case_form_id=scope["case_form_id"])
        case_ids, field = [found["case_id"]], "scope.case_form_id"
    tied = {
        case["case_id"]
        for case in (calls.cases.get_case_facts(case_ids=case_ids)["cases"] if case_ids else [])
        if client_id in case["client_ids"]
    }
    answer = known.result()
    merged = {entry["client_id"]: entry["surviving_id"] for entry in answer.get("merged") or ()}
    if client_id in merged:
        raise Gone("client_merged", client_id=client_id, surviving_id=merged[client_id])
    if not answer["clients"]:
        raise NotFound("client_not_found", client_id=client_id)
    if access and not access.result()["access"]:
        raise invalid_field("contact_id", "Not a contact of this client who may use the portal.", "no_portal_access")
    if set(case_ids) - tied:
        raise invalid_field(field, "Not of a case of this client.", "client_not_on_case")
