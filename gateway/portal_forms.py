"""How a case task becomes something to fill in, and what a client typed becomes an answer."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from werkzeug.datastructures import MultiDict

from gateway.portal_uploads import (
    WITH_FILES,
    ShownFile,
    attributes_of,
    hints_of,
    shown_answer,
    shown_files,
    typed_signature,
)
from gateway.portal_words import REFUSALS, Words

Record = dict[str, Any]

_TEXT_TYPES = {"short_text": "text", "number": "text", "date": "date", "phone": "tel", "email": "email"}
_LONGEST = {"short_text": 500, "long_text": 20_000, "address": 500, "phone": 40, "email": 320, "number": 40}
_AUTOCOMPLETE = {"first_name": "given-name", "last_name": "family-name", "phone": "tel", "email": "email"}


@dataclass
class Choice:
    """One radio button or box."""

    value: str
    label: str
    checked: bool


@dataclass
class Question:
    """One case task as the page shows it.

    `widget` says which fields: input, textarea, choices, tick, files or signature. `done`: it is answered;
    `answer` says how, in lines, and `left_blank` that it was not. `blank_effect`: what a blank answer would do.
    `draft`: what is filled in was saved and not sent. `known`: it is what the firm has on record. `can_wait`: it can be
    saved. `again`: why it is asked again.
    `shown`: a mark of what its fields begin with. `together`: it stands in one form with others of its section.
    """

    id: str
    title: str
    paragraphs: list[str]
    widget: str
    required: bool
    done: bool
    overdue: bool
    due: str | None
    hints: list[str]
    blank_effect: str | None
    error: str | None
    value: str = ""
    answer: list[str] = field(default_factory=list)
    left_blank: str | None = None
    attributes: dict[str, str] = field(default_factory=dict)
    choices: list[Choice] = field(default_factory=list)
    multiple: bool = False
    draft: bool = False
    known: bool = False
    can_wait: bool = False
    again: str | None = None
    files: list[ShownFile] = field(default_factory=list)
    signed_name: str = ""
    agreed: bool = False
    shown: str = ""
    together: bool = False

    @property
    def suffix(self) -> str:
        """What the names of its fields end with, where they stand in one form with those of others."""
        return suffix_of(self.id) if self.together else ""

    @property
    def field_id(self) -> str:
        """Where the error summary leads: the field, or the first of its choices."""
        return f"answer-{self.id}"

    @property
    def answerable(self) -> bool:
        """Whether there is anything to do here."""
        return not self.done

    @property
    def described_by(self) -> str:
        parts = {"hint": self.hints, "known": self.known, "error": self.error, "blank": self.blank_effect}
        return " ".join(f"{name}-{self.id}" for name, present in parts.items() if present)


def suffix_of(case_task_id: str) -> str:
    """What the names of a case task's fields end with in a form of several."""
    return f"-{case_task_id}"


def typed_answer(form: MultiDict[str, str], suffix: str = "") -> Any:
    """What was filled in: a text, a list of several texts, a signature, or None for nothing."""
    if f"signed_name{suffix}" in form:
        return typed_signature(form, suffix)
    values = form.getlist(f"answer{suffix}")
    return values if len(values) > 1 else values[0] if values else None


def mark_of(typed: Any) -> str:
    """A mark of what fields held: the same for the same, whichever way a browser puts it."""
    if isinstance(typed, dict):
        parts = [typed.get("name") or "", "yes" if typed.get("agreed") else "", typed.get("file_id") or ""]
    else:
        several = typed if isinstance(typed, list) else [typed]
        parts = sorted(part.replace("\r\n", "\n").strip() for part in several if isinstance(part, str))
    # Files and lists are a few ids and options: which of them, and in no order.
    return hashlib.sha256("\0".join(part for part in parts if part).encode("utf-8", "replace")).hexdigest()[:16]


def question_of(
    case_task: Record,
    words: Words,
    time_zone: str,
    *,
    typed: Any = None,
    was_typed: bool = False,
    error: str | None = None,
    reopened: bool = False,
    files: Sequence[Record] = (),
    known: Any = None,
    together: bool = False,
) -> Question:
    """The page's view of a case task (wire form). `typed` is what a refused form held; `reopened`: the client wants
    to change an answer that was given. `files`: those of the case task that are there. `known`: what is filled in of
    an open one, unless something else is there. `together`: in one form with others."""
    kind = case_task["kind"]
    kept = case_task.get("answer")
    draft = case_task.get("draft_at") is not None
    from_record = not (known is None or draft or kept is not None) and case_task["status"] != "completed"
    begins_with = case_task.get("draft") if draft else known if from_record else kept
    current = typed if was_typed else begins_with
    signed = current if kind == "signature" and isinstance(current, dict) else {}
    rejection = case_task.get("rejection") or {}
    if error is None and rejection.get("code") in REFUSALS:
        error, reopened = words.refusal(rejection["code"], {}), True
    due_at = case_task.get("due_at")
    return Question(
        id=case_task["id"],
        title=case_task["title"],
        paragraphs=[part.strip() for part in (case_task.get("instructions") or "").split("\n") if part.strip()],
        widget=_widget(kind),
        required=bool(case_task.get("required")),
        done=case_task["status"] == "completed" and not reopened and error is None,
        overdue=case_task["status"] == "overdue",
        due=words.day(due_at, time_zone) if due_at else None,
        hints=_hints(case_task, words),
        blank_effect=_blank_effect(case_task, words),
        error=error,
        value=_as_text(current),
        answer=shown_answer(kept, files, words) if kind in WITH_FILES and kept else _shown(kind, kept, words),
        left_blank=_left_blank(case_task, words),
        attributes=_attributes(case_task),
        choices=_choices(case_task, current, words),
        multiple=kind == "several_choices",
        draft=draft and not was_typed,
        known=from_record and not was_typed,
        can_wait=_widget(kind) in ("input", "textarea", "choices") and case_task["status"] != "completed",
        again=(case_task.get("reopened") or {}).get("reason"),
        files=shown_files(files, current, was_typed, words),
        signed_name=str(signed.get("name") or ""),
        agreed=was_typed and bool(signed.get("agreed") if kind == "signature" else typed),
        shown=mark_of(_untouched(case_task, begins_with, files, words)),
        together=together,
    )


def _untouched(case_task: Record, begins_with: Any, files: Sequence[Record], words: Words) -> Any:
    """What the fields of a question send if nobody touches them."""
    kind = case_task["kind"]
    if kind == "file_upload":
        return [file["id"] for file in files]
    if kind == "signature":
        name = begins_with.get("name") if isinstance(begins_with, dict) else None
        return {"name": name, "file_id": files[0]["id"] if files else None} if name else None
    if _widget(kind) == "choices":
        return [choice.value for choice in _choices(case_task, begins_with, words) if choice.checked]
    return None if kind == "acknowledgement" else _as_text(begins_with)


def _widget(kind: str) -> str:
    if kind in WITH_FILES:
        return "files" if kind == "file_upload" else kind
    if kind in ("long_text", "address"):
        return "textarea"
    if kind in ("yes_no", "one_choice", "several_choices"):
        return "choices"
    return "tick" if kind == "acknowledgement" else "input"


def _attributes(case_task: Record) -> dict[str, str]:
    """Attributes of the input or text area."""
    kind, checks = case_task["kind"], case_task.get("checks") or {}
    mapped = (case_task.get("mapping") or {}).get("field", "")
    if kind in WITH_FILES:
        return attributes_of(case_task)
    attributes: dict[str, str] = {}
    if kind in _TEXT_TYPES:
        attributes["type"] = _TEXT_TYPES[kind]
    longest = min(_LONGEST.get(kind, 0), checks.get("max_length") or _LONGEST.get(kind, 0))
    if longest:
        attributes["maxlength"] = str(longest)
    if kind == "number":
        # Not type=number: a browser sends nothing at all for what it does not understand.
        attributes["inputmode"] = "decimal"
        attributes["autocomplete"] = "off"
    if kind == "email":
        attributes |= {"autocomplete": "email", "autocapitalize": "none", "spellcheck": "false"}
    if kind == "phone":
        attributes["autocomplete"] = "tel"
    if kind == "address":
        attributes |= {"autocomplete": "street-address", "rows": "3"}
    if kind == "long_text":
        attributes["rows"] = "6"
    if kind == "date":
        attributes |= {
            limit: str(checks[name]) for limit, name in (("min", "earliest"), ("max", "latest")) if checks.get(name)
        }
    if kind == "short_text":
        attributes["autocomplete"] = _AUTOCOMPLETE.get(mapped, "on")
    return attributes


def _choices(case_task: Record, current: Any, words: Words) -> list[Choice]:
    kind, optional = case_task["kind"], not case_task.get("required")
    if kind == "yes_no":
        now = {True: "yes", False: "no"}.get(current) if isinstance(current, bool) else current
        pairs = [("yes", words.say("Yes")), ("no", words.say("No"))]
    elif kind in ("one_choice", "several_choices"):
        now, pairs = current, [(option, option) for option in case_task.get("options") or []]
    else:
        return []
    chosen = set(now) if isinstance(now, list) else {now}
    choices = [Choice(value, label, value in chosen) for value, label in pairs]
    if optional and kind != "several_choices":
        # A radio button cannot be let go again without script.
        choices.append(Choice("", words.say("I would rather not say"), now == ""))
    return choices


def _hints(case_task: Record, words: Words) -> list[str]:
    kind, checks = case_task["kind"], case_task.get("checks") or {}
    hints = []
    if kind == "phone":
        hints.append(words.say("With its area code, like (212)\u00a0555\u20110123."))
    if kind == "email":
        hints.append(words.say("Like name@example.com."))
    if kind == "address":
        hints.append(words.say("Street and number, city, state and postal code."))
    if kind == "several_choices":
        hints.append(words.say("Choose all that apply."))
    if kind in ("short_text", "long_text") and checks.get("max_length"):
        hints.append(words.say("At most %(longest)s characters.", longest=checks["max_length"]))
    return [*hints, *hints_of(case_task, words)] if kind in WITH_FILES else hints


def _blank_effect(case_task: Record, words: Words) -> str | None:
    """A blank answer to a mapped question clears what it is mapped to: whoever leaves it blank must know."""
    mapping = case_task.get("mapping")
    if case_task.get("required") or not mapping:
        return None
    effects = {
        "phone": words.say("If you leave this blank, we remove the phone number that we have for you."),
        "email": words.say("If you leave this blank, we remove the email address that we have for you."),
        "first_name": words.say("If you leave this blank, we remove the first name that we have for you."),
        "last_name": words.say("If you leave this blank, we remove the last name that we have for you."),
    }
    other = words.say("If you leave this blank, we remove what we have on file.")
    return effects.get(mapping["field"], other) if mapping["target"] == "client" else other


def _left_blank(case_task: Record, words: Words) -> str | None:
    """What to say once a blank answer was given, or one that is not shown; None if there is an answer."""
    if case_task.get("answer") is not None or case_task["status"] != "completed":
        return None
    if "answer" in (case_task.get("hidden") or ()):
        return words.say("Somebody else has answered this.")
    if case_task.get("mapping"):
        return words.say("You left this blank, so we remove what we had on file.")
    return words.say("You left this blank.")


def _shown(kind: str, answer: Any, words: Words) -> list[str]:
    """A kept answer as lines to read."""
    if answer is None:
        return []
    if kind == "acknowledgement":
        return [words.say("Confirmed")]
    if isinstance(answer, bool):
        return [words.say("Yes") if answer else words.say("No")]
    if kind == "date":
        return [words.long_date(str(answer))]
    if isinstance(answer, list):
        return [str(part) for part in answer]
    return _as_text(answer).split("\n")


def _as_text(answer: Any) -> str:
    if answer is None or isinstance(answer, bool | list):
        return ""
    if isinstance(answer, dict):
        parts = (answer.get(name) for name in ("line1", "line2", "city", "state", "postal_code", "country"))
        return "\n".join(str(part) for part in parts if part)
    return str(answer)
