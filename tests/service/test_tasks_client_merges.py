"""tasks: what clients answered who were merged."""

from __future__ import annotations

from sqlalchemy import select

from chassis.columns import new_id
from chassis.context import Context, use
from services.tasks import answers, facts, views
from services.tasks.models import CaseTask
from tests.service.merges import Merge
from tests.service.tasks_office import NOW, Office, database, office

__all__ = ["database", "office"]


def answered(office: Office, client_id: str) -> str:
    """A case task that this client has answered."""
    task_id: str = office.assign()["id"]
    with use(Context(firm_id=office.firm_id, actor_id=client_id, actor_kind="client")):
        answers.submit_answer(
            office.db,
            office.calls,
            NOW,
            case_task_id=task_id,
            answer="+12125550123",
            client_id=client_id,
            link_id=new_id(),
        )
    return task_id


def whose(office: Office, task_id: str) -> str | None:
    with office.db.read() as session:
        return session.scalar(select(CaseTask.client_id).where(CaseTask.id == task_id))


def test_what_the_merged_client_answered_is_the_survivors_and_goes_back(office: Office) -> None:
    one, two = new_id(), new_id()
    mine, own, other = answered(office, two), answered(office, one), answered(office, new_id())
    untouched = views.get_case_task(office.db, NOW, other)
    made = Merge(office.service, office.firm_id, one, two).told()
    assert (whose(office, mine), whose(office, own)) == (one, one)
    since = answered(office, one)
    late = answered(office, two)
    assert whose(office, late) == two
    made.told()
    assert whose(office, late) == one
    made.undone()
    assert [whose(office, task) for task in (mine, own, since, late)] == [two, one, one, two]
    assert views.get_case_task(office.db, NOW, other) == untouched


def test_a_mapped_answer_still_tells_how_it_came(office: Office) -> None:
    template = office.template(mapping={"target": "client", "field": "phone"})
    task = office.assign(template_id=template)
    one, (two,), task_id = new_id(), office.cases.clients[task["case_id"]], task["id"]
    answers.submit_answer(
        office.db, office.calls, NOW, case_task_id=task_id, answer="+12125550123", client_id=two, link_id=None
    )
    Merge(office.service, office.firm_id, one, two).told()
    [answer] = facts.get_mapped_answers(office.db, office.calls, [task_id])["answers"]
    assert (answer["client_id"], answer["answer_version"]) == (one, 1)


def test_an_undo_that_comes_first_leaves_everything_where_it_is(office: Office) -> None:
    one, two = new_id(), new_id()
    mine = answered(office, two)
    Merge(office.service, office.firm_id, one, two).undone().told()
    assert whose(office, mine) == two
