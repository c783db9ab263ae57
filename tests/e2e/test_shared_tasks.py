"""One task from the office to the phone and back: shared, begun, gone on with, asked for again."""

from __future__ import annotations

import re
import uuid
from typing import Any

import requests

from tests.e2e.test_requests import new_task
from tests.systems import Embedded, answer, eventually


def form_of(page: requests.Response) -> dict[str, str]:
    """The hidden fields of a page's first form."""
    form = page.text.partition("<form")[2].partition("</form>")[0]
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form))


def test_a_shared_task_is_begun_on_the_phone_and_finished_later(system: Embedded) -> None:
    api = system.api
    api.put("/v1/senders", {"channel": "sms", "address": "+12125550190", "rate": 50})
    client, task = new_task(system, kind="long_text", title="What happened?")
    path = f"/v1/case-tasks/{task['id']}"
    number = client["phones"][0]["number"]
    key, body = uuid.uuid4().hex, {"channel": "sms", "message": {"body": "{{ client.first_name }}: {{ task.link }}"}}
    shared = api.post(f"{path}/share", body, key=key)
    assert (shared["state"], shared["case_task_id"]) == ("accepted", task["id"])
    assert api.post(f"{path}/share", body, key=key) == shared

    def texts() -> Any:
        return [text["body"] for text in api.get("/sandbox/messages", to=number)["data"]]

    (text,) = eventually(texts, "the text on the phone")
    link = re.search(r"http\S+/p/\S+", text)
    assert link is not None
    assert text.startswith("Ann: ")

    browser = requests.Session()
    page = browser.get(link.group(), timeout=10)
    saved = browser.post(f"{system.url}/p", data={**form_of(page), "answer": "It rained,", "save": "x"}, timeout=10)
    assert (saved.status_code, "It rained," in saved.text) == (200, True)
    begun = api.get(path)
    assert (begun["status"], begun["draft"], begun["answer"]) == ("in_progress", "It rained,", None)
    browser.post(f"{system.url}/p", data={**form_of(saved), "answer": "It rained, and I fell."}, timeout=10)
    assert api.get(path)["answer"] == "It rained, and I fell."
    refused = answer(api, "POST", f"{path}/share", json={"channel": "copy"})
    assert (refused.status_code, refused.json()["code"]) == (409, "task_not_open")
    assert api.post(f"{path}/share", body, key=key) == shared, "the first answer, whatever has become of the task"

    late = answer(api, "POST", f"{path}/answer", json={"answer": "It snowed."})
    assert (late.status_code, late.json()["code"], late.json()["answer_version"]) == (409, "answered_meanwhile", "1")
    api.post(f"{path}/reopen", {"reason": "On which day?"})
    again = browser.get(f"{system.url}/p", timeout=10)
    assert "On which day?" in again.text
    copied = api.post(f"{path}/share", {"channel": "copy"})
    other = requests.get(copied["url"], timeout=10)
    assert "It rained, and I fell." in other.text


def test_a_form_is_filled_in_behind_one_link_and_brings_up_what_follows(system: Embedded) -> None:
    api = system.api
    client, other_task = new_task(system)

    def template(title: str, kind: str) -> str:
        return str(api.post("/v1/task-templates", {"title": title, "kind": kind})["id"])

    owned = {"field": "answers.owns", "op": "eq", "value": True}
    sections = [
        {"title": "About you", "tasks": [
            {"key": "owns", "template_id": template("Do you own a house?", "yes_no")},
            {"key": "story", "template_id": template("What happened?", "long_text")},
        ]},
        {"title": "Your house", "condition": owned, "tasks": [
            {"key": "street", "template_id": template("Which street?", "short_text")},
        ]},
    ]  # fmt: skip
    form = api.post("/v1/forms", {"title": uuid.uuid4().hex, "sections": sections})
    assigned = api.post(f"/v1/cases/{other_task['case_id']}/forms", {"form_id": form["id"]})
    scope = {"kind": "form", "case_form_id": assigned["id"]}
    link = api.post("/v1/portal-links", {"client_id": client["id"], "scope": scope})

    browser = requests.Session()
    page = browser.get(link["url"], timeout=10)
    assert ("About you" in page.text, "Your house" in page.text, ">Sign<" in page.text) == (True, False, False)
    page = browser.post(f"{system.url}/p", data={**form_of(page), "answer": "yes"}, timeout=10)
    assert page.text.index("Do you own a house?") < page.text.index("What happened?") < page.text.index("Your house")
    assert "1 of 3 answered" in page.text
    assert "1 of 2 answered" in page.text
    assert "Which street?" in page.text


def test_what_is_on_record_is_in_the_field_and_sent_as_it_is_completes_the_task(system: Embedded) -> None:
    api = system.api
    client, other_task = new_task(system)
    mapping = {"target": "client", "field": "phone"}
    template = api.post("/v1/task-templates", {"title": "Your number", "kind": "phone", "mapping": mapping})
    asked = {"key": "phone", "template_id": template["id"], "prefill": True}
    form = api.post("/v1/forms", {"title": uuid.uuid4().hex, "sections": [{"title": "You", "tasks": [asked]}]})
    assert form["sections"][0]["tasks"][0]["prefill"] is True
    assigned = api.post(f"/v1/cases/{other_task['case_id']}/forms", {"form_id": form["id"]})
    tasks = api.get(f"/v1/cases/{other_task['case_id']}/tasks")["data"]
    (before,) = (task for task in tasks if task["case_form_id"] == assigned["id"])
    assert (before["prefill"], before["answer"], before["draft"]) == (True, None, None)

    scope = {"kind": "form", "case_form_id": assigned["id"]}
    link = api.post("/v1/portal-links", {"client_id": client["id"], "scope": scope})
    browser, number = requests.Session(), client["phones"][0]["number"]
    page = browser.get(link["url"], timeout=10)
    shown = re.search(r'name="answer" value="([^"]*)"', page.text)
    assert shown is not None
    assert (shown[1], "This is what we have on record." in page.text) == (number, True)
    path = f"/v1/case-tasks/{before['id']}"
    assert api.get(path) == before, "to show it changes nothing"
    done = browser.post(f"{system.url}/p", data={**form_of(page), "answer": shown[1]}, timeout=10)
    assert (done.status_code, "1 of 1 answered" in done.text) == (200, True)
    after = api.get(path)
    assert (after["status"], after["answer"], after["answered_by"]) == ("completed", number, "client")
    assert api.get(f"/v1/clients/{client['id']}")["phones"] == client["phones"]
