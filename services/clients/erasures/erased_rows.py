"""The rows of a client, in whatever tables, and their end."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import delete, or_, select

from chassis.database import UnitOfWork
from chassis.value_sets import among
from services.clients.models import Base, Client, ClientMerge, FormerExternalId, MergeMove
from services.clients.search import search_index

KEPT_TABLES = frozenset({"erasure", "erasure_report", "erased_client"})
"""What is left of an erased client: ids and figures."""
WITHOUT_CLIENTS = {
    "applied_answer": "case tasks and figures",
    "client_field": "the firm's own names",
    "client_former_external_id": "scrubbed with its merge",
    "client_group": "the firm's own names",
    "client_merge": "scrubbed by the ids of both",
    "client_merge_move": "scrubbed with its merge",
    "company": "shared by all firms, and holds nothing of theirs",
    "company_proposal": "what a firm proposes for the shared directory",
    "contact": "another person, who stays when a client goes, and goes when it is deleted itself",
    "deleted_contact": "another person, whose addresses go as soon as messaging has forgotten them",
    "file_import": "counts and settings of a file; what is in the file, `erased_files` looks after",
    "filter_use": "ids",
    "firm_key": "keys of the firm; a client's own goes with the client",
    "import_row": "numbers of rows and codes",
    "not_duplicate": "ids of two clients, and goes with either",
    "saved_filter": "the firm's own questions",
    "suspect_sweep": "how far it is",
    "suspected_pair": "ids of two clients, and goes with either",
}
"""Tables without the column `client_id`, and what they hold instead."""


def scrub_clients(uow: UnitOfWork, client_ids: Collection[str]) -> dict[str, dict[str, int]]:
    """Deletes every row of these clients from every table that has any, and the answers that hold them; returns how
    many by client and table.

    A table belongs to a client by its column `client_id`: a new one is erased without a word said here. What refers to
    a client otherwise is named above, and a test looks for what nobody thought of.
    """
    counts: dict[str, dict[str, int]] = {}
    for model in tables_of_clients():
        gone = (
            delete(model)
            .where(among(uow.session, model.client_id, client_ids))
            .returning(model.client_id)
            .execution_options(synchronize_session=False)
        )
        for client_id in uow.session.scalars(gone):
            mine = counts.setdefault(client_id, {})
            mine[model.__tablename__] = mine.get(model.__tablename__, 0) + 1
    _scrub_merges(uow, client_ids)
    rows = delete(Client).where(among(uow.session, Client.id, client_ids)).returning(Client.id)
    for client_id in uow.session.scalars(rows.execution_options(synchronize_session=False)):
        counts.setdefault(client_id, {})["client"] = 1
    search_index.forget_deleted(uow)
    uow.forget_mentions(sorted(client_ids))
    return counts


def _scrub_merges(uow: UnitOfWork, client_ids: Collection[str]) -> None:
    """What was kept for an undo. A merge with somebody who is not erased is undone by then, or is one with nobody."""
    theirs = or_(
        among(uow.session, ClientMerge.surviving_id, client_ids), among(uow.session, ClientMerge.merged_id, client_ids)
    )
    merge_ids = list(uow.session.scalars(select(ClientMerge.id).where(theirs)))
    for model, column in (
        (MergeMove, MergeMove.merge_id),
        (FormerExternalId, FormerExternalId.merge_id),
        (ClientMerge, ClientMerge.id),
    ):
        gone = delete(model).where(among(uow.session, column, merge_ids))
        uow.session.execute(gone, execution_options={"synchronize_session": False})


def tables_of_clients() -> list[Any]:
    """The models whose rows are one client's, those that refer to others first."""
    models = {mapper.class_.__tablename__: mapper.class_ for mapper in Base.registry.mappers}
    return [
        models[table.name]
        for table in reversed(Base.metadata.sorted_tables)
        if table.name in models and "client_id" in table.c and table.name not in KEPT_TABLES
    ]
