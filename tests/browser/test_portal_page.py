"""The client's pages in a real browser: a phone, JavaScript off, keyboard, dark mode, nothing from elsewhere."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.hostile_files import picture
from tests.stand_ins.portal_app import case_task, id_of

SMALL = {"width": 320, "height": 568}
EVERY_KIND = [
    case_task(1, "phone", "Your mobile number", mapping={"target": "client", "field": "phone"}),
    case_task(2, "email", "Your email address", required=True),
    case_task(3, "short_text", "Your street"),
    case_task(4, "long_text", "What happened, in your own words, as far as you can remember it today?"),
    case_task(5, "number", "What did the repair cost?"),
    case_task(6, "date", "Date of the accident", due_at=dt.datetime(2020, 5, 1, tzinfo=dt.UTC), status="overdue"),
    case_task(7, "yes_no", "Do you live at this address?", required=True),
    case_task(8, "one_choice", "How should we reach you?", options=["By text", "By email", "W" * 60]),
    case_task(9, "several_choices", "Which apply to you?", options=["I own a home", "I have children"]),
    case_task(10, "address", "Where do you live now?"),
    case_task(11, "acknowledgement", "Our fee agreement", instructions="You pay nothing unless we win.", required=True),
    case_task(12, "file_upload", "A picture of your license"),
    case_task(13, "short_text", "Your policy number", status="completed", answer="X-1100"),
    case_task(14, "signature", "Your signature under all of this", required=True),
]


def test_a_client_answers_on_a_phone(fake, visit, site):
    fake.add("token", case_task(1, "phone", "Your mobile number", mapping={"target": "client", "field": "phone"}))
    page = visit("/p/token")
    assert page.url == f"{site}/p"
    expect(page.get_by_role("heading", level=1)).to_have_text("Hello Ana,")
    page.get_by_label("Your mobile number").fill("(212) 555-0123")
    page.get_by_role("button", name="Send my answer").tap()
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you, Ana")
    assert fake.answer_of(id_of(1)) == "+12125550123"
    page.get_by_role("link", name="Change my answer").tap()
    page.get_by_label("Your mobile number").fill("")
    page.get_by_role("button", name="Send my answer").tap()
    expect(page.get_by_text("You left this blank, so we remove")).to_be_visible()
    assert fake.answer_of(id_of(1)) is None


def test_a_client_goes_on_later_on_another_phone(fake, visit):
    fake.add("token", case_task(1, "long_text", "What happened?"), case_task(2, "yes_no", "Was it wet?"))
    page = visit("/p/token")
    page.get_by_label("What happened?").fill("It rained, and")
    page.locator("form").first.get_by_role("button", name="Save for later").tap()
    expect(page.get_by_role("status")).to_contain_text("Saved. Come back to this page")
    page.get_by_role("group", name="Was it wet?").get_by_label("Yes").check()
    page.locator("form").nth(1).get_by_role("button", name="Save for later").tap()
    other = visit("/p/token", viewport=SMALL)
    expect(other.get_by_role("group", name="Was it wet?").get_by_label("Yes")).to_be_checked()
    story = other.get_by_label("What happened?")
    expect(story).to_have_value("It rained, and")
    story.fill("It rained, and I fell.")
    other.locator("form").first.get_by_role("button", name="Send my answer").tap()
    expect(other.get_by_text("We have your answer.")).to_be_visible()
    assert (fake.answer_of(id_of(1)), fake.answer_of(id_of(2))) == ("It rained, and I fell.", None)


def test_what_is_on_record_is_checked_and_sent_as_it_is(fake, visit):
    mapping = {"target": "client", "field": "phone"}
    known = [{"case_task_id": id_of(1), "value": "+12125550123"}, {"case_task_id": id_of(2), "value": True}]
    asked = case_task(1, "phone", "Your mobile number", mapping=mapping), case_task(2, "yes_no", "Was it wet?")
    fake.add("token", *asked, known=known)
    page = visit("/p/token", viewport=SMALL)
    field = page.get_by_label("Your mobile number")
    expect(field).to_have_value("+12125550123")
    expect(field).to_have_accessible_description(re.compile("This is what we have on record. Check it"))
    expect(page.get_by_role("group", name="Was it wet?").get_by_label("Yes")).to_be_checked()
    assert page.evaluate("document.documentElement.scrollWidth") <= SMALL["width"]
    page.locator("form").first.get_by_role("button", name="Send my answer").tap()
    expect(page.get_by_text("We have your answer.")).to_be_visible()
    assert (fake.answer_of(id_of(1)), fake.answer_of(id_of(2))) == ("+12125550123", None)


def test_every_kind_can_be_answered_one_after_another(fake, visit):
    fake.add("token", *EVERY_KIND)
    page = visit("/p/token")

    def send(title: str) -> None:
        page.locator("form").filter(has_text=title).get_by_role("button", name="Send my answer").tap()
        expect(page.get_by_text("We have your answer.").first).to_be_visible()

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
        send(title)
    for group, choice in (
        ("Do you live at this address?", "No"),
        ("How should we reach you?", "By email"),
        ("Which apply to you?", "I have children"),
        ("Our fee agreement", "I have read this and confirm it."),
    ):
        page.get_by_role("group", name=group).get_by_label(choice).check()
        send(group)
    page.get_by_label("A picture of your license").set_input_files([chosen("front.jpg", picture())])
    send("A picture of your license")
    signature = page.get_by_role("group", name="Your signature under all of this")
    signature.get_by_label("Your full name").fill("Ana Lane")
    signature.get_by_label("With my name I sign this electronically.").check()
    send("Your signature")
    answers = [fake.answer_of(id_of(number)) for number in (*range(1, 13), 14)]
    assert answers == [
        "+12125550123", "ana@example.com", "Main St", "It rained.\nThen I fell.", "1500.50", "2020-04-30", False,
        "By email", ["I have children"], "1 Main St\nAlbany, NY 12207", True, [id_of(500)],
        {"name": "Ana Lane", "agreed": True, "file_id": None},
    ]  # fmt: skip
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you, Ana")


def test_what_could_be_taken_stays_when_another_file_is_refused(fake, visit):
    fake.add("token", case_task(1, "file_upload", "A picture of your license", required=True))
    page = visit("/p/token")
    field = page.get_by_label("A picture of your license")
    field.set_input_files([chosen("front.jpg", picture()), chosen("page.html", b"<html>")])
    page.get_by_role("button", name="Send my answer").tap()
    expect(page).to_have_title("Error: Harbor & Lane")
    expect(page.get_by_role("alert")).to_contain_text("We cannot take this kind of file.")
    expect(field).to_have_accessible_description(re.compile("Error: page.html: We cannot take this kind of file"))
    expect(page.get_by_label("front.jpg")).to_be_checked()
    field.set_input_files([chosen("back.jpg", picture(size=(50, 30)))])
    page.get_by_role("button", name="Send my answer").tap()
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you, Ana")
    assert fake.answer_of(id_of(1)) == [id_of(500), id_of(501)]
    expect(page.get_by_text("back.jpg")).to_be_visible()


def chosen(name: str, content: bytes) -> dict[str, Any]:
    """A file as a person chooses it."""
    return {"name": name, "mimeType": "image/jpeg", "buffer": content}


def test_a_mistake_is_named_at_the_top_and_at_its_field(fake, visit):
    fake.add("token", case_task(1, "email", "Your email"), case_task(2, "phone", "Your number"))
    page = visit("/p/token")
    page.get_by_label("Your number").fill("12")
    page.locator("form").nth(1).get_by_role("button", name="Send my answer").tap()
    expect(page).to_have_title("Error: Harbor & Lane")
    summary = page.get_by_role("alert")
    expect(summary).to_be_focused()
    field = page.get_by_label("Your number")
    expect(field).to_have_accessible_description("With its area code, like (212)\u00a0555\u20110123. Error: "
                                                 "Check the phone number: it needs its area code, like "
                                                 "(212)\u00a0555\u20110123.")  # fmt: skip
    expect(field).to_have_value("12")
    expect(field).to_have_attribute("aria-invalid", "true")
    summary.get_by_role("link").tap()
    assert page.url.endswith(f"#answer-{id_of(2)}")


def test_the_keyboard_is_enough(fake, visit):
    fake.add("token", case_task(1, "yes_no", "Do you agree?", required=True))
    page = visit("/p/token")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("radio", name="Yes")).to_be_focused()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("radio", name="No")).to_be_checked()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Send my answer")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you, Ana")
    assert fake.answer_of(id_of(1)) is False


@pytest.mark.parametrize("path", ["/p/token", "/p/wrong", "/p/contact"])
@pytest.mark.parametrize("of_form", [{}, {"case_form_id": id_of(700), "section": "About you and all that you own"}])
def test_it_fits_a_small_phone_with_large_targets(fake, visit, path, of_form):
    tasks = [{**task, **of_form} for task in EVERY_KIND]
    fake.add("token", *tasks, branding={"firm_name": "Okafor, Lindqvist, Bartholomew & Daughters"})
    page = visit("/p/token", SMALL)
    page.goto(page.url.partition("/p")[0] + path)
    targets = measured(page.locator("a:not(.skip), button:not(.unseen), input:not([type=hidden]), textarea, .choice"))
    for target in targets:
        assert target["shown"]
        assert target["x"] >= 0
        assert target["x"] + target["width"] <= SMALL["width"]
        inside_a_choice = target["type"] in ("radio", "checkbox")
        assert target["height"] >= (24 if inside_a_choice else 44)
    for block in measured(page.locator("h1, h2, p, .card")):
        assert block["shown"]
        assert block["x"] + block["width"] <= SMALL["width"]


def measured(found):
    """Where each element is, of which type, and whether it is shown at all. Without JavaScript on the page, the
    protocol still measures it: all at once, for to ask one by one took a third of the test."""
    return found.evaluate_all(
        """elements => elements.map(element => {
            const {x, width, height} = element.getBoundingClientRect();
            const shown = element.checkVisibility({visibilityProperty: true}) && width > 0 && height > 0;
            return {x, width, height, shown, type: element.getAttribute("type")};
        })"""
    )


def test_no_word_is_broken_where_type_is_twice_as_large(fake, visit):
    fake.add("token", case_task(1, "one_choice", "Which county?", options=["Cumberland"], required=True))
    page = visit("/p/token")
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    expect(page.locator(".bar")).to_be_visible()
    for words, lines in ((page.get_by_text("Harbor & Lane", exact=True), 2), (page.get_by_text("Cumberland"), 1)):
        box = words.bounding_box()
        line = float(words.evaluate("element => parseFloat(getComputedStyle(element).lineHeight)"))
        assert box is not None
        assert box["height"] < (lines + 0.5) * line
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_what_was_written_before_the_session_ended_is_sent_after_the_link_was_opened_again(fake, visit, site):
    fake.add("token", case_task(1, "long_text", "What happened?"))
    page = visit("/p/token")
    page.get_by_label("What happened?").fill("It rained.\nThen I fell.")
    page.context.clear_cookies()
    page.get_by_role("button", name="Send my answer").tap()
    expect(page).to_have_title("What you sent has not reached us")
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.get_by_text("Then I fell.")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    again = page.context.new_page()
    again.goto(f"{site}/p/token")
    again.close()
    page.get_by_role("button", name="Send it again").tap()
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you, Ana")
    assert fake.answer_of(id_of(1)) == "It rained.\nThen I fell."


def test_the_firms_color_and_the_dark_are_followed(fake, visit):
    fake.add("token", case_task(1, "phone", "Your number"), branding={"color": "#f2c200"})
    light, dark = visit("/p/token", color_scheme="light"), visit("/p/token", color_scheme="dark")
    for page in (light, dark):
        expect(page.locator(".bar")).to_have_css("background-color", "rgb(242, 194, 0)")
        expect(page.locator(".bar")).to_have_css("color", "rgb(0, 0, 0)")
    expect(light.locator("body")).to_have_css("background-color", "rgb(243, 244, 247)")
    expect(dark.locator("body")).to_have_css("background-color", "rgb(18, 20, 25)")
    expect(dark.get_by_role("button", name="Send my answer")).to_have_css("background-color", "rgb(242, 194, 0)")


def test_a_link_that_does_not_open_offers_a_new_one_in_the_clients_language(fake, visit):
    page = visit("/p/wrong")
    expect(page.get_by_role("heading", level=1)).to_have_text("This link does not open")
    page.get_by_role("link", name="Español").tap()
    expect(page.get_by_role("heading", level=1)).to_have_text("Este enlace no se abre")
    page.get_by_role("button", name="Enviarme un enlace nuevo").tap()
    expect(page.get_by_role("heading", level=1)).to_have_text("Mire sus mensajes")
    assert len(fake.asked) == 1


def test_a_client_writes_and_chooses_how_to_be_reached(fake, visit):
    fake.add("token", case_task(1, "phone", "Your number"))
    page = visit("/p/token")
    page.get_by_role("link", name="Write to Harbor & Lane").tap()
    page.get_by_label("Write to Harbor & Lane").fill("When is my hearing?")
    page.get_by_role("button", name="Send my message").tap()
    expect(page.get_by_role("status")).to_contain_text("has your message")
    assert list(fake.written.values()) == ["When is my hearing?"]
    page.get_by_role("checkbox", name="Text messages").uncheck()
    page.get_by_role("button", name="Save my choice").tap()
    expect(page.get_by_role("checkbox", name="Text messages")).not_to_be_checked()
    assert fake.preferences["sms"] == "opted_out"
