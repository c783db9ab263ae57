"""What cases hold about a client, handed out."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from chassis.database import Database
from chassis.sections import Section, plain, read_sections
from services.cases.client_merges import following
from services.cases.imports.changes import values_of
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
from services.cases.sealed_values import opened

_FOLDED = ("number_folded", "name_folded", "description_folded", "source_folded")


def _key_date(row: KeyDate) -> dict[str, Any]:
    return plain(row, "label_folded")


def export_client_data(db: Database, *, client_id: str, limit: int = 200, cursor: str | None = None) -> dict[str, Any]:
    """`contracts.exporting.ExportedPage`: the client's cases, its part in them, and what filters know of it and of
    those that were merged into it. Raises Invalid."""
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
        changes = values_of(session, [row for section, row in rows if section.model is CaseImportChange])
        values = opened(session, {row.id: row.custom_fields for section, row in rows if section.model is Case})
    entries = []
    for section, row in rows:
        clear: dict[str, Any] = {"custom_fields": values[row.id]} if section.model is Case else {}
        if section.model is CaseImportChange:
            clear = {"values": changes.get(row.case_id)}
        entries.append({"kind": section.kind, "data": {**section.show(row), **clear}})
    return {"entries": entries, "files": [], "next_cursor": next_cursor}
