"""Whether ids are clients of the firm, by the word of `clients`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from contracts.errors import Gone, NotFound


def demand_clients(answer: Mapping[str, Any], client_ids: Iterable[str]) -> None:
    """Looks for ids in the answer of `clients.get_client_facts`. Raises Gone `client_merged` with `surviving_id`, or
    NotFound `client_not_found`, for the first that is not there."""
    known = {client["client_id"] for client in answer["clients"]}
    merged = {entry["client_id"]: entry["surviving_id"] for entry in answer.get("merged") or ()}
    for client_id in client_ids:
        if client_id in merged:
            raise gone(client_id, merged[client_id])
        if client_id not in known:
            raise NotFound("client_not_found", client_id=client_id)


def gone(client_id: str, surviving_id: str) -> Gone:
    """The error for a client that was merged into another one."""
    return Gone("client_merged", client_id=client_id, surviving_id=surviving_id)
