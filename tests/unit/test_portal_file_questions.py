"""Files and signatures on the client's page, through Flask's test client, with a tiny portal behind it."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from werkzeug.datastructures import MultiDict

from chassis.rpc import RemoteFault
from contracts import portal
from contracts.errors import Gone, Unavailable
from gateway.portal_uploads import TOO_LARGE
from tests.hostile_files import pdf, picture
from tests.stand_ins.portal_app import FakePortal, case_task, id_of, make_app, stored_file
from tests.unit.test_portal_pages import form_of, opened


@pytest.fixture
def fake() -> FakePortal:
    return FakePortal()


@pytest.fixture
def browser(fake):
    return make_app(fake).test_client()


def send(browser, *files: tuple[str, bytes], lang: str = "", **fields: Any):
    """Sends the form as a browser does: with a nameless file where none was chosen."""
    form = form_of(browser.get("/p").text)
    chosen = [(io.BytesIO(content), name) for name, content in files] or [(io.BytesIO(b""), "")]
    path = f"/p?lang={lang}" if lang else "/p"
    return browser.post(path, data={**form, "file": chosen, **fields}, content_type="multipart/form-data")


def boxes(html: str) -> dict[str, bool]:
    """The files that the page offers to send, and whether each is ticked."""
    found = re.findall(r'<input type="checkbox" name="answer" value="([^"]+)"( checked)?> <span>([^<]+)</span>', html)
    return {label: bool(checked) for _, checked, label in found}


def test_what_is_sent_is_uploaded_and_named_by_the_answer(fake, browser):
    fake.add("token", case_task(1, "file_upload", "Your license", required=True))
    opened(browser, "token")
    assert send(browser, ("front.jpg", picture()), ("letter.pdf", pdf())).status_code == 303
    assert fake.answer_of(id_of(1)) == [id_of(500), id_of(501)]
    assert fake.files.kept == {}
    page = browser.get("/p").text
    assert "front.jpg (1\u00a0KB)" in page
    assert "letter.pdf" in page
    assert "Your answer:" in page


def test_those_that_could_be_taken_stay_when_another_one_is_refused(fake, browser):
    fake.add("token", case_task(1, "file_upload", "Your license", required=True))
    opened(browser, "token")
    refused = send(browser, ("front.jpg", picture()), ("page.pdf", b"<html>"))
    assert refused.status_code == 422
    assert "page.pdf: We cannot take this kind of file. We take: jpg, pdf." in refused.text
    assert boxes(refused.text) == {"front.jpg (1\u00a0KB)": True}
    assert fake.answer_of(id_of(1)) is None
    # Also after a look at the page anew; and then they are sent.
    assert boxes(browser.get("/p").text) == {"front.jpg (1\u00a0KB)": True}
    assert send(browser, answer=[id_of(500)]).status_code == 303
    assert fake.answer_of(id_of(1)) == [id_of(500)]


def test_a_box_without_its_tick_stays_so_when_the_form_comes_back(fake, browser):
    fake.add("token", case_task(1, "file_upload", "Your license"))
    opened(browser, "token")
    send(browser, ("front.jpg", picture()), ("page.pdf", b"<html>"))
    again = send(browser, ("back.jpg", picture("PNG")), ("page.pdf", b"<html>"))
    assert boxes(again.text) == {"front.jpg (1\u00a0KB)": False, "back.png (1\u00a0KB)": True}


@pytest.mark.parametrize(
    ("lang", "said"),
    [("en", "A file may have at most 25 MB."), ("es", "Un archivo puede tener como máximo 25 MB.")],
)
def test_one_that_is_too_large_is_not_even_stored(fake, browser, monkeypatch, lang, said):
    monkeypatch.setattr("gateway.portal_uploads.LARGEST_FILE", 25 * 1024)
    monkeypatch.setattr("gateway.portal_uploads._MEGABYTE", 1024)
    fake.add("token", case_task(1, "file_upload", "Your license"))
    opened(browser, "token")
    refused = send(browser, ("film.mp4", bytes(25 * 1024 + 1)), lang=lang)
    assert refused.status_code == 422
    assert said in refused.text
    assert "attach_own_files" not in {operation.name for operation, _ in fake.calls.calls}


def test_a_required_question_without_a_file_says_so(fake, browser):
    fake.add("token", case_task(1, "file_upload", "Your license", required=True))
    opened(browser, "token")
    refused = send(browser)
    assert refused.status_code == 422
    assert "Answer this question, please" in refused.text


def test_too_many_at_once_are_refused(fake, browser):
    fake.add("token", case_task(1, "file_upload", "Your license"))
    opened(browser, "token")
    refused = send(browser, *((f"{number}.jpg", picture()) for number in range(21)))
    assert refused.status_code == 422
    assert "Send at most 20 files." in refused.text
    assert fake.files.kept == {}


@pytest.mark.parametrize("error", [Unavailable("files_unavailable"), RemoteFault("x"), Gone("link_gone")])
def test_what_is_not_handed_on_is_not_left_in_the_store(fake, browser, monkeypatch, error):
    fake.add("token", case_task(1, "file_upload", "Your license"))
    opened(browser, "token")
    form = form_of(browser.get("/p").text)
    monkeypatch.setattr(fake, "_page", lambda link_id: (_ for _ in ()).throw(error))
    answer = browser.post("/p", data={**form, "file": (io.BytesIO(picture()), "front.jpg")})
    assert answer.status_code == (410 if isinstance(error, Gone) else 503)
    assert fake.files.kept == {}
    if answer.status_code == 503:
        assert "send them again" in answer.text


def test_a_form_of_another_page_uploads_nothing(fake, browser):
    fake.add("token", case_task(1, "file_upload", "Your license"))
    opened(browser, "token")
    assert send(browser, ("front.jpg", picture()), csrf_token="forged").status_code == 400
    assert fake.files.kept == {}
    assert "attach_own_files" not in {operation.name for operation, _ in fake.calls.calls}


def test_what_was_uploaded_can_be_sent_again_after_trouble(fake, browser):
    fake.add("token", case_task(1, "file_upload", "Your license"))
    opened(browser, "token")
    working = fake.calls.answers[portal.SUBMIT_ANSWERS]

    def away(**_: Any) -> None:
        raise Unavailable("no_answer")

    fake.calls.answers[portal.SUBMIT_ANSWERS] = away
    trouble = send(browser, ("front.jpg", picture()))
    assert trouble.status_code == 503
    fake.calls.answers[portal.SUBMIT_ANSWERS] = working
    assert browser.post("/p", data=form_of(trouble.text)).status_code == 303
    assert fake.answer_of(id_of(1)) == [id_of(500)]


def test_a_signature_is_a_name_and_a_tick(fake, browser):
    fake.add("token", case_task(1, "signature", "Our agreement", required=True))
    opened(browser, "token")
    refused = send(browser, signed_name="Ann Lane")
    assert refused.status_code == 422
    assert "To sign, write your full name and tick the box." in refused.text
    assert 'value="Ann Lane"' in refused.text
    assert send(browser, ("me.png", picture("PNG")), signed_name="Ann Lane", agreed="yes").status_code == 303
    assert fake.answer_of(id_of(1)) == {"name": "Ann Lane", "agreed": True, "file_id": id_of(500)}
    page = browser.get("/p").text
    assert "Signed by Ann Lane" in page
    assert "With a picture of the signature" in page


def test_a_signature_that_may_be_left_can_be_left(fake, browser):
    fake.add("token", case_task(1, "signature", "Our agreement"))
    opened(browser, "token")
    assert send(browser, signed_name=" ").status_code == 303
    assert fake.answer_of(id_of(1)) is None


def test_names_of_files_are_text_and_never_markup(fake, browser):
    evil = '"><script>alert(1)</script>'
    page = fake.add("token", case_task(1, "file_upload", "Your license"))
    page["files"] = [stored_file(7, id_of(1), evil, 5_000_000)]
    shown = opened(browser, "token")
    assert "<script" not in shown
    assert "4.8\u00a0MB" in shown


@pytest.mark.parametrize(("lang", "said"), [("en", "too large together"), ("es", "juntos son demasiado grandes")])
def test_what_was_too_large_to_be_read_is_told_on_the_page(fake, browser, lang, said):
    fake.add("token", case_task(1, "file_upload", "Your license"))
    opened(browser, "token")
    answer = browser.post(f"/p?lang={lang}", data=b"", environ_overrides={TOO_LARGE: MultiDict()})
    assert answer.status_code == 413
    assert said in answer.text
    assert "2 MB" in answer.text
