"""Task templates: what can be asked, with which limits, and which field an answer goes to."""

from __future__ import annotations

import datetime as dt
from typing import Any

import phonenumbers
from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis import paging
from chassis.database import Database
from contracts.clients import SYSTEM_FIELDS
from contracts.errors import Invalid, NotFound, invalid_field
from contracts.tasks import Checks
from services.tasks import condition_use, overdue_handling
from services.tasks.answer_checks import BEYOND_ALL_NUMBERS, SHORT_TEXT_LENGTH
from services.tasks.models import TaskTemplate

_WITH_OPTIONS = frozenset({"one_choice", "several_choices"})
_CHECKS_OF_KIND = {
    "number": frozenset({"minimum", "maximum"}),
    "date": frozenset({"earliest", "latest"}),
    "short_text": frozenset({"min_length", "max_length"}),
    "long_text": frozenset({"min_length", "max_length"}),
    "several_choices": frozenset({"min_choices", "max_choices"}),
    "file_upload": frozenset({"file_types", "max_files", "max_size"}),
    "phone": frozenset({"region"}),
}
_RANGES = (
    ("minimum", "maximum"), ("earliest", "latest"), ("min_length", "max_length"), ("min_choices", "max_choices"),
)  # fmt: skip
_KINDS_OF_FIELD = {
    "first_name": frozenset({"short_text"}),
    "last_name": frozenset({"short_text"}),
    "phone": frozenset({"phone", "short_text"}),
    "email": frozenset({"email", "short_text"}),
}
"""Which questions can fill a client's field. A short text is checked by the field's owner when it is applied."""
_BLANK: dict[str, Any] = {
    "instructions": None, "required": False, "options": [], "checks": {}, "mapping": None, "overdue": None,
    "sensitive": False,
}  # fmt: skip


def create_template(db: Database, calls: Any, now: dt.datetime, **given: Any) -> dict[str, Any]:
    """A new template. Raises Invalid on the field that does not fit the others, or that cannot be mapped to."""
    facts = _checked({**_BLANK, **given})
    facts["sensitive"] |= _check_mapping(calls, facts)
    facts["overdue_handling"] = overdue_handling.prepared(calls, facts.pop("overdue"), None)
    with db.unit_of_work() as uow:
        overdue_handling.check_rules(uow.session, facts["overdue_handling"])
        template = TaskTemplate(created_at=now, updated_at=now, resealing=_asks_again(facts), **facts)
        uow.session.add(template)
        uow.session.flush()
        return uow.answer(template_view(template))


def get_template(db: Database, task_template_id: str) -> dict[str, Any]:
    """Raises NotFound `task_template_not_found`."""
    with db.read() as session:
        return template_view(load_template(session, task_template_id))


def list_templates(
    db: Database, *, limit: int, cursor: str | None, sort: str | None, archived: bool = False
) -> dict[str, Any]:
    """A page of the templates in use, or of those that are archived. `sort`: title (the default), created_at."""
    with db.read() as session:
        rows, meta = paging.page(
            session,
            select(TaskTemplate).where(TaskTemplate.archived.is_(archived)),
            model=TaskTemplate,
            sorts={"title": TaskTemplate.title, "created_at": TaskTemplate.created_at},
            default_sort="title",
            limit=limit,
            cursor=cursor,
            sort=sort,
        )
        return {"data": [template_view(row) for row in rows], "meta": meta}


def update_template(
    db: Database,
    calls: Any,
    now: dt.datetime,
    *,
    task_template_id: str,
    changes: dict[str, Any],
    expected_version: int | None,
) -> dict[str, Any]:
    """Changes a template. Case tasks keep what they were assigned with, but for the mapping, and for
    what is sensitive, which are read live. An archived one is not assigned any more, but by forms that have it.

    Raises NotFound, Conflict `stale_version`, `template_in_condition` where a form's condition needs what is to go, and
    Invalid as `create_template` does.
    """
    with db.read() as session:
        before = load_template(session, task_template_id)
        before.expect_version(expected_version)
    changes = dict(changes)
    archived = changes.pop("archived", before.archived)
    facts = _checked({**_facts_of(before), **changes})
    if not {"mapping", "kind", "options", "sensitive"}.isdisjoint(changes):
        facts["sensitive"] |= _check_mapping(calls, facts)
    if "overdue" in facts:
        facts["overdue_handling"] = overdue_handling.prepared(calls, facts.pop("overdue"), before.overdue_handling)
    with db.unit_of_work() as uow:
        template = load_template(uow.session, task_template_id, lock=True)
        # What was checked together must still be together.
        template.expect_version(before.version)
        overdue_handling.check_rules(uow.session, facts["overdue_handling"], before.overdue_handling)
        condition_use.demand_fitting(uow.session, template, facts)
        template.resealing |= template.sensitive != facts["sensitive"] or _asks_again(facts)
        for name, value in facts.items():
            setattr(template, name, value)
        template.archived = archived
        template.touch(now)
        return uow.answer(template_view(template))


def copy_template(db: Database, now: dt.datetime, *, task_template_id: str, title: str) -> dict[str, Any]:
    """A template like another one, with its mapping, under its own title and in use.

    Raises NotFound `task_template_not_found`, Invalid on a blank title.
    """
    with db.unit_of_work() as uow:
        original = load_template(uow.session, task_template_id)
        facts = {**_facts_of(original), "title": title}
        if not title.strip():
            raise invalid_field("title", "Cannot be blank.")
        template = TaskTemplate(created_at=now, updated_at=now, resealing=_asks_again(facts), **facts)
        uow.session.add(template)
        uow.session.flush()
        return uow.answer(template_view(template))


def load_template(session: Session, task_template_id: str, *, lock: bool = False) -> TaskTemplate:
    """Raises NotFound `task_template_not_found`."""
    statement = select(TaskTemplate).where(TaskTemplate.id == task_template_id)
    template = session.scalars(statement.with_for_update() if lock else statement).one_or_none()
    if template is None:
        raise NotFound("task_template_not_found", task_template_id=task_template_id)
    return template


def load_templates(session: Session, template_ids: list[str]) -> list[TaskTemplate]:
    """To be assigned, in the order of the ids, each once. Raises NotFound `task_template_not_found`, Conflict
    `template_archived`."""
    wanted = list(dict.fromkeys(template_ids))
    found = {
        template.id: template for template in session.scalars(select(TaskTemplate).where(TaskTemplate.id.in_(wanted)))
    }
    for template_id in wanted:
        if template_id not in found:
            raise NotFound("task_template_not_found", task_template_id=template_id)
        found[template_id].demand_in_use()
    return [found[template_id] for template_id in wanted]


def template_view(template: TaskTemplate) -> dict[str, Any]:
    """Python values of the contract's TaskTemplate."""
    facts = _facts_of(template)
    overdue = overdue_handling.shown(facts.pop("overdue_handling"))
    return {
        **facts,
        "overdue": overdue,
        "id": template.id,
        "version": template.version,
        "created_at": template.created_at,
        "updated_at": template.updated_at,
        "archived": template.archived,
        "checks": Checks().load(template.checks),
    }


def _facts_of(template: TaskTemplate) -> dict[str, Any]:
    names = (
        "title",
        "instructions",
        "kind",
        "required",
        "options",
        "checks",
        "mapping",
        "overdue_handling",
        "sensitive",
    )
    return {name: getattr(template, name) for name in names}


def _checked(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts of a template with limits as on the wire. Raises Invalid on what does not fit the kind of question."""
    kind, options = facts["kind"], facts["options"]
    if not facts["title"].strip():
        raise invalid_field("title", "Cannot be blank.")
    if kind in _WITH_OPTIONS and not options:
        raise invalid_field("options", f"A question of the kind {kind} needs options.", "options_needed")
    if kind not in _WITH_OPTIONS and options:
        raise invalid_field("options", f"Not with the kind {kind}.", "options_not_wanted")
    if len(set(options)) < len(options) or any(not option.strip() for option in options):
        raise invalid_field("options", "Each option must be another text, and none blank.", "options_not_distinct")
    checks: dict[str, Any] = Checks().dump(facts["checks"]) if _holds_dates(facts["checks"]) else dict(facts["checks"])
    checks = {name: limit for name, limit in checks.items() if limit is not None}
    for name in checks:
        if name not in _CHECKS_OF_KIND.get(kind, ()):
            raise invalid_field(f"checks.{name}", f"Not with the kind {kind}.", "check_not_wanted")
    for lowest, highest in _RANGES:
        if lowest in checks and highest in checks and checks[lowest] > checks[highest]:
            raise invalid_field(f"checks.{lowest}", f"Must not be above {highest}.", "checks_contradict")
    if kind == "short_text" and checks.get("min_length", 0) > SHORT_TEXT_LENGTH:
        raise invalid_field("checks.min_length", f"A short text has at most {SHORT_TEXT_LENGTH}.", "checks_contradict")
    for name, limit in (("minimum", checks.get("minimum", 0)), ("maximum", -checks.get("maximum", 0))):
        if limit >= BEYOND_ALL_NUMBERS:
            raise invalid_field(f"checks.{name}", "No answer can be such a number.", "checks_contradict")
    if checks.get("min_choices", 0) > len(options):
        raise invalid_field("checks.min_choices", "There are not as many options.", "checks_contradict")
    if checks.get("region", "US") not in phonenumbers.SUPPORTED_REGIONS:
        raise invalid_field("checks.region", "Not a country by its two capital letters, like US.", "unknown_region")
    return {**facts, "checks": checks}


def _asks_again(facts: dict[str, Any]) -> bool:
    """Whether `sealing_up` is to ask once more if the mapped field is sensitive: it may have become so, and said so,
    between the question and the commit."""
    mapping = facts["mapping"]
    return mapping is not None and mapping["target"] == "case" and not facts["sensitive"]


def _holds_dates(checks: dict[str, Any]) -> bool:
    return any(isinstance(limit, dt.date) for limit in checks.values())


def _check_mapping(calls: Any, facts: dict[str, Any]) -> bool:
    """Whether answers go to a field that is sensitive. Raises Invalid, naming `mapping.field`, if an answer to this
    question cannot be written there."""
    kind, mapping = facts["kind"], facts["mapping"]
    if mapping is None:
        return False
    if mapping["target"] == "client":
        if mapping["field"] not in SYSTEM_FIELDS:
            known = ", ".join(SYSTEM_FIELDS)
            raise invalid_field("mapping.field", f"Must be one of: {known}.", "unknown_mapping_field")
        if kind not in _KINDS_OF_FIELD[mapping["field"]]:
            raise invalid_field("mapping.field", f"Cannot take an answer of the kind {kind}.", "mapping_kind_mismatch")
        return False
    try:
        asked = {"field": mapping["field"], "question_kind": kind, "options": facts["options"]}
        return bool(calls.cases.check_mapping(**asked)["sensitive"])
    except Invalid as error:
        message = error.fields[0]["message"] if error.fields else "No case type has such a field for this question."
        raise invalid_field("mapping.field", message, error.code) from error
