"""The reference of the API says what a request is made of."""

from __future__ import annotations

import json

from deploy.documents import render


def test_an_upload_of_a_list_is_its_file_and_what_is_said_of_it() -> None:
    reference = json.loads(render()["openapi.json"])
    upload = reference["paths"]["/v1/imports"]["post"]
    ((content_type, body),) = upload["requestBody"]["content"].items()
    schema = reference["components"]["schemas"][body["schema"]["$ref"].rpartition("/")[2]]
    assert (content_type, schema["required"]) == ("multipart/form-data", ["file"])
    assert set(schema["properties"]) == {"file", "target", "sheet"}
    assert [parameter["name"] for parameter in upload["parameters"]] == ["Idempotency-Key"]
