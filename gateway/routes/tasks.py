"""/v1/task-templates, /v1/case-tasks and what is done to many of them at once."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask_smorest import Blueprint

from contracts import tasks
from gateway.endpoints import expose, permitted, query_arguments
from gateway.tables import csv_of_list

blueprint = Blueprint("tasks", __name__, url_prefix="/v1", description="Tasks: what clients are asked to do.")
TEMPLATE, TASK, BULK = {"id": "task_template_id"}, {"id": "case_task_id"}, {"id": "bulk_assignment_id"}
LEFT_OUT = ("case_id", "template_id", "form_id", "title", "reason")

expose(blueprint, "GET", "/task-templates", tasks.LIST_TASK_TEMPLATES)
expose(blueprint, "POST", "/task-templates", tasks.CREATE_TASK_TEMPLATE, status=201, location="/v1/task-templates")
expose(blueprint, "GET", "/task-templates/<uuid:id>", tasks.GET_TASK_TEMPLATE, rename=TEMPLATE)
expose(blueprint, "PATCH", "/task-templates/<uuid:id>", tasks.UPDATE_TASK_TEMPLATE, rename=TEMPLATE)
expose(blueprint, "POST", "/task-templates/<uuid:id>/copy", tasks.COPY_TASK_TEMPLATE, rename=TEMPLATE, status=201,
       location="/v1/task-templates")  # fmt: skip

expose(blueprint, "GET", "/case-tasks", tasks.LIST_CASE_TASKS)
expose(blueprint, "GET", "/case-tasks/<uuid:id>", tasks.GET_CASE_TASK, rename=TASK)
expose(blueprint, "PATCH", "/case-tasks/<uuid:id>", tasks.UPDATE_CASE_TASK, rename=TASK)
# A link says who answers; the API answers as staff, and may name the client who gave the answer.
expose(blueprint, "POST", "/case-tasks/<uuid:id>/answer", tasks.SUBMIT_ANSWER, rename=TASK, leave_out={"link_id"})
expose(blueprint, "PUT", "/case-tasks/<uuid:id>/draft", tasks.SAVE_DRAFT, rename=TASK, leave_out={"client_id"})
expose(blueprint, "POST", "/case-tasks/<uuid:id>/reopen", tasks.REOPEN_CASE_TASK, rename=TASK)
expose(blueprint, "GET", "/case-tasks/<uuid:id>/changes", tasks.LIST_CASE_TASK_CHANGES, rename=TASK)

expose(blueprint, "POST", "/case-tasks/bulk-assign", tasks.BULK_ASSIGN, status=202,
       location="/v1/case-tasks/bulk-assignments")  # fmt: skip
expose(blueprint, "GET", "/case-tasks/bulk-assignments", tasks.LIST_BULK_ASSIGNMENTS)
expose(blueprint, "GET", "/case-tasks/bulk-assignments/<uuid:id>", tasks.GET_BULK_ASSIGNMENT, rename=BULK)
expose(blueprint, "POST", "/case-tasks/bulk-assignments/<uuid:id>/cancel", tasks.CANCEL_BULK_ASSIGNMENT, rename=BULK)
expose(blueprint, "GET", "/case-tasks/bulk-assignments/<uuid:id>/left-out", tasks.LIST_LEFT_OUT, rename=BULK)
expose(blueprint, "POST", "/case-tasks/bulk-notify", tasks.REQUEST_NOTIFICATIONS, status=202)


@blueprint.route("/case-tasks/bulk-assignments/<uuid:id>/left-out.csv", methods=["GET"])
@permitted(tasks.LIST_LEFT_OUT)
@query_arguments(blueprint, tasks.ListLeftOut, {"bulk_assignment_id", "limit", "cursor"})
@blueprint.response(200, {"type": "string", "format": "binary"}, content_type="text/csv")
def export_left_out(query: dict[str, Any], id: Any) -> Response:
    """What a bulk assignment left out, and why."""
    asked = {**query, "bulk_assignment_id": str(id)}
    return csv_of_list(tasks.LIST_LEFT_OUT, asked, filename="left-out.csv", columns=LEFT_OUT, cells_of=dict)
