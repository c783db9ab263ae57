"""What other services know about deliveries that are to be prepared: asked set-based, before any transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from contracts.errors import NotFound
from services.messaging.templates import CUSTOM_FIELDS, LINKS
from services.messaging.timing import FirmRules

ASKED_AT_ONCE = 1000
NOTIFICATION = "notification"


class Asked(Protocol):
    """Of a delivery, or of one that is only estimated: what decides whom to ask about."""

    @property
    def client_id(self) -> str | None: ...
    @property
    def case_task_id(self) -> str | None: ...
    @property
    def case_id(self) -> str | None: ...
    @property
    def requested_by(self) -> str | None: ...
    @property
    def kind(self) -> str: ...
    @property
    def contact_id(self) -> str | None: ...
    @property
    def added(self) -> bool: ...
    @property
    def to_contacts(self) -> bool: ...


@dataclass(frozen=True)
class Facts:
    """Answers by id. `recipients`: clients' `Recipient`; `tasks`: `CaseTaskFacts`; `cases`: `CaseFacts`."""

    rules: FirmRules
    recipients: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    tasks: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    cases: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    staff_names: Mapping[str, str] = field(default_factory=dict)


def gather(calls: Any, wanted: Iterable[Asked], uses: Iterable[str], *, with_cases: bool = False) -> Facts:
    """Asks for everything at once: one call to each owner for every 1,000 ids.

    `uses`: the variables of the texts; staff are asked only if a text names them, and so are cases, but `with_cases`:
    whoever sends asks whether they still have these clients.
    Raises Unavailable, DeadlineExceeded.
    """
    rows, used = list(wanted), set(uses)
    names_case = with_cases or any(name.startswith("case.") for name in used)
    names_staff = "staff.name" in used
    client_ids = {row.client_id for row in rows if row.client_id}
    client_ids |= {row.contact_id for row in rows if row.contact_id and not for_contacts(row)}
    task_ids = {row.case_task_id for row in rows if row.case_task_id}
    case_ids = {row.case_id for row in rows if row.case_id and names_case}
    staff_ids = sorted({row.requested_by for row in rows if row.requested_by and names_staff})
    firm = calls.accounts.get_firm.start()
    recipients = [calls.clients.get_recipients.start(client_ids=some) for some in _chunks(client_ids)]
    tasks = [calls.tasks.get_case_task_facts.start(case_task_ids=some) for some in _chunks(task_ids)]
    cases = [calls.cases.get_case_facts.start(case_ids=some) for some in _chunks(case_ids)]
    staff = {staff_id: calls.accounts.get_staff.start(staff_id=staff_id) for staff_id in staff_ids}
    told_cases = _by_id(cases, "cases", "case_id")
    if with_cases:
        _follow_merges(calls, rows, told_cases)
    return Facts(
        rules=FirmRules.from_firm(firm.result()),
        recipients=_by_id(recipients, "recipients", "client_id"),
        tasks=_by_id(tasks, "case_tasks", "case_task_id"),
        cases=told_cases,
        staff_names={staff_id: _name(reply) for staff_id, reply in staff.items()},
    )


def _follow_merges(calls: Any, rows: Iterable[Asked], cases: Mapping[str, dict[str, Any]]) -> None:
    """Who is written to and is not on the case may be the one into whom a client of it was merged, of which cases have
    not heard yet: adds such survivors to the clients of the cases."""
    doubtful = [
        case
        for case_id, client_ids in _clients_by_case(rows).items()
        if not client_ids <= set((case := cases.get(case_id) or {}).get("client_ids", client_ids))
    ]
    named = {client_id for case in doubtful for client_id in case["client_ids"]}
    asked = [calls.clients.get_recipients.start(client_ids=some) for some in _chunks(named)]
    told = _by_id(asked, "recipients", "client_id")
    for case in doubtful:
        survivors = [told[id_].get("surviving_id") for id_ in case["client_ids"] if id_ in told]
        case["client_ids"] = [*case["client_ids"], *filter(None, survivors)]


def _clients_by_case(rows: Iterable[Asked]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for row in rows:
        if row.case_id and row.client_id:
            found.setdefault(row.case_id, set()).add(row.client_id)
    return found


def for_contacts(row: Asked) -> bool:
    """Whether it is about a case: of a business's cases its contacts hear who are marked for it."""
    return row.kind == NOTIFICATION or row.to_contacts


def person_of(row: Asked, facts: Facts) -> Mapping[str, Any]:
    """Who is written to: their `sms`, `phone` and `email`, their names, and of a contact the `contact_id`.

    What is `for_contacts` goes to the first of them by the delivery that was asked for, and to each other one by a
    delivery that was `added`; to the client itself if there are none. Everything else goes to the client itself, or to
    the contact that it was asked for. Nobody: an empty mapping.
    """
    recipient = facts.recipients.get(row.client_id or "") or {}
    if for_contacts(row):
        contacts = recipient.get("contacts") or ()
        if row.added:
            return next((contact for contact in contacts if contact["contact_id"] == row.contact_id), {})
        return contacts[0] if contacts else recipient
    if row.contact_id is None:
        return recipient
    return {**(facts.recipients.get(row.contact_id) or {}), "contact_id": row.contact_id}


def subject_of(row: Asked, facts: Facts) -> str | None:
    """Whose consent counts beside the address's: the contact's own, or else the client's."""
    contact_id: str | None = person_of(row, facts).get("contact_id")
    return contact_id or row.client_id


def _chunks(ids: Iterable[str]) -> Iterator[list[str]]:
    ordered = sorted(ids)
    for start in range(0, len(ordered), ASKED_AT_ONCE):
        yield ordered[start : start + ASKED_AT_ONCE]


def _by_id(replies: Iterable[Any], name: str, key: str) -> dict[str, dict[str, Any]]:
    return {row[key]: row for reply in replies for row in reply.result()[name]}


def _name(reply: Any) -> str:
    try:
        return str(reply.result()["name"])
    except NotFound:
        return ""


def variables_for(row: Asked, facts: Facts, uses: Iterable[str]) -> dict[str, Any]:
    """The values of the variables that a text uses, but for the link, which only exists while it is sent; of a link to
    a form, which one that is."""
    recipient = facts.recipients.get(row.client_id or "") or {}
    person = person_of(row, facts)
    case = facts.cases.get(row.case_id or "") or {}
    task = facts.tasks.get(row.case_task_id or "") or {}
    values: dict[str, Any] = {
        "client.first_name": person.get("first_name"),
        "client.last_name": person.get("last_name"),
        "client.display_name": recipient.get("display_name"),
        "case.name": case.get("name"),
        "case.number": case.get("number"),
        "task.title": task.get("title"),
        "task.count": 1,
        "firm.name": facts.rules.name,
        "firm.postal_address": facts.rules.postal_address,
        "staff.name": facts.staff_names.get(row.requested_by or ""),
    }
    filled: dict[str, Any] = {}
    for name in uses:
        if name == "form.link":
            filled["form"] = {"id": task.get("case_form_id")}
        if name in LINKS:
            continue
        if name.startswith(CUSTOM_FIELDS):
            key = name.removeprefix(CUSTOM_FIELDS)
            value = (case.get("custom_fields") or {}).get(key)
            filled.setdefault("case", {}).setdefault("custom_fields", {})[key] = "" if value is None else str(value)
        else:
            group, _, key = name.partition(".")
            filled.setdefault(group, {})[key] = values.get(name) or ""
    return filled
