"""What cases hold about a client, handed out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.imports.undoing import CUSTOM
from chassis.sections import Section, plain, read_sections
from chassis.value_sets import among
from services.cases.client_merges import following
from services.cases.erasing import cases_of
from services.cases.imports.changes import KEPT
from services.cases.limits import demand_no_limit
from services.cases.models import (
    Case,
    CaseClient,
    CaseImportChange,
    CaseImportClient,
    ClientConsent,
    ClientFacts,
    ClientTag,
    KeyDate,
    StatusChange,
)
from services.cases.sealed_values import is_sealed, opened
from services.cases.type_fields import fields_of

_FOLDED = ("number_folded", "name_folded", "description_folded", "source_folded")


def _key_date(row: KeyDate) -> dict[str, Any]:
    return plain(row, "label_folded")


def export_client_data(db: Database, *, client_id: str, limit: int = 200, cursor: str | None = None) -> dict[str, Any]:
    """`contracts.exporting.ExportedPage`: the client's cases, its part in them, and what filters know of it and of
    those that were merged into it. Of cases that others are on too nothing sensitive: it may be theirs. Raises
    Invalid, Forbidden `limited_to_case_types`."""
    demand_no_limit()
    theirs = select(CaseClient.case_id).where(CaseClient.client_id == client_id)
    sections = [
        Section("case", Case, Case.id.in_(theirs), Case.id, lambda row: plain(row, *_FOLDED)),
        Section("case_key_date", KeyDate, KeyDate.case_id.in_(theirs), KeyDate.id, _key_date),
        Section("case_client", CaseClient, CaseClient.client_id == client_id, CaseClient.case_id),
        Section("case_status_change", StatusChange, StatusChange.case_id.in_(theirs), StatusChange.id),
        Section("import_change", CaseImportChange, CaseImportChange.case_id.in_(theirs), CaseImportChange.id),
        Section("import_client", CaseImportClient, CaseImportClient.client_id == client_id, CaseImportClient.import_id),
    ]
    with db.read() as session:
        for id_ in (client_id, *following.merged_into(session, client_id)):
            sections += [
                Section("client_facts", ClientFacts, ClientFacts.client_id == id_, ClientFacts.client_id),
                Section("client_tag", ClientTag, ClientTag.client_id == id_, ClientTag.tag),
                Section("client_consent", ClientConsent, ClientConsent.client_id == id_, ClientConsent.channel),
            ]
        rows, next_cursor = read_sections(session, sections, limit=limit, cursor=cursor)
        changed = [row for section, row in rows if section.model is CaseImportChange]
        kept = dict(zip((change.id for change in changed), KEPT.of(session, changed), strict=True))
        values = opened(session, {row.id: row.custom_fields for section, row in rows if section.model is Case})
        alone = {case_id for case_id, about in cases_of(session, [client_id]).items() if about["alone"]}
        sensitive = _sensitive_of(session, {*values, *(change.case_id for change in changed)} - alone)
    entries = []
    for section, row in rows:
        clear: dict[str, Any] = {}
        if section.model is Case:
            clear = {"custom_fields": _without(values[row.id], sensitive.get(row.id, ()))}
        if section.model is CaseImportChange and (earlier := kept[row.id]) is not None:
            clear = {"values": _without(earlier, sensitive.get(row.case_id, ()), CUSTOM)}
        entries.append({"kind": section.kind, "data": {**section.show(row), **clear}})
    return {"entries": entries, "files": [], "next_cursor": next_cursor}


def _sensitive_of(session: Session, case_ids: Collection[str]) -> dict[str, set[str]]:
    """By case, the keys of its sensitive fields, removed ones included, and of those whose values are still sealed."""
    found = select(Case.id, Case.case_type_id, Case.custom_fields).where(among(session, Case.id, case_ids))
    cases = session.execute(found).all()
    fields = fields_of(session, {case.case_type_id for case in cases})
    return {
        case.id: {field.key for field in fields[case.case_type_id] if field.sensitive}
        | {key for key, value in case.custom_fields.items() if is_sealed(value)}
        for case in cases
    }


def _without(values: Mapping[str, Any], keys: Collection[str], prefix: str = "") -> dict[str, Any]:
    left_out = {prefix + key for key in keys}
    return {name: value for name, value in values.items() if name not in left_out}
