"""Rules in the whole system: an answer moves a case, which brings the next form; staff and client are told."""

from __future__ import annotations

import uuid
from typing import Any

from tests.systems import Embedded, eventually


def test_an_answered_task_moves_its_case_and_the_case_gets_what_comes_next(system: Embedded) -> None:
    api, name = system.api, uuid.uuid4().hex[:6]
    person = api.post("/v1/clients", {"first_name": "Bea", "phones": [{"number": "+12125553991", "kind": "mobile"}]})
    statuses = [{"name": f"Open {name}"}, {"name": f"In court {name}"}, {"name": f"Done {name}", "closed": True}]
    kind = api.post("/v1/case-types", {"name": f"Probate {name}", "statuses": statuses})
    owner = next(member for member in api.get("/v1/staff")["data"] if member["role"] == "owner")
    clients = [{"client_id": person["id"], "role": "primary"}]
    opening = {"case_type_id": kind["id"], "clients": clients, "responsible_staff_id": owner["id"]}
    case = api.post("/v1/cases", {"name": "Doe", **opening})
    template = api.post("/v1/task-templates", {"title": "Your court", "kind": "short_text", "required": True})
    tasks = [{"key": "court", "template_id": template["id"]}]
    form = api.post("/v1/forms", {"title": f"Hearing {name}", "sections": [{"title": "Only", "tasks": tasks}]})

    variants = [{"channel": "sms", "body": f"{name}: your next questions are at {{{{ task.link }}}}"}]
    words = api.post("/v1/message-templates", {"name": f"Court {name}", "variants": variants})

    def rule(trigger: dict[str, Any], *actions: dict[str, Any]) -> str:
        node = {"field": "state", "op": "eq", "value": "open"}
        given = {"name": uuid.uuid4().hex, "trigger": trigger, "filter": node, "actions": list(actions)}
        made: str = api.post("/v1/automation-rules", given)["id"]
        return made

    moving = {"kind": "change_status", "status": f"In court {name}"}
    first = rule({"kind": "task_completed", "template_id": template["id"]}, moving)
    second = rule(
        {"kind": "case_status_changed", "case_type_id": kind["id"], "to_status": f"In court {name}"},
        {"kind": "assign_form", "form_id": form["id"]},
        {"kind": "notify_staff", "title": f"To court {name}", "notify_responsible": True},
        {"kind": "send_template", "message_template_id": words["id"], "channels": ["sms"]},
    )
    task = api.post(f"/v1/cases/{case['id']}/tasks", {"template_id": template["id"]})
    api.post(f"/v1/case-tasks/{task['id']}/answer", {"answer": "North"})

    forms = eventually(lambda: api.get(f"/v1/cases/{case['id']}/forms")["data"], "the form on the case")
    assert [entry["form_id"] for entry in forms] == [form["id"]]
    assert api.get(f"/v1/cases/{case['id']}")["status"] == f"In court {name}"
    log = api.get("/v1/automation-runs", case_id=case["id"])["data"]
    found = {run["automation_rule_id"]: (run["state"], run["depth"]) for run in log}
    assert found == {first: ("done", 0), second: ("done", 1)}
    assert len({run["chain_id"] for run in log}) == 1
    assert [run["case_id"] for run in api.get(f"/v1/automation-rules/{second}/runs")["data"]] == [case["id"]]

    def noticed() -> Any:
        return [notice for notice in api.get("/v1/notifications")["data"] if name in notice["title"]]

    (notice,) = eventually(noticed, "a notice")
    assert (notice["kind"], notice["about"]["case_id"]) == ("automation", case["id"])

    def reported() -> Any:
        (run,) = api.get(f"/v1/automation-rules/{second}/runs")["data"]
        return run["outcomes"][2] if "deliveries" in run["outcomes"][2] else None

    sent = eventually(reported, "what became of the message", 30)
    # The sandbox may have told of its arrival by then.
    assert (sent["code"], sent["deliveries"]) in [("done", {state: 1}) for state in ("sent", "delivered")]
    (delivery,) = api.get(f"/v1/message-batches/{sent['batch_id']}/deliveries")["data"]
    assert (delivery["client_id"], delivery["case_id"]) == (person["id"], case["id"])
