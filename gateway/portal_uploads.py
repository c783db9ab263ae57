"""Files and signatures on the client's page: how they are shown, and how what was sent becomes an answer.

The form of a case task that files answer is sent as multipart:

    answer   the ids of files that are there already and are to stay (none, one or several)
    file     new ones; of a signature, its picture
    signed_name, agreed   of a signature: the name in full, and the box that says it is meant as one

Each new file is judged by itself: those that can be taken stay uploaded when another one is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from babel.numbers import format_decimal
from flask import g, request
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import HTTPException

from chassis.columns import new_id
from contracts.errors import Invalid, Unavailable
from contracts.tasks import FILE_TYPES, LARGEST_FILE, MOST_FILES
from gateway.oversized_forms import MOST_PARTS
from gateway.portal_words import Words

Record = dict[str, Any]

WITH_FILES = ("file_upload", "signature")
TOO_LARGE = "casewire.too_large"
"""In the environment of a request whose body was too large and is not there: the fields of its form that are no
files."""
_PICTURES = ("jpg", "png")
_MEGABYTE = 2**20


@dataclass
class ShownFile:
    """A file that is there, and whether its box is ticked."""

    id: str
    label: str
    checked: bool


def sent_fields() -> MultiDict[str, str] | None:
    """The fields of the form that this request sent, as far as it was read; None if it cannot be."""
    try:
        request.max_form_parts = MOST_PARTS
        return request.environ.get(TOO_LARGE) or request.form
    except HTTPException:
        return None


def is_of_portal(path: str) -> bool:
    """Whether a person sees the answer, who sent files from a page of ours."""
    return path == "/p"


def typed_signature(form: MultiDict[str, str], suffix: str = "") -> Record | None:
    """The signature of a form; None for one that was left alone."""
    name, agreed = form.get(f"signed_name{suffix}", "").strip(), f"agreed{suffix}" in form
    kept = form.getlist(f"answer{suffix}")
    if not name and not agreed:
        return None
    return {"name": name, "agreed": agreed, "file_id": kept[0] if kept else None}


def send_files(link_id: str, case_task_id: str, typed: Any, sent: Sequence[FileStorage]) -> tuple[Any, Invalid | None]:
    """Hands on the files of a form. Returns the answer with those that were taken, and why another one was not; which
    one (`file`) is for its sender alone.

    Raises Unavailable, and as `portal.attach_own_files` does.
    """
    if not sent:
        return typed, None
    if len(sent) > MOST_FILES:
        return typed, Invalid("too_many_files", most=str(MOST_FILES))
    uploads: list[Record] = []
    too_large = None
    try:
        for one in sent:
            if one.stream.seek(0, 2) > LARGEST_FILE:
                too_large = Invalid("file_too_large", file=name_of(one), megabytes=f"{LARGEST_FILE / _MEGABYTE:.3g}")
                continue
            one.stream.seek(0)
            uploads.append({"file_key": f"uploads/portal/{new_id()}", "filename": name_of(one)})
            g.files.put(uploads[-1]["file_key"], one.stream)
        if not uploads:
            return typed, too_large
        attached = g.calls.portal.attach_own_files(link_id=link_id, case_task_id=case_task_id, uploads=uploads)
    except BaseException:
        for upload in uploads:
            with suppress(Unavailable):
                g.files.delete(upload["file_key"])
        raise
    taken = [file["id"] for file in attached["files"]]
    refusals = [
        Invalid(refused["code"], file=uploads[refused["position"]]["filename"], **refused["limits"])
        for refused in attached["refused"]
    ]
    return _with_files(typed, taken), next(iter(refusals), too_large)


def name_of(sent: FileStorage) -> str:
    """What its sender calls a file, or the end of it."""
    return (sent.filename or "")[-200:]


def _with_files(typed: Any, taken: Sequence[str]) -> Any:
    if isinstance(typed, dict):
        return {**typed, "file_id": taken[0] if taken else typed.get("file_id")}
    kept = [typed] if isinstance(typed, str) else list(typed or ())
    return [*(one for one in kept if one not in taken), *taken]


def kept_fields(typed: Any, suffix: str = "") -> list[tuple[str, str]]:
    """The fields of a form that say the same once more, with its files by their ids."""
    answer = f"answer{suffix}"
    if isinstance(typed, dict):
        fields = [(f"signed_name{suffix}", typed["name"])] + ([(f"agreed{suffix}", "yes")] if typed["agreed"] else [])
        return fields + ([(answer, typed["file_id"])] if typed.get("file_id") else [])
    return [(answer, one) for one in ([typed] if isinstance(typed, str) else typed or ())]


def shown_files(files: Sequence[Record], current: Any, was_typed: bool, words: Words) -> list[ShownFile]:
    """Boxes for what is there: ticked, unless the client has taken the tick away."""
    named = {current} if isinstance(current, str) else set(current) if isinstance(current, list) else set()
    if isinstance(current, dict):
        named = {current.get("file_id")}
    return [ShownFile(file["id"], label_of(file, words), not was_typed or file["id"] in named) for file in files]


def label_of(file: Mapping[str, Any], words: Words) -> str:
    """A file's name and size, as people read it."""
    kilobytes = file["size"] / 1024
    amount, unit = (kilobytes / 1024, "MB") if kilobytes >= 1000 else (max(kilobytes, 1), "KB")
    number = format_decimal(round(amount, 1 if unit == "MB" else 0), locale=words.language)
    return f"{file['filename']} ({number}\u00a0{unit})"


def shown_answer(answer: Any, files: Sequence[Record], words: Words) -> list[str]:
    """A kept answer as lines to read."""
    if isinstance(answer, dict):
        signed = words.say("Signed by %(name)s", name=answer.get("name", ""))
        return [signed, *([words.say("With a picture of the signature")] if answer.get("file_id") else [])]
    named = {file["id"]: label_of(file, words) for file in files}
    return [named[id_] for id_ in answer if id_ in named]


def attributes_of(case_task: Record) -> dict[str, str]:
    """Attributes of the field that takes the files."""
    kind, checks = case_task["kind"], case_task.get("checks") or {}
    endings = _PICTURES if kind == "signature" else _wanted(checks)
    accepted = [part for ending in endings for part in (f".{ending}", FILE_TYPES[ending])]
    return {"type": "file", "accept": ",".join(accepted), **({} if kind == "signature" else {"multiple": "multiple"})}


def hints_of(case_task: Record, words: Words) -> list[str]:
    """What may be sent."""
    checks = case_task.get("checks") or {}
    if case_task["kind"] == "signature":
        return []
    largest = min(checks.get("max_size") or LARGEST_FILE, LARGEST_FILE)
    most = min(checks.get("max_files") or MOST_FILES, MOST_FILES)
    wanted = checks.get("file_types")
    return [
        words.say("Kinds of files: %(types)s.", types=", ".join(ending.upper() for ending in _wanted(checks)))
        if wanted
        else words.say("Pictures, PDF, Word or Excel documents, texts, recordings."),
        words.count(
            "One file of at most %(megabytes)s MB.",
            "At most %(number)s files of %(megabytes)s MB each.",
            most,
            megabytes=f"{largest / _MEGABYTE:.3g}",
        ),
    ]


def _wanted(checks: Record) -> Sequence[str]:
    return [ending for ending in checks.get("file_types") or FILE_TYPES if ending in FILE_TYPES]
