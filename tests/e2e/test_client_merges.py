"""Two clients become one in the whole system, and two again."""

from __future__ import annotations

from typing import Any

import requests

from tests.systems import Embedded, eventually

NUMBERS = ("+12125550161", "+12125550162")


def ask(system: Embedded, method: str, path: str, body: Any = None) -> requests.Response:
    headers = {"Authorization": f"Bearer {system.api_key}"}
    return requests.request(method, f"{system.url}{path}", json=body, headers=headers, timeout=30)


def test_a_merge_is_followed_everywhere_and_taken_back(system: Embedded) -> None:
    api = system.api
    one, two = (
        api.post("/v1/clients", {
            "first_name": name, "last_name": "Mergewell", "phones": [{"number": number}],
            "emails": [{"address": "mergewell@example.com"}],
        }, headers={"X-Skip-Duplicate-Check": "true"})["id"]
        for name, number in zip(("Ann", "Anne"), NUMBERS, strict=True)
    )  # fmt: skip
    case_type = api.post("/v1/case-types", {"name": "Merged", "statuses": [{"name": "New", "closed": False}]})
    case = api.post("/v1/cases", {
        "name": "A case", "case_type_id": case_type["id"], "clients": [{"client_id": two}],
    })  # fmt: skip
    template = api.post("/v1/task-templates", {"title": "Your street", "kind": "short_text"})
    task = api.post(f"/v1/cases/{case['id']}/tasks", {"template_id": template["id"]})
    link = api.post("/v1/portal-links", {"client_id": two, "scope": {"kind": "task", "case_task_id": task["id"]}})
    api.put(f"/v1/clients/{two}/preferences", {"email": "opted_out"})

    def suspected() -> bool:
        pairs = api.get("/v1/clients/duplicates")["data"]
        return {one, two} in [{client["id"] for client in pair["clients"]} for pair in pairs]

    eventually(suspected, "the suspected pair")
    shown = api.post(f"/v1/clients/{one}/merge", {"duplicate_id": two, "dry_run": True})
    assert {entry["channel"]: entry["after"] for entry in shown["consent"]}["email"] == "opted_out"
    made = api.post(f"/v1/clients/{one}/merge", {"duplicate_id": two, "keep": {"first_name": "duplicate"}})
    assert [phone["number"] for phone in made["client"]["phones"]] == list(NUMBERS)

    gone = ask(system, "GET", f"/v1/clients/{two}")
    assert (gone.status_code, gone.headers["Content-Type"]) == (410, "application/problem+json")
    assert (gone.json()["code"], gone.json()["surviving_id"]) == ("client_merged", one)
    for method, path, body in (
        ("PATCH", "", {"first_name": "Eve"}), ("DELETE", "", None), ("GET", "/cases", None),
        ("GET", "/activity", None), ("GET", "/preferences", None), ("GET", "/communications", None),
        ("GET", "/notes", None), ("PUT", "/preferences", {"sms": "opted_out"}),
    ):  # fmt: skip
        assert ask(system, method, f"/v1/clients/{two}{path}", body).status_code == 410, (method, path)
    eventually(
        lambda: [entry["client_id"] for entry in api.get(f"/v1/cases/{case['id']}")["clients"]] == [one], "cases"
    )
    assert api.get(f"/v1/clients/{one}/preferences")["email"] == "opted_out"
    page = requests.get(link["url"], timeout=30)
    assert "Your street" in page.text
    assert not suspected()

    listed = api.get("/v1/client-merges", client_id=two)["data"]
    assert [entry["id"] for entry in listed] == [made["id"]]
    api.patch(f"/v1/clients/{one}", {"first_name": "Annie"})
    refused = ask(system, "POST", f"/v1/client-merges/{made['id']}/undo")
    assert (refused.status_code, refused.json()["code"]) == (409, "merge_conflicts")
    assert [entry["field"] for entry in refused.json()["errors"]] == ["first_name"]
    assert api.get(f"/v1/client-merges/{made['id']}")["conflicts"] == [
        {"field": "first_name", "now": "Annie", "then": "Ann"}
    ]
    undone = ask(system, "POST", f"/v1/client-merges/{made['id']}/undo", {"resolve": {"first_name": "then"}})
    assert undone.status_code == 200, undone.text
    assert api.get(f"/v1/clients/{two}")["first_name"] == "Anne"
    assert [phone["number"] for phone in api.get(f"/v1/clients/{one}")["phones"]] == [NUMBERS[0]]
    eventually(
        lambda: [entry["client_id"] for entry in api.get(f"/v1/cases/{case['id']}")["clients"]] == [two], "cases"
    )
    assert "Your street" in requests.get(link["url"], timeout=30).text

    marked = api.post(f"/v1/clients/{one}/not-duplicate", {"client_id": two})
    assert sorted(marked["client_ids"]) == sorted([one, two])
    assert not suspected()
    again = ask(system, "POST", f"/v1/client-merges/{made['id']}/undo", {})
    assert (again.status_code, again.json()["code"]) == (409, "merge_undone")
