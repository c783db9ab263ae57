"""The fields of cases that a filter may name, and how they are reached from a case.

A field is a set of values (see `chassis.filters`): `staff_ids`, `client_id`, `key_dates`, a custom field of several
choices, and everything about the clients (one of each) can have several.

`key_dates` are all of a case's, `key_dates.<label>` those under one label, which the firm's people make up as they go:
any label is a field, empty where no case has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.sql.selectable import Select

from chassis.filters.fields import CUSTOM, CUSTOM_KINDS, Catalogue, Field, Kind
from chassis.filters.sql import Column, Rows, TypedColumns, TypedRows
from chassis.texts import is_storable
from contracts.clients import CLIENT_STATUSES
from contracts.messaging import CONSENT_STATES
from services.cases.key_dates import label_key
from services.cases.models import (
    Case,
    CaseClient,
    CaseFieldValue,
    CaseStaff,
    ClientConsent,
    ClientFacts,
    ClientTag,
    CustomField,
    KeyDate,
)
from services.cases.sealed_values import SealedRows

KEY_DATES = "key_dates."
"""What the name of the key dates under a label begins with."""
LONGEST_LABEL = 120


def _rows(of_case: InstrumentedAttribute[str]) -> Select[Any]:
    """The rows of a table that belong to the case, by their index that begins with the case."""
    return select(1).where(of_case == Case.id).correlate(Case)


def _of_clients(model: type[Any]) -> Select[Any]:
    """The rows of a table that are about the clients of the case."""
    clients = select(1).select_from(CaseClient).where(CaseClient.case_id == Case.id).correlate(Case)
    return clients.join(model, model.client_id == CaseClient.client_id)


def _consent(channel: str) -> Field:
    said = _of_clients(ClientConsent).where(ClientConsent.channel == channel)
    return Field(f"clients.consent.{channel}", "word", Rows(said, Column(ClientConsent.state)), CONSENT_STATES)


def _key_dates(label: str) -> Field | None:
    key = label_key(label)
    if not 0 < len(label.strip()) <= LONGEST_LABEL or not is_storable(key):
        return None
    held = _rows(KeyDate.case_id).where(KeyDate.label_folded == key)
    return Field(f"{KEY_DATES}{label}", "day", Rows(held, Column(KeyDate.day)))


CASE_FIELDS = Catalogue(
    "cases",
    Field("number", "text", Column(Case.number, Case.number_folded)),
    Field("name", "text", Column(Case.name, Case.name_folded)),
    Field("description", "text", Column(Case.description, Case.description_folded)),
    Field("source", "text", Column(Case.source, Case.source_folded)),
    Field("external_source", "word", Column(Case.external_source)),
    Field("external_source_id", "word", Column(Case.external_source_id)),
    Field("status", "word", Column(Case.status)),
    Field("state", "word", Column(Case.state), ("open", "closed", "pending")),
    Field("case_type_id", "id", Column(Case.case_type_id)),
    Field("responsible_staff_id", "id", Column(Case.responsible_staff_id)),
    Field("staff_ids", "id", Rows(_rows(CaseStaff.case_id), Column(CaseStaff.staff_id))),
    Field("client_id", "id", Rows(_rows(CaseClient.case_id), Column(CaseClient.client_id))),
    Field("value", "number", Column(Case.value)),
    Field("key_dates", "day", Rows(_rows(KeyDate.case_id), Column(KeyDate.day))),
    Field("created_at", "instant", Column(Case.created_at)),
    Field("updated_at", "instant", Column(Case.updated_at)),
    Field("clients.status", "word", Rows(_of_clients(ClientFacts), Column(ClientFacts.status)), CLIENT_STATUSES),
    Field("clients.tags", "words", Rows(_of_clients(ClientTag), Column(ClientTag.tag))),
    Field("clients.language", "word", Rows(_of_clients(ClientFacts), Column(ClientFacts.language))),
    _consent("sms"),
    _consent("email"),
    _consent("phone"),
    families={KEY_DATES: _key_dates},
)

_VALUES = TypedColumns(
    text=CaseFieldValue.text,
    folded=CaseFieldValue.folded,
    start=CaseFieldValue.start,
    number=CaseFieldValue.number,
    day=CaseFieldValue.day,
)


def custom_meanings(key: str, definitions: Sequence[CustomField], session: Session | None = None) -> list[Field]:
    """A custom field in each kind that it has on the firm's types of case, bound to the types of case where it has it
    (where it has one kind only, and was removed from none: wherever it is stored). `definitions`: all with this key,
    removed ones too. A sensitive one is a field only with a `session` that its values can be looked for with."""
    by_kind: dict[Kind, list[str]] = {}
    sealed: dict[Kind, list[str]] = {}
    for definition in definitions:
        if definition.removed_at is None:
            kinds = sealed if definition.sensitive else by_kind
            kinds.setdefault(CUSTOM_KINDS[definition.type], []).append(definition.case_type_id)
    uniform = len(by_kind) == 1 and not sealed and all(definition.removed_at is None for definition in definitions)
    held = _rows(CaseFieldValue.case_id).where(CaseFieldValue.key == key)
    meanings = [
        Field(
            f"{CUSTOM}{key}",
            kind,
            TypedRows(held, _VALUES, None if uniform else Case.case_type_id.in_(sorted(case_type_ids))),
        )
        for kind, case_type_ids in sorted(by_kind.items())
    ]
    if session is not None:
        meanings += [
            Field(
                f"{CUSTOM}{key}",
                kind,
                SealedRows(session, key, held, Case.case_type_id.in_(sorted(case_type_ids))),
                narrow=True,
            )
            for kind, case_type_ids in sorted(sealed.items())
        ]
    return meanings
