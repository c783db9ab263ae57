"""/v1/forms, and the forms of cases."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask_smorest import Blueprint

from contracts import cases, tasks
from gateway.endpoints import expose, permitted, query_arguments, start
from gateway.wire import json_response

blueprint = Blueprint("forms", __name__, url_prefix="/v1", description="Forms: tasks that are asked together.")
FORM, CASE, CASE_FORM = {"id": "form_id"}, {"id": "case_id"}, {"id": "case_form_id"}

expose(blueprint, "GET", "/forms", tasks.LIST_FORMS)
expose(blueprint, "POST", "/forms", tasks.CREATE_FORM, status=201, location="/v1/forms")
expose(blueprint, "GET", "/forms/<uuid:id>", tasks.GET_FORM, rename=FORM)
expose(blueprint, "PATCH", "/forms/<uuid:id>", tasks.UPDATE_FORM, rename=FORM)
expose(blueprint, "POST", "/forms/<uuid:id>/copy", tasks.COPY_FORM, rename=FORM, status=201, location="/v1/forms")
expose(blueprint, "GET", "/forms/<uuid:id>/versions", tasks.LIST_FORM_VERSIONS, rename=FORM)

expose(blueprint, "POST", "/cases/<uuid:id>/forms", tasks.ASSIGN_FORM, rename=CASE, status=201)
expose(blueprint, "DELETE", "/case-forms/<uuid:id>", tasks.REMOVE_CASE_FORM, rename=CASE_FORM, status=204)


@blueprint.route("/cases/<uuid:id>/forms", methods=["GET"])
@permitted(tasks.LIST_CASE_FORMS, cases.GET_CASE)
@query_arguments(blueprint, tasks.ListCaseForms, {"case_id"})
@blueprint.response(200, tasks.LIST_CASE_FORMS.response)
def list_forms_of_case(query: dict[str, Any], id: Any) -> Response:
    """A case's forms."""
    exists = start(cases.GET_CASE, case_id=str(id))
    listed = start(tasks.LIST_CASE_FORMS, **query, case_id=str(id))
    exists.result()
    return json_response(listed.result())
