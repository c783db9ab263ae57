"""Forms in the whole system: made, given to new cases by their type, assigned with what is known, and taken away."""

from __future__ import annotations

import uuid
from typing import Any

from tests.systems import Embedded, answer, eventually


def test_a_form_comes_to_cases_by_their_type_and_by_hand(system: Embedded) -> None:
    api = system.api
    asked = {"phone": "phone", "will": "yes_no", "place": "short_text"}
    templates = {
        key: api.post("/v1/task-templates", {"title": key.title(), "kind": kind})["id"] for key, kind in asked.items()
    }
    due = {"mode": "after_task", "task": "will", "from": "finished", "days": 5, "business": True}
    form = api.post(
        "/v1/forms",
        {
            "title": "Intake",
            "sections": [
                {"title": "You", "tasks": [{"key": key, "template_id": templates[key]} for key in ("phone", "will")]},
                {
                    "title": "The will",
                    "condition": {"field": "answers.will", "op": "eq", "value": True},
                    "tasks": [{"key": "place", "template_id": templates["place"], "required": True, "due": due}],
                },
            ],
        },
    )
    assert form["sections"][1]["tasks"][0]["due"]["from"] == "finished"
    renamed = api.patch(f"/v1/forms/{form['id']}", {"title": "Intake of 2027"})
    assert (renamed["version"], api.get(f"/v1/forms/{form['id']}", version=1)["title"]) == (2, "Intake")
    stale = answer(api, "PATCH", f"/v1/forms/{form['id']}", json={"title": "x"}, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "stale_version")
    assert [each["version"] for each in api.get(f"/v1/forms/{form['id']}/versions")["data"]] == [2, 1]

    client = api.post("/v1/clients", {"first_name": "Ann"}, headers={"X-Skip-Duplicate-Check": "true"})
    kind = api.post(
        "/v1/case-types",
        {
            "name": f"Probate {uuid.uuid4().hex[:6]}",
            "statuses": [{"name": "Open"}, {"name": "Closed", "closed": True}],
            "default_form_ids": [form["id"]],
        },
    )
    case = api.post("/v1/cases", {"name": "Doe", "case_type_id": kind["id"], "clients": [{"client_id": client["id"]}]})

    def forms() -> Any:
        return api.get(f"/v1/cases/{case['id']}/forms")["data"]

    (given,) = eventually(forms, "the form of the type")
    assert (given["form_version"], given["title"], given["progress"]) == (
        2, "Intake of 2027", {"done": 0, "total": 2}
    )  # fmt: skip
    known = api.post(
        f"/v1/cases/{case['id']}/forms",
        {"form_id": form["id"], "answers": {"phone": "(212) 555-0123", "will": True}},
    )
    assert known["progress"] == {"done": 2, "total": 3}
    tasks = {
        (task["case_form_id"], task["item_key"]): task for task in api.get(f"/v1/cases/{case['id']}/tasks")["data"]
    }
    place = tasks[known["id"], "place"]
    assert (place["status"], place["section"], place["due_at"] is not None) == ("to_do", "The will", True)
    assert tasks[known["id"], "phone"]["answer"] == "+12125550123"
    assert tasks[given["id"], "place"]["status"] == "skipped"

    begun = answer(api, "DELETE", f"/v1/case-forms/{known['id']}")
    assert (begun.status_code, begun.json()["code"]) == (409, "form_begun")
    assert answer(api, "DELETE", f"/v1/case-forms/{given['id']}").status_code == 204
    assert [each["id"] for each in forms()] == [known["id"]]
    copied = api.post(f"/v1/forms/{form['id']}/copy", {"title": "Another"})
    api.patch(f"/v1/forms/{form['id']}", {"archived": True})
    refused = answer(api, "POST", f"/v1/cases/{case['id']}/forms", json={"form_id": form["id"]})
    assert (refused.status_code, refused.json()["code"]) == (409, "form_archived")
    assert [each["id"] for each in api.get("/v1/forms", archived="true")["data"]] == [form["id"]]
    assert copied["id"] in [each["id"] for each in api.get("/v1/forms")["data"]]
