"""/v1/automation-rules, and /v1/automation-runs, their log."""

from __future__ import annotations

from flask_smorest import Blueprint

from contracts import tasks
from gateway.endpoints import expose

blueprint = Blueprint("automation", __name__, url_prefix="/v1", description="What a firm has done by itself.")
RULE = {"id": "automation_rule_id"}

expose(blueprint, "GET", "/automation-rules", tasks.LIST_AUTOMATION_RULES)
expose(blueprint, "POST", "/automation-rules", tasks.CREATE_AUTOMATION_RULE, status=201,
       location="/v1/automation-rules")  # fmt: skip
expose(blueprint, "GET", "/automation-rules/<uuid:id>", tasks.GET_AUTOMATION_RULE, rename=RULE)
expose(blueprint, "PATCH", "/automation-rules/<uuid:id>", tasks.UPDATE_AUTOMATION_RULE, rename=RULE)
expose(blueprint, "GET", "/automation-rules/<uuid:id>/runs", tasks.LIST_AUTOMATION_RUNS, rename=RULE)
expose(blueprint, "GET", "/automation-runs", tasks.LIST_AUTOMATION_RUNS)
