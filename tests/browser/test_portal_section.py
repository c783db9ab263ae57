"""A section of a form on the client's page in a real browser: a phone without JavaScript, and a keyboard."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_portal_page import EVERY_KIND, SMALL, chosen
from tests.hostile_files import picture
from tests.stand_ins.portal_app import FakePortal, case_task, id_of

FORM = id_of(700)


def asked(number: int, kind: str, title: str, section: str = "About you", **values: Any) -> dict[str, Any]:
    return case_task(number, kind, title, section=section, case_form_id=FORM, **values)


@pytest.fixture
def intake(fake: FakePortal) -> FakePortal:
    """Two sections; who is married is asked for a name."""
    fake.add(
        "token",
        asked(1, "short_text", "Your full legal name", required=True),
        asked(2, "yes_no", "Are you married?", required=True),
        asked(3, "short_text", "Your spouse's name", required=True),
        asked(4, "phone", "Your mobile number", required=True),
        asked(5, "long_text", "Anything else?"),
        asked(6, "short_text", "Your car", "What you own", required=True),
        asked(7, "number", "What is it worth?", "What you own"),
    )
    fake.shown_if = {id_of(3): (id_of(2), True)}
    return fake


def married(page: Page, answer: str) -> None:
    page.get_by_role("group", name="Are you married?").get_by_label(answer).check()


def press(page: Page, name: str) -> None:
    """A button of the first section."""
    page.get_by_role("button", name=name).first.tap()


def answers(fake: FakePortal) -> list[Any]:
    return [task["answer"] for task in fake.links["token"]["case_tasks"]]


def test_a_section_is_sent_as_a_whole_and_the_next_one_follows(intake, visit):
    page = visit("/p/token")
    page.get_by_label("Your full legal name").fill("Ana Lane")
    married(page, "Yes")
    page.get_by_label("Your mobile number").fill("(212) 555-0123")
    press(page, "Continue")
    status = page.get_by_role("status")
    expect(status).to_have_text("Thank you. We have your answers.")
    expect(status).to_be_in_viewport()
    assert answers(intake) == ["Ana Lane", True, None, "+12125550123", None, None, None]
    expect(page.get_by_text("You left this blank.")).to_have_count(1)
    page.get_by_label("Your spouse's name").fill("Ben")
    press(page, "Continue")
    page.get_by_label("Your car").fill("A Volvo")
    page.get_by_label("What is it worth?").fill("1500")
    press(page, "Send")
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you, Ana")
    assert answers(intake) == ["Ana Lane", True, "Ben", "+12125550123", None, "A Volvo", "1500"]


def test_an_error_beside_one_question_keeps_the_others(intake, visit):
    page = visit("/p/token")
    page.get_by_label("Your full legal name").fill("Ana Lane")
    page.get_by_label("Your mobile number").fill("12")
    page.get_by_label("Anything else?").fill("My cat.\nAnd my dog.")
    press(page, "Continue")
    expect(page).to_have_title("Error: Harbor & Lane")
    summary = page.get_by_role("alert")
    expect(summary).to_be_focused()
    expect(summary.get_by_role("heading")).to_have_text("Please check these answers")
    links = summary.get_by_role("link")
    expect(links).to_have_text([
        "Are you married? – Answer this question, please: it is needed.",
        "Your mobile number – Check the phone number: it needs its area code, like (212)\u00a0555\u20110123.",
    ])  # fmt: skip
    number = page.get_by_label("Your mobile number")
    expect(number).to_have_value("12")
    expect(number).to_have_attribute("aria-invalid", "true")
    expect(number).to_have_accessible_description("With its area code, like (212)\u00a0555\u20110123. Error: "
                                                  "Check the phone number: it needs its area code, like "
                                                  "(212)\u00a0555\u20110123.")  # fmt: skip
    expect(page.get_by_role("group", name="Are you married?")).to_have_accessible_description(
        "Error: Answer this question, please: it is needed."
    )
    assert answers(intake)[0] == "Ana Lane"
    assert answers(intake)[4] == "My cat.\nAnd my dog."
    links.first.tap()
    assert page.url.endswith(f"#answer-{id_of(2)}")
    married(page, "No")
    number.fill("2125550123")
    press(page, "Continue")
    expect(page.get_by_role("status")).to_be_visible()
    assert answers(intake)[:5] == ["Ana Lane", False, None, "+12125550123", "My cat.\nAnd my dog."]


def test_a_client_saves_a_section_and_goes_on_on_another_phone(intake, visit):
    page = visit("/p/token")
    page.get_by_label("Your mobile number").fill("(212) 5")
    married(page, "Yes")
    press(page, "Save for later")
    expect(page.get_by_role("status")).to_contain_text("Saved. Come back to this page")
    assert answers(intake) == [None] * 7
    other = visit("/p/token", viewport=SMALL)
    number = other.get_by_label("Your mobile number")
    expect(number).to_have_value("(212) 5")
    expect(other.get_by_role("group", name="Are you married?").get_by_label("Yes")).to_be_checked()
    expect(other.get_by_text("Saved, and not sent yet.")).to_have_count(2)
    number.fill("(212) 555-0123")
    other.get_by_label("Your full legal name").fill("Ana Lane")
    press(other, "Continue")
    expect(other.get_by_label("Your spouse's name")).to_be_visible()
    assert answers(intake)[:4] == ["Ana Lane", True, None, "+12125550123"]


def test_a_half_typed_email_address_can_be_saved(fake, visit):
    fake.add("token", asked(1, "email", "Your email"), asked(2, "short_text", "Your street"))
    page = visit("/p/token")
    page.get_by_label("Your email").fill("ana@")
    press(page, "Save for later")
    expect(page.get_by_role("status")).to_contain_text("Saved.")
    expect(page.get_by_label("Your email")).to_have_value("ana@")


def test_changing_an_answer_keeps_what_is_typed_beside_it(intake, visit):
    page = visit("/p/token")
    married(page, "Yes")
    press(page, "Continue")
    page.get_by_label("Your full legal name").fill("Ana")
    page.get_by_role("button", name="Change my answer").tap()
    group = page.get_by_role("group", name="Are you married?")
    expect(group.get_by_label("Yes")).to_be_checked()
    expect(page.get_by_label("Your full legal name")).to_have_value("Ana")
    group.get_by_label("No").check()
    page.get_by_label("Your spouse's name").fill("Ben")
    page.get_by_label("Your mobile number").fill("2125550123")
    press(page, "Continue")
    expect(page.get_by_role("status")).to_have_text("Thank you. We have your answers.")
    assert answers(intake)[:4] == ["Ana", False, None, "+12125550123"]
    expect(page.get_by_text("Your spouse's name")).to_have_count(0)


def test_a_section_in_spanish(intake, visit):
    page = visit("/p/token")
    page.get_by_role("link", name="Español").tap()
    page.get_by_label("Your full legal name").fill("Ana Lane")
    press(page, "Continuar")
    expect(page.get_by_role("alert").get_by_role("heading")).to_have_text("Revise estas respuestas")
    expect(page.get_by_role("alert")).to_contain_text("Responda a esta pregunta")
    married(page, "No")
    press(page, "Guardar para después")
    expect(page.get_by_role("status")).to_contain_text("Guardado.")
    page.get_by_label("Your mobile number").fill("2125550123")
    press(page, "Continuar")
    expect(page.get_by_role("status")).to_have_text("Gracias. Ya tenemos sus respuestas.")
    assert answers(intake)[:4] == ["Ana Lane", False, None, "+12125550123"]


def test_the_keyboard_is_enough_and_enter_sends(fake, visit):
    done = asked(1, "short_text", "Your street", status="completed", answer="Main St")
    fake.add("token", done, asked(2, "yes_no", "Do you agree?", required=True), asked(3, "short_text", "Your car"))
    page = visit("/p/token")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Change my answer")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.type("A Volvo")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you, Ana")
    assert answers(fake) == ["Main St", True, "A Volvo"]


def test_every_kind_can_be_answered_in_one_form(fake, visit):
    fake.add("token", *({**task, "case_form_id": FORM, "section": "Everything"} for task in EVERY_KIND))
    page = visit("/p/token")
    for title, text in (
        ("Your mobile number", "2125550123"),
        ("Your email address", "ana@example.com"),
        ("Your street", "Main St"),
        ("What happened", "It rained.\nThen I fell."),
        ("What did the repair cost?", "1500.50"),
        ("Date of the accident", "2020-04-30"),
        ("Where do you live now?", "1 Main St\nAlbany, NY 12207"),
    ):
        page.get_by_label(title).fill(text)
    for group, choice in (
        ("Do you live at this address?", "No"),
        ("How should we reach you?", "By email"),
        ("Which apply to you?", "I have children"),
        ("Our fee agreement", "I have read this and confirm it."),
    ):
        page.get_by_role("group", name=group).get_by_label(choice).check()
    page.get_by_label("A picture of your license").set_input_files([chosen("front.jpg", picture())])
    signature = page.get_by_role("group", name="Your signature under all of this")
    signature.get_by_label("Your full name").fill("Ana Lane")
    signature.get_by_label("With my name I sign this electronically.").check()
    press(page, "Send")
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you, Ana")
    assert [fake.answer_of(id_of(number)) for number in range(1, 15)] == [
        "+12125550123", "ana@example.com", "Main St", "It rained.\nThen I fell.", "1500.50", "2020-04-30", False,
        "By email", ["I have children"], "1 Main St\nAlbany, NY 12207", True, [id_of(500)], "X-1100",
        {"name": "Ana Lane", "agreed": True, "file_id": None},
    ]  # fmt: skip


def test_a_section_sent_twice_answers_once(intake, visit):
    page = visit("/p/token")
    page.get_by_label("Your full legal name").fill("Ana Lane")
    married(page, "No")
    page.get_by_label("Your mobile number").fill("12")
    page.get_by_role("button", name="Continue").first.dblclick()
    expect(page.get_by_role("alert")).to_be_visible()
    assert intake.writes == 2
    page.reload()
    expect(page.get_by_role("alert")).to_be_visible()
    assert intake.writes == 2
    page.get_by_label("Your mobile number").fill("2125550123")
    page.get_by_role("button", name="Continue").first.dblclick()
    expect(page.get_by_role("status")).to_have_text("Thank you. We have your answers.")
    assert intake.writes == 4
