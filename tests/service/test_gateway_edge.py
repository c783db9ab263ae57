"""The edge by itself: who calls, what is refused, and what an answer looks like. Services behind it are fakes that are
held to their contracts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import g
from flask.testing import FlaskClient
from twilio.request_validator import RequestValidator

from chassis.context import current
from chassis.files import Files, FolderFiles
from chassis.testing import FakeCalls
from chassis.tokens import hash_token
from contracts import accounts, cases, clients, messaging, portal, tasks
from contracts.accounts import RESOLVE_API_KEY
from contracts.clients import CREATE_CLIENT, GET_CLIENT, LIST_CLIENTS, UPDATE_CLIENT
from contracts.errors import Conflict, DeadlineExceeded, Invalid, NotFound, Unauthorized, Unavailable
from contracts.messaging import GET_MEDIA, RECEIVE_INBOUND_MESSAGE, RECORD_DELIVERY_STATUS
from gateway import webhooks
from tests.service.edge_app import edge_app

KEY = "cw_test_secret"
FIRM = "018f4e9a-0000-7000-8000-000000000001"
STAFF = "018f4e9a-0000-7000-8000-000000000002"
CLIENT = "018f4e9a-0000-7000-8000-000000000010"
RECORD = {"id": CLIENT, "version": 3, "first_name": "Ann", "phones": []}
TOKEN = "twilio-token"
PUBLIC = "https://firm.example:8443"


def resolve(key_hash: str) -> dict[str, Any]:
    if key_hash != hash_token(KEY):
        raise Unauthorized("credential_invalid")
    return {
        "firm_id": FIRM, "staff_id": STAFF, "api_key_id": STAFF, "role": "member", "expires_at": None,
        "permissions": ["clients.read", "clients.write", "messages.read"],
    }  # fmt: skip


class Edge:
    """The app with fakes behind it; `calls.asked(OPERATION)` tells what they were asked."""

    def __init__(self, **settings: Any) -> None:
        config = {"PUBLIC_URL": PUBLIC, "SECRET_KEY": "a test's", "TWILIO_AUTH_TOKEN": TOKEN, **settings}
        self.calls = FakeCalls(
            accounts, clients, cases, tasks, messaging, portal, raw=True, answers={RESOLVE_API_KEY: resolve}
        )
        self.files: Files | None = None
        self.app, self.credentials = edge_app(self._provide, config)
        self.http: FlaskClient = self.app.test_client()
        self.headers = {"Authorization": f"Bearer {KEY}"}

    def _provide(self) -> None:
        g.calls, g.files = self.calls, self.files

    def answer(self, operation: Any, answer: Callable[..., Any]) -> None:
        self.calls.answers[operation] = answer

    def send(self, method: str, path: str, *, headers: dict[str, str] | None = None, **kwargs: Any) -> Any:
        return self.http.open(path, method=method, headers={**self.headers, **(headers or {})}, **kwargs)


@pytest.fixture
def edge() -> Edge:
    return Edge()


def problem(response: Any, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.content_type == "application/problem+json"
    body = json.loads(response.data)
    assert (body["status"], body["code"]) == (status, code)
    assert body["correlation_id"] == response.headers["X-Correlation-Id"] != ""
    return body


def test_no_credential_and_a_wrong_one_are_401(edge: Edge) -> None:
    problem(edge.http.get("/v1/clients"), 401, "credential_missing")
    problem(edge.http.get("/v1/clients", headers={"X-API-Key": "wrong"}), 401, "credential_invalid")


def test_either_header_is_a_credential(edge: Edge) -> None:
    edge.answer(GET_CLIENT, lambda client_id: RECORD)
    for headers in ({"X-API-Key": KEY}, {"Authorization": f"bearer {KEY}"}):
        assert edge.http.get(f"/v1/clients/{CLIENT}", headers=headers).status_code == 200


def test_a_credential_is_looked_up_once_until_it_is_dropped(edge: Edge) -> None:
    edge.answer(GET_CLIENT, lambda client_id: RECORD)
    for _ in range(3):
        edge.send("GET", f"/v1/clients/{CLIENT}")
    assert len(edge.calls.asked(RESOLVE_API_KEY)) == 1
    edge.credentials.drop(hash_token(KEY))
    edge.send("GET", f"/v1/clients/{CLIENT}")
    edge.credentials.drop_staff(STAFF)
    edge.send("GET", f"/v1/clients/{CLIENT}")
    assert len(edge.calls.asked(RESOLVE_API_KEY)) == 3


@pytest.mark.parametrize("drop", ["key", "staff"])
def test_a_credential_that_is_dropped_while_it_is_looked_up_is_not_kept(edge: Edge, drop: str) -> None:
    def looked_up(key_hash: str) -> dict[str, Any]:
        found = resolve(key_hash)
        edge.credentials.drop(key_hash) if drop == "key" else edge.credentials.drop_staff(STAFF)
        return found

    edge.answer(RESOLVE_API_KEY, looked_up)
    edge.answer(GET_CLIENT, lambda client_id: RECORD)
    for _ in range(2):
        assert edge.send("GET", f"/v1/clients/{CLIENT}").status_code == 200
    assert len(edge.calls.asked(RESOLVE_API_KEY)) == 2


def test_what_the_role_does_not_allow_is_403_before_the_body_is_read(edge: Edge) -> None:
    body = problem(edge.send("POST", "/v1/cases", json={"nonsense": 1}), 403, "permission_denied")
    assert body["permission"] == "cases.write"


def test_calls_go_out_as_the_callers_firm(edge: Edge) -> None:
    seen: list[Any] = []

    def get(client_id: str) -> dict[str, Any]:
        seen.append(current())
        return RECORD

    edge.answer(GET_CLIENT, get)
    edge.send("GET", f"/v1/clients/{CLIENT}", headers={"X-Correlation-Id": "abc-12345"})
    assert (seen[0].firm_id, seen[0].actor_id, seen[0].correlation_id) == (FIRM, STAFF, "abc-12345")
    assert current() is None


def test_a_record_has_an_etag_and_a_made_one_its_location(edge: Edge) -> None:
    edge.answer(CREATE_CLIENT, lambda **command: RECORD)
    made = edge.send("POST", "/v1/clients", json={"first_name": "Ann"})
    assert (made.status_code, made.headers["Location"]) == (201, f"/v1/clients/{CLIENT}")
    assert made.headers["ETag"] == '"3"'


def test_if_match_becomes_the_expected_version_and_a_stale_one_is_412(edge: Edge) -> None:
    def update(client_id: str, changes: dict[str, Any], expected_version: int | None) -> dict[str, Any]:
        if expected_version == 2:
            raise Conflict("stale_version", version=3)
        return RECORD

    edge.answer(UPDATE_CLIENT, update)
    path = f"/v1/clients/{CLIENT}"
    assert edge.send("PATCH", path, json={"first_name": "B"}, headers={"If-Match": '"3"'}).status_code == 200
    problem(edge.send("PATCH", path, json={"first_name": "B"}, headers={"If-Match": '"2"'}), 412, "stale_version")
    for tag in ('"x"', '"\u00b2"', f'"{2**63}"', f'"{"9" * 5000}"'):
        problem(edge.send("PATCH", path, json={}, headers={"If-Match": tag}), 422, "invalid_if_match")
    assert [asked["expected_version"] for asked in edge.calls.asked(UPDATE_CLIENT)] == [3, 2]


def test_the_idempotency_key_goes_with_a_post_only(edge: Edge) -> None:
    keys: list[str | None] = []

    def note(**arguments: Any) -> dict[str, Any]:
        context = current()
        keys.append(context.idempotency_key if context else None)
        return RECORD

    edge.answer(CREATE_CLIENT, note)
    edge.answer(GET_CLIENT, note)
    edge.send("POST", "/v1/clients", json={}, headers={"Idempotency-Key": "k1"})
    edge.send("GET", f"/v1/clients/{CLIENT}", headers={"Idempotency-Key": "k1"})
    assert keys == ["k1", None]
    for key in ("k" * 201, "k\x00"):
        refused = edge.send("POST", "/v1/clients", json={}, headers={"Idempotency-Key": key})
        problem(refused, 422, "invalid_idempotency_key")


def test_a_browser_may_ask_for_the_pages_that_may_call(edge: Edge) -> None:
    asked = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "authorization"}
    ours = {"Origin": "https://app.example", **asked}
    allowed = Edge(CORS_ORIGINS="https://app.example").http.options(f"/v1/clients/{CLIENT}", headers=ours)
    assert allowed.status_code == 200
    assert allowed.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert allowed.headers["Access-Control-Allow-Headers"] == "authorization"
    for other in (edge, Edge(CORS_ORIGINS="https://other.example")):
        refused = other.http.options(f"/v1/clients/{CLIENT}", headers=ours)
        assert "Access-Control-Allow-Origin" not in refused.headers


def test_a_duplicate_names_its_candidates_unless_the_check_is_skipped(edge: Edge) -> None:
    def create(skip_duplicate_check: bool, **command: Any) -> dict[str, Any]:
        if not skip_duplicate_check:
            raise Conflict("duplicate_client", candidates=CLIENT)
        return RECORD

    edge.answer(CREATE_CLIENT, create)
    body = problem(edge.send("POST", "/v1/clients", json={"first_name": "Ann"}), 409, "duplicate_client")
    assert body["candidates"] == [{"id": CLIENT}]
    skipped = edge.send("POST", "/v1/clients", json={}, headers={"X-Skip-Duplicate-Check": "true"})
    assert skipped.status_code == 201


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"nickname": "A"}, "nickname"),
        ({"first_name": 7}, "first_name"),
        ({"phones": [{"number": "1"}, {"number": "2", "primary": "yes"}]}, "phones.1.primary"),
        ({"first_name": "A\x00B"}, "first_name"),
        ({"firm_id": FIRM}, "firm_id"),
        ({"client_id": CLIENT}, "client_id"),
        ({"custom_fields": []}, "custom_fields"),
        ([], ""),
    ],
    ids=["unknown", "wrong-type", "nested", "nul", "firm", "id", "no-object-in-it", "no-object"],
)
def test_bad_input_is_422_and_names_the_field(edge: Edge, body: Any, field: str) -> None:
    found = problem(edge.send("POST", "/v1/clients", json=body), 422, "invalid_input")
    (error,) = found["errors"]
    assert (error["field"], found["title"]) == (field, "Invalid input")
    assert found["detail"] == (f"{field}: {error['message']}" if field else "Not an object.")
    assert isinstance(body, dict) or error["message"] == "Not an object."
    assert edge.calls.asked(CREATE_CLIENT) == []


@pytest.mark.parametrize(
    ("query", "field"),
    [("limit=0", "limit"), ("limit=abc", "limit"), ("frobnicate=1", "frobnicate"), ("tag=%00", "tag")],
)
def test_bad_query_is_422_and_names_the_parameter(edge: Edge, query: str, field: str) -> None:
    found = problem(edge.send("GET", f"/v1/clients?{query}"), 422, "invalid_input")
    assert [entry["field"] for entry in found["errors"]] == [field]


def test_a_query_reaches_the_owner_as_what_it_means(edge: Edge) -> None:
    edge.answer(LIST_CLIENTS, lambda **query: {"data": [], "meta": {"next_cursor": None, "total": 0}})
    assert edge.send("GET", "/v1/clients?limit=7&q=ann&created_since=2026-01-01T00:00:00Z").status_code == 200
    asked = edge.calls.asked(LIST_CLIENTS)[0]
    assert (asked["limit"], asked["q"], asked["created_since"].year) == (7, "ann", 2026)


def test_ten_megabytes_of_json_are_413(edge: Edge) -> None:
    body = json.dumps({"first_name": "A" * 10_000_000})
    problem(edge.send("POST", "/v1/clients", data=body, content_type="application/json"), 413, "too_large")


def test_another_media_type_is_415_and_broken_json_400(edge: Edge) -> None:
    problem(edge.send("POST", "/v1/clients", data="<a/>", content_type="text/xml"), 415, "unsupported_media_type")
    broken = edge.send("POST", "/v1/clients", data="{", content_type="application/json")
    problem(broken, 400, "bad_request")
    missing = edge.send("POST", "/v1/clients", data="", headers={"Content-Type": "application/json"})
    assert problem(missing, 400, "bad_request")["detail"] == "Not JSON that can be read."


@pytest.mark.parametrize(
    "body",
    [
        '{"answer": NaN}',
        '{"answer": "\\ud800"}',
        f'{{"answer": {"[" * 200}{"]" * 200}}}',
        "[" * 5000,
        '{"answer": 1e999}',
    ],
)
def test_what_only_python_takes_for_json_is_400(edge: Edge, body: str) -> None:
    edge.answer(RESOLVE_API_KEY, lambda key_hash: {**resolve(key_hash), "permissions": ["tasks.write"]})
    refused = edge.send("POST", f"/v1/case-tasks/{CLIENT}/answer", data=body, content_type="application/json")
    problem(refused, 400, "bad_request")
    assert edge.calls.asked(tasks.SUBMIT_ANSWER) == []


def test_an_answer_that_is_left_out_is_no_blank_one(edge: Edge) -> None:
    edge.answer(RESOLVE_API_KEY, lambda key_hash: {**resolve(key_hash), "permissions": ["tasks.write"]})
    refused = problem(edge.send("POST", f"/v1/case-tasks/{CLIENT}/answer", json={}), 422, "invalid_input")
    assert refused["errors"][0]["field"] == "answer"
    assert edge.calls.asked(tasks.SUBMIT_ANSWER) == []


def test_a_number_of_any_length_can_be_handed_on(edge: Edge) -> None:
    edge.answer(RESOLVE_API_KEY, lambda key_hash: {**resolve(key_hash), "permissions": ["tasks.write"]})
    edge.answer(tasks.SUBMIT_ANSWER, lambda **answer: RECORD)
    sent = edge.send(
        "POST", f"/v1/case-tasks/{CLIENT}/answer", data='{"answer": 1' + "0" * 30 + "}", content_type="application/json"
    )
    assert sent.status_code == 200
    assert edge.calls.asked(tasks.SUBMIT_ANSWER)[0]["answer"] == 1e30


def test_a_filter_that_lies_too_deep_is_422(edge: Edge) -> None:
    deep = '{"not":' * 300 + "{}" + "}" * 300
    problem(edge.send("GET", "/v1/clients", query_string={"filter": deep}), 422, "invalid_input")


def test_unknown_paths_methods_and_ids_that_are_none(edge: Edge) -> None:
    problem(edge.send("GET", "/v1/nothing"), 404, "not_found")
    problem(edge.send("GET", "/v1/clients/not-an-id"), 404, "not_found")
    assert "GET" in edge.send("DELETE", "/v1/clients").headers["Allow"]


def test_what_is_wrong_with_a_selector_is_named_as_in_the_body(edge: Edge) -> None:
    def refuse(**query: Any) -> dict[str, Any]:
        named = {"selector.case_filter.op": "Not an operator.", "selector": "Empty."}
        raise Invalid("invalid_filter", fields=[{"field": at, "message": said} for at, said in named.items()])

    edge.answer(RESOLVE_API_KEY, lambda key_hash: {**resolve(key_hash), "permissions": ["cases.read"]})
    edge.answer(cases.SELECT_CASES, refuse)
    refused = problem(
        edge.send("POST", "/v1/cases/select", json={"case_filter": {"op": "like"}}), 422, "invalid_filter"
    )
    assert [entry["field"] for entry in refused["errors"]] == ["case_filter.op", ""]
    assert refused["detail"] == "case_filter.op: Not an operator.; Empty."


def test_an_owners_not_found_is_404_and_its_meta_is_shown(edge: Edge) -> None:
    def missing(client_id: str) -> dict[str, Any]:
        raise NotFound("client_not_found", client_id=client_id)

    edge.answer(GET_CLIENT, missing)
    body = problem(edge.send("GET", f"/v1/clients/{CLIENT}"), 404, "client_not_found")
    assert body["client_id"] == CLIENT


# Webhooks: the signature covers the public address and every value of the form.

SMS = {"MessageSid": "SM1", "From": "+12125550123", "To": "+12125550100", "Body": "STOP", "NumMedia": "0",
       "MessagingServiceSid": "MG1", "NewParameter": "ignored"}  # fmt: skip


def signed(path: str, form: dict[str, str], token: str = TOKEN) -> dict[str, str]:
    return {"X-Twilio-Signature": RequestValidator(token).compute_signature(PUBLIC + path, form)}


def test_a_signed_inbound_message_is_handed_on(edge: Edge) -> None:
    edge.answer(RECEIVE_INBOUND_MESSAGE, lambda **command: {"message_id": CLIENT, "effect": "opted_out"})
    # The Host header names an inner host, as behind a proxy: the public address counts.
    answer = edge.http.post("/webhooks/twilio/sms", data=SMS, headers=signed("/webhooks/twilio/sms", SMS),
                            base_url="http://10.0.0.7:8000")  # fmt: skip
    assert (answer.status_code, answer.mimetype) == (200, "text/xml")
    asked = edge.calls.asked(RECEIVE_INBOUND_MESSAGE)[0]
    assert (asked["from_"], asked["to"], asked["body"]) == ("+12125550123", "+12125550100", "STOP")
    assert asked["messaging_service_sid"] == "MG1"


def test_a_stop_waits_for_a_service_that_is_just_restarting(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "_PAUSE", 0.0)
    failures: list[Exception] = [Unavailable("database_unavailable"), DeadlineExceeded("deadline_exceeded")]

    def receive(**command: Any) -> dict[str, Any]:
        if failures:
            raise failures.pop()
        return {"message_id": CLIENT, "effect": "opted_out"}

    edge.answer(RECEIVE_INBOUND_MESSAGE, receive)
    path = "/webhooks/twilio/sms"
    assert edge.http.post(path, data=SMS, headers=signed(path, SMS)).status_code == 200
    failures += [Unavailable("database_unavailable")] * 2
    monkeypatch.setattr(webhooks, "_INSISTS_FOR", 0.0)
    assert edge.http.post(path, data=SMS, headers=signed(path, SMS)).status_code == 503


def test_a_sign_that_no_database_keeps_holds_up_no_stop(edge: Edge) -> None:
    edge.answer(RECEIVE_INBOUND_MESSAGE, lambda **command: {"message_id": CLIENT, "effect": "opted_out"})
    form = {**SMS, "Body": "STOP\x00"}
    answer = edge.http.post("/webhooks/twilio/sms", data=form, headers=signed("/webhooks/twilio/sms", form))
    assert answer.status_code == 200
    assert edge.calls.asked(RECEIVE_INBOUND_MESSAGE)[0]["body"] == "STOP"


@pytest.mark.parametrize(
    ("form", "headers"),
    [
        (SMS, {}),
        (SMS, {"X-Twilio-Signature": "AAAA"}),
        ({**SMS, "From": "+12125550199"}, signed("/webhooks/twilio/sms", SMS)),
        (SMS, signed("/webhooks/twilio/sms", SMS, token="another")),
        (SMS, signed("/webhooks/twilio/status", SMS)),
    ],
    ids=["missing", "wrong", "tampered", "other-token", "other-address"],
)
def test_a_forged_webhook_is_403_and_has_no_effect(edge: Edge, form: dict[str, str], headers: dict[str, str]) -> None:
    answer = edge.http.post("/webhooks/twilio/sms", data=form, headers=headers)
    assert answer.status_code == 403
    assert json.loads(answer.data)["code"] in ("signature_missing", "signature_invalid")
    assert edge.calls.asked(RECEIVE_INBOUND_MESSAGE) == []


def test_a_status_callback_carries_the_deliverys_token(edge: Edge) -> None:
    edge.answer(RECORD_DELIVERY_STATUS, lambda **command: {"applied": True})
    form = {"MessageSid": "SM1", "MessageStatus": "undelivered", "ErrorCode": "30003"}
    path = "/webhooks/twilio/status?token=t-1"
    assert edge.http.post(path, data=form, headers=signed(path, form)).status_code == 204
    assert edge.calls.asked(RECORD_DELIVERY_STATUS)[0] == {
        "provider": "twilio", "provider_id": "SM1", "status": "undelivered", "error_code": "30003", "token": "t-1",
        "segments": None, "price": None, "currency": None,
    }  # fmt: skip


def test_the_docs_page_needs_nobody_elses_host(edge: Edge) -> None:
    page = edge.http.get("/docs/").get_data(as_text=True)
    assert "swagger-ui-bundle.js" in page
    assert "http" not in page.replace("http://localhost/docs", "")


def test_media_are_handed_out_to_be_saved(edge: Edge, tmp_path: Path) -> None:
    edge.files = FolderFiles(tmp_path)
    edge.files.put("media/1", b"\x89PNG picture")
    edge.answer(
        GET_MEDIA,
        lambda message_id, media_id: {
            "file_key": "media/1", "filename": "Scan 1.png", "content_type": "image/png", "size": 12,
        },
    )  # fmt: skip
    with edge.send("GET", f"/v1/messages/{CLIENT}/media/{STAFF}") as response:
        assert (response.status_code, response.data) == (200, b"\x89PNG picture")
    assert response.headers["Content-Disposition"] == 'attachment; filename="Scan 1.png"'
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert (response.content_type, response.content_length) == ("image/png", 12)


def test_media_that_are_still_to_come_are_409(edge: Edge) -> None:
    def waiting(**asked: Any) -> Any:
        raise Conflict("media_waiting")

    edge.answer(GET_MEDIA, waiting)
    problem(edge.send("GET", f"/v1/messages/{CLIENT}/media/{STAFF}"), 409, "media_waiting")
