"""A section of a form on the client's page: filled in as a whole, through Flask's test client."""

from __future__ import annotations

import io
from typing import Any

import pytest
from werkzeug.datastructures import MultiDict

from contracts import portal
from contracts.errors import Unavailable
from gateway.portal_uploads import TOO_LARGE
from tests.hostile_files import picture
from tests.stand_ins.html_forms import Form, forms_of
from tests.stand_ins.portal_app import FakePortal, case_task, id_of, make_app
from tests.unit.test_portal_pages import opened

FORM = id_of(700)
SEND, CONTINUE, SAVE, CHANGE = "Send", "Continue", "Save for later", "Change my answer"


def asked(number: int, kind: str, title: str, section: str = "About you", **values: Any) -> dict[str, Any]:
    return case_task(number, kind, title, section=section, case_form_id=FORM, **values)


def named(number: int, name: str = "answer") -> str:
    return f"{name}-{id_of(number)}"


@pytest.fixture
def fake() -> FakePortal:
    return FakePortal()


@pytest.fixture
def browser(fake):
    return make_app(fake).test_client()


@pytest.fixture
def about_you(fake) -> FakePortal:
    """Two required questions and two optional ones, and another section."""
    fake.add(
        "token",
        asked(1, "short_text", "Your street", required=True),
        asked(2, "email", "Your email", required=True),
        asked(3, "yes_no", "Do you own a home?"),
        asked(4, "several_choices", "Which apply?", options=["a", "b"]),
        asked(5, "short_text", "Your car", "Goods", required=True),
    )
    return fake


def handed_on(fake: FakePortal) -> int:
    return sum(operation == portal.FILL_IN for operation, _ in fake.calls.calls)


def press(browser, html: str, button: str, values: dict[str, Any] | None = None, number: int = 0, **query: str):
    """Fills in the fields of a form and presses a button."""
    return browser.post("/p", data=forms_of(html)[number].filled(button, values), query_string=query)


def only(html: str) -> Form:
    (form,) = forms_of(html)
    return form


# Sending


def test_all_of_a_section_is_sent_at_once_and_another_one_is_not(about_you, browser):
    fake, page = about_you, opened(browser, "token")
    assert [form.tasks for form in forms_of(page)] == [[id_of(1), id_of(2), id_of(3), id_of(4)], [id_of(5)]]
    values = {named(1): "Main St", named(2): "ana@example.com", named(3): "yes", named(4): ["a", "b"]}
    response = press(browser, page, CONTINUE, values)
    assert (response.status_code, response.location) == (303, f"/p?done={id_of(1)}#next")
    assert [fake.answer_of(id_of(number)) for number in range(1, 6)] == [
        "Main St", "ana@example.com", True, ["a", "b"], None,
    ]  # fmt: skip
    assert handed_on(fake) == 1
    after = browser.get(response.location).text
    assert after.index("Thank you. We have your answers.") < after.index(">Goods</h2>")
    assert [form.tasks for form in forms_of(after)] == [[id_of(5)]]
    assert press(browser, after, SEND, {named(5): "None"}).status_code == 303
    assert "Thank you, Ana" in browser.get("/p").text


def test_errors_stand_beside_their_questions_and_good_answers_are_taken(about_you, browser):
    fake, values = about_you, {named(1): " ", named(2): "ana@", named(3): "no"}
    response = press(browser, opened(browser, "token"), CONTINUE, values)
    page = response.text
    assert response.status_code == 422
    assert "<title>Error: Harbor &amp; Lane</title>" in page
    assert "Please check these answers" in page
    assert f'<a href="#answer-{id_of(1)}"><span>Your street</span> – Answer this question, please' in page
    assert f'<a href="#answer-{id_of(2)}"><span>Your email</span> – Check the email address' in page
    assert page.count('aria-invalid="true"') == 2
    form = forms_of(page)[0]
    assert (form.fields[named(1)], form.fields[named(2)]) == ([" "], ["ana@"])
    assert fake.answer_of(id_of(3)) is False
    assert form.tasks == [id_of(1), id_of(2), id_of(4)], "what was taken is shown as answered"
    statuses = [task["status"] for task in browser_page(fake)]
    assert statuses == ["to_do", "to_do", "completed", "to_do", "to_do"], "blank ones wait for the others"
    values = {named(1): "Main St", named(2): "ana@example.com"}
    assert press(browser, page, CONTINUE, values).status_code == 303
    assert [task["status"] for task in browser_page(fake)] == ["completed"] * 4 + ["to_do"]
    assert fake.answer_of(id_of(4)) is None


def browser_page(fake: FakePortal) -> list[dict[str, Any]]:
    return fake.links["token"]["case_tasks"]


def test_one_error_is_told_as_one(about_you, browser):
    page = press(browser, opened(browser, "token"), CONTINUE, {named(1): "Main St"}).text
    assert "Please check this answer<" in page
    assert f'<a href="#answer-{id_of(2)}">Answer this question' in page


def test_the_same_form_twice_answers_once_and_shows_the_same_page(about_you, browser):
    fake, page = about_you, opened(browser, "token")
    wrong = {named(1): "Main St", named(2): "ana@", named(3): "yes"}
    first, again = press(browser, page, CONTINUE, wrong), press(browser, page, CONTINUE, wrong)
    assert (first.status_code, first.text) == (again.status_code, again.text)
    assert fake.writes == 2
    right = wrong | {named(2): "ana@example.com"}
    first, again = press(browser, page, CONTINUE, right), press(browser, page, CONTINUE, right)
    assert (first.status_code, first.location) == (again.status_code, again.location)
    assert fake.writes == 4
    assert browser.get(first.location).text == browser.get(again.location).text


def test_what_was_answered_elsewhere_meanwhile_is_not_blanked(about_you, browser):
    fake, page = about_you, opened(browser, "token")
    browser_page(fake)[2].update(status="completed", answer=True)
    values = {named(1): "Main St", named(2): "ana@example.com"}
    assert press(browser, page, CONTINUE, values).status_code == 303
    assert fake.answer_of(id_of(3)) is True


# Conditions


@pytest.fixture
def married(fake) -> FakePortal:
    fake.add(
        "token",
        asked(1, "yes_no", "Are you married?", required=True),
        asked(2, "short_text", "Your spouse's name", required=True),
        asked(3, "short_text", "Anything else?"),
    )
    fake.shown_if = {id_of(2): (id_of(1), True)}
    return fake


def test_a_question_that_an_answer_brings_up_is_where_one_goes_on(married, browser):
    page = opened(browser, "token")
    assert only(page).tasks == [id_of(1), id_of(3)]
    response = press(browser, page, SEND, {named(1): "yes"})
    after = browser.get(response.location).text
    assert only(after).tasks == [id_of(2)]
    assert after.index("Thank you. We have your answers.") < after.index("Your spouse")


@pytest.mark.parametrize("spouse", ["Étienne", "", "x" * 501])
def test_an_answer_that_another_one_of_the_same_form_hides_is_dropped(married, browser, spouse):
    fake = married
    press(browser, opened(browser, "token"), SEND, {named(1): "yes"})
    browser_page(fake)[0]["status"] = "in_progress"  # asked for again
    page = browser.get("/p").text
    assert only(page).tasks == [id_of(1), id_of(2)]
    response = press(browser, page, SEND, {named(1): "no", named(2): spouse})
    assert response.status_code == 303
    assert (fake.answer_of(id_of(1)), fake.answer_of(id_of(2))) == (False, None)


# Saving


def test_what_was_filled_in_of_a_section_is_kept_for_later(about_you, browser):
    fake = about_you
    values = {named(1): "Main", named(3): "yes", named(4): ["b"]}
    response = press(browser, opened(browser, "token"), SAVE, values)
    assert (response.status_code, response.location) == (303, f"/p?saved={id_of(1)}#next")
    page = opened(make_app(fake).test_client(), "token")
    form = forms_of(page)[0]
    assert (form.fields[named(1)], form.fields[named(3)], form.fields[named(4)]) == (["Main"], ["yes"], ["b"])
    assert page.count("Saved, and not sent yet.") == 3, "what was left alone is no draft"
    assert fake.writes == 3
    assert press(browser, page, SAVE).status_code == 303
    assert fake.writes == 3
    assert press(browser, page, CONTINUE, {named(2): "ana@example.com"}).status_code == 303
    assert [fake.answer_of(id_of(number)) for number in range(1, 5)] == ["Main", "ana@example.com", True, ["b"]]


def test_a_draft_that_cannot_be_kept_says_so_and_the_others_are_kept(about_you, browser):
    fake = about_you
    response = press(browser, opened(browser, "token"), SAVE, {named(1): "x" * 501, named(3): "no"})
    assert response.status_code == 422
    assert "Use at most 500 characters." in response.text
    form = forms_of(response.text)[0]
    assert (form.fields[named(1)], form.fields[named(3)]) == (["x" * 501], ["no"])
    assert fake.writes == 1


@pytest.mark.parametrize(
    ("kind", "options", "value", "answer"),
    [
        ("short_text", [], "Main St", "Main St"),
        ("long_text", [], "It rained,\nand", "It rained,\nand"),
        ("address", [], {"line1": "1 Main St", "city": "Bath"}, "1 Main St\nBath"),
        ("yes_no", [], False, False),
        ("one_choice", ["a", "b"], "b", "b"),
        ("several_choices", ["a", "b", "c"], ["c", "b"], ["b", "c"]),
    ],
)
def test_what_is_known_is_no_draft_until_it_is_touched_and_is_sent_as_it_is(
    fake, browser, kind, options, value, answer
):
    known = [{"case_task_id": id_of(1), "value": value}]
    fake.add("token", asked(1, kind, "Which?", options=options), asked(2, "short_text", "Your car"), known=known)
    page = opened(browser, "token")
    press(browser, page, SAVE, {named(2): "A Volvo"})
    assert fake.writes == 1
    page = browser.get("/p").text
    assert press(browser, page, SEND).status_code == 303
    assert (fake.answer_of(id_of(1)), fake.answer_of(id_of(2))) == (answer, "A Volvo")


def test_to_change_an_answer_keeps_what_is_filled_in_around_it(about_you, browser):
    fake = about_you
    browser_page(fake)[0].update(status="completed", answer="Main St")
    response = press(browser, opened(browser, "token"), CHANGE, {named(2): "ana@"})
    assert response.location == f"/p?change={id_of(1)}#task-{id_of(1)}"
    page = browser.get(response.location).text
    form = forms_of(page)[0]
    assert (form.fields[named(1)], form.fields[named(2)]) == (["Main St"], ["ana@"])
    refused = press(browser, page, SAVE, {named(1): "Side St"})
    assert refused.status_code == 422
    assert "it cannot be saved for later" in refused.text
    assert forms_of(refused.text)[0].fields[named(1)] == ["Side St"]
    values = {named(1): "Side St", named(2): "ana@example.com"}
    assert press(browser, refused.text, CONTINUE, values).status_code == 303
    assert fake.answer_of(id_of(1)) == "Side St"


def test_enter_never_presses_the_button_to_change_an_answer(about_you, browser):
    browser_page(about_you)[0].update(status="completed", answer="Main St")
    page = opened(browser, "token")
    assert page.index('<button type="submit" class="unseen" tabindex="-1"') < page.index('name="change"')


# Files and signatures


@pytest.fixture
def documents(fake) -> FakePortal:
    fake.add(
        "token",
        asked(1, "short_text", "Your license's number", required=True),
        asked(2, "file_upload", "Your license", required=True),
        asked(3, "signature", "Our agreement", required=True),
        asked(4, "acknowledgement", "Our fees", required=True),
    )
    return fake


def send_files(browser, html: str, button: str, values: dict[str, Any], files: dict[int, list[tuple[str, bytes]]]):
    form = only(html)
    assert form.multipart
    chosen = {
        named(number, "file"): [(io.BytesIO(content), name) for name, content in some] for number, some in files.items()
    }
    return browser.post("/p", data=form.filled(button, values) | chosen, content_type="multipart/form-data")


def test_files_and_signatures_are_sent_with_the_rest(documents, browser):
    values = {
        named(1): "X-1", named(3, "signed_name"): "Ana Lane", named(3, "agreed"): "yes", named(4): "yes",
    }  # fmt: skip
    files = {2: [("front.jpg", picture()), ("back.jpg", picture(size=(50, 30)))], 3: [("me.png", picture("PNG"))]}
    page = opened(browser, "token")
    response = send_files(browser, page, SEND, values, files)
    assert response.status_code == 303
    assert [documents.answer_of(id_of(number)) for number in range(1, 5)] == [
        "X-1", [id_of(500), id_of(501)], {"name": "Ana Lane", "agreed": True, "file_id": id_of(502)}, True,
    ]  # fmt: skip


def test_a_file_that_is_refused_holds_nothing_else_back(documents, browser):
    files = {2: [("front.jpg", picture()), ("page.pdf", b"<html>")]}
    response = send_files(browser, opened(browser, "token"), SEND, {named(1): "X-1", named(4): "yes"}, files)
    assert response.status_code == 422
    assert "page.pdf: We cannot take this kind of file." in response.text
    form = only(response.text)
    assert form.tasks == [id_of(2), id_of(3)]
    assert form.fields[named(2)] == [id_of(500)], "the one that could be taken is there"
    assert (documents.answer_of(id_of(1)), documents.answer_of(id_of(4))) == ("X-1", True)


def test_what_was_left_blank_beside_a_refused_file_is_not_answered_yet(fake, browser):
    fake.add("token", asked(1, "file_upload", "Your license"), asked(2, "short_text", "Your car"))
    page = opened(browser, "token")
    assert send_files(browser, page, SEND, {}, {1: [("page.pdf", b"<html>")]}).status_code == 422
    assert [task["status"] for task in browser_page(fake)] == ["to_do", "to_do"]
    assert send_files(browser, page, SEND, {}, {1: [("front.jpg", picture())]}).status_code == 303
    assert [task["status"] for task in browser_page(fake)] == ["completed", "completed"]


def test_saving_keeps_files_and_says_what_it_does_not_keep(documents, browser):
    page = opened(browser, "token")
    assert "Signatures and ticks to confirm are given when you send" in page
    values = {named(1): "X-", named(3, "signed_name"): "Ana Lane"}
    response = send_files(browser, page, SAVE, values, {2: [("front.jpg", picture())]})
    assert response.status_code == 303
    form = only(browser.get("/p").text)
    assert (form.fields[named(1)], form.fields[named(2)]) == (["X-"], [id_of(500)])
    assert documents.answer_of(id_of(2)) is None


def test_a_tick_and_a_name_come_back_with_what_could_not_be_saved(documents, browser):
    values = {named(1): "x" * 501, named(3, "signed_name"): "Ana Lane", named(4): "yes"}
    form = only(press(browser, opened(browser, "token"), SAVE, values).text)
    assert (form.fields[named(3, "signed_name")], form.fields[named(4)]) == (["Ana Lane"], ["yes"])


def test_many_files_and_ticks_are_no_more_parts_than_may_be(fake, browser):
    options = [f"option {number}" for number in range(150)]
    fake.add("token", asked(1, "several_choices", "Which?", options=options), asked(2, "file_upload", "Your license"))
    response = send_files(browser, opened(browser, "token"), SEND, {named(1): options}, {2: [("a.jpg", picture())]})
    assert response.status_code == 303
    assert fake.answer_of(id_of(1)) == options


# Trouble


def test_all_that_was_typed_survives_a_service_that_is_away(about_you, browser):
    fake, page = about_you, opened(browser, "token")
    fake.trouble = Unavailable("bus_unavailable")
    values = {named(1): "Main St", named(2): "ana@example.com", named(4): ["a", "b"]}
    response = press(browser, page, CONTINUE, values)
    assert response.status_code == 503
    fake.trouble = None
    again = only(response.text)
    assert browser.post("/p", data=again.fields).status_code == 303
    assert [fake.answer_of(id_of(number)) for number in range(1, 5)] == [
        "Main St", "ana@example.com", None, ["a", "b"],
    ]  # fmt: skip


@pytest.mark.parametrize("lang", ["en", "es"])
def test_what_was_typed_beside_files_that_were_too_large_is_there_again(documents, browser, lang):
    fields = only(opened(browser, "token")).filled(SEND, {named(1): "X-1", named(3, "signed_name"): "Ana Lane"})
    too_large = {TOO_LARGE: MultiDict(fields)}
    response = browser.post(f"/p?lang={lang}", data=b"", environ_overrides=too_large)
    assert response.status_code == 413
    form = only(response.text)
    assert (form.fields[named(1)], form.fields[named(3, "signed_name")]) == (["X-1"], ["Ana Lane"])
    assert documents.writes == 0


def test_what_was_typed_is_saved_where_the_files_could_not_be_taken(documents, browser):
    page = opened(browser, "token")
    documents.trouble = Unavailable("bus_unavailable")
    response = send_files(browser, page, SEND, {named(1): "X-1"}, {2: [("front.jpg", picture())]})
    assert response.status_code == 503
    assert "choose your files once more" in response.text
    assert documents.files.kept == {}
    documents.trouble = None
    assert browser.post("/p", data=only(response.text).fields).status_code == 303
    assert only(browser.get("/p").text).fields[named(1)] == ["X-1"]
    assert documents.answer_of(id_of(1)) is None


# Whose form it is


@pytest.mark.parametrize("token", ["", "forged"])
def test_a_section_of_another_page_is_not_taken_and_comes_back(about_you, browser, token):
    form = forms_of(opened(browser, "token"))[0].filled(CONTINUE, {named(1): "Main St"})
    response = browser.post("/p", data={**form, "csrf_token": token})
    assert response.status_code == 400
    assert "This page was out of date" in response.text
    assert forms_of(response.text)[0].fields[named(1)] == ["Main St"]
    assert about_you.writes == 0


@pytest.mark.parametrize("tasks", [[], ["nonsense"], [id_of(number) for number in range(301)]])
def test_what_is_no_form_of_ours_is_not_taken(about_you, browser, tasks):
    form = forms_of(opened(browser, "token"))[0].filled(CONTINUE)
    assert browser.post("/p", data={**form, "task": tasks}).status_code == 400
    assert about_you.writes == 0


def test_a_task_of_another_link_is_passed_over(about_you, browser):
    about_you.add("theirs", case_task(9, "short_text", "Their street"))
    form = forms_of(opened(browser, "token"))[0].filled(CONTINUE, {named(1): "Main St", named(2): "ana@example.com"})
    form = {**form, "task": [*form["task"], id_of(9)], named(9): "x"}
    assert browser.post("/p", data=form).status_code == 303
    assert about_you.answer_of(id_of(9)) is None


# What else stands on the page


def test_tasks_of_no_form_and_a_single_question_have_forms_of_their_own(fake, browser):
    fake.add("token", case_task(1, "short_text", "Your street"), case_task(2, "phone", "Your number"))
    page = opened(browser, "token")
    assert [form.buttons.keys() for form in forms_of(page)] == [{"Send my answer", SAVE}] * 2
    assert "Each has a button of its own" in page
    fake.add("one", asked(3, "short_text", "Your street"))
    assert only(opened(browser, "one")).buttons.keys() == {"Send my answer", SAVE}


def test_the_page_says_how_it_is_filled_in(about_you, fake, browser):
    assert "Each part has buttons of its own" in opened(browser, "token")
    fake.add("one", asked(11, "short_text", "A"), asked(12, "short_text", "B"))
    page = opened(browser, "one")
    assert "of its own" not in page
    assert only(page).buttons.keys() == {SEND, SAVE}


def test_a_section_speaks_spanish(about_you, browser):
    opened(browser, "token")
    page = browser.get("/p?lang=es").text
    assert list(forms_of(page)[0].buttons) == ["Continuar", "Guardar para después"]
    response = press(browser, page, "Continuar", {named(1): "Calle Mayor"}, lang="es")
    assert "Responda a esta pregunta" in response.text
    right = {named(2): "ana@example.com"}
    response = press(browser, response.text, "Continuar", right, lang="es")
    assert "Ya tenemos sus respuestas." in browser.get(response.location).text
