"""What only shows with every part in place: repeats, uploads and links, from the edge to the database and back."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.systems import Embedded, answer, eventually


def new_client(system: Embedded, **more: Any) -> dict[str, Any]:
    number = f"+1212555{uuid.uuid4().int % 10000:04d}"
    body = {"first_name": "Ann", "phones": [{"number": number, "kind": "mobile"}], **more}
    return answer(system.api, "POST", "/v1/clients", json=body, headers={"X-Skip-Duplicate-Check": "true"}).json()


def new_task(system: Embedded, **template: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A client and a case task of theirs."""
    client = new_client(system)
    kind = system.api.post("/v1/case-types", {"name": uuid.uuid4().hex, "statuses": [{"name": "Open"}]})
    case = system.api.post(
        "/v1/cases", {"name": "C", "case_type_id": kind["id"], "clients": [{"client_id": client["id"]}]}
    )
    made = system.api.post("/v1/task-templates", {"title": "Sign", "kind": "short_text", **template})
    return client, system.api.post(f"/v1/cases/{case['id']}/tasks", {"template_id": made["id"]})


def new_link(system: Embedded, client: dict[str, Any], task: dict[str, Any], **more: Any) -> dict[str, Any]:
    scope = {"kind": "task", "case_task_id": task["id"]}
    return system.api.post("/v1/portal-links", {"client_id": client["id"], "scope": scope, **more})


def test_a_repeat_under_the_same_key_gives_the_first_answer(system: Embedded) -> None:
    key, body = uuid.uuid4().hex, {"name": uuid.uuid4().hex, "statuses": [{"name": "Open"}]}
    first = system.api.post("/v1/case-types", body, key=key)
    assert system.api.post("/v1/case-types", body, key=key) == first
    other = answer(system.api, "POST", "/v1/case-types", json={**body, "name": "x"}, headers={"Idempotency-Key": key})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_requests_under_one_key_at_the_same_time_have_one_effect(system: Embedded) -> None:
    key, name = uuid.uuid4().hex, uuid.uuid4().hex
    body = {"name": name, "statuses": [{"name": "Open"}]}

    def post(_: int) -> requests.Response:
        return requests.post(
            f"{system.url}/v1/case-types", json=body, timeout=30,
            headers={"X-API-Key": system.api_key, "Idempotency-Key": key},
        )  # fmt: skip

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(post, range(8)))
    assert {response.status_code for response in answers} <= {201, 409}
    assert {response.json()["code"] for response in answers if response.status_code == 409} <= {
        "idempotency_key_in_use"
    }
    assert len({response.json()["id"] for response in answers if response.status_code == 201}) == 1
    assert [kind["name"] for kind in system.api.every("/v1/case-types")].count(name) == 1


def test_an_upload_under_one_key_is_one_import(system: Embedded) -> None:
    key = uuid.uuid4().hex
    stored = system.folder / "files" / "imports"

    def send(content: bytes, **form: str) -> requests.Response:
        sent = {"file": ("people.csv", content)}
        return answer(system.api, "POST", "/v1/imports", data=form, files=sent, headers={"Idempotency-Key": key})

    first = send(b"First name\nAnn\n")
    assert first.status_code == 201, first.text
    kept = sorted(stored.rglob("*"))
    again = send(b"First name\nAnn\n")
    assert (again.status_code, again.json()) == (201, first.json())
    for other in (send(b"First name\nBea\n"), send(b"First name\nAnn\n", sheet="People")):
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert sorted(stored.rglob("*")) == kept
    # Cases know nothing of what clients were asked under the key.
    assert send(b"First name\nAnn\n", target="cases").status_code == 201
    previewed = system.api.post(f"/v1/imports/{first.json()['id']}/preview", {})
    assert previewed["counts"]["read"] == 1


def test_one_upload_sent_several_times_at_once_is_one_import(system: Embedded) -> None:
    key, content = uuid.uuid4().hex, b"First name\n" + b"Ann\n" * 20_000

    def post(_: int) -> requests.Response:
        return requests.post(
            f"{system.url}/v1/imports", files={"file": ("people.csv", content)}, timeout=60,
            headers={"X-API-Key": system.api_key, "Idempotency-Key": key},
        )  # fmt: skip

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(post, range(4)))
    refused = [response.json()["code"] for response in answers if response.status_code != 201]
    assert set(refused) <= {"idempotency_key_in_use"}
    (made,) = {response.json()["id"] for response in answers if response.status_code == 201}
    assert post(0).json()["id"] == made
    assert system.api.post(f"/v1/imports/{made}/preview", {})["counts"]["read"] == 20_000


def test_who_is_nobody_is_told_before_a_large_body_is_taken_in(system: Embedded) -> None:
    address = urlsplit(system.url)
    with closing(HTTPConnection(str(address.hostname), address.port, timeout=10)) as connection:
        connection.putrequest("POST", "/v1/imports")
        connection.putheader("X-API-Key", "wrong")
        connection.putheader("Content-Length", 10**7)
        connection.endheaders()
        told = connection.getresponse()
        assert (told.status, json.load(told)["code"]) == (401, "invalid_api_key")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"+12125550123,Ann\n+12125550124,Bea\n", "header"),
        (b"\xff\xfe\x00\x01\x80\x81\x00", "damaged"),
        (b"first_name,phone\n" + b"A" * 1_100_000 + b",+12125550123\n", "cell"),
    ],
    ids=["empty", "blank-lines", "no-header", "cut-off", "huge-cell"],
)
def test_an_unreadable_file_is_refused_whole(system: Embedded, content: bytes, code: str) -> None:
    before = system.api.get("/v1/clients")["meta"]["total"]
    refused = answer(system.api, "POST", "/v1/imports", files={"file": ("clients.csv", content)})
    assert refused.status_code == 422, refused.text
    assert code in refused.json()["code"] + refused.json()["detail"].lower()
    assert system.api.get("/v1/clients")["meta"]["total"] == before


def test_a_bad_row_fails_alone_and_comes_back_with_its_reason(system: Embedded) -> None:
    last = uuid.uuid4().hex[:8]
    rows = f"first_name,last_name,phone\nAnn,{last},(212) 555-0177\nBea,{last},12\nCal\n"
    made = system.api.post("/v1/imports", files={"file": ("clients.csv", rows.encode())})
    path = f"/v1/imports/{made['id']}"
    counts = system.api.post(f"{path}/preview", {"duplicates": "create"})["counts"]
    assert counts == {"read": 3, "created": 1, "updated": 0, "skipped": 0, "failed": 2}
    assert system.api.get("/v1/clients", q=last)["data"] == []
    system.api.post(f"{path}/run")
    done = eventually(lambda: found if (found := system.api.get(path))["state"] == "finished" else None, "the import")
    assert done["counts"] == counts
    # The mark at its start is for spreadsheets, which otherwise take UTF-8 for something else.
    failed = answer(system.api, "GET", f"{path}/errors.csv").content.decode("utf-8-sig").splitlines()
    assert failed[0].split(",") == ["first_name", "last_name", "phone", "errors"]
    assert len(failed) == 3
    assert [client["first_name"] for client in system.api.get("/v1/clients", q=last)["data"]] == ["Ann"]


def test_a_mapped_answer_through_the_link_changes_the_record(system: Embedded) -> None:
    client, task = new_task(system, kind="phone", mapping={"target": "client", "field": "phone"})
    browser = requests.Session()
    page = browser.get(new_link(system, client, task)["url"], timeout=10)
    assert page.status_code == 200
    assert "/p/" not in page.url
    path = f"/v1/case-tasks/{task['id']}"
    system.api.post(f"{path}/answer", {"answer": "(305) 555-0187", "client_id": client["id"]})
    assert system.api.get(path)["status"] == "completed"

    def numbers() -> Any:
        phones = system.api.get(f"/v1/clients/{client['id']}")["phones"]
        return [phone["number"] for phone in phones if phone["primary"]] == ["+13055550187"]

    eventually(numbers, "the answer in the client's record")


def test_wrong_expired_and_revoked_links_show_one_and_the_same_page(system: Embedded) -> None:
    client, task = new_task(system)
    revoked = new_link(system, client, task)
    system.api.post(f"/v1/portal-links/{revoked['id']}/revoke")
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1)
    expired = new_link(system, client, task, expires_at=soon.isoformat())
    eventually(lambda: requests.get(expired["url"], timeout=10).status_code == 410, "the link expired")
    pages = [
        requests.get(url, timeout=10)
        for url in (revoked["url"], expired["url"], f"{system.url}/p/never-a-token", revoked["url"] + "x")
    ]
    assert {page.status_code for page in pages} == {410}
    assert len({page.text for page in pages}) == 1


def test_looking_at_a_link_many_times_changes_nothing(system: Embedded) -> None:
    client, task = new_task(system)
    made = new_link(system, client, task)
    before = system.api.get(f"/v1/portal-links/{made['id']}"), system.api.get(f"/v1/case-tasks/{task['id']}")
    for _ in range(5):
        assert requests.get(made["url"], timeout=10).status_code == 200
        assert requests.head(made["url"], timeout=10, allow_redirects=True).status_code == 200
    assert (system.api.get(f"/v1/portal-links/{made['id']}"), system.api.get(f"/v1/case-tasks/{task['id']}")) == before
