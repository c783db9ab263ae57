"""tasks: which files are kept as an answer."""

from __future__ import annotations

import io
import tracemalloc

import pytest

from chassis.file_kinds import EXTENSIONS
from contracts.tasks import FILE_TYPES
from services.tasks.file_contents import examine
from services.tasks.unfit_files import UnfitFile
from tests.hostile_files import HARMLESS, HOSTILE, picture, png_of


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_in_little_memory(name: str) -> None:
    content = io.BytesIO(HOSTILE[name]())
    tracemalloc.start()
    with pytest.raises(UnfitFile) as refused:
        examine(content)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused.value.code
    assert refused.value.message.endswith(".")
    assert peak < 10_000_000


def test_there_are_fifty_of_them() -> None:
    assert len(HOSTILE) >= 50


@pytest.mark.parametrize("name", HARMLESS)
def test_what_people_send_is_taken_for_what_it_is(name: str) -> None:
    made, ending = HARMLESS[name]
    assert examine(io.BytesIO(made())).extension == ending


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("nothing", "file_empty"), ("svg", "file_type_not_allowed"), ("named a jpeg", "file_damaged"),
        ("named a pdf", "file_damaged"), ("jpeg and page", "file_not_safe"), ("pdf and archive", "file_not_safe"),
        ("document with an entity in utf-16", "file_not_safe"), ("document with a password", "file_encrypted"),
        ("document that unpacks to much", "file_unpacks_too_large"),
        ("document of many parts", "file_unpacks_too_large"),
        ("workbook that lies of its size", "file_damaged"), ("document with a link", "file_damaged"),
        ("document with a program inside", "file_not_safe"), ("pixels of a png", "picture_too_large"),
    ],
)  # fmt: skip
def test_a_refusal_says_why(name: str, code: str) -> None:
    with pytest.raises(UnfitFile) as refused:
        examine(io.BytesIO(HOSTILE[name]()))
    assert refused.value.code == code


def test_a_question_may_take_only_some_kinds() -> None:
    assert examine(io.BytesIO(picture("PNG")), ["pdf", "png"]).extension == "png"
    with pytest.raises(UnfitFile) as refused:
        examine(io.BytesIO(picture("JPEG")), ["pdf", "png"])
    assert (refused.value.code, refused.value.limits) == ("file_type_not_allowed", {"types": "pdf, png"})


def test_a_mark_across_the_border_of_two_blocks_is_seen() -> None:
    block = 256 * 1024
    content = picture() + bytes(block)
    with pytest.raises(UnfitFile, match="more than the one thing"):
        examine(io.BytesIO(content[: block - 4] + b"<script>" + bytes(100)))


@pytest.mark.parametrize("size", [(30_001, 1), (12_500, 12_500)])
def test_pictures_have_a_largest_size(size: tuple[int, int]) -> None:
    with pytest.raises(UnfitFile) as refused:
        examine(io.BytesIO(png_of(*size)))
    assert refused.value.code == "picture_too_large"
    assert examine(io.BytesIO(png_of(12_000, 12_000))).extension == "png"


def test_what_the_contract_names_is_what_is_kept() -> None:
    assert {ending: kind for kind, ending in EXTENSIONS.items()} == FILE_TYPES
