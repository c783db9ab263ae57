"""What the firm asks before it draws up an estate plan: its questions in three sections, and what follows from them."""

from __future__ import annotations

from typing import Any

CASE_TYPE: dict[str, Any] = {
    "name": "Estate planning",
    "number_prefix": "EP-",
    "number_yearly": True,
    "statuses": [{"name": "Intake"}, {"name": "Drafting"}, {"name": "Signed"}, {"name": "Closed", "closed": True}],
}

QUESTIONS: dict[str, dict[str, Any]] = {
    "name": {
        "title": "Your full legal name",
        "instructions": "As it stands in your passport or on your driver's license.",
        "kind": "short_text",
        "required": True,
    },
    "married": {"title": "Are you married?", "kind": "yes_no", "required": True},
    "spouse_name": {"title": "Your spouse's full legal name", "kind": "short_text", "required": True},
    "spouse_born": {"title": "Your spouse's date of birth", "kind": "date", "required": True},
    "email": {
        "title": "Which email address do you read?",
        "instructions": "We send drafts there for you to look at.",
        "kind": "email",
        "required": True,
        "mapping": {"target": "client", "field": "email"},
    },
    "children": {"title": "Do you have children?", "kind": "yes_no", "required": True},
    "children_names": {
        "title": "Your children",
        "instructions": "Their full names and dates of birth, one child on each line.",
        "kind": "long_text",
        "required": True,
    },
    "home": {"title": "Do you own a home?", "kind": "yes_no", "required": True},
    "home_address": {"title": "The address of your home", "kind": "address", "required": True},
    "home_shared": {"title": "Is your spouse an owner, too?", "kind": "yes_no", "required": True},
    "license": {
        "title": "Your driver's license or passport",
        "instructions": "A picture that you take with your phone is enough.",
        "kind": "file_upload",
        "required": True,
        "checks": {"file_types": ["jpg", "png", "heic", "pdf"], "max_files": 2},
    },
    "old_will": {
        "title": "The will that you have now",
        "instructions": "If there is one: a picture of each page, or a PDF.",
        "kind": "file_upload",
        "required": False,
    },
    "engagement": {
        "title": "Our engagement",
        "instructions": (
            "You ask Harbor & Pine Law to draw up your will, a power of attorney and a health care directive, for a "
            "flat fee of $1,800. Either of us may end this at any time, and you pay for what was done until then."
        ),
        "kind": "signature",
        "required": True,
    },
}

# Documents are due some business days after the last question of the first section, whenever that is answered.
DOCUMENT_DAYS = 5
_DOCUMENTS = {"mode": "after_task", "task": "email", "from": "finished", "days": DOCUMENT_DAYS, "business": True}


def _is(key: str, value: Any) -> dict[str, Any]:
    return {"field": f"answers.{key}", "op": "eq", "value": value}


SECTIONS: list[dict[str, Any]] = [
    {
        "title": "About you",
        "tasks": [
            {"key": "name"},
            {"key": "married"},
            {"key": "spouse_name", "condition": _is("married", True)},
            {"key": "spouse_born", "condition": _is("married", True)},
            {"key": "email", "prefill": True},
        ],
    },
    {
        "title": "Your family and property",
        "tasks": [
            {"key": "children"},
            {"key": "children_names", "condition": _is("children", True)},
            {"key": "home"},
            {"key": "home_address", "condition": _is("home", True)},
            {"key": "home_shared", "condition": {"and": [_is("home", True), _is("married", True)]}},
        ],
    },
    {
        "title": "Documents and consent",
        "tasks": [
            {"key": "license", "due": _DOCUMENTS},
            {"key": "old_will", "due": _DOCUMENTS},
            {"key": "engagement", "due": {"mode": "relative", "days": 14}},
        ],
    },
]
CONDITIONAL = tuple(task["key"] for section in SECTIONS for task in section["tasks"] if "condition" in task)

NEXT_TASK: dict[str, Any] = {
    "title": "When can you come in to sign?",
    "kind": "one_choice",
    "required": True,
    "options": ["On a weekday morning", "On a weekday afternoon", "On a Saturday"],
}
NEXT_STATUS = "Drafting"
NOTICE = "An estate planning intake is complete"


def form(template_ids: dict[str, str]) -> dict[str, Any]:
    """The form, of templates by the keys of its questions."""
    sections = [
        {**section, "tasks": [{**task, "template_id": template_ids[task["key"]]} for task in section["tasks"]]}
        for section in SECTIONS
    ]
    return {"title": "Estate planning intake", "sections": sections}


def rule(form_id: str, next_template_id: str, case_type_id: str, staff_id: str) -> dict[str, Any]:
    """What is done once the form is complete on a case of the type."""
    filter_of_cases = {
        "and": [
            {"field": "case_type_id", "op": "eq", "value": case_type_id},
            {"field": "status", "op": "eq", "value": "Intake"},
        ]
    }
    due = {"mode": "relative", "days": 10, "business": True}
    return {
        "name": "Intake complete",
        "trigger": {"kind": "form_completed", "form_id": form_id},
        "filter": filter_of_cases,
        "actions": [
            {"kind": "change_status", "status": NEXT_STATUS},
            {"kind": "assign_task", "template_id": next_template_id, "assignee_id": staff_id, "due": due},
            {"kind": "notify_staff", "title": NOTICE, "notify_responsible": True},
        ],
    }


# Who comes to the firm these days. Their numbers are kept for fiction, in an area code that no imported client has.
PEOPLE: list[dict[str, Any]] = [
    {"first_name": "Nora", "last_name": "Pelletier", "number": "+12075550121", "language": "en"},
    {"first_name": "Amos", "last_name": "Thibodeau", "number": "+12075550122", "language": "en"},
    {"first_name": "Marisol", "last_name": "Quintero", "number": "+12075550123", "language": "es"},
    {"first_name": "June", "last_name": "Castine", "number": "+12075550124", "language": "en"},
    {"first_name": "Wendell", "last_name": "Ouellette", "number": "+12075550125", "language": "en"},
]
# Written without the letters that would more than double the segments.
MESSAGE: dict[str, Any] = {
    "name": "Estate planning intake",
    "variants": [
        {
            "channel": "sms",
            "language": "en",
            "body": "{{ firm.name }}: {{ client.first_name }}, to draw up your estate plan we need some answers from "
                    "you: {{ task.link }} You may pause and go on later. Reply STOP to end.",
        },
        {
            "channel": "sms",
            "language": "es",
            "body": "{{ firm.name }}: {{ client.first_name }}, para preparar su plan patrimonial necesitamos algunas "
                    "respuestas: {{ task.link }} Puede hacer una pausa y seguir luego. Responda ALTO para terminar.",
        },
    ],
}  # fmt: skip
