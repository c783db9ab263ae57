"""The files that the page behind a link tells of."""

from __future__ import annotations

from typing import Any

from contracts.tasks import MOST_ASKED
from services.portal.models import Link

Record = dict[str, Any]

_WITH_FILES = ("file_upload", "signature")


def files_shown(calls: Any, link: Link, case_tasks: list[Record]) -> list[Record]:
    """Those of the page's answers, and what the link's client has uploaded for the next ones: what another client of
    the case has only uploaded is nobody's business yet."""
    asked = [case_task["id"] for case_task in case_tasks if case_task["kind"] in _WITH_FILES]
    parts = [asked[start : start + MOST_ASKED] for start in range(0, len(asked), MOST_ASKED)]
    replies = [calls.tasks.list_task_files.start(case_task_ids=part) for part in parts]
    found: list[Record] = [file for reply in replies for file in reply.result()["files"]]
    return [file for file in found if file["answered"] or file["client_id"] == link.client_id]
