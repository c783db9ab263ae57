"""One task from the office to the phone and back: shared, begun, gone on with, asked for again."""

from __future__ import annotations

import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

from tests.e2e.test_requests import new_task
from tests.hostile_files import picture
from tests.stand_ins.html_forms import forms_of
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
    (form,) = forms_of(page.text)
    owns, story = form.tasks
    answers = {f"answer-{owns}": "yes", f"answer-{story}": "It rained,"}
    page = browser.post(f"{system.url}/p", data=form.filled("Save for later", answers), timeout=10)
    (form,) = forms_of(page.text)
    assert (form.fields[f"answer-{owns}"], form.fields[f"answer-{story}"]) == (["yes"], ["It rained,"])
    sent = form.filled("Send", {f"answer-{story}": "It rained, and I fell."})
    for _ in range(2):
        page = browser.post(f"{system.url}/p", data=sent, timeout=10)
        assert (
            page.text.index("Do you own a house?") < page.text.index("What happened?") < page.text.index("Your house")
        )
        assert "2 of 3 answered" in page.text
        assert "It rained, and I fell." in page.text
        assert "Which street?" in page.text
    assert [api.get(f"/v1/case-tasks/{id_}")["answer_version"] for id_ in (owns, story)] == [1, 1]


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


def test_one_answer_of_a_form_hides_what_another_one_answers(system: Embedded) -> None:
    api = system.api
    client, other_task = new_task(system)

    def template(title: str, kind: str, *, required: bool) -> str:
        return str(api.post("/v1/task-templates", {"title": title, "kind": kind, "required": required})["id"])

    married = {"field": "answers.married", "op": "eq", "value": True}
    tasks = [
        {"key": "married", "template_id": template("Are you married?", "yes_no", required=True)},
        {"key": "spouse", "template_id": template("Who is it?", "short_text", required=True), "condition": married},
        {"key": "license", "template_id": template("Your license", "file_upload", required=True)},
        {"key": "more", "template_id": template("Anything else?", "long_text", required=False)},
    ]
    form = api.post("/v1/forms", {"title": uuid.uuid4().hex, "sections": [{"title": "About you", "tasks": tasks}]})
    assigned = api.post(f"/v1/cases/{other_task['case_id']}/forms", {"form_id": form["id"]})
    scope = {"kind": "form", "case_form_id": assigned["id"]}
    link = api.post("/v1/portal-links", {"client_id": client["id"], "scope": scope})
    browser = requests.Session()
    (shown,) = forms_of(browser.get(link["url"], timeout=10).text)
    first, license_id, more = shown.tasks
    sent = shown.filled("Send", {f"answer-{first}": "yes"})
    page = browser.post(f"{system.url}/p", data=sent, timeout=10)
    assert page.status_code == 422
    (shown,) = forms_of(page.text)
    assert (first in shown.tasks, license_id in shown.tasks, more in shown.tasks) == (False, True, True)
    spouse = shown.tasks[0]
    api.post(f"/v1/case-tasks/{first}/reopen", {"reason": "Are you sure?"})
    (shown,) = forms_of(browser.get(f"{system.url}/p", timeout=10).text)
    assert shown.tasks == [first, spouse, license_id, more]
    sent = shown.filled("Send", {f"answer-{first}": "no", f"answer-{spouse}": "Ben"})

    def press(_: int) -> requests.Response:
        files = {f"file-{license_id}": ("front.jpg", picture(), "image/jpeg")}
        return requests.post(f"{system.url}/p", data=sent, files=files, cookies=browser.cookies, timeout=30)

    with ThreadPoolExecutor(4) as hands:
        pages = list(hands.map(press, range(4)))
    assert [(page.status_code, "Thank you, Ann" in page.text) for page in (*pages, press(5))] == [(200, True)] * 5
    found = [api.get(f"/v1/case-tasks/{id_}") for id_ in (first, spouse, license_id, more)]
    assert [task["status"] for task in found] == ["completed", "skipped", "completed", "completed"]
    assert [task["answer_version"] for task in found] == [2, 0, 1, 1]
    assert (found[0]["answer"], len(found[2]["answer"]), found[3]["answer"]) == (False, 1, None)
