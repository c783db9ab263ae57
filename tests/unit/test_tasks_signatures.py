"""tasks: the picture of a signature."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image, ImageDraw

from services.tasks.signatures import SIDE, drawing
from services.tasks.unfit_files import UnfitFile
from tests.hostile_files import HOSTILE, SCRIPT, jpeg_of, of_several, picture, png_of


def signed(kind: str = "PNG", size: tuple[int, int] = (600, 200), mode: str = "RGB", **options: Any) -> bytes:
    image = Image.new(mode, size, (255, 255, 255, 0)[: len(mode)] if mode != "L" else 255)
    ink = (20, 30, 120, 255)[: len(mode)] if mode != "L" else 20
    ImageDraw.Draw(image).line([(20, size[1] // 2), (size[0] // 2, 20), (size[0] - 20, size[1] - 20)], ink, 5)
    target = io.BytesIO()
    image.save(target, kind, **options)
    return target.getvalue()


@pytest.mark.parametrize(("kind", "mode"), [("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "L"), ("JPEG", "RGB")])
def test_it_is_drawn_anew_on_white_and_holds_nothing_else(kind: str, mode: str) -> None:
    drawn = drawing(signed(kind, mode=mode) + SCRIPT)
    image = Image.open(io.BytesIO(drawn))
    assert (image.format, image.mode, image.size) == ("PNG", "L", (600, 200))
    assert image.getpixel((5, 5)) >= 250
    assert image.getextrema()[0] < 100
    assert SCRIPT not in drawn


def test_the_picture_of_a_sheet_of_paper_is_made_smaller_and_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.open(io.BytesIO(drawing(signed("JPEG", (4000, 3000), exif=exif))))
    assert image.size == (SIDE * 3 // 4, SIDE)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_an_empty_sheet_is_no_signature(mode: str) -> None:
    for colour in (255, 0):
        target = io.BytesIO()
        Image.new(mode, (300, 100), colour if mode == "L" else (colour,) * len(mode)).save(target, "PNG")
        with pytest.raises(UnfitFile) as refused:
            drawing(target.getvalue())
        assert refused.value.code == "signature_blank"
    speck = Image.new("L", (300, 100), 255)
    speck.putpixel((7, 7), 0)
    target = io.BytesIO()
    speck.save(target, "PNG")
    with pytest.raises(UnfitFile, match="nothing drawn"):
        drawing(target.getvalue())


@pytest.mark.parametrize("content", [HOSTILE["svg"](), HOSTILE["named a png"](), picture("GIF"), b"", signed()[:100]])
def test_what_is_no_picture_is_refused(content: bytes) -> None:
    with pytest.raises(UnfitFile) as refused:
        drawing(content)
    assert refused.value.code == "not_a_picture"


def test_a_jpeg_of_several_pictures_is_the_first_of_them() -> None:
    image = Image.open(io.BytesIO(drawing(of_several(signed("JPEG")))))
    assert (image.format, image.size) == ("PNG", (600, 200))


def test_a_jpeg_that_would_lie_in_memory_whole_may_be_smaller_than_another() -> None:
    with pytest.raises(UnfitFile) as refused:
        drawing(jpeg_of(4000, 3000, progressive=True))
    assert refused.value.code == "picture_too_large"
    assert drawing(signed("JPEG", progressive=True))
    assert drawing(jpeg_of(4000, 3000))


@pytest.mark.parametrize("size", [(4000, 2001), (60_000, 60_000), (20_001, 1)])
def test_a_flood_of_pixels_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(UnfitFile) as refused:
        drawing(png_of(*size))
    assert refused.value.code == "picture_too_large"
