"""The routes under /v1/cases/{id} that are about its tasks."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask_smorest import Blueprint

from contracts import cases, tasks
from gateway.endpoints import expose, permitted, query_arguments, start
from gateway.wire import json_response

blueprint = Blueprint("tasks_of_cases", __name__, url_prefix="/v1", description="The tasks of a case.")
# The id stands in each path, not in the prefix: `expose` takes from the body what the path names.
CASE = {"id": "case_id"}

expose(blueprint, "GET", "/cases/<uuid:id>/progress", tasks.GET_CASE_PROGRESS, rename=CASE)
expose(blueprint, "POST", "/cases/<uuid:id>/tasks", tasks.ASSIGN_TASK, rename=CASE, status=201,
       location="/v1/case-tasks")  # fmt: skip


@blueprint.route("/cases/<uuid:id>/tasks", methods=["GET"])
@permitted(tasks.LIST_CASE_TASKS, cases.GET_CASE)
@query_arguments(blueprint, tasks.ListCaseTasks, {"case_id"})
@blueprint.response(200, tasks.LIST_CASE_TASKS.response)
def list_tasks_of_case(query: dict[str, Any], id: Any) -> Response:
    """A case's tasks."""
    exists = start(cases.GET_CASE, case_id=str(id))
    listed = start(tasks.LIST_CASE_TASKS, **query, case_id=str(id))
    exists.result()
    return json_response(listed.result())
