"""An intake is set up: its form with conditions and dates, its rule, and the clients who get it."""

from __future__ import annotations

from typing import Any

from deploy.demo import intake_form
from deploy.demo.api import wait_for
from deploy.demo.intake_form import QUESTIONS
from deploy.demo.stage import Stage


def make_intake(stage: Stage) -> None:
    """7. Make an intake once, for every client who wants an estate plan"""
    api, intake = stage.api, stage.story.intake
    templates = {key: api.post("/v1/task-templates", body)["id"] for key, body in QUESTIONS.items()}
    intake.form_id = api.post("/v1/forms", intake_form.form(templates))["id"]
    case_type_id = api.post("/v1/case-types", intake_form.CASE_TYPE)["id"]
    next_template_id = api.post("/v1/task-templates", intake_form.NEXT_TASK)["id"]
    owner = next(member for member in api.every("/v1/staff") if member["role"] == "owner")
    rule = intake_form.rule(intake.form_id, next_template_id, case_type_id, owner["id"])
    intake.rule_id = api.post("/v1/automation-rules", rule)["id"]
    intake.cases = [_new_client(stage, case_type_id, owner["id"], person) for person in intake_form.PEOPLE]
    _send(stage)
    sections = " · ".join(section["title"] for section in intake_form.SECTIONS)
    stage.told(
        [
            ("form", f"{len(QUESTIONS)} questions: {sections}"),
            ("conditions", f"{len(intake_form.CONDITIONAL)} questions are for those alone whom they concern"),
            ("dates", f"documents {intake_form.DOCUMENT_DAYS} business days after the first section"),
            ("rule", f"once it is complete, the case goes to {intake_form.NEXT_STATUS}, the client is asked when to "
                     f"sign, and {owner['name']} is told"),
            ("clients", f"{len(intake.cases)} new ones with a case each; their names are filled in already"),
            ("message", f"{len(intake.cases)} texts, in English or Spanish, each with one link"),
        ]
    )  # fmt: skip


def _new_client(stage: Stage, case_type_id: str, staff_id: str, person: dict[str, str]) -> dict[str, Any]:
    """Client and case by one request, then the form on the case. The case, with its client and form."""
    name = f"{person['first_name']} {person['last_name']}"
    client = {
        "first_name": person["first_name"],
        "last_name": person["last_name"],
        "language": person["language"],
        "phones": [{"number": person["number"], "kind": "mobile"}],
        "emails": [{"address": f"{person['first_name']}.{person['last_name']}@example.com".lower()}],
    }
    body = {
        "name": f"Estate plan of {name}",
        "case_type_id": case_type_id,
        "new_client": client,
        "responsible_staff_id": staff_id,
    }
    made = stage.api.post("/v1/cases", body, key=f"demonstration-intake-{person['number']}")
    address = f"/v1/cases/{made['id']}"
    case = wait_for("a case with its new client", lambda: _if_open(stage, address))
    form = {"form_id": stage.story.intake.form_id, "answers": {"name": name}}
    case_form = stage.api.post(f"{address}/forms", form, key=f"demonstration-form-{person['number']}")
    return {**case, "client": {**client, "id": case["clients"][0]["client_id"]}, "case_form": case_form}


def _if_open(stage: Stage, address: str) -> dict[str, Any] | None:
    case: dict[str, Any] = stage.api.get(address)
    return case if case["state"] == "open" else None


def _send(stage: Stage) -> None:
    """One text to each client, whatever number of questions it is about, in the language of the client."""
    template = stage.api.post("/v1/message-templates", intake_form.MESSAGE)
    request = {
        "selector": {"case_ids": [case["id"] for case in stage.story.intake.cases]},
        "channels": ["sms"],
        "message": {"template_id": template["id"]},
        "coalesce": True,
    }
    asked = stage.api.post("/v1/case-tasks/bulk-notify", request, key="demonstration-intake")
    stage.story.intake.batch_id = asked["batch_id"]
    address = f"/v1/message-batches/{asked['batch_id']}"
    wait_for("the texts about the intake", lambda: stage.api.get(address)["state"] == "finished")
