"""Client records as a firm uses them: from a spreadsheet to an erasure, by the HTTP API alone."""

from __future__ import annotations

import csv
import io
import uuid
import zipfile
from typing import Any

import pytest
import requests
from openpyxl import Workbook

from deploy.demo.api import Api
from tests.systems import Embedded, answer, eventually, second_firm

ROWS = [
    ["First Name", "Last Name", "Mobile Phone", "Email", "Birthday", "City", "Tags"],
    ["Jürgen", "Müller", "(212) 555-0161", "juergen@example.com", "1960-04-01", "New York", "estate"],
    ["Zoë", "Baptiste-Okafor", "+1 212 555 0162", "zoe@example.com", "", "Newark", "estate; vip"],
    ["Iris", "Vale", "212.555.0163", "", "", "Hoboken", ""],
]


@pytest.fixture(scope="module")
def api(system: Embedded) -> Api:
    """A firm of its own, so that what it holds is what these tests made."""
    made = second_firm(system, "Harbor Records")
    made.put("/v1/senders", {"channel": "sms", "address": "+12125550199", "rate": 50})
    made.patch("/v1/firm", {"quiet_hours": None})  # so that it can be tried at night
    return made


def taken_in(api: Api, filename: str, content: bytes, **settings: Any) -> dict[str, Any]:
    """The import of a file, run to its end."""
    made = api.post("/v1/imports", files={"file": (filename, content)})
    api.post(f"/v1/imports/{made['id']}/preview", {"mapping": made["suggested_mapping"], **settings})
    api.post(f"/v1/imports/{made['id']}/run")

    def ended() -> dict[str, Any] | None:
        found: dict[str, Any] = api.get(f"/v1/imports/{made['id']}")
        return found if found["state"] not in ("running", "previewed") else None

    return eventually(ended, "the import has ended")


@pytest.fixture(scope="module")
def imported(api: Api) -> dict[str, Any]:
    book = Workbook()
    for row in ROWS:
        book.active.append(row)
    file = io.BytesIO()
    book.save(file)
    return taken_in(api, "clients.xlsx", file.getvalue())


def found(api: Api, q: str) -> list[str]:
    return [client["last_name"] for client in api.get("/v1/clients", q=q)["data"]]


def test_what_came_from_a_spreadsheet_is_found_as_people_type(api: Api, imported: dict[str, Any]) -> None:
    assert (imported["state"], imported["counts"]["created"], imported["counts"]["failed"]) == ("finished", 3, 0)
    for typed in ("muller", "Mueler jurgen", "MÜLLER", "212-555-0161", "0161", "juergen@example.com"):
        assert found(api, typed) == ["Müller"], typed
    assert found(api, "baptiste") == ["Baptiste-Okafor"]
    assert found(api, "nobody at all") == []
    narrow = {
        "and": [
            {"field": "tags", "op": "eq", "value": "estate"},
            {"field": "city", "op": "eq", "value": "Newark"},
            # By the firm's days, which accounts is asked for.
            {"not": {"field": "created_at", "op": "older_than_days", "value": 1}},
        ]
    }
    listed = requests.get(
        f"{api.base_url}/v1/clients", params={"filter": str(narrow).replace("'", '"')}, timeout=10,
        headers=dict(api.session.headers),
    ).json()  # fmt: skip
    assert [client["first_name"] for client in listed["data"]] == ["Zoë"]


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_an_export_that_is_imported_changes_nothing(api: Api, imported: dict[str, Any], kind: str) -> None:
    exported = answer(api, "GET", f"/v1/clients/export.{kind}", params={"tag": "estate"})
    assert exported.status_code == 200
    if kind == "csv":
        rows = list(csv.DictReader(io.StringIO(exported.content.decode("utf-8-sig"))))
        assert {row["last_name"] for row in rows} == {"Müller", "Baptiste-Okafor"}
    again = taken_in(api, f"clients.{kind}", exported.content, duplicates="update")
    assert (again["counts"]["read"], again["counts"]["created"], again["counts"]["updated"]) == (2, 0, 0)


def test_no_cell_of_an_export_is_a_formula(api: Api) -> None:
    api.post("/v1/clients", {"first_name": "=SUM(1)", "last_name": "Formula", "phones": [{"number": "+12125550165"}]})
    exported = answer(api, "GET", "/v1/clients/export.csv", params={"q": "Formula"}).content.decode("utf-8-sig")
    (row,) = csv.DictReader(io.StringIO(exported))
    assert row["first_name"] == "'=SUM(1)"
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row.values())


def test_two_records_of_one_person_become_one_and_two_again(api: Api) -> None:
    phones = [{"number": "+12125550171", "kind": "mobile"}]
    kept = api.post("/v1/clients", {"first_name": "Ann", "last_name": "Lee", "phones": phones})
    refused = answer(api, "POST", "/v1/clients", json={"first_name": "Ann", "last_name": "Leigh", "phones": phones})
    assert (refused.status_code, refused.json()["code"]) == (409, "duplicate_client")
    once = {"X-Skip-Duplicate-Check": "true"}
    fields = {"first_name": "Ann", "last_name": "Leigh", "phones": phones, "emails": [{"address": "ann@example.com"}]}
    other = api.post("/v1/clients", fields, headers=once)
    pair = {kept["id"], other["id"]}

    def suspected() -> bool:
        pairs = api.get("/v1/clients/duplicates")["data"]
        return any(pair == {client["id"] for client in entry["clients"]} for entry in pairs)

    eventually(suspected, "the two are suspected")
    body = {"duplicate_id": other["id"], "keep": {"last_name": "duplicate"}}
    tried = api.post(f"/v1/clients/{kept['id']}/merge", {**body, "dry_run": True})
    assert (tried["id"], tried["client"]["last_name"]) == (None, "Leigh")
    assert api.get(f"/v1/clients/{kept['id']}")["last_name"] == "Lee"

    merge = api.post(f"/v1/clients/{kept['id']}/merge", body)
    gone = answer(api, "GET", f"/v1/clients/{other['id']}")
    assert (gone.status_code, gone.json()["surviving_id"]) == (410, kept["id"])
    survivor = api.get(f"/v1/clients/{kept['id']}")
    assert (survivor["last_name"], survivor["emails"][0]["address"]) == ("Leigh", "ann@example.com")

    api.post(f"/v1/client-merges/{merge['id']}/undo")
    assert api.get(f"/v1/clients/{kept['id']}")["last_name"] == "Lee"
    assert api.get(f"/v1/clients/{other['id']}")["last_name"] == "Leigh"


def test_a_group_hears_once_and_a_no_holds(api: Api, imported: dict[str, Any]) -> None:
    by_tag = {"field": "tags", "op": "eq", "value": "estate"}
    group = api.post("/v1/client-groups", {"name": "Estate", "kind": "filter", "filter": by_tag})
    assert group["member_count"] == 2
    (zoe,) = api.get("/v1/clients", q="baptiste")["data"]
    api.put(f"/v1/clients/{zoe['id']}/preferences", {"sms": "opted_out"})
    text = {"channels": ["sms"], "message": {"body": "The office is closed on Friday."}}
    asked = api.post(f"/v1/client-groups/{group['id']}/messages", text, key=str(uuid.uuid4()))
    batch = eventually(
        lambda: (seen := api.get(f"/v1/message-batches/{asked['batch_id']}"))["state"] == "finished" and seen,
        "the group's batch is finished",
    )
    assert batch["suppressions"] == {"opted_out": 1}
    got = [message["to"] for message in api.every("/sandbox/messages") if "closed on Friday" in message["body"]]
    assert got == ["+12125550161"]
    (figures,) = api.get(f"/v1/client-groups/{group['id']}/messages")["data"]
    assert figures["counts"]["suppressed"] == 1


def test_a_person_is_shown_handed_out_and_erased(api: Api, imported: dict[str, Any]) -> None:
    phones = [{"number": "+12125550181", "kind": "mobile"}]
    person = api.post("/v1/clients", {"first_name": "Gwendolyn", "last_name": "Fairweather", "phones": phones})
    at = f"/v1/clients/{person['id']}"
    api.post(f"{at}/notes", {"text": "Prefers mornings.", "confidential": True})
    api.put(f"{at}/preferences", {"sms": "opted_out"})
    card = eventually(lambda: (seen := api.get(f"{at}/card"))["activity"]["data"] and seen, "an activity")
    assert card["client"]["last_name"] == "Fairweather"
    assert card["preferences"]["sms"] == "opted_out"

    archive = zipfile.ZipFile(io.BytesIO(answer(api, "GET", f"{at}/data-export").content))
    held = b"".join(archive.read(name) for name in archive.namelist())
    assert b"Fairweather" in held
    assert b"Prefers mornings." in held

    hold = api.post(f"{at}/legal-holds", {"reason": "A dispute"})
    assert answer(api, "POST", f"{at}/erase").json()["code"] == "legal_hold"
    api.post(f"{at}/legal-holds/{hold['id']}/release")
    erasure = api.post(f"{at}/erase")
    done = eventually(
        lambda: (seen := api.get(f"/v1/erasures/{erasure['id']}"))["state"] == "done" and seen, "every service reports"
    )
    assert {report["service"] for report in done["services"]} >= {"cases", "messaging", "portal", "tasks"}
    gone = answer(api, "GET", at)
    assert (gone.status_code, gone.json()["code"]) == (410, "client_erased")
    assert found(api, "Fairweather") == []
    # What proves the opt-out stays, and binds whoever has the number next.
    again = api.post("/v1/clients", {"first_name": "Another", "phones": phones})
    message = api.post("/v1/messages", {"client_id": again["id"], "channel": "sms", "body": "Hello"})
    told = eventually(
        lambda: (seen := api.get(f"/v1/messages/{message['id']}"))["state"] == "suppressed" and seen, "it is refused"
    )
    assert told["reason"] == "opted_out"
