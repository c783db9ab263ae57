"""A client's card: one request for what seven take, beside the slowest of the seven.

Each of the clients has cases with tasks, notes, a log of calls, and messages. The card and the single requests
are asked for by turns, one after the other, so that what else goes on meets them all.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

from bench.mailing import Office, office
from bench.stage import Stage
from deploy.demo.api import Api
from tests.many_cases import Plan

NEEDS_SERVERS = False

PLAN = Plan(cases=1_000, couples=0, opted_out=0, clients_each=1)
CLIENTS = 40
ROUNDS = 12
PROMISED = 1.5
ENTRIES = 10
SINGLE = ("", "/activity", "/notes", "/communications", "/cases", "/tasks", "/preferences")
"""The routes under /v1/clients/{id} that show what a card is made of."""


def report(stage: Stage | None) -> list[str]:
    """The lines to print."""
    with office(32) as firm:
        selector = firm.add_cases(PLAN)
        firm.send(selector, PLAN, again=False)
        api = firm.running.api
        clients = _clients_with_much(firm, api)
        took: dict[str, list[float]] = {route: [] for route in (*SINGLE, "/card")}
        for round_ in range(ROUNDS):
            for client_id in clients:
                for route in took:
                    began = time.perf_counter()
                    card = api.get(f"/v1/clients/{client_id}{route}")
                    if round_:  # the first warms up
                        took[route].append(time.perf_counter() - began)
            assert card["statistics"]["open_tasks"] >= 1, card["statistics"]
    p95 = {route: _p95(times) for route, times in took.items()}
    slowest = max(SINGLE, key=p95.__getitem__)
    ratio = p95["/card"] / p95[slowest]
    one_by_one = sum(statistics.median(took[route]) for route in SINGLE)
    return [
        f"a card of {len(SINGLE)} parts: median {1000 * statistics.median(took['/card']):.1f} ms, p95 "
        f"{1000 * p95['/card']:.1f} ms; {ratio:.2f} x the slowest single request, {slowest or 'the record'}, p95 "
        f"{1000 * p95[slowest]:.1f} ms (promised {PROMISED}, {'reached' if ratio <= PROMISED else 'NOT reached'})",
        f"the same one by one: {1000 * one_by_one:.1f} ms in the median",
    ]


def _clients_with_much(firm: Office, api: Api) -> list[str]:
    clients = [client["id"] for client in api.get("/v1/clients", limit=CLIENTS)["data"]]
    for client_id in clients:
        for number in range(ENTRIES):
            call: dict[str, Any] = {"kind": "call", "notes": f"Call {number}: they will send the deed."}
            api.post(f"/v1/clients/{client_id}/communications", call)
            api.post(f"/v1/clients/{client_id}/notes", {"text": f"Note {number}: prefers mornings."})
    firm.settle()
    return clients


def _p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1]
