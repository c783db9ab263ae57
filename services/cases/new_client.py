"""A case together with a new client, in one request that leaves no half behind, whatever ends when.

1. A pending case is committed, with the client's id chosen beforehand and its data.
2. `clients.create_client` is asked for exactly that id: a repeat answers the client as it is.
3. The case becomes active, and only then says `case.created.v1`. The client's data is cleared.

A refusal by the owner of clients (a duplicate, a wrong phone) takes the pending case away and goes to the caller. What
ends in between is finished by `finish_due`, again and again until it is done; a repeat of the request under its
idempotency key finds the same case. Whoever was told that the case waits cannot be asked about a duplicate any more:
then the client is made all the same, and is among the suspected duplicates.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import delete, select

from chassis import idempotency
from chassis.bookkeeping import KEEP_KEYS
from chassis.columns import new_id
from chassis.context import Context, use
from chassis.database import Database, UnitOfWork
from chassis.going_on import Failures
from chassis.rpc import RemoteFault
from chassis.telemetry import log_of
from contracts.cases import CASE_CREATED, CreateCase
from contracts.errors import CasewireError, Conflict, DeadlineExceeded, Invalid, NotFound, Unavailable
from services.cases.case_events import emit_case
from services.cases.case_staff import demand_staff
from services.cases.client_facts import keep_facts
from services.cases.models import (
    Case,
    CaseClient,
    CaseFieldValue,
    CaseKey,
    CaseListMember,
    CaseStaff,
    KeyDate,
    NewClientRequest,
    StatusChange,
)
from services.cases.new_client_requests import client_data_of, request_of_key, sealed_client_data
from services.cases.numbering import day_of_numbers, with_a_number
from services.cases.reading import answer, find_case, get_case
from services.cases.records import add_case
from services.cases.type_statuses import statuses_of
from services.cases.uniqueness import typed_clashes

Record = dict[str, Any]

PATIENCE = dt.timedelta(seconds=30)
"""How long the request itself has before the timer takes over. (Both at once do no harm.)"""
SHORTEST_WAIT = dt.timedelta(seconds=5)
LONGEST_WAIT = dt.timedelta(hours=1)
AT_ONCE = 50

_ROWS: tuple[type[Any], ...] = (
    NewClientRequest, CaseKey, CaseClient, CaseStaff, CaseFieldValue, KeyDate, CaseListMember, StatusChange
)  # fmt: skip
"""What there may be of a pending case."""

_FACTS = ("version", "status", "language", "tags")

_schema = CreateCase().fields["new_client"].schema  # type: ignore[attr-defined]
_log = log_of(__name__)


def create_case_with_new_client(
    db: Database, calls: Any, command: Record, *, actor_id: str | None, now: dt.datetime
) -> Record:
    """The active case; or the pending one, if the owner of clients cannot be asked now.

    Raises Invalid and Conflict of clients, with their fields under `new_client.`, besides what `create_case` raises.
    """
    with db.read() as session:
        begun = request_of_key(session)
    if begun is None:
        demand_staff(calls, command)
    today = day_of_numbers(db, calls, command, now=now) if begun is None else None

    def write() -> str:
        with typed_clashes(), db.unit_of_work() as uow:
            return _begun_before(uow, now) or _begin(uow, command, actor_id, now, today)

    case_id = with_a_number(command, write)
    try:
        return finish(db, calls, case_id, now=now)
    except (Unavailable, DeadlineExceeded, RemoteFault):
        # Not stored as the answer: a repeat under the same key goes on from here.
        return get_case(db, case_id)


def finish(db: Database, calls: Any, case_id: str, *, now: dt.datetime, duplicate_too: bool = False) -> Record:
    """Creates the client of a pending case, with `duplicate_too` whomever it resembles, and makes the case active.
    Raises what the owner of clients raises."""
    with db.read() as session:
        statement = select(NewClientRequest).where(NewClientRequest.case_id == case_id)
        request = session.scalars(statement).one_or_none()
        client_data = None if request is None else client_data_of(session, request)
    if request is None:
        raise NotFound("case_not_found", case_id=case_id)
    facts: list[Record] = []
    if request.settled_at is None:
        if client_data is None:
            # Erased since, with all that was known of the person.
            _take_away(db, case_id)
            raise Conflict("client_deleted", client_id=request.client_id)
        asked = _schema.load(client_data) | ({"skip_duplicate_check": True} if duplicate_too else {})
        try:
            client = calls.clients.create_client(client_id=request.client_id, **asked)
        except (Invalid, Conflict) as refused:
            if refused.code == "idempotency_key_in_use":
                raise Unavailable("client_being_created") from refused
            if not _take_away(db, case_id):
                # The timer has finished it meanwhile, or a repeat has taken it away.
                return get_case(db, case_id)
            raise _of_new_client(refused) from refused
        # The one into which it was merged, if it was.
        facts = [{"client_id": client["id"], **{name: client[name] for name in _FACTS}}]
    with db.unit_of_work() as uow:
        case = find_case(uow.session, case_id, lock=True)
        pending = uow.session.scalars(statement.with_for_update()).one_or_none()
        if pending is not None and pending.settled_at is None:
            pending.settle(now)
        statuses = statuses_of(uow.session, [case.case_type_id])[case.case_type_id]
        if case.activate(next(status for status in statuses if status.name == case.status), now):
            keep_facts(uow, facts)
            uow.session.flush()
            emit_case(uow, CASE_CREATED, case)
        return answer(uow, case)


def finish_due(db: Database, calls: Any, *, now: dt.datetime) -> int:
    """Finishes the pending cases of all firms that are due, and forgets the requests whose keys have expired.

    Returns how many were finished. One that fails waits twice as long before its next turn, an hour at most, and keeps
    no other one waiting; what nobody expected is raised in the end.
    """
    due = (NewClientRequest.settled_at.is_(None), NewClientRequest.due_at <= now)
    columns = (NewClientRequest.firm_id, NewClientRequest.case_id)
    with db.across_firms("pending cases are finished by a timer").read() as session:
        waiting = session.execute(select(*columns).where(*due).order_by(NewClientRequest.due_at).limit(AT_ONCE)).all()
    finished = 0
    with Failures() as failures:
        for firm_id, case_id in waiting:
            firm_db = db.for_firm(firm_id)
            with use(Context(firm_id=firm_id)), failures.kept(firm_id=firm_id, case_id=case_id):
                if not _take_turn(firm_db, case_id, now):
                    continue
                try:
                    finish(firm_db, calls, case_id, now=now, duplicate_too=True)
                    finished += 1
                except CasewireError as error:
                    _log.warning("pending_case_not_finished", firm_id=firm_id, case_id=case_id, code=error.code)
        with db.across_firms("settled requests of all firms are forgotten with their keys").unit_of_work() as uow:
            uow.session.execute(delete(NewClientRequest).where(NewClientRequest.settled_at < now - KEEP_KEYS))
    return finished


def _begun_before(uow: UnitOfWork, now: dt.datetime) -> str | None:
    """The case that this request began earlier. Raises Invalid `idempotency_key_reused` if another one did."""
    keyed, found = idempotency.running(), request_of_key(uow.session)
    if keyed is None or found is None:
        return None
    if found.settled_at is not None and found.settled_at < now - KEEP_KEYS:
        uow.session.delete(found)
        uow.session.flush()
        return None
    if found.request_hash != keyed.request_hash:
        raise Invalid("idempotency_key_reused", operation=keyed.operation)
    return found.case_id


def _begin(uow: UnitOfWork, command: Record, actor_id: str | None, now: dt.datetime, today: dt.date | None) -> str:
    client_id = new_id()
    clients = [{"client_id": client_id, "role": "primary", "label": None}]
    case = add_case(uow, command, clients, actor_id=actor_id, now=now, today=today, pending=True)
    keyed = idempotency.running()
    uow.session.add(
        NewClientRequest(
            case_id=case.id,
            client_id=client_id,
            client_data=sealed_client_data(uow, case.id, _schema.dump(command["new_client"])),
            idempotency_key=keyed.key if keyed else None,
            request_hash=keyed.request_hash if keyed else None,
            attempts=0,
            due_at=now + PATIENCE,
        )
    )
    return case.id


def _take_turn(db: Database, case_id: str, now: dt.datetime) -> bool:
    """Counts one more attempt and sets the next one's time; False if it is another's turn, or done."""
    due = (NewClientRequest.case_id == case_id, NewClientRequest.settled_at.is_(None), NewClientRequest.due_at <= now)
    with db.unit_of_work() as uow:
        request = uow.session.scalars(select(NewClientRequest).where(*due).with_for_update()).one_or_none()
        if request is None:
            return False
        request.attempts += 1
        request.due_at = now + min(SHORTEST_WAIT * 2 ** min(request.attempts, 10), LONGEST_WAIT)
        return True


def _take_away(db: Database, case_id: str) -> bool:
    """Removes a case with all its rows; False if it is not pending any more."""
    with db.unit_of_work() as uow:
        case = uow.session.scalars(
            select(Case).where(Case.id == case_id, Case.state == "pending").with_for_update()
        ).one_or_none()
        if case is None:
            return False
        for model in _ROWS:
            uow.session.execute(delete(model).where(model.case_id == case_id))
        uow.session.delete(case)
    return True


def _of_new_client(refused: CasewireError) -> CasewireError:
    fields = [{**entry, "field": f"new_client.{entry['field']}"} for entry in refused.fields]
    return type(refused)(refused.code, fields=fields, **refused.meta)
