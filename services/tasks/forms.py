"""Forms: made, changed in versions, copied and taken out of use.

Each change is a version of its own, of which nothing changes any more: a case keeps the version that it was assigned.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis import paging
from chassis.database import Database, UnitOfWork
from chassis.value_sets import among
from contracts.errors import NotFound
from services.tasks import form_contents, staff
from services.tasks.models import Form, FormVersion

Record = dict[str, Any]


def create_form(
    db: Database, calls: Any, now: dt.datetime, *, title: str, description: str | None, sections: list[Record]
) -> Record:
    """A new form, in its first version.

    Raises Invalid that names the place: `duplicate_key`, `too_many_tasks`, `template_not_found`, `template_archived`,
    `unknown_staff`, `inactive_staff`, and what is wrong with a condition or a due rule.
    """
    form_contents.check_shape(title, sections)
    staff.demand_staff(calls, form_contents.staff_of(sections))
    with db.unit_of_work() as uow:
        form_contents.check_templates(uow.session, sections)
        form = Form(created_at=now, updated_at=now)
        content = form_contents.content_of(title, description, sections)
        return uow.answer(_keep(uow, form, content, now))


def get_form(db: Database, form_id: str, version: int | None = None) -> Record:
    """The form as it is, or as it was in a version. Raises NotFound `form_not_found`, `form_version_not_found`."""
    with db.read() as session:
        form = load_form(session, form_id)
        kept = load_version(session, form_id, form.version if version is None else version)
        shown = form_view(form, kept.content)
        return shown if version is None else {**shown, "version": version, "updated_at": kept.created_at}


def list_forms(db: Database, *, archived: bool, limit: int, cursor: str | None, sort: str | None) -> Record:
    """A page of the forms in use, or of those that are archived. `sort`: title (the default), created_at."""
    with db.read() as session:
        forms, meta = paging.page(
            session,
            select(Form).where(Form.archived.is_(archived)),
            model=Form,
            sorts={"title": Form.title, "created_at": Form.created_at},
            default_sort="title",
            limit=limit,
            cursor=cursor,
            sort=sort,
        )
        contents = newest(session, [form.id for form in forms])
        return {"data": [_summary(form, contents[form.id].content) for form in forms], "meta": meta}


def update_form(
    db: Database, calls: Any, now: dt.datetime, *, form_id: str, changes: Record, expected_version: int | None
) -> Record:
    """Changes a form, which makes a version unless nothing is another. Cases keep what they were assigned.

    Raises NotFound `form_not_found`, Conflict `stale_version`, and Invalid as `create_form` does, also where one that
    comes back has a condition that does not fit any more. A template that was archived, or a staff member who left,
    since the form names them may stay.
    """
    with db.read() as session:
        before = load_form(session, form_id)
        before.expect_version(expected_version)
        old = load_version(session, form_id, before.version).content
    sections = changes.get("sections")
    form_contents.check_shape(changes.get("title"), sections or [])
    if sections is not None:
        known = {staff_id for _, staff_id in form_contents.staff_of(old["sections"])}
        named = form_contents.staff_of(sections)
        staff.demand_staff(calls, [(path, staff_id) for path, staff_id in named if staff_id not in known])
    with db.unit_of_work() as uow:
        form = load_form(uow.session, form_id, lock=True)
        # What was checked together must still be together.
        form.expect_version(before.version)
        if sections is not None:
            form_contents.check_templates(uow.session, sections, form_contents.templates_in(old["sections"]))
        content = {name: changes.get(name, old[name]) for name in ("title", "description")}
        content["sections"] = old["sections"] if sections is None else form_contents.sections_of(sections)
        archived = changes.get("archived", form.archived)
        if sections is None and form.archived and not archived:
            _check_again(uow, old)
        if (content, archived) == (old, form.archived):
            return uow.answer(form_view(form, old))
        form.archived = archived
        form.touch(now)
        return uow.answer(_keep(uow, form, content, now))


def copy_form(db: Database, now: dt.datetime, *, form_id: str, title: str) -> Record:
    """A form like another one, under its own title. The keys are the same, so that conditions mean the same.

    Raises NotFound `form_not_found`, Invalid on a blank title, or a condition of an archived one that does not fit any
    more.
    """
    form_contents.check_shape(title, [])
    with db.unit_of_work() as uow:
        original = load_form(uow.session, form_id)
        content = load_version(uow.session, form_id, original.version).content
        if original.archived:
            _check_again(uow, content)
        copied = Form(created_at=now, updated_at=now)
        return uow.answer(_keep(uow, copied, {**content, "title": title}, now))


def list_form_versions(db: Database, *, form_id: str, limit: int, cursor: str | None, sort: str | None) -> Record:
    """A page of a form's versions, the newest first. Raises NotFound `form_not_found`."""
    order = sort or "-version"
    column = paging.allowed_sort({"version": FormVersion.version}, order)
    with db.read() as session:
        form = load_form(session, form_id)
        rows, following = paging.page_rows(
            session,
            select(FormVersion).where(FormVersion.form_id == form_id),
            column=column,
            ids=FormVersion.form_id,
            sort=order,
            place=lambda row: (row[0].version, row[0].form_id),
            limit=limit,
            cursor=cursor,
        )
        data = [
            {
                "version": kept.version,
                "title": kept.content["title"],
                "tasks": form_contents.count_tasks(kept.content["sections"]),
                "created_at": kept.created_at,
            }
            for (kept,) in rows
        ]
        # Versions have no gaps.
        return {"data": data, "meta": {**paging.meta_of(form.version), "next_cursor": following}}


def get_form_facts(db: Database, form_ids: list[str]) -> Record:
    """Title, version and whether it is archived, of each form. Unknown ids are left out."""
    with db.read() as session:
        found = session.scalars(select(Form).where(among(session, Form.id, form_ids)))
        return {
            "forms": [
                {"form_id": form.id, "title": form.title, "version": form.version, "archived": form.archived}
                for form in found
            ]
        }


def load_form(session: Session, form_id: str, *, lock: bool = False) -> Form:
    """Raises NotFound `form_not_found`."""
    statement = select(Form).where(Form.id == form_id)
    form = session.scalars(statement.with_for_update() if lock else statement).one_or_none()
    if form is None:
        raise NotFound("form_not_found", form_id=form_id)
    return form


def load_version(session: Session, form_id: str, version: int) -> FormVersion:
    """Raises NotFound `form_version_not_found`."""
    statement = select(FormVersion).where(FormVersion.form_id == form_id, FormVersion.version == version)
    kept = session.scalars(statement).one_or_none()
    if kept is None:
        raise NotFound("form_version_not_found", form_id=form_id, version=version)
    return kept


def newest(session: Session, form_ids: list[str]) -> dict[str, FormVersion]:
    """The newest version of each form, by the form's id. Unknown ids are left out."""
    statement = (
        select(FormVersion)
        .join(Form, (Form.id == FormVersion.form_id) & (Form.version == FormVersion.version))
        .where(among(session, FormVersion.form_id, form_ids))
    )
    return {kept.form_id: kept for kept in session.scalars(statement)}


def form_view(form: Form, content: Record) -> Record:
    """The contract's Form, what it asks as in `content`."""
    return {
        **content,
        "id": form.id,
        "version": form.version,
        "created_at": form.created_at,
        "updated_at": form.updated_at,
        "archived": form.archived,
        "sections": form_contents.sections_in(content),
    }


def _summary(form: Form, content: Record) -> Record:
    names = ("id", "version", "created_at", "updated_at", "title", "description", "archived")
    return {**{name: getattr(form, name) for name in names}, "tasks": form_contents.count_tasks(content["sections"])}


def _check_again(uow: UnitOfWork, content: Record) -> None:
    """Before what was archived comes into use: its templates could be changed without regard to it."""
    form_contents.check_templates(uow.session, content["sections"], form_contents.templates_in(content["sections"]))


def _keep(uow: UnitOfWork, form: Form, content: Record, now: dt.datetime) -> Record:
    """Writes a form and this version of it."""
    form.title, form.description = content["title"], content["description"]
    uow.session.add(form)
    uow.session.flush()
    uow.session.add(FormVersion(form_id=form.id, version=form.version, content=content, created_at=now))
    return form_view(form, content)
