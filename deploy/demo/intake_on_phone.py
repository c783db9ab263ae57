"""A client fills in an intake on a phone, and what was set up for it happens by itself."""

from __future__ import annotations

from typing import Any

from deploy.demo import intake_form
from deploy.demo.api import ApiError, wait_for
from deploy.demo.intake_form import NEXT_TASK, QUESTIONS
from deploy.demo.intake_state import IntakeState
from deploy.demo.phones import LINK, Phone, picture
from deploy.demo.stage import Stage

NEW_EMAIL = "nora.at.home@example.net"
TITLES = {key: question["title"] for key, question in QUESTIONS.items()}

Lines = list[tuple[str, str]]


def fill_in(stage: Stage) -> None:
    """8. One of them fills it in on a phone, section by section"""
    case = stage.story.intake.cases[0]
    visit = Visit(stage, case)
    stage.told([*visit.about_herself(), *visit.family_and_property(), *visit.documents(), *visit.what_follows()])
    _leave_something_to_look_at(stage)


class Visit:
    """One client with the page open. Each part returns what the client did, and what came of it."""

    def __init__(self, stage: Stage, case: dict[str, Any]) -> None:
        self._stage, self._case = stage, case
        self._state = IntakeState(stage.api, case)
        self._phone = Phone(_texted_link(stage, case))

    def about_herself(self) -> Lines:
        phone, spouse = self._phone, ("spouse_name", "spouse_born")
        waiting = len(phone.asked)
        on_record = self._case["client"]["emails"][0]["address"]
        noticed = self._stage.story.intake.noticed
        noticed["the email address on record stands in its field, to be checked"] = (
            phone.holds(TITLES["email"]) == on_record and self._state.tasks()["email"]["answer"] is None
        )
        phone.fill_in({TITLES["married"]: "no", TITLES["email"]: NEW_EMAIL})
        self._notice("who is not married is asked nothing about a spouse", asked=(), of=spouse)
        due_at = self._state.tasks()["license"]["due_at"]
        due = f"{self._state.local_day(due_at):%A, %B %-d}" if due_at else "no day"
        phone.change(TITLES["married"])
        phone.fill_in({TITLES["married"]: "yes"})
        self._notice("a corrected answer brought the questions about the spouse", asked=spouse, of=spouse)
        phone.fill_in({TITLES["spouse_name"]: "Étienne Pelletier"}, later=True)
        phone.look()
        kept = phone.holds(TITLES["spouse_name"]) == "Étienne Pelletier"
        noticed["what was saved for later is there again, and is no answer"] = (
            kept and self._state.tasks()["spouse_name"]["status"] == "in_progress"
        )
        phone.fill_in({TITLES["spouse_born"]: "1971-03-09"})
        return [
            (f"{self._case['client']['first_name']} opens the link", f"{waiting} questions wait, in three sections"),
            ("About you, in one go", f"not married, so no spouse; documents are due by {due}"),
            ("", f"of the email address the page shows {on_record}; it is another one now"),
            ("Married? Corrected: yes", "two questions about the spouse appear"),
            ("The spouse's name, saved", "it is there when the page is opened again"),
        ]

    def family_and_property(self) -> Lines:
        phone, names, house = self._phone, ("children_names",), ("home_address", "home_shared")
        phone.fill_in({TITLES["children"]: "yes", TITLES["home"]: "yes"})
        self._notice("who has children is asked for their names", asked=names, of=names)
        self._notice("who owns a home and is married is asked where it is and whose", asked=house, of=house)
        phone.change(TITLES["children"])
        home = {TITLES["home_address"]: "14 Spruce Street\nBath, ME 04530", TITLES["home_shared"]: "yes"}
        phone.fill_in({TITLES["children"]: "no", TITLES["children_names"]: "Noah, 2001-04-12", **home})
        self._notice("a corrected answer took that question away again", asked=(), of=names)
        return [
            ("Children and a home? Yes", "their names are asked, and where the home is, and whose"),
            ("Children? Corrected: no", "the question for their names goes, the rest is taken"),
        ]

    def documents(self) -> Lines:
        client = self._case["client"]
        signature = {"signed_name": f"{client['first_name']} {client['last_name']}", "agreed": "yes"}
        self._phone.fill_in({TITLES["license"]: picture(), TITLES["engagement"]: signature})
        progress = self._state.progress()
        done = f"{progress['done']} of {progress['total']} answered; of the will, which may be left, nothing was sent"
        return [("License and signature", done)]

    def what_follows(self) -> Lines:
        """By itself, within a moment."""
        wait_for("the rule's run", lambda: [run for run in self._state.runs() if run["state"] != "waiting"])
        moved = wait_for("the case's next status", lambda: self._state.statuses()[1:])

        def asked() -> bool:
            self._phone.look()
            return NEXT_TASK["title"] in self._phone.asked

        wait_for("the next question on the phone", asked)
        self._stage.story.intake.noticed["what is asked next came to the same page by itself"] = True
        wait_for("the email address in the record", lambda: self._state.primary_email() == NEW_EMAIL)
        return [
            ("By itself", "the email address is in the client's record"),
            ("", f"the case goes from {self._case['status']} to {moved[-1]}"),
            ("", f"the page asks: {NEXT_TASK['title']}"),
            ("", f"the firm is told: {intake_form.NOTICE}"),
        ]

    def _notice(self, what: str, *, asked: tuple[str, ...], of: tuple[str, ...]) -> None:
        """Whether the page asks just these of some questions now, and the rest is skipped."""
        on_page = {key for key in of if TITLES[key] in self._phone.asked}
        tasks = self._state.tasks()
        shown = {key for key in of if tasks[key]["status"] != "skipped"}
        self._stage.story.intake.noticed[what] = on_page == shown == set(asked)


def _texted_link(stage: Stage, case: dict[str, Any]) -> str:
    texts = stage.sandbox.outbound(case["client"]["phones"][0]["number"])
    links = [found.group() for text in texts if (found := LINK.search(text["body"]))]
    if len(links) != 1:
        raise ApiError(f"{len(links)} texts with a link came to a phone that should have one.")
    return links[0]


def _leave_something_to_look_at(stage: Stage) -> None:
    """Links to intakes that nobody has begun, in both languages of the pages."""
    languages = {"en": "an intake", "es": "in Spanish"}
    for case in stage.story.intake.cases[1:3]:
        scope = {"kind": "form", "case_form_id": case["case_form"]["id"]}
        link = stage.api.post("/v1/portal-links", {"client_id": case["client"]["id"], "scope": scope})
        stage.story.intake.links[languages[case["client"]["language"]]] = link["url"]
