"""A file's whole way: from a client's phone to the office, into what is handed out, and gone with its client."""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any

import requests

from tests.e2e.test_requests import new_link, new_task
from tests.hostile_files import picture
from tests.systems import Embedded, answer, eventually


def test_a_client_sends_files_through_a_link(system: Embedded) -> None:
    client, task = new_task(system, kind="file_upload", required=True)
    browser = requests.Session()
    page = browser.get(new_link(system, client, task)["url"], timeout=10)
    form = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text))

    def send(*files: tuple[str, bytes], **fields: Any) -> requests.Response:
        sent = [("file", file) for file in files]
        return browser.post(page.url, data={**form, **fields}, files=sent, timeout=30)

    refused = send(("señas.jpg", picture()), ("page.pdf", b"<html>"))
    assert refused.status_code == 422
    assert "page.pdf: " in refused.text
    (kept,) = system.api.get(f"/v1/case-tasks/{task['id']}/files")["files"]
    assert (kept["filename"], kept["answered"], kept["client_id"]) == ("señas.jpg", False, client["id"])
    assert send(("back.png", picture("PNG")), answer=kept["id"]).status_code == 200
    done = system.api.get(f"/v1/case-tasks/{task['id']}")
    assert done["status"] == "completed"
    assert kept["id"] in done["answer"]
    assert len(done["answer"]) == 2
    served = answer(system.api, "GET", f"/v1/task-files/{kept['id']}")
    assert (served.content, served.headers["Content-Type"]) == (picture(), "image/jpeg")
    assert "filename*=UTF-8''se%C3%B1as.jpg" in served.headers["Content-Disposition"]
    archive = answer(system.api, "GET", f"/v1/clients/{client['id']}/data-export").content
    with zipfile.ZipFile(io.BytesIO(archive)) as packed:
        (name,) = [name for name in packed.namelist() if name.endswith("señas.jpg")]
        assert packed.read(name) == picture()
    system.api.post(f"/v1/clients/{client['id']}/erase")
    eventually(
        lambda: answer(system.api, "GET", f"/v1/task-files/{kept['id']}").status_code == 404, "the file is erased"
    )
    store = system.folder / "files" / "answers"
    eventually(lambda: not any(path.is_file() for path in store.rglob(kept["id"])), "its content is gone")
